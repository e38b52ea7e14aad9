"""Publishing: states that are replaced, and documents that are delivered at least once, in order.

One thread holds the connection; callers only leave things for it, and never wait for the network.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import astuple
from functools import partial

from edge.clock import SYSTEM_CLOCK, Clock, clock_synchronised
from edge.config import MqttSettings
from edge.errors import BrokerError
from edge.publish.answers import Acknowledgement, BrokerRefusal, HungUpError, Received
from edge.publish.broker import Backoff, BrokerAccess, client_id
from edge.publish.caution import Caution, Item, Subscription, key_of
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
    without_snapshot,
)
from edge.publish.outbox.file import StoredDocument
from edge.publish.outbox.outbox import Outbox
from edge.publish.standing import BrokerStanding, SilentBrokerError
from edge.publish.wire import Access, BrokerWire
from edge.telemetry import BrokerState

_log = logging.getLogger(__name__)


REPEAT_S = 60.0
"""At a broker that keeps nothing, states are sent again this often, for late subscribers."""


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
        self._stop = threading.Event()
        self._deadline_s = self._drain_until_s = float("inf")
        self._waker, self._wakes = socket.socketpair()
        self._waker.setblocking(False)
        self._wakes.setblocking(False)
        self._connection: BrokerWire | None = None
        self._in_flight: dict[int, Item] = {}
        """By message id."""
        self._caution = Caution(self._access.lessons, clock)
        self._denied: Subscription | None = None
        """What the broker has denied over this connection."""
        self._has_greeted = False
        self._greeted_s = 0.0
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
        self._heard_s = 0.0
        """When the broker acknowledged something, or had nothing to acknowledge."""
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
            self._delivery.trouble,
            terms.retains,
            terms.qos,
            terms.limits + self._caution.limits,
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
        now_s = self._clock.monotonic_s()
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
                self._stop.wait(self.hold_a_connection())
        except BaseException as error:
            self._failure = error  # told to the next caller: a service without its voice must end
            raise

    def hold_a_connection(self) -> float:
        """Connect, and serve until the connection ends. Returns how long to wait then."""
        try:
            offline = Will(self._topic(AVAILABILITY), self._availability(AvailabilityState.OFFLINE))
            self._connection = self._access.connect(self._client_id, offline)
            self._standing.begin()
            self._serve(self._connection)
        except BrokerError as problem:
            is_searching = self._learn_from(problem)
            return self._standing.end(
                problem, quietly=self._stop.is_set(), is_searching=is_searching
            )
        finally:
            if self._connection is not None:
                self._connection.drop()
            self._connection = None
        return 0.0

    def _learn_from(self, problem: BrokerError) -> bool:
        """A connection has ended, with messages on their way.

        Returns whether that is one step in finding out what the broker hangs up at.
        """
        items = list(self._in_flight.values())
        self._end_clearing(problem)
        self._in_flight.clear()
        refused = None
        if not self._stop.is_set():
            if self._denied is not None and isinstance(problem, HungUpError):
                self._caution.hold(self._denied)  # some say so first, and then hang up
                items = []
            refused = self._caution.end(items, problem, is_waiting=self._delivery.is_waiting)
            if refused is not None:
                self._delivery.settle([], [refused])
        self._delivery.end([item for item in items if isinstance(item, Sent)], problem)
        return self._caution.is_searching or refused is not None

    def _serve(self, connection: BrokerWire) -> None:
        """Send what there is and settle what is acknowledged. Returns after an orderly end."""
        self._in_flight.clear()
        self._delivery.begin()
        self._caution.begin()
        self._denied = None
        self._subscribe(connection)
        self._heard_s = self._clock.monotonic_s()
        self._has_greeted, self._greeted_s = False, self._heard_s
        self.mailbox.renew()
        while not self._is_time_to_leave():
            self._greet(connection)
            self._send_mail(connection)
            wait_s = self._delivery.send(
                self._room(connection), not self._in_flight, partial(self._post, connection)
            )
            self._send_clearing(connection)
            self._turn(connection, wait_s)
        if self._say_stopped(connection):
            connection.leave(timeout_s=max(0.1, self._left_s()))

    def _subscribe(self, connection: BrokerWire) -> None:
        filters = [route.filter for route in self.mailbox.routes]
        wanted = tuple(each for each in filters if not self._caution.is_held(each))
        if wanted and (message_id := connection.subscribe(wanted)) is not None:
            self._in_flight[message_id] = Subscription(wanted)

    def _greet(self, connection: BrokerWire) -> None:
        """Say that we are there, once there is room for it; again where nobody keeps it."""
        now_s = self._clock.monotonic_s()
        if not connection.terms.retains and now_s - self._greeted_s >= REPEAT_S:
            self._has_greeted = False
            self.mailbox.renew()
        if not self._has_greeted and self._room(connection):
            self._send_availability(connection, AvailabilityState.ONLINE)
            self._has_greeted, self._greeted_s = True, now_s

    def _say_stopped(self, connection: BrokerWire) -> bool:
        """Say that we leave. False: the broker gave no room for that, so its will is right."""
        while not self._room(connection) and self._left_s() > 0:
            self._turn(connection, self._left_s())
        if not self._room(connection):
            return False
        stopped = self._send_availability(connection, AvailabilityState.STOPPED)
        while stopped in self._in_flight and self._left_s() > 0:
            self._turn(connection, self._left_s())
        return True

    def _left_s(self) -> float:
        return self._deadline_s - self._clock.monotonic_s()

    def _room(self, connection: BrokerWire) -> int:
        """Return how many messages may be sent now; all are of QoS 1, and all count."""
        return max(0, min(self._caution.window, connection.receive_maximum) - len(self._in_flight))

    def _is_time_to_leave(self) -> bool:
        if not self._stop.is_set():
            return False
        if self._clock.monotonic_s() >= self._drain_until_s:
            return True
        is_idle = not self._in_flight and self.mailbox.is_empty
        return is_idle and self._delivery.is_done

    def _turn(self, connection: BrokerWire, timeout_s: float) -> None:
        if self._stop.is_set():
            timeout_s = max(0.0, min(timeout_s, self._left_s()))
        arrivals = connection.turn(timeout_s, self._wakes)
        with suppress(BlockingIOError):
            self._wakes.recv(4096)
        if arrivals.denial is not None:
            self._standing.tell(f"{arrivals.denial}; nothing is received by it")
        for message_id in arrivals.subscribed:
            match self._in_flight.pop(message_id, None):
                case Subscription() as subscription:
                    self._caution.settle(subscription)
                    self._denied = subscription if arrivals.denial is not None else None
        for message in arrivals.messages:
            self.mailbox.deliver(message)
        now_s = self._clock.monotonic_s()
        if arrivals.acknowledgements or not self._in_flight:
            self._heard_s = now_s
        elif now_s - self._heard_s > self._ack_timeout_s:
            raise SilentBrokerError(
                f"the broker {self._access.name} takes messages, but has acknowledged none for "
                f"{self._ack_timeout_s:g} s"
            )
        self._settle(arrivals.acknowledgements)
        if self._has_greeted and self._topic(AVAILABILITY) not in self._topics_in_flight():
            self._standing.prove(str(connection.version), is_idle=not self._in_flight)

    def _settle(self, acknowledgements: list[Acknowledgement]) -> None:
        """Pass on what has become of the documents, and note what has of the rest."""
        delivered: list[int] = []
        refused: list[tuple[Sent, BrokerRefusal]] = []
        for acknowledgement in acknowledgements:
            item = self._in_flight.pop(acknowledgement.message_id, None)
            if item is None:
                continue
            self._caution.settle(item)
            refusal = acknowledgement.refusal
            if isinstance(item, Sent):
                if refusal is None:
                    delivered.append(item.sequence)
                else:
                    refused.append((item, refusal))
                continue
            if isinstance(item, Retained):
                self.mailbox.settle(item)
            if refusal is not None:
                self._standing.tell(
                    f"the broker {self._access.name} does not take {_name_of(item)}: {refusal}"
                )
        self._delivery.settle(delivered, refused)

    def _send_availability(self, connection: BrokerWire, state: AvailabilityState) -> int | None:
        retained = Retained(self._topic(AVAILABILITY), self._availability(state))
        return self._send(connection, retained, *astuple(retained), retain=True)

    def _send_mail(self, connection: BrokerWire) -> None:
        """Send what is to be retained, each only when its last one has arrived, then the rest."""
        for retained in self.mailbox.due(self._topics_in_flight(), self._room(connection)):
            self._send(connection, retained, *astuple(retained), retain=True)
        while self._room(connection) and (message := self.mailbox.next_once()):
            self._send(connection, message[0], *message)

    def _send_clearing(self, connection: BrokerWire) -> None:
        """Clear a topic when there is nothing else to do: the broker may not take that from us."""
        if not self._in_flight and self.mailbox.is_clearing and self._delivery.is_done:
            for retained in self.mailbox.due((), 1, clearing=True):
                if not connection.terms.retains:  # there is nothing to clear
                    self.mailbox.settle(retained)
                    continue
                self._send(connection, retained, *astuple(retained), retain=True)

    def _end_clearing(self, problem: BrokerError) -> None:
        """A connection has ended; a clearing on whose way two in a row have is given up."""
        if not self._in_flight:
            return
        items = self._in_flight.values()
        clearing = next((i for i in items if isinstance(i, Retained) and not i.payload), None)
        if clearing is not None and clearing == self._suspect:
            self.mailbox.settle(clearing)
            _log.warning(
                "the broker %s does not let us clear %s (%s): it stays",
                self._access.name, clearing.topic, problem,
            )  # fmt: skip
        self._suspect = clearing

    def _topics_in_flight(self) -> set[str]:
        return {item.topic for item in self._in_flight.values() if isinstance(item, Retained)}

    def _post(self, connection: BrokerWire, sent: Sent, document: StoredDocument) -> bool:
        """Send a document; False: it is too large for the broker."""
        return self._send(connection, sent, document.topic, document.payload) is not None

    def _send(
        self,
        connection: BrokerWire,
        item: Item,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
    ) -> int | None:
        """Send a message, without its picture where it is too large with it, or may be.

        Returns its id; None where it is too large all the same, or its topic is held back.
        """
        name = _name_of(item)
        if not isinstance(item, Sent) and self._caution.is_held(topic):
            return None
        if isinstance(item, Sent) and self._caution.is_slimmed(item.sequence):
            payload = without_snapshot(payload)
            _log.warning("%s goes without its picture: the broker hangs up at it", name)
        elif not connection.takes(topic, payload):
            payload = without_snapshot(payload)
            if not connection.takes(topic, payload):
                if not isinstance(item, Sent):
                    self._standing.tell(
                        f"the broker {self._access.name} takes no message as large as {name}"
                    )
                return None
            _log.warning(
                "%s goes without its picture: the broker %s takes at most %d bytes",
                name, self._access.name, connection.maximum_packet_bytes,
            )  # fmt: skip
        message_id = connection.publish(topic, payload, retain=retain)
        self._in_flight[message_id] = item
        return message_id

    def _topic(self, name: str) -> str:
        return topic(self._prefix, self._origin.device_id, name)

    def _availability(self, state: AvailabilityState) -> bytes:
        now, is_right = self._clock.utc(), self._clock_is_right()
        return encode(availability_message(self._origin, state, now, is_right))


def _name_of(item: Item) -> str:
    """Return what a message is called in the log."""
    return f"document {item.sequence}" if isinstance(item, Sent) else str(key_of(item))
