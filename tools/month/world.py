"""What happens at a door in a month: people, nights, outages, clocks. Pure, from a seed.

Time goes in turns of the loop, `STEP_S` each. Turn `n` ends `n * STEP_S` after the beginning; what
it watched is the time before that.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from edge.history.records import SEEING, WatchState
from edge.records import Verdict

STEP_S = 5
STAY = 3
"""Turns from the alert of somebody without a mask to the end of the visit."""
HOUR = 3600 // STEP_S
MINUTE = 60 // STEP_S
VERDICTS = {
    Verdict.MASKED: 0.8,
    Verdict.BARE: 0.09,
    Verdict.UNKNOWN: 0.08,
    Verdict.WORN_WRONGLY: 0.03,
}
ZONES = {"left": 0.5, "right": 0.35, "": 0.15}
ONLY, DOOR, HALL = "", "door", "hall"
"""Cameras: the only one, which has no name, and that one and the second while there are two."""
HALL_ZONES = {"desk": 0.4, "right": 0.4, "": 0.2}
"""One has the name of a zone at the door."""
RUSH = {6: 20, 7: 110, 8: 140, 9: 60, 12: 70, 13: 50, 16: 90, 17: 120, 18: 60, 19: 25}
"""People an hour, by the hour on the wall; in the others of the day `DAY`, at night `NIGHT`."""
DAY, NIGHT = 30, 2
_ALERTED = (Verdict.BARE,)


@dataclass(frozen=True, slots=True)
class Passer:
    """A person who passes."""

    number: int
    verdict: Verdict
    """What is seen of the mask, if anybody looks."""
    face_px: float
    zone: str
    camera: str = ONLY


@dataclass(frozen=True, slots=True)
class Spell:
    """Turns from `begin` on; `end` is not one of them."""

    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Unseeing(Spell):
    """The camera does something else than see."""

    watch: WatchState


@dataclass(frozen=True, slots=True)
class WrongClock(Spell):
    """The wall clock is off."""

    ahead_s: float
    is_synchronised: bool


@dataclass(frozen=True, slots=True)
class Cut(Spell):
    """The box does not run: first it is killed, then it is away."""

    is_of_power: bool = False
    """What was in memory is lost."""
    is_replaced: bool = False
    """The next run has an empty disk."""


@dataclass
class World:
    """All of it."""

    begin: datetime
    end: datetime
    """Of what is compared; the box goes on for `turns`."""
    zone: ZoneInfo
    turns: int
    visitors: dict[int, list[Passer]] = field(default_factory=dict)
    """By the turn in which they leave."""
    unseeing: Sequence[Unseeing] = ()
    """Of the first camera."""
    second: Spell | None = None
    """While there is a second camera, in the hall."""
    hall_unseeing: Sequence[Unseeing] = ()
    clocks: Sequence[WrongClock] = ()
    offline: Sequence[Spell] = ()
    cuts: Sequence[Cut] = ()
    """In order; between them is more than an hour."""
    season_ends: datetime | None = None
    """From then on the mask rule is off."""

    def __post_init__(self) -> None:
        self._watch = _watch(self.unseeing, self.turns)
        self._hall_watch = _watch(self.hall_unseeing, self.turns) if self.second else []
        self._offline = bytearray(self.turns + 1)
        for each in self.offline:
            length = min(each.end, self.turns + 1) - each.begin
            self._offline[each.begin : each.begin + length] = b"\1" * length

    def cameras(self, turn: int) -> tuple[str, ...]:
        """Return the names of the cameras that there are."""
        is_second = self.second is not None and self.second.begin <= turn < self.second.end
        return (DOOR, HALL) if is_second else (ONLY,)

    def watch(self, turn: int, camera: str = ONLY) -> WatchState:
        return (self._hall_watch if camera == HALL else self._watch)[turn]

    def is_offline(self, turn: int) -> bool:
        """Whether the receiver cannot be reached."""
        return bool(self._offline[turn])

    def true_time(self, turn: int) -> datetime:
        return self.begin + timedelta(seconds=turn * STEP_S)

    def clock(self, turn: int) -> tuple[datetime, bool]:
        """Return what the box's clock says, and whether it follows a time server."""
        at = self.true_time(turn)
        for spell in self.clocks:
            if spell.begin <= turn < spell.end:
                return at + timedelta(seconds=spell.ahead_s), spell.is_synchronised
        return at, True

    def rule_is_on(self, at: datetime) -> bool:
        """Whether people must wear a mask, by the clock of the box."""
        return self.season_ends is None or at < self.season_ends

    def seen(self, turn: int) -> list[Passer]:
        """Return who leaves in a turn in which his camera sees."""
        visitors = self.visitors.get(turn, [])
        return [each for each in visitors if self.watch(turn, each.camera) in SEEING]

    def alerted(self, turn: int) -> list[Passer]:
        """Return who is reported in a turn."""
        at, _ = self.clock(turn)
        if not self.rule_is_on(at):
            return []
        later = self.seen(turn + STAY) if turn + STAY <= self.turns else []
        return [
            each
            for each in later
            if each.verdict in _ALERTED and self.watch(turn, each.camera) in SEEING
        ]


def _watch(unseeing: Sequence[Unseeing], turns: int) -> list[WatchState]:
    found = [WatchState.WATCHED] * (turns + 1)
    for spell in unseeing:
        for turn in range(spell.begin, min(spell.end, turns + 1)):
            found[turn] = spell.watch
    return found


def some_month(year: int, month: int, days: int, seed: int) -> World:
    """Return `days` days from the first of a month in Berlin, with all that can go wrong."""
    zone = ZoneInfo("Europe/Berlin")
    return some_days(datetime(year, month, 1, tzinfo=zone), days, seed)


def some_days(first: datetime, days: int, seed: int, between: int = 6 * HOUR) -> World:
    """Return days on the wall from a time on; `first` has the zone. `between` is how many turns lie
    between two kills, in the mean."""
    chance = random.Random(seed)
    zone = first.tzinfo
    assert isinstance(zone, ZoneInfo)
    begin = first.astimezone(UTC)
    end = (first + timedelta(days=days)).astimezone(UTC)  # wall time: a day may have 23 hours
    turns = int((end - begin).total_seconds()) // STEP_S + 2 * HOUR
    replaced = turns // 2 // HOUR * HOUR + 25 * MINUTE
    clocks, cuts = _cuts(chance, turns, replaced, between)
    # Over the change of the disk, and a midnight at least.
    second = Spell(turns // 4 // HOUR * HOUR + 1, turns * 3 // 4 // HOUR * HOUR + 1)
    until = (first + timedelta(days=days - days // 5)).replace(hour=0)  # a midnight
    return World(
        begin,
        end,
        zone,
        turns,
        _visitors(chance, begin, zone, turns, second),
        _unseeing(chance, begin, zone, turns),
        second,
        _unseeing(chance, begin, zone, turns),
        clocks,
        _offline(chance, turns, replaced),
        cuts,
        until.astimezone(UTC),
    )


def _visitors(
    chance: random.Random, begin: datetime, zone: ZoneInfo, turns: int, second: Spell
) -> dict[int, list[Passer]]:
    """Return who leaves in which turn. With a second camera half as many pass again, in the hall.
    Nobody is before a camera while it gets another name: that is a new start."""
    found: dict[int, list[Passer]] = defaultdict(list)
    number = 0
    changing = [
        turn for at in (second.begin, second.end) for turn in range(at - STAY, at + STAY + 1)
    ]
    for first in range(0, turns, HOUR):
        wall = (begin + timedelta(seconds=first * STEP_S)).astimezone(zone)
        per_hour = RUSH.get(wall.hour, DAY if 6 <= wall.hour < 22 else NIGHT)
        if wall.weekday() >= 5:
            per_hour = max(1, per_hour // 4)
        if second.begin <= first + 1 < second.end:
            per_hour += (per_hour + 1) // 2
        for _ in range(_poisson(chance, per_hour)):
            number += 1
            (verdict,) = chance.choices(list(VERDICTS), list(VERDICTS.values()))
            is_second = second.begin <= first + 1 < second.end
            camera = chance.choice((DOOR, DOOR, HALL)) if is_second else ONLY
            zones = HALL_ZONES if camera == HALL else ZONES
            (part,) = chance.choices(list(zones), list(zones.values()))
            size_px = 0.0 if verdict is Verdict.UNKNOWN else chance.lognormvariate(3.9, 0.4)
            turn = first + 1 + chance.randrange(HOUR)
            if turn <= turns and turn not in changing:
                found[turn].append(Passer(number, verdict, size_px, part, camera))
    return dict(found)


def _poisson(chance: random.Random, mean: float) -> int:
    """Return how many come in an hour: the gaps between them are exponential."""
    count, at = 0, chance.expovariate(mean)
    while at < 1:
        count, at = count + 1, at + chance.expovariate(mean)
    return count


def _unseeing(chance: random.Random, begin: datetime, zone: ZoneInfo, turns: int) -> list[Unseeing]:
    """Nights are dark, the camera is covered, lost, blinded, turned and paused now and then."""
    found: list[Unseeing] = []
    for first in range(0, turns, HOUR):
        wall = (begin + timedelta(seconds=first * STEP_S)).astimezone(zone)
        if not 5 <= wall.hour < 22:
            found.append(Unseeing(first + 1, first + HOUR + 1, WatchState.DARK))
    per_day = {
        WatchState.LOST: 2,
        WatchState.COVERED: 0.7,
        WatchState.BLINDED: 1,
        WatchState.TURNED: 0.2,
        WatchState.PAUSED: 0.5,
        WatchState.CROWDED: 3,
    }
    for watch, often in per_day.items():
        for _ in range(_poisson(chance, max(1.0, often * turns / (24 * HOUR)))):
            at = 1 + chance.randrange(turns)
            found.append(Unseeing(at, at + 1 + int(chance.expovariate(1 / (20 * MINUTE))), watch))
    return found


def _offline(chance: random.Random, turns: int, replaced: int) -> list[Spell]:
    """Networks fail, for minutes and for a day; not before the disk is lost, nor at the end."""
    lengths = [int(chance.expovariate(1 / (2 * HOUR))) for _ in range(turns // (48 * HOUR) + 1)]
    lengths.append(min(26 * HOUR, turns // 4))
    found = []
    for length in lengths:
        at = chance.randrange(max(1, turns - length - 4 * HOUR))
        spell = Spell(at, at + length)
        if not (spell.begin < replaced + HOUR and spell.end > replaced - 4 * HOUR):
            found.append(spell)
    return found


def _cuts(
    chance: random.Random, turns: int, replaced: int, between: int
) -> tuple[list[WrongClock], list[Cut]]:
    """Crashes and power cuts; after some of these the clock is wrong until the network is there,
    and now and then somebody sets it."""
    cuts = [Cut(replaced, replaced + 40 * MINUTE, is_of_power=True, is_replaced=True)]
    clocks = []
    at = HOUR
    while at < turns - 3 * HOUR:
        is_of_power = chance.random() < 0.3
        mean = 15 * MINUTE if is_of_power else MINUTE
        away = 2 + STAY + int(chance.expovariate(1 / mean))
        if not replaced - 3 * HOUR < at < replaced + 3 * HOUR:
            cuts.append(Cut(at, at + away, is_of_power))
            if is_of_power and chance.random() < 0.5:
                # It goes on from where it stopped: a box without a battery for its clock.
                until = at + away + 30 * MINUTE
                clocks.append(WrongClock(at, until, -away * STEP_S - 3.2, is_synchronised=False))
        at += HOUR + away + int(chance.expovariate(1 / between))
    for _ in range(max(1, turns // (100 * HOUR))):
        at = 2 * HOUR + chance.randrange(turns - 6 * HOUR)
        spell = WrongClock(at, at + HOUR, chance.choice((-95.7, 95.7)), is_synchronised=True)
        far = all(spell.end < each.begin or each.end < spell.begin for each in clocks)
        if far and not replaced - 5 * HOUR < at < replaced + 5 * HOUR:
            clocks.append(spell)
    return clocks, sorted(cuts, key=lambda cut: cut.begin)
