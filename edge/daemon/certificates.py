"""The certificates that this box shows to others, and when they end."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from edge.config import CREDENTIAL, Settings
from edge.errors import ConfigError
from edge.files import read_file
from edge.secret import located
from edge.telemetry import Certificate

MAX_BYTES = 64 * 1024
_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
# From ITU-T X.690: tags of what is read here.
_VERSION, _UTC_TIME, _GENERALIZED_TIME = 0xA0, 0x17, 0x18


def certificates(settings: Settings) -> tuple[Certificate, ...]:
    """Return when each that the settings name ends, as far as it can be read."""
    found = []
    for key, name in named(settings):
        with suppress(OSError, ValueError, ConfigError):
            found.append(read(key, name))
    return tuple(found)


def named(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield the key of each, and the file or credential."""
    if settings.mqtt.certificate_file:
        yield "[mqtt] certificate_file", settings.mqtt.certificate_file
    if settings.page.enabled and settings.page.certificate_file:
        yield "[page] certificate_file", settings.page.certificate_file


def read(key: str, name: str) -> Certificate:
    """Return one. Raises OSError, ValueError, and ConfigError for a credential that is not ours."""
    path = located(name, key)
    return Certificate(key if name.startswith(CREDENTIAL) else f"{key} {name}", ends_at(path))


def ends_at(path: Path) -> datetime:
    """Return the end of the first certificate in a PEM file. Raises OSError, and ValueError."""
    content = read_file(path.resolve(), MAX_BYTES)
    start, end = content.find(_BEGIN), content.find(_END)
    if not 0 <= start < end:
        raise ValueError(f"{path}: no certificate is in it")
    return not_after(ssl.PEM_cert_to_DER_cert(content[start : end + len(_END)].decode("ascii")))


def not_after(certificate: bytes) -> datetime:
    """Return the end of a certificate in DER, as RFC 5280, 4.1 has it. Raises ValueError."""
    try:
        ((_, whole),) = _parts(certificate)
        (_, signed), *_ = _parts(whole)
        parts = [part for part in _parts(signed) if part[0] != _VERSION]
        _serial, _algorithm, _issuer, (_, validity), *_ = parts
        _begin, (tag, ends) = _parts(validity)
        form = {_UTC_TIME: "%y%m%d%H%M%SZ", _GENERALIZED_TIME: "%Y%m%d%H%M%SZ"}[tag]
        return datetime.strptime(ends.decode("ascii"), form).replace(tzinfo=UTC)
    except (ValueError, KeyError, IndexError) as error:
        raise ValueError("no certificate") from error


def _parts(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of what lies one after the other (X.690, 8.1)."""
    at = 0
    while at < len(content):
        tag, size = content[at], content[at + 1]
        at += 2
        if size & 0x80:
            digits = size & 0x7F
            size, at = int.from_bytes(content[at : at + digits], "big"), at + digits
        if at + size > len(content):
            raise ValueError("cut off")
        yield tag, content[at : at + size]
        at += size
