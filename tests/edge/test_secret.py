from __future__ import annotations

import ssl
from pathlib import Path

import msgspec
import pytest

from edge.config import MqttSettings
from edge.errors import ConfigError
from edge.publish.broker import BrokerAccess
from edge.secret import read_password, read_token

MARK = b"\xef\xbb\xbf"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.touch(mode=0o600)
    return path


@pytest.mark.parametrize("mark", [b"", MARK])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\r\nsecond line\r\n"])
def test_a_password_is_the_first_line_whatever_editor_wrote_it(
    mark: bytes, end: bytes, file: Path
) -> None:
    file.write_bytes(mark + "gehéim 1".encode() + end)
    assert read_password(str(file), "[mqtt] password_file") == "gehéim 1"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty; write the password in it"),
        (MARK, "is empty; write the password in it"),
        (b"\nsecret\n", "is empty; write the password in it"),
        ("gehéim".encode("latin-1"), "line 1, column 4 is not UTF-8"),
        ("secret\r\n".encode("utf-16"), "saved as UTF-16 or UTF-32; save it as UTF-8"),
    ],
)
def test_a_password_file_that_is_no_use_is_named_and_not_quoted(
    content: bytes, complaint: str, file: Path
) -> None:
    file.write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        read_password(str(file), "[mqtt] password_file")
    assert str(raised.value).startswith(f"[mqtt] password_file: {file}")
    assert complaint in str(raised.value)
    assert "secret" not in str(raised.value)
    assert "é" not in str(raised.value)


@pytest.mark.parametrize("key", ["ca_file", "certificate_file", "key_file"])
def test_a_certificate_with_a_byte_order_mark_is_named(key: str, file: Path) -> None:
    file.write_bytes(MARK + b"-----BEGIN CERTIFICATE-----\n")
    with pytest.raises(ssl.SSLError):  # what OpenSSL says of it names nothing
        ssl.create_default_context(cafile=file)
    good = Path(ssl.get_default_verify_paths().openssl_cafile)
    files = {"certificate_file": str(good), "key_file": str(good), key: str(file)}
    settings = msgspec.convert({"host": "broker", "tls": True, **files}, MqttSettings)
    with pytest.raises(ConfigError, match=rf"\[mqtt\] {key}: {file} begins with a byte order mark"):
        BrokerAccess(settings)


def test_a_token_is_the_first_line_of_its_file(file: Path) -> None:
    file.write_text("0123456789abcdef0123\n")
    assert read_token(str(file), "[metrics] token_file") == "0123456789abcdef0123"


@pytest.mark.parametrize("token", ["short", "0123456789abcdef 0123", "0123456789abcdefgehéim"])
def test_a_token_that_could_be_guessed_or_sent_wrongly_is_refused(file: Path, token: str) -> None:
    file.write_text(token)
    with pytest.raises(ConfigError, match="a token has 20 or more") as error:
        read_token(str(file), "[metrics] token_file")
    assert token not in str(error.value)
    assert f"{file}: {len(token)} characters" in str(error.value)
    assert str(error.value).endswith(f"make one: openssl rand -hex 16 | sudo tee {file}")


def test_an_empty_token_file_is_said_to_want_a_token(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"is empty; make one: openssl rand -hex 16 \| sudo tee"):
        read_token(str(file), "[metrics] token_file")


@pytest.mark.parametrize("secret", ["bd8b34d2632607dc5086df47", "my long word", "x" * 300])
def test_a_secret_in_place_of_its_file_is_not_repeated(secret: str) -> None:
    for read in (read_password, read_token):
        with pytest.raises(ConfigError, match="write the whole path") as error:
            read(secret, "[page] password_file")
        assert secret not in str(error.value)
