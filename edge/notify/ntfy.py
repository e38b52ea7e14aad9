"""A topic of ntfy (https://docs.ntfy.sh/publish/), with the picture as attachment."""

from __future__ import annotations

import base64

from edge.config import NtfySettings
from edge.notify.channel import tls_context
from edge.notify.notification import Notification
from edge.notify.web import WebServer, json_headers, json_of
from edge.secret import read_token


class Ntfy:
    """Publishes to a topic."""

    def __init__(self, settings: NtfySettings, key: str) -> None:
        """`key` begins what is raised, ConfigError."""
        server = settings.server.rstrip("/")
        context = (
            tls_context(settings.ca_file, f"{key} ca_file") if server[:6] == "https:" else None
        )
        self._server = WebServer(f"{server}/", context, settings.timeout_s)
        self._topic = settings.topic
        self._path = f"{self._server.path}{settings.topic}"
        self._priority = settings.priority
        self._login: dict[str, str] = {}
        if settings.token_file:
            token = read_token(settings.token_file, f"{key} token_file")
            self._login = {"Authorization": f"Bearer {token}"}

    def send(self, notification: Notification) -> str:
        tag = "warning" if notification.state == "begun" else "white_check_mark"
        if notification.snapshot is None:
            content = {
                "topic": self._topic,
                "title": notification.title,
                "message": notification.body,
                "priority": self._priority,
                "tags": [tag],
            }
            answer = self._server.send(json_of(content), json_headers(**self._login))
        else:
            headers = {
                "Title": encoded(notification.title),
                "Message": encoded(notification.body),
                "Priority": str(self._priority),
                "Tags": tag,
                "Filename": f"{notification.id}.jpg",
                "Content-Type": "image/jpeg",
            }
            answer = self._server.send(
                notification.snapshot, headers | self._login, method="PUT", path=self._path
            )
        self._server.refuse(answer, str(answer.document.get("error", "")))
        return ""


def encoded(text: str) -> str:
    """Return a text for a header: on one line, and where it is not ASCII as RFC 2047 has it."""
    line = " ".join(text.split())
    if line.isascii():
        return line
    return f"=?UTF-8?B?{base64.b64encode(line.encode()).decode()}?="
