"""The page's password, of which only a hash is kept: `tensormask password` prints one.

The hash is scrypt's (RFC 7914), written as a PHC string: `$scrypt$ln=14,r=8,p=1$SALT$HASH`, base64
without padding. One takes 16 MiB and some 50 ms on a PC, 200 ms on a Raspberry Pi 4.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

from edge.errors import ConfigError

SHORTEST = 8
"""Characters that a password must have."""
_LN, _R, _P = 14, 8, 1
_HASH_BYTES = 32
SALT_BYTES = 16
_LEAST_DIGEST_BYTES = 16
_MIB = 1024 * 1024
MOST_MIB = 32
"""What looking at one password may take: the page has 128 MiB for everything."""
_PHC = re.compile(r"\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)")
_HASH = re.compile(r"\$(scrypt|argon2\w*|2[aby]|y|7|[156])\$")
_CURE = "make one: tensormask password"


def hashed(password: str, salt: bytes) -> str:
    """Return the hash of a password. Raises ConfigError for one that is too short."""
    if len(password) < SHORTEST:
        raise ConfigError(
            f"the page's password has {len(password)} characters, and needs {SHORTEST} or more"
        )
    salt = salt[:SALT_BYTES]
    digest = _scrypt(password, salt, _LN, _R, _P, _HASH_BYTES)
    return f"$scrypt$ln={_LN},r={_R},p={_P}${_encoded(salt)}${_encoded(digest)}"


def is_hash(text: str) -> bool:
    """Return whether this is a hash, or meant as one."""
    return _HASH.match(text) is not None


def refuse_useless(known: str) -> None:
    """Raise ConfigError for a hash that no password could be compared with.

    Takes as long as hashing one.
    """
    match = _PHC.fullmatch(known)
    mib = 0 if match is None else 128 * int(match[2]) * 2 ** int(match[1]) * int(match[3]) // _MIB
    if mib > MOST_MIB:
        raise ConfigError(f"this hash takes {mib} MiB, and may take at most {MOST_MIB}; {_CURE}")
    try:
        _compared("", known)
    except ValueError:
        raise ConfigError(f"this is no scrypt hash that can be used; {_CURE}") from None


def matches(password: str, known: str) -> bool:
    """Return whether `known` is the hash of `password`. Takes as long as hashing it."""
    try:
        return _compared(password, known)
    except ValueError:
        return False


def _compared(password: str, known: str) -> bool:
    """Raises ValueError for what is no hash, or has parameters out of range."""
    match = _PHC.fullmatch(known)
    if match is None:
        raise ValueError
    salt, digest = _decoded(match[4]), _decoded(match[5])
    if len(digest) < _LEAST_DIGEST_BYTES:
        raise ValueError
    made = _scrypt(password, salt, int(match[1]), int(match[2]), int(match[3]), len(digest))
    return hmac.compare_digest(made, digest)


def _scrypt(password: str, salt: bytes, ln: int, r: int, p: int, size: int) -> bytes:
    text = password.encode("utf-8", "surrogatepass")
    # What OpenSSL counts is a little more than the formula has.
    most_bytes = (MOST_MIB + 1) * _MIB
    return hashlib.scrypt(text, salt=salt, n=2**ln, r=r, p=p, dklen=size, maxmem=most_bytes)


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
