"""The station: one person stands before the camera, and is told "go", or what is wrong.

The nearest person counts: the largest face, if it is large enough. Others who are nearly as near
pass with him, so nobody gets "go" while one of them is not known to wear a mask. A wrong "go" is
worse than a wait, and so it takes more than what is reported takes: looks in a row, each for a
mask, over a while, that together are sure of it, at a face that has moved as no picture does.
Any surely unmasked look takes it back at once.

What is told does not flicker: but for "go", which comes and goes as soon as it must, an advice
stays a moment, and a person whom a few scans miss is still there.

All time is the frames' own, so the same frames give the same advice anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from edge.config import Settings, StationSettings
from edge.decide.person import PICTURE_S
from edge.decide.policy import Standing
from edge.pipeline import FrameOutcome
from edge.records import Advice, Box, Frame, MaskState, Sighting, uncovered
from edge.telemetry import CameraState, CameraView, Telemetry

APPROACHING = 0.5
"""A face of this share of `min_face_px` may belong to somebody who means to be judged."""
AS_NEAR = 0.6
"""A face of this share of the largest one passes together with it."""
PRESENT_S = 1.2
"""A person is there for so long after a scan that found the face: even where nothing moves there
are two scans in this time."""
SURELY = 0.8
"""From this on a look says surely that mouth and nose are not covered."""
GO_LOOKS, GO_S, GO_SURETY = 4, 0.5, 0.92
"""Looks in a row for a mask, the time from the first to the last of them, and how sure the evidence
must be."""
STOP_LOOKS, STOP_S, STOP_SURETY = 3, 0.3, 0.8
"""The same for no mask."""
WORN_LOOKS, WORN_S = 4, 0.8
"""And for one that is worn wrongly: who puts it on or adjusts it does so for a moment."""
DOUBTS = 2
"""As many looks in a row that are unsure, or not for a mask, end "go" too."""
SHOWN_S = 0.8
"""An advice other than "go", "wait" and "closed" stays so long, for people who read it."""
APPROACH_S = 1.0
"""Who passes by in the distance is not asked to come closer before this."""
DIM_LEVEL, GLARING_LEVEL = 40, 225
"""Mean brightness of a face, 0 to 255, outside which light is what hinders."""
FORGOTTEN_S = 2.0
"""After so long without a frame everybody is new."""


class Adviser(Protocol):
    """Makes an advice of what is judged: `Station`, or `Greeting` where there is no gate."""

    def take(self, frame: Frame, outcome: FrameOutcome, telemetry: Telemetry | None) -> Advice:
        """Return what is to be said from this frame on. `telemetry`: the last; None: none yet."""


@dataclass(slots=True)
class _Streak:
    """Looks in a row that say the same."""

    looks: int = 0
    since_s: float = 0.0
    until_s: float = 0.0

    def take(self, agrees: bool, now_s: float) -> None:
        if not agrees:
            self.looks = 0
            return
        if not self.looks:
            self.since_s = now_s
        self.looks += 1
        self.until_s = now_s

    def lasts(self, looks: int, duration_s: float) -> bool:
        return self.looks >= looks and self.until_s - self.since_s >= duration_s


@dataclass(slots=True)
class _Person:
    """What is known of somebody in sight."""

    first_s: float
    seen_s: float
    box: Box
    standing: Standing
    masked: _Streak
    wrong: _Streak
    doubts: int = 0
    has_go: bool = False

    def take(self, sighting: Sighting, standing: Standing, *, takes_worn: bool) -> None:
        self.seen_s, self.box = sighting.monotonic_s, sighting.reading.face.box
        self.standing = standing
        probabilities = sighting.reading.probabilities
        if probabilities is not None:
            self._look(_unmasked(probabilities, takes_worn=takes_worn), sighting.monotonic_s)
        self.has_go = self.may_go if self.has_go else self.earns_go

    def _look(self, unmasked: float, now_s: float) -> None:
        self.masked.take(unmasked < 0.5, now_s)
        self.wrong.take(unmasked >= 0.5, now_s)
        self.doubts = self.doubts + 1 if unmasked > 1 - SURELY else 0
        if unmasked >= SURELY:
            self.doubts = DOUBTS

    def is_picture(self, now_s: float) -> bool:
        """Return whether it is surely nobody: it would keep the gate closed for everybody."""
        return self.standing.is_lifeless and now_s - self.first_s >= PICTURE_S

    @property
    def may_go(self) -> bool:
        """Return whether nothing speaks against it."""
        return self.standing.state is MaskState.MASKED and self.doubts < DOUBTS

    @property
    def earns_go(self) -> bool:
        return (
            self.may_go
            and self.doubts == 0
            and not self.standing.is_lifeless
            and self.standing.probability >= GO_SURETY
            and self.masked.lasts(GO_LOOKS, GO_S)
        )

    @property
    def verdict(self) -> Advice | None:
        """What is certain of this person; None: nothing yet."""
        if self.has_go:
            return Advice.GO
        if self.standing.probability >= STOP_SURETY and not self.standing.is_lifeless:
            if self.standing.state is MaskState.BARE and self.wrong.lasts(STOP_LOOKS, STOP_S):
                return Advice.NO_MASK
            is_worn = self.standing.state is MaskState.WORN_WRONGLY
            if is_worn and self.wrong.lasts(WORN_LOOKS, WORN_S):
                return Advice.WORN_WRONGLY
        return None


class Station:
    """Follows who stands before the camera. One thread only."""

    def __init__(self, settings: StationSettings, *, takes_worn: bool = False) -> None:
        """`takes_worn`: a mask that is worn wrongly is one like others, as the policy says."""
        self._settings = settings
        self._takes_worn = takes_worn
        self._people: dict[int, _Person] = {}
        self._frame_s = -math.inf
        self._hold_until_s = -math.inf
        self._shown = Advice.EMPTY
        self._shown_s = -math.inf

    @classmethod
    def of(cls, settings: Settings) -> Station:
        return cls(settings.station, takes_worn=settings.policy.worn_wrongly == "ignore")

    def take(self, frame: Frame, outcome: FrameOutcome, telemetry: Telemetry | None) -> Advice:
        """Return what is to be said from this frame on."""
        now_s = frame.monotonic_s
        if not 0 <= now_s - self._frame_s <= FORGOTTEN_S:
            self._people.clear()
            self._hold_until_s = -math.inf
        self._frame_s = now_s
        self._note(outcome, now_s)
        advice = hindrance(telemetry) or self._advice(frame)
        self._show(advice, now_s)
        return self._shown

    def _note(self, outcome: FrameOutcome, now_s: float) -> None:
        for sighting, standing in zip(outcome.sightings, outcome.standings, strict=True):
            person = self._people.get(sighting.track_id)
            if person is None:
                box = sighting.reading.face.box
                person = _Person(now_s, now_s, box, standing, _Streak(), _Streak())
                self._people[sighting.track_id] = person
            person.take(sighting, standing, takes_worn=self._takes_worn)
        for each in outcome.denied:  # no face after all
            self._people.pop(each.track_id, None)
        self._people = {
            track_id: person
            for track_id, person in self._people.items()
            if now_s - person.seen_s < max(PRESENT_S, self._settings.hold_s)
        }

    def _advice(self, frame: Frame) -> Advice:
        now_s = frame.monotonic_s
        people = [
            each
            for each in self._people.values()
            if now_s - each.seen_s < PRESENT_S and not each.is_picture(now_s)
        ]
        here = [each for each in people if each.box.size_px >= self._settings.min_face_px]
        if not here:
            if now_s < self._hold_until_s:
                return Advice.GO
            return (
                Advice.CLOSER
                if any(self._approaches(each, now_s) for each in people)
                else Advice.EMPTY
            )
        nearest = max(here, key=lambda each: each.box.size_px)
        together = [each for each in people if each.box.size_px >= AS_NEAR * nearest.box.size_px]
        advice = worst(each.verdict for each in together)
        if advice is Advice.GO:
            self._hold_until_s = max(each.seen_s for each in together) + self._settings.hold_s
        else:
            self._hold_until_s = -math.inf
        if advice is not Advice.WAIT or now_s - nearest.first_s < self._settings.decide_s:
            return advice
        is_lit = DIM_LEVEL <= brightness(frame, nearest.box) <= GLARING_LEVEL
        return Advice.WAIT if is_lit else Advice.LIGHT

    def _approaches(self, person: _Person, now_s: float) -> bool:
        return (
            now_s - person.first_s >= APPROACH_S
            and person.box.size_px >= APPROACHING * self._settings.min_face_px
            and not person.standing.is_lifeless
        )

    def _show(self, advice: Advice, now_s: float) -> None:
        stays = self._shown not in (Advice.EMPTY, Advice.WAIT, Advice.GO, Advice.CLOSED)
        is_urgent = advice in (Advice.GO, Advice.CLOSED)
        if advice is self._shown or (
            stays and not is_urgent and 0 <= now_s - self._shown_s < SHOWN_S
        ):
            return
        self._shown, self._shown_s = advice, now_s


def hindrance(telemetry: Telemetry | None) -> Advice | None:
    """Return why nobody can be judged at all; None: somebody can."""
    if telemetry is None or telemetry.paused_for_s is not None:
        return Advice.CLOSED
    camera = telemetry.camera
    if camera.state is CameraState.LOST or camera.rotation_wanted_deg is not None:
        return Advice.CLOSED
    if camera.view is CameraView.COVERED:
        return Advice.CLOSED
    if camera.view in (CameraView.DARK, CameraView.BLINDED):
        return Advice.LIGHT
    return None


def worst(verdicts: Iterable[Advice | None]) -> Advice:
    """Return what people who pass together are told: "go" only where each of them is."""
    found = set(verdicts)
    for advice in (Advice.NO_MASK, Advice.WORN_WRONGLY):
        if advice in found:
            return advice
    return Advice.GO if found == {Advice.GO} else Advice.WAIT


def brightness(frame: Frame, box: Box) -> float:
    """Return the mean level of a face, 0 to 255."""
    inside = box.clipped(frame.width, frame.height)
    if inside is None:
        return 128.0
    rows = slice(int(inside.top), math.ceil(inside.bottom))
    columns = slice(int(inside.left), math.ceil(inside.right))
    return float(np.mean(frame.pixels[rows, columns]))


def _unmasked(probabilities: Mapping[MaskState, float], *, takes_worn: bool) -> float:
    return probabilities[MaskState.BARE] if takes_worn else uncovered(probabilities)
