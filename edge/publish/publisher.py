"""Publishing: states that are replaced, and documents that are delivered at least once, in order.

One thread holds the connection; callers only leave things for it, and never wait for the network.
"""

from __future__ import annotations

import random
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

from edge.clock import SYSTEM_CLOCK, Clock, clock_synchronised
from edge.config import MqttSettings
from edge.errors import BrokerError
from edge.host.bucket import TokenBucket
from edge.publish.broker import (
    Acknowledgement,
    Backoff,
    BrokerAccess,
    BrokerRefusalError,
    Connection,
    Received,
    Will,
)
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
from edge.publish.outbox.outbox import Outbox
from edge.publish.standing import SilentBrokerError, Standing

WINDOW = 20
"""How many messages may be on their way: enough to hide the latency."""
_TURN_S = 1.0
_BURST_S = 0.1
"""So much of a backlog's pace may go at once."""
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
        max_command_bytes: int = 0,
    ) -> None:
        """Commands longer than `max_command_bytes` are cut off there; 0: none are received. Raises
        ConfigError where a password or certificate cannot be used.
        """
        self._access = BrokerAccess(settings)
        self._client_id = client_id(settings, origin.device_id)
        self._prefix = settings.topic_prefix
        self._origin = origin
        self._outbox = outbox
        self._clock = clock
        self._clock_is_right = clock_is_right
        self._standing = Standing(self._access.name, self._client_id, backoff or Backoff())
        self._states: dict[str, bytes] = {}
        self._unsent: set[str] = set()
        self._states_lock = threading.Lock()
        self._max_command_bytes = max_command_bytes
        self._commands: deque[Received] = deque()
        self._responses: deque[bytes] = deque()
        self._stop = threading.Event()
        self._deadline_s = self._drain_until_s = float("inf")
        self._waker, self._wakes = socket.socketpair()
        self._waker.setblocking(False)
        self._wakes.setblocking(False)
        self._connection: Connection | None = None
        self._in_flight: dict[int, int | str] = {}
        """By message id: the sequence of a document, or the name of a state."""
        self._last_sent = 0
        self._bucket = TokenBucket(
            settings.replay_per_s, max(1.0, settings.replay_per_s * _BURST_S)
        )
        self._ack_timeout_s = settings.ack_timeout_s
        self._heard_s = 0.0
        """When the broker acknowledged something, or had nothing to acknowledge."""
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="publish", daemon=True)

    @property
    def connected(self) -> bool:
        """Whether there is a connection, to a broker that was not silent the last time."""
        return self._connection is not None and not self._standing.is_silent

    @property
    def reconnects(self) -> int:
        """Connections after the first that proved good."""
        return self._standing.reconnects

    @property
    def protocol(self) -> str:
        """What is or was last spoken: `MQTT 5` or `MQTT 3.1.1`; `none` before the first time."""
        return self._standing.protocol

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
        # Hanging up takes a moment, too.
        self._drain_until_s, self._deadline_s = now_s + 0.5 * timeout_s, now_s + 0.8 * timeout_s
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
        try:
            offline = Will(self._topic(AVAILABILITY), self._availability(AvailabilityState.OFFLINE))
            self._connection = self._access.connect(self._client_id, offline)
            self._standing.begin()
            self._serve(self._connection)
        except BrokerError as problem:
            return self._standing.end(problem, quietly=self._stop.is_set())
        finally:
            if self._connection is not None:
                self._connection.drop()
            self._connection = None
        return 0.0

    def _serve(self, connection: Connection) -> None:
        """Send what there is and settle what is acknowledged. Returns after an orderly end."""
        self._in_flight.clear()
        self._last_sent = 0
        if self._max_command_bytes:
            connection.subscribe([self._topic(f"{COMMAND}/+")])
        self._heard_s = time.monotonic()
        self._send_state(connection, AVAILABILITY, self._availability(AvailabilityState.ONLINE))
        with self._states_lock:
            self._unsent = set(self._states)
        while not self._is_time_to_leave():
            self._send_states(connection)
            self._send_responses(connection)
            self._turn(connection, self._send_documents(connection))
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
        return not on_the_way and not self._outbox.pending(1)

    def _turn(self, connection: Connection, timeout_s: float) -> None:
        if self._stop.is_set():
            timeout_s = max(0.0, min(timeout_s, self._deadline_s - time.monotonic()))
        arrivals = connection.turn(timeout_s, self._wakes)
        with suppress(BlockingIOError):
            self._wakes.recv(4096)
        if arrivals.denial is not None:
            self._standing.tell(f"{arrivals.denial}; no commands are received")
        for message in arrivals.messages:
            if len(self._commands) < _MAX_LEFT:
                cut_off = message.payload[: self._max_command_bytes + 1]
                self._commands.append(replace(message, payload=cut_off))
        now_s = time.monotonic()
        if arrivals.acknowledgements or not self._in_flight:
            self._heard_s = now_s
        elif now_s - self._heard_s > self._ack_timeout_s:
            raise SilentBrokerError(
                f"the broker {self._access.name} takes messages, but has acknowledged none for "
                f"{self._ack_timeout_s:g} s"
            )
        delivered = [
            self._settled(acknowledgement) for acknowledgement in arrivals.acknowledgements
        ]
        self._outbox.acknowledge(sequence for sequence in delivered if sequence is not None)
        if AVAILABILITY not in self._in_flight.values():
            self._standing.prove(str(connection.version), is_idle=not self._in_flight)

    def _settled(self, acknowledgement: Acknowledgement) -> int | None:
        """Return the sequence of the document that has arrived; None for a state."""
        item = self._in_flight.pop(acknowledgement.message_id, None)
        refusal = acknowledgement.refusal
        if isinstance(item, int):
            if refusal is not None:
                raise BrokerRefusalError(
                    f"the broker {self._access.name} does not take document {item} ({refusal}); "
                    "check its access rules: the outbox waits"
                )
            return item
        if refusal is not None:
            self._standing.tell(f"the broker {self._access.name} does not take {item}: {refusal}")
        return None

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

    def _send_documents(self, connection: Connection) -> float:
        """Send what window and pace allow. Returns how long to wait for more at most."""
        if not self._in_flight:
            # From the start: a disk that could not be read may have given back older ones.
            self._last_sent = 0
        window = min(WINDOW, connection.receive_maximum) - len(self._in_flight)
        ready = self._bucket.ready(time.monotonic())
        documents = self._outbox.pending(min(window, ready), after=self._last_sent)
        for document in documents:
            self._last_sent = document.sequence
            message_id = connection.publish(document.topic, document.payload)
            self._in_flight[message_id] = document.sequence
        self._bucket.spend(len(documents))
        is_held_back = ready < window and len(documents) == ready
        return min(_TURN_S, self._bucket.wait_s()) if is_held_back else _TURN_S

    def _topic(self, name: str) -> str:
        return topic(self._prefix, self._origin.device_id, name)

    def _availability(self, state: AvailabilityState) -> bytes:
        now, is_right = self._clock.utc(), self._clock_is_right()
        return encode(availability_message(self._origin, state, now, is_right))


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
