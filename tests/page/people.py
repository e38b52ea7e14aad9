"""Who is before the camera in the tests of the page: drawn people."""

from __future__ import annotations

from edge.people import PEOPLE, frames

__all__ = ["PEOPLE", "frames"]
