"""Whether a request comes from our own page: not from another site, and not by another name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

LOCAL = ("localhost", "127.0.0.1", "[::1]")
SAFE = ("GET", "HEAD", "OPTIONS")
PORTS = {"http": ":80", "https": ":443"}
CURE = "behind a reverse proxy, set [page] external_url to the address in the browser"


@dataclass(frozen=True, slots=True)
class Site:
    """The page as a browser finds it."""

    name: str
    """Tells the cookies of several devices behind one host name apart."""
    has_password: bool
    external_url: str = ""
    """Behind a reverse proxy, as in the browser; empty: there is none."""

    @property
    def path(self) -> str:
        """The path in the browser, with a slash at its end."""
        path = urlsplit(self.external_url).path
        return path if path.endswith("/") else f"{path}/"

    def refusal(self, method: str, scheme: str, headers: Mapping[str, str]) -> str:
        """Return why a request is not obeyed; empty: it is."""
        host = headers.get("host", "")
        if not self.has_password and not self._is_own_name(host):
            # Another site whose name leads here (DNS rebinding): only the name tells it.
            return f"open this page by http://localhost or http://127.0.0.1; {CURE}"
        if method in SAFE:
            return ""
        # Browsers send it where they trust the connection, and a proxy does not change it.
        if headers.get("sec-fetch-site") == "same-origin":
            return ""
        origin = headers.get("origin", "")
        if origin and _plain(origin) in (_plain(f"{scheme}://{host}"), self._external_origin):
            return ""
        return f"this request comes from {origin or 'another program'}, not from this page; {CURE}"

    @property
    def _external_origin(self) -> str:
        parts = urlsplit(self.external_url)
        return _plain(f"{parts.scheme}://{parts.netloc}")

    def _is_own_name(self, host: str) -> bool:
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        scheme = urlsplit(self.external_url).scheme  # the browser's: the proxy's may be another
        return name in LOCAL or (
            bool(scheme) and _plain(f"{scheme}://{host}") == self._external_origin
        )


def _plain(origin: str) -> str:
    """Return an origin without the port that its scheme has anyway."""
    origin = origin.lower()
    scheme = origin.partition("://")[0]
    return origin.removesuffix(PORTS.get(scheme, "//"))
