"""Finding out which of our messages makes a broker disconnect, where it does not say so.

MQTT 3.1.1 has no word for a message that is not allowed, too large or not to be retained: brokers
end the connection, and so do some of MQTT 5. What was on its way then goes out one at a time over
the next connection. What ends that alone is the one: a state is tried without being retained, then
with QoS 0, and is held back in the end; a document is refused as any other.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass, replace

from edge.clock import Clock
from edge.errors import BrokerError
from edge.publish.answers import BrokerRefusal, DisconnectedError, TermsError
from edge.publish.delivery import Sent
from edge.publish.mailbox import Entrusted, Retained
from edge.publish.terms import LESSON_S, Lessons, Terms, smaller

_log = logging.getLogger(__name__)

WINDOW = 20
"""How many messages may be on their way: enough to hide the latency."""
SEARCH_S = 60.0
"""How long messages go one at a time at most."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """What we ask to receive, on its way."""

    filters: tuple[str, ...]


Item = Sent | Retained | Entrusted | Subscription | str
"""What can be on its way; a text is the topic of a message that is sent once."""


def key_of(item: Item) -> int | str:
    """Return what an item is called in the log and remembered by: its sequence or its topic."""
    match item:
        case Sent():
            return item.sequence
        case Retained() | Entrusted():
            return item.topic
        case Subscription():
            return ", ".join(item.filters)
        case _:
            return item


class Caution:
    """Learns from the ends of connections to one broker. For the publishing thread."""

    def __init__(self, lessons: Lessons, clock: Clock) -> None:
        self._lessons = lessons
        self._clock = clock
        self._suspects: set[int | str] = set()
        """On their way when the last connection ended."""
        self._begun_s = 0.0
        self._on_trial: tuple[str, Terms] | None = None
        """A topic that is tried on smaller terms, and those before."""
        self._is_exhausted = False
        """Whether smaller terms did not help: those of the next topic are not tried."""
        self._held: dict[str, float] = {}
        """Topics that are not used, and since when; another thread reads it: it is replaced."""
        self._slimmed: set[int] = set()
        """Documents that go without their picture."""

    @property
    def window(self) -> int:
        """How many messages may be on their way."""
        if self._clock.monotonic_s() - self._begun_s > SEARCH_S:
            self._suspects.clear()  # not all of them may ever be sent again
        return 1 if self._suspects else WINDOW

    @property
    def is_searching(self) -> bool:
        """Whether the next connection is to find out something."""
        return bool(self._suspects)

    @property
    def limits(self) -> tuple[str, ...]:
        """Return what is not sent or received, in sentences for people."""
        return tuple(
            f"the broker disconnects at {topic}: the topic is not used" for topic in self._held
        )

    def begin(self) -> None:
        """A connection begins; what was held back for long enough is tried again."""
        self._begun_s = now_s = self._clock.monotonic_s()
        self._held = {t: since_s for t, since_s in self._held.items() if now_s - since_s < LESSON_S}
        self._is_exhausted = self._is_exhausted and bool(self._held)

    def is_held(self, topic: str) -> bool:
        return topic in self._held

    def is_slimmed(self, sequence: int) -> bool:
        """Return whether a message loses its picture, which may be what ends connections."""
        return sequence in self._slimmed

    def settle(self, item: Item) -> None:
        """The broker has answered: this one has not made it disconnect."""
        key = key_of(item)
        self._suspects.discard(key)
        if isinstance(item, Sent):  # earlier ones are quarantined, or begin again
            self._slimmed = {each for each in self._slimmed if each > item.sequence}
        if self._on_trial is not None and key == self._on_trial[0]:
            self._on_trial = None
            self._lessons.confirm()

    def end(
        self, on_the_way: Collection[Item], problem: BrokerError, *, is_waiting: bool
    ) -> tuple[Sent, BrokerRefusal] | None:
        """A connection has ended with these on their way; `is_waiting`: documents are refused.

        Returns the document that is refused thereby, if it is one.
        """
        if isinstance(problem, TermsError):
            self._lessons.suppose(replace(self._lessons.terms, **{problem.lacks: False}))
            self._lessons.confirm()
            return None
        # What is of a former id, and what clears, is for others to judge.
        items = [item for item in on_the_way if not _is_apart(item)]
        if not isinstance(problem, DisconnectedError) or not items:
            return None
        keys = {key_of(item) for item in items}
        (item, *others) = items
        is_known = keys <= self._suspects or (is_waiting and isinstance(item, Sent))
        self._suspects = keys
        return self._convict(item, problem) if is_known and not others else None

    def _convict(self, item: Item, problem: DisconnectedError) -> tuple[Sent, BrokerRefusal] | None:
        """Draw the consequence for what has ended a connection alone."""
        if isinstance(item, Sent):
            if item.has_picture and item.sequence not in self._slimmed:
                self._slimmed.add(item.sequence)
                return None
            self._suspects.clear()
            return item, problem.refusal
        if isinstance(item, Retained) and not self._is_exhausted and self._try_smaller(item.topic):
            return None
        if self._on_trial is not None:
            self._lessons.suppose(self._on_trial[1])
            self._lessons.confirm()
            self._on_trial, self._is_exhausted = None, True
        self._suspects.clear()
        self.hold(item)
        return None

    def hold(self, item: Item) -> None:
        """Do without what it is for an hour."""
        for topic in item.filters if isinstance(item, Subscription) else [str(key_of(item))]:
            self._held = {**self._held, topic: self._clock.monotonic_s()}
            _log.warning(
                "the broker disconnects at %s; check its access rules: the topic is not used for "
                "an hour",
                topic,
            )

    def _try_smaller(self, topic: str) -> bool:
        """Use smaller terms from now on; False: all have been tried."""
        now = self._lessons.terms
        self._on_trial = self._on_trial or (topic, now)
        ladder = [self._on_trial[1], *smaller(self._on_trial[1])]
        after = ladder[ladder.index(now) + 1 :] if now in ladder else []
        if after:
            self._lessons.suppose(after[0])
        return bool(after)


def _is_apart(item: Item) -> bool:
    return (isinstance(item, Sent) and item.is_foreign) or (
        isinstance(item, Retained) and not item.payload
    )
