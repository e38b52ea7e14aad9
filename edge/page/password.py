"""The page's password, of which only a hash is kept.

The hash is scrypt's (RFC 7914), written as a PHC string: `$scrypt$ln=14,r=8,p=1$SALT$HASH`, base64
without padding. One takes 16 MiB and some 50 ms on a PC, 200 ms on a Raspberry Pi 4.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re

from edge.errors import ConfigError

SHORTEST = 8
"""Characters that a password must have."""
_LN, _R, _P = 14, 8, 1
_HASH_BYTES = 32
_SALT_BYTES = 16
_MOST_MEMORY_BYTES = 128 * 1024 * 1024
_PHC = re.compile(r"\$scrypt\$ln=(1?\d),r=(\d{1,2}),p=(\d)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)")


def hashed(password: str, salt: bytes) -> str:
    """Return the hash of a password. Raises ConfigError for one that is too short."""
    if len(password) < SHORTEST:
        raise ConfigError(
            f"the page's password has {len(password)} characters, and needs {SHORTEST} or more"
        )
    salt = salt[:_SALT_BYTES]
    digest = _scrypt(password, salt, _LN, _R, _P, _HASH_BYTES)
    return f"$scrypt$ln={_LN},r={_R},p={_P}${_encoded(salt)}${_encoded(digest)}"


def is_hash(text: str) -> bool:
    return _PHC.fullmatch(text) is not None


def matches(password: str, known: str) -> bool:
    """Tell whether `known` is the hash of `password`. Takes as long as hashing it."""
    match = _PHC.fullmatch(known)
    if match is None:
        return False
    try:
        salt, digest = _decoded(match[4]), _decoded(match[5])
        made = _scrypt(password, salt, int(match[1]), int(match[2]), int(match[3]), len(digest))
    except (ValueError, binascii.Error):  # parameters out of range, or more memory than is allowed
        return False
    return hmac.compare_digest(made, digest)


def _scrypt(password: str, salt: bytes, ln: int, r: int, p: int, size: int) -> bytes:
    text = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(text, salt=salt, n=2**ln, r=r, p=p, dklen=size, maxmem=_MOST_MEMORY_BYTES)


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
