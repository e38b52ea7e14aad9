"""The section about the page."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from edge.address import bracketed
from edge.config.section import Section


class PageSettings(Section, frozen=True):
    """The page for a browser: what the camera sees, with heads covered.

    `tensormask replay --show` covers heads as it does.
    """

    enabled: bool = False
    address: Annotated[str, msgspec.Meta(min_length=1)] = "127.0.0.1"
    """Where it listens: on this machine only by default; `::`: everywhere."""
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 8080
    password_file: str = ""
    """A file that only the service's user and root can read, or `credential:NAME`: the password on
    its first line. Needed where others than this machine can connect."""
    certificate_file: str = ""
    """For TLS, with its key."""
    key_file: str = ""
    external_url: str = ""
    """Behind a reverse proxy: the URL in the browser, `https://museum.example/door-1/`."""
    proxies: tuple[str, ...] = ()
    """Addresses or networks of reverse proxies, whose X-Forwarded headers are believed."""
    fps: Annotated[float, msgspec.Meta(gt=0, le=15)] = 4.0
    """Pictures a second while somebody looks."""
    heads: Literal["pixelated", "faces"] = "pixelated"
    may_show_faces: bool = False
    """`faces` needs this too. With both, somebody who labels people may be shown a face, too."""

    @property
    def files(self) -> tuple[str, ...]:
        """What is named, each a path or `credential:NAME`; empty: none."""
        return (self.password_file, self.certificate_file, self.key_file)

    @property
    def is_in_clear(self) -> bool:
        """Return whether the password crosses a network without TLS, judging by the settings."""
        is_encrypted = self.certificate_file or self.external_url.startswith("https:")
        is_local = ip_address(self.address).is_loopback
        return bool(self.password_file and not is_encrypted and not is_local)

    @property
    def url(self) -> str:
        scheme = "https" if self.certificate_file else "http"
        return f"{scheme}://{bracketed(self.address)}:{self.port}"

    def __post_init__(self) -> None:
        try:
            where = ip_address(self.address)
        except ValueError:
            raise ValueError(f"address: {self.address!r} is no address of this machine") from None
        if bool(self.certificate_file) != bool(self.key_file):
            raise ValueError("certificate_file and key_file come together")
        if self.external_url and not _is_web_address(self.external_url):
            raise ValueError(
                f"external_url: {self.external_url!r}: write it as in the browser, "
                "https://museum.example/door-1/"
            )
        for proxy in self.proxies:
            try:
                ip_network(proxy)
            except ValueError as error:
                raise ValueError(f"proxies: {error}; write 192.0.2.7 or 192.0.2.0/24") from None
        if self.enabled and not where.is_loopback and not self.password_file:
            raise ValueError(
                f"address = {self.address!r} lets others see the page: it needs a password_file"
            )
        if self.heads == "faces" and not self.may_show_faces:
            raise ValueError(
                'heads = "faces" shows recognizable people to everyone with the password; if you '
                "may do that, set may_show_faces = true"
            )


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return bool(
            parts.scheme in ("http", "https")
            and parts.hostname
            and parts.port != 0
            and not (parts.username or parts.query or parts.fragment)
        )
    except ValueError:
        return False
