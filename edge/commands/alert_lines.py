"""What the devices' messages say, as lines for people."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from edge.conditions import KINDS, MUCH_WAITS_S, STRAINS, VIEWS, Code, Severity
from edge.files import decoded
from edge.publish.answers import Received
from edge.publish.messages import (
    AvailabilityMessage,
    AvailabilityState,
    ComplianceMessage,
    HealthMessage,
    OutboxCondition,
    ViolationMessage,
)
from edge.records import ViolationKind, ViolationState
from edge.telemetry import CameraState
from edge.words import percent

_MAX_NAME: Final = 64
_MAX_SHOWN: Final = 1000
_FRESH: Final = timedelta(minutes=1)
"""What is no older than this has just been said."""


class Tone(StrEnum):
    """How grave something is: a color of rich's, empty for none."""

    PLAIN = ""
    GOOD = "green"
    WARNING = "yellow"
    ALARM = "bold red"


_ANSI: Final = {Tone.GOOD: "\x1b[32m", Tone.WARNING: "\x1b[33m", Tone.ALARM: "\x1b[1;31m"}
_RESET: Final = "\x1b[0m"

Content = AvailabilityMessage | ViolationMessage | ComplianceMessage | HealthMessage
_KINDS: Any = Content
"""For a decoder: a union is no type for a type checker."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A message of ours, and its time, local."""

    content: Content
    at: datetime


def read(payload: bytes) -> Heard | None:
    """Return what a device says; None where it is no message of ours, or has no such time."""
    try:
        content = decoded(payload, _KINDS)
        return Heard(content, datetime.fromisoformat(content.at).astimezone())
    except (ValueError, OverflowError):  # of the time
        return None


def device_of(message: Received) -> str:
    """Return the name of the device that it is of, by its topic."""
    levels = message.topic.split("/")
    return clean(levels[-2] if len(levels) > 1 else "?")


@dataclass(frozen=True, slots=True)
class AlertLine:
    """What a message tells that is new, for people. Nothing in it can move a terminal's cursor."""

    at: datetime
    """Local."""
    device: str
    zone: str
    text: str
    tone: Tone
    age: str
    """With a blank before it; empty where it is fresh."""


class Alerts:
    """Turns messages into lines. It trusts nobody: what is no message of ours is called so."""

    def __init__(self, *, colour: bool = False) -> None:
        self._colour = colour
        self._shown: OrderedDict[tuple[str, str, str], str] = OrderedDict()
        """What was last said of each state and event, by device, zone and subject; the latest of
        them only."""

    def line(self, message: Received, now: datetime) -> str | None:
        """Return the line for `message`, with local time; None where it tells nothing new.

        `now`, aware, stands in for a time that the message does not tell.
        """
        alert = self.alert(message, now)
        if alert is None:
            return None
        device = f"{alert.device} ({alert.zone})" if alert.zone else alert.device
        text = alert.text
        if self._colour and alert.tone:
            text = f"{_ANSI[alert.tone]}{text}{_RESET}"
        return f"{alert.at:%H:%M:%S}  {device}  {text}{alert.age}"

    def alert(self, message: Received, now: datetime) -> AlertLine | None:
        """Return what `message` tells; None where that is nothing new."""
        device, subject = device_of(message), message.topic.split("/")[-1]
        heard = read(message.payload)
        if heard is None:
            text, tone = "sent an unreadable message", Tone.WARNING
            alert = AlertLine(now.astimezone(), device, "", text, tone, "")
            return alert if self._is_news((device, "", subject), text) else None
        content, at = heard.content, heard.at
        if isinstance(content, ViolationMessage):  # delivered at least once, shown once
            subject = f"{content.event_id} {content.state}"
        zone, age = clean(content.zone), _age(content, at, now)
        text, tone = _describe(content)
        topic = device, zone, subject
        if _is_offline(content) and topic in self._shown:
            at, age = now.astimezone(), ""  # the will's own time is that of the connection
        if isinstance(content, HealthMessage):
            self._shown.setdefault(topic, "health: well")  # which is no news at first
        return AlertLine(at, device, zone, text, tone, age) if self._is_news(topic, text) else None

    def _is_news(self, topic: tuple[str, str, str], text: str) -> bool:
        is_news = self._shown.get(topic) != text
        self._shown[topic] = text
        self._shown.move_to_end(topic)
        if len(self._shown) > _MAX_SHOWN:
            self._shown.popitem(last=False)
        return is_news


def _is_offline(content: Content) -> bool:
    return isinstance(content, AvailabilityMessage) and content.state is AvailabilityState.OFFLINE


def _describe(content: Content) -> tuple[str, Tone]:
    """Return the words, and how grave it is."""
    match content:
        case ViolationMessage(state=ViolationState.CONFIRMED, kind=ViolationKind.BARE):
            return f"NO MASK   for {content.duration_s:.1f} s ({_sure(content)})", Tone.ALARM
        case ViolationMessage(state=ViolationState.CONFIRMED):
            text = f"MASK WORN WRONGLY   for {content.duration_s:.1f} s ({_sure(content)})"
            return text, Tone.WARNING
        case ViolationMessage():
            return f"over      after {content.duration_s:.1f} s", Tone.PLAIN
        case AvailabilityMessage():
            good = content.state is AvailabilityState.ONLINE
            return f"is {content.state}", Tone.GOOD if good else Tone.WARNING
        case ComplianceMessage(last_hour=hour):
            share = "" if hour.rate is None else f", {percent(hour.rate)} with a mask"
            worn = f"{hour.worn_wrongly} worn wrongly, " if hour.worn_wrongly else ""
            return (
                f"last hour: {hour.seen} seen, {hour.masked} masked, {worn}{hour.bare} no mask, "
                f"{hour.unknown} unknown{share}"
            ), Tone.PLAIN
        case HealthMessage():
            words, tone = words_of(content)
            return f"health: {words}", tone


def words_of(health: HealthMessage) -> tuple[str, Tone]:
    """Return how a device does in few words, the gravest first."""
    found = [_words(each) for each in _codes(health)]
    shown = [each for each in found if each[0]]
    if not shown:
        return "well", Tone.GOOD
    return ", ".join(words for words, _ in shown[:2]), shown[0][1]


def _codes(health: HealthMessage) -> Sequence[str]:
    """Return the codes of what is wrong, the gravest first."""
    if health.conditions is not None:
        return health.conditions
    return sorted(_codes_of_older(health), key=lambda each: KINDS[each].severity)  # faults first


def _codes_of_older(health: HealthMessage) -> Iterator[Code]:
    """Yield the codes for a device of a version that names none."""
    camera, outbox = health.camera, health.outbox
    if camera.state is not CameraState.RUNNING:
        is_lost = camera.state is CameraState.LOST
        yield Code.CAMERA_LOST if is_lost else Code.CAMERA_STARTING
    elif camera.view in VIEWS:
        yield VIEWS[camera.view]
    is_there = {
        Code.CAMERA_SLOW: camera.slow,
        Code.CAMERA_TURNED: camera.rotation_wanted_deg is not None,
        Code.DISK_UNWRITABLE: outbox.state is OutboxCondition.REFUSED,
        Code.PAUSED: health.paused_for_s is not None,
        Code.MESSAGES_QUEUED: (outbox.oldest_age_s or 0) > MUCH_WAITS_S,
        Code.MESSAGES_REJECTED: outbox.refused > 0,
        Code.ON_TRIAL: health.trial is not None,
    }
    yield from (code for code, is_so in is_there.items() if is_so)
    yield from (STRAINS[each] for each in health.pace.reasons)


def _words(code: str) -> tuple[str, Tone]:
    try:
        kind = KINDS[Code(code)]
    except ValueError:  # of a newer version
        return clean(code), Tone.WARNING
    return kind.short, Tone.ALARM if kind.severity is Severity.FAULT else Tone.WARNING


def _sure(content: ViolationMessage) -> str:
    """Return the evidence; older devices tell only that of a bare face."""
    known = content.bare_probability if content.probability is None else content.probability
    return percent(known)


def _age(content: Content, at: datetime, now: datetime) -> str:
    """Return how old `content` is, in brackets; empty where it is fresh, or its clock is no guide.

    A broker keeps the last states of a device for ever, also of one that is long gone.
    """
    passed = now - at
    if passed < _FRESH or not content.clock_synchronised:
        return ""
    match content:
        case AvailabilityMessage(state=AvailabilityState.OFFLINE):
            since = "connected"  # its will was written then; when it vanished is not known
        case AvailabilityMessage():
            since = "since"
        case ViolationMessage():
            since = "reported late,"
        case ComplianceMessage() | HealthMessage():
            since = "last heard"
    return f" ({since} {_ago(passed)})"


def _ago(passed: timedelta) -> str:
    minutes = passed // timedelta(minutes=1)
    if minutes < 120:
        return f"{minutes} min ago"
    if minutes < 48 * 60:
        return f"{minutes // 60} h ago"
    return f"{passed.days} days ago"


def clean(text: str, most: int = _MAX_NAME) -> str:
    """Return `text` without anything that could move a terminal's cursor, and not too long."""
    return "".join(c if c.isprintable() else "?" for c in text[:most])
