"""Who may see the page: one password, sessions in memory, and guessing made slow."""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field

from edge.clock import SYSTEM_CLOCK, Clock
from edge.host.bucket import TokenBucket

SESSION_S = 12 * 3600.0
MOST_SESSIONS = 100
FREE_TRIES = 3
"""So many mistypings cost nothing."""
LONGEST_S = 60.0
MOST_ADDRESSES = 1000
TRIES_PER_S = 0.5
TRIES_AT_ONCE = 10.0
"""Of all addresses together: whoever has many of them gains nothing by it."""


@dataclass(slots=True)
class _Guesser:
    failures: int = 0
    next_s: float = 0.0


@dataclass(slots=True)
class Guard:
    """Lets in whoever knows the password. Without one everybody: then nobody else can connect."""

    password: str
    clock: Clock = SYSTEM_CLOCK
    _sessions: OrderedDict[str, float] = field(default_factory=OrderedDict)
    """Until when each is good, the oldest first."""
    _guessers: OrderedDict[str, _Guesser] = field(default_factory=OrderedDict)
    _tries: TokenBucket = field(default_factory=lambda: TokenBucket(TRIES_PER_S, TRIES_AT_ONCE))

    def wait_s(self, address: str) -> float:
        """Return how long somebody there must wait before another password is looked at."""
        now_s = self.clock.monotonic_s()
        guesser = self._guessers.get(address)
        own_s = 0.0 if guesser is None else guesser.next_s - now_s
        self._tries.ready(now_s)
        return max(0.0, own_s, self._tries.wait_s())

    def let_in(self, address: str, password: str) -> str | None:
        """Return a new session's name; None: it is the wrong password. Ask `wait_s` first."""
        self._tries.spend(1)
        if hmac.compare_digest(password.encode(), self.password.encode()):
            self._guessers.pop(address, None)
            return self._new_session()
        guesser = self._guessers.pop(address, _Guesser())
        guesser.failures += 1
        late_s = min(LONGEST_S, 2.0 ** (guesser.failures - FREE_TRIES))
        if guesser.failures > FREE_TRIES:
            guesser.next_s = self.clock.monotonic_s() + late_s
        self._guessers[address] = guesser
        while len(self._guessers) > MOST_ADDRESSES:
            self._guessers.popitem(last=False)
        return None

    def knows(self, session: str) -> bool:
        """Tell whether a session is good."""
        return not self.password or self._sessions.get(session, 0.0) > self.clock.monotonic_s()

    def end(self, session: str) -> None:
        self._sessions.pop(session, None)

    def _new_session(self) -> str:
        session = secrets.token_urlsafe(32)
        self._sessions[session] = self.clock.monotonic_s() + SESSION_S
        while len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return session
