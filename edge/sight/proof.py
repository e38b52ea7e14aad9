"""One proof of sight: drawn heads in copies of live pictures, and what becomes of them.

The same people stand at the same places each time, so that two proofs differ by what the camera
shows only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Final

import numpy as np

from edge.detect.detector import FaceDetector
from edge.history.records import SightProof
from edge.look import NOBODY, MaskJudge
from edge.pixels import resize
from edge.records import Box, Face, Frame, MaskReading, Pixels, Verdict
from edge.sight.carry import Transfer, blended, transfer
from edge.sight.heads import DrawnHead, cutout
from edge.sight.places import Point
from edge.sight.register import Movement, aligned, movement
from edge.sight.scene import Map, SceneFigures, SceneLook, covered, figures_of, hidden

PLACES: Final = 20
STEPS: Final = (0.8, 1.2, 2.0)
"""The sizes of the heads, times the one that is asked for."""
WORN: Final = (Verdict.BARE, Verdict.MASKED)
LOOKS: Final = (2, 5, 8, 11, 30, 13, 16, 100, 22)
"""Those of `cutout` that are seen best, of each skin it has but the darkest: 8 and 13 are light, 2
and 22 less so, 11 and 16 brown, and 5, 30 and 100 dark."""
SEEN: Final = 0.8
"""A size is seen where this share of its heads is judged rightly."""
TILE_PX: Final = 160
"""What is searched around a head, in the detector's pixels: as much as the head needs to be found
as in the whole picture, and one size for all, so that the network is laid out once."""
SAME_IOU: Final = 0.3
SOME_NOISE: Final = 0.8
"""Gray levels."""
CLEAR: Final = 1.0
"""Nobody's face lies within so many face widths of a head, or it could be found in its place."""
Draw = Callable[[int, Verdict, float], DrawnHead]
"""`cutout`, or one that keeps what it has drawn."""


@dataclass(frozen=True, slots=True)
class ProofEyes:
    """What looks, apart from what judges people."""

    detector: FaceDetector
    judge: MaskJudge
    scale: Callable[[Frame], float]
    """How many of the detector's pixels one of the frame's is."""
    min_face_px: float


@dataclass(frozen=True, slots=True)
class LivePair:
    """Two pictures a second or so apart, and the faces that were seen in the later one."""

    before: Frame
    now: Frame
    faces: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class HeadShown:
    """One drawn head, and what became of it."""

    place: int
    wears: Verdict
    size_px: int
    is_in_view: bool
    """False: its place is outside the picture since the camera moved."""
    is_found: bool
    is_right: bool


@dataclass(frozen=True, slots=True)
class SceneChange:
    """What has become of the scene."""

    movement: Movement
    transfers: tuple[Transfer, ...]
    """Of each place, as far as it is in view."""
    figures: SceneFigures
    """As it is now."""
    noise: float
    """The sensor's noise in the picture, times what it was; 1 where there was hardly any."""
    order: float
    """How straight edges are, times what it was: below 1 they are bent."""
    hidden: float
    """See `edge.sight.scene.hidden`."""
    covered: float
    """See `edge.sight.scene.covered`."""


@dataclass(frozen=True)
class SightResult:
    """All heads of one time."""

    at: datetime
    heads: tuple[HeadShown, ...]
    change: SceneChange

    @cached_property
    def share(self) -> float:
        """How many of all heads were judged rightly, 0 to 1."""
        return sum(each.is_right for each in self.heads) / max(1, len(self.heads))

    @cached_property
    def share_found(self) -> float:
        return sum(each.is_found for each in self.heads) / max(1, len(self.heads))

    @property
    def share_in_view(self) -> float:
        return sum(each.is_in_view for each in self.heads) / max(1, len(self.heads))

    def smallest_px(self, wears: Verdict) -> int | None:
        """Return the smallest size that is seen, as all larger ones are; None: none is."""
        smallest = None
        for row in sorted(self.rows(""), key=lambda each: -each.size_px):
            if row.verdict is wears:
                if row.right < SEEN * row.shown:
                    break
                smallest = row.size_px
        return smallest

    def rows(self, camera: str) -> list[SightProof]:
        """Return what the history keeps of it."""
        kinds = sorted({(each.wears, each.size_px) for each in self.heads})
        rows = []
        for wears, size_px in kinds:
            alike = [h for h in self.heads if (h.wears, h.size_px) == (wears, size_px)]
            found = sum(each.is_found for each in alike)
            right = sum(each.is_right for each in alike)
            rows.append(SightProof(self.at, camera, wears, size_px, len(alike), found, right))
        return rows


def sizes_px(least_px: float) -> tuple[int, ...]:
    """Return the sizes of the heads that are shown."""
    return tuple(round(least_px * step) for step in STEPS)


def prove(
    looks: Sequence[SceneLook],
    pairs: Sequence[LivePair],
    reference: SceneFigures | None,
    places: Sequence[Point],
    least_px: float,
    eyes: ProofEyes,
    between: Callable[[], None] = lambda: None,
) -> SightResult:
    """Show all heads and return what became of them; `between` is called after each.

    `looks` are of the pictures of the last seconds, of which `pairs` are some.

    Without a reference the scene is taken as good as it is: it is what later ones compare with.
    """
    change = change_of(looks, reference, places, pairs[-1].now)
    heads = []
    for head in shown(change, pairs, places, least_px, eyes):
        heads.append(head)
        between()
    return SightResult(pairs[-1].now.captured_at, tuple(heads), change)


def change_of(
    looks: Sequence[SceneLook],
    reference: SceneFigures | None,
    places: Sequence[Point],
    frame: Frame,
) -> SceneChange:
    """Compare the scene with the reference, without showing a head; `frame` is of its size."""
    figures = figures_of(looks)
    is_same = reference is not None and reference.level.shape == figures.level.shape
    good = figures if reference is None or not is_same else reference
    moved = movement(good, figures)
    good = aligned(good, moved)
    there = (moved.moved(*place, frame.width / frame.height) for place in places)
    return SceneChange(
        moved,
        tuple(transfer(good, figures, *each, frame.width) for each in there),
        figures,
        figures.noise / good.noise if good.noise >= SOME_NOISE else 1.0,
        figures.order / max(1e-3, good.order),
        0.0 if moved.is_any else hidden(good, figures),
        0.0 if moved.is_any else covered(good, figures),
    )


def shown(
    change: SceneChange,
    pairs: Sequence[LivePair],
    places: Sequence[Point],
    least_px: float,
    eyes: ProofEyes,
    draw: Draw = cutout,
) -> Iterator[HeadShown]:
    """Show one head after the other, and yield what became of each."""
    spreads = [_spread(each) for each in pairs]
    for number, (place, by) in enumerate(zip(places, change.transfers, strict=True)):
        pair, spread = pairs[number % len(pairs)], spreads[number % len(pairs)]
        for head in _heads(number, least_px):
            drawn = draw(_look_of(head), head.wears, head.size_px)
            yield _shown(head, drawn, place, change.movement, pair, spread, by, eyes)


def _heads(place: int, least_px: float) -> Iterator[HeadShown]:
    for number, size_px in enumerate(sizes_px(least_px)):
        # At each place heads of both kinds, and at half of the places the other way around.
        yield HeadShown(place, WORN[(place + number) % 2], size_px, False, False, False)


def _look_of(head: HeadShown) -> int:
    return LOOKS[(head.place * 5 + head.size_px + (head.wears is Verdict.MASKED)) % len(LOOKS)]


def _shown(
    head: HeadShown,
    drawn: DrawnHead,
    place: Point,
    moved: Movement,
    pair: LivePair,
    spread: float,
    by: Transfer,
    eyes: ProofEyes,
) -> HeadShown:
    frame = pair.now
    drawn = drawn.turned(moved.turned_deg)
    at = _position(place, moved, pair, drawn)
    if at is None:
        return head
    ratio = eyes.scale(frame)
    side = max(round(TILE_PX / ratio), drawn.side + 4)
    below = drawn.side / 2 - drawn.face.centre[1]
    left, top = _corner(at[0], side, frame.width), _corner(at[1] + below, side, frame.height)
    part = (slice(top, top + side), slice(left, left + side))
    tile = frame.pixels[part].copy()
    grain = _noise(pair.before.pixels[part], tile, spread)
    face = blended(tile, grain, drawn, (at[0] - left, at[1] - top), by)
    found = _found(tile, face, ratio, eyes)
    if found is None:
        return replace(head, is_in_view=True)
    (reading,) = eyes.judge.classify(replace(frame, pixels=tile, lores=None), [found])
    is_right = _verdict(reading) is head.wears
    return replace(head, is_in_view=True, is_found=True, is_right=is_right)


def _position(
    place: Point, moved: Movement, pair: LivePair, head: DrawnHead
) -> tuple[float, float] | None:
    """Return the pixel for the middle of the face, beside people who are there now; None: the place
    is not in the picture any more."""
    width, height = pair.now.width, pair.now.height
    x, y = moved.moved(*place, width / height)
    if moved.is_any and not (0 <= x < 1 and 0 <= y < 1):
        return None
    wide = head.face.width
    for beside in (0.0, -1.5, 1.5, -3.0, 3.0):
        at = _fitted(x * width + beside * wide, y * height, head, width, height)
        box = head.face.moved(at[0] - head.face.centre[0], at[1] - head.face.centre[1])
        if not any(box.grown(CLEAR / 2).shared_area(each) for each in pair.faces):
            break
    return at


def _fitted(x: float, y: float, head: DrawnHead, width: int, height: int) -> tuple[float, float]:
    """Return the place nearest to a pixel at which all of a head is in the picture."""
    across, down = head.face.centre
    left = min(max(x - across, 1), width - head.side - 1)
    top = min(max(y - down, 1), height - head.side - 1)
    return left + across, top + down


def _corner(middle: float, side: int, whole: int) -> int:
    return max(0, min(round(middle - side / 2), whole - side))


def _found(tile: Pixels, face: Box, ratio: float, eyes: ProofEyes) -> Face | None:
    """Return the detection of the head; None: there is none that would be judged."""
    size = (max(1, round(tile.shape[1] * ratio)), max(1, round(tile.shape[0] * ratio)))
    picture = tile if size == tile.shape[1::-1] else resize(tile, size)
    x, y = tile.shape[1] / size[0], tile.shape[0] / size[1]
    for each in eyes.detector.find(picture):
        box = each.box.scaled(x, y)
        if box.iou(face) >= SAME_IOU and box.size_px >= eyes.min_face_px:
            return Face(box, each.confidence)
    return None


def _verdict(reading: MaskReading) -> Verdict:
    uncovered = reading.uncovered_probability
    if uncovered is None or reading.nobody >= NOBODY:
        return Verdict.UNKNOWN
    return Verdict.BARE if uncovered > 0.5 else Verdict.MASKED


def _spread(pair: LivePair) -> float:
    """Return the standard deviation of the noise in one picture, whatever moves."""
    rows = slice(None, None, 8), slice(None, None, 8)
    apart = pair.now.pixels[rows].astype(np.float32) - pair.before.pixels[rows]
    return 1.4826 * float(np.median(np.abs(apart))) / math.sqrt(2)


def _noise(before: Pixels, now: Pixels, spread: float) -> Map:
    """Return what one picture differs from another by, but for what moves."""
    apart = (now.astype(np.float32) - before) / math.sqrt(2)
    return np.asarray(apart.clip(-3 * spread, 3 * spread), np.float32)
