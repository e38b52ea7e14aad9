"""JSON to a web server, signed as Standard Webhooks has it (https://www.standardwebhooks.com/)."""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from collections.abc import Callable

import msgspec

from edge.config import WebhookSettings
from edge.config.notify import refuse_url
from edge.errors import ConfigError
from edge.notify.channel import tls_context
from edge.notify.notification import Notification
from edge.notify.template import filled
from edge.notify.web import WebServer, json_headers
from edge.secret import read_password, read_token

PREFIX = "whsec_"


class Webhook:
    """Sends what a template makes of a notification, or all of it."""

    def __init__(
        self, settings: WebhookSettings, key: str, clock: Callable[[], float] = time.time
    ) -> None:
        """`key` begins what is raised, ConfigError."""
        url = settings.url
        if settings.url_file:
            url = read_password(settings.url_file, f"{key} url_file")
            try:
                refuse_url("url_file", url)
            except ValueError as error:
                raise ConfigError(f"{key} {error}") from None
        context = tls_context(settings.ca_file, f"{key} ca_file") if url[:6] == "https:" else None
        self._server = WebServer(url, context, settings.timeout_s)
        self._secret = signing_key(settings.secret_file, f"{key} secret_file")
        self._headers = dict(settings.headers)
        if settings.token_file:
            token = read_token(settings.token_file, f"{key} token_file")
            self._headers["Authorization"] = f"Bearer {token}"
        secrets = {
            "token_file": settings.token_file,
            "secret_file": settings.secret_file,
            "url_file": settings.url_file,
        }
        self._shown = " and ".join(key for key, file in secrets.items() if file)
        self._method = settings.method
        self._template = settings.template
        self._clock = clock

    def send(self, notification: Notification) -> str:
        body = (
            filled(self._template, notification.values)
            if self._template
            else msgspec.json.encode(notification)
        )
        own = json_headers(**{"Idempotency-Key": notification.id})
        own |= signature(self._secret, notification.id, int(self._clock()), body)
        answer = self._server.send(body, {**self._headers, **own}, method=self._method)
        self._server.refuse(answer, token=self._shown or "whether it wants a token_file")
        return ""


def signature(secret: bytes | None, number: str, at: int, body: bytes) -> dict[str, str]:
    """Return the headers that name a message, and, with a secret, prove who has sent it.

    `at` is in seconds since 1970.
    """
    headers = {"webhook-id": number, "webhook-timestamp": str(at)}
    if secret is not None:
        content = f"{number}.{at}.".encode() + body
        digest = base64.b64encode(hmac.digest(secret, content, "sha256")).decode()
        headers["webhook-signature"] = f"v1,{digest}"
    return headers


def signing_key(file: str, key: str) -> bytes | None:
    """Return the secret in a file: `whsec_` and base64, or any other long text. Raises ConfigError.

    None: no file is named.
    """
    if not file:
        return None
    text = read_token(file, key)
    if not text.startswith(PREFIX):
        return text.encode()
    try:
        secret = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ConfigError(
            f'{key}: what follows {PREFIX} is no base64; make one: echo "{PREFIX}$(openssl rand '
            '-base64 32)"'
        ) from None
    return secret
