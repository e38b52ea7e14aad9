"""What labels come to, and what a session lets be seen and done."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from edge.eyes import KnownPeople, LabelWay, NetworkPair, Qualification, eyes_of_qualification
from edge.qualify.criteria import label_criteria
from edge.qualify.labels import (
    MOST_VISITS,
    Label,
    LabelPicture,
    LabelSession,
    NotLabeledError,
)
from edge.records import MaskState, Verdict
from tests.fakes import START

NETWORKS = NetworkPair("a" * 64, "b" * 64)
MASKED, BARE, UNKNOWN = Verdict.MASKED, Verdict.BARE, Verdict.UNKNOWN
PICTURES = (LabelPicture(b"covered", b"face"), LabelPicture(b"covered, too", b"face, too"))


def session(way: LabelWay = LabelWay.DOOR) -> LabelSession:
    """Return one that records for 10 s, from 0 on."""
    return LabelSession("", way, "page Ada", 10, 10.0)


def labeled(
    *people: tuple[Label | None, Verdict], way: LabelWay = LabelWay.DOOR, missed: int = 0
) -> Qualification:
    """Return what these come to: what they wore, and what was judged; so many more without a mask
    were missed."""
    found = session(way)
    for number, (label, verdict) in enumerate(people, 1):
        found.record(START, verdict, (), 0)
        if label is not None:
            found.label(number, label)
    for _ in range(missed):
        found.count_missed(MaskState.BARE, 1, 0)
    return found.result(NETWORKS, START)


def thirty(label: Label, verdict: Verdict) -> list[tuple[Label | None, Verdict]]:
    return [(label, verdict)] * 30


GOOD = [*thirty(Label.MASKED, MASKED), *thirty(Label.BARE, BARE)]


def test_people_count_by_what_they_wore_and_what_was_judged() -> None:
    found = labeled(
        (Label.MASKED, MASKED), (Label.MASKED, BARE), (Label.MASKED, UNKNOWN), (Label.BARE, BARE),
        (Label.BARE, Verdict.WORN_WRONGLY), (Label.WORN_WRONGLY, MASKED), (Label.NOBODY, BARE),
        (Label.NOBODY, UNKNOWN), (Label.UNCLEAR, MASKED), (None, MASKED), missed=3,
    )  # fmt: skip
    assert found.people == (
        KnownPeople(MaskState.MASKED, 0, 3, 1, 1),
        KnownPeople(MaskState.BARE, 0, 5, 0, 1, 1),
        KnownPeople(MaskState.WORN_WRONGLY, 0, 1, 1, 0),
    )
    counts = found.labels
    assert counts is not None
    assert (counts.recorded, counts.labeled, counts.unclear) == (10, 9, 1)
    assert (counts.nobody, counts.judged, counts.missed) == (1, 7, 3)


@pytest.mark.parametrize(
    ("more", "missed", "fault"),
    [
        ([], 7, ""),
        ([], 8, "of the people without a mask, 80 % are judged: 30 of 38"),
        ([(None, MASKED)], 0, "all who were recorded are labeled: 60 of 61"),
        ([(Label.UNCLEAR, MASKED)] * 6, 0, ""),
        ([(Label.UNCLEAR, MASKED)] * 7, 0, "not more than 10 % it is unclear"),
        ([(Label.NOBODY, UNKNOWN)] * 9, 0, ""),
        ([(Label.NOBODY, BARE)] * 3, 0, ""),
        ([(Label.NOBODY, BARE)] * 4, 0, "not more than 5 % are nobody's: 4 of 64"),
        ([(Label.BARE, MASKED)] * 2, 0, ""),
        ([(Label.BARE, MASKED)] * 5, 0, "judged right, with 95 % certainty: 30 of 35"),
    ],
)
def test_each_criterion_is_fixed(
    more: Sequence[tuple[Label | None, Verdict]], missed: int, fault: str
) -> None:
    faults = labeled(*GOOD, *more, missed=missed).faults
    assert [fault in each for each in faults] == ([True] if fault else [])


def test_from_pictures_no_door_qualifies_and_no_rate_is_corrected() -> None:
    found = labeled(*GOOD, way=LabelWay.PICTURES)
    assert found.faults == (
        "people who were missed are counted, too, not more than 50 % of the visits recorded: not "
        "possible from pictures",
    )
    assert found.labels is not None
    said = [each.required for each in label_criteria(found.people, found.labels)]
    assert "of the people with a mask who are listed, 80 % are judged" in said
    assert eyes_of_qualification(_text(found), NETWORKS) is None
    at_door = labeled(*GOOD, missed=2)
    eyes = eyes_of_qualification(_text(at_door), NETWORKS)
    assert eyes is not None
    assert (eyes.bare[0].right, eyes.bare[0].of, eyes.bare[0].shown) == (30, 30, 32)
    assert eyes.source == "measured at this door on 2026-01-02, 62 passages"


@pytest.mark.parametrize(
    ("people", "why"),
    [
        (GOOD, ""),
        ([*GOOD[:20], *GOOD[30:50]], ""),
        ([*GOOD, *thirty(Label.BARE, MASKED)], ""),
        ([*GOOD, (None, BARE)], "not all who were recorded are labeled"),
        ([*GOOD[:20], *GOOD[30:49]], "20 people must be judged"),
        (GOOD[:30], "20 people must be judged"),
        ([*GOOD, *[(Label.UNCLEAR, MASKED)] * 6], ""),
        ([*GOOD, *[(Label.UNCLEAR, MASKED)] * 7], "of 7 of 67 people it is unclear"),
        ([*GOOD, *[(Label.NOBODY, BARE)] * 3], ""),
        ([*GOOD, *[(Label.NOBODY, BARE)] * 4], "4 of 64 visits that were judged are nobody's"),
        ([*GOOD[:30], *thirty(Label.BARE, UNKNOWN)], "20 people must be judged"),
    ],
)
def test_rates_are_corrected_with_what_says_enough(
    people: Sequence[tuple[Label | None, Verdict]], why: str
) -> None:
    found = labeled(*people)
    assert why in found.why_unused
    assert (eyes_of_qualification(_text(found), NETWORKS) is None) == bool(why)
    assert bool(found.why_unused) == bool(why)


def test_more_missed_people_than_half_as_many_as_were_recorded_are_not_believed() -> None:
    assert labeled(*GOOD, missed=30).why_unused == ""
    found = labeled(*GOOD, missed=31)
    assert found.why_unused == "31 people were missed, beside 60 visits"
    assert eyes_of_qualification(_text(found), NETWORKS) is None
    assert "50 % of the visits recorded: 31, 60 visits recorded" in " ".join(found.faults)


def _text(found: Qualification) -> str:
    return msgspec.json.encode(found).decode()


def test_the_oldest_is_labeled_first_and_the_last_may_be_labeled_again() -> None:
    found = session()
    for _ in range(3):
        found.record(START, MASKED, PICTURES, 0)
    assert not found.can_undo
    for number in (1, 2):
        assert found.next is not None
        assert found.next.number == number
        found.label(number, Label.BARE)
    assert found.picture(2, 0, is_uncovered=False) == b"covered", "it may be needed again"
    found.undo()
    assert found.next is not None
    assert found.next.number == 2
    found.label(2, Label.MASKED)
    assert [each.label for each in found.visits] == [Label.BARE, Label.MASKED, None]
    with pytest.raises(NotLabeledError, match="labeled already"):
        found.label(1, Label.MASKED)
    for number in (0, 4, -1):
        with pytest.raises(NotLabeledError, match="no such person"):
            found.label(number, Label.MASKED)


def test_pictures_are_dropped_when_the_next_person_is_labeled() -> None:
    found = session()
    for number in (1, 2):
        found.record(START, MASKED, PICTURES, 0)
        found.label(number, Label.MASKED)
    assert found.picture(1, 0, is_uncovered=False) == b""
    assert found.visits[0].pictures == ()
    assert found.visits[1].pictures == PICTURES


def test_a_face_is_shown_only_when_it_is_asked_for_and_that_is_counted() -> None:
    found = session(LabelWay.PICTURES)
    found.record(START, MASKED, PICTURES, 0)
    found.record(START, MASKED, (LabelPicture(b"covered"),), 0)
    assert found.picture(1, 1, is_uncovered=False) == b"covered, too"
    assert found.uncovered == 0
    assert found.picture(1, 1, is_uncovered=True) == b"face, too"
    assert found.picture(1, 0, is_uncovered=True) == b"face"
    assert found.picture(2, 0, is_uncovered=True) == b"covered", "where that is not allowed"
    assert found.uncovered == 1
    for visit, number in ((0, 0), (3, 0), (1, 2), (1, -1)):
        assert found.picture(visit, number, is_uncovered=True) == b""


def test_the_recording_ends_in_time_and_with_so_many_people_that_all_can_be_labeled() -> None:
    found = session()
    found.record(START, MASKED, (), 9.9)
    found.record(START, MASKED, (), 10.0)
    assert len(found.visits) == 1
    found = session()
    for _ in range(MOST_VISITS + 5):
        found.record(START, MASKED, (), 3.0)
    assert len(found.visits) == MOST_VISITS
    assert not found.is_recording(3.0)
    found.stop(9.0)
    assert found.until_s == 3.0
    assert not found.is_forgotten(3602.9)
    assert found.is_forgotten(3603.0)


def test_who_is_missed_is_counted_at_the_door_while_it_is_recorded() -> None:
    found = session()
    found.count_missed(MaskState.BARE, -1, 0)
    assert found.missed.total() == 0
    found.count_missed(MaskState.BARE, 1, 0)
    found.stop(5.0)
    with pytest.raises(NotLabeledError, match="the recording is over"):
        found.count_missed(MaskState.BARE, 1, 5.0)
    found.count_missed(MaskState.BARE, -1, 5.0)
    assert found.missed.total() == 0
    with pytest.raises(NotLabeledError, match="cannot be counted from pictures"):
        session(LabelWay.PICTURES).count_missed(MaskState.BARE, 1, 0)
