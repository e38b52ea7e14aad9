"""The values that travel along the road, each holding the one before it.

Pixels are BGR everywhere. Coordinates are in pixels of the main picture, x to the right and y down.
Durations come from `monotonic_s`; wall time is for payloads only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

EVENT_ID = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
"""What the id of a violation looks like, as a pattern: a UUID version 7."""
Pixels = NDArray[np.uint8]
"""A picture: shape (height, width, 3), BGR."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels, half-open: `right` and `bottom` lie just outside. Never without area.

    Raises ValueError when width or height is not positive or a side is not finite.
    """

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        # Written so that a NaN fails too.
        if not (0 < self.right - self.left < float("inf")) or not (
            0 < self.bottom - self.top < float("inf")
        ):
            raise ValueError(f"a box needs an area: {self}")

    @property
    def sides(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom: what `Box(*sides)` takes."""
        return self.left, self.top, self.right, self.bottom

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def area(self) -> float:
        return (self.right - self.left) * (self.bottom - self.top)

    @property
    def centre(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    @property
    def size_px(self) -> float:
        """The geometric mean of width and height: what "a face of 24 px" means throughout."""
        return float(np.sqrt(self.area))

    def shared_area(self, other: Box) -> float:
        """Return the area of the intersection with `other`, in square pixels."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        if width <= 0 or height <= 0:
            return 0.0
        return width * height

    def iou(self, other: Box) -> float:
        """Return the intersection over union with `other`, 0 to 1."""
        shared = self.shared_area(other)
        return shared / (self.area + other.area - shared)

    def moved(self, dx: float, dy: float) -> Box:
        return Box(self.left + dx, self.top + dy, self.right + dx, self.bottom + dy)

    def grown(self, share: float) -> Box:
        """Return the same box with `share` of its width and height added on each side."""
        x, y = share * self.width, share * self.height
        return Box(self.left - x, self.top - y, self.right + x, self.bottom + y)

    def scaled(self, x: float, y: float) -> Box:
        """Return the same box in a picture `x` times as wide and `y` times as high."""
        return Box(self.left * x, self.top * y, self.right * x, self.bottom * y)

    def turned_back(self, widths: Sequence[int]) -> Box:
        """Undo quarters of a turn, counterclockwise, of pictures that were so wide before each."""
        box = self
        for width in reversed(widths):
            box = Box(width - box.bottom, box.left, width - box.top, box.right)
        return box

    def clipped(self, width: int, height: int) -> Box | None:
        """Return the part inside a picture of `width` x `height`, or None where there is none."""
        left, top = max(0.0, self.left), max(0.0, self.top)
        right, bottom = min(float(width), self.right), min(float(height), self.bottom)
        return Box(left, top, right, bottom) if right > left and bottom > top else None


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of the scene, stamped once, when it was captured."""

    number: int
    """Counts from 0 in each source; a gap is a dropped frame."""
    pixels: Pixels
    captured_at: datetime
    """UTC, for payloads."""
    monotonic_s: float
    """Seconds on a clock that never steps, for every duration."""
    lores: Pixels | None = None
    """The same scene, smaller, where the camera makes it for nothing: for detection."""

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])


@dataclass(frozen=True, slots=True)
class Face:
    """A face that a detector found."""

    box: Box
    """In pixels of `Frame.pixels`, inside the frame."""
    confidence: float
    """The detector's own score, 0 to 1."""


@dataclass(frozen=True, slots=True)
class TrackedFace:
    """A face, and whose it is."""

    track_id: int
    """Counts from 1; one for each visit of a person, never used again."""
    face: Face


class MaskState(StrEnum):
    """How a face wears its mask: what a network may tell apart."""

    MASKED = "masked"
    BARE = "bare"
    WORN_WRONGLY = "worn_wrongly"


@dataclass(frozen=True, slots=True)
class MaskReading:
    """What one look at one face says."""

    face: Face
    probabilities: Mapping[MaskState, float] | None
    """How likely each state is that the network tells apart, 0 to 1; masked and bare are always
    among them. None: too small or too blurred to judge, or not looked at in this frame, since its
    person is known well enough."""
    nobody: float = 0.0
    """How likely there is no face at all, 0 to 1, where the network tells that; `probabilities`
    are those of a face, if there is one."""

    @property
    def surety(self) -> float:
        """How surely detector and classifier together call it a face, 0 to 1."""
        return self.face.confidence * (1 - self.nobody)

    @property
    def bare_probability(self) -> float | None:
        """How likely the face wears no mask; None where it was not judged."""
        return None if self.probabilities is None else self.probabilities[MaskState.BARE]

    @property
    def uncovered_probability(self) -> float | None:
        """How likely mouth and nose are not covered; None where the face was not judged."""
        return None if self.probabilities is None else uncovered(self.probabilities)


def uncovered(probabilities: Mapping[MaskState, float]) -> float:
    """Return how likely mouth and nose are not covered: no mask, or one that is worn wrongly."""
    return probabilities[MaskState.BARE] + probabilities.get(MaskState.WORN_WRONGLY, 0.0)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A reading, and whose it is."""

    track_id: int
    reading: MaskReading
    seen_at: datetime
    monotonic_s: float
    is_sure: bool = True
    """Whether this is so surely a face that a violation may rest on it."""
    zone: str = ""
    """The name of the zone in which the face is; empty: in none."""


class Verdict(StrEnum):
    """What a visit comes to."""

    MASKED = "masked"
    BARE = "bare"
    UNKNOWN = "unknown"
    WORN_WRONGLY = "worn_wrongly"


class ViolationKind(StrEnum):
    """What is wrong."""

    BARE = "bare"
    WORN_WRONGLY = "worn_wrongly"


class ViolationState(StrEnum):
    CONFIRMED = "confirmed"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Violation:
    """A person without a mask, or whose mask is worn wrongly: once when it is confirmed, once when
    it is over. No picture."""

    event_id: str
    """A UUID version 7, the same for both states."""
    state: ViolationState
    track_id: int
    started_at: datetime
    """When the face was first seen without a mask."""
    confirmed_at: datetime
    ended_at: datetime | None
    """When the bare face was last seen; None while it is confirmed."""
    duration_s: float
    """From the first bare look to this document's state, from the monotonic clock."""
    bare_probability: float
    """The accumulated evidence that there is no mask, 0 to 1, when it was confirmed."""
    face_px: float
    """Size of the largest face judged so far: what the verdict rests on."""
    probability: float
    """The same that mouth and nose are not covered, whatever the kind: what was confirmed."""
    kind: ViolationKind = ViolationKind.BARE
    zone: str = ""
    """The name of the zone where it was confirmed; empty: in none."""


class Advice(StrEnum):
    """What a person who stands before the camera is to do; one at a time, for a gate or a sign."""

    EMPTY = "empty"
    """Nobody is there."""
    WAIT = "wait"
    """Somebody is there, and it is not certain yet."""
    GO = "go"
    NO_MASK = "no_mask"
    WORN_WRONGLY = "worn_wrongly"
    CLOSER = "closer"
    """The face is too small to be judged."""
    LIGHT = "light"
    """There is too little or too much light to see a face."""
    CLOSED = "closed"
    """Nobody can be judged: the camera is lost, covered or turned, or the device is paused."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A person who has left, for the compliance counts."""

    track_id: int
    verdict: Verdict
    started_at: datetime
    ended_at: datetime
    face_px: float = 0.0
    """Size of the largest face judged; 0: none was."""
    zone: str = ""
    """The name of the zone where the person was longest; empty: outside all of them."""
    is_required: bool = True
    """Whether a mask was required of the person: as the visit ended, the mask rule was on and that
    zone was one in which a missing mask is reported. No rate is made of the others."""


@dataclass(frozen=True, slots=True)
class Tally:
    """The visits that ended in one window."""

    masked: int
    bare: int
    unknown: int
    worn_wrongly: int
    watched_s: float
    """How much of the window we have been watching: less than all of it after a start and an
    outage."""
    apart: int = 0
    """Of all of these, the people of whom no mask was required, see `Visit.is_required`."""
    apart_masked: int = 0
    apart_bare: int = 0

    @property
    def seen(self) -> int:
        return self.masked + self.bare + self.unknown + self.worn_wrongly

    @property
    def rated(self) -> tuple[int, int]:
        """Masked and bare people of whom a mask was required."""
        return self.masked - self.apart_masked, self.bare - self.apart_bare

    @property
    def rate(self) -> float | None:
        """The share of masked among those `rated`; None where there was nobody."""
        masked, bare = self.rated
        return masked / (masked + bare) if masked + bare else None


@dataclass(frozen=True, slots=True)
class PlaceTally:
    """The visits that belong to one place in the picture."""

    zone: str
    """Its name; empty: what is in no zone."""
    last_hour: Tally
    last_day: Tally
    since_start: Tally
    """All of them since the program's start, or since the zone was drawn."""


@dataclass(frozen=True, slots=True)
class Compliance:
    """How many people came masked lately."""

    last_minute: Tally
    last_hour: Tally
    last_day: Tally
    since_start: Tally
    """All of them since the program's start."""
    places: tuple[PlaceTally, ...] = ()
    """Each visit since there are zones is in one of them; without zones there are none."""


@dataclass(frozen=True, slots=True)
class ModelId:
    """Which model judges."""

    name: str
    version: str
    sha256: str
    """Of `model.tflite`, in hexadecimal."""
