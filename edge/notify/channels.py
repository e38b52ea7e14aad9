"""The channel of each kind of target."""

from __future__ import annotations

from edge.config import (
    EmailSettings,
    NotifyTarget,
    NtfySettings,
    TelegramSettings,
    WebhookSettings,
)
from edge.notify.channel import Channel
from edge.notify.mail import Mailer
from edge.notify.ntfy import Ntfy
from edge.notify.telegram import Telegram
from edge.notify.webhook import Webhook


def open_channel(target: NotifyTarget) -> Channel:
    """Return it, with its secrets read; nothing is connected. Raises ConfigError."""
    key = f"[[notify]] {target.name}"
    match target:
        case WebhookSettings():
            return Webhook(target, key)
        case NtfySettings():
            return Ntfy(target, key)
        case TelegramSettings():
            return Telegram(target, key)
        case EmailSettings():
            return Mailer(target, key)
