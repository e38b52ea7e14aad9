"""Whether the device is there."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from edge.publish.messages.common import Message, Origin, every_field


class AvailabilityState(StrEnum):
    ONLINE = "online"
    OFFLINE = "offline"
    STOPPED = "stopped"


class AvailabilityMessage(Message, frozen=True, kw_only=True, tag="tensormask/availability/1"):
    """Whether the device is there. Retained.

    The broker itself publishes `offline`, the device's last will; `at` is then the time at which
    the lost connection had begun.
    """

    state: Annotated[
        AvailabilityState,
        Meta(description="online: connected; stopped: ended on purpose; offline: connection lost"),
    ]


def availability_message(
    origin: Origin, state: AvailabilityState, at: datetime, clock_synchronised: bool
) -> AvailabilityMessage:
    """Return the announcement of `state`; for the will, `at` is the time of the connection."""
    return AvailabilityMessage(
        **every_field(origin, at, clock_synchronised),
        state=state,
    )
