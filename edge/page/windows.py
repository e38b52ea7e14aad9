"""The windows of several cameras, for the page one of them at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from edge.page.history import PageHistory
from edge.page.window import Answer, Window
from edge.page.wire import Draw, NextScene, PageReport, Requests, Undo


@dataclass(frozen=True, slots=True)
class CameraWindows:
    """Hands each request to the window of the camera that it names; without a name, to the first.

    As `Window`, it is for one thread only, but for `tick` and `answer`.
    """

    windows: Mapping[str, Window]

    @property
    def history(self) -> PageHistory:
        """What happened at all of them: they share it."""
        return self._first.history

    @property
    def cameras(self) -> tuple[str, ...]:
        return tuple(self.windows)

    @property
    def is_looking(self) -> bool:
        """Return whether scenes of any camera are made."""
        return any(each.is_looking for each in self.windows.values())

    def tick(self) -> None:
        for each in self.windows.values():
            each.tick()

    def rest(self) -> None:
        for each in self.windows.values():
            each.rest()

    def close(self) -> None:
        for each in self.windows.values():
            each.close()

    def answer(self, request: Requests) -> tuple[bytes, bytes]:
        """Return a document, and a picture or nothing."""
        if not isinstance(request, NextScene | PageReport | Draw | Undo) or not request.camera:
            return self._first.answer(request)
        window = self.windows.get(request.camera)
        if window is None:  # the browser's page is older than the settings
            if isinstance(request, NextScene | PageReport):
                return self._first.answer(request)
            error = f"there is no camera {request.camera} any more; load the page again"
            return msgspec.json.encode(Answer(error)), b""
        return window.answer(request)

    @property
    def _first(self) -> Window:
        return next(iter(self.windows.values()))
