from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from edge.classify.card import CardThresholds
from edge.config import ClassifierSettings, MqttSettings, Settings
from edge.decide.policy import ViolationPolicy
from edge.detect.cadence import PacedDetection
from edge.detect.detection import FaceDetection
from edge.look import CROWDED_S, LATE_S, URGENT_S, Attention
from edge.pipeline import Pipeline
from edge.plan import PLANS
from edge.records import Face, Frame, MaskReading, MaskState, Sighting, TrackedFace
from edge.track import Tracker
from tests.fakes import FixedDetector, face_at, face_read, frame_at, looked

SCANS_S = [n / 8 for n in range(49)]
"""Six seconds of scans."""


class ListedJudge:
    """Says what `says` tells for a face's left side and the time; remembers whom it looked at."""

    def __init__(self, says: Callable[[float, float], float | None]) -> None:
        self._says = says
        self.looks: list[tuple[float, float]] = []

    def classify(self, frame: Frame, faces: Sequence[Face]) -> tuple[MaskReading, ...]:
        at_s = frame.monotonic_s - 100
        self.looks += [(at_s, face.box.left) for face in faces]
        return tuple(face_read(face, self._says(face.box.left, at_s)) for face in faces)


def crowd(people: int) -> list[TrackedFace]:
    return [TrackedFace(n + 1, face_at(100.0 * n, 0)) for n in range(people)]


def looked_at(says: Callable[[float, float], float | None], people: int = 1) -> ListedJudge:
    judge = ListedJudge(says)
    attention = Attention(judge, ClassifierSettings(looks_per_frame=2))
    for at_s in SCANS_S:
        attention.look(frame_at(at_s), crowd(people), ())
    return judge


def looks_between(judge: ListedJudge, begin_s: float, end_s: float) -> int:
    return sum(begin_s <= at_s < end_s for at_s, _ in judge.looks)


def test_a_new_face_is_looked_at_in_every_scan_and_a_known_one_once_a_second() -> None:
    judge = looked_at(lambda who, at_s: 0.02)
    assert looks_between(judge, 0, 1.2) == 10
    assert [at_s for at_s, _ in judge.looks[10:]] == [1.25, 2.25, 3.25, 4.25, 5.25]


def test_a_doubtful_face_is_looked_at_in_every_scan() -> None:
    judge = looked_at(lambda who, at_s: 0.6)
    assert [at_s for at_s, _ in judge.looks] == SCANS_S


def test_looks_that_contradict_each_other_make_a_face_doubtful() -> None:
    sides = itertools.cycle([0.99, 0.01])
    judge = looked_at(lambda who, at_s: next(sides))
    assert [at_s for at_s, _ in judge.looks] == SCANS_S


def test_a_look_that_disagrees_starts_a_known_person_again() -> None:
    judge = looked_at(lambda who, at_s: 0.02 if at_s < 3 else 0.98)
    assert looks_between(judge, 1.5, 3.25) == 1
    assert looks_between(judge, 3.25, 4.5) == 10


def test_a_face_that_cannot_be_judged_is_tried_again_in_every_scan() -> None:
    judge = looked_at(lambda who, at_s: None)
    assert [at_s for at_s, _ in judge.looks] == SCANS_S


def test_a_moment_of_blur_leaves_a_known_person_known() -> None:
    judge = looked_at(lambda who, at_s: None if at_s == 2.25 else 0.02)
    assert [at_s for at_s, _ in judge.looks[10:]] == [1.25, 2.25, 2.375, 3.375, 4.375, 5.375]


def test_looks_are_bounded_in_each_frame_and_nobody_waits_for_ever() -> None:
    judge = looked_at(lambda who, at_s: 0.6, people=10)
    assert all(len(list(group)) == 2 for _, group in itertools.groupby(judge.looks, lambda x: x[0]))
    counts = [sum(who == 100 * n for _, who in judge.looks) for n in range(10)]
    assert min(counts) >= 8


def test_who_looked_bare_and_cannot_be_judged_any_more_takes_nobodys_turn() -> None:
    gone = range(15)
    judge = ListedJudge(lambda who, at_s: None if who < 1500 and at_s >= 1.0 else 0.9)
    attention = Attention(judge, ClassifierSettings())
    for at_s in SCANS_S:
        people = crowd(len(gone) if at_s < 1.0 else len(gone) + 10)
        attention.look(frame_at(at_s), people, ())
    for person in range(15, 25):
        looks = [at_s for at_s, who in judge.looks if who == 100.0 * person]
        assert looks[0] <= 4
        assert len(looks) >= 3


@pytest.mark.parametrize(("people", "is_crowded"), [(1, False), (4, False), (9, True)])
def test_it_is_crowded_where_looks_at_people_are_late(people: int, is_crowded: bool) -> None:
    # Two looks in each of eight scans a second: new people need four looks in 1.2 s.
    attention = Attention(ListedJudge(lambda who, at_s: 0.6), ClassifierSettings(looks_per_frame=2))
    for at_s in SCANS_S:
        attention.look(frame_at(at_s), crowd(people), ())
        assert not attention.is_crowded(100 + at_s) or at_s > LATE_S
    assert attention.is_crowded(100 + SCANS_S[-1]) is is_crowded
    attention.look(frame_at(SCANS_S[-1] + CROWDED_S), crowd(1), tuple(range(2, people + 1)))
    assert not attention.is_crowded(100 + SCANS_S[-1] + CROWDED_S)


def test_people_who_are_known_do_not_make_a_crowd() -> None:
    attention = Attention(
        ListedJudge(lambda who, at_s: 0.02), ClassifierSettings(looks_per_frame=4)
    )
    for person in range(1, 13):
        for scan in range(16):
            at_s = 2.0 * person + scan / 8
            attention.look(frame_at(at_s), crowd(person), ())
            assert not attention.is_crowded(100 + at_s), person


def test_people_who_are_ignored_take_nobodys_turn_and_make_no_crowd() -> None:
    eating = range(2, 31)
    judge = ListedJudge(lambda who, at_s: 0.6)
    attention = Attention(judge, ClassifierSettings(looks_per_frame=2))
    for at_s in SCANS_S:
        attention.look(frame_at(at_s), crowd(30), (), eating)
        assert not attention.is_crowded(100 + at_s)
    looks = Counter(who for _, who in judge.looks)
    assert looks[0.0] == len(SCANS_S), "he is doubtful, and looked at in every scan"
    assert all(1 <= looks[100.0 * (each - 1)] <= 2 for each in eating), "that there are faces"


def test_who_comes_out_of_where_people_are_ignored_is_looked_at_soon() -> None:
    judge = ListedJudge(lambda who, at_s: 0.9)
    attention = Attention(judge, ClassifierSettings(looks_per_frame=2))
    for at_s in SCANS_S:
        attention.look(frame_at(at_s), crowd(1), (), (1,) if at_s < 3 else ())
    assert [at_s for at_s, _ in judge.looks][:4] == [0, 3, 3.125, 3.25]


def test_a_plan_says_how_many_looks_there_are_where_the_settings_do_not() -> None:
    for plan in PLANS.values():
        for settings, most in (
            (ClassifierSettings(), plan.looks_per_frame),
            (ClassifierSettings(looks_per_frame=3), 3),
        ):
            judge = ListedJudge(lambda who, at_s: 0.6)
            attention = Attention(judge, settings)
            attention.plan = plan
            attention.look(frame_at(0), crowd(20), ())
            assert len(judge.looks) == most


def test_somebody_new_comes_before_the_doubtful() -> None:
    judge = ListedJudge(lambda who, at_s: 0.6)
    attention = Attention(judge, ClassifierSettings(looks_per_frame=2))
    attention.look(frame_at(0), crowd(2), ())
    attention.look(frame_at(0.1), crowd(4), ())
    assert {who for at_s, who in judge.looks if at_s > 0} == {200, 300}


def test_every_face_is_a_sighting_and_only_those_looked_at_carry_a_probability() -> None:
    attention = Attention(ListedJudge(lambda who, at_s: 0.6), ClassifierSettings(looks_per_frame=1))
    frame = frame_at(0)
    first, second = TrackedFace(1, face_at(0, 0)), TrackedFace(2, face_at(90, 0))
    sightings = attention.look(frame, [first, second], ())
    assert [sighting.track_id for sighting in sightings] == [1, 2]
    assert [sighting.reading for sighting in sightings] == [
        face_read(first.face, 0.6),
        face_read(second.face, None),
    ]
    assert {(s.seen_at, s.monotonic_s) for s in sightings} == {(frame.captured_at, 100.0)}


def test_every_frame_is_looked_at_where_no_pause_is_asked_for() -> None:
    judge = ListedJudge(lambda who, at_s: 0.02)
    attention = Attention(judge, ClassifierSettings(recheck_s=0))
    for at_s in SCANS_S:
        attention.look(frame_at(at_s), crowd(1), ())
    assert [at_s for at_s, _ in judge.looks] == SCANS_S


def test_people_who_have_left_are_forgotten() -> None:
    judge = ListedJudge(lambda who, at_s: 0.02)
    attention = Attention(judge, ClassifierSettings())
    for n in range(1000):
        attention.look(frame_at(n), [TrackedFace(n, face_at(0, 0))], (n - 1,))
    assert attention.known == 1


def test_people_in_sight_when_an_outage_or_a_pause_begins_are_forgotten_too() -> None:
    attention = Attention(ListedJudge(lambda who, at_s: 0.02), ClassifierSettings())
    settings = Settings(mqtt=MqttSettings(host="h"))
    detection = FaceDetection(FixedDetector([face_at(90, 90)]), settings.detector)
    policy = ViolationPolicy(settings.policy, CardThresholds(bare=0.5, masked=0.5), lambda at: "id")
    pipeline = Pipeline(
        PacedDetection(detection, settings.detector), Tracker(settings.tracker), attention, policy
    )
    pipeline.process(frame_at(0))
    assert attention.known == 1
    pipeline.finish()
    assert attention.known == 0


def test_in_a_crowd_people_who_may_be_bare_come_before_those_who_looked_masked() -> None:
    bare = 100.0 * 7
    judge = looked_at(lambda who, at_s: 0.9 if who == bare else 0.02, people=30)
    # The bare one again and again, until enough is known.
    looks = [at_s for at_s, who in judge.looks if who == bare]
    assert looks[5] - looks[0] == 5 * URGENT_S
    assert looks[6] - looks[5] >= 1
    # It costs the others five turns.
    assert len({who for _, who in judge.looks[:35]}) == 30
    assert {who for at_s, who in judge.looks if at_s >= 2} == {100.0 * n for n in range(30)}


class BeardJudge(ListedJudge):
    """Takes a bare face for a mask below the chin as often as for none."""

    def classify(self, frame: Frame, faces: Sequence[Face]) -> tuple[MaskReading, ...]:
        return tuple(
            replace(
                reading,
                probabilities={
                    MaskState.MASKED: said[MaskState.MASKED],
                    MaskState.BARE: said[MaskState.BARE] * 0.45,
                    MaskState.WORN_WRONGLY: said[MaskState.BARE] * 0.55,
                },
            )
            for reading in super().classify(frame, faces)
            if (said := reading.probabilities)
        )


def test_a_person_whose_mouth_and_nose_look_uncovered_in_any_way_comes_before_the_masked() -> None:
    who_is = 100.0 * 7
    judge = BeardJudge(lambda who, at_s: 0.9 if who == who_is else 0.02)
    attention = Attention(judge, ClassifierSettings(looks_per_frame=2))
    for at_s in SCANS_S:
        attention.look(frame_at(at_s), crowd(30), ())
    looks = [at_s for at_s, who in judge.looks if who == who_is]
    assert looks[5] - looks[0] == 5 * URGENT_S


def test_the_larger_of_two_who_are_new_comes_first() -> None:
    judge = ListedJudge(lambda who, at_s: 0.02)
    attention = Attention(judge, ClassifierSettings(looks_per_frame=1))
    small, large = (TrackedFace(n, face_at(100.0 * n, 0, size)) for n, size in ((1, 30), (2, 60)))
    attention.look(frame_at(0), [small, large], ())
    assert judge.looks == [(0, large.face.box.left)]


def test_a_person_of_whom_there_are_few_looks_is_not_known_yet() -> None:
    judge = ListedJudge(lambda who, at_s: 0.02)
    attention = Attention(judge, ClassifierSettings())
    for at_s in (0, 1, 2, 3, 3.5, 3.9, 4.0):
        attention.look(frame_at(at_s), crowd(1), ())
    assert [at_s for at_s, _ in judge.looks] == [0, 1, 2, 3, 4]


class DoubtingJudge:
    """Says how likely nobody is there, by the number of its look; a face would be bare."""

    def __init__(self, *nobody: float) -> None:
        self._nobody = itertools.chain(nobody, itertools.repeat(nobody[-1]))
        self.looks_s: list[float] = []

    def classify(self, frame: Frame, faces: Sequence[Face]) -> tuple[MaskReading, ...]:
        self.looks_s += [frame.monotonic_s - 100] * len(faces)
        return tuple(MaskReading(face, looked(0.99), next(self._nobody)) for face in faces)


def seen(
    judge: DoubtingJudge,
    moments_s: Sequence[float] = SCANS_S,
    face: Callable[[float], Face] = lambda at_s: face_at(0, 0, 60, 0.6),
) -> list[tuple[float, Sighting]]:
    """Return the sightings of one track, with their times."""
    attention = Attention(judge, ClassifierSettings(), sure_confidence=0.78, somebody=0.5)
    return [
        (at_s, sighting)
        for at_s in moments_s
        for sighting in attention.look(frame_at(at_s), [TrackedFace(1, face(at_s))], ())
    ]


def test_what_looks_call_nobody_is_not_seen_and_looked_at_ever_more_seldom() -> None:
    judge = DoubtingJudge(0.9)
    assert seen(judge, [n / 8 for n in range(200)]) == []
    assert judge.looks_s == [0, 1, 3, 7, 15, 23]


def test_one_good_look_brings_somebody_back() -> None:
    judge = DoubtingJudge(0.9, 0.9, 0.05)
    sightings = seen(judge)
    assert judge.looks_s[:4] == [0, 1, 3, 3.125]
    assert [at_s for at_s, _ in sightings] == [at_s for at_s in SCANS_S if at_s >= 3]
    assert sightings[0][1].is_sure


@pytest.mark.parametrize(
    "changed",
    [face_at(61, 0, 60, 0.6), face_at(0, 0, 90, 0.6), face_at(0, 0, 40, 0.6), face_at(0, 0, 60)],
)
def test_a_track_that_changes_is_looked_at_again_at_once(changed: Face) -> None:
    judge = DoubtingJudge(0.9)
    still = face_at(5, 5, 62, 0.7)
    shown = {0.0: face_at(0, 0, 60, 0.6), 0.125: still, 0.25: changed, 0.375: changed}
    assert seen(judge, list(shown), lambda at_s: shown[at_s]) == []
    assert judge.looks_s == [0, 0.25]


def test_a_head_that_turns_is_nobody_after_two_looks_and_judged_in_none_of_them() -> None:
    sightings = seen(DoubtingJudge(0.1, 0.9, 0.9, 0.9, 0.1))
    before, turned, *back = sightings
    assert before[1].reading.probabilities == looked(0.99)
    assert turned == (
        0.125,
        replace(turned[1], reading=MaskReading(face_at(0, 0, 60, 0.6), None, 0.9), is_sure=False),
    )
    # At 0.25 s it is nobody, and still at 1.25 s; at 3.25 s it has turned back.
    assert [at_s for at_s, _ in back] == [at_s for at_s in SCANS_S if at_s >= 3.25]


def test_a_look_is_sure_by_what_detector_and_classifier_say_together() -> None:
    judge = DoubtingJudge(0.1, 0.3, 0.1)
    moments = [0, 0.125, 0.25]
    assert [each.is_sure for _, each in seen(judge, moments)] == [True, False, True]
    # Neither sure nor nobody: it is not seen until a look is sure.
    assert [at_s for at_s, _ in seen(DoubtingJudge(0.3, 0.1), moments)] == [0.125, 0.25]


def test_in_a_crowd_who_was_not_looked_at_is_somebody_if_the_detector_is_sure() -> None:
    attention = Attention(
        DoubtingJudge(0.1),
        ClassifierSettings(looks_per_frame=1),
        sure_confidence=0.78,
        somebody=0.5,
    )
    large, sure, unsure = (
        TrackedFace(1, face_at(0, 0, 90, 0.9)),
        TrackedFace(2, face_at(100, 0, 60, 0.8)),
        TrackedFace(3, face_at(200, 0, 60, 0.7)),
    )
    first = attention.look(frame_at(0), [large, sure, unsure], ())
    assert [(each.track_id, each.is_sure) for each in first] == [(1, True), (2, False)]
    later = [attention.look(frame_at(n / 8), [sure, unsure], ()) for n in (1, 2)]
    assert {each.track_id for each in later[1]} == {2, 3}


def test_what_may_be_nobody_takes_no_turn_of_somebodys_but_its_own() -> None:
    attention = Attention(
        judge := ListedJudge(lambda who, at_s: 0.6),
        ClassifierSettings(looks_per_frame=2),
        sure_confidence=0.78,
        somebody=0.5,
    )
    people = crowd(2)
    for number in range(16):
        # Something else is taken for a face in each frame; what is new at 0 is there to stay.
        thing = TrackedFace(100 + number, face_at(900.0 + number, 0, 60, 0.65))
        stays = TrackedFace(50, face_at(800.0, 0, 60, 0.65))
        ended = () if number == 0 else (99 + number,)
        attention.look(frame_at(number / 8), [*people, stays, thing], ended)
    looks = [who for _, who in judge.looks]
    assert sum(who >= 900 for who in looks) == 0
    assert looks.count(800) >= 5
    assert min(looks.count(0), looks.count(100)) >= 5


def test_where_a_network_does_not_tell_nobody_the_detector_alone_is_sure() -> None:
    attention = Attention(
        ListedJudge(lambda who, at_s: 0.9), ClassifierSettings(looks_per_frame=1), 0.78
    )
    faces = [TrackedFace(n, face_at(100 * n, 0, 60, sure)) for n, sure in ((1, 0.77), (2, 0.78))]
    for at_s in (0, 1):
        sightings = attention.look(frame_at(at_s), faces, ())
        assert [each.is_sure for each in sightings] == [False, True]
