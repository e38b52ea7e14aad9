"""The whole road with what is no face: which detections become people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from edge.classify.card import Bundle, CardThresholds
from edge.config import DetectorSettings, MqttSettings, Settings
from edge.decide.policy import ViolationPolicy
from edge.detect.cadence import PacedDetection
from edge.detect.detection import FaceDetection
from edge.look import Attention
from edge.pipeline import FrameOutcome, Pipeline, open_pipeline
from edge.records import Face, Frame, MaskReading, Verdict, ViolationState
from edge.track import Tracker
from edge.upright import Upright
from tests.edge.classify.networks import bundle_of, network_of
from tests.fakes import FixedDetector, face_at, frame_at, looked

SETTINGS = Settings(
    mqtt=MqttSettings(host="h"), detector=DetectorSettings(every_s=0, full_every_s=0)
)
PERSON = face_at(60, 60, 60, 0.6)
"""Of whom the detector alone is not sure."""
BACK = face_at(400, 60, 60, 0.9)
"""Of a head; of this it is sure."""


class Judge:
    """Calls whatever is bare, and the back of a head nobody."""

    def classify(self, frame: Frame, faces: Sequence[Face]) -> tuple[MaskReading, ...]:
        return tuple(
            MaskReading(face, looked(0.99), 0.9 if face.box.left > 300 else 0.05) for face in faces
        )


def pipeline() -> Pipeline:
    detection = FaceDetection(FixedDetector([PERSON, BACK]), SETTINGS.detector)
    return Pipeline(
        PacedDetection(detection, SETTINGS.detector),
        Tracker(SETTINGS.tracker, sure_confidence=0.0),
        Attention(Judge(), SETTINGS.classifier, 0.78, somebody=0.5),
        ViolationPolicy(SETTINGS.policy, CardThresholds(bare=0.5, masked=0.5), lambda at: "id"),
        upright=Upright(FixedDetector([])),
    )


def test_who_is_nobody_is_neither_seen_nor_reported_nor_counted() -> None:
    road = pipeline()
    outcomes: list[FrameOutcome] = []
    for n in range(40):
        pixels = frame_at(0).pixels.copy()
        pixels[:, ::2] += n % 2 * 60  # something moves, so every frame is scanned
        outcomes.append(road.process(frame_at(n / 8, pixels)))
    decisions = [*(each.decision for each in outcomes), road.finish()]
    assert {each.reading.face for outcome in outcomes for each in outcome.sightings} == {PERSON}
    assert {len(outcome.standings) for outcome in outcomes} == {1}
    violations = [each for decision in decisions for each in decision.violations]
    assert [each.state for each in violations] == [ViolationState.CONFIRMED, ViolationState.ENDED]
    visits = [each for decision in decisions for each in decision.visits]
    (visit,) = visits
    assert visit.verdict is Verdict.BARE
    assert {each.track_id for each in violations} == {visit.track_id}


@pytest.fixture
def four(tmp_path: Path) -> Bundle:
    return bundle_of(tmp_path, network_of(4, "features answers"), somebody=0.45)


@pytest.mark.parametrize(("given", "begins"), [(None, 0.0), (0.7, 0.7)])
def test_with_a_bundle_that_tells_nobody_every_detection_is_followed_unless_settings_say_otherwise(
    four: Bundle, given: float | None, begins: float
) -> None:
    detector = DetectorSettings(name="tensormask", sure_confidence=given)
    settings = Settings(mqtt=MqttSettings(host="h"), detector=detector)
    assert open_pipeline(settings, four, str).tracker.sure_confidence == begins
