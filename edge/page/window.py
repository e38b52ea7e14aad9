"""What the page may see of the road, and nothing else: here every head is covered.

All is answered by one thread of the daemon, for which judging never waits. While nobody asks for
scenes, nothing is searched, covered or encoded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from edge.clock import SYSTEM_CLOCK, Clock
from edge.config import ClassifierSettings
from edge.errors import ConfigError
from edge.host.words import Since, Weight, conditions
from edge.observers import Observer, Observers
from edge.page.drawn import AreaBook, DrawnArea, Origin
from edge.page.history import History, Past
from edge.page.scene import InSight, Scene, judge_picture
from edge.page.wire import Draw, NextScene, Report, Requests, Undo
from edge.records import Box, Frame
from edge.telemetry import Telemetry

ROOM = 4
"""So many frames may wait while a scene is made; each holds its pixels."""
WAIT_S = 1.0
"""So long a scene is waited for."""
QUIET_S = 5.0
"""So long after the last question the looking ends, however the viewer has left."""


TakePicture = Callable[[Frame, tuple[Box, ...]], bytes | None]
"""Returns the frame as a JPEG in which all heads are covered, those in the boxes for certain."""


class Trouble(msgspec.Struct, frozen=True):
    """Something that is wrong."""

    text: str
    since: datetime
    weight: Weight


class Account(msgspec.Struct, frozen=True):
    """How the device does, and what happened."""

    device: str
    site: str
    zone: str
    program: str
    now: datetime
    troubles: tuple[Trouble, ...]
    fps: float
    camera_fps: float | None
    waiting: int
    temperature_c: float | None
    judged_from_px: float
    found: Mapping[str, float]
    """What share the detector finds of faces by kind, where that is known."""
    past: Past
    area: DrawnArea
    area_origin: Origin
    can_undo: bool


class Answer(msgspec.Struct, frozen=True):
    """What became of a wish."""

    error: str = ""
    """Empty: it was done."""


@dataclass(frozen=True, slots=True)
class About:
    """What does not change while the program runs."""

    device: str
    site: str
    zone: str
    program: str
    found: Mapping[str, float]
    """See `edge.detect.card.found_shares`."""


@dataclass(slots=True)
class Window:
    """Answers what the page asks. All but `tick` and `answer` is for one thread only: theirs."""

    about: About
    observers: Observers
    take_picture: TakePicture
    classifier: ClassifierSettings
    telemetry: Callable[[], Telemetry | None]
    history: History
    book: AreaBook
    fps: float
    clock: Clock = SYSTEM_CLOCK
    _observer: Observer | None = None
    _asked_s: float = -math.inf
    _shown_s: float = -math.inf
    _in_sight: InSight = field(init=False)
    _since: Since = field(default_factory=Since)
    _troubles: tuple[Trouble, ...] = ()

    def __post_init__(self) -> None:
        self._in_sight = InSight(self.classifier)

    @property
    def is_looking(self) -> bool:
        """Tell whether scenes are made."""
        return self._observer is not None

    def tick(self) -> None:
        """Note what is wrong, so that it is known since when; and rest where nobody looks."""
        telemetry = self.telemetry()
        if telemetry is not None:
            noted = self._since.note(conditions(telemetry), self.clock.utc())
            self._troubles = tuple(Trouble(each.text, since, each.weight) for each, since in noted)
        if self._observer is not None and self.clock.monotonic_s() - self._asked_s > QUIET_S:
            self.rest()

    def rest(self) -> None:
        if self._observer is not None:
            self.observers.leave(self._observer)
        self._observer = None
        self._in_sight.clear()

    def answer(self, request: Requests) -> tuple[bytes, bytes]:
        """Return a JSON document, and a picture or nothing."""
        match request:
            case NextScene(after):
                scene, picture = self._scene(after)
                return msgspec.json.encode(scene), picture
            case Report():
                return msgspec.json.encode(self._account()), b""
            case Draw(regions, excluded):
                drawn = DrawnArea(regions, excluded)
                return self._obeyed(lambda: self.book.draw(drawn)), b""
            case Undo():
                return self._obeyed(self.book.undo), b""

    def _obeyed(self, wish: Callable[[], None]) -> bytes:
        try:
            wish()
        except ConfigError as error:
            return msgspec.json.encode(Answer(str(error)))
        return msgspec.json.encode(Answer())

    def _scene(self, after: int) -> tuple[Scene, bytes]:
        now_s = self._asked_s = self.clock.monotonic_s()
        if self._observer is None:
            self._observer = self.observers.join(ROOM)
        until_s = now_s + WAIT_S
        due_s = self._shown_s + 1 / self.fps
        while (left_s := until_s - self.clock.monotonic_s()) > 0:
            judged = self._observer.take(left_s)
            if judged is None:
                break
            self._in_sight.note(judged.frame, judged.outcome)
            if self.clock.monotonic_s() < due_s:
                continue
            picture = self.take_picture(judged.frame, self._in_sight.boxes)
            if picture is None:
                break
            self._shown_s = self.clock.monotonic_s()
            return self._of(judged.frame, after), picture
        return Scene(0), b""

    def _of(self, frame: Frame, after: int) -> Scene:
        telemetry = self.telemetry()
        return Scene(
            after + 1,
            frame.captured_at.isoformat(timespec="milliseconds"),
            frame.width,
            frame.height,
            self._in_sight.people,
            judge_picture(frame.pixels),
            0.0 if telemetry is None else round(telemetry.fps, 1),
        )

    def _account(self) -> Account:
        telemetry = self.telemetry()
        return Account(
            self.about.device,
            self.about.site,
            self.about.zone,
            self.about.program,
            self.clock.utc(),
            self._troubles,
            0.0 if telemetry is None else telemetry.fps,
            None if telemetry is None else telemetry.camera.fps,
            0 if telemetry is None else telemetry.outbox.rows,
            None if telemetry is None else telemetry.vitals.temperature_c,
            self.classifier.min_face_px,
            self.about.found,
            self.history.past(),
            self.book.present,
            self.book.origin,
            self.book.can_undo,
        )
