"""Commands over MQTT, up to the point where they are obeyed: who may ask for what, and how often.

Pure: whatever arrives comes in as bytes, and is a command or a refusal, never an exception.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from edge.config import CommandSettings
from edge.files import DamagedFileError, decoded
from edge.history.records import Reason, Remedy
from edge.history.requests import Acknowledge, EventId, HistoryRequest, Name, Note, SetRule
from edge.host.bucket import TokenBucket
from edge.publish.messages import CommandName
from edge.publish.messages.common import CameraName

MAX_PAYLOAD_BYTES: Final = 2048
BURST: Final = 5
"""How many commands at once are nothing unusual."""

RequestId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:\-]+$", min_length=1, max_length=64)]


class _Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    request_id: RequestId


class _LastingRequest(_Request, frozen=True, forbid_unknown_fields=True):
    duration_s: Annotated[float, Meta(ge=0)] | None = None


class _CameraRequest(_Request, frozen=True, forbid_unknown_fields=True):
    camera: CameraName | None = None


class _PauseRequest(_LastingRequest, frozen=True, forbid_unknown_fields=True):
    camera: CameraName | None = None


class _AcknowledgeRequest(_Request, frozen=True, forbid_unknown_fields=True):
    event_id: EventId | None = None
    reason: Reason = "other"
    remedy: Remedy = "other"
    note: Note = ""
    by: Name = ""


class _RuleRequest(_Request, frozen=True, forbid_unknown_fields=True):
    state: Literal["on", "off"]
    by: Name = ""


class _Named(msgspec.Struct, frozen=True):
    """Of a request that is wrong otherwise: whose answer it is."""

    request_id: RequestId


_REQUESTS: Final[dict[CommandName, type[_Request]]] = {
    CommandName.PAUSE: _PauseRequest,
    CommandName.RESUME: _CameraRequest,
    CommandName.RESTART: _Request,
    CommandName.SNAPSHOT: _CameraRequest,
    CommandName.MUTE: _LastingRequest,
    CommandName.ACKNOWLEDGE: _AcknowledgeRequest,
    CommandName.RULE: _RuleRequest,
}


@dataclass(frozen=True, slots=True)
class Command:
    """What is to be done."""

    name: CommandName
    request_id: str
    duration_s: float | None = None
    """0 ends what goes on; None, of a mute only: as long as the settings say. Within what
    `[commands] max_pause_s` allows."""
    camera: str = ""
    """Which one it is about; empty: all of them."""
    to_note: HistoryRequest | None = None
    """What is to be written down, of those commands that ask for it."""


@dataclass(frozen=True, slots=True)
class CommandRefusal:
    """Why nothing is done, in one line for the sender."""

    name: CommandName | None
    """None where there is no such command."""
    request_id: str | None
    """None where none could be read."""
    reason: str


class Gate:
    """Tells commands from everything else that arrives on their topics."""

    def __init__(self, settings: CommandSettings) -> None:
        self._settings = settings
        self._bucket = TokenBucket(settings.per_minute / 60, BURST)
        self._said_too_many = False

    def admit(
        self, name: str, payload: bytes, retained: bool, now_s: float
    ) -> Command | CommandRefusal | None:
        """Judge what came under the last topic level `name`.

        None: it clears a retained message, or there is too much of it to be answered, which the
        first refusal has said.
        """
        if retained and not payload:
            return None
        try:
            command = CommandName(name)
        except ValueError:
            command = None
        if not self._bucket.ready(now_s):
            if self._said_too_many:
                return None
            self._said_too_many = True
            reason = f"too many: at most {self._settings.per_minute:g} a minute"
            return CommandRefusal(command, _request_id(payload), reason)
        self._bucket.spend(1)
        self._said_too_many = False
        if retained:
            # It would come again after each restart, for ever.
            reason = "retained: a command is obeyed once; clear it with an empty retained message"
        elif command is None:
            reason = "no such command"
        elif command not in self._settings.allowed:
            reason = "not allowed: see [commands] allowed"
        elif len(payload) > MAX_PAYLOAD_BYTES:
            reason = f"too long: at most {MAX_PAYLOAD_BYTES} bytes"
        else:
            return self._parse(command, payload)
        return CommandRefusal(command, _request_id(payload), reason)

    def _parse(self, name: CommandName, payload: bytes) -> Command | CommandRefusal:
        try:
            request = decoded(payload, _REQUESTS[name])
        except DamagedFileError as error:
            return CommandRefusal(name, _request_id(payload), f"not understood: {error}"[:200])
        camera = getattr(request, "camera", None) or ""
        if not isinstance(request, _LastingRequest):
            return Command(name, request.request_id, camera=camera, to_note=_to_note(request))
        longest_s, duration_s = self._settings.max_pause_s, request.duration_s
        if duration_s is None and name is CommandName.PAUSE:
            duration_s = longest_s
        if duration_s is not None and duration_s > longest_s:
            reason = f"too long a {name}: at most {longest_s:g} s"
            return CommandRefusal(name, request.request_id, reason)
        return Command(name, request.request_id, duration_s, camera)


def _to_note(request: _Request) -> HistoryRequest | None:
    match request:
        case _AcknowledgeRequest(_, event_id, reason, remedy, note, by):
            return Acknowledge(event_id, reason, remedy, note, _by(by))
        case _RuleRequest(_, state, by):
            return SetRule(state == "on", _by(by))
    return None


def _by(name: str) -> str:
    """Return who that is: somebody who may send commands, under a name that nobody has verified."""
    return f"command {name.strip()}".strip()


def _request_id(payload: bytes) -> str | None:
    """Return the id of a request that is refused, where it has one."""
    if len(payload) > MAX_PAYLOAD_BYTES:
        return None
    try:
        return decoded(payload, _Named).request_id
    except DamagedFileError:
        return None
