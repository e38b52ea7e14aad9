"""The sheet says all that was measured, and takes nothing from elsewhere."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import msgspec
import pytest

from edge.eyes import LabelCounts, LabelWay, NetworkPair, Qualification
from edge.qualify.criteria import compared, criteria, faults_of, label_criteria
from edge.qualify.sheet import Sheet, SheetAbout
from edge.qualify.walks import WalkDone, people_of, plan
from edge.records import MaskState, Verdict

AT = datetime(2026, 11, 3, 12, tzinfo=UTC)
RIGHT = {
    MaskState.MASKED: Verdict.MASKED,
    MaskState.BARE: Verdict.BARE,
    MaskState.WORN_WRONGLY: Verdict.WORN_WRONGLY,
}


def walked(wrong: int = 0) -> list[WalkDone]:
    """Return all walks; so many of the first are judged wrong."""
    return [
        WalkDone(
            walk,
            (Verdict.BARE if number < wrong else RIGHT[walk.state],) * walk.people,
            (84.0,) * walk.people,
            repeated=number == 1,
        )
        for number, walk in enumerate(plan(is_alone=False))
    ]


def sheet(wrong: int = 0, former: Qualification | None = None, device: str = "door-1") -> Sheet:
    walks = walked(wrong)
    people = people_of(walks)
    found = criteria(people, len(walks), len(walks), 1)
    now = Qualification(
        1, AT, "", NetworkPair("a" * 64, "b" * 64), people, len(walks), 1, faults_of(found)
    )
    comparisons = compared(former, now) if former else ()
    about = SheetAbout(device, "Museum", "tensormask 1")
    return Sheet(about, "ada", now, found, walks, former, comparisons, "today", "last week")


class _Checker(HTMLParser):
    """Follows what is opened and closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_sheet_is_whole_and_takes_nothing_from_elsewhere() -> None:
    text = sheet().html()
    checker = _Checker()
    checker.feed(text)
    checker.close()
    assert checker.open == []
    assert not checker.tags & {"script", "img", "link", "iframe", "svg"}
    assert "http" not in text
    assert "url(" not in text


def test_it_is_black_on_white() -> None:
    colors = set(re.findall(r"#[0-9a-f]{3,6}\b", sheet().html()))
    assert colors == {"#000", "#fff", "#555"}


def test_it_says_what_was_measured() -> None:
    text = sheet().html()
    assert "QUALIFIED: all criteria are met." in text
    assert "NOT" not in text
    assert "30 of 30: 0.884 to 1.000" in text
    assert text.count("84") >= len(plan(is_alone=False))
    assert "There is no measurement of an earlier day" in text


def test_a_door_that_does_not_reach_the_criteria_is_said_to() -> None:
    text = sheet(wrong=4).html()
    assert "NOT QUALIFIED: 1 of 6 criteria not met." in text
    assert "26 of 30: 0.693 to 0.962" in text
    assert text.count("NOT MET") == 1


def test_an_earlier_measurement_is_compared() -> None:
    earlier = msgspec.structs.replace(sheet().qualification, at=AT - timedelta(days=7))
    same = sheet(former=earlier).html()
    assert "Nothing contradicts it" in same
    assert "a fall from all 30 to 23 would have been noticed" in same
    worse = sheet(wrong=12, former=earlier).html()
    assert "It does not: with a mask: judged right differ" in worse
    assert "DIFFERENT" in worse


@pytest.mark.parametrize("way", LabelWay)
def test_of_labels_it_says_how_they_came_about(way: LabelWay) -> None:
    counts = LabelCounts(way, 30, 62, 62, 1, 60, 1, 0 if way is LabelWay.PICTURES else 3, 0)
    found = msgspec.structs.replace(sheet().qualification, labels=counts)
    rows = label_criteria(found.people, counts)
    found = msgspec.structs.replace(found, faults=faults_of(rows))
    about = SheetAbout("door-1", "", "tensormask 1")
    text = Sheet(about, "page Ada", found, rows, (), None, (), "today").html()
    checker = _Checker()
    checker.feed(text)
    assert checker.open == []
    assert "Criteria, fixed before the recording" in text
    assert "All walks" not in text
    if way is LabelWay.DOOR:
        assert "QUALIFIED: all criteria are met." in text
        assert "corrected with these figures, in reports of the past, too" in text
        assert 'were not listed</th><td class="number">3<' in text
    else:
        assert "NOT QUALIFIED: 1 of 8 criteria not met." in text
        assert "Rates are not corrected with these figures: how many people were missed" in text
        assert "were not listed</th><td>not known<" in text


def test_names_are_no_markup() -> None:
    text = sheet(device="<b>&door").html()
    assert "<b>&door" not in text
    assert "&lt;b&gt;&amp;door" in text
