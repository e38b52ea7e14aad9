"""The road: detect, track, look, decide. Capture is before it, publish after it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import cv2

from edge.classify.card import Bundle, ModelCard
from edge.classify.classifier import MaskClassifier
from edge.clock import Timed, untimed
from edge.config import DetectorSettings, Polygons, Settings, ZoneSettings
from edge.decide.policy import Decision, Standing, ViolationPolicy
from edge.decide.zones import Zones
from edge.detect.area import Area
from edge.detect.cadence import PacedDetection
from edge.detect.detection import FaceDetection
from edge.detect.detectors import open_detector
from edge.life import Life
from edge.look import Attention
from edge.plan import SeeingPlan, Work
from edge.records import Face, Frame, Sighting, TrackedFace
from edge.telemetry import CLASSIFY, SCAN, TOTAL
from edge.track import Tracker
from edge.upright import Upright

STEPS = ("detect", SCAN, "track", CLASSIFY, "decide", TOTAL)
"""What is timed. Most frames are not scanned: `scan` is what `detect` takes for those that are, in
the size of the whole; `total` is one turn of all steps."""


@dataclass(frozen=True, slots=True)
class FrameOutcome:
    """What became of one frame."""

    sightings: tuple[Sighting, ...]
    decision: Decision
    standings: tuple[Standing, ...] = ()
    """Of everybody in `sightings`."""
    outside: tuple[Face, ...] | None = None
    """Faces outside the area, which are not judged; None: the frame was not scanned as a whole."""
    denied: tuple[TrackedFace, ...] = ()
    """What is followed and is nobody, as far as is known: a picture that is shown covers it."""
    is_crowded: bool = False
    """Whether there are more people than were looked at in time, see `Attention.is_crowded`."""
    ignored: tuple[Sighting, ...] = ()
    """People in zones in which nobody is judged."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One frame at a time, in one thread, without clock or I/O: all time is the frames' own."""

    detection: PacedDetection
    tracker: Tracker
    attention: Attention
    policy: ViolationPolicy
    timed: Timed = untimed
    upright: Upright | None = None
    """None: that the camera is turned is not noticed."""
    life: Life | None = None
    """None: a picture on the wall is a person like others."""

    def process(self, frame: Frame) -> FrameOutcome:
        """Return what `frame` showed and decided; usually it decides nothing."""
        with self.timed("detect"):
            faces = self.detection.detect(frame)
        with self.timed("track"):
            tracks = self.tracker.update(frame, faces, is_cut=self.detection.is_cut)
        with self.timed(CLASSIFY):
            strangers = (*tracks.ended, *tracks.returned)
            passed_over = self.policy.zones.ignored(frame, tracks.faces)
            sightings = self.attention.look(frame, tracks.faces, strangers, passed_over)
            shown = {each.track_id for each in sightings}
            denied = tuple(each for each in tracks.faces if each.track_id not in shown)
            if self.upright is not None:
                if self.detection.is_cut:
                    self.upright.start_over()
                if self.detection.has_moved:
                    self.upright.search(frame, sightings, self.detection.watches(frame))
                sightings = self.upright.hold_back(frame, sightings, strangers, denied)
            lifeless: Collection[int] = ()
            if self.life is not None:
                people = [each for each in tracks.faces if each.track_id in shown]
                lifeless = self.life.lifeless(frame, people, tracks.ended, tracks.returned)
        with self.timed("decide"):
            placed = self.policy.zones.placed(frame, sightings)
            decision = self.policy.update(placed, tracks.ended, tracks.returned, lifeless)
        rules = self.policy.zones.rules
        ignored = tuple(each for each in placed if rules(each).ignores)
        judged = tuple(each for each in placed if not rules(each).ignores)
        standings = self.policy.standings(judged)
        return FrameOutcome(
            judged,
            decision,
            standings,
            self.detection.outside,
            denied,
            self.attention.is_crowded(frame.monotonic_s),
            ignored,
        )

    @property
    def plan(self) -> SeeingPlan:
        """Which one is followed."""
        return self.detection.plan

    @property
    def work(self) -> Work:
        """What was scanned and classified so far."""
        detection = self.detection
        return Work(
            detection.scanned_frames,
            detection.full_scans,
            detection.close_ups,
            detection.quick_scans,
            self.attention.looks,
            detection.searches,
        )

    @property
    def rotation_wanted_deg(self) -> int | None:
        """What `[camera] rotation_deg` should be; None: the camera is not known to be turned."""
        return None if self.upright is None else self.upright.rotation_wanted_deg

    @property
    def lifeless_places(self) -> Polygons:
        """Where a face has never moved for long: what `[detector] excluded` should name."""
        return () if self.life is None else self.life.places

    @property
    def bridged_s(self) -> float:
        """How long without a frame, somebody who was in sight may still be there."""
        return self.tracker.settings.longest_missed_s

    def limit_to(self, area: Area) -> None:
        """Have only faces in `area` count from now on."""
        self.detection.limit_to(area)

    def divide_into(self, zones: Sequence[ZoneSettings]) -> None:
        """Have these zones, and their rules, hold from now on."""
        self.policy.zones = self.policy.zones.of(zones)

    def follow(self, plan: SeeingPlan) -> None:
        """Scan and classify as `plan` says from now on."""
        self.detection.plan = self.attention.plan = plan

    def finish(self) -> Decision:
        """End every visit: the source is over, a pause begins, or the service stops."""
        ended = self.tracker.finish()
        self.attention.forget(ended)
        if self.upright is not None:
            self.upright.finish(ended)
        if self.life is not None:
            self.life.finish(ended)
        return self.policy.update((), ended)


def somebody_from(settings: DetectorSettings, sure: float, card: ModelCard) -> float | None:
    """Return from which surety on a look has seen a face: as the settings, else as the bundle, else
    as the detector says; None: the bundle does not tell who is nobody."""
    if not card.tells_nobody:
        return None
    if settings.sure_confidence is not None:
        return settings.sure_confidence
    return sure if card.thresholds.somebody is None else card.thresholds.somebody


def open_pipeline(
    settings: Settings,
    bundle: Bundle,
    new_event_id: Callable[[datetime], str],
    timed: Timed = untimed,
    local: Callable[[datetime], datetime] | None = None,
) -> Pipeline:
    """Load the detector and the network, and join the steps.

    `local` is what a clock on the wall shows at a time, for the hours of zones; without it, as for
    a clip, it is always within them.

    Raises ModelError when either cannot be loaded, ConfigError when the detector's settings do not
    fit it.
    """
    # OpenCV has one pool of threads for the whole process.
    cv2.setNumThreads(settings.detector.threads)
    detector = open_detector(
        settings.detector.name,
        settings.detector.model,
        settings.detector.confidence,
        settings.detector.sure_confidence,
    )
    somebody = somebody_from(settings.detector, detector.sure, bundle.card)
    # Where the classifier tells who is nobody, it decides, and the detector only proposes.
    proposes = somebody is not None and settings.detector.sure_confidence is None
    pipeline = Pipeline(
        PacedDetection(FaceDetection(detector, settings.detector), settings.detector, timed),
        Tracker(settings.tracker, sure_confidence=0.0 if proposes else detector.sure),
        Attention(
            MaskClassifier(bundle, settings.classifier),
            settings.classifier,
            detector.sure,
            somebody,
        ),
        ViolationPolicy(
            settings.policy,
            bundle.card.thresholds,
            new_event_id,
            Zones(settings.zone, settings.policy, local),
        ),
        timed,
        Upright(detector, settings.camera.rotation_deg),
        Life(),
    )
    pipeline.follow(settings.detector.first_plan)
    return pipeline
