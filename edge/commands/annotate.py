"""A clip for people: what the road saw, drawn in, with heads covered as on the page."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from edge.capture.playback import Playback
from edge.capture.source import FrameSource
from edge.commands.new_file import refuse_existing
from edge.config import Settings
from edge.daemon.viewer import PICTURES
from edge.errors import ConfigError, PictureError, TensorMaskError
from edge.page.scene import STATES, InSight, ShownPerson
from edge.pipeline import FrameOutcome, Pipeline
from edge.pixels import resize
from edge.privacy.heads import FaceSearch, FindFaces, Held, open_covering
from edge.privacy.picture import Photographer
from edge.records import Frame, MaskState, Pixels

SIDE_PX = PICTURES.longest_side_px
"""The longer side of the clip: a smaller picture is enlarged once its heads are covered."""
MAX_FPS = 120.0
COLOURS: dict[MaskState | None, tuple[int, int, int]] = {
    MaskState.MASKED: (255, 166, 88),
    MaskState.BARE: (79, 90, 255),
    MaskState.WORN_WRONGLY: (50, 182, 242),
    None: (221, 221, 221),
}
"""BGR."""
_FONT, _TEXT, _HEIGHT_PX = cv2.FONT_HERSHEY_SIMPLEX, 0.45, 16

_log = logging.getLogger(__name__)

Show = Callable[[Frame, FrameOutcome], None]


class AnnotationError(TensorMaskError):
    """Make room, or name another file."""


@contextmanager
def annotating(
    path: Path | None, source: FrameSource, settings: Settings, pipeline: Pipeline
) -> Iterator[Show]:
    """Give what takes each judged frame; at the end all are a clip at `path`, if one is given.

    Until then they are in a hidden file beside it, which is removed where the run breaks off.
    Raises ConfigError and PictureError for a name or source that will not do, AnnotationError where
    the clip cannot be written, ModelError where heads are to be covered and no detector for that is
    here.
    """
    if path is None:
        yield lambda frame, outcome: None
        return
    if not isinstance(source, Playback):
        raise ConfigError("--show: of a clip or a folder of pictures only, not of a camera")
    if path.suffix.lower() != ".mp4":
        raise ConfigError(f"--show: {path}: give a name that ends with .mp4")
    refuse_existing(path, "--show")
    partial = path.with_name(f".{path.stem}.{os.getpid()}.mp4")
    try:
        partial.open("xb").close()
    except OSError as error:
        raise AnnotationError(f"{path}: {error.strerror}") from error
    try:
        photographer = Photographer(PICTURES, _find_heads(settings, pipeline))
        clip = _Clip(partial, min(MAX_FPS, 1 / source.interval_s))
        in_sight = InSight(settings.classifier)

        def show(frame: Frame, outcome: FrameOutcome) -> None:
            in_sight.note(frame, outcome)
            picture = photographer.covered(frame, in_sight.boxes)
            clip.add(drawn(picture, in_sight.people, frame.monotonic_s))

        try:
            yield show
        finally:
            clip.close()
        if not clip.is_whole:
            raise AnnotationError(f"{path}: the clip could not be written; is there enough room?")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _find_heads(settings: Settings, pipeline: Pipeline) -> FindFaces | None:
    if settings.page.heads == "faces":
        _log.warning('the clip shows recognizable people: [page] heads = "faces"')
        return None
    detector = open_covering(settings.detector)
    return Held(FaceSearch(detector, pipeline.tracker.expected, quarters=False))


def drawn(picture: Pixels, people: Sequence[ShownPerson], at_s: float) -> Pixels:
    """Return `picture` in the clip's size with everybody's box, number and state, and the time."""
    height, width = picture.shape[:2]
    ratio = SIDE_PX / max(height, width)
    # mp4v takes even sides only.
    size = (2 * max(1, round(width * ratio / 2)), 2 * max(1, round(height * ratio / 2)))
    canvas = resize(picture, size).copy()
    for person in people:
        left, top = round(person.left * size[0]), round(person.top * size[1])
        right = round((person.left + person.width) * size[0])
        bottom = round((person.top + person.height) * size[1])
        colour = COLOURS[person.state]
        cv2.rectangle(canvas, (left, top), (right, bottom), colour, 2)
        _write(canvas, label(person), left, top - 6, colour)
    _write(canvas, f"{at_s:.1f} s", 4, size[1] - 6, COLOURS[None])
    return canvas


def label(person: ShownPerson) -> str:
    """Return the number of the track and what is known: `3: no mask 97%`."""
    sure = "" if person.state is None else f" {person.probability:.0%}"
    return f"{person.id}: {STATES[person.state]}{sure}"


def _write(canvas: Pixels, text: str, x: int, y: int, colour: tuple[int, int, int]) -> None:
    """Write with a dark outline, and inside the picture."""
    height, width = canvas.shape[:2]
    (length, _), _ = cv2.getTextSize(text, _FONT, _TEXT, 1)
    where = (max(2, min(x, width - length - 2)), max(_HEIGHT_PX, min(y, height - 4)))
    for line, thickness in (((0, 0, 0), 3), (colour, 1)):
        cv2.putText(canvas, text, where, _FONT, _TEXT, line, thickness, cv2.LINE_AA)


class _Clip:
    """A file of pictures, all in the size of the first."""

    def __init__(self, path: Path, fps: float) -> None:
        self._name, self._fps = _name_of(path), fps
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self._count = 0

    def add(self, picture: Pixels) -> None:
        if self._writer is None:
            self._size = (picture.shape[1], picture.shape[0])
            codec = cv2.VideoWriter.fourcc(*"mp4v")
            self._writer = cv2.VideoWriter(self._name, codec, self._fps, self._size)
        self._writer.write(_fitted(picture, self._size))
        self._count += 1

    def close(self) -> None:
        if self._writer is not None:
            self._writer.release()

    @property
    def is_whole(self) -> bool:
        """Return whether all can be read again: of a full disk the writer says nothing."""
        reader = cv2.VideoCapture(self._name, cv2.CAP_FFMPEG)
        try:
            return int(reader.get(cv2.CAP_PROP_FRAME_COUNT)) == self._count > 0
        finally:
            reader.release()


def _name_of(path: Path) -> str:
    """Return a path as OpenCV takes it: what stands before a colon would be a protocol.

    Raises PictureError for a name that is not UTF-8: OpenCV would crash.
    """
    name = str(path.absolute())
    try:
        name.encode()
    except UnicodeEncodeError:
        raise PictureError("its path is not UTF-8; rename it") from None
    return name


def _fitted(picture: Pixels, size: tuple[int, int]) -> Pixels:
    """Return the picture in this width and height, with bars where its shape is another."""
    height, width = picture.shape[:2]
    if (width, height) == size:
        return picture
    ratio = min(size[0] / width, size[1] / height)
    small = resize(picture, (max(1, int(width * ratio)), max(1, int(height * ratio))))
    canvas = np.zeros((size[1], size[0], 3), np.uint8)
    top, left = (size[1] - small.shape[0]) // 2, (size[0] - small.shape[1]) // 2
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    return canvas
