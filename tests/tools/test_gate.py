"""A station before the real detector and classifier, and drawn people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from edge.config import Settings, parse_settings
from edge.people import PEOPLE, Figure, frames
from edge.records import Advice, Pixels
from tools.gate import Passage, passage

FPS = 10
CAME_S = 1.0
"""When somebody comes into the picture."""
_, MASKED, BARE = PEOPLE
"""Some 100 and 120 px."""


@pytest.fixture(scope="module")
def settings() -> Settings:
    return parse_settings(
        {"mqtt": {"host": "none"}, "camera": {"source": "none"}, "station": {"enabled": True}},
        "test",
    )


def coming(person: Figure, share: float) -> Figure:
    """Return somebody who has walked this share of the way to the place."""
    near = 0.4 + 0.6 * share
    return replace(person, x=person.x * (0.7 + 0.3 * share), head_px=person.head_px * near)


def answers(passage: Passage) -> list[Advice]:
    return [advice for _, advice in passage.said if advice is not Advice.WAIT]


def passed(settings: Settings, *scenes: tuple[float, Sequence[Figure]]) -> Passage:
    """Show each scene for so many seconds; in the first one people walk up for one of them."""

    def pictures() -> Iterator[Pixels]:
        yield from frames(FPS, FPS, ())
        for step in range(FPS):
            yield from frames(1, FPS, [coming(each, step / FPS) for each in scenes[0][1]])
        for seconds, people in scenes:
            yield from frames(round(FPS * seconds), FPS, people)

    return passage(pictures(), FPS, settings)


def test_a_masked_person_who_comes_may_go_within_two_seconds(settings: Settings) -> None:
    passage = passed(settings, (3, (MASKED,)))
    assert answers(passage) == [Advice.EMPTY, Advice.GO]
    assert passage.said[-1][0] - CAME_S <= 2.0


def test_a_person_without_a_mask_who_comes_is_stopped_within_two_seconds(
    settings: Settings,
) -> None:
    passage = passed(settings, (3, (BARE,)))
    assert answers(passage) == [Advice.EMPTY, Advice.NO_MASK]
    assert passage.said[-1][0] - CAME_S <= 2.0


def test_two_who_come_together_are_stopped_for_the_one_without(settings: Settings) -> None:
    passage = passed(settings, (4, (MASKED, BARE)))
    assert not passage.has_had(Advice.GO)
    assert passage.said[-1][1] is Advice.NO_MASK


def test_go_ends_when_somebody_without_a_mask_joins_and_when_all_have_left(
    settings: Settings,
) -> None:
    said = passed(settings, (3, (MASKED,)), (3, (MASKED, BARE)), (4, ())).said
    advices = [advice for _, advice in said]
    assert advices[advices.index(Advice.GO) + 1 :].count(Advice.GO) == 0
    assert Advice.NO_MASK in advices
    assert advices[-1] is Advice.EMPTY
