"""Who may see the page: sessions, the password, and how slow guessing it is.

Wrong passwords count for where they come from: an IPv4 address, an IPv6 /64, or a browser that has
logged in before, which a signed cookie tells. So a guesser slows down only his own network, and
never a browser that is known. Each attempt is counted before its password is looked at.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from edge.clock import SYSTEM_CLOCK, Clock
from edge.page.password import matches

_log = logging.getLogger(__name__)

SESSION_S = 12 * 3600.0
MOST_SESSIONS = 100
FREE_TRIES = 3
"""How many wrong passwords cost nothing; the time to wait doubles with each one after them."""
LONGEST_S = 60.0
FORGOTTEN_S = 3600.0
"""How long after the last one, wrong passwords count no more."""
MOST_GUESSERS = 1000
"""How many sources are remembered; of more, the oldest is forgotten."""
MOST_WAITING = 4
"""How many passwords wait to be looked at; that of a known browser always may."""
IPV6_NETWORK_BITS = 64
"""What one customer of a provider has at least."""


def network_of(address: str) -> str:
    """Return what counts as one source: an IPv4 address, an IPv6 /64, or the text as it is."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ip_network((parsed, IPV6_NETWORK_BITS), strict=False))


class TooManyError(Exception):
    """Wait before the next attempt."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"too many attempts; wait {wait_s:.0f} s")
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Visitor:
    """Where a request comes from, and the cookies that it brings."""

    address: str
    session: str = ""
    browser: str = ""


@dataclass(frozen=True, slots=True)
class Admission:
    """The cookies that a right password opens."""

    session: str
    browser: str


@dataclass(slots=True)
class _Guesser:
    failures: int = 0
    next_s: float = 0.0


@dataclass(slots=True)
class Guard:
    """Admits people who know the password. Without one everybody: then only this machine connects.

    `password` is a hash, see `edge.page.password`.
    """

    password: str
    cookie_key: bytes = b""
    clock: Clock = SYSTEM_CLOCK
    _sessions: OrderedDict[str, float] = field(default_factory=OrderedDict)
    """Until when each is good, the oldest first."""
    _guessers: OrderedDict[str, _Guesser] = field(default_factory=OrderedDict)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _waiting: int = 0

    def accepts(self, address: str, digest: bytes, expected: bytes) -> bool:
        """Return whether a program at `address` has the token; of both, the SHA-256 is given.

        Raises TooManyError. Wrong ones count as wrong passwords do, but apart from these: a program
        that is set up wrongly keeps nobody in its network from the page.
        """
        source = f"token {network_of(address)}"
        guesser = self._counted(source, is_busy=False)
        if not hmac.compare_digest(digest, expected):
            _log_failure("token", address, guesser.failures)
            return False
        self._guessers.pop(source, None)
        return True

    async def admit(self, visitor: Visitor, password: str) -> Admission | None:
        """Return new cookies; None: it is the wrong password. Raises TooManyError."""
        is_known = self.knows_browser(visitor.browser)
        source = visitor.browser if is_known else network_of(visitor.address)
        guesser = self._counted(source, is_busy=not is_known and self._waiting >= MOST_WAITING)
        self._waiting += 1
        try:
            async with self._turn:  # one at a time: each takes memory, and all of a core
                is_right = await asyncio.to_thread(matches, password, self.password)
        finally:
            self._waiting -= 1
        if not is_right:
            _log_failure("login", visitor.address, guesser.failures)
            return None
        self._guessers.pop(source, None)
        _log.info("login from %s", visitor.address)
        return Admission(self._new_session(), self._new_browser())

    def knows(self, session: str) -> bool:
        """Return whether a session is good."""
        return not self.password or self._sessions.get(session, 0.0) > self.clock.monotonic_s()

    def knows_browser(self, browser: str) -> bool:
        """Return whether somebody has logged in with this browser, by the password as it is now."""
        name, _, signature = browser.partition(".")
        return bool(name) and hmac.compare_digest(
            signature.encode("utf-8", "surrogatepass"), self._signature(name).encode()
        )

    def end(self, session: str) -> None:
        self._sessions.pop(session, None)

    def _counted(self, source: str, *, is_busy: bool) -> _Guesser:
        """Count an attempt as a failure, which a right password takes back. Raises TooManyError."""
        now_s = self.clock.monotonic_s()
        guesser = self._guessers.get(source)
        if guesser is None or now_s > guesser.next_s + FORGOTTEN_S:
            guesser = _Guesser()
        if guesser.next_s > now_s:
            raise TooManyError(guesser.next_s - now_s)
        if is_busy:
            raise TooManyError(1.0)
        guesser.failures += 1
        guesser.next_s = now_s
        if guesser.failures > FREE_TRIES:
            # Of integers: after a day of guessing a float would overflow.
            guesser.next_s += min(LONGEST_S, 2 ** (guesser.failures - FREE_TRIES))
        self._guessers[source] = guesser
        self._guessers.move_to_end(source)
        while len(self._guessers) > MOST_GUESSERS:
            self._guessers.popitem(last=False)
        return guesser

    def _new_session(self) -> str:
        session = secrets.token_urlsafe(32)
        self._sessions[session] = self.clock.monotonic_s() + SESSION_S
        while len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return session

    def _new_browser(self) -> str:
        name = secrets.token_urlsafe(16)
        return f"{name}.{self._signature(name)}"

    def _signature(self, name: str) -> str:
        key = self.cookie_key + self.password.encode()
        return hmac.new(key, name.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def _log_failure(what: str, address: str, failures: int) -> None:
    if failures <= FREE_TRIES or failures & (failures - 1) == 0:
        _log.warning("failed %s from %s, attempt %d", what, address, failures)
