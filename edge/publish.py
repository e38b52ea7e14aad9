"""Publishing: states that are replaced, and documents that are delivered at least once, in order.

One thread holds the connection; callers only leave things for it, and never wait for the network.
"""

from __future__ import annotations

import logging
import random
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

from edge.broker import (
    MAX_BACKOFF_S,
    Acknowledgement,
    Backoff,
    BrokerAccess,
    BrokerRefusalError,
    Connection,
    Received,
    Will,
)
from edge.clock import SYSTEM_CLOCK, Clock
from edge.commands import MAX_PAYLOAD_BYTES
from edge.config import MqttSettings
from edge.errors import BrokerError, OutboxError
from edge.health import clock_synchronised
from edge.messages import (
    AVAILABILITY,
    COMMAND,
    RESPONSE,
    AvailabilityState,
    Origin,
    availability_message,
    encode,
    topic,
)
from edge.spool import Document, Outbox

_log = logging.getLogger(__name__)

WINDOW = 20
"""How many messages may be on their way: enough to hide the latency, few enough to pace."""
_STABLE_S = 10.0
"""A connection that lasts so long was a good one: the next back-off starts small again. Two clients
that throw each other out never get there, so they slow down."""
_THROWN_OUT = 4
"""So many short connections in a row, without a failed attempt between them, are no accident."""
_TURN_S = 1.0
_MAX_LEFT = 16
"""Commands that wait to be taken, and responses that wait to be sent; the newest are dropped."""


class MqttPublisher:
    """Delivers to the broker through all outages. Its methods may be called from any thread."""

    def __init__(
        self,
        settings: MqttSettings,
        origin: Origin,
        outbox: Outbox,
        clock: Clock = SYSTEM_CLOCK,
        clock_is_right: Callable[[], bool] = clock_synchronised,
        backoff: Backoff | None = None,
        listens: bool = False,
    ) -> None:
        """`listens`: commands are received. Raises ConfigError where a password or certificate
        cannot be used.
        """
        self._access = BrokerAccess(settings)
        self._client_id = client_id(settings, origin.device_id)
        self._prefix = settings.topic_prefix
        self._origin = origin
        self._outbox = outbox
        self._clock = clock
        self._clock_is_right = clock_is_right
        self._backoff = backoff or Backoff()
        self._states: dict[str, bytes] = {}
        self._unsent: set[str] = set()
        self._states_lock = threading.Lock()
        self._listens = listens
        self._commands: deque[Received] = deque()
        self._responses: deque[bytes] = deque()
        self._settled: set[int] = set()
        """Acknowledged by the broker, but not yet deleted on disk."""
        self._stop = threading.Event()
        self._deadline_s = self._drain_until_s = float("inf")
        self._waker, self._wakes = socket.socketpair()
        self._waker.setblocking(False)
        self._wakes.setblocking(False)
        self._connection: Connection | None = None
        self._in_flight: dict[int, int | str] = {}
        """By message id: the sequence of a document, or the name of a state."""
        self._last_sent = 0
        self._connections = 0
        self._protocol = "none"
        self._lost_s = time.monotonic()
        self._short_lived = 0
        self._told: set[str] = set()
        self._disk_trouble = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="publish", daemon=True)

    @property
    def connected(self) -> bool:
        return self._connection is not None

    @property
    def reconnects(self) -> int:
        """Connections after the first."""
        return max(0, self._connections - 1)

    @property
    def protocol(self) -> str:
        """What is or was last spoken: `MQTT 5` or `MQTT 3.1.1`; `none` before the first time."""
        return self._protocol

    def start(self) -> None:
        """Begin to connect, and return at once."""
        self._thread.start()

    def publish_state(self, name: str, payload: bytes) -> None:
        """Retain `payload` under the last topic level `name`, now or when the broker is back.

        Only the latest payload of a name is kept; names are few and fixed.
        """
        with self._states_lock:
            self._states[name] = payload
            self._unsent.add(name)
        self.wake()

    def respond(self, payload: bytes) -> None:
        """Send the response to a command once, if the broker is there or comes back."""
        if len(self._responses) < _MAX_LEFT:
            self._responses.append(payload)
        self.wake()

    def take_commands(self) -> Iterator[Received]:
        """Return what has come on the topics of commands, each message once.

        A payload is cut off when it is longer than any command.
        """
        while self._commands:
            yield self._commands.popleft()

    def wake(self) -> None:
        """Say that the outbox has something new."""
        if self._failure is not None:
            raise RuntimeError("the publishing thread has died") from self._failure
        with suppress(OSError):  # so many wakes are waiting already, or it is closed
            self._waker.send(b"\0")

    def close(self, timeout_s: float = 3.0) -> None:
        """Deliver what fits in half of `timeout_s`, say `stopped`, and disconnect.

        Returns after `timeout_s` at the latest. What was not acknowledged stays in the outbox.
        """
        now_s = time.monotonic()
        self._drain_until_s, self._deadline_s = now_s + timeout_s / 2, now_s + timeout_s
        self._stop.set()
        with suppress(OSError):
            self._waker.send(b"\0")
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        if not self._thread.is_alive():
            self._waker.close()
            self._wakes.close()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._stop.wait(self._hold_a_connection())
        except BaseException as error:
            self._failure = error  # told to the next caller: a service without its voice must end
            raise

    def _hold_a_connection(self) -> float:
        """Connect, and serve until the connection ends. Returns how long to wait then."""
        connected_s = None
        try:
            offline = Will(self._topic(AVAILABILITY), self._availability(AvailabilityState.OFFLINE))
            self._connection = self._access.connect(self._client_id, offline)
            connected_s = time.monotonic()
            self._tell_back(self._connection)
            self._serve(self._connection)
        except BrokerError as problem:
            self._tell_lost(problem)
            self._judge_end_of(connected_s)
            refused = isinstance(problem, BrokerRefusalError)
            return self._backoff.slow_s() if refused else self._backoff.next_s()
        finally:
            if self._connection is not None:
                self._connection.drop()
            self._connection = None
        return 0.0

    def _judge_end_of(self, connected_s: float | None) -> None:
        """Learn from a connection that began at `connected_s`; None: the attempt failed."""
        if connected_s is None:
            self._short_lived = 0
            return
        self._lost_s = time.monotonic()
        if self._lost_s - connected_s >= _STABLE_S:
            self._short_lived = 0
            self._backoff.reset()
            return
        # MQTT 5 has a reason code for a client id that is used twice, but Mosquitto 2.0.11 does not
        # send it, and MQTT 3.1.1 has none.
        self._short_lived += 1
        if self._short_lived == _THROWN_OUT:
            _log.warning(
                "the broker %s has ended %d connections within seconds; does another client use "
                "our client id, %s?",
                self._access.name,
                _THROWN_OUT,
                self._client_id,
            )

    def _serve(self, connection: Connection) -> None:
        """Send what there is and settle what is acknowledged. Returns after an orderly end."""
        self._in_flight.clear()
        self._last_sent = 0
        if self._listens:
            connection.subscribe([self._topic(f"{COMMAND}/+")])
        self._send_state(connection, AVAILABILITY, self._availability(AvailabilityState.ONLINE))
        with self._states_lock:
            self._unsent = set(self._states)
        while not self._is_time_to_leave():
            self._send_states(connection)
            self._send_responses(connection)
            self._send_documents(connection)
            self._turn(connection, _TURN_S)
        stopped = self._send_state(
            connection, AVAILABILITY, self._availability(AvailabilityState.STOPPED)
        )
        while stopped in self._in_flight and (left_s := self._deadline_s - time.monotonic()) > 0:
            self._turn(connection, left_s)
        connection.leave(timeout_s=max(0.1, self._deadline_s - time.monotonic()))

    def _is_time_to_leave(self) -> bool:
        if not self._stop.is_set():
            return False
        if time.monotonic() >= self._drain_until_s:
            return True
        on_the_way = self._in_flight or self._unsent or self._responses
        return not on_the_way and not self._waiting(1)

    def _turn(self, connection: Connection, timeout_s: float) -> None:
        if self._stop.is_set():
            timeout_s = max(0.0, min(timeout_s, self._deadline_s - time.monotonic()))
        arrivals = connection.turn(timeout_s, self._wakes)
        with suppress(BlockingIOError):
            self._wakes.recv(4096)
        if arrivals.denial is not None:
            self._tell(f"{arrivals.denial}; no commands are received")
        for message in arrivals.messages:
            if len(self._commands) < _MAX_LEFT:
                cut_off = message.payload[: MAX_PAYLOAD_BYTES + 1]
                self._commands.append(replace(message, payload=cut_off))
        for acknowledgement in arrivals.acknowledgements:
            self._settle(acknowledgement)
        if self._settled:
            try:
                self._outbox.acknowledge(self._settled)
            except OutboxError as error:
                # They stay noted, and are deleted when the disk is well again.
                self._tell_disk_trouble(error)
            else:
                self._settled.clear()
                self._disk_trouble = False

    def _settle(self, acknowledgement: Acknowledgement) -> None:
        item = self._in_flight.pop(acknowledgement.message_id, None)
        refusal = acknowledgement.refusal
        if isinstance(item, int):
            if refusal is not None:
                raise BrokerRefusalError(
                    f"the broker {self._access.name} does not take document {item} ({refusal}); "
                    "check its access rules: the outbox waits"
                )
            self._settled.add(item)
        elif refusal is not None:
            self._tell(f"the broker {self._access.name} does not take {item}: {refusal}")

    def _send_state(self, connection: Connection, name: str, payload: bytes) -> int:
        message_id = connection.publish(self._topic(name), payload, retain=True)
        self._in_flight[message_id] = name
        return message_id

    def _send_states(self, connection: Connection) -> None:
        """Send the states that have changed, each only when its last one has arrived."""
        with self._states_lock:
            due = {name: self._states[name] for name in self._unsent - set(self._names_in_flight())}
            self._unsent -= set(due)
        for name, payload in due.items():
            self._send_state(connection, name, payload)

    def _send_responses(self, connection: Connection) -> None:
        while self._responses and len(self._in_flight) < connection.receive_maximum:
            message_id = connection.publish(self._topic(RESPONSE), self._responses.popleft())
            self._in_flight[message_id] = RESPONSE

    def _names_in_flight(self) -> list[str]:
        return [item for item in self._in_flight.values() if isinstance(item, str)]

    def _send_documents(self, connection: Connection) -> None:
        room = min(WINDOW, connection.receive_maximum) - len(self._in_flight)
        for document in self._waiting(room):
            self._last_sent = document.sequence
            if document.sequence not in self._settled:
                message_id = connection.publish(document.topic, document.payload)
                self._in_flight[message_id] = document.sequence

    def _waiting(self, limit: int) -> list[Document]:
        """Return the next documents that this connection has not sent."""
        if limit <= 0:
            return []
        try:
            return self._outbox.pending(limit, after=self._last_sent)
        except OutboxError as error:
            self._tell_disk_trouble(error)
            return []

    def _topic(self, name: str) -> str:
        return topic(self._prefix, self._origin.device_id, name)

    def _availability(self, state: AvailabilityState) -> bytes:
        now, is_right = self._clock.utc(), self._clock_is_right()
        return encode(availability_message(self._origin, state, now, is_right))

    def _tell_back(self, connection: Connection) -> None:
        self._connections += 1
        self._protocol = str(connection.version)
        self._told.clear()
        if self._connections == 1:
            _log.info("connected to the broker %s with %s", self._access.name, self._protocol)
        else:
            away_s = time.monotonic() - self._lost_s
            _log.info("the broker %s is back after %.1f s", self._access.name, away_s)

    def _tell_lost(self, problem: BrokerError) -> None:
        if not self._stop.is_set():
            self._tell(f"{problem}; trying again, at least every {MAX_BACKOFF_S:.0f} s")

    def _tell(self, problem: str) -> None:
        """Say each problem of an outage, or of a connection, once."""
        if problem not in self._told:
            self._told.add(problem)
            _log.warning("%s", problem)

    def _tell_disk_trouble(self, error: OutboxError) -> None:
        if not self._disk_trouble:
            self._disk_trouble = True
            _log.error("%s", error)


def client_id(settings: MqttSettings, device_id: str) -> str:
    """Return what we call ourselves to the broker; two clients with one id throw each other out."""
    return settings.client_id or f"tensormask-{device_id}"


def probe_broker(settings: MqttSettings, timeout_s: float = 5.0) -> str:
    """Connect under a name of its own and leave again; return the version of MQTT spoken.

    Raises BrokerError, one line that says what is wrong: name, network, TLS or credentials; and
    ConfigError where a file is.
    """
    access = BrokerAccess(settings)
    connection = access.connect(f"tensormask-check-{random.getrandbits(32):08x}", None, timeout_s)
    connection.leave(timeout_s=1.0)
    return str(connection.version)
