"""What a broker takes of what MQTT offers: as it says itself, and as trying without has shown.

A broker of MQTT 5 says in its CONNACK whether it keeps messages and which QoS it takes. One of MQTT
3.1.1 has no words for that: it disconnects, and so do clouds and gateways.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from edge.clock import SYSTEM_CLOCK, Clock

_log = logging.getLogger(__name__)

LESSON_S = 3600.0
"""How long what was found is believed; the next connection after that tries all again."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a broker takes from us."""

    retains: bool = True
    """It keeps a topic's last message for those who subscribe later."""
    confirms: bool = True
    """It takes QoS 1, and acknowledges each message; else it takes QoS 0 only."""
    has_will: bool = True
    """It takes a last will."""

    @property
    def qos(self) -> int:
        return 1 if self.confirms else 0

    @property
    def limits(self) -> tuple[str, ...]:
        """Return what is missed, in sentences for people; empty: nothing."""
        missed = (
            (
                self.retains,
                "the broker retains nothing: late subscribers do not see states at once",
            ),
            (
                self.confirms,
                "the broker takes QoS 0 only: delivered means that it has read a message, "
                "and not that it has stored it",
            ),
            (
                self.has_will,
                "the broker takes no last will: it does not report a device that vanishes",
            ),
        )
        return tuple(text for is_there, text in missed if not is_there)


ALL = Terms()


def smaller(terms: Terms) -> list[Terms]:
    """Return what to try, in order, at a broker that disconnects at a message without a reason."""
    found = (
        replace(terms, retains=False),
        replace(terms, confirms=False),
        replace(terms, retains=False, confirms=False),
    )
    return [each for each in dict.fromkeys(found) if each != terms]


_GUESSES = (ALL, *smaller(ALL), Terms(has_will=False))
"""The order in which a will is made smaller for a broker that rejects it without a reason."""


class Lessons:
    """What one broker was found to take."""

    def __init__(self, broker: str, clock: Clock = SYSTEM_CLOCK) -> None:
        self._broker = broker
        self._clock = clock
        self._learned = ALL
        self._learned_s = 0.0
        self._guess = 0
        self._is_supposed = False
        self._announced = ALL

    @property
    def terms(self) -> Terms:
        """What is to be tried with the next connection."""
        if self._learned != ALL and self._clock.monotonic_s() - self._learned_s > LESSON_S:
            self._learned = ALL
        return self._learned if self._learned != ALL else _GUESSES[self._guess]

    @property
    def known(self) -> Terms:
        """What the broker takes, as far as it has been shown."""
        return self._announced

    @property
    def is_guess(self) -> bool:
        """Whether the next connection tries less than is known to be refused."""
        return self.terms != self._learned

    def guess(self, *, by_a_rule: bool = False) -> None:
        """A will was refused: try a smaller one, and in the end all again.

        `by_a_rule`: with a code that may mean an access rule; else without a word.
        """
        if by_a_rule and not self._guess:
            self._guess = len(_GUESSES) - 2  # a rule is about the topic
        self._guess = (self._guess + 1) % len(_GUESSES)

    def suppose(self, terms: Terms) -> None:
        """Use these; `confirm` says it once a message has shown that they are right."""
        self._learned, self._learned_s = terms, self._clock.monotonic_s()
        self._guess, self._is_supposed = 0, True

    def confirm(self) -> None:
        self._is_supposed = False
        self._announce(self._learned)

    def note(self, terms: Terms) -> None:
        """A connection was accepted on these: they are right, as far as a CONNACK tells."""
        self._guess = 0
        if terms != self._learned:
            self._learned, self._learned_s = terms, self._clock.monotonic_s()
        if not self._is_supposed:
            self._announce(terms)

    def _announce(self, terms: Terms) -> None:
        """Say what is missed, where that has not been said yet."""
        for text in terms.limits:
            if text not in self._announced.limits:
                _log.warning("%s (%s)", text, self._broker)
        self._announced = terms
