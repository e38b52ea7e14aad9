"""Hosts and sources of frames as somebody writes them: what is meant, from the text alone."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote, unquote

from edge.errors import ConfigError

SCHEMES = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
"""Of a camera in the network, each with its usual port."""
_ENCRYPTED = {"https", "rtsps"}
_OTHER = {"rtsp": "rtsps", "rtsps": "rtsp", "http": "https", "https": "http"}
"""The same with TLS or without."""
_WEB = {"http", "https"}
_ALIASES = {"rtspx": "rtsps"}
"""Names of other programs (go2rtc) for the same."""
_MAX_LABEL = 63
_MAX_NAME = 253
_PI_CAMERA = re.compile(r"picamera2(?::(\d+))?")
_DEVICE = re.compile(r"/dev/.+|\d+")


@dataclass(frozen=True, slots=True)
class PiSource:
    """A camera on the Pi's own connector."""

    number: int


@dataclass(frozen=True, slots=True)
class DeviceSource:
    """A USB camera, or any other that Linux has as a device."""

    path: Path


@dataclass(frozen=True, slots=True)
class StreamSource:
    """A camera in the network."""

    scheme: str
    host: str
    """A name in ASCII, or an address, IPv6 without brackets."""
    port: int
    login: str = field(repr=False)
    """User and password as a URL has them, signs as %XX; empty: none."""
    path: str = field(repr=False)
    """What follows the host and port, from the slash on."""

    @property
    def name(self) -> str:
        """The address without user, password and path: cheap cameras take the password there."""
        return f"{self.scheme}://{bracketed(self.host)}:{self.port}"

    @property
    def other_name(self) -> str:
        """The same with TLS where this is without, and the other way round."""
        return self.name_with(_OTHER[self.scheme])

    def name_with(self, scheme: str) -> str:
        """Return the name of the same port with another scheme."""
        return replace(self, scheme=scheme).name

    @property
    def place(self) -> str:
        """Host and port as a URL has them: without the port where it is the usual one."""
        port = "" if self.port == SCHEMES[self.scheme] else f":{self.port}"
        return bracketed(self.host) + port

    @property
    def is_web(self) -> bool:
        return self.scheme in _WEB

    @property
    def protocols(self) -> tuple[str, str]:
        """What it speaks, with TLS or without, and what a port may speak in its place."""
        return ("http", "rtsp") if self.is_web else ("rtsp", "http")

    @property
    def is_encrypted(self) -> bool:
        return self.scheme in _ENCRYPTED

    @property
    def address(self) -> str:
        """All of it, user and password included, as FFmpeg takes it."""
        return self.address_at(self.scheme, self.place)

    def address_at(self, scheme: str, place: str) -> str:
        """Return the address of the same at another place."""
        return f"{scheme}://{self.login}{'@' if self.login else ''}{place}{self.path}"


@dataclass(frozen=True, slots=True)
class FileSource:
    """A clip or a folder of pictures."""

    text: str


Source = PiSource | DeviceSource | StreamSource | FileSource
Sensor = PiSource | DeviceSource
"""Straight from a sensor of this machine."""


def source_in(text: str) -> Source:
    """Return what `[camera] source` means, without looking whether it is there.

    Blanks around it, which are copied along, and capitals in a scheme mean nothing. Raises
    ConfigError, which names no part of an address but its scheme.
    """
    word = text.strip()
    if pi_camera := _PI_CAMERA.fullmatch(word):
        return PiSource(int(pi_camera[1] or 0))
    if _DEVICE.fullmatch(word):
        return DeviceSource(Path(f"/dev/video{word}" if word.isdigit() else word))
    if "://" in word:
        return _stream_in(word)
    return FileSource(text)


def _stream_in(address: str) -> StreamSource:
    written, _, rest = address.partition("://")
    scheme = _ALIASES.get(written.lower(), written.lower())
    if scheme not in SCHEMES:
        # It may be a password, where the scheme was left out.
        shown = f"{written}://" if written.isalnum() else "what stands before ://"
        raise ConfigError(
            f"[camera] source: {shown} is not known; known are {', '.join(SCHEMES)}"
            f"{did_you_mean(scheme, SCHEMES)}"
        )
    # The last @ of all, not urlsplit's: a password with a slash in it must not become a path.
    secrets, _, public = rest.rpartition("@")
    server, *path = re.split(r"(?=[/?#])", public, maxsplit=1)
    place = host_and_port(server)
    if place is None:
        raise ConfigError(
            f"[camera] source: no host and port in the {scheme}:// address; write "
            f"{scheme}://user:password@host:port/path"
        )
    named, port = place
    try:
        host = host_in(named)
    except ValueError as error:
        raise ConfigError(
            f"[camera] source: the host of the {scheme}:// address: {error}"
        ) from None
    login = ":".join(_encoded(each) for each in secrets.split(":", 1))
    return StreamSource(scheme, host, port or SCHEMES[scheme], login, "".join(path))


def _encoded(secret: str) -> str:
    """Return a user or password with its signs as %XX, as whatever reads the URL wants them.

    It may be written so already: % and two hexadecimal digits are one sign, as in every URL. Any
    other % is itself, and so are they all where those bytes would be no UTF-8.
    """
    try:
        plain = unquote(secret, errors="strict")
    except UnicodeDecodeError:
        plain = secret
    return quote(plain, safe="!$&'()*+,;=")


def host_and_port(text: str) -> tuple[str, int | None] | None:
    """Return the parts of HOST, HOST:PORT or [IPv6]:PORT, the port None where there is none.

    Returns None where it is none of these. Whether the host can be one, says `host_in`.
    """
    match = re.fullmatch(r"(?:\[([^\]]+)\]|([^:\[\]]+))(?::(\d{1,5}))?", text)
    if match is None or not 0 < int(match[3] or 1) < 65536:
        return None
    return match[1] or match[2], int(match[3]) if match[3] else None


def host_in(text: str) -> str:
    """Return a host as every resolver takes it: an address, or a name in ASCII (IDNA).

    Raises ValueError, whose one line does not repeat what was written.
    """
    with suppress(ValueError):
        return str(ipaddress.ip_address(text))
    if "://" in text:
        raise ValueError("the name or address alone is wanted, without a scheme such as mqtt://")
    if text.startswith("["):
        raise ValueError("an IPv6 address is written without brackets, and the port apart from it")
    if re.fullmatch(r"[^:]*:\d*", text):
        raise ValueError("the name or address alone is wanted; the port has a key of its own, port")
    labels = text.removesuffix(".").split(".")
    if not all(labels):
        raise ValueError("a name has something before and after each dot")
    try:
        spelt = [label.encode("idna").decode() for label in labels]
    except UnicodeError:
        raise ValueError(f"a part of a name has {_MAX_LABEL} characters at most") from None
    if not all(re.fullmatch(r"[A-Za-z0-9_-]+", label) for label in spelt):
        raise ValueError("a name has letters, digits, hyphens and dots only")
    if spelt[-1].isdigit():
        raise ValueError("an address is four numbers from 0 to 255 with dots between them")
    if len(".".join(spelt)) > _MAX_NAME:
        raise ValueError(f"a name has {_MAX_NAME} characters at most")
    return ".".join(spelt)


def mqtt_port(*, tls: bool) -> int:
    """Return the usual port of a broker."""
    return 8883 if tls else 1883


def is_this_machine(host: str) -> bool:
    """Return whether a host, by its name or address, is whatever machine it is used on."""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return f".{host.lower().removesuffix('.')}".endswith(".localhost")


def holds_password(source: str) -> bool:
    """Return whether a source may hold a password: an address with a user, or so mistyped, or with
    a parameter, where cheap cameras take it."""
    if source.startswith("/"):
        return False
    return "@" in source or ("://" in source and "=" in source)


def nearest_source(text: str) -> str:
    """Return the end of a message on a source that is nothing here: what was meant, perhaps."""
    if re.fullmatch(r"video\d+", text.strip()):
        return f"; did you mean /dev/{text.strip()}?"
    return did_you_mean(f"/dev/{text}", ["/dev/video0"]) or did_you_mean(text, ["picamera2"])


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the end of a message that suggests what comes closest; empty where nothing does."""
    close = difflib.get_close_matches(word, list(known))
    # Letters in another order count as two mistakes, and are the most usual one.
    close.sort(key=lambda each: sorted(each) != sorted(word))
    return f"; did you mean {close[0]}?" if close else ""


def bracketed(host: str) -> str:
    """Return a host as an address has it before a port: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host
