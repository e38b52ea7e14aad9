"""Judging a clip or folder without a broker: the same documents, on standard output."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from edge.capture.sources import open_source
from edge.classify.card import Bundle
from edge.config import Settings
from edge.decide.identity import EventIds
from edge.decide.policy import Decision
from edge.pipeline import open_pipeline
from edge.publish.messages import encode, origin, violation_message
from edge.records import Violation, ViolationState

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""A clip does not say when it was taken: its frames are stamped as if it had begun here."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a clip came to."""

    frames: int
    faces: int
    """Seen in all frames together."""
    tracks: int
    """How many people, as far as the tracker can tell."""
    violations: int
    fps: float
    """Frames per second, decoding included: the only figure that differs between two runs."""
    detector: str
    model: str


def replay(
    settings: Settings, bundle: Bundle, report: Callable[[Violation, bytes], None]
) -> Summary:
    """Judge every frame of `settings.camera.source`, as fast as possible.

    `report` gets each document as it comes, with its payload. The same file gives the same
    documents, event ids included, on every machine that judges alike.
    """
    pipeline = open_pipeline(settings, bundle, EventIds(random.Random(0)))
    source = open_source(settings.camera, starts_at=EPOCH)
    who = origin(settings.device, bundle.card.model_id)
    frames = faces = tracks = documents = violations = 0

    def take(decision: Decision) -> None:
        nonlocal documents, violations
        for violation in decision.violations:
            documents += 1
            violations += violation.state is ViolationState.CONFIRMED
            # A replay's clock is the clip's own, and nobody has set it.
            report(violation, encode(violation_message(who, violation, documents, False)))

    begun_s = time.perf_counter()
    try:
        while (frame := source.read()) is not None:
            outcome = pipeline.process(frame)
            frames += 1
            faces += len(outcome.sightings)
            tracks = max([tracks, *(sighting.track_id for sighting in outcome.sightings)])
            take(outcome.decision)
        take(pipeline.finish())
    finally:
        source.close()
    fps = frames / (time.perf_counter() - begun_s)
    model = f"{bundle.card.name} {bundle.card.version}"
    detector = pipeline.detection.name
    return Summary(frames, faces, tracks, violations, round(fps, 1), detector, model)


def violation_line(violation: Violation) -> str:
    """Return the document for eyes; times are those of the clip."""
    at_s = ((violation.ended_at or violation.confirmed_at) - EPOCH).total_seconds()
    what = "no mask" if violation.state is ViolationState.CONFIRMED else "over"
    sure = f"{violation.bare_probability:.0%} sure, face of {violation.face_px:.0f} px"
    return (
        f"{at_s:8.2f} s  person {violation.track_id}: {what}, "
        f"for {violation.duration_s:.1f} s ({sure})"
    )


def summary_line(summary: Summary, *, as_json: bool) -> str:
    """Return the last line."""
    if as_json:
        return json.dumps({"state": "summary", **asdict(summary)})
    return (
        f"{summary.frames} frames, {summary.faces} faces, {summary.tracks} people, "
        f"{summary.violations} violations; {summary.fps:.1f} frames per second "
        f"({summary.detector}, {summary.model})"
    )
