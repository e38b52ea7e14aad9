from __future__ import annotations

import base64

import pytest

from edge.errors import ConfigError
from edge.page.password import hashed, is_hash, matches

SALT = b"0123456789abcdef"


def test_a_hash_matches_its_password_only() -> None:
    known = hashed("open sesame", SALT)
    assert known.startswith("$scrypt$ln=14,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$")
    assert matches("open sesame", known)
    assert not matches("open sesamE", known)
    assert hashed("open sesame", SALT) == known
    assert hashed("open sesame", b"another salt") != known


def test_it_is_the_scrypt_of_rfc_7914() -> None:
    # Section 12, N = 16384, r = 8, p = 1.
    digest = bytes.fromhex(
        "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
        "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"
    )
    salt, digest64 = (
        base64.b64encode(each).decode().rstrip("=") for each in (b"SodiumChloride", digest)
    )
    assert matches("pleaseletmein", f"$scrypt$ln=14,r=8,p=1${salt}${digest64}")


@pytest.mark.parametrize("short", ["", "1234567", "\N{SNOWMAN}" * 7])
def test_a_short_password_is_refused(short: str) -> None:
    with pytest.raises(ConfigError, match="needs 8 or more"):
        hashed(short, SALT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "open sesame",
        "$scrypt$ln=14,r=8,p=1$x",
        "$scrypt$ln=99,r=99,p=9$AAAA$AAAA",
        "$scrypt$ln=0,r=0,p=0$AAAA$AAAA",
        "$scrypt$ln=14,r=8,p=1$A$A",
    ],
)
def test_what_is_no_hash_matches_nothing(text: str) -> None:
    assert not matches("open sesame", text)
    assert not matches(text, text)


def test_a_hash_is_told_from_a_password() -> None:
    assert is_hash(hashed("open sesame", SALT))
    assert not is_hash("open sesame")
