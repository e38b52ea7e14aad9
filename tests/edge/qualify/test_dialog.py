"""What the person at the terminal is asked, and what is counted for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec
import pytest

from edge.eyes import NetworkPair
from edge.host.visits import EndedVisit, VisitNews
from edge.qualify.dialog import EMPTY_S, NOBODY_S, Dialog, StoppedError
from edge.qualify.walks import Progress, WalkDone, plan
from edge.records import Verdict

MASKED, BARE = Verdict.MASKED, Verdict.BARE
EMPTY = VisitNews(is_watching=True, in_sight=0)


def seen(number: int) -> VisitNews:
    return VisitNews(is_watching=True, in_sight=number)


def left(*verdicts: Verdict, camera: str = "") -> VisitNews:
    ended = tuple(EndedVisit(each, 84.0) for each in verdicts)
    return VisitNews(is_watching=True, in_sight=0, ended=ended, camera=camera)


@dataclass
class Entrance:
    """A terminal and a service with a clock of their own: each entry of `news` comes a second after
    the one before, once an answer has been given that has it come."""

    answers: list[tuple[str, Sequence[VisitNews]]]
    """What is typed, and what happens then."""
    said: list[str] = field(default_factory=list)
    time_s: float = 0.0
    _coming: list[tuple[float, VisitNews]] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.said.append(text)

    def ask(self, text: str, meanwhile: Callable[[], None]) -> str:
        self.said.append(text)
        meanwhile()
        if not self.answers:
            raise StoppedError
        answer, news = self.answers.pop(0)
        self._coming = [(self.time_s + number, each) for number, each in enumerate(news)]
        return answer

    def take(self, timeout_s: float) -> VisitNews | None:
        self.time_s += timeout_s
        if self._coming and self._coming[0][0] <= self.time_s:
            return self._coming.pop(0)[1]
        return None


def run(
    *answers: tuple[str, Sequence[VisitNews]], camera: str = ""
) -> tuple[Entrance, list[Progress]]:
    """Walk the first walks of the plan until the answers are used up; return all that was kept."""
    door = Entrance(list(answers))
    kept: list[Progress] = []
    dialog = Dialog(door, door, kept.append, camera, lambda: door.time_s)
    progress = Progress(1, 0.0, NetworkPair("a", "b"), is_alone=False)
    with pytest.raises(StoppedError):
        dialog.run(progress)
    return door, kept


QUIET = [EMPTY] * 4
PASSES = [*QUIET, seen(1), seen(1), EMPTY, EMPTY, left(MASKED)]


def test_a_walk_is_done_when_the_visit_has_ended() -> None:
    _, kept = run(("", PASSES), ("", []))
    assert [each.done for each in kept] == [
        (WalkDone(plan(is_alone=False)[0], (MASKED,), (84.0,)),),
    ]


def test_what_was_counted_is_shown_only_after_the_walk_was_called_right() -> None:
    door, _ = run(("", PASSES), ("", []))
    asked = next(number for number, each in enumerate(door.said) if "as asked" in each)
    counted = next(number for number, each in enumerate(door.said) if "counted" in each)
    assert asked < counted
    assert "1 with a mask" in door.said[counted]


def test_a_walk_that_was_done_otherwise_is_repeated_and_that_is_kept() -> None:
    passes_bare = [*PASSES[:-1], left(BARE)]
    _, kept = run(("", passes_bare), ("r", []), ("", PASSES), ("", []))
    assert [each.repeated for each in kept] == [1, 0]
    assert kept[-1].done == (WalkDone(plan(is_alone=False)[0], (MASKED,), (84.0,), repeated=1),)


def test_a_walk_that_nobody_saw_is_a_miss_if_it_was_done() -> None:
    door, kept = run(("", [EMPTY] * 60), ("", []))
    assert any(f"nobody was seen for {NOBODY_S:.0f} s" in each for each in door.said)
    assert kept[-1].done[0].verdicts == ()


def test_a_walk_does_not_begin_while_somebody_is_in_the_picture() -> None:
    door, kept = run(("", [seen(1)] * 60), ("q", []))
    assert any("somebody has been in the picture for 30 s" in each for each in door.said)
    assert not any("walk past now" in each for each in door.said)
    assert kept == []


def test_who_has_just_left_does_not_count_for_the_walk_that_begins() -> None:
    _, kept = run(("", [seen(1), EMPTY, left(BARE), *PASSES]), ("", []))
    assert kept[-1].done[0].verdicts == (MASKED,)
    assert EMPTY_S >= 2


def test_a_service_that_sees_nobody_is_said() -> None:
    blind = VisitNews(is_watching=False, in_sight=0)
    door, _ = run(("", [blind] * 10), ("", PASSES), ("", []))
    assert any("the camera is lost, dark, covered or turned" in each for each in door.said)
    assert any("walk past now" in each for each in door.said)


def test_what_another_camera_sees_does_not_count() -> None:
    there = [msgspec.structs.replace(each, camera="front") for each in PASSES]
    elsewhere = [
        msgspec.structs.replace(seen(3), camera="back"),
        left(BARE, camera="back"),
        VisitNews(is_watching=False, in_sight=0, camera="back"),
    ]
    between = [each for pair in zip(there, elsewhere * 3, strict=False) for each in pair]
    _, kept = run(("", between), ("", []), camera="front")
    assert kept[-1].done[0].verdicts == (MASKED,)


def test_what_is_no_answer_is_asked_again() -> None:
    door, kept = run(("yes", []), ("", PASSES), ("j", []), ("", []))
    assert [each for each in door.said if "none of these" in each] == [
        "'yes' is none of these",
        "'j' is none of these",
    ]
    assert len(kept) == 1


def test_which_mask_is_to_be_worn_is_said_when_it_changes() -> None:
    door = Entrance([])
    kept: list[Progress] = []
    progress = Progress(1, 0.0, NetworkPair("a", "b"), is_alone=False)
    for walk in plan(is_alone=False)[:25]:
        progress = progress.with_done(walk, [MASKED], [84.0])
    with pytest.raises(StoppedError):
        Dialog(door, door, kept.append, "", lambda: door.time_s).run(progress)
    assert "TAKE THE MASK OFF" in door.said[0]
    assert "walk 26 of 56: without a mask, at your usual pace" in door.said[1]


def test_two_people_are_waited_for() -> None:
    progress = Progress(1, 0.0, NetworkPair("a", "b"), is_alone=False)
    for walk in plan(is_alone=False)[:20]:
        progress = progress.with_done(walk, [MASKED], [84.0])
    news = [*QUIET, seen(2), seen(1), left(MASKED), *[EMPTY] * 5, left(MASKED)]
    door = Entrance([("", news), ("", [])])
    kept: list[Progress] = []
    with pytest.raises(StoppedError):
        Dialog(door, door, kept.append, "", lambda: door.time_s).run(progress)
    assert kept[-1].done[-1].verdicts == (MASKED, MASKED)
