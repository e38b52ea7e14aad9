"""What may be asked of the device, and its answers."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from edge.publish.messages.common import CameraName, Message


class CommandName(StrEnum):
    """What can be asked of a device, if its settings allow it."""

    PAUSE = "pause"
    RESUME = "resume"
    RESTART = "restart"
    SNAPSHOT = "snapshot"
    MUTE = "mute"
    ACKNOWLEDGE = "acknowledge"
    RULE = "rule"


class CommandOutcome(StrEnum):
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


class ResponseMessage(Message, frozen=True, kw_only=True, tag="tensormask/response/1"):
    """What became of a command. Sent once, not kept for a broker that is away."""

    request_id: Annotated[
        str | None, Meta(description="As in the command; null: none could be read")
    ]
    command: Annotated[CommandName | None, Meta(description="null: an unknown command")]
    outcome: Annotated[
        CommandOutcome,
        Meta(description="refused: not understood or not allowed; failed: not possible now"),
    ]
    reason: Annotated[str | None, Meta(description="Why not, for people to read; null: done")]
    snapshot: Annotated[bytes | None, Meta(description="The requested picture, a JPEG in base64")]
    camera: CameraName | UnsetType = UNSET
