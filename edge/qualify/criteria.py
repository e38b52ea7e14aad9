"""What a door must reach, and whether an earlier measurement still holds: fixed beforehand."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import tzinfo

from edge.eyes import (
    MOST_MISSED,
    MOST_NOBODY,
    MOST_UNCLEAR,
    KnownPeople,
    LabelCounts,
    LabelWay,
    Qualification,
)
from edge.rates import Counted, exact_interval
from edge.records import MaskState
from edge.words import count

LEAST_RIGHT = 0.75
"""The lower limit of the exact interval: 28 of 30 reach it, 27 do not."""
LEAST_JUDGED = 0.8
MOST_REPEATED = 0.25
SIGNIFICANCE = 0.05
"""Of all comparisons of two measurements together."""
STATES = {MaskState.MASKED: "with a mask", MaskState.BARE: "without a mask"}
"""Those which a rate tells apart."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One of them."""

    required: str
    measured: str
    is_met: bool


def criteria(
    people: Iterable[KnownPeople], walks: int, asked: int, repeated: int
) -> tuple[Criterion, ...]:
    """Return all of them: `walks` of those `asked` for were done, and `repeated` more not."""
    found = [
        Criterion(f"all {asked} walks are done", f"{walks} of {asked}", walks >= asked),
        Criterion(
            f"not more than {math.floor(MOST_REPEATED * asked)} were repeated, a quarter as many",
            str(repeated),
            repeated <= MOST_REPEATED * asked,
        ),
    ]
    return (*found, *_of_states(people, counts_missed=True))


def label_criteria(people: Iterable[KnownPeople], labels: LabelCounts) -> tuple[Criterion, ...]:
    """Return all criteria where people who passed were labeled."""
    counts_missed = labels.way is LabelWay.DOOR
    found = [
        Criterion(
            "all who were recorded are labeled",
            f"{labels.labeled} of {labels.recorded}",
            labels.labeled == labels.recorded,
        ),
        Criterion(
            f"of not more than {100 * MOST_UNCLEAR:.0f} % it is unclear what they wore",
            f"{labels.unclear} of {labels.labeled}",
            labels.is_clear,
        ),
        Criterion(
            f"of the visits that were judged, not more than {100 * MOST_NOBODY:.0f} % are nobody's",
            f"{labels.nobody} of {labels.judged}",
            labels.is_of_people,
        ),
        Criterion(
            "people who were missed are counted, too, not more than "
            f"{100 * MOST_MISSED:.0f} % of the visits recorded",
            f"{labels.missed}, {count(labels.recorded, 'visit')} recorded"
            if counts_missed
            else "not possible from pictures",
            counts_missed and labels.is_listed,
        ),
    ]
    return (*found, *_of_states(people, counts_missed=counts_missed))


def _of_states(people: Iterable[KnownPeople], *, counts_missed: bool) -> Iterator[Criterion]:
    counted = {each.state: each.counted for each in people}
    for state, worn in STATES.items():
        one = counted.get(state, Counted(0, 0, 0))
        shown = one.shown or 0
        low, high = exact_interval(one.right, one.of)
        yield Criterion(
            f"of the people {worn}{'' if counts_missed else ' who are listed'}, "
            f"{100 * LEAST_JUDGED:.0f} % are judged",
            f"{one.of} of {shown}",
            shown > 0 and one.of >= LEAST_JUDGED * shown,
        )
        yield Criterion(
            f"of these, {100 * LEAST_RIGHT:.0f} % are judged right, with 95 % certainty",
            f"{one.right} of {one.of}: {low:.3f} to {high:.3f}",
            low >= LEAST_RIGHT,
        )


def faults_of(found: Iterable[Criterion]) -> tuple[str, ...]:
    """Return those that are not met, in words."""
    return tuple(f"{each.required}: {each.measured}" for each in found if not each.is_met)


@dataclass(frozen=True, slots=True)
class ShareChange:
    """One share at two times."""

    what: str
    before: tuple[int, int]
    now: tuple[int, int]
    p: float
    """How probable a difference at least as large is by chance."""
    is_different: bool


def former_of(
    earlier: Iterable[Qualification], now: Qualification, zone: tzinfo | None = None
) -> Qualification | None:
    """Return the last one of another day with the same camera and networks, measured in the same
    way; None: there is none.

    `zone` is where the days are counted, by default here.
    """
    day = now.at.astimezone(zone).date()
    found = [
        each
        for each in earlier
        if each.networks == now.networks
        and each.camera == now.camera
        and way_of(each) == way_of(now)
        and each.at.astimezone(zone).date() < day
    ]
    return max(found, key=lambda each: each.at, default=None)


def way_of(one: Qualification) -> LabelWay | None:
    """Return how it was measured; None: by walks."""
    return None if one.labels is None else one.labels.way


def compared(before: Qualification, now: Qualification) -> tuple[ShareChange, ...]:
    """Return how two measurements differ: for each state the share that is judged, and of these
    the share that is judged right. Each by Fisher's exact test, at a fourth of SIGNIFICANCE
    (Bonferroni): if nothing has changed, all is found unchanged in 95 % of the cases or more."""
    pairs = list(_shares(before, now))
    found = []
    for what, first, second in pairs:
        p = fisher(*first, *second)
        found.append(ShareChange(what, first, second, p, p < SIGNIFICANCE / len(pairs)))
    return tuple(found)


def _shares(
    before: Qualification, now: Qualification
) -> Iterator[tuple[str, tuple[int, int], tuple[int, int]]]:
    for state, worn in STATES.items():
        first, second = (
            next((each.counted for each in one.people if each.state is state), Counted(0, 0, 0))
            for one in (before, now)
        )
        yield f"{worn}: judged", (first.of, first.shown or 0), (second.of, second.shown or 0)
        yield f"{worn}: judged right", (first.right, first.of), (second.right, second.of)


def fisher(right: int, of: int, right_2: int, of_2: int) -> float:
    """Return the two-sided p-value of Fisher's exact test (1935): how probable tables are that are
    not more probable than this one, if both shares are the same and the margins are given."""
    rights, people = right + right_2, of + of_2
    least, most = max(0, rights - of_2), min(of, rights)

    def weight(number: int) -> int:
        return math.comb(of, number) * math.comb(of_2, rights - number)

    ours = weight(right)
    as_rare = sum(weight(each) for each in range(least, most + 1) if weight(each) <= ours)
    return as_rare / math.comb(people, rights)


def smallest_fall(of: int, of_2: int) -> int | None:
    """Return the largest number of `of_2` that would be found to be less than all of `of`; None:
    even 0 would not."""
    level = SIGNIFICANCE / (2 * len(STATES))
    found = (each for each in range(of_2, -1, -1) if fisher(of, of, each, of_2) < level)
    return next(found, None)
