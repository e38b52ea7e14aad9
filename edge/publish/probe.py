"""Trying a broker as the service uses it, so that the verdict is that of the service.

What is left there: nothing. The will is withdrawn by an orderly end, the availability is not
retained, and what is retained is empty, under a topic that never keeps anything.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field

from edge.clock import SYSTEM_CLOCK, clock_synchronised
from edge.config import Settings
from edge.errors import BrokerError
from edge.publish.answers import MqttVersion
from edge.publish.broker import ANSWER_TIMEOUT_S, BrokerAccess, client_id
from edge.publish.connection import Connection, Will
from edge.publish.messages import (
    AVAILABILITY,
    COMMAND,
    RESPONSE,
    AvailabilityState,
    Origin,
    availability_message,
    encode,
    topic,
)
from edge.publish.terms import Terms


@dataclass(slots=True)
class Probe:
    """What a broker lets us do."""

    version: MqttVersion
    terms: Terms
    faults: list[str] = field(default_factory=list)
    """What keeps alerts from arriving, in sentences."""
    hints: list[str] = field(default_factory=list)
    """What is missed, and nothing more."""


def probe_broker(
    settings: Settings,
    origin: Origin,
    *,
    is_alone: bool = True,
    is_online: bool = False,
    timeout_s: float = ANSWER_TIMEOUT_S,
) -> Probe:
    """Connect, subscribe and publish as the service with these settings does, and leave again.

    `is_alone`: no service runs here, so that its client id is free; else another name is used.
    `is_online`: it runs and says so under the same topic. Raises BrokerError, one line that says
    what is wrong: name, network, TLS or credentials; and ConfigError where a file is.
    """
    return _Prober(settings, origin, is_alone, is_online, timeout_s).probe()


class _Prober:
    def __init__(
        self, settings: Settings, origin: Origin, is_alone: bool, is_online: bool, timeout_s: float
    ) -> None:
        self._settings = settings
        self._timeout_s = timeout_s
        self._access = BrokerAccess(settings.mqtt)
        self._client_id = client_id(settings.mqtt, settings.device.id)
        if not is_alone:
            self._client_id = f"tensormask-check-{random.getrandbits(32):08x}"
        self._availability = self._topic(AVAILABILITY)
        at, is_right = SYSTEM_CLOCK.utc(), clock_synchronised()
        offline = availability_message(origin, AvailabilityState.OFFLINE, at, is_right)
        self._will = Will(self._availability, encode(offline))
        now = AvailabilityState.ONLINE if is_online else AvailabilityState.STOPPED
        self._document = encode(availability_message(origin, now, at, is_right))

    def probe(self) -> Probe:
        connection = self._connect()
        found = Probe(connection.version, connection.terms)
        try:
            self._publish(connection, found)
            self._retain(connection, found)
            self._subscribe(connection, found)
            connection.leave(timeout_s=1.0)
        except _OverError:
            pass
        finally:
            connection.drop()
        found.hints[:0] = found.terms.limits
        return found

    def _connect(self) -> Connection:
        """Make the attempts at once that the service makes one after the other."""
        while True:
            try:
                return self._access.connect(self._client_id, self._will, self._timeout_s)
            except BrokerError:
                if not self._access.lessons.is_guess:
                    raise

    def _publish(self, connection: Connection, found: Probe) -> None:
        """Say whether the service is there: that is what it says first."""
        answer = self._ask(connection, connection.publish(self._availability, self._document))
        if answer.problem:
            found.faults.append(f"no permission to publish {self._availability}: {answer.problem}")
        answer.go_on()

    def _subscribe(self, connection: Connection, found: Probe) -> None:
        """Ask for commands, where they are allowed; the service does without, and says so."""
        if not self._settings.commands.allowed:
            return
        wanted = self._topic(f"{COMMAND}/+")
        answer = self._ask(connection, connection.subscribe([wanted]))
        if answer.problem:
            found.hints.append(f"no permission to receive {wanted}: {answer.problem}")
        answer.go_on()

    def _retain(self, connection: Connection, found: Probe) -> None:
        """Clear what is never kept: a broker that keeps nothing may disconnect at that."""
        name = self._topic(RESPONSE)
        answer = self._ask(connection, connection.publish(name, b"", retain=True))
        if answer.problem and answer.is_over and connection.terms.retains:
            found.hints.append(
                f"the broker disconnects at a retained message, {name}: {answer.problem}"
            )
        elif answer.problem and self._settings.commands.allowed:
            found.hints.append(f"no permission to publish {name}: {answer.problem}")
        answer.go_on()

    def _ask(self, connection: Connection, message_id: int | None) -> _Answer:
        """Wait for what the broker says to a message."""
        until_s = time.monotonic() + self._timeout_s
        try:
            while (left_s := until_s - time.monotonic()) > 0:
                arrivals = connection.turn(left_s)
                if message_id in arrivals.subscribed:
                    return _Answer(arrivals.denial or "")
                for answer in arrivals.acknowledgements:
                    if answer.message_id == message_id:
                        refusal = "" if answer.refusal is None else str(answer.refusal)
                        return _Answer(refusal)
        except BrokerError as error:
            return _Answer(str(error), is_over=True)
        return _Answer(f"no acknowledgement within {self._timeout_s:g} s", is_over=True)

    def _topic(self, name: str) -> str:
        return topic(self._settings.mqtt.topic_prefix, self._settings.device.id, name)


class _OverError(Exception):
    """The connection is over, and what was to be said of it is said."""


@dataclass(frozen=True, slots=True)
class _Answer:
    problem: str
    """Empty: none."""
    is_over: bool = False

    def go_on(self) -> None:
        """Raises _OverError where there is nothing to go on with."""
        if self.is_over:
            raise _OverError
