"""What is left for the publishing thread, and what it has brought; any thread may use it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from paho.mqtt.client import topic_matches_sub

from edge.publish.answers import Received

MAX_WAITING = 16
"""Messages that wait to be taken from a route, or to be sent once; the newest are dropped."""


@dataclass(frozen=True, slots=True)
class Retained:
    """What the broker is to keep under a topic, anywhere; an empty payload clears that."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Entrusted:
    """A message that is sent until the broker has acknowledged it, and that it does not keep.
    The caller has it on disk until then."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Route:
    """A subscription, and where its messages go."""

    filter: str
    """A topic, with wildcards or without, anywhere."""
    max_bytes: int
    """Longer payloads are cut off one byte beyond."""


class Mailbox:
    """Retained documents of which only the latest counts, messages for once or until they are
    taken, and what has come."""

    def __init__(self, routes: Sequence[Route] = ()) -> None:
        self.routes = tuple(routes)
        self._retained: dict[str, Retained | Entrusted] = {}
        self._unsent: set[str] = set()
        self._once: deque[tuple[str, bytes]] = deque()
        self._arrived: dict[Route, deque[Received]] = {route: deque() for route in self.routes}
        self._lock = threading.Lock()
        self._settled = threading.Condition(self._lock)

    def retain(self, retained: Retained) -> None:
        """Leave a document to be retained. It goes out now, and again with each connection; one
        that clears its topic until that has been done."""
        with self._lock:
            self._retained[retained.topic] = retained
            self._unsent.add(retained.topic)

    def entrust(self, message: Entrusted) -> None:
        """Leave a message that goes out now, and again with each connection until it is taken.

        One of a topic at a time: another one replaces it.
        """
        with self._lock:
            self._retained[message.topic] = message
            self._unsent.add(message.topic)

    def await_taken(self, message: Entrusted, timeout_s: float) -> bool:
        """Wait for the broker to take a message; return whether it has."""
        with self._settled:
            return self._settled.wait_for(
                lambda: self._retained.get(message.topic) != message, timeout_s
            )

    def is_cleared(self, topic: str) -> bool:
        """Return whether nothing of ours is left to be done there."""
        with self._lock:
            return topic not in self._retained

    def post(self, topic: str, payload: bytes) -> None:
        """Leave a message that is sent once, when there is a connection."""
        if len(self._once) < MAX_WAITING:
            self._once.append((topic, payload))

    def take(self, route: Route) -> Iterator[Received]:
        """Return what has come by a route, each message once."""
        arrived = self._arrived[route]
        while arrived:
            yield arrived.popleft()

    # From here on: for the publishing thread.

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits to be sent."""
        return not self._unsent and not self._once

    def renew(self) -> None:
        """A connection begins: the broker may know nothing."""
        with self._lock:
            self._unsent = set(self._retained)

    @property
    def is_clearing(self) -> bool:
        """Whether a topic waits to be cleared."""
        with self._lock:
            return any(not self._retained[topic].payload for topic in self._unsent)

    def due(
        self, busy: Collection[str], most: int, *, clearing: bool = False
    ) -> list[Retained | Entrusted]:
        """Return at most this many messages, or else of those that clear their topic.

        None whose topic is `busy` with an earlier one.
        """
        with self._lock:
            topics = [
                topic
                for topic in sorted(self._unsent.difference(busy))
                if clearing != bool(self._retained[topic].payload)
            ][:most]
            self._unsent.difference_update(topics)
            return [self._retained[topic] for topic in topics]

    def settle(self, message: Retained | Entrusted) -> None:
        """The broker has answered: what is cleared or taken once is not sent again."""
        is_over = isinstance(message, Entrusted) or not message.payload
        with self._settled:
            if is_over and self._retained.get(message.topic) == message:
                del self._retained[message.topic]
                self._unsent.discard(message.topic)
                self._settled.notify_all()

    def next_once(self) -> tuple[str, bytes] | None:
        """Return the oldest message that is sent once."""
        return self._once.popleft() if self._once else None

    def deliver(self, message: Received) -> None:
        """Put a message where its route's reader finds it."""
        for route in self.routes:
            if topic_matches_sub(route.filter, message.topic):
                arrived = self._arrived[route]
                if len(arrived) < MAX_WAITING:
                    cut_off = message.payload[: route.max_bytes + 1]
                    arrived.append(replace(message, payload=cut_off))
