"""`tensormask watch`: subscribes and shows what matters, as lines, as JSON or as a live view."""

from __future__ import annotations

import json
import math
import os
import random
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol, TextIO

import msgspec

from edge.app.outbox import readable
from edge.app.output import takes_color
from edge.config import MqttSettings
from edge.errors import BrokerError
from edge.publish.answers import BrokerRefusalError, Received
from edge.publish.broker import Backoff, BrokerAccess
from edge.publish.messages import (
    AVAILABILITY,
    COMPLIANCE,
    HEALTH,
    RELEASE,
    VIOLATION,
    AvailabilityMessage,
    AvailabilityState,
    ComplianceMessage,
    HealthMessage,
    ViolationMessage,
    topic,
)
from edge.records import ViolationKind, ViolationState

EVERY: Final = "+"
"""Every device: MQTT's own wildcard."""
_MAX_NAME: Final = 64
_MAX_TOLD: Final = 1000
_TURN_S: Final = 0.25
_PATIENCE_S: Final = 5.0
"""So long after a subscription what a broker has kept has come, if there is anything."""
_FRESH: Final = timedelta(minutes=1)
"""What is no older than this has just been said."""


class Tone(StrEnum):
    """How grave something is: a colour of rich's, empty for none."""

    PLAIN = ""
    GOOD = "green"
    WARNING = "yellow"
    ALARM = "bold red"


_ANSI: Final = {Tone.GOOD: "\x1b[32m", Tone.WARNING: "\x1b[33m", Tone.ALARM: "\x1b[1;31m"}
_RESET: Final = "\x1b[0m"

_Alert = AvailabilityMessage | ViolationMessage | ComplianceMessage
Content = _Alert | HealthMessage
_decode = msgspec.json.Decoder(Content).decode


@dataclass(frozen=True, slots=True)
class Heard:
    """A message of ours, and its time, local."""

    content: Content
    at: datetime


def read(payload: bytes) -> Heard | None:
    """Return what a device says; None where it is no message of ours, or has no such time."""
    try:
        content = _decode(payload)
        return Heard(content, datetime.fromisoformat(content.at).astimezone())
    except (msgspec.DecodeError, RecursionError, ValueError, OverflowError):
        return None


def device_of(message: Received) -> str:
    """Return the name of the device that it is of, by its topic."""
    levels = message.topic.split("/")
    return clean(levels[-2] if len(levels) > 1 else "?")


@dataclass(frozen=True, slots=True)
class Alert:
    """What a message tells that is new, for eyes. Nothing in it can move a terminal's cursor."""

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
        self._told: OrderedDict[tuple[str, str], str] = OrderedDict()
        """What was last said of each device's states and events, the latest of them only."""

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

    def alert(self, message: Received, now: datetime) -> Alert | None:
        """Return what `message` tells; None where that is nothing new."""
        device, subject = device_of(message), message.topic.split("/")[-1]
        heard = read(message.payload)
        if heard is None or isinstance(heard.content, HealthMessage):
            text, tone = "sends something unreadable", Tone.WARNING
            told = Alert(now.astimezone(), device, "", text, tone, "")
        else:
            content = heard.content
            if isinstance(content, ViolationMessage):  # delivered at least once, told once
                subject = f"{content.event_id} {content.state}"
            zone, age = clean(content.zone), _age(content, heard.at, now)
            told = Alert(heard.at, device, zone, *_describe(content), age)
        return told if self._is_news(f"{device} ({told.zone})", subject, told.text) else None

    def _is_news(self, device: str, subject: str, text: str) -> bool:
        is_news = self._told.get((device, subject)) != text
        self._told[device, subject] = text
        self._told.move_to_end((device, subject))
        if len(self._told) > _MAX_TOLD:
            self._told.popitem(last=False)
        return is_news


def _describe(content: _Alert) -> tuple[str, Tone]:
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
            share = "" if hour.rate is None else f", {100 * hour.rate:.0f} % with a mask"
            worn = f"{hour.worn_wrongly} worn wrongly, " if hour.worn_wrongly else ""
            return (
                f"last hour: {hour.seen} seen, {hour.masked} masked, {worn}{hour.bare} bare, "
                f"{hour.unknown} unknown{share}"
            ), Tone.PLAIN


def _sure(content: ViolationMessage) -> str:
    """Return the evidence; older devices tell only that of a bare face."""
    known = content.bare_probability if content.probability is None else content.probability
    return f"{100 * known:.0f} %"


def _age(content: _Alert, at: datetime, now: datetime) -> str:
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
            since = "told late,"
        case ComplianceMessage():
            since = "last heard"
    return f" ({since} {_ago(passed)})"


def _ago(passed: timedelta) -> str:
    minutes = passed // timedelta(minutes=1)
    if minutes < 120:
        return f"{minutes} min ago"
    if minutes < 48 * 60:
        return f"{minutes // 60} h ago"
    return f"{passed.days} days ago"


def is_for_live_view(output: TextIO) -> bool:
    """Tell whether this is a terminal that can be painted."""
    return output.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")


def clean(text: str, most: int = _MAX_NAME) -> str:
    """Return `text` without anything that could move a terminal's cursor, and not too long."""
    return "".join(c if c.isprintable() else "?" for c in text[:most])


class Screen(Protocol):
    """Whoever shows what comes."""

    @property
    def kinds(self) -> Sequence[str]:
        """Which messages are wanted, by the last level of their topics."""

    def say(self, text: str) -> None:
        """Tell how the connection does."""

    def show(self, message: Received) -> None:
        """Take in a message."""

    def turn(self) -> None:
        """Some time has passed: called several times a second while nothing hangs."""


class Lines:
    """A line for each message that tells something new, for eyes and for scripts."""

    kinds = (AVAILABILITY, VIOLATION, COMPLIANCE)

    def __init__(self, output: TextIO) -> None:
        self._output = output
        self._alerts = Alerts(colour=takes_color(output))

    def say(self, text: str) -> None:
        line = clean(text, _MAX_TOLD)
        print(f"{time.strftime('%H:%M:%S')}  {line}", file=self._output, flush=True)

    def show(self, message: Received) -> None:
        if line := self._alerts.line(message, datetime.now().astimezone()):
            print(line, file=self._output, flush=True)

    def turn(self) -> None:
        self._output.flush()  # which fails where nobody reads any more


class JsonLines:
    """Each message as one line of JSON, in ASCII; how the connection does, elsewhere."""

    kinds = (AVAILABILITY, VIOLATION, COMPLIANCE, HEALTH, RELEASE)

    def __init__(self, output: TextIO, notes: TextIO | None = None) -> None:
        """`notes`: standard error unless given."""
        self._output = output
        self._notes = notes or sys.stderr

    def say(self, text: str) -> None:
        print(f"tensormask: {clean(text, _MAX_TOLD)}", file=self._notes, flush=True)

    def show(self, message: Received) -> None:
        document = {
            "topic": message.topic,
            "retained": message.retained,
            "document": readable(message.payload),
        }
        print(json.dumps(document), file=self._output, flush=True)

    def turn(self) -> None:
        self._output.flush()  # which fails where nobody reads any more


def watch(
    settings: MqttSettings,
    screen: Screen,
    stop: threading.Event | None = None,
    patience_s: float = _PATIENCE_S,
    device: str = EVERY,
) -> None:
    """Show what one device says, or all (`+`), until `stop` is set; reconnect by itself.

    Where nothing has come `patience_s` after a subscription, it says so: a broker that denies
    reading often does not tell. Raises ConfigError where a password or certificate is no use.
    """
    stop = stop or threading.Event()
    access = BrokerAccess(settings)
    backoff = Backoff()
    name = f"tensormask-watch-{random.getrandbits(32):08x}"
    topics = [topic(settings.topic_prefix, device, kind) for kind in screen.kinds]
    every = device == EVERY
    watched = f"{settings.topic_prefix}/#" if every else topic(settings.topic_prefix, device, "#")
    question = f"may this user read {watched}?"
    silence = f"no device {'' if every else f'{device} '}has ever reported here; {question}"
    told = ""
    while not stop.is_set():
        try:
            connection = access.connect(name)
        except BrokerError as problem:
            told = _tell(screen, problem, told)
            _wait(screen, stop, backoff.next_s())
            continue
        try:
            connection.subscribe(topics)
            screen.say(f"watching {settings.topic_prefix} at {access.name} ({connection.version})")
            backoff.reset()
            doubtful_s = time.monotonic() + patience_s
            while not stop.is_set():
                arrivals = connection.turn(_TURN_S)
                if arrivals.denial is not None:
                    raise BrokerRefusalError(f"{arrivals.denial}; {question}")
                if arrivals.messages:
                    doubtful_s = math.inf
                elif time.monotonic() >= doubtful_s:
                    doubtful_s = math.inf
                    screen.say(silence)
                for message in arrivals.messages:
                    screen.show(message)
                screen.turn()
        except BrokerError as problem:
            told = _tell(screen, problem, "")
            refused = isinstance(problem, BrokerRefusalError)
            _wait(screen, stop, backoff.slow_s() if refused else backoff.next_s())
        finally:
            connection.leave(timeout_s=1.0)
            connection.drop()


def _tell(screen: Screen, problem: BrokerError, told: str) -> str:
    """Say a problem, unless it is the one that was `told` last; return what is told now."""
    if str(problem) != told:
        screen.say(f"{problem}; trying again")
    return str(problem)


def _wait(screen: Screen, stop: threading.Event, duration_s: float) -> None:
    until_s = time.monotonic() + duration_s
    while (left_s := until_s - time.monotonic()) > 0:
        screen.turn()
        if stop.wait(min(left_s, _TURN_S)):
            return
