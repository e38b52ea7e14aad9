"""What a viewer sees of one frame: who is there, what is known of them, how good the picture is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import dist

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.capture.quality import Quality
from edge.config import ClassifierSettings
from edge.decide.policy import Standing
from edge.pipeline import FrameOutcome
from edge.records import Box, Face, Frame, MaskState, Sighting
from edge.words import percent

LINGER_S = 1.5
"""Between two scans people are shown where they were seen last, and so they are where a scan misses
them."""
OUTSIDE_S = 6.0
"""As long as a scan of the whole may be waited for (`DetectorSettings.idle_every_s`)."""
REACH = 4.0
"""Widths of a face by which somebody walks on between two scans of the whole."""
PATCH_PX = 16
CHANGED_LEVELS = 20.0
"""A patch whose pixels differ by more, on average, shows something else."""
STATES = {
    MaskState.MASKED: "mask",
    MaskState.BARE: "no mask",
    MaskState.WORN_WRONGLY: "mask worn wrongly",
    None: "not known yet",
}


class ShownPlace(msgspec.Struct, frozen=True):
    """A rectangle, in fractions of the picture."""

    left: float
    top: float
    width: float
    height: float


class ShownPerson(msgspec.Struct, frozen=True):
    """Somebody in sight, in the area. Lengths are fractions of the picture."""

    id: int
    left: float
    top: float
    width: float
    height: float
    state: MaskState | None
    probability: float
    size_px: float
    is_judged: bool
    """Large enough to be."""
    label: str
    """What is known of them."""
    note: str = ""
    """What the policy waits for; empty: nothing."""
    zone: str = ""
    """In which of them the face is; empty: in none."""


class ShownScene(msgspec.Struct, frozen=True):
    """One frame. Without a `number` none came."""

    number: int
    at: str = ""
    width_px: int = 0
    height_px: int = 0
    people: tuple[ShownPerson, ...] = ()
    outside: tuple[ShownPlace, ...] = ()
    """Faces outside the area: nobody judges them."""
    picture: Quality | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    person: ShownPerson
    box: Box
    at_s: float


@dataclass(frozen=True, slots=True)
class _Outside:
    place: ShownPlace
    box: Box
    at_s: float
    patch: NDArray[np.float32]


class InSight:
    """Who was seen last, and where: most frames are not scanned."""

    def __init__(self, settings: ClassifierSettings) -> None:
        self._settings = settings
        self._seen: dict[int, _Seen] = {}
        self._denied: dict[int, tuple[Box, float]] = {}
        """Nobody, as far as is known, and when that was; covered all the same."""
        self._outside: tuple[_Outside, ...] = ()

    @property
    def people(self) -> tuple[ShownPerson, ...]:
        return tuple(seen.person for seen in self._seen.values())

    @property
    def outside(self) -> tuple[ShownPlace, ...]:
        return tuple(each.place for each in self._outside)

    @property
    def boxes(self) -> tuple[Box, ...]:
        """Of all their faces, and of what may be one, in pixels of the frame."""
        return tuple(box for _, box in self.placed)

    @property
    def placed(self) -> tuple[tuple[int | None, Box], ...]:
        """`boxes`, each with its track; outside the area nobody has one."""
        return (
            *((track_id, seen.box) for track_id, seen in self._seen.items()),
            *((track_id, box) for track_id, (box, _) in self._denied.items()),
            *((None, each.box) for each in self._outside),
        )

    def note(self, frame: Frame, outcome: FrameOutcome) -> None:
        """Take in what a frame showed, and forget who was not seen for a while."""
        now_s = frame.monotonic_s
        for sighting, standing in zip(outcome.sightings, outcome.standings, strict=True):
            person = person_of(sighting, standing, frame, self._settings)
            self._seen[sighting.track_id] = _Seen(person, sighting.reading.face.box, now_s)
        for sighting in outcome.ignored:
            box = sighting.reading.face.box
            self._seen[sighting.track_id] = _Seen(passed_over(sighting, frame), box, now_s)
        self._seen = {
            track_id: seen for track_id, seen in self._seen.items() if now_s - seen.at_s < LINGER_S
        }
        self._denied |= {each.track_id: (each.face.box, now_s) for each in outcome.denied}
        self._denied = {
            track_id: (box, at_s)
            for track_id, (box, at_s) in self._denied.items()
            if now_s - at_s < LINGER_S
        }
        if outcome.outside is None:
            self._outside = tuple(each for each in self._outside if _is_there(each, frame))
        else:
            self._outside = _found(outcome.outside, self._outside, frame)

    def clear(self) -> None:
        self._seen.clear()
        self._denied.clear()
        self._outside = ()


def _found(faces: Sequence[Face], before: Sequence[_Outside], frame: Frame) -> tuple[_Outside, ...]:
    """Return who is outside after a scan: whom it found, and of those before whom it may have
    missed."""
    missed = [each for each in before if frame.monotonic_s - each.at_s < LINGER_S]
    for face in faces:
        near = [each for each in missed if each.box.grown(REACH).iou(face.box) > 0]
        if near:
            missed.remove(min(near, key=lambda each: dist(each.box.centre, face.box.centre)))
    found = (
        _Outside(_place(face.box, frame), face.box, frame.monotonic_s, _patch(face.box, frame))
        for face in faces
    )
    return (*found, *missed)


def _is_there(outside: _Outside, frame: Frame) -> bool:
    """Return whether somebody was seen there lately, or the picture still shows the same there."""
    seen_ago_s = frame.monotonic_s - outside.at_s
    if not LINGER_S <= seen_ago_s <= OUTSIDE_S:
        return seen_ago_s < LINGER_S
    differs = np.abs(_patch(outside.box, frame) - outside.patch)
    return float(differs.mean()) < CHANGED_LEVELS


def _patch(box: Box, frame: Frame) -> NDArray[np.float32]:
    inside = box.clipped(frame.width, frame.height) or Box(0, 0, frame.width, frame.height)
    rows = slice(int(inside.top), max(int(inside.top) + 1, int(inside.bottom)))
    columns = slice(int(inside.left), max(int(inside.left) + 1, int(inside.right)))
    small = cv2.resize(
        frame.pixels[rows, columns], (PATCH_PX, PATCH_PX), interpolation=cv2.INTER_AREA
    )
    return np.asarray(small, np.float32)


def _place(box: Box, frame: Frame) -> ShownPlace:
    part = box.scaled(1 / frame.width, 1 / frame.height)
    return ShownPlace(part.left, part.top, part.width, part.height)


def person_of(
    sighting: Sighting, standing: Standing, frame: Frame, settings: ClassifierSettings
) -> ShownPerson:
    box = sighting.reading.face.box
    place = _place(box, frame)
    least_px = max(settings.min_face_px, standing.least_px)
    label, note = words(standing, box.size_px, least_px)
    return ShownPerson(
        sighting.track_id,
        place.left,
        place.top,
        place.width,
        place.height,
        standing.state,
        round(standing.probability, 3),
        round(box.size_px, 1),
        box.size_px >= least_px,
        label,
        note,
        sighting.zone,
    )


def passed_over(sighting: Sighting, frame: Frame) -> ShownPerson:
    """Return what is shown of somebody in a zone in which nobody is judged."""
    box = sighting.reading.face.box
    place = _place(box, frame)
    return ShownPerson(
        sighting.track_id,
        place.left,
        place.top,
        place.width,
        place.height,
        None,
        0.0,
        round(box.size_px, 1),
        False,
        "Not judged here",
        zone=sighting.zone,
    )


def words(standing: Standing, size_px: float, least_px: float) -> tuple[str, str]:
    """Return what is known of somebody, and what a violation would still take."""
    label = STATES[standing.state].capitalize()
    if standing.state is not None:
        label += f" {percent(standing.probability)}"
    if size_px < least_px:
        return label, f"too small to judge: {int(size_px)} px, {least_px:g} px needed"
    if standing.is_reported:
        return label, "reported"
    if standing.confirm_s and standing.wrong_for_s < standing.confirm_s:
        return label, f"for {standing.wrong_for_s:.1f} of {standing.confirm_s:.1f} s"
    if standing.confirm_s:
        return label, f"for {standing.wrong_for_s:.1f} s, not sure enough yet"
    return label, ""
