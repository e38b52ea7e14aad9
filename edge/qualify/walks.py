"""Which walks are asked for, and what those come to that were done. Pure.

All is fixed before the first walk: how many, in which order, and what counts as right.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec

from edge.eyes import KnownPeople, NetworkPair
from edge.records import MaskState, Verdict

PEOPLE = 30
"""Of each state that a rate tells apart: 30 of 30 right is 0.88 at least, with 95 % certainty."""
PAIRS = 5
FAST = 6
FAST_ALONE = 10
WRONGLY = 6
"""Walks with the nose out: they are no part of a rate, and are reported by themselves."""


class Gait(StrEnum):
    """How a walk is done."""

    USUAL = "usual"
    FAST = "fast"
    TOGETHER = "together"
    """Two people, side by side."""


class Walk(msgspec.Struct, frozen=True):
    """What is asked for."""

    state: MaskState
    gait: Gait

    @property
    def people(self) -> int:
        return 2 if self.gait is Gait.TOGETHER else 1

    @property
    def asked(self) -> str:
        """For the terminal and the sheet."""
        return f"{_WORN[self.state]}, {_GAITS[self.gait]}"


_WORN = {
    MaskState.MASKED: "with a mask",
    MaskState.BARE: "without a mask",
    MaskState.WORN_WRONGLY: "mask below the nose",
}
_GAITS = {
    Gait.USUAL: "at your usual pace",
    Gait.FAST: "fast",
    Gait.TOGETHER: "two people side by side",
}


class WalkDone(msgspec.Struct, frozen=True):
    """What the service counted in a walk that was done as asked."""

    walk: Walk
    verdicts: tuple[Verdict, ...]
    """Of the visits that ended."""
    faces_px: tuple[float, ...]
    """Their largest faces."""
    repeated: int = 0
    """How often it was done otherwise before."""

    @property
    def counts(self) -> KnownPeople:
        """What became of the people of this walk.

        Nobody counts twice: where more visits were judged than people walked, the wrong ones count
        first. So a person whose visit broke in two, once right and once wrong, was judged wrong.
        """
        order = sorted(_JUDGED, key=lambda verdict: verdict.value == self.walk.state.value)
        left = self.walk.people
        found = dict.fromkeys(_JUDGED, 0)
        for verdict in order:
            found[verdict] = min(left, self.verdicts.count(verdict))
            left -= found[verdict]
        return KnownPeople(self.walk.state, 0, self.walk.people, *found.values())

    @property
    def in_words(self) -> str:
        """What was counted, for the terminal and the sheet."""
        names = [f"{self.verdicts.count(each)} {_NAMES[each]}" for each in Verdict]
        found = ", ".join(name for name in names if not name.startswith("0 "))
        return found or "nobody"


_JUDGED = (Verdict.MASKED, Verdict.BARE, Verdict.WORN_WRONGLY)
"""In the order of the fields of `KnownPeople`."""
_NAMES = {
    Verdict.MASKED: "with a mask",
    Verdict.BARE: "without a mask",
    Verdict.WORN_WRONGLY: "worn wrongly",
    Verdict.UNKNOWN: "not judged",
}


class Progress(msgspec.Struct, frozen=True):
    """How far a qualification has come, as it is kept between two runs of the program."""

    schema: int
    began_at: float
    """Seconds since 1970."""
    networks: NetworkPair
    is_alone: bool
    done: tuple[WalkDone, ...] = ()
    repeated: int = 0
    """Of the walk that is next."""
    camera: str = ""
    """Its name; empty: the only one."""

    @property
    def walks(self) -> Sequence[Walk]:
        """All that are asked for."""
        return plan(is_alone=self.is_alone)

    @property
    def next(self) -> Walk | None:
        """None: all are done."""
        walks = self.walks
        return walks[len(self.done)] if len(self.done) < len(walks) else None

    def with_done(
        self, walk: Walk, verdicts: Sequence[Verdict], faces: Iterable[float]
    ) -> Progress:
        """Return it after the next walk was done."""
        done = WalkDone(walk, tuple(verdicts), tuple(faces), self.repeated)
        return msgspec.structs.replace(self, done=(*self.done, done), repeated=0)

    def with_repeat(self) -> Progress:
        """Return it after the next walk was done otherwise than asked."""
        return msgspec.structs.replace(self, repeated=self.repeated + 1)


def plan(*, is_alone: bool) -> tuple[Walk, ...]:
    """Return the walks in their order; a person who is alone walks more often."""
    walks: list[Walk] = []
    for state in (MaskState.MASKED, MaskState.BARE):
        fast = FAST_ALONE if is_alone else FAST
        pairs = 0 if is_alone else PAIRS
        usual = PEOPLE - fast - 2 * pairs
        walks += [Walk(state, Gait.USUAL)] * usual + [Walk(state, Gait.FAST)] * fast
        walks += [Walk(state, Gait.TOGETHER)] * pairs
    return (*walks, *[Walk(MaskState.WORN_WRONGLY, Gait.USUAL)] * WRONGLY)


def people_of(done: Iterable[WalkDone]) -> tuple[KnownPeople, ...]:
    """Return what became of all people: a row for each state."""
    found: dict[MaskState, KnownPeople] = {}
    for each in done:
        counts = each.counts
        before = found.get(counts.state, KnownPeople(counts.state, 0, 0, 0, 0))
        found[counts.state] = KnownPeople(
            counts.state,
            0,
            before.shown + counts.shown,
            before.masked + counts.masked,
            before.bare + counts.bare,
            before.worn_wrongly + counts.worn_wrongly,
        )
    return tuple(found.values())
