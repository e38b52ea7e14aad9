"""Who is there now without a mask."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from edge.publish.messages.common import (
    CameraName,
    Count,
    Message,
    Origin,
    PayloadPart,
    every_field,
)


class CameraPresence(PayloadPart, frozen=True, kw_only=True):
    """The people before one of several cameras."""

    bare: Count
    worn_wrongly: Count


class PresenceMessage(Message, frozen=True, kw_only=True, tag="tensormask/presence/1"):
    """How many people are there whose violation was confirmed and is not over.

    Retained: at once when it changes, and each minute. Only with `[home_assistant]`.
    """

    bare: Annotated[Count, Meta(description="Without a mask")]
    worn_wrongly: Annotated[
        Count, Meta(description="With one worn wrongly, where the settings call that a violation")
    ]
    cameras: Annotated[
        dict[CameraName, CameraPresence] | UnsetType,
        Meta(description="Each of several cameras. Missing: there is one"),
    ] = UNSET


def presence_message(
    origin: Origin,
    bare: int,
    worn_wrongly: int,
    at: datetime,
    clock_synchronised: bool,
    by_camera: Mapping[str, CameraPresence] | None = None,
) -> PresenceMessage:
    """Return how many are there at `at`; `by_camera`, where there are several cameras."""
    return PresenceMessage(
        **every_field(origin, at, clock_synchronised),
        bare=bare,
        worn_wrongly=worn_wrongly,
        cameras=UNSET if by_camera is None else dict(by_camera),
    )
