"""Passwords and keys: files that are named in the settings, and that nobody else may read."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import stat
from codecs import BOM_UTF8
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from edge.config import CREDENTIAL
from edge.errors import ConfigError
from edge.files import DamagedFileError, text_in
from edge.installed import is_started_by_systemd

MIN_TOKEN = 20
"""Characters; nothing else slows down a program that tries them."""


def are_withheld(named: Iterable[str]) -> bool:
    """Return whether systemd gives one of these files to the service only, and we are not it."""
    is_service = is_started_by_systemd() or "CREDENTIALS_DIRECTORY" in os.environ
    return not is_service and any(each.startswith(CREDENTIAL) for each in named)


def located(value: str, key: str) -> Path:
    """Return the certificate or key that a setting names: a path, or `credential:NAME`.

    `key` names the setting in what is raised, ConfigError.
    """
    path = _path(value, key)
    with suppress(OSError), path.open("rb") as file:  # who opens it in earnest says what is wrong
        if file.read(len(BOM_UTF8)) == BOM_UTF8:
            raise ConfigError(
                f"{key}: {path} begins with a byte order mark, which OpenSSL does not take; "
                "save it as UTF-8 without one"
            )
    return path


def _path(value: str, key: str) -> Path:
    if not value.startswith(CREDENTIAL):
        return Path(value)
    name = value.removeprefix(CREDENTIAL)
    if not re.fullmatch(r"\w[\w.\-]*", name):
        raise ConfigError(f"{key}: {value}: a credential has a name, not a path")
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder or not Path(folder, name).exists():
        raise ConfigError(
            f"{key}: systemd gives no credential {name}; add LoadCredential={name}:FILE to "
            "the unit: sudo systemctl edit tensormask"
        )
    return Path(folder, name)


def read_password(value: str, key: str) -> str:
    """Return the first line of the file that a setting names. Raises ConfigError."""
    return _first_line(value, key, "write the password in it")


def _first_line(value: str, key: str, if_empty: str) -> str:
    path = _path(value, key)
    if not path.is_absolute() and not os.path.exists(path):  # noqa: PTH110 - it may be any text
        # Who writes the secret itself there is not to find it in the journal.
        raise ConfigError(
            f"{key}: what is written there is no file; write the whole path of one, such as "
            "/etc/tensormask/secret, with the secret in its first line"
        )
    refuse_open(path, key)
    try:
        lines = text_in(path.read_bytes()).splitlines()
    except OSError as error:
        raise ConfigError(f"{key}: {path}: {error.strerror}") from error
    except DamagedFileError as error:
        raise ConfigError(f"{key}: {path}: {error}") from None
    if not lines or not lines[0]:
        raise ConfigError(f"{key}: {path} is empty; {if_empty}")
    return lines[0]


def read_token(value: str, key: str) -> str:
    """Return the token that a program shows instead of a password: the first line of the file.

    Raises ConfigError, also if it is short enough to be guessed.
    """
    into = "" if value.startswith(CREDENTIAL) else f" | sudo tee {shlex.quote(value)}"
    make_one = f"make one: openssl rand -hex 16{into}"
    token = _first_line(value, key, make_one)
    if len(token) < MIN_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigError(
            f"{key}: {value}: {len(token)} characters; a token has {MIN_TOKEN} or more letters and "
            f"digits, and no blank; {make_one}"
        )
    return token


def token_digest(token: str) -> bytes:
    """Return the SHA-256 of a token: it tells whether another one is the same, and shows none."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def refuse_unreadable(path: Path, key: str) -> None:
    """Raise ConfigError where we cannot read the file, or it is none."""
    try:
        is_file = stat.S_ISREG(path.stat().st_mode)
        if is_file:
            path.open("rb").close()
    except OSError as error:
        raise ConfigError(f"{key}: {path}: {error.strerror}") from error
    if not is_file:
        raise ConfigError(f"{key}: {path} is no file")


def refuse_open(path: Path, key: str) -> None:
    """Raise ConfigError where everybody can read the file, or we cannot, or it is none."""
    refuse_unreadable(path, key)
    if path.stat().st_mode & stat.S_IRWXO:
        raise ConfigError(f"{key}: everybody can read {path}; sudo chmod o= {path}")
