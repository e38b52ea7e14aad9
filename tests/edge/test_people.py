"""Drawn people are people to the detector and the classifier."""

from __future__ import annotations

from collections import Counter

from edge.classify.card import load_bundle
from edge.config import MqttSettings, Settings
from edge.decide.identity import EventIds
from edge.people import PEOPLE, frames
from edge.pipeline import open_pipeline
from edge.records import MaskState
from tests.fakes import frame_at


def test_each_is_found_and_judged_as_drawn() -> None:
    pipeline = open_pipeline(Settings(mqtt=MqttSettings(host="broker")), load_bundle(), EventIds())
    states: dict[int, MaskState | None] = {}
    for number, pixels in enumerate(frames(20, 10)):
        outcome = pipeline.process(frame_at(number / 10, pixels))
        states |= {each.track_id: each.state for each in outcome.standings}
    masked = sum(each.mask is not None for each in PEOPLE)
    assert Counter(states.values()) == {
        MaskState.MASKED: masked,
        MaskState.BARE: len(PEOPLE) - masked,
    }
