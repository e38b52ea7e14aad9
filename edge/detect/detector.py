"""What a face detector is."""

from __future__ import annotations

from typing import Protocol

from edge.records import Face, Pixels


class FaceDetector(Protocol):
    """A back end."""

    name: str
    sure: float
    """The score from which on a detection is so surely a face that a track may begin with it."""
    input_px: int | None
    """The longest side of what it makes of every picture, so that a small one saves nothing; None:
    it takes pictures as they are."""

    def find(self, pixels: Pixels) -> tuple[Face, ...]:
        """Return the faces in `pixels`, boxes inside it and in its pixels, the surest first."""
        ...
