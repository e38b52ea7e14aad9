"""A chat of Telegram, by its Bot API (https://core.telegram.org/bots/api)."""

from __future__ import annotations

import os
import re

from edge.config import TelegramSettings
from edge.errors import ConfigError
from edge.notify.channel import UndeliveredError, tls_context
from edge.notify.notification import Notification
from edge.notify.web import MAX_WAIT_S, WebAnswer, WebServer, json_headers, json_of
from edge.secret import read_password

MAX_CAPTION = 1024
MAX_TEXT = 4096
_TOKEN = re.compile(r"\d{3,20}:[A-Za-z0-9_-]{20,100}")


class Telegram:
    """Sends a message, or a photo with the message below it."""

    def __init__(self, settings: TelegramSettings, key: str) -> None:
        """`key` begins what is raised, ConfigError."""
        token = read_password(settings.token_file, f"{key} token_file")
        if not _TOKEN.fullmatch(token):
            raise ConfigError(
                f"{key} token_file: no bot's token; @BotFather gives one like 123456:ABC-…"
            )
        server = settings.server.rstrip("/")
        context = (
            tls_context(settings.ca_file, f"{key} ca_file") if server[:6] == "https:" else None
        )
        self._server = WebServer(f"{server}/bot{token}/", context, settings.timeout_s)
        self._chat_id = settings.chat_id

    def send(self, notification: Notification) -> str:
        text = f"{notification.title}\n{notification.body}"
        if notification.snapshot is None:
            content = {"chat_id": self._chat_id, "text": text[:MAX_TEXT]}
            answer = self._ask("sendMessage", json_of(content), json_headers())
        else:
            fields = {"chat_id": self._chat_id, "caption": text[:MAX_CAPTION]}
            boundary = f"tensormask-{os.urandom(16).hex()}"
            body = form(boundary, fields, notification.snapshot)
            kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
            answer = self._ask("sendPhoto", body, kind)
        self._refuse(answer)
        return ""

    def _ask(self, method: str, body: bytes, headers: dict[str, str]) -> WebAnswer:
        return self._server.send(body, headers, path=f"{self._server.path}{method}")

    def _refuse(self, answer: WebAnswer) -> None:
        said = answer.document
        try:
            self._server.refuse(answer, str(said.get("description", "")))
        except UndeliveredError as error:
            parameters = said.get("parameters")
            asked = parameters.get("retry_after") if isinstance(parameters, dict) else None
            if isinstance(asked, int | float) and not isinstance(asked, bool):
                error.wait_s = min(MAX_WAIT_S, max(0.0, float(asked)))
            raise


def form(boundary: str, fields: dict[str, str], photo: bytes) -> bytes:
    """Return a form with these fields and a photo, as RFC 7578 has it."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="photo"; filename="snapshot.jpg"'
        "\r\nContent-Type: image/jpeg\r\n\r\n"
    )
    return b"".join([*parts, head.encode(), photo, f"\r\n--{boundary}--\r\n".encode()])
