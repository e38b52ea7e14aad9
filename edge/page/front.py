"""How the page is to be served, as the settings and their files say."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import ssl
from pathlib import Path

from edge.config import MetricsSettings, PageSettings, SignSettings
from edge.durable import replace_file
from edge.errors import ConfigError
from edge.page.password import hashed, is_hash, refuse_useless
from edge.page.wire import PROGRAM, Front
from edge.secret import (
    located,
    read_password,
    read_token,
    refuse_open,
    refuse_unreadable,
    token_digest,
)

KEY_FILE = "page.key"
KEY_BYTES = 32
MAX_PEM_BYTES = 256_000

_NO_METRICS = MetricsSettings()
_NO_SIGN = SignSettings()


def front_of(
    settings: PageSettings,
    key: bytes,
    metrics: MetricsSettings = _NO_METRICS,
    sign: SignSettings = _NO_SIGN,
) -> Front:
    """Return it; `key` is what `cookie_key` returns. Takes some 100 ms, to hash a password.

    Raises ConfigError for a password, a token, a certificate or a key that is useless.
    """
    certificate, own_key = _pems(settings)
    return Front(
        PROGRAM,
        settings.address,
        settings.port,
        settings.external_url,
        settings.proxies,
        _password(settings, key),
        key,
        certificate,
        own_key,
        metrics.enabled,
        _digest(metrics.token_file, "[metrics] token_file") if metrics.enabled else b"",
        sign.enabled,
        _digest(sign.token_file, "[sign] token_file") if sign.enabled else b"",
    )


def cookie_key(folder: Path) -> bytes:
    """Return the device's own key; made where there is none, or a damaged one.

    Where the disk refuses it, it is another one at each start: then browsers are not known again.
    """
    path = folder / KEY_FILE
    try:
        if len(key := path.read_bytes()) == KEY_BYTES:
            return key
    except OSError:
        pass
    key = secrets.token_bytes(KEY_BYTES)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(path, key, 0o600)
    except OSError:
        pass
    return key


def _password(settings: PageSettings, key: bytes) -> str:
    if not settings.password_file:
        return ""
    name = "[page] password_file"
    text = read_password(settings.password_file, name)
    # The same salt each time: the page goes on as it is where nothing has changed.
    salt = hmac.new(key, b"salt of the page's password", hashlib.sha256).digest()
    try:
        if is_hash(text):
            refuse_useless(text)
            return text
        return hashed(text, salt)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from error


def _digest(token_file: str, key: str) -> bytes:
    """Return what the page's process compares tokens with: it cannot use it itself."""
    return token_digest(read_token(token_file, key)) if token_file else b""


def _pems(settings: PageSettings) -> tuple[bytes, bytes]:
    if not settings.certificate_file:
        return b"", b""
    paths = [
        located(value, f"[page] {key}")
        for key, value in (
            ("certificate_file", settings.certificate_file),
            ("key_file", settings.key_file),
        )
    ]
    refuse_unreadable(paths[0], "[page] certificate_file")
    refuse_open(paths[1], "[page] key_file")
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(paths[0], paths[1])
        certificate, key = (path.read_bytes()[:MAX_PEM_BYTES] for path in paths)
    except OSError as error:
        raise ConfigError(
            f"[page] certificate_file, key_file: {error.strerror or error}; are they a "
            "certificate and its key, in PEM?"
        ) from error
    return certificate, key
