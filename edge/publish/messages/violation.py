"""Somebody without a mask."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from edge.files import DamagedFileError, decoded
from edge.publish.messages.common import (
    CameraName,
    CertainSequence,
    Message,
    NotNegative,
    Origin,
    Share,
    Timestamp,
    every_field,
    timestamp,
)
from edge.records import EVENT_ID, Violation, ViolationKind, ViolationState


class ViolationMessage(Message, frozen=True, kw_only=True, tag="tensormask/violation/1"):
    """A person without a mask, or whose mask is worn wrongly where the settings call that a
    violation: once when it is confirmed, once when it is over.

    Delivered at least once and in order; a repeat has the same `event_id` and `state`.
    """

    event_id: Annotated[
        str,
        Meta(pattern=f"^{EVENT_ID}$",
             description="UUID version 7, the same for both states"),
    ]  # fmt: skip
    sequence: CertainSequence
    state: Annotated[ViolationState, Meta(description="confirmed, later ended")]
    started_at: Annotated[
        Timestamp, Meta(description="When the face was first seen without a mask")
    ]
    confirmed_at: Annotated[
        Timestamp, Meta(description="When it had been without a mask for long enough")
    ]
    ended_at: Annotated[
        Timestamp | None,
        Meta(description="When the face was last seen without a mask; null until the end"),
    ]
    duration_s: Annotated[
        NotNegative,
        Meta(description="From the first face without a mask to this state, monotonic clock"),
    ]
    bare_probability: Annotated[
        Share, Meta(description="The accumulated evidence that there is no mask")
    ]
    face_px: Annotated[
        NotNegative,
        Meta(description="Size of the largest face judged: geometric mean of width and height"),
    ]
    track_id: Annotated[int, Meta(ge=1, description="Counts people since the program's start")]
    snapshot: Annotated[
        bytes | None,
        Meta(description="The scene when it was confirmed, a JPEG in base64; null: none, as always "
             "unless [snapshots] pictures says otherwise"),
    ] = None  # fmt: skip
    kind: Annotated[
        ViolationKind,
        Meta(description="bare: no mask; worn_wrongly: below the nose or the chin"),
    ] = ViolationKind.BARE
    probability: Annotated[
        Share | None,
        Meta(description="The accumulated evidence that mouth and nose are not covered"),
    ] = None
    interrupted: Annotated[
        bool,
        Meta(description="The program was cut off before the end was seen, and its next run "
             "reports it; `ended_at` is the last moment that is certain, the confirmation"),
    ] = False  # fmt: skip
    place: Annotated[
        str,
        Meta(description="The zone of the picture where it was confirmed, [[zone]] name; empty: "
             "in none"),
    ] = ""  # fmt: skip
    camera: CameraName | UnsetType = UNSET


def violation_message(
    origin: Origin,
    violation: Violation,
    sequence: int,
    clock_synchronised: bool,
    snapshot: bytes | None = None,
    *,
    interrupted: bool = False,
    camera: str = "",
) -> ViolationMessage:
    """Return the document of a violation; the outbox gives the `sequence`, a replay counts. A
    `camera` without a name is the only one."""
    ended_at = violation.ended_at
    return ViolationMessage(
        **every_field(origin, ended_at or violation.confirmed_at, clock_synchronised),
        event_id=violation.event_id,
        sequence=sequence,
        state=violation.state,
        started_at=timestamp(violation.started_at),
        confirmed_at=timestamp(violation.confirmed_at),
        ended_at=timestamp(ended_at) if ended_at else None,
        duration_s=round(violation.duration_s, 3),
        bare_probability=round(violation.bare_probability, 4),
        face_px=round(violation.face_px, 1),
        track_id=violation.track_id,
        snapshot=snapshot,
        kind=violation.kind,
        probability=round(violation.probability, 4),
        interrupted=interrupted,
        place=violation.zone,
        camera=camera or UNSET,
    )


def without_snapshot(payload: bytes) -> bytes:
    """Return the same document with null for its picture; what carries none is left as it is."""
    try:
        content = decoded(payload, object)
    except DamagedFileError:
        return payload
    if not isinstance(content, dict) or content.get("snapshot") is None:
        return payload
    return msgspec.json.encode({**content, "snapshot": None})
