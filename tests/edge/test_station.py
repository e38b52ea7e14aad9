from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config import PolicySettings, StationSettings
from edge.decide.policy import ViolationPolicy
from edge.pipeline import FrameOutcome
from edge.records import Advice, MaskReading, MaskState, Sighting, TrackedFace
from edge.station import GO_LOOKS, PRESENT_S, SHOWN_S, Station, hindrance
from edge.telemetry import CameraState, CameraView, Telemetry
from tests.edge.samples import TELEMETRY
from tests.fakes import blank, face_at, frame_at

EVERY_S = 0.1
SETTINGS = StationSettings(enabled=True, min_face_px=80)


@dataclass(frozen=True)
class Thresholds:
    bare: float = 0.5
    masked: float = 0.5


@dataclass(frozen=True)
class Person:
    track_id: int = 1
    bare: float | None = 0.02
    """None: not looked at."""
    worn: float = 0.0
    size: float = 120
    left: float = 100

    def reading(self) -> MaskReading:
        face = face_at(self.left, 100, self.size)
        if self.bare is None:
            return MaskReading(face, None)
        masked = 1 - self.bare - self.worn
        probabilities = {MaskState.MASKED: masked, MaskState.BARE: self.bare}
        return MaskReading(face, probabilities | {MaskState.WORN_WRONGLY: self.worn})


@dataclass
class Gate:
    """A station behind a real policy, and what it has said, from frame to frame."""

    settings: StationSettings = SETTINGS
    telemetry: Telemetry | None = TELEMETRY
    grey: int = 128
    now_s: float = 0.0
    said: list[Advice] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.policy = ViolationPolicy(PolicySettings(), Thresholds(), lambda at: "event")
        self.station = Station(self.settings)

    def see(
        self, *people: Person, lifeless: Collection[int] = (), denied: Sequence[int] = ()
    ) -> Advice:
        frame = frame_at(self.now_s, blank(grey=self.grey))
        sightings = tuple(
            Sighting(each.track_id, each.reading(), frame.captured_at, frame.monotonic_s)
            for each in people
        )
        decision = self.policy.update(sightings, (), (), lifeless)
        tracked = tuple(TrackedFace(each, face_at(0, 0)) for each in denied)
        outcome = FrameOutcome(
            sightings, decision, self.policy.standings(sightings), denied=tracked
        )
        self.said.append(self.station.take(frame, outcome, self.telemetry))
        self.now_s += EVERY_S
        return self.said[-1]

    def see_for(self, seconds: float, *people: Person, lifeless: Collection[int] = ()) -> Advice:
        for _ in range(round(seconds / EVERY_S)):
            self.see(*people, lifeless=lifeless)
        return self.said[-1]


MASKED, BARE = Person(bare=0.02), Person(bare=0.97)
WORN = Person(bare=0.03, worn=0.94)
OTHER = replace(MASKED, track_id=2, left=400)


def test_nobody_is_there() -> None:
    assert Gate().see_for(1) is Advice.EMPTY


def test_a_masked_person_waits_and_may_go_within_two_seconds() -> None:
    gate = Gate()
    gate.see_for(2, MASKED)
    assert list(dict.fromkeys(gate.said)) == [Advice.WAIT, Advice.GO]


def test_somebody_without_a_mask_is_told_so_within_two_seconds() -> None:
    gate = Gate()
    gate.see_for(2, BARE)
    assert list(dict.fromkeys(gate.said)) == [Advice.WAIT, Advice.NO_MASK]


def test_a_nose_that_is_out_is_told_so_within_two_seconds() -> None:
    gate = Gate()
    gate.see_for(2, WORN)
    assert list(dict.fromkeys(gate.said)) == [Advice.WAIT, Advice.WORN_WRONGLY]


def test_go_takes_several_looks() -> None:
    gate = Gate()
    for _ in range(GO_LOOKS - 1):
        gate.see(MASKED)
    unseen = replace(MASKED, bare=None)
    assert gate.see_for(1, unseen) is Advice.WAIT
    assert gate.see(MASKED) is Advice.GO


@pytest.mark.parametrize("odd", [0.5, 0.6, 0.9])
def test_a_look_that_says_otherwise_begins_the_looks_again(odd: float) -> None:
    gate = Gate()
    gate.see(MASKED)
    gate.see(MASKED)
    gate.see(replace(MASKED, bare=odd))
    for _ in range(GO_LOOKS - 1):
        assert gate.see(MASKED) is Advice.WAIT


def test_a_surely_unmasked_look_takes_go_back_at_once() -> None:
    gate = Gate()
    assert gate.see_for(2, MASKED) is Advice.GO
    assert gate.see(replace(MASKED, bare=0.85)) is Advice.WAIT


def test_one_doubtful_look_does_not_take_go_back_and_two_do() -> None:
    gate = Gate()
    gate.see_for(3, MASKED)
    doubtful = replace(MASKED, bare=0.6)
    assert gate.see(doubtful) is Advice.GO
    assert gate.see(MASKED) is Advice.GO
    gate.see(doubtful)
    assert gate.see(doubtful) is Advice.WAIT


def test_go_stays_while_somebody_known_is_not_looked_at() -> None:
    gate = Gate()
    gate.see_for(2, MASKED)
    assert gate.see_for(3, replace(MASKED, bare=None)) is Advice.GO


def test_go_ends_soon_after_the_face_has_gone() -> None:
    gate = Gate()
    gate.see_for(2, MASKED)
    left_s = gate.now_s
    while gate.see() is Advice.GO:
        pass
    assert gate.said[-1] is Advice.EMPTY
    assert gate.now_s - left_s == pytest.approx(SETTINGS.hold_s, abs=2 * EVERY_S)


def test_go_is_not_held_for_the_next_one() -> None:
    gate = Gate()
    gate.see_for(2, MASKED)
    assert gate.see(replace(BARE, track_id=2)) is not Advice.GO


def test_who_comes_as_near_without_a_mask_takes_go_back_at_once() -> None:
    gate = Gate()
    gate.see_for(2, MASKED)
    second = replace(OTHER, bare=0.97, size=80)
    assert gate.see(MASKED, second) is Advice.WAIT
    assert gate.see_for(1, MASKED, second) is Advice.NO_MASK


def test_two_people_go_together_when_both_are_masked() -> None:
    gate = Gate()
    assert gate.see_for(2, MASKED, OTHER) is Advice.GO


def test_who_waits_behind_does_not_count() -> None:
    gate = Gate()
    behind = replace(OTHER, bare=0.97, size=60)
    assert gate.see_for(2, MASKED, behind) is Advice.GO


def test_somebody_in_the_distance_is_asked_closer_only_when_he_stays() -> None:
    gate = Gate()
    far = replace(MASKED, size=50)
    assert gate.see_for(0.8, far) is Advice.EMPTY
    assert gate.see_for(0.5, far) is Advice.CLOSER
    assert gate.see_for(2, replace(far, size=100)) is Advice.GO


def test_somebody_far_away_is_nobody() -> None:
    assert Gate().see_for(3, replace(BARE, size=39)) is Advice.EMPTY


@pytest.mark.parametrize(("grey", "expected"), [(20, "light"), (240, "light"), (120, "wait")])
def test_light_is_asked_for_when_it_is_what_hinders(grey: int, expected: str) -> None:
    gate = Gate(grey=grey)
    assert gate.see_for(1.8, replace(MASKED, bare=None)) is Advice.WAIT
    assert gate.see_for(0.5, replace(MASKED, bare=None)) == expected


def test_dark_pictures_of_a_person_who_is_judged_are_light_enough() -> None:
    assert Gate(grey=20).see_for(3, MASKED) is Advice.GO


def test_a_picture_on_the_wall_never_gets_go_and_accuses_nobody() -> None:
    gate = Gate()
    gate.see_for(3, MASKED, lifeless=[1])
    gate.see_for(3, BARE, lifeless=[1])
    assert {Advice.GO, Advice.NO_MASK} & set(gate.said) == set()


def test_a_picture_on_the_wall_does_not_keep_the_gate_closed() -> None:
    gate = Gate()
    poster = replace(OTHER, bare=0.97)
    assert gate.see_for(9, poster, lifeless=[2]) is Advice.WAIT
    assert gate.see_for(2, poster, lifeless=[2]) is Advice.EMPTY
    assert gate.see_for(2, MASKED, poster, lifeless=[2]) is Advice.GO


def test_a_hand_that_was_taken_for_a_face_is_nobody() -> None:
    gate = Gate()
    gate.see_for(0.5, MASKED, BARE)
    gate.see_for(2, MASKED)
    assert gate.see(MASKED, denied=[2]) is Advice.GO


def test_after_an_outage_everybody_is_new() -> None:
    gate = Gate()
    gate.see_for(2, MASKED)
    gate.now_s += 3
    assert gate.see(replace(MASKED, bare=None)) is Advice.WAIT


def test_an_advice_stays_long_enough_to_be_read() -> None:
    gate = Gate()
    while gate.see(BARE) is not Advice.NO_MASK:
        pass
    told_s = gate.now_s
    while gate.see() is Advice.NO_MASK:
        pass
    assert gate.now_s - told_s >= SHOWN_S - EVERY_S
    assert gate.now_s - told_s <= PRESENT_S + 2 * EVERY_S


CAMERA = TELEMETRY.camera


@pytest.mark.parametrize(
    ("telemetry", "expected"),
    [
        (TELEMETRY, None),
        (None, "closed"),
        (replace(TELEMETRY, paused_for_s=60.0), "closed"),
        (replace(TELEMETRY, camera=replace(CAMERA, state=CameraState.LOST)), "closed"),
        (replace(TELEMETRY, camera=replace(CAMERA, rotation_wanted_deg=180)), "closed"),
        (replace(TELEMETRY, camera=replace(CAMERA, view=CameraView.COVERED)), "closed"),
        (replace(TELEMETRY, camera=replace(CAMERA, view=CameraView.DARK)), "light"),
        (replace(TELEMETRY, camera=replace(CAMERA, view=CameraView.BLINDED)), "light"),
    ],
)
def test_what_hinders_everybody(telemetry: Telemetry | None, expected: str | None) -> None:
    assert hindrance(telemetry) == expected


def test_a_hindrance_takes_go_back_at_once() -> None:
    gate = Gate()
    gate.see_for(2, MASKED)
    gate.telemetry = replace(TELEMETRY, paused_for_s=60.0)
    assert gate.see(MASKED) is Advice.CLOSED


LOOKS = st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=1, max_size=60)


@given(LOOKS)
def test_go_rests_on_looks_in_a_row_whatever_was_before(looks: Sequence[float | None]) -> None:
    """And the last judged look was never sure of a missing mask."""
    gate = Gate()
    in_a_row, had_go = 0, False
    for bare in looks:
        advice = gate.see(replace(MASKED, bare=bare))
        if bare is not None:
            in_a_row = in_a_row + 1 if bare < 0.5 else 0
            assert not (advice is Advice.GO and bare >= 0.8)
        if advice is Advice.GO and not had_go:
            assert in_a_row >= GO_LOOKS
        had_go = advice is Advice.GO


@given(LOOKS, LOOKS)
def test_nobody_goes_beside_somebody_who_does_not(
    first: Sequence[float | None], second: Sequence[float | None]
) -> None:
    alone, gate = [Gate(), Gate()], Gate()
    for looks in zip(first, second, strict=False):
        people = [replace(MASKED, bare=looks[0]), replace(OTHER, bare=looks[1])]
        apart = [one.see(person) for one, person in zip(alone, people, strict=True)]
        together = gate.see(*people)
        if together is Advice.GO:
            assert apart == [Advice.GO, Advice.GO]


@given(LOOKS)
def test_what_is_to_be_read_stays(looks: Sequence[float | None]) -> None:
    gate = Gate()
    shown_s = -math.inf
    for bare in looks:
        gate.see(replace(MASKED, bare=bare))
    changes = [place for place, (old, new) in enumerate(pairwise(gate.said), 1) if old is not new]
    for begins, ends in pairwise(changes):
        if gate.said[begins] in (Advice.NO_MASK, Advice.LIGHT) and gate.said[ends] is not Advice.GO:
            shown_s = (ends - begins) * EVERY_S
            assert shown_s >= SHOWN_S - EVERY_S
