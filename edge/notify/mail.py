"""E-mail, by a server that takes it from us."""

from __future__ import annotations

import smtplib
import ssl
from contextlib import suppress
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime

from edge.address import bracketed
from edge.config import EmailSettings
from edge.notify.channel import (
    Deadline,
    UndeliveredError,
    plainly,
    tls_context,
)
from edge.notify.notification import Notification, utc_now
from edge.notify.web import printable
from edge.secret import read_password

DOMAIN = "tensormask.invalid"
"""Of the Message-ID: nobody's name."""


class Mailer:
    """Sends one message to all recipients."""

    def __init__(self, settings: EmailSettings, key: str) -> None:
        """`key` begins what is raised, ConfigError."""
        self._settings = settings
        self._password = (
            read_password(settings.password_file, f"{key} password_file") if settings.user else ""
        )
        self._context: ssl.SSLContext | None = None
        if settings.tls != "none":
            self._context = tls_context(settings.ca_file, f"{key} ca_file")
        self.name = f"{bracketed(settings.host)}:{settings.server_port}"

    def send(self, notification: Notification) -> str:
        settings = self._settings
        # A name of our own: smtplib would ask the name server for it, which may hang.
        local = notification.device_id
        server: smtplib.SMTP
        if settings.tls == "tls":
            server = smtplib.SMTP_SSL(local_hostname=local, context=self._context)
        else:
            server = smtplib.SMTP(local_hostname=local)
        with Deadline(lambda: server.sock, settings.timeout_s) as deadline:
            server.timeout = deadline.pause_s
            try:
                refused = self._converse(server, message_of(notification, settings, utc_now()))
            except smtplib.SMTPException as error:
                if deadline.is_over or isinstance(error, smtplib.SMTPServerDisconnected):
                    why = plainly(TimeoutError(), deadline) if deadline.is_over else "disconnected"
                    raise UndeliveredError(f"{self.name}: {why}") from None
                raise self._refusal(error) from None
            except (OSError, ValueError) as error:
                raise UndeliveredError(f"{self.name}: {plainly(error, deadline)}") from None
            finally:
                server.close()
        if not refused:
            return ""
        return f"{self.name}: it refuses {', '.join(refused)}; the others have it"

    def _converse(self, server: smtplib.SMTP, message: EmailMessage) -> list[str]:
        settings = self._settings
        # smtplib verifies the certificate for this name, and only connect() with a host sets it.
        server._host = settings.host  # type: ignore[attr-defined]
        server.connect(settings.host, settings.server_port)
        server.ehlo()
        if settings.tls == "starttls":
            if not server.has_extn("starttls"):
                raise UndeliveredError(
                    f"{self.name}: it does not offer STARTTLS; check port and tls", is_final=True
                )
            server.starttls(context=self._context)
            server.ehlo()
        if settings.user:
            server.login(settings.user, self._password)
        refused = server.send_message(message, settings.sender, list(settings.to))
        with suppress(smtplib.SMTPException, OSError):
            server.quit()  # the server has the message by now, however this ends
        return sorted(refused)

    def _refusal(self, error: smtplib.SMTPException) -> UndeliveredError:
        """Return what a refusal means: codes from 500 on are final (RFC 5321, 4.2.1)."""
        match error:
            case smtplib.SMTPAuthenticationError():
                hint = "; check user and password_file"
            case smtplib.SMTPRecipientsRefused():
                codes = [code for code, _ in error.recipients.values()]
                text = next((said for _, said in error.recipients.values()), b"")
                return UndeliveredError(
                    f"{self.name}: it refuses each recipient: {_said(min(codes), text)}; check to",
                    is_final=min(codes) >= 500,
                )
            case smtplib.SMTPSenderRefused():
                hint = "; check from"
            case smtplib.SMTPNotSupportedError():
                return UndeliveredError(f"{self.name}: {printable(error)}", is_final=True)
            case _:
                hint = ""
        if not isinstance(error, smtplib.SMTPResponseException):
            return UndeliveredError(f"{self.name}: {printable(error)}", is_final=True)
        code = error.smtp_code
        return UndeliveredError(
            f"{self.name}: it refuses: {_said(code, error.smtp_error)}{hint}",
            is_final=code >= 500,
            may_be_picture=code in (552, 554),
        )


def message_of(notification: Notification, settings: EmailSettings, now: datetime) -> EmailMessage:
    """Return the message; its Message-ID stays the same when it is sent again."""
    message = EmailMessage()
    place = notification.zone or notification.site or notification.device_id
    message["Subject"] = " ".join(f"{notification.title}: {place}".split())
    message["From"] = settings.sender
    message["To"] = ", ".join(settings.to)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{notification.id}@{DOMAIN}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(f"{notification.body}\n\n{notification.at} {notification.id}\n")
    if notification.snapshot is not None:
        message.add_attachment(
            notification.snapshot, maintype="image", subtype="jpeg", filename="snapshot.jpg"
        )
    return message


def _said(code: int, text: bytes | str) -> str:
    words = text.decode(errors="replace") if isinstance(text, bytes) else text
    return f"{code} {printable(words)}"
