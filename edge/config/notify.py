"""The sections [[notify]]: whom alerts and conditions are sent to beside the broker."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec

from edge.address import did_you_mean, host_in, is_this_machine
from edge.conditions import RUNNING, Code
from edge.config.hours import Hours, HourTexts
from edge.config.section import MAX_TEXT, Section, TopicLevel

MOST = 8
"""Targets; each has a thread and a file."""
ALERTS = ("no_mask", "worn_wrongly")
ENDED = "ended"
CODES = tuple(str(code) for code in RUNNING if code is not Code.NOTIFY_FAILING)
EVENTS = (*ALERTS, ENDED, *CODES)
PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
PLACEHOLDERS = (
    *("id", "what", "state", "severity", "title", "text", "fix", "at", "late", "device_id"),
    *(
        "site",
        "zone",
        "place",
        "event_id",
        "duration_s",
        "probability",
        "more",
        "since",
        "snapshot",
    ),
)
"""What a webhook's template may name in braces, see `edge.notify.template`."""
_RESERVED = {"host", "content-length", "content-type", "connection", "transfer-encoding"}
_OURS = ("webhook-", "idempotency-key")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_MAIL = re.compile(r"[^@\s<>,;\"]+@[^@\s<>,;\"]+")
_SECRET_HEADERS = {"authorization", "cookie", "proxy-authorization", "x-api-key"}
FilePath = Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Event = Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
Mail = Annotated[str, msgspec.Meta(max_length=254)]


class TargetSettings(Section, frozen=True, kw_only=True, tag_field="kind"):
    """What all kinds of targets have."""

    name: TopicLevel
    on: Annotated[tuple[Event, ...], msgspec.Meta(min_length=1, max_length=len(EVENTS))] = ALERTS
    """Alerts, codes of conditions, and `ended`: the end of each of them, too."""
    after_s: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 600.0
    """A condition is sent when it has lasted for so long."""
    pause_s: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 60.0
    """The least time between two notifications: what comes meanwhile is in the next; 0: each event
    is a notification of its own."""
    quiet: HourTexts = ()
    """Hours, see `Hours`, in which nothing is sent; at their end one notification sums up."""
    snapshot: bool = False
    """With the covered picture, which [snapshots] has to allow."""
    timeout_s: Annotated[float, msgspec.Meta(ge=1, le=300)] = 30.0
    """For all of one delivery; a third of it for a connection, and for a pause in the answer."""
    max_age_s: Annotated[float, msgspec.Meta(ge=60, le=2_592_000)] = 86_400.0
    """What could not be sent for so long is dropped, and counted."""
    max_rows: Annotated[int, msgspec.Meta(ge=10, le=10_000)] = 1000
    """The oldest are dropped, and counted, beyond this, and beyond 5 MB."""

    def __post_init__(self) -> None:
        for event in self.on:
            if event not in EVENTS:
                raise ValueError(
                    f"on: {event!r} is neither an alert nor the code of a condition"
                    f"{did_you_mean(event, EVENTS) or '; docs/notifications.md lists them'}"
                )
        if set(self.on) == {ENDED}:
            raise ValueError(
                f'on: "{ENDED}" alone sends nothing; name what begins, too, such as "no_mask"'
            )
        Hours.parsed(self.quiet, "quiet")
        self.refuse()

    def refuse(self) -> None:
        """Raise ValueError where keys do not fit together."""

    @property
    def kind(self) -> str:
        """As the settings name it."""
        return str(self.__struct_config__.tag)

    @property
    def hours(self) -> Hours:
        return Hours.parsed(self.quiet, "quiet")

    @property
    def files(self) -> tuple[str, ...]:
        """What is named, each a path or `credential:NAME`; empty: none."""
        return ()


class WebhookSettings(TargetSettings, frozen=True, kw_only=True, tag="webhook"):
    """JSON to a web server."""

    url: str = ""
    url_file: FilePath = ""
    """A file with the URL in its first line, where that is a secret itself; in place of `url`."""
    method: Literal["POST", "PUT"] = "POST"
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    template: Annotated[str, msgspec.Meta(max_length=4000)] = ""
    """A JSON document with names in braces in its texts; empty: the whole notification."""
    secret_file: FilePath = ""
    """Signs what is sent, as Standard Webhooks has it."""
    token_file: FilePath = ""
    """Sent as `Authorization: Bearer`."""
    ca_file: FilePath = ""
    """The authority that signed the server's certificate; empty: the system's."""

    def refuse(self) -> None:
        if bool(self.url) == bool(self.url_file):
            raise ValueError("a webhook needs url or url_file, and not both")
        if self.url:
            refuse_url("url", self.url)
        _refuse_headers(self.headers, has_token=bool(self.token_file))
        if self.template:
            _refuse_template(self.template, has_snapshot=self.snapshot)
        _refuse_ca(self.ca_file, "url", self.url)

    @property
    def files(self) -> tuple[str, ...]:
        return (self.url_file, self.secret_file, self.token_file, self.ca_file)


class NtfySettings(TargetSettings, frozen=True, kw_only=True, tag="ntfy"):
    """A topic of ntfy, for phones."""

    topic: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_\-]{1,64}$")]
    """On a public server it is what a password is elsewhere."""
    server: str = "https://ntfy.sh"
    token_file: FilePath = ""
    priority: Annotated[int, msgspec.Meta(ge=1, le=5)] = 3
    ca_file: FilePath = ""

    def refuse(self) -> None:
        refuse_url("server", self.server)
        _refuse_ca(self.ca_file, "server", self.server)

    @property
    def files(self) -> tuple[str, ...]:
        return (self.token_file, self.ca_file)


class TelegramSettings(TargetSettings, frozen=True, kw_only=True, tag="telegram"):
    """A chat, a group or a channel of Telegram, by a bot."""

    token_file: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT)]
    """Of the bot."""
    chat_id: Annotated[str, msgspec.Meta(pattern=r"^(-?[0-9]{1,20}|@[A-Za-z0-9_]{1,64})$")]
    """A number as text, or `@channel`."""
    server: str = "https://api.telegram.org"
    """Telegram's, or a Bot API server of your own."""
    ca_file: FilePath = ""

    def refuse(self) -> None:
        refuse_url("server", self.server)
        _refuse_ca(self.ca_file, "server", self.server)

    @property
    def files(self) -> tuple[str, ...]:
        return (self.token_file, self.ca_file)


class EmailSettings(TargetSettings, frozen=True, kw_only=True, tag="email"):
    """E-mail by a server that takes it from us."""

    host: Annotated[str, msgspec.Meta(min_length=1)]
    sender: Mail = msgspec.field(name="from")
    to: Annotated[tuple[Mail, ...], msgspec.Meta(min_length=1, max_length=20)]
    port: Port | None = None
    """587 with starttls, 465 with tls, 25 with none, unless given."""
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password_file: FilePath = ""
    ca_file: FilePath = ""

    def refuse(self) -> None:
        try:
            host_in(self.host)
        except ValueError as error:
            raise ValueError(f"host: {error}") from None
        for key, address in (("from", self.sender), *(("to", each) for each in self.to)):
            if not (_MAIL.fullmatch(address) and address.isascii() and address.isprintable()):
                raise ValueError(f"{key}: {address!r} is no address; write name@example.org")
        if bool(self.user) != bool(self.password_file):
            raise ValueError("user and password_file come together")
        if self.user and self.tls == "none" and not is_this_machine(self.host):
            raise ValueError('tls = "none" would send the password in clear over the network')
        if self.ca_file and self.tls == "none":
            raise ValueError('ca_file needs tls = "starttls" or "tls"')

    @property
    def files(self) -> tuple[str, ...]:
        return (self.password_file, self.ca_file)

    @property
    def server_port(self) -> int:
        return self.port or {"starttls": 587, "tls": 465, "none": 25}[self.tls]


NotifyTarget = WebhookSettings | NtfySettings | TelegramSettings | EmailSettings
NotifyTargets = Annotated[tuple[NotifyTarget, ...], msgspec.Meta(max_length=MOST)]
KINDS: dict[str, type[TargetSettings]] = {
    "webhook": WebhookSettings,
    "ntfy": NtfySettings,
    "telegram": TelegramSettings,
    "email": EmailSettings,
}


def refuse_url(key: str, url: str) -> None:
    """Raise ValueError, which repeats no part of a URL, where it is not one of a web server."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if host is None or port == 0 or parts.scheme not in ("http", "https"):
        raise ValueError(f"{key}: write http://host:port/path or https://host/path")
    if parts.username or parts.password or "@" in parts.netloc:
        raise ValueError(f"{key}: no user and password in it; use token_file, or url_file")
    if parts.fragment or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError(f"{key}: a URL has no # part, no blanks, and signs beyond ASCII as %XX")
    try:
        host_in(host)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None


def _refuse_ca(ca_file: str, key: str, url: str) -> None:
    if ca_file and url.startswith("http:"):
        raise ValueError(f"ca_file needs an https:// {key}")


def _refuse_headers(headers: dict[str, str], *, has_token: bool) -> None:
    if len(headers) > 20:
        raise ValueError("headers: 20 at most")
    for name, value in headers.items():
        low = name.lower()
        if not _TOKEN.fullmatch(name) or len(name) > 100:
            raise ValueError(f"headers: {name[:40]!r} is no name of a header")
        if low in _RESERVED or low.startswith(_OURS):
            raise ValueError(f"headers: {name} is set by the program")
        if low in _SECRET_HEADERS:
            hint = "is sent already" if has_token and low == "authorization" else "is a secret"
            raise ValueError(f"headers: {name} {hint}: use token_file")
        if not (value.isascii() and value.isprintable() and len(value) <= MAX_TEXT):
            raise ValueError(f"headers: {name}: printable ASCII only")


def _refuse_template(template: str, *, has_snapshot: bool) -> None:
    try:
        content = msgspec.json.decode(template)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"template: not a JSON document: {error}") from None
    for name in placeholders(content):
        if name not in PLACEHOLDERS:
            near = did_you_mean(name, PLACEHOLDERS) or f"; known are {', '.join(PLACEHOLDERS)}"
            raise ValueError(f"template: {{{name}}} is not known{near}")
        if name == "snapshot" and not has_snapshot:
            raise ValueError("template: {snapshot} needs snapshot = true")


def placeholders(content: Any) -> list[str]:
    """Return the names in braces in the texts of a JSON document, its keys left out."""
    match content:
        case str():
            return PLACEHOLDER.findall(content)
        case list():
            return [name for each in content for name in placeholders(each)]
        case dict():
            return [name for each in content.values() for name in placeholders(each)]
        case _:
            return []
