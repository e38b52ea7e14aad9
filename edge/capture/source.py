"""What a source of frames is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from edge.records import Frame


class FrameSource(Protocol):
    """Where frames come from, one after the other; used by one thread only."""

    @property
    def name(self) -> str:
        """What to call it in logs; without user names and passwords."""

    @property
    def live(self) -> bool:
        """Whether it waits for nobody, so that its newest frame is the one to look at."""

    def read(self) -> Frame | None:
        """Wait for the next frame and return it; None at the end of a clip or folder.

        The pixels are the caller's: contiguous uint8 BGR, upright. Raises CameraError when the
        camera or stream gives none, after which the source is to be closed and opened again, and
        PictureError where a file turns out to hold no picture.
        """

    def close(self) -> None:
        """Give the camera or file back; a second time it does nothing."""


@dataclass(frozen=True, slots=True)
class Undeveloped:
    """A frame whose pixels cost time, so that they are made where somebody looks at it."""

    number: int
    develop: Callable[[], Frame]
    """From any thread, once."""


@runtime_checkable
class Developing(FrameSource, Protocol):
    """A source most of whose frames may be dropped unseen."""

    def next(self) -> Undeveloped:
        """Do what `read` does, and leave the pixels for later."""
