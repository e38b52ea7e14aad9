"""The ledger: what really happened, what the box has counted of it, and what a kill took.

It knows the world, and how far the box said that it came. What a killed box has of its last turns
is one of a few amounts: after a crash all but, perhaps, the turn in which it came; after a power
cut that, or what was committed. Which one it is, the next run's history says; any other amount is
an error, named at once.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec

from edge.history.records import WatchState, size_class
from edge.records import Verdict
from tools.month.box import Totals, event_id
from tools.month.world import STEP_S, World

People = Counter[tuple[datetime, str, Verdict, int, bool]]
"""By hour, place, verdict, size and rule."""
Seconds = Counter[tuple[datetime, WatchState, bool, str]]
"""By hour, what the camera did, whether the clock was right, and which camera; in ms."""


class LedgerError(AssertionError):
    """The product has something that cannot be."""


HOUR = timedelta(hours=1)


@dataclass(slots=True)
class MonthAccount:
    """What some turns came to, by the clock of the box."""

    people: People = field(default_factory=Counter)
    watched: Seconds = field(default_factory=Counter)
    alerts: dict[str, datetime] = field(default_factory=dict)
    """When each was confirmed, by its id."""

    def add(self, world: World, turn: int) -> None:
        """Add a turn."""
        at, is_right = world.clock(turn)
        for each in world.seen(turn):
            row = (hour_of(at), place_of(each.camera, each.zone), each.verdict,
                   size_class(each.face_px), world.rule_is_on(at))  # fmt: skip
            self.people[row] += 1
        left_ms = 1000 * STEP_S
        here_ms = min(left_ms, round((at - hour_of(at)).total_seconds() * 1000))
        for camera in world.cameras(turn):
            watch = world.watch(turn, camera)
            for hour, each_ms in ((hour_of(at), here_ms), (hour_of(at) - HOUR, left_ms - here_ms)):
                if each_ms:
                    self.watched[hour, watch, is_right, camera] += each_ms
        for each in world.alerted(turn):
            self.alerts[event_id(each)] = at

    @property
    def totals(self) -> Totals:
        return Totals(self.people.total(), self.watched.total() / 1000, len(self.alerts))


@dataclass(slots=True)
class MonthLedger:
    """Of one disk after the other."""

    world: World
    counted: MonthAccount = field(default_factory=MonthAccount)
    """What the present disk has, as far as that is certain."""
    disks: list[MonthAccount] = field(default_factory=list)
    """What the disks before it had."""
    died: list[datetime] = field(default_factory=list)
    """When each of those was lost."""
    lost: MonthAccount = field(default_factory=MonthAccount)
    """What was seen, and lost before it was written."""
    lost_turns: int = 0
    ran: set[int] = field(default_factory=set)
    """Turns in which the box ran."""
    crashes: int = 0
    power_cuts: int = 0
    sent: set[str] = field(default_factory=set)
    """Alerts that the receiver must have: on disk before anything else happened."""
    perhaps_sent: set[str] = field(default_factory=set)
    _pending: list[int] = field(default_factory=list)
    """Turns since the last commit."""
    _left: set[int] = field(default_factory=set)
    """How many of them a disk may have: the choices that a kill leaves."""
    _unsent: set[str] = field(default_factory=set)
    """Alerts since the receiver had all."""
    _is_running: bool = False

    def hear(self, line: str) -> None:
        """Note one line of the box. Raises LedgerError."""
        kind, _, text = line.partition(" ")
        if kind == "S":
            self._resolve(msgspec.json.decode(text, type=Totals))
            self._is_running = True
        elif kind in "TC":
            self._note(int(text), is_certain=True)
            if kind == "C":
                self._settle(len(self._pending))
        elif kind == "D":
            self._unsent.clear()
        elif kind == "E":
            self._settle(len(self._pending))
            self._is_running = False

    def killed(self, last: int, *, is_of_power: bool) -> int:
        """Note that the box was killed after turn `last`; return the turn in which it was."""
        turn = last + 1
        if self._is_running:
            self._left = {len(self._pending)}
            if turn <= self.world.turns:
                self._note(turn, is_certain=False)
                self._left.add(len(self._pending))
        if is_of_power:
            self._left.add(0)
            self.power_cuts += 1
        else:
            self.crashes += 1
        self._is_running = False
        return turn

    def replaced(self, has: Totals, turn: int) -> None:
        """The box has a new disk; the old one `has` this, and sends nothing since `turn`."""
        self._resolve(has)
        self.died.append(self.world.true_time(turn))
        self.disks.append(self.counted)
        self.counted = MonthAccount()
        self.perhaps_sent |= self._unsent
        self.sent -= self._unsent
        self._unsent = set()

    def unseen(self) -> Counter[str]:
        """Return how many passed while nobody looked, by the reason."""
        found: Counter[str] = Counter()
        for turn, visitors in self.world.visitors.items():
            if turn not in self.ran:
                found["not running"] += len(visitors)
            else:
                gone = [each for each in visitors if each not in self.world.seen(turn)]
                found.update(self.world.watch(turn, each.camera) for each in gone)
        return found

    def _note(self, turn: int, *, is_certain: bool) -> None:
        self._pending.append(turn)
        self.ran.add(turn)
        events = {event_id(each) for each in self.world.alerted(turn)}
        if is_certain:
            self.sent |= events
            self._unsent |= events
        else:
            self.perhaps_sent |= events

    def _settle(self, number: int) -> None:
        for turn in self._pending[:number]:
            self.counted.add(self.world, turn)
        self._pending = self._pending[number:]

    def _lose(self, turns: list[int]) -> None:
        for turn in turns:
            self.lost.add(self.world, turn)
        self.lost_turns += len(turns)

    def _resolve(self, has: Totals) -> None:
        """A history has one of the amounts that the last kill may have left; choose it."""
        possible = {}
        for number in sorted(self._left or {0}, reverse=True):
            tried = MonthAccount(
                self.counted.people.copy(), self.counted.watched.copy(), dict(self.counted.alerts)
            )
            for turn in self._pending[:number]:
                tried.add(self.world, turn)
            possible[number] = tried.totals
            if _is_same(tried.totals, has):
                self._settle(number)
                self._lose(self._pending)
                self._pending, self._left = [], set()
                return
        raise LedgerError(f"the history has {has} after a kill; it may have one of {possible}")


def _is_same(one: Totals, other: Totals) -> bool:
    near = abs(one.watched_s - other.watched_s) < 0.5
    return near and (one.visits, one.alerts) == (other.visits, other.alerts)


def place_of(camera: str, zone: str) -> str:
    """Return the name of a place: two cameras may have a zone of the same name."""
    return f"{camera}/{zone}" if camera else zone


def hour_of(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
