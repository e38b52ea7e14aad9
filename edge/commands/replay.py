"""Judging a clip or folder without a broker: the same documents, on standard output."""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from edge.capture.playback import Playback
from edge.capture.sources import open_source
from edge.capture.view import view_of
from edge.classify.card import Bundle, load_bundle
from edge.commands.annotate import annotating
from edge.commands.options import add_json, add_judging, judging
from edge.commands.output import written_anywhere
from edge.commands.parser import Parser
from edge.commands.position import turned_by_deg
from edge.commands.progress import progress, say
from edge.conditions import VIEWS, condition
from edge.config import DetectorSettings, Settings
from edge.decide.identity import EventIds
from edge.decide.policy import Decision
from edge.pipeline import open_pipeline
from edge.pixels import scaled
from edge.publish.messages import encode, origin, violation_message
from edge.records import (
    Frame,
    Pixels,
    Sighting,
    Verdict,
    Violation,
    ViolationKind,
    ViolationState,
    Visit,
)
from edge.words import count, percent

# ruff: noqa: T201 - a command's output

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""A clip does not say when it was taken: its frames are stamped as if it had begun here."""


VERDICTS = {
    Verdict.MASKED: "mask",
    Verdict.BARE: "no mask",
    Verdict.WORN_WRONGLY: "mask worn wrongly",
    Verdict.UNKNOWN: "not known",
}
TURNED = "the picture is upside down or on its side"
MOST_SAMPLES = 16
SAMPLE_PX = 640
"""Of a clip in which hardly anybody is judged this many pictures at most are looked at again, in
every position, with their longer side scaled down to this."""


@dataclass(frozen=True, slots=True)
class ClipPerson:
    """What one visit came to."""

    track_id: int
    verdict: Verdict
    zone: str
    """Where the person was longest; empty: in none of the zones."""
    why: str
    """Why nothing is known; empty where something is."""
    largest_px: float
    median_px: float
    """Of the faces, whether or not they were judged."""
    finds: int
    sure_finds: int


@dataclass(slots=True)
class _Faces:
    """The faces of one track."""

    sizes_px: list[float] = field(default_factory=list)
    judged_px: list[float] = field(default_factory=list)
    sure_finds: int = 0

    def add(self, sighting: Sighting) -> None:
        size_px = sighting.reading.face.box.size_px
        self.sizes_px.append(size_px)
        self.sure_finds += sighting.is_sure
        if sighting.reading.bare_probability is not None:
            self.judged_px.append(size_px)

    def person(self, visit: Visit, least_px: float, *, is_turned: bool) -> ClipPerson:
        largest_px = max(self.sizes_px)
        if visit.verdict is not Verdict.UNKNOWN:
            why = ""
        elif is_turned:
            why = TURNED
        elif self.judged_px:
            why = "no classification was sure enough"
        elif largest_px < least_px:
            why = f"too small to judge: {least_px:g} px needed"
        else:
            why = "too blurred, or never classified"
        return ClipPerson(
            visit.track_id,
            visit.verdict,
            visit.zone,
            why,
            round(largest_px, 1),
            round(statistics.median(self.sizes_px), 1),
            len(self.sizes_px),
            self.sure_finds,
        )


@dataclass(slots=True)
class _Samples:
    """Some pictures of a clip however long it is, from its beginning to its end."""

    pictures: list[Pixels] = field(default_factory=list)
    every: int = 1

    def add(self, frame: Frame, number: int) -> None:
        if number % self.every:
            return
        ratio = min(1.0, SAMPLE_PX / max(frame.width, frame.height))
        self.pictures.append(scaled(frame.pixels, ratio))
        if len(self.pictures) > MOST_SAMPLES:
            self.pictures, self.every = self.pictures[::2], 2 * self.every

    def rotation_wanted_deg(self, settings: Settings) -> int | None:
        """Return what `[camera] rotation_deg` should be; None: as it is, as far as faces tell."""
        turned_deg = turned_by_deg(self.pictures, settings.detector)
        return (settings.camera.rotation_deg + turned_deg) % 360 if turned_deg else None

    def why_nobody(self, detector: DetectorSettings) -> str:
        """Return why no face was found in any of them, as far as they tell."""
        views = {view_of(picture) for picture in self.pictures}
        if len(views) == 1 and (view := views.pop()) in VIEWS:
            return f"no face was found: {condition(VIEWS[view]).text}"
        where = " in the watched area" if detector.watched or detector.excluded else ""
        return (
            f"no face was found{where}: is anybody seen from the front, in the light, and near "
            f"enough ({detector.min_face_px:g} px at least)?"
        )


@dataclass(frozen=True, slots=True)
class ClipSummary:
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
    plan: str
    """How closely frames were looked at."""
    claimed_frames: int | None
    """How many the file declares; None: it does not."""
    smallest_judged_px: float | None
    damage: str
    """What the file lacks, where that is much; else empty."""
    hint: str
    """Why nobody is judged, as far as known; else empty."""
    people: tuple[ClipPerson, ...]


def add_arguments(parser: Parser) -> None:
    parser.runs(
        run,
        "tensormask replay minute.mp4",
        "tensormask replay minute.mp4 --show seen.mp4",
        "tensormask replay pictures --fps 5 --json",
    )
    parser.add_argument(
        "source",
        metavar="CLIP|FOLDER",
        help="the pictures of a folder count as those of one camera, in the order of their names",
    )
    add_json(parser, "the messages as they would be published, one a line, then a summary")
    parser.add_argument(
        "--show",
        type=Path,
        metavar="FILE.mp4",
        help="write a clip with what was seen drawn in, heads pixelated as on the page",
    )
    parser.add_argument(
        "--fps", type=_rate, help="the rate that a folder's pictures stand for, up to 120"
    )
    add_judging(parser)


def run(options: argparse.Namespace) -> int:
    settings = judging(options, options.source, options.fps)
    bundle = load_bundle(settings.classifier.bundle)
    summary = replay(
        settings,
        bundle,
        lambda violation, payload: say(
            written_anywhere(payload.decode()) if options.json else violation_line(violation)
        ),
        options.show,
    )
    if not options.json:
        for person in summary.people:
            print(person_line(person))
    print(summary_line(summary, as_json=options.json), flush=True)
    for said in filter(None, (summary.hint, summary.damage)):
        print(f"tensormask: {options.source}: {said}", file=sys.stderr)
    return 1 if summary.damage else 0


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= 120:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0 and up to 120")
    return rate


def replay(
    settings: Settings,
    bundle: Bundle,
    report: Callable[[Violation, bytes], None],
    annotated: Path | None = None,
) -> ClipSummary:
    """Judge every frame of `settings.camera.source`, as fast as possible.

    `report` gets each document as it comes, with its payload. The same file gives the same
    documents, event ids included, on every machine that judges alike. What was seen is drawn into a
    new clip at `annotated`, where that is given.
    """
    pipeline = open_pipeline(settings, bundle, EventIds(random.Random(0)))
    source = open_source(settings.camera, starts_at=EPOCH)
    who = origin(settings.device, bundle.card.model_id)
    frames = documents = violations = 0
    faces: dict[int, _Faces] = {}
    visits: list[tuple[Visit, bool]] = []
    samples = _Samples()

    def take(decision: Decision) -> None:
        nonlocal documents, violations
        is_turned = pipeline.rotation_wanted_deg is not None
        visits.extend((visit, is_turned) for visit in decision.visits)
        for violation in decision.violations:
            documents += 1
            violations += violation.state is ViolationState.CONFIRMED
            # A replay's clock is the clip's own, and nobody has set it.
            report(violation, encode(violation_message(who, violation, documents, False)))

    length = source.length if isinstance(source, Playback) else None
    begun_s = time.perf_counter()
    with closing(source), annotating(annotated, source, settings, pipeline) as show:
        for frame in progress(iter(source.read, None), "replay", length, " frames"):
            outcome = pipeline.process(frame)
            samples.add(frame, frames)
            frames += 1
            for sighting in outcome.sightings:
                seen = faces.setdefault(sighting.track_id, _Faces())
                seen.add(sighting)
            take(outcome.decision)
            show(frame, outcome)
        take(pipeline.finish())
    fps = frames / (time.perf_counter() - begun_s)
    model = f"{bundle.card.name} {bundle.card.version}"
    judged_px = [size_px for seen in faces.values() for size_px in seen.judged_px]
    wanted_deg = pipeline.rotation_wanted_deg
    is_known = len(judged_px) >= settings.policy.min_looks
    if wanted_deg is None and not is_known:
        wanted_deg = samples.rotation_wanted_deg(settings)
    hint = "" if faces else samples.why_nobody(settings.detector)
    if wanted_deg is not None:
        hint = f"{TURNED}: set [camera] rotation_deg = {wanted_deg}"
    was_turned = wanted_deg is not None and not is_known
    least_px = settings.classifier.min_face_px
    return ClipSummary(
        frames,
        sum(len(seen.sizes_px) for seen in faces.values()),
        max(faces, default=0),
        violations,
        round(fps, 1),
        pipeline.detection.name,
        model,
        pipeline.plan.name,
        length,
        round(min(judged_px), 1) if judged_px else None,
        source.damage if isinstance(source, Playback) else "",
        hint,
        tuple(
            faces[visit.track_id].person(visit, least_px, is_turned=is_turned or was_turned)
            for visit, is_turned in visits
        ),
    )


def violation_line(violation: Violation) -> str:
    """Return the document for people; times are those of the clip."""
    at_s = ((violation.ended_at or violation.confirmed_at) - EPOCH).total_seconds()
    wrong = "no mask" if violation.kind is ViolationKind.BARE else "mask worn wrongly"
    what = wrong if violation.state is ViolationState.CONFIRMED else "over"
    sure = f"{percent(violation.probability)} sure, face of {violation.face_px:.0f} px"
    return (
        f"{at_s:8.2f} s  person {violation.track_id}: {what}{_where(violation.zone)}, "
        f"for {violation.duration_s:.1f} s ({sure})"
    )


def person_line(person: ClipPerson) -> str:
    """Return what a visit came to, for people."""
    why = f" ({person.why})" if person.why else ""
    return (
        f"person {person.track_id}: {VERDICTS[person.verdict]}{_where(person.zone)}{why}; face "
        f"at most {person.largest_px:.0f} px, median {person.median_px:.0f} px; "
        f"{count(person.finds, 'detection')}, {person.sure_finds} of them sure"
    )


def _where(zone: str) -> str:
    return f" in {zone}" if zone else ""


def summary_line(summary: ClipSummary, *, as_json: bool) -> str:
    """Return the last line."""
    if as_json:
        return json.dumps({"state": "summary", **asdict(summary)})
    smallest = summary.smallest_judged_px
    judged = "none judged" if smallest is None else f"the smallest judged {smallest:.0f} px"
    people = "1 person" if summary.tracks == 1 else f"{summary.tracks} people"
    brief = summary.tracks - len(summary.people)
    unmoved = ", or a picture that never moved" if summary.frames > 1 else ""
    briefly = f" ({brief} of them too briefly to be judged{unmoved})" if brief > 0 else ""
    return (
        f"{count(summary.frames, 'frame')}, {count(summary.faces, 'face')} ({judged}), "
        f"{people}{briefly}, {count(summary.violations, 'violation')}; "
        f"{summary.fps:.1f} frames per second ({summary.detector}, {summary.model}, "
        f"plan {summary.plan})"
    )
