"""Delivering the outbox: in order, at a pace, and past what the broker does not take."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge.clock import Clock
from edge.errors import BrokerError
from edge.host.bucket import TokenBucket
from edge.publish.answers import BrokerRefusal
from edge.publish.broker import Backoff
from edge.publish.outbox.outbox import Outbox
from edge.publish.outbox.rows import StoredDocument
from edge.publish.standing import BrokerStanding

_log = logging.getLogger(__name__)

TURN_S = 1.0
"""How long nothing is sent at most, unless somebody wakes us."""
_BURST_S = 0.1
"""How much of a backlog's pace may go at once."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A document on its way."""

    sequence: int
    is_foreign: bool
    """Whether its topic is that of a former id or prefix."""
    has_picture: bool = False


Post = Callable[[Sent, StoredDocument], bool]
"""Sends a document; False: it is too large for the broker."""


class Delivery:
    """Chooses what goes next, and learns from the answers. For the publishing thread."""

    def __init__(
        self,
        outbox: Outbox,
        own_topic: str,
        per_s: float,
        broker: str,
        standing: BrokerStanding,
        backoff: Backoff,
        clock: Clock,
    ) -> None:
        """Documents below `own_topic` are ours; `per_s` is the pace of a backlog."""
        self._outbox = outbox
        self._own_topic = own_topic
        self._broker = broker
        self._standing = standing
        self._backoff = backoff
        self._clock = clock
        self._bucket = TokenBucket(per_s, max(1.0, per_s * _BURST_S))
        self._last_sent = 0
        self._returns = outbox.returns
        """Of the disk, as far as they are known here."""
        self._foreign_to = 0
        """Up to this sequence only documents of a former id wait."""
        self._suspect: int | None = None
        """The document of a former id that was on its way when the last connection ended."""
        self._paused_until_s: float | None = None
        """The broker refuses documents: when one is tried again. None: it takes them."""
        self.trouble = ""
        """Why it does not take what waits; empty: it does."""
        self._doubted: dict[int, bool] = {}
        """Documents refused without a clear reason, and whether it has taken another since."""

    @property
    def is_waiting(self) -> bool:
        """Whether the broker refuses what waits, and a single document is tried now and then."""
        return self._paused_until_s is not None

    @property
    def is_done(self) -> bool:
        """Whether nothing waits."""
        return not self._outbox.pending(1)

    def begin(self) -> None:
        """A connection begins: what was not acknowledged is sent again."""
        self._last_sent = self._foreign_to = 0

    def send(self, room: int, is_idle: bool, post: Post) -> float:
        """Send at most `room` documents, as the pace allows; `is_idle`: nothing is on its way.

        Returns how long to wait for more at most.
        """
        now_s = self._clock.monotonic_s()
        if self._outbox.returns != self._returns:
            # Older documents may wait than those on their way, and go before the newer ones.
            if not is_idle:
                return TURN_S
            self._returns = self._outbox.returns
            self.begin()
        if self._paused_until_s is not None:
            if now_s < self._paused_until_s or not is_idle:
                return min(TURN_S, max(0.0, self._paused_until_s - now_s) or TURN_S)
            room = min(room, 1)
        ready = self._bucket.ready(now_s)
        sent = 0
        if self._paused_until_s is not None and self._doubted:
            # Is it the document or the broker? The one behind it tells, if there is one.
            sent = self._send_own(min(room, ready), post, after=max(self._doubted))
        if not sent:
            # From the start where we can: what could not be read for a moment is sent then.
            start = self._foreign_to if is_idle else None
            sent = self._send_own(min(room, ready), post, is_idle=is_idle, after=start)
        if not sent and room and ready and is_idle:
            sent = self._send_foreign(post)
        self._bucket.spend(sent)
        is_held_back = ready < room and sent == ready
        return min(TURN_S, self._bucket.wait_s()) if is_held_back else TURN_S

    def settle(
        self, delivered: Sequence[int], refused: Sequence[tuple[Sent, BrokerRefusal]]
    ) -> None:
        """Note what has arrived, and only then what was refused."""
        self._outbox.acknowledge(delivered)
        if delivered:
            self._paused_until_s = None
            self.trouble = ""
            self._doubted = dict.fromkeys(self._doubted.keys() - set(delivered), True)
        for sent, refusal in refused:
            takes_others = delivered or self._doubted.get(sent.sequence, False)
            if sent.is_foreign or refusal.is_for_itself or (refusal.is_vague and takes_others):
                self._doubted.pop(sent.sequence, None)
                self._quarantine(sent.sequence, str(refusal))
                continue
            if refusal.is_vague:
                self._doubted[sent.sequence] = False
            self._pause(sent.sequence, refusal)

    def end(self, on_the_way: Sequence[Sent], problem: BrokerError) -> None:
        """A connection has ended with these on their way.

        One of a former id on whose way two connections in a row have ended is quarantined.
        """
        foreign = next((sent.sequence for sent in on_the_way if sent.is_foreign), None)
        if foreign is not None and foreign == self._suspect:
            self._quarantine(foreign, str(problem))
        if on_the_way:
            self._suspect = foreign

    def _send_own(
        self, limit: int, post: Post, *, is_idle: bool = False, after: int | None = None
    ) -> int:
        """Send at most `limit` documents below our present topic, oldest first.

        Those behind the last one that was sent, or behind `after`.
        """
        sent = 0
        if after is not None:
            self._last_sent = after
        while documents := self._outbox.pending(limit - sent, after=self._last_sent):
            for document in documents:
                self._last_sent = document.sequence
                if self._is_own(document):
                    sent += self._send(document, post, is_foreign=False)
                elif is_idle and not sent:
                    self._foreign_to = document.sequence
        return sent

    def _send_foreign(self, post: Post) -> int:
        """Send the oldest document of a former id, alone: the broker may not take it from us."""
        for document in self._outbox.pending(1):
            # One of our own may have come in the meantime: its turn is the next one.
            if not self._is_own(document):
                return self._send(document, post, is_foreign=True)
        self._foreign_to = 0
        return 0

    def _is_own(self, document: StoredDocument) -> bool:
        """Return whether it is below our present topic, and not that of a former id or prefix."""
        return document.topic.startswith(self._own_topic)

    def _send(self, document: StoredDocument, post: Post, *, is_foreign: bool) -> bool:
        """Return whether it was sent; one that the broker has no room for is quarantined."""
        has_picture = b'"snapshot":"' in document.payload
        if post(Sent(document.sequence, is_foreign, has_picture), document):
            return True
        self._quarantine(document.sequence, "packet too large")
        return False

    def _quarantine(self, sequence: int, reason: str) -> None:
        self._outbox.refuse(sequence, reason)
        _log.warning(
            "the broker %s does not take message %d (%s): the message is quarantined",
            self._broker, sequence, reason,
        )  # fmt: skip

    def _pause(self, sequence: int, refusal: BrokerRefusal) -> None:
        """Send no messages for as long as after any refusal; then try a single one."""
        if self._paused_until_s is None:
            self.trouble = (
                f"the broker {self._broker} does not take message {sequence} ({refusal}); check "
                "its access rules and quotas: messages stay in the outbox"
            )
            self._standing.tell(self.trouble)
        self._paused_until_s = self._clock.monotonic_s() + self._backoff.slow_s()
