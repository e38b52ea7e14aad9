"""Publishing: states that are replaced, and documents that are delivered at least once, in order.

One thread holds the connection; callers only leave things for it, and never wait for the network.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from edge.clock import SYSTEM_CLOCK, Clock, clock_synchronised
from edge.config import MqttSettings
from edge.errors import BrokerError
from edge.publish.answers import DisconnectedError, Received
from edge.publish.broker import Backoff, BrokerAccess, client_id
from edge.publish.caution import Caution, Item
from edge.publish.connection import Will
from edge.publish.delivery import Delivery, Sent
from edge.publish.mailbox import Mailbox, Retained, Route
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
from edge.publish.session import BrokerSession, Leave, Presence
from edge.publish.standing import BrokerStanding
from edge.publish.wire import Access, BrokerWire
from edge.telemetry import BrokerState

_log = logging.getLogger(__name__)


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
        routes: Sequence[Route] = (),
        access: Access | None = None,
    ) -> None:
        """Commands longer than `max_command_bytes` are cut off there; 0: none are received. What
        comes by other `routes` is taken from the mailbox. Raises ConfigError where a password or
        certificate cannot be used.
        """
        self._access = access or BrokerAccess(settings, clock)
        self._client_id = client_id(settings, origin.device_id)
        self._prefix = settings.topic_prefix
        self._origin = origin
        self._clock = clock
        self._clock_is_right = clock_is_right
        backoff = backoff or Backoff()
        self._standing = BrokerStanding(self._access.name, self._client_id, backoff, clock)
        self._commands = Route(self._topic(f"{COMMAND}/+"), max_command_bytes)
        self.mailbox = Mailbox([self._commands, *routes] if max_command_bytes else routes)
        self._leave = Leave(clock)
        self._waker, self._wakes = socket.socketpair()
        self._waker.setblocking(False)
        self._wakes.setblocking(False)
        self._connection: BrokerWire | None = None
        self._caution = Caution(self._access.lessons, clock)
        self._presence = Presence(self._access.name, self._topic(AVAILABILITY), self._availability)
        self._delivery = Delivery(
            outbox,
            self._topic(""),
            settings.replay_per_s,
            self._access.name,
            self._standing,
            backoff,
            clock,
        )
        self._suspect: Retained | None = None
        """The clearing that was on its way when the last connection ended."""
        self._ack_timeout_s = settings.ack_timeout_s
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="publish", daemon=True)

    @property
    def connected(self) -> bool:
        """Whether there is a connection, to a broker that was not silent the last time."""
        return self._connection is not None and not self._standing.is_silent

    @property
    def state(self) -> BrokerState:
        """How we stand with the broker."""
        standing, terms = self._standing, self._access.lessons.known
        return BrokerState(
            self.connected,
            standing.reconnects,
            standing.protocol,
            standing.trouble,
            self._delivery.trouble or standing.refusal,
            terms.retains,
            terms.qos,
            terms.limits + self._caution.limits + standing.limits,
        )

    def start(self) -> None:
        """Begin to connect, and return at once."""
        self._thread.start()

    def publish_state(self, name: str, payload: bytes) -> None:
        """Retain `payload` under the last level `name` of our topic."""
        self.publish_retained(Retained(self._topic(name), payload))

    def publish_retained(self, retained: Retained) -> None:
        """Have the broker keep a document under any topic, now or when it is back.

        Only the latest of a topic counts; topics are few.
        """
        self.mailbox.retain(retained)
        self.wake()

    def respond(self, payload: bytes) -> None:
        """Send the response to a command once, if the broker is there or comes back."""
        self.mailbox.post(self._topic(RESPONSE), payload)
        self.wake()

    def take_commands(self) -> Iterator[Received]:
        """Return what has come on the topics of commands, each message once."""
        return self.mailbox.take(self._commands) if self._commands.max_bytes else iter(())

    def wake(self) -> None:
        """Say that the outbox has something new."""
        if self._failure is not None:
            raise RuntimeError("the publishing thread has died") from self._failure
        with suppress(OSError):  # so many wakes are waiting already, or it is closed
            self._waker.send(b"\0")

    def close(self, timeout_s: float = 3.0) -> None:
        """Deliver what fits in half of `timeout_s`, say `stopped`, and disconnect.

        Returns after `timeout_s` at the latest, and never raises, even where the thread has died or
        it is closed already. What was not acknowledged stays in the outbox.
        """
        self._leave.ask(timeout_s)
        with suppress(OSError):
            self._waker.send(b"\0")
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        if not self._thread.is_alive():
            self._waker.close()
            self._wakes.close()

    def _run(self) -> None:
        try:
            while not self._leave.is_asked:
                self._leave.wait(self.hold_a_connection())
        except BaseException as error:
            self._failure = error  # raised in the next caller: a service that is cut off must end
            raise

    def hold_a_connection(self) -> float:
        """Connect, and serve until the connection ends. Returns how long to wait then."""
        session = None
        try:
            offline = self._presence.payload(AvailabilityState.OFFLINE)
            will = Will(self._presence.topic, offline)
            self._connection = self._access.connect(self._client_id, will)
            self._standing.begin()
            session = self._session_over(self._connection)
            session.serve()
        except BrokerError as problem:
            is_searching = self._learn_from(problem, session)
            return self._standing.end(
                problem, quietly=self._leave.is_asked, is_searching=is_searching
            )
        finally:
            if self._connection is not None:
                self._connection.drop()
            self._connection = None
        return 0.0

    def _session_over(self, connection: BrokerWire) -> BrokerSession:
        return BrokerSession(
            connection,
            self.mailbox,
            self._delivery,
            self._caution,
            self._standing,
            self._presence,
            self._leave,
            self._wakes,
            self._clock,
            self._ack_timeout_s,
        )

    def _learn_from(self, problem: BrokerError, session: BrokerSession | None) -> bool:
        """A connection has ended, with messages on their way; None: there was none.

        Returns whether that is one step in finding out what makes the broker disconnect.
        """
        items = [] if session is None else list(session.in_flight.values())
        self._end_clearing(items, problem)
        refused = None
        if not self._leave.is_asked:
            denied = None if session is None else session.denied
            if denied is not None and isinstance(problem, DisconnectedError):
                self._caution.hold(denied)  # some say so first, and then disconnect
                items = []
            refused = self._caution.end(items, problem, is_waiting=self._delivery.is_waiting)
            if refused is not None:
                self._delivery.settle([], [refused])
        self._delivery.end([item for item in items if isinstance(item, Sent)], problem)
        return self._caution.is_searching or refused is not None

    def _end_clearing(self, items: Sequence[Item], problem: BrokerError) -> None:
        """A connection has ended; a clearing on whose way two in a row have is given up."""
        if not items:
            return
        clearing = next((i for i in items if isinstance(i, Retained) and not i.payload), None)
        if clearing is not None and clearing == self._suspect:
            self.mailbox.settle(clearing)
            _log.warning(
                "the broker %s rejected clearing %s (%s): the message stays",
                self._access.name, clearing.topic, problem,
            )  # fmt: skip
        self._suspect = clearing

    def _topic(self, name: str) -> str:
        return topic(self._prefix, self._origin.device_id, name)

    def _availability(self, state: AvailabilityState) -> bytes:
        now, is_right = self._clock.utc(), self._clock_is_right()
        return encode(availability_message(self._origin, state, now, is_right))
