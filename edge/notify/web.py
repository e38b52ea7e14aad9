"""A request to a web server, over the standard library: bounded in time and in size.

No redirect is followed: a moved address is for the owner to see, and a secret goes nowhere else. No
proxy of the environment is used.
"""

from __future__ import annotations

import email.utils
import http.client
import math
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

from edge.address import bracketed
from edge.files import DamagedFileError, decoded
from edge.notify.channel import Deadline, UndeliveredError, plainly
from edge.version import version

MAX_ANSWER_BYTES = 16_384
MAX_WAIT_S = 3600.0
"""No Retry-After is obeyed for longer."""
_AGAIN = {408, 425, 429}
_PICTURE = {400, 413, 415, 422}
"""What is refused with these may be taken without its picture."""


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """What a server says, cut off."""

    status: int
    wait_s: float | None
    location: str
    content: bytes

    @property
    def document(self) -> dict[str, object]:
        """Its JSON object; empty where it is none."""
        try:
            return decoded(self.content, dict)
        except DamagedFileError:
            return {}


class WebServer:
    """Where requests go to; `name` is all that is said of the address."""

    def __init__(self, url: str, context: ssl.SSLContext | None, timeout_s: float) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port
        self._timeout_s = timeout_s
        self._context = context if parts.scheme == "https" else None
        self.path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        port = f":{parts.port}" if parts.port else ""
        self.name = f"{parts.scheme}://{bracketed(self._host)}{port}"

    def send(
        self,
        body: bytes,
        headers: Mapping[str, str],
        *,
        method: str = "POST",
        path: str | None = None,
    ) -> WebAnswer:
        """Return the answer, whatever its status. Raises UndeliveredError where none comes."""
        connection = self._connection()
        said = {"User-Agent": f"TensorMask/{version()}", "Connection": "close", **headers}
        wire: socket.socket | None = None
        content = b""
        with (
            Deadline(lambda: wire or connection.sock, self._timeout_s) as deadline,
            ExitStack() as ending,
        ):
            ending.callback(connection.close)
            connection.timeout = deadline.pause_s
            try:
                connection.connect()
                wire = connection.sock  # which the connection forgets before the body has come
                connection.request(method, path or self.path, body, said)
                answer = connection.getresponse()
                ending.callback(answer.close)
                if deadline.is_over:  # to http.client, headers that are cut off are complete
                    raise TimeoutError
                # The status says it all; a body that does not end changes nothing.
                with suppress(OSError, http.client.HTTPException, ValueError):
                    content = answer.read(MAX_ANSWER_BYTES)
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise UndeliveredError(f"{self.name}: {plainly(error, deadline)}") from None
        return WebAnswer(
            answer.status,
            wait_asked(answer.headers.get("Retry-After", ""), time.time()),
            answer.headers.get("Location", ""),
            content,
        )

    def _connection(self) -> http.client.HTTPConnection:
        if self._context is None:
            return http.client.HTTPConnection(self._host, self._port)
        return http.client.HTTPSConnection(self._host, self._port, context=self._context)

    def refuse(self, answer: WebAnswer, why: str = "", *, token: str = "token_file") -> None:
        """Raise UndeliveredError unless the answer is a success; `why`: what the server says."""
        status = answer.status
        if 200 <= status < 300:
            return
        said = f" ({printable(why)})" if why else ""
        if 300 <= status < 400:
            raise UndeliveredError(
                f"{self.name}: it redirects{_elsewhere(answer.location)}, which is not followed; "
                "write the address that it moved to",
                is_final=True,
            )
        if status in _AGAIN or status >= 500:
            text = "it asks to wait" if status == 429 else "it has a problem of its own"
            raise UndeliveredError(
                f"{self.name}: {text}: HTTP {status}{said}", wait_s=answer.wait_s
            )
        hint = {
            401: f"check {token}",
            403: f"check {token}, and what it may do",
            404: "check the address",
            410: "check the address",
            413: "it takes no message of this size",
        }.get(status, "check what it expects")
        raise UndeliveredError(
            f"{self.name}: it refuses: HTTP {status}{said}; {hint}",
            is_final=True,
            may_be_picture=status in _PICTURE,
        )


def wait_asked(value: str, now: float) -> float | None:
    """Return the seconds of a Retry-After, number or date, at most MAX_WAIT_S; None: it is none."""
    try:
        wait_s = float(value)
    except ValueError:
        try:
            wait_s = email.utils.parsedate_to_datetime(value).timestamp() - now
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    if not math.isfinite(wait_s):
        return None
    return min(MAX_WAIT_S, max(0.0, wait_s))


def printable(text: object, most: int = 120) -> str:
    """Return what a server says on one line, cut off."""
    words = " ".join(str(text).split())
    return "".join(each if each.isprintable() else "?" for each in words)[:most]


def json_headers(**more: str) -> dict[str, str]:
    return {"Content-Type": "application/json; charset=utf-8", **more}


def json_of(content: object) -> bytes:
    return msgspec.json.encode(content)


def _elsewhere(location: str) -> str:
    """Return the place that an answer redirects to, without its path, which may be secret."""
    try:
        parts = urlsplit(location)
        if not parts.hostname:
            return ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    return f" to {printable(parts.scheme, 10)}://{printable(bracketed(parts.hostname), 253)}{port}"
