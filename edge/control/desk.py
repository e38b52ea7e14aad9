"""The command desk: obeys what comes over MQTT, and answers."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from msgspec import UNSET

from edge.clock import SYSTEM_CLOCK, Clock, clock_synchronised
from edge.config import CommandSettings
from edge.control.commands import Command, CommandRefusal, Gate
from edge.history.requests import HistoryRequest
from edge.privacy.picture import Photographer
from edge.publish.answers import Received
from edge.publish.messages import (
    CommandName,
    CommandOutcome,
    Origin,
    ResponseMessage,
    encode,
    every_field,
)
from edge.records import Frame

_log = logging.getLogger(__name__)

MIN_UPTIME_S = 10.0
"""A restart is refused before: a client that answers `online` with `restart` makes no loop."""
NO_SIGNAL = "there is no sound to mute: [signal] enabled is false"
NO_HISTORY = "nothing is written down: [history] enabled is false"
FRAME_PATIENCE_S = 5.0
"""How long a snapshot waits for a frame."""


Noted = Callable[[str], None]
"""Gets why something was not written down; empty: it was. In any thread."""
WriteDown = Callable[[HistoryRequest, Noted], None]
"""Writes something down, without waiting for the disk; see `Clerk`."""


def note_nothing(request: HistoryRequest, noted: Noted) -> None:
    """Write nothing down."""
    noted(NO_HISTORY)


class CommandWire(Protocol):
    """Where commands come from and responses go: `MqttPublisher`."""

    def take_commands(self) -> Iterable[Received]: ...
    def respond(self, payload: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class _Wish:
    """A snapshot that waits for a frame of a camera."""

    command: Command
    camera: str
    until_s: float


class CommandDesk:
    """Works in the thread of the loop that calls `serve`, never in that of the network."""

    def __init__(
        self,
        settings: CommandSettings,
        wire: CommandWire,
        origin: Origin,
        photographers: Mapping[str, Photographer],
        clock: Clock = SYSTEM_CLOCK,
        mute: Callable[[float | None], str] = lambda for_s: NO_SIGNAL,
        clock_is_right: Callable[[], bool] = clock_synchronised,
        cameras: Sequence[str] = ("",),
        note: WriteDown = note_nothing,
    ) -> None:
        """`cameras` are the names of all, `photographers` make their pictures; `mute` silences the
        door for so long, and says why it cannot; see `SignalOutlet`."""
        self._gate = Gate(settings)
        self._wire = wire
        self._origin = origin
        self._photographers = photographers
        self._cameras = tuple(cameras)
        self._clock = clock
        self._clock_is_right = clock_is_right
        self._mute = mute
        self._note = note
        self._noted: deque[tuple[Command, str]] = deque()
        """What was written down, or why not, and is not answered yet."""
        self._started_s = clock.monotonic_s()
        self._paused_until_s: dict[str, float] = {}
        """By camera; under an empty name, of all of them."""
        self._reported: frozenset[str] = frozenset()
        self._wishes: list[_Wish] = []
        self.restart_wanted = False
        """The program is to end, so that the system starts it again."""

    def has_news(self) -> bool:
        """Return whether a pause has begun or ended since this was asked last."""
        before, self._reported = self._reported, frozenset(self._paused_until_s)
        return self._reported != before

    @property
    def paused_for_s(self) -> float | None:
        """How long nothing at all is to be judged; None: not so."""
        return self._left_s(self._paused_until_s.get(""))

    def is_paused_at(self, camera: str) -> bool:
        """Return whether nothing is to be judged there. Any thread may ask."""
        return "" in self._paused_until_s or camera in self._paused_until_s

    def paused_at_for_s(self, camera: str) -> float | None:
        """Return how long nothing is to be judged there; None: everything is."""
        return self._left_s(self._end_s(camera))

    def _end_s(self, camera: str) -> float | None:
        paused = self._paused_until_s
        return max((paused[name] for name in {"", camera} if name in paused), default=None)

    def _left_s(self, until_s: float | None) -> float | None:
        return None if until_s is None else max(0.0, until_s - self._clock.monotonic_s())

    def serve(self, frame: Frame | None, camera: str = "") -> None:
        """Obey what has come since the last call; `frame` is the newest of `camera`, None where
        none came."""
        self._end_pauses()
        now_s = self._clock.monotonic_s()
        for message in self._wire.take_commands():
            name = message.topic.rpartition("/")[2]
            match self._gate.admit(name, message.payload, message.retained, now_s):
                case Command() as command if (reason := self._objection(command)) is not None:
                    self._refuse(command, reason)
                case Command() as command:
                    _log.info("command %s, request %s", command.name, command.request_id)
                    self._obey(command)
                case CommandRefusal() as refusal:
                    self._refuse(refusal, refusal.reason)
        while self._noted:
            self._answer_noted(*self._noted.popleft())
        self._grant_wishes(frame, camera)

    def _objection(self, command: Command) -> str | None:
        """Return why a command that is allowed is not obeyed now; None: it is."""
        uptime_s = self._clock.monotonic_s() - self._started_s
        if command.name is CommandName.RESTART and uptime_s < MIN_UPTIME_S:
            return f"started less than {MIN_UPTIME_S:g} s ago"
        if command.camera and command.camera not in self._cameras:
            known = ", ".join(filter(None, self._cameras)) or "only one, without a name"
            return f"there is no camera {command.camera}; known are {known}"
        if command.name is CommandName.SNAPSHOT and not self._photographers:
            return 'no picture leaves this device: [snapshots] pictures is "none"'
        return None

    def _refuse(self, refused: Command | CommandRefusal, reason: str) -> None:
        _log.warning("command %s refused: %s", refused.name or "?", reason)
        self._answer(refused, CommandOutcome.REFUSED, reason)

    def _obey(self, command: Command) -> None:
        now_s = self._clock.monotonic_s()
        match command.name:
            case CommandName.PAUSE if command.duration_s == 0:
                self._resume(self._place(command))
            case CommandName.PAUSE:
                self._pause(self._place(command), command.duration_s or 0.0)
            case CommandName.RESUME:
                self._resume(self._place(command))
            case CommandName.RESTART:
                self.restart_wanted = True
            case CommandName.MUTE:
                if reason := self._mute(command.duration_s):
                    self._answer(command, CommandOutcome.FAILED, reason)
                    return
            case CommandName.ACKNOWLEDGE | CommandName.RULE:
                assert command.to_note is not None
                self._note(command.to_note, lambda why: self._noted.append((command, why)))
                return
            case CommandName.SNAPSHOT:
                wanted = (command.camera,) if command.camera else self._cameras
                until_s = now_s + FRAME_PATIENCE_S
                self._wishes += [_Wish(command, camera, until_s) for camera in wanted]
                return
        self._answer(command, CommandOutcome.DONE)

    def _place(self, command: Command) -> str:
        """Return the camera that a pause is about; empty: all of them."""
        return command.camera if len(self._cameras) > 1 else ""

    def _answer_noted(self, command: Command, why_not: str) -> None:
        if why_not:
            _log.warning("command %s failed: %s", command.name, why_not)
            self._answer(command, CommandOutcome.FAILED, why_not)
        else:
            self._answer(command, CommandOutcome.DONE)

    def _pause(self, camera: str, duration_s: float) -> None:
        until_s = self._clock.monotonic_s() + duration_s
        self._paused_until_s = {**self._paused_until_s, camera: until_s}
        _log.info("%spaused for %.0f s", _at(camera), duration_s)

    def _resume(self, camera: str) -> None:
        """End the pause of a camera; without a name, those of all."""
        before = self._paused_until_s
        left = {}
        if camera:
            ends_s = {name: self._end_s(name) for name in self._cameras if name != camera}
            left = {name: end_s for name, end_s in ends_s.items() if end_s is not None}
        self._paused_until_s = left
        if left != before:
            _log.info("%sjudging again, by command", _at(camera))

    def _end_pauses(self) -> None:
        """End those whose time has passed."""
        now_s, before = self._clock.monotonic_s(), self._paused_until_s
        over = [camera for camera, end_s in before.items() if end_s <= now_s]
        if over:
            self._paused_until_s = {name: before[name] for name in before if name not in over}
            for camera in over:
                _log.info("%sjudging again, its time has passed", _at(camera))

    def _grant_wishes(self, frame: Frame | None, camera: str) -> None:
        """Take one picture for all that wait for one of this camera."""
        if not self._wishes or not self._photographers:
            return
        wishes, self._wishes = self._wishes, []
        picture, is_taken = None, False
        now_s = self._clock.monotonic_s()
        for wish in wishes:
            if self.is_paused_at(wish.camera):
                self._fail(wish, "paused: no frame is judged")
            elif frame is not None and wish.camera == camera:
                if not is_taken:
                    picture, is_taken = self._photographers[camera].take(frame), True
                if picture is None:
                    self._fail(wish, "no picture could be made; see the device's log")
                else:
                    self._answer(
                        wish.command, CommandOutcome.DONE, snapshot=picture, camera=wish.camera
                    )
            elif now_s < wish.until_s:
                self._wishes.append(wish)
            else:
                self._fail(wish, f"the camera gave no frame within {FRAME_PATIENCE_S:g} s")

    def _fail(self, wish: _Wish, reason: str) -> None:
        self._answer(wish.command, CommandOutcome.FAILED, reason, camera=wish.camera)

    def _answer(
        self,
        to: Command | CommandRefusal,
        outcome: CommandOutcome,
        reason: str | None = None,
        snapshot: bytes | None = None,
        camera: str = "",
    ) -> None:
        self._wire.respond(
            encode(
                ResponseMessage(
                    **every_field(self._origin, self._clock.utc(), self._clock_is_right()),
                    request_id=to.request_id,
                    command=to.name,
                    outcome=outcome,
                    reason=reason,
                    snapshot=snapshot,
                    camera=camera or UNSET,
                )
            )
        )


def _at(camera: str) -> str:
    return f"camera {camera}: " if camera else ""
