"""What a report adds up: cells of time, each in one hour, one day and one shift.

Whatever happened is put into the cell of its minute, once. Hours, days, shifts and the whole are
sums of cells, so that they agree with each other.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from edge.history.records import Alert, People, Place, SightProof
from edge.records import Verdict
from edge.report.records import Apart, PeopleCounts, Unseen
from edge.report.spans import MinuteSpan, MinuteSpans

Sizes = dict[int, tuple[int, int]]
"""Judged masked and judged bare, by where the class of size of their faces begins."""


@dataclass(slots=True)
class PeopleTally:
    """People who left."""

    by_verdict: Counter[Verdict] = field(default_factory=Counter)
    by_size: Counter[tuple[int, Verdict]] = field(default_factory=Counter)
    """Those that a rate is made of."""

    def add(self, row: People) -> None:
        self.by_verdict[row.verdict] += row.visits
        if row.verdict in (Verdict.MASKED, Verdict.BARE):
            self.by_size[row.size_px, row.verdict] += row.visits

    def add_all(self, other: PeopleTally) -> None:
        self.by_verdict.update(other.by_verdict)
        self.by_size.update(other.by_size)

    @property
    def people(self) -> int:
        return self.by_verdict.total()

    def counts(self) -> PeopleCounts:
        unknown = self.by_verdict[Verdict.UNKNOWN]
        return PeopleCounts(
            people=self.people,
            judged=self.people - unknown,
            masked=self.by_verdict[Verdict.MASKED],
            without=self.by_verdict[Verdict.BARE],
            worn_wrongly=self.by_verdict[Verdict.WORN_WRONGLY],
            not_judged=unknown,
            not_judged_share=round(unknown / self.people, 4) if self.people else None,
        )

    def sizes(self) -> Sizes:
        return {
            size: (self.by_size[size, Verdict.MASKED], self.by_size[size, Verdict.BARE])
            for size in sorted({size for size, _ in self.by_size})
        }


@dataclass(slots=True)
class WatchTally:
    """Seconds of one camera."""

    minutes: MinuteSpans = field(default_factory=MinuteSpans)
    """Those that were to be watched."""
    expected_s: float = 0.0
    watched_s: float = 0.0
    unwatched_s: defaultdict[Unseen, float] = field(default_factory=lambda: defaultdict(float))

    def add_all(self, other: WatchTally) -> None:
        self.expected_s += other.expected_s
        self.watched_s += other.watched_s
        for reason, seconds in other.unwatched_s.items():
            self.unwatched_s[reason] += seconds

    @property
    def unwatched_share(self) -> float | None:
        if not self.expected_s:
            return None
        return min(1.0, sum(self.unwatched_s.values()) / self.expected_s)


@dataclass(slots=True)
class Cell:
    """Some minutes, and all that happened in them."""

    span: MinuteSpan
    hour: int
    """The number of its hour in the report."""
    shift: str
    """Empty: outside of all shifts."""
    people: defaultdict[Place, PeopleTally] = field(
        default_factory=lambda: defaultdict(PeopleTally)
    )
    apart: defaultdict[tuple[Apart, Place], PeopleTally] = field(
        default_factory=lambda: defaultdict(PeopleTally)
    )
    apart_s: dict[Apart, float] = field(default_factory=dict)
    watch: defaultdict[str, WatchTally] = field(default_factory=lambda: defaultdict(WatchTally))
    """By camera."""
    alerts: list[Alert] = field(default_factory=list)
    sight: list[SightProof] = field(default_factory=list)
    has_wrong_clock: bool = False


def people_in(cells: Iterable[Cell], where: Place | None = None) -> PeopleTally:
    """Return who was counted in one place; None: in all."""
    total = PeopleTally()
    for cell in cells:
        for place, tally in cell.people.items():
            if where in (None, place):
                total.add_all(tally)
    return total


def apart_in(cells: Iterable[Cell], why: Apart, where: Place | None = None) -> PeopleTally:
    """Return who was counted apart for a reason in one place; None: in all."""
    total = PeopleTally()
    for cell in cells:
        for (reason, place), tally in cell.apart.items():
            if reason is why and where in (None, place):
                total.add_all(tally)
    return total


def watch_in(cells: Iterable[Cell], camera: str | None = None) -> WatchTally:
    """Return what is known of one camera; None: the sum of all."""
    total = WatchTally()
    for cell in cells:
        for name, tally in cell.watch.items():
            if camera in (None, name):
                total.add_all(tally)
    return total
