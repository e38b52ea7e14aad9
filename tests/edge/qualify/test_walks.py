"""What is asked for is fixed, and nobody counts twice."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from edge.eyes import KnownPeople, NetworkPair
from edge.qualify.walks import PEOPLE, Gait, Progress, Walk, WalkDone, people_of, plan
from edge.records import MaskState, Verdict

MASKED, BARE, WRONGLY, UNKNOWN = (
    Verdict.MASKED,
    Verdict.BARE,
    Verdict.WORN_WRONGLY,
    Verdict.UNKNOWN,
)
ONE = Walk(MaskState.MASKED, Gait.USUAL)
TWO = Walk(MaskState.BARE, Gait.TOGETHER)


@pytest.mark.parametrize("is_alone", [True, False])
def test_as_many_people_walk_with_a_mask_as_without(is_alone: bool) -> None:
    walks = plan(is_alone=is_alone)
    for state in (MaskState.MASKED, MaskState.BARE):
        assert sum(each.people for each in walks if each.state is state) == PEOPLE
    assert (Gait.TOGETHER in {each.gait for each in walks}) is not is_alone
    states = [each.state for each in walks]
    changes = sum(a is not b for a, b in itertools.pairwise(states))
    assert changes == 2, "the mask is changed as seldom as can be"


def judged(walk: Walk, *verdicts: Verdict) -> tuple[int, int, int, int]:
    counts = WalkDone(walk, verdicts, ()).counts
    assert counts.state is walk.state
    return counts.shown, counts.masked, counts.bare, counts.worn_wrongly


def test_what_was_counted_is_what_became_of_the_people() -> None:
    assert judged(ONE, MASKED) == (1, 1, 0, 0)
    assert judged(ONE, BARE) == (1, 0, 1, 0)
    assert judged(ONE, WRONGLY) == (1, 0, 0, 1)
    assert judged(ONE, UNKNOWN) == (1, 0, 0, 0)
    assert judged(ONE) == (1, 0, 0, 0)
    assert judged(TWO, BARE, MASKED) == (2, 1, 1, 0)
    assert judged(TWO, BARE) == (2, 0, 1, 0)


def test_of_more_visits_than_people_the_wrong_ones_count() -> None:
    assert judged(ONE, MASKED, MASKED) == (1, 1, 0, 0)
    assert judged(ONE, MASKED, BARE) == (1, 0, 1, 0)
    assert judged(ONE, MASKED, UNKNOWN, UNKNOWN) == (1, 1, 0, 0)
    assert judged(TWO, BARE, BARE, MASKED) == (2, 1, 1, 0)
    assert judged(TWO, BARE, MASKED, MASKED, MASKED) == (2, 2, 0, 0)


def test_people_are_added_up_by_state() -> None:
    done = [
        WalkDone(ONE, (MASKED,), (80.0,)),
        WalkDone(ONE, (), ()),
        WalkDone(TWO, (BARE, BARE), (60.0, 70.0)),
        WalkDone(Walk(MaskState.WORN_WRONGLY, Gait.USUAL), (WRONGLY,), (50.0,)),
    ]
    assert people_of(done) == (
        KnownPeople(MaskState.MASKED, 0, 2, 1, 0),
        KnownPeople(MaskState.BARE, 0, 2, 0, 2),
        KnownPeople(MaskState.WORN_WRONGLY, 0, 1, 0, 0, 1),
    )
    assert people_of([]) == ()


def test_what_was_counted_is_said_in_words() -> None:
    assert WalkDone(TWO, (BARE, BARE), ()).in_words == "2 without a mask"
    assert WalkDone(TWO, (MASKED, UNKNOWN), ()).in_words == "1 with a mask, 1 not judged"
    assert WalkDone(ONE, (), ()).in_words == "nobody"


def test_progress_goes_through_the_plan_and_counts_what_was_repeated() -> None:
    progress = Progress(1, 0.0, NetworkPair("a", "b"), is_alone=True)
    walks = plan(is_alone=True)
    assert progress.next == walks[0]
    progress = progress.with_repeat().with_repeat().with_done(walks[0], [MASKED], [50.0])
    assert (progress.next, progress.repeated) == (walks[1], 0)
    assert progress.done[0].repeated == 2
    while (walk := progress.next) is not None:
        progress = progress.with_done(walk, [], [])
    assert len(progress.done) == len(walks)
    assert msgspec.json.decode(msgspec.json.encode(progress), type=Progress) == progress
