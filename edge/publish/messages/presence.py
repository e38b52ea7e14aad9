"""Who is there now without a mask."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from edge.publish.messages.common import Count, Message, Origin, every_field


class PresenceMessage(Message, frozen=True, kw_only=True, tag="tensormask/presence/1"):
    """How many people are there whose violation was confirmed and is not over.

    Retained: at once when it changes, and each minute. Only with `[home_assistant]`.
    """

    bare: Annotated[Count, Meta(description="Without a mask")]
    worn_wrongly: Annotated[
        Count, Meta(description="With one worn wrongly, where the settings call that a violation")
    ]


def presence_message(
    origin: Origin, bare: int, worn_wrongly: int, at: datetime, clock_synchronised: bool
) -> PresenceMessage:
    """Return how many are there at `at`."""
    return PresenceMessage(
        **every_field(origin, at, clock_synchronised), bare=bare, worn_wrongly=worn_wrongly
    )
