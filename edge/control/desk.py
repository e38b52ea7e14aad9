"""The command desk: obeys what comes over MQTT, and answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from edge.clock import SYSTEM_CLOCK, Clock, clock_synchronised
from edge.config import CommandSettings
from edge.control.commands import Command, CommandRefusal, Gate
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
FRAME_PATIENCE_S = 5.0
"""How long a snapshot waits for a frame."""


class CommandWire(Protocol):
    """Where commands come from and responses go: `MqttPublisher`."""

    def take_commands(self) -> Iterable[Received]: ...
    def respond(self, payload: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class _Wish:
    """A snapshot that waits for a frame."""

    command: Command
    until_s: float


class CommandDesk:
    """Works in the thread of the loop that calls `serve`, never in that of the network."""

    def __init__(
        self,
        settings: CommandSettings,
        wire: CommandWire,
        origin: Origin,
        photographer: Photographer | None,
        clock: Clock = SYSTEM_CLOCK,
        mute: Callable[[float | None], str] = lambda for_s: NO_SIGNAL,
        clock_is_right: Callable[[], bool] = clock_synchronised,
    ) -> None:
        """`mute` silences the door for so long, and says why it cannot; see `SignalOutlet`."""
        self._gate = Gate(settings)
        self._wire = wire
        self._origin = origin
        self._photographer = photographer
        self._clock = clock
        self._clock_is_right = clock_is_right
        self._mute = mute
        self._started_s = clock.monotonic_s()
        self._paused_until_s: float | None = None
        self._wishes: list[_Wish] = []
        self.restart_wanted = False
        """The program is to end, so that the system starts it again."""

    @property
    def is_paused(self) -> bool:
        return self._paused_until_s is not None

    @property
    def paused_for_s(self) -> float | None:
        """How long nothing is to be judged; None: everything is."""
        if self._paused_until_s is None:
            return None
        return max(0.0, self._paused_until_s - self._clock.monotonic_s())

    def serve(self, frame: Frame | None) -> None:
        """Obey what has come since the last call; `frame` is the newest, None where none came."""
        if self.paused_for_s == 0:
            self._resume("its time has passed")
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
        self._grant_wishes(frame)

    def _objection(self, command: Command) -> str | None:
        """Return why a command that is allowed is not obeyed now; None: it is."""
        uptime_s = self._clock.monotonic_s() - self._started_s
        if command.name is CommandName.RESTART and uptime_s < MIN_UPTIME_S:
            return f"started less than {MIN_UPTIME_S:g} s ago"
        if command.name is CommandName.SNAPSHOT and self._photographer is None:
            return 'no picture leaves this device: [snapshots] pictures is "none"'
        return None

    def _refuse(self, refused: Command | CommandRefusal, reason: str) -> None:
        _log.warning("command %s refused: %s", refused.name or "?", reason)
        self._answer(refused, CommandOutcome.REFUSED, reason)

    def _obey(self, command: Command) -> None:
        now_s = self._clock.monotonic_s()
        match command.name:
            case CommandName.PAUSE if command.duration_s == 0:
                self._resume("by command")
            case CommandName.PAUSE:
                duration_s = command.duration_s or 0.0
                self._paused_until_s = now_s + duration_s
                _log.info("paused for %.0f s", duration_s)
            case CommandName.RESUME:
                self._resume("by command")
            case CommandName.RESTART:
                self.restart_wanted = True
            case CommandName.MUTE:
                if reason := self._mute(command.duration_s):
                    self._answer(command, CommandOutcome.FAILED, reason)
                    return
            case CommandName.SNAPSHOT:
                self._wishes.append(_Wish(command, now_s + FRAME_PATIENCE_S))
                return
        self._answer(command, CommandOutcome.DONE)

    def _resume(self, why: str) -> None:
        if self._paused_until_s is not None:
            self._paused_until_s = None
            _log.info("judging again, %s", why)

    def _grant_wishes(self, frame: Frame | None) -> None:
        """Take one picture for all that wait for one."""
        if not self._wishes or self._photographer is None:
            return
        wishes, self._wishes = self._wishes, []
        if self.is_paused:
            for wish in wishes:
                self._answer(wish.command, CommandOutcome.FAILED, "paused: no frame is judged")
        elif frame is not None:
            picture = self._photographer.take(frame)
            for wish in wishes:
                if picture is None:
                    reason = "no picture could be made; see the device's log"
                    self._answer(wish.command, CommandOutcome.FAILED, reason)
                else:
                    self._answer(wish.command, CommandOutcome.DONE, snapshot=picture)
        else:
            now_s = self._clock.monotonic_s()
            for wish in wishes:
                if now_s < wish.until_s:
                    self._wishes.append(wish)
                else:
                    reason = f"the camera gave no frame within {FRAME_PATIENCE_S:g} s"
                    self._answer(wish.command, CommandOutcome.FAILED, reason)

    def _answer(
        self,
        to: Command | CommandRefusal,
        outcome: CommandOutcome,
        reason: str | None = None,
        snapshot: bytes | None = None,
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
                )
            )
        )
