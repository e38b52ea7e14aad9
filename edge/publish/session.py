"""One connection to the broker: what is on its way over it, and what becomes of that."""

from __future__ import annotations

import logging
import math
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import astuple, dataclass, field

from edge.clock import Clock
from edge.publish.answers import Acknowledgement, BrokerRefusal
from edge.publish.caution import Caution, Item, Subscription, key_of
from edge.publish.delivery import Delivery, Sent
from edge.publish.mailbox import Entrusted, Mailbox, Retained, Route
from edge.publish.messages import AvailabilityState, without_snapshot
from edge.publish.outbox.rows import StoredDocument
from edge.publish.standing import BrokerStanding, SilentBrokerError
from edge.publish.wire import BrokerWire

_log = logging.getLogger(__name__)

REPEAT_S = 60.0
"""At a broker that keeps nothing, states are sent again this often, for late subscribers."""


class Leave:
    """When to go; another thread asks for it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asked = threading.Event()
        self._drain_until_s = self._until_s = math.inf

    def ask(self, timeout_s: float) -> None:
        """Have what fits in half of `timeout_s` delivered first."""
        now_s = self._clock.monotonic_s()
        # Hanging up takes a moment, too.
        self._drain_until_s, self._until_s = now_s + 0.5 * timeout_s, now_s + 0.8 * timeout_s
        self._asked.set()

    @property
    def is_asked(self) -> bool:
        return self._asked.is_set()

    @property
    def is_drained(self) -> bool:
        """Return whether the time for deliveries is over."""
        return self._clock.monotonic_s() >= self._drain_until_s

    def left_s(self) -> float:
        return self._until_s - self._clock.monotonic_s()

    def wait(self, timeout_s: float) -> None:
        """Wait until it is asked for, but no longer than that."""
        self._asked.wait(timeout_s)


@dataclass(frozen=True, slots=True)
class Presence:
    """How it is said whether we are there, and to which broker."""

    broker: str
    topic: str
    payload: Callable[[AvailabilityState], bytes]


@dataclass(slots=True)
class BrokerSession:
    """Serves one connection, until it ends or it is time to leave."""

    _connection: BrokerWire
    _mailbox: Mailbox
    _delivery: Delivery
    _caution: Caution
    _standing: BrokerStanding
    _presence: Presence
    _leave: Leave
    _wakes: socket.socket
    _clock: Clock
    _ack_timeout_s: float
    in_flight: dict[int, Item] = field(default_factory=dict)
    """What is on its way, by message id."""
    denied: Subscription | None = None
    """What the broker has denied."""
    _unasked: list[Route] = field(default_factory=list)
    """What is not subscribed to yet."""
    _has_greeted: bool = False
    _greeted_s: float = 0.0
    _heard_s: float = 0.0
    """When the broker acknowledged something, or had nothing to acknowledge."""

    def serve(self) -> None:
        """Send what there is and settle what is acknowledged. Returns after an orderly end."""
        self._delivery.begin()
        self._caution.begin()
        self._unasked = list(self._mailbox.routes)
        self._heard_s = self._greeted_s = self._clock.monotonic_s()
        self._mailbox.renew()
        while not self._is_time_to_leave():
            self._subscribe()
            self._greet()
            self._send_mail()
            wait_s = self._delivery.send(self._room(), not self.in_flight, self._post)
            self._send_clearing()
            self._turn(wait_s)
        if self._say_stopped():
            self._connection.leave(timeout_s=max(0.1, self._leave.left_s()))

    def _subscribe(self) -> None:
        """Ask for each route by itself: one that is denied, or not used, takes no other with it."""
        while self._unasked and self._room():
            wanted = self._unasked.pop(0).filter
            if self._caution.is_held(wanted):
                continue
            if (message_id := self._connection.subscribe((wanted,))) is not None:
                self.in_flight[message_id] = Subscription((wanted,))

    def _greet(self) -> None:
        """Say that we are there, once there is room for it; again where nobody keeps it."""
        now_s = self._clock.monotonic_s()
        if not self._connection.terms.retains and now_s - self._greeted_s >= REPEAT_S:
            self._has_greeted = False
            self._mailbox.renew()
        if not self._has_greeted and self._room():
            self._send_availability(AvailabilityState.ONLINE)
            self._has_greeted, self._greeted_s = True, now_s

    def _say_stopped(self) -> bool:
        """Say that we leave. False: the broker gave no room for that, so its will is right."""
        while not self._room() and self._leave.left_s() > 0:
            self._turn(self._leave.left_s())
        if not self._room():
            return False
        stopped = self._send_availability(AvailabilityState.STOPPED)
        while stopped in self.in_flight and self._leave.left_s() > 0:
            self._turn(self._leave.left_s())
        return True

    def _is_time_to_leave(self) -> bool:
        if not self._leave.is_asked:
            return False
        if self._leave.is_drained:
            return True
        is_idle = not self.in_flight and self._mailbox.is_empty
        return is_idle and self._delivery.is_done

    def _turn(self, timeout_s: float) -> None:
        if self._leave.is_asked:
            timeout_s = max(0.0, min(timeout_s, self._leave.left_s()))
        arrivals = self._connection.turn(timeout_s, self._wakes)
        with suppress(BlockingIOError):
            self._wakes.recv(4096)
        for message_id in arrivals.subscribed:
            match self.in_flight.pop(message_id, None):
                case Subscription() as subscription:
                    self._caution.settle(subscription)
                    if message_id in arrivals.denied:
                        self.denied = subscription
                        what = key_of(subscription)
                        self._standing.tell(f"{arrivals.denial}; nothing is received from {what}")
        for message in arrivals.messages:
            self._mailbox.deliver(message)
        now_s = self._clock.monotonic_s()
        if arrivals.acknowledgements or not self.in_flight:
            self._heard_s = now_s
        elif now_s - self._heard_s > self._ack_timeout_s:
            raise SilentBrokerError(
                f"the broker {self._presence.broker} takes messages, but has acknowledged none for "
                f"{self._ack_timeout_s:g} s"
            )
        self._settle(arrivals.acknowledgements)
        if self._has_greeted and self._presence.topic not in self._topics_in_flight():
            self._standing.prove(str(self._connection.version), is_idle=not self.in_flight)

    def _settle(self, acknowledgements: list[Acknowledgement]) -> None:
        """Pass on what has become of the documents, and note what has of the rest."""
        delivered: list[int] = []
        refused: list[tuple[Sent, BrokerRefusal]] = []
        for acknowledgement in acknowledgements:
            item = self.in_flight.pop(acknowledgement.message_id, None)
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
            if isinstance(item, Retained) or (isinstance(item, Entrusted) and refusal is None):
                self._mailbox.settle(item)
            text = "" if refusal is None else f"does not take {_name_of(item)}: {refusal}"
            is_presence = isinstance(item, Retained) and item.topic == self._presence.topic
            self._standing.note(_name_of(item), text, is_presence=is_presence)
        self._delivery.settle(delivered, refused)

    def _send_availability(self, state: AvailabilityState) -> int | None:
        retained = Retained(self._presence.topic, self._presence.payload(state))
        return self._send(retained, *astuple(retained), retain=True)

    def _send_mail(self) -> None:
        """Send the latest of each topic, only when its last one has arrived, then the rest."""
        for latest in self._mailbox.due(self._topics_in_flight(), self._room()):
            self._send(latest, *astuple(latest), retain=isinstance(latest, Retained))
        while self._room() and (message := self._mailbox.next_once()):
            self._send(message[0], *message)

    def _send_clearing(self) -> None:
        """Clear a topic when there is nothing else to do: the broker may not take that from us."""
        if not self.in_flight and self._mailbox.is_clearing and self._delivery.is_done:
            for retained in self._mailbox.due((), 1, clearing=True):
                if not self._connection.terms.retains:  # there is nothing to clear
                    self._mailbox.settle(retained)
                    continue
                self._send(retained, *astuple(retained), retain=True)

    def _room(self) -> int:
        """Return how many messages may be sent now; all are of QoS 1, and all count."""
        return max(
            0, min(self._caution.window, self._connection.receive_maximum) - len(self.in_flight)
        )

    def _topics_in_flight(self) -> set[str]:
        items = self.in_flight.values()
        return {item.topic for item in items if isinstance(item, Retained | Entrusted)}

    def _post(self, sent: Sent, document: StoredDocument) -> bool:
        """Send a document; False: it is too large for the broker."""
        return self._send(sent, document.topic, document.payload) is not None

    def _send(
        self,
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
            _log.warning("%s is sent without its picture: the broker disconnects at it", name)
        elif not self._connection.takes(topic, payload):
            payload = without_snapshot(payload)
            if not self._connection.takes(topic, payload):
                if not isinstance(item, Sent):
                    self._standing.tell(
                        f"the broker {self._presence.broker} does not take a message as large as "
                        f"{name}"
                    )
                return None
            _log.warning(
                "%s is sent without its picture: the broker %s takes at most %d bytes",
                name, self._presence.broker, self._connection.maximum_packet_bytes,
            )  # fmt: skip
        message_id = self._connection.publish(topic, payload, retain=retain)
        self.in_flight[message_id] = item
        return message_id


def _name_of(item: Item) -> str:
    """Return what a message is called in the log."""
    return f"message {item.sequence}" if isinstance(item, Sent) else str(key_of(item))
