"""What a viewer sees of one frame: who is there, what is known of them, how good the picture is."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import msgspec
import numpy as np

from edge.config import ClassifierSettings
from edge.decide.policy import Standing
from edge.pipeline import Outcome
from edge.records import Box, Frame, MaskState, Pixels, Sighting

CENTRE_PX = 480
"""Side of the part in the middle whose sharpness is told: of the picture as it is, since a smaller
one is sharp whatever the lens does."""
LINGER_S = 1.5
"""Between two scans people are shown where they were seen last."""
STATES = {
    MaskState.MASKED: "mask",
    MaskState.BARE: "no mask",
    MaskState.WORN_WRONGLY: "mask worn wrongly",
    None: "not known yet",
}


class Person(msgspec.Struct, frozen=True):
    """Somebody in sight. Lengths are fractions of the picture."""

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
    text: str
    """All that in words, and what the policy waits for."""


class Picture(msgspec.Struct, frozen=True):
    """How good it is, as numbers and in words."""

    sharpness: float
    """Of the middle; comparable only between pictures of the same scene."""
    light: int
    """Mean brightness, 0 to 100."""
    light_text: str


class Scene(msgspec.Struct, frozen=True):
    """One frame. Without a `number` none came."""

    number: int
    at: str = ""
    width_px: int = 0
    height_px: int = 0
    people: tuple[Person, ...] = ()
    picture: Picture | None = None
    fps: float = 0.0


@dataclass(frozen=True, slots=True)
class _Seen:
    person: Person
    box: Box
    at_s: float


class InSight:
    """Who was seen last, and where: most frames are not scanned."""

    def __init__(self, settings: ClassifierSettings) -> None:
        self._settings = settings
        self._seen: dict[int, _Seen] = {}

    @property
    def people(self) -> tuple[Person, ...]:
        return tuple(seen.person for seen in self._seen.values())

    @property
    def boxes(self) -> tuple[Box, ...]:
        """Of their faces, in pixels of the frame."""
        return tuple(seen.box for seen in self._seen.values())

    def note(self, frame: Frame, outcome: Outcome) -> None:
        """Take in what a frame showed, and forget who was not seen for a while."""
        for sighting, standing in zip(outcome.sightings, outcome.standings, strict=True):
            person = person_of(sighting, standing, frame, self._settings)
            box, at_s = sighting.reading.face.box, frame.monotonic_s
            self._seen[sighting.track_id] = _Seen(person, box, at_s)
        self._seen = {
            track_id: seen
            for track_id, seen in self._seen.items()
            if frame.monotonic_s - seen.at_s < LINGER_S
        }

    def clear(self) -> None:
        self._seen.clear()


def person_of(
    sighting: Sighting, standing: Standing, frame: Frame, settings: ClassifierSettings
) -> Person:
    box = sighting.reading.face.box
    is_judged = box.size_px >= settings.min_face_px
    return Person(
        sighting.track_id,
        box.left / frame.width,
        box.top / frame.height,
        box.width / frame.width,
        box.height / frame.height,
        standing.state,
        round(standing.probability, 3),
        round(box.size_px, 1),
        is_judged,
        words(standing, box.size_px, settings.min_face_px),
    )


def words(standing: Standing, size_px: float, least_px: float) -> str:
    """Return what is known of somebody, and what a violation would still take."""
    text = STATES[standing.state]
    if standing.state is not None:
        text += f" {standing.probability:.0%}"
    text += f", {size_px:.0f} px"
    if size_px < least_px:
        return f"{text}: too small, judged from {least_px:g} px on"
    if standing.is_told:
        return f"{text}: told"
    if standing.confirm_s and standing.wrong_for_s < standing.confirm_s:
        return f"{text}: for {standing.wrong_for_s:.1f} of {standing.confirm_s:.1f} s"
    if standing.confirm_s:
        return f"{text}: for {standing.wrong_for_s:.1f} s, not sure enough yet"
    return text


def judge_picture(pixels: Pixels) -> Picture:
    """Return how sharp and how bright a picture is.

    Sharpness is the variance of the Laplacian (Pech-Pacheco et al., 2000) over that of the
    brightness, times 100, so that light and contrast hardly matter.
    """
    height, width = pixels.shape[:2]
    top, left = max(0, (height - CENTRE_PX) // 2), max(0, (width - CENTRE_PX) // 2)
    grey = cv2.cvtColor(pixels[top : top + CENTRE_PX, left : left + CENTRE_PX], cv2.COLOR_BGR2GRAY)
    contrast = float(grey.var())
    sharpness = 0.0 if contrast < 1 else float(cv2.Laplacian(grey, cv2.CV_32F).var()) / contrast
    mean = float(np.mean(pixels[::8, ::8]))
    return Picture(round(100 * sharpness, 1), round(mean / 2.55), _light_in_words(mean))


def _light_in_words(mean: float) -> str:
    for below, text in (
        (20, "dark"),
        (50, "dim: faces in the shade may be missed"),
        (200, "good"),
        (235, "very bright"),
    ):
        if mean < below:
            return text
    return "glaring: turn the camera away from the light"
