"""How we stand with the broker: whether a connection is good, when to try again, what is said."""

from __future__ import annotations

import logging

from edge.clock import SYSTEM_CLOCK, Clock
from edge.errors import BrokerError
from edge.publish.answers import BrokerRefusalError
from edge.publish.broker import MAX_BACKOFF_S, Backoff

_log = logging.getLogger(__name__)

STABLE_S = 10.0
"""A connection that lasts so long was a good one: the next back-off starts small again. Two clients
that throw each other out never get there, so they slow down."""
THROWN_OUT = 4
"""How many short connections in a row, without a failed attempt between them, are no accident."""


class SilentBrokerError(BrokerError):
    """The broker takes messages, but does not acknowledge them."""


class BrokerStanding:
    """Learns from each connection to one broker. Each problem is said once, until one is good."""

    def __init__(
        self, broker: str, client_id: str, backoff: Backoff, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._clock = clock
        self._broker = broker
        self._client_id = client_id
        self._backoff = backoff
        self._connections = 0
        self._begun_s: float | None = None
        """When the connection that there is began; None: there is none."""
        self._lost_s = self._clock.monotonic_s()
        self._is_proven = False
        self._short_lived = 0
        self._said: set[str] = set()
        self._refused: dict[str, str] = {}
        """Why the broker does not take a state or an answer, by what that is called."""
        self._presence = ""
        """What the state is called that says that the device is there."""
        self.is_silent = False
        """Whether the last connection that was worth anything ended in silence."""
        self.protocol = "none"
        self.trouble = ""
        """Why there is no connection; empty while there is one, and before the first attempt."""

    @property
    def reconnects(self) -> int:
        """Connections after the first that proved good."""
        return max(0, self._connections - 1)

    @property
    def refusal(self) -> str:
        """Why nobody can know that the device is there; empty: the broker takes it."""
        return self._refused.get(self._presence, "")

    @property
    def limits(self) -> tuple[str, ...]:
        """What else the broker does not take of states and answers, in sentences."""
        return tuple(text for name, text in self._refused.items() if name != self._presence)

    def note(self, name: str, refusal: str, *, is_presence: bool) -> None:
        """Learn that a state or an answer was taken, or why it was not; that is said once."""
        if is_presence:
            self._presence = name
        self._refused.pop(name, None)
        if refusal:
            self._refused[name] = f"the broker {self._broker} {refusal}; check its access rules"
            self.tell(self._refused[name])

    def begin(self) -> None:
        """A connection was made."""
        self._begun_s = self._clock.monotonic_s()
        self._is_proven = False

    def prove(self, protocol: str, *, is_idle: bool) -> None:
        """Take the connection for good, now that the broker has acknowledged something.

        After short connections or a silence it must last, too, with nothing unacknowledged, which
        is `is_idle`: or the end of each would be logged again.
        """
        if self._is_proven or self._begun_s is None:
            return
        now_s = self._clock.monotonic_s()
        if (self.is_silent or self._short_lived) and (
            not is_idle or now_s - self._begun_s < STABLE_S
        ):
            return
        self._is_proven, self.is_silent, self._short_lived = True, False, 0
        self._connections += 1
        self.protocol = protocol
        self.trouble = ""
        self._said.clear()
        if self._connections == 1:
            _log.info("connected to the broker %s with %s", self._broker, protocol)
        else:
            _log.info("the broker %s is back after %.1f s", self._broker, now_s - self._lost_s)

    def end(
        self, problem: BrokerError, *, quietly: bool = False, is_searching: bool = False
    ) -> float:
        """Learn from the end of a connection, or of the attempt to make one.

        Returns how long to wait before the next one: not long where that `is_searching` for what
        makes the broker disconnect.
        """
        self._judge(problem, is_searching=is_searching)
        self._begun_s = None
        self.trouble = str(problem)
        if not quietly:
            self.tell(f"{problem}; trying again, at least every {MAX_BACKOFF_S:.0f} s")
        refused = isinstance(problem, BrokerRefusalError) and not is_searching
        return self._backoff.slow_s() if refused else self._backoff.next_s()

    def tell(self, problem: str) -> None:
        """Say a problem, unless it was said since the last good connection began."""
        if problem not in self._said:
            self._said.add(problem)
            _log.warning("%s", problem)

    def _judge(self, problem: BrokerError, *, is_searching: bool) -> None:
        if self._begun_s is None:
            self._short_lived = 0
            return
        now_s = self._clock.monotonic_s()
        if self._is_proven:
            self._lost_s = now_s
        if isinstance(problem, SilentBrokerError):
            self.is_silent = True
        elif now_s - self._begun_s >= STABLE_S:
            self._short_lived = 0
            self._backoff.reset()
        elif not is_searching:
            # MQTT 5 has a reason code for a client id that is used twice, but Mosquitto 2.0.11 does
            # not send it, and MQTT 3.1.1 has none.
            self._short_lived += 1
            if self._short_lived == THROWN_OUT:
                self.tell(
                    f"the broker {self._broker} has ended {THROWN_OUT} connections within seconds; "
                    f"does another client use the same client id, {self._client_id}?"
                )
