"""`tensormask watch`: subscribes and prints what matters, a line each, for eyes."""

from __future__ import annotations

import math
import os
import random
import threading
import time
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final, TextIO

import msgspec

from edge.config import MqttSettings
from edge.errors import BrokerError
from edge.publish.broker import Backoff, BrokerAccess, BrokerRefusalError, Received
from edge.publish.messages import (
    AVAILABILITY,
    COMPLIANCE,
    VIOLATION,
    AvailabilityMessage,
    AvailabilityState,
    ComplianceMessage,
    ViolationMessage,
    topic,
)
from edge.records import ViolationKind, ViolationState

_RED: Final = "\x1b[1;31m"
_GREEN: Final = "\x1b[32m"
_YELLOW: Final = "\x1b[33m"
_PLAIN: Final = "\x1b[0m"

_MAX_NAME: Final = 64
_MAX_TOLD: Final = 1000
_TURN_S: Final = 0.25
_PATIENCE_S: Final = 5.0
"""So long after a subscription what a broker has kept has come, if there is anything."""
_FRESH: Final = timedelta(minutes=1)
"""What is no older than this has just been said."""

_Alert = AvailabilityMessage | ViolationMessage | ComplianceMessage
_decode = msgspec.json.Decoder(_Alert).decode


class Alerts:
    """Turns messages into lines. It trusts nobody: what is no message of ours is called so."""

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour
        self._told: OrderedDict[tuple[str, str], str] = OrderedDict()
        """What was last said of each device's states and events, the latest of them only."""

    def line(self, message: Received, now: datetime) -> str | None:
        """Return the line for `message`, with local time; None where it tells nothing new.

        `now`, aware, stands in for a time that the message does not tell.
        """
        levels = message.topic.split("/")
        device, subject = _clean(levels[-2] if len(levels) > 1 else "?"), levels[-1]
        at, text, colour, age = now, "sends something unreadable", _YELLOW, ""
        try:
            content = _decode(message.payload)
            at = datetime.fromisoformat(content.at).astimezone()
            text, colour = _describe(content)
            if isinstance(content, ViolationMessage):  # delivered at least once, told once
                subject = f"{content.event_id} {content.state}"
            age = _age(content, now)
            if content.zone:
                device = f"{device} ({_clean(content.zone)})"
        except (msgspec.DecodeError, RecursionError, ValueError, OverflowError):
            pass
        if not self._is_news(device, subject, text):
            return None
        if self._colour and colour:
            text = f"{colour}{text}{_PLAIN}"
        return f"{at.astimezone():%H:%M:%S}  {device}  {text}{age}"

    def _is_news(self, device: str, subject: str, text: str) -> bool:
        is_news = self._told.get((device, subject)) != text
        self._told[device, subject] = text
        self._told.move_to_end((device, subject))
        if len(self._told) > _MAX_TOLD:
            self._told.popitem(last=False)
        return is_news


def _describe(content: _Alert) -> tuple[str, str]:
    """Return the words and the colour for them, empty for none."""
    match content:
        case ViolationMessage(state=ViolationState.CONFIRMED, kind=ViolationKind.BARE):
            return f"NO MASK   for {content.duration_s:.1f} s ({_sure(content)})", _RED
        case ViolationMessage(state=ViolationState.CONFIRMED):
            return f"MASK WORN WRONGLY   for {content.duration_s:.1f} s ({_sure(content)})", _YELLOW
        case ViolationMessage():
            return f"over      after {content.duration_s:.1f} s", ""
        case AvailabilityMessage():
            good = content.state is AvailabilityState.ONLINE
            return f"is {content.state}", _GREEN if good else _YELLOW
        case ComplianceMessage(last_hour=hour):
            share = "" if hour.rate is None else f", {100 * hour.rate:.0f} % with a mask"
            worn = f"{hour.worn_wrongly} worn wrongly, " if hour.worn_wrongly else ""
            return (
                f"last hour: {hour.seen} seen, {hour.masked} masked, {worn}{hour.bare} bare, "
                f"{hour.unknown} unknown{share}"
            ), ""


def _sure(content: ViolationMessage) -> str:
    """Return the evidence; older devices tell only that of a bare face."""
    known = content.bare_probability if content.probability is None else content.probability
    return f"{100 * known:.0f} %"


def _age(content: _Alert, now: datetime) -> str:
    """Return how old `content` is, in brackets; empty where it is fresh, or its clock is no guide.

    A broker keeps the last states of a device for ever, also of one that is long gone.
    """
    passed = now - datetime.fromisoformat(content.at)
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


def takes_colour(output: TextIO) -> bool:
    """Tell whether to colour: on a terminal, unless its user sets NO_COLOR (no-color.org)."""
    return output.isatty() and not os.environ.get("NO_COLOR")


def _clean(text: str) -> str:
    """Return `text` without anything that could move a terminal's cursor, and not too long."""
    return "".join(c if c.isprintable() else "?" for c in text[:_MAX_NAME])


def watch(
    settings: MqttSettings,
    output: TextIO,
    stop: threading.Event | None = None,
    patience_s: float = _PATIENCE_S,
) -> None:
    """Print alerts of all devices to `output` until `stop` is set; reconnect by itself.

    Where nothing has come `patience_s` after a subscription, it says so: a broker that denies
    reading often does not tell. Raises ConfigError where a password or certificate is no use.
    """
    stop = stop or threading.Event()
    access = BrokerAccess(settings)
    backoff = Backoff()
    alerts = Alerts(colour=takes_colour(output))
    name = f"tensormask-watch-{random.getrandbits(32):08x}"
    topics = [
        topic(settings.topic_prefix, "+", kind) for kind in (AVAILABILITY, VIOLATION, COMPLIANCE)
    ]
    question = f"may this user read {settings.topic_prefix}/#?"
    told = ""
    while not stop.is_set():
        try:
            connection = access.connect(name)
        except BrokerError as problem:
            told = _tell(output, problem, told)
            stop.wait(backoff.next_s())
            continue
        try:
            connection.subscribe(topics)
            _say(
                output, f"watching {settings.topic_prefix} at {access.name} ({connection.version})"
            )
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
                    _say(output, f"no device has ever reported here; {question}")
                for message in arrivals.messages:
                    if line := alerts.line(message, datetime.now().astimezone()):
                        print(line, file=output, flush=True)
        except BrokerError as problem:
            told = _tell(output, problem, "")
            refused = isinstance(problem, BrokerRefusalError)
            stop.wait(backoff.slow_s() if refused else backoff.next_s())
        finally:
            connection.leave(timeout_s=1.0)
            connection.drop()


def _tell(output: TextIO, problem: BrokerError, told: str) -> str:
    """Say a problem, unless it is the one that was `told` last; return what is told now."""
    if str(problem) != told:
        _say(output, f"{problem}; trying again")
    return str(problem)


def _say(output: TextIO, text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=output, flush=True)
