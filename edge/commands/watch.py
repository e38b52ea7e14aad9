"""`tensormask watch`: subscribes and shows what matters, as lines, as JSON or as a live view."""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import re
import signal
import sys
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol, TextIO

from edge.commands.alert_lines import Alerts, clean
from edge.commands.options import add_config, add_json
from edge.commands.outbox import readable
from edge.commands.output import takes_color
from edge.commands.parser import Parser
from edge.config import MqttSettings, broker_at, load_settings
from edge.errors import BrokerError
from edge.publish.answers import BrokerRefusalError, Received
from edge.publish.broker import Backoff, BrokerAccess
from edge.publish.messages import AVAILABILITY, COMPLIANCE, HEALTH, RELEASE, VIOLATION, topic

EVERY: Final = "+"
"""Every device: MQTT's own wildcard."""
_MAX_SHOWN: Final = 1000
_TURN_S: Final = 0.25
_PATIENCE_S: Final = 5.0
"""How long after a subscription what a broker has kept has come, if there is anything."""


def add_arguments(parser: Parser) -> None:
    parser.runs(
        run,
        "tensormask watch --broker broker.example",
        "sudo tensormask watch --device door-1",
        "tensormask watch --json | jq .topic",
    )
    add_config(parser)
    add_json(parser, "a line of JSON for each message: its topic and payload")
    parser.add_argument(
        "--device", type=_device, default="+", metavar="NAME", help="this one (default +: all)"
    )
    parser.add_argument("--broker", metavar="HOST[:PORT]", help="instead of a configuration file")


def run(options: argparse.Namespace) -> int:
    mqtt = broker_at(options.broker) if options.broker else load_settings(options.config).mqtt
    if options.json or not is_for_live_view(sys.stdout):
        lines = JsonLines(sys.stdout) if options.json else Lines(sys.stdout)
        watch(mqtt, lines, device=options.device)
        return 0
    from edge.commands.live import LiveScreen  # rich, which lines do without

    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))  # the terminal is given back
    with LiveScreen(sys.stdout) as screen:
        watch(mqtt, screen, device=options.device)
    return 0


def _device(text: str) -> str:
    """Read a device's name, one level of a topic, or `+`."""
    if not re.fullmatch(r"\+|[A-Za-z0-9_.\-]{1,64}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not the name of a device, nor + for all")
    return text


def is_for_live_view(output: TextIO) -> bool:
    """Return whether this is a terminal that can be painted."""
    return output.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")


class Screen(Protocol):
    """Shows what comes."""

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
    """A line for each message that tells something new, for people and for scripts."""

    kinds = (AVAILABILITY, VIOLATION, COMPLIANCE, HEALTH)

    def __init__(self, output: TextIO) -> None:
        self._output = output
        self._alerts = Alerts(colour=takes_color(output))

    def say(self, text: str) -> None:
        line = clean(text, _MAX_SHOWN)
        print(f"{time.strftime('%H:%M:%S')}  {line}", file=self._output, flush=True)

    def show(self, message: Received) -> None:
        if line := self._alerts.line(message, datetime.now().astimezone()):
            print(line, file=self._output, flush=True)

    def turn(self) -> None:
        self._output.flush()  # which fails where nobody reads any more


class JsonLines:
    """Each message as one line of JSON, in ASCII; how the connection does, on standard error."""

    kinds = (AVAILABILITY, VIOLATION, COMPLIANCE, HEALTH, RELEASE)

    def __init__(self, output: TextIO) -> None:
        self._output = output

    def say(self, text: str) -> None:
        print(f"tensormask: {clean(text, _MAX_SHOWN)}", file=sys.stderr, flush=True)  # noqa: T201 - its output

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
    reading often does not tell. Raises ConfigError where a password or certificate is useless.
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
    said = ""
    while not stop.is_set():
        try:
            connection = access.connect(name)
        except BrokerError as problem:
            said = _say_once(screen, problem, said)
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
            said = _say_once(screen, problem, "")
            refused = isinstance(problem, BrokerRefusalError)
            _wait(screen, stop, backoff.slow_s() if refused else backoff.next_s())
        finally:
            connection.leave(timeout_s=1.0)
            connection.drop()


def _say_once(screen: Screen, problem: BrokerError, said: str) -> str:
    """Say a problem, unless it was `said` last; return it."""
    if str(problem) != said:
        screen.say(f"{problem}; trying again")
    return str(problem)


def _wait(screen: Screen, stop: threading.Event, duration_s: float) -> None:
    until_s = time.monotonic() + duration_s
    while (left_s := until_s - time.monotonic()) > 0:
        screen.turn()
        if stop.wait(min(left_s, _TURN_S)):
            return
