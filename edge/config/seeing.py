"""The sections about what is seen: camera, faces, masks, people, and when one is reported."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import msgspec

from edge.address import Sensor, source_in
from edge.config.section import NotNegative, Point, Polygons, Positive, Section, Share
from edge.plan import PLANS, USUAL, SeeingPlan

_FINGERPRINT = r"^(([0-9A-Fa-f]{2}:?){32})?$"
_CAMERA_NAME = r"^[A-Za-z0-9_\-]{0,32}$"
LINGER_S = 2.0
"""Somebody found so lately is still in sight, even if the last scan missed the face."""
MISSED_FRAMES = 3.5
"""And so is somebody found in one of this many frames of a slow source."""
SLACK_S = 0.005
"""A frame that is due but for the camera's jitter is due."""


class CameraSettings(Section, frozen=True):
    """Where the frames come from. A file has it once, `[camera]`, or several times, `[[camera]]`:
    see `edge.config.cameras`."""

    name: Annotated[str, msgspec.Meta(pattern=_CAMERA_NAME)] = ""
    """What it is called in messages and on the page; each of several has one. A single one may."""
    zone: str = ""
    """Which part of the site it watches; empty: `[device] zone`."""
    regions: Polygons = ()
    """Its area, as `[detector] regions`, which a single camera may have in its place."""
    excluded: Polygons = ()
    """In these no face counts, as `[detector] excluded`."""
    source: Annotated[str, msgspec.Meta(min_length=1)] = "picamera2"
    """`picamera2` or `picamera2:1` (a Pi camera), `/dev/video0` (USB), `rtsp://…`, a clip, or a
    folder of pictures."""
    ca_file: str = ""
    """The authority that signed the certificate of an rtsps:// or https:// camera, or that
    certificate itself; a path or `credential:NAME`; empty: the system's."""
    fingerprint: Annotated[str, msgspec.Meta(pattern=_FINGERPRINT)] = ""
    """The SHA-256 of its certificate, which is then trusted whatever signed it, whatever names it
    has and however old it is."""
    insecure: bool = False
    """Whether the password and the pictures may go to and come from anything that answers."""
    width_px: Annotated[int, msgspec.Meta(ge=64, le=4608)] = 1280
    height_px: Annotated[int, msgspec.Meta(ge=64, le=2592)] = 720
    fps: Annotated[float, msgspec.Meta(gt=0, le=120)] = 15.0
    """Asked of a camera; of a folder of pictures it is the rate they stand for."""
    rotation_deg: Literal[0, 90, 180, 270] = 0
    """Clockwise, for a camera that hangs on its side; width and height are before it."""
    lores_width_px: Annotated[int, msgspec.Meta(ge=0, le=1920)] = 640
    """Width of the small stream that a Pi camera makes for the detector; 0: none."""
    realtime: bool = True
    """A clip or folder: at its own pace, dropping frames when late, as a camera would. Otherwise as
    fast as possible, every frame."""
    loop: bool = False
    """A clip or folder: again from the start, for ever."""
    open_timeout_s: Positive = 10.0
    """How long a camera or stream may take to open, and to give its first frame, until it counts as
    lost."""
    stall_s: Annotated[float, msgspec.Meta(ge=1, le=60)] = 4.0
    """How long a camera or stream that has given frames may give none, or the same one over and
    over, until it counts as lost. Three frames at `fps` are always waited for."""
    restart_after_s: NotNegative = 600.0
    """A Pi or USB camera that stays lost for so long ends the program, so that the system starts it
    again; 0: never."""

    def __post_init__(self) -> None:
        kept = [key for key in ("ca_file", "fingerprint", "insecure") if getattr(self, key)]
        if len(kept) > 1:
            raise ValueError(f"{' and '.join(kept)} exclude each other: keep one")
        if kept and self.source.strip().lower().startswith(("rtsp:", "http:")):
            raise ValueError(f"{kept[0]} needs an rtsps:// or https:// source: this one has no TLS")

    @property
    def files(self) -> tuple[str, ...]:
        """What is named, each a path or `credential:NAME`; empty: none."""
        return (self.ca_file,)

    @property
    def may_be_shared(self) -> bool:
        """Whether another one may have the same source: a sensor gives its frames to one."""
        return not isinstance(source_in(self.source), Sensor)

    @property
    def frame_timeout_s(self) -> float:
        """How long the next frame may take."""
        return max(self.stall_s, 3 / self.fps)

    def __repr__(self) -> str:
        """Leave out the source: it may hold the password of a camera in the network."""
        return f"CameraSettings({self.width_px} x {self.height_px}, {self.fps:g} frames per second)"


class DetectorSettings(Section, frozen=True):
    """Finding faces."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] = "auto"
    """One of `edge.detect.detectors`, which refuses others; `auto`: the first of them that is here,
    the one that comes with the program."""
    model: str = ""
    """Path of the detector's weights; empty: the known ones."""
    confidence: Share | None = None
    """Detections below this score are not looked at; 0.4 with res10 and 0.6 with the others unless
    given."""
    sure_confidence: Share | None = None
    """Nobody is followed who was never detected with this score, and nobody reported who was not
    detected so `min_looks` times; 0.5 with res10 and 0.78 with the others unless given. A bundle
    that tells who is nobody has `confidence` and a surety of its own in its place unless given."""
    min_face_px: Annotated[float, msgspec.Meta(ge=8, le=4096)] = 16.0
    """Smaller faces (geometric mean of width and height) are not looked at."""
    longest_side_px: Annotated[int, msgspec.Meta(ge=64, le=4096)] = 640
    """Frames are scaled down to this before detection, and so are close-ups, which show half as
    much; res10 always sees 300 x 300."""
    upscale_below_px: Annotated[int, msgspec.Meta(ge=0, le=4096)] = 480
    """Frames whose longest side is smaller are doubled before detection; 0: never."""
    region: tuple[Point, ...] = ()
    """A polygon in fractions of the frame, (0, 0) its top left corner: only faces whose center lies
    in it count. Empty: the whole frame."""
    regions: Polygons = ()
    """More of these: a face counts in any of them."""
    excluded: Polygons = ()
    """In these no face counts: posters, screens, mirrors."""
    every_s: NotNegative = 0.12
    """Where something moves, frames are scanned for faces this often, half as often while nobody is
    in sight; 0: all of them."""
    full_every_s: NotNegative = 0.5
    """As often one of these scans is of the picture in full size, which shows who else is there;
    people in sight are scanned for as often even where nothing moves."""
    idle_every_s: NotNegative = 5.0
    """As often a scene is scanned in which nothing moves and nobody is."""
    quick_side_px: Annotated[int, msgspec.Meta(ge=64, le=4096)] = 320
    """The other scans follow the faces in sight in a picture scaled down to this, where none of
    them is too small for that."""
    threads: Annotated[int, msgspec.Meta(ge=1, le=16)] = 2
    cpu_share: Share = 0.5
    """The share of all cores that seeing may take, averaged over a minute. The plan is chosen by
    it."""
    plan: Literal["auto", "sparing", "usual", "thorough", "full"] = "auto"
    """How closely frames are looked at (`edge.plan`); `auto`: as closely as the box can afford."""

    def __post_init__(self) -> None:
        if 0 < len(self.region) < 3:
            raise ValueError("a region is a polygon of at least three points")
        if (
            self.confidence is not None
            and self.sure_confidence is not None
            and self.sure_confidence < self.confidence
        ):
            raise ValueError("sure_confidence must be at least confidence")

    @property
    def first_plan(self) -> SeeingPlan:
        """The plan until the box has chosen another."""
        return PLANS.get(self.plan, USUAL)

    def pace_s(self, plan: SeeingPlan, *, in_sight: bool) -> float:
        """Return the least time between two scans under `plan`."""
        return max(self.every_s, plan.every_s) * (1 if in_sight else plan.search_pace)

    @property
    def watched(self) -> Polygons:
        """All regions."""
        return ((self.region,) if self.region else ()) + self.regions

    def gap_s(self, frame_s: float) -> float:
        """Return how long somebody in sight who moves may wait for the next scan, with a frame
        every `frame_s`; 0: with any number of them."""
        return self.gap_under(self.first_plan, frame_s)

    def gap_under(self, plan: SeeingPlan, frame_s: float) -> float:
        """Return the same while `plan` is followed."""
        gap_s = _at_frame(self.pace_s(plan, in_sight=True), frame_s)
        if gap_s < lingers_s(frame_s):
            return gap_s
        return _at_frame(self.pace_s(plan, in_sight=False), frame_s)

    def still_gap_s(self, frame_s: float) -> float:
        """Return the same for somebody who does not move."""
        gap_s = _at_frame(max(self.every_s, self.full_every_s), frame_s)
        linger_s = lingers_s(frame_s)
        if gap_s < linger_s:
            return gap_s
        search_s = self.pace_s(self.first_plan, in_sight=False)
        return _at_frame(max(linger_s, search_s, self.idle_every_s), frame_s)


def lingers_s(frame_s: float) -> float:
    """Return how lately somebody was found who is in sight, with a frame every `frame_s`."""
    return max(LINGER_S, MISSED_FRAMES * frame_s)


def _at_frame(due_s: float, frame_s: float) -> float:
    """Return when the frame comes that is taken for what is due then."""
    return max(1, math.ceil((due_s - SLACK_S) / frame_s)) * frame_s if frame_s else due_s


class ClassifierSettings(Section, frozen=True):
    """Judging masks."""

    bundle: str = ""
    """Folder of the model bundle; empty: the one that `tensormask models activate` has put to use,
    or that comes with the program."""
    threads: Annotated[int, msgspec.Meta(ge=1, le=16)] = 2
    min_face_px: Annotated[float, msgspec.Meta(ge=8, le=4096)] = 20.0
    """Smaller faces are tracked, but not judged: they stay `unknown`."""
    min_sharpness: NotNegative = 0.05
    """Faces more blurred than this are not judged; see `face_sharpness` in `edge.classify`."""
    looks_per_frame: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None
    """No more faces are judged in one frame; the others wait for their turn. Unless given, as the
    plan says (`edge.plan`): 4 in the usual one, 33 a second, enough to report somebody among 40
    people within seconds."""
    recheck_s: Annotated[float, msgspec.Meta(ge=0, le=60)] = 1.0
    """A person who is known well is judged again this often; 0: in every frame."""


class TrackerSettings(Section, frozen=True):
    """Which face belongs to which person."""

    min_iou: Share = 0.2
    """A face continues a track when it overlaps its predicted box by this much."""
    max_missed_s: Positive = 1.5
    """A track that has not been seen for so long has ended, and in a slow source not been seen in
    three frames."""
    still_missed_s: NotNegative = 10.0
    """Somebody who stood still is the same person where a face is found at the same place and in
    the same size within so long: hidden by others, or the camera was away."""

    @property
    def longest_missed_s(self) -> float:
        """After so long without a face everybody has left, but for a slow source."""
        return max(self.max_missed_s, self.still_missed_s)

    def bridged_s(self, frame_s: float) -> float:
        """Return how long a face may be missed, with a frame every `frame_s`."""
        return max(self.max_missed_s, MISSED_FRAMES * frame_s)


class PolicySettings(Section, frozen=True):
    """When a missing mask is a violation."""

    confirm_s: NotNegative = 1.0
    """How long the mask must have been missing."""
    min_looks: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 3
    """How many judged looks it takes at least, and detections that are surely a face, however slow
    the camera."""
    bare_probability: Annotated[float, msgspec.Meta(ge=0, le=0.98)] = 0.85
    """The accumulated evidence that mouth and nose are not covered must reach this, and the
    bundle's own threshold. Evidence is never surer than 0.989."""
    worn_wrongly: Literal["report", "violation", "ignore"] = "report"
    """What it is where a mask below the nose or the chin is likelier than none: counted apart, a
    violation too, or a mask like others."""
    worn_wrongly_s: NotNegative = 3.0
    """How long it must have been so: putting a mask on or adjusting it is quicker."""
