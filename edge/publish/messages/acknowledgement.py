"""What somebody did about a violation."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from edge.history.records import MAX_NOTE, AlertAcknowledgement, Reason, Remedy
from edge.history.requests import MAX_BY
from edge.publish.messages.common import (
    CertainSequence,
    Message,
    Origin,
    Timestamp,
    every_field,
    timestamp,
)
from edge.records import EVENT_ID


class AcknowledgementMessage(
    Message, frozen=True, kw_only=True, tag="tensormask/acknowledgement/1"
):
    """What somebody did about a violation. A later one of the same event replaces an earlier one.

    Delivered at least once and in order, as violations; a repeat has the same `event_id` and `at`.
    """

    event_id: Annotated[
        str,
        Meta(pattern=f"^{EVENT_ID}$",
             description="That of the violation"),
    ]  # fmt: skip
    sequence: CertainSequence
    reason: Annotated[Reason, Meta(description="Why there was no mask")]
    remedy: Annotated[Remedy, Meta(description="What was done")]
    note: Annotated[str, Meta(max_length=MAX_NOTE, description="May be empty")]
    by: Annotated[
        str,
        Meta(max_length=MAX_BY, description="Who said so, as far as it is known: a name, `page`, "
             "`command` with the name in the command; may be empty"),
    ]  # fmt: skip
    confirmed_at: Annotated[
        Timestamp | None,
        Meta(description="When the violation was confirmed; null: not known any more"),
    ]


def acknowledgement_message(
    origin: Origin,
    said: AlertAcknowledgement,
    confirmed_at: datetime | None,
    sequence: int,
    clock_synchronised: bool,
) -> AcknowledgementMessage:
    """Return the document of what was said; the outbox gives the `sequence`."""
    return AcknowledgementMessage(
        **every_field(origin, said.at, clock_synchronised),
        event_id=said.event_id,
        sequence=sequence,
        reason=said.reason,
        remedy=said.remedy,
        note=said.note,
        by=said.by,
        confirmed_at=None if confirmed_at is None else timestamp(confirmed_at),
    )
