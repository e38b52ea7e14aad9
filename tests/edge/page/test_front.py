from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge.config import PageSettings, SignSettings
from edge.errors import ConfigError
from edge.page.front import KEY_FILE, cookie_key, front_of
from edge.page.password import hashed, matches

Secret = Callable[[str], str]


@pytest.fixture
def secret(tmp_path: Path) -> Secret:
    def write(text: str) -> str:
        path = tmp_path / "password"
        path.touch(0o600)
        path.write_text(text)
        return str(path)

    return write


def test_the_page_learns_a_hash_and_the_same_one_each_time(secret: Secret) -> None:
    settings = PageSettings(enabled=True, password_file=secret("open sesame\n"))
    front = front_of(settings, b"key")
    assert "open sesame" not in str(front)
    assert matches("open sesame", front.password)
    assert front_of(settings, b"key") == front
    assert front_of(settings, b"another key") != front


def test_the_page_learns_a_digest_of_the_signs_token(secret: Secret) -> None:
    settings = PageSettings(enabled=True)
    token = "0123456789abcdef0123456789abcdef"
    sign = SignSettings(enabled=True, token_file=secret(f"{token}\n"))
    front = front_of(settings, b"key", sign=sign)
    assert front.has_sign
    assert token not in str(front)
    assert front == front_of(settings, b"key", sign=sign)
    unused = SignSettings(token_file="/nowhere")
    assert front_of(settings, b"key", sign=unused) == front_of(settings, b"key")


@pytest.mark.parametrize("text", ["", "short", "with a space in the middle of it"])
def test_a_token_that_can_be_guessed_is_refused(secret: Secret, text: str) -> None:
    sign = SignSettings(enabled=True, token_file=secret(text))
    with pytest.raises(ConfigError, match=r"^\[sign\] token_file: "):
        front_of(PageSettings(enabled=True), b"key", sign=sign)


def test_the_file_may_hold_the_hash_itself(secret: Secret) -> None:
    known = hashed("open sesame", b"salt of its own")
    settings = PageSettings(enabled=True, password_file=secret(f"{known}\n"))
    assert front_of(settings, b"key").password == known


def test_a_short_password_is_refused_by_key_and_length(secret: Secret) -> None:
    settings = PageSettings(enabled=True, password_file=secret("1234567\n"))
    with pytest.raises(ConfigError, match=r"\[page\] password_file: .* 7 characters.* needs 8"):
        front_of(settings, b"key")


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ("$scrypt$ln=17,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$" + "A" * 43, "128 MiB, .* at most 32"),
        ("$scrypt$ln=14,r=8,p=3$MDEyMzQ1Njc4OWFiY2RlZg$" + "A" * 43, "48 MiB, .* at most 32"),
        ("$scrypt$ln=20,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$" + "A" * 43, "1024 MiB, .* at most 32"),
        ("$scrypt$ln=18,r=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$" + "A" * 43, "no scrypt hash"),
        ("$scrypt$ln=14,r=8,p=0$MDEyMzQ1Njc4OWFiY2RlZg$" + "A" * 43, "no scrypt hash"),
        ("$scrypt$ln=14,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$A", "no scrypt hash"),
        ("$scrypt$ln=14,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$AA", "no scrypt hash"),
        ("$scrypt$ln=14,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg", "no scrypt hash"),
        ("$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$" + "A" * 43, "no scrypt hash"),
    ],
)
def test_a_hash_that_lets_nobody_in_is_refused(secret: Secret, known: str, said: str) -> None:
    settings = PageSettings(enabled=True, password_file=secret(known))
    with pytest.raises(ConfigError, match=rf"\[page\] password_file: .*{said}") as refused:
        front_of(settings, b"key")
    assert "; make one: tensormask password" in str(refused.value)


def test_the_key_of_the_cookies_outlives_a_restart_and_damage(tmp_path: Path) -> None:
    state = tmp_path / "state"
    key = cookie_key(state)
    assert cookie_key(state) == key
    assert (state / KEY_FILE).stat().st_mode & 0o777 == 0o600
    (state / KEY_FILE).write_bytes(b"\xff")
    another = cookie_key(state)
    assert len(another) == len(key)
    assert another != key
    assert cookie_key(state) == another


def test_a_state_that_cannot_be_written_gives_a_key_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    assert len(cookie_key(tmp_path / "state")) == 32
