"""How many people wear a mask."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from edge.publish.messages.common import (
    CameraName,
    Count,
    Message,
    NotNegative,
    Origin,
    PayloadPart,
    Share,
    every_field,
)
from edge.records import Compliance, Tally


class ComplianceTally(PayloadPart, frozen=True, kw_only=True):
    """The people who left in one window of time. Those still in view are not counted yet."""

    seen: Annotated[Count, Meta(description="masked + bare + unknown + worn_wrongly")]
    masked: Count
    bare: Count
    unknown: Annotated[Count, Meta(description="Too small, too blurred or too brief to judge")]
    rate: Annotated[
        Share | None,
        Meta(description="masked / (masked + bare), without those of whom no mask was required; "
             "null: nobody was judged of whom one was"),
    ]  # fmt: skip
    watched_s: Annotated[
        NotNegative,
        Meta(description="How much of the window was watched: less after a start, and while the "
             "camera is lost or its view is not clear"),
    ]  # fmt: skip
    worn_wrongly: Annotated[
        Count,
        Meta(description="With a mask below the nose or the chin; in no other count, nor in rate"),
    ] = 0
    counted_apart: Annotated[
        Count,
        Meta(description="Of those seen, the people of whom no mask was required: with the mask "
             "rule off, or in a zone that only counts"),
    ] = 0  # fmt: skip
    rate_of: Annotated[
        Count | None,
        Meta(description="On how many people the rate rests; null: of a device that is older"),
    ] = None


class PlaceCounts(PayloadPart, frozen=True, kw_only=True):
    """The people who belong to one place in the picture: where they were longest."""

    place: Annotated[
        str, Meta(description="The name of the zone, [[zone]] name; empty: what is in none")
    ]
    last_hour: ComplianceTally
    last_day: ComplianceTally
    since_start: Annotated[
        ComplianceTally,
        Meta(description="All since the start of this run, or since the zone was drawn"),
    ]


class CameraCompliance(PayloadPart, frozen=True, kw_only=True):
    """The people who left the picture of one of several cameras."""

    last_minute: ComplianceTally
    last_hour: ComplianceTally
    last_day: ComplianceTally
    since_start: ComplianceTally
    places: tuple[PlaceCounts, ...] = ()


class ComplianceMessage(Message, frozen=True, kw_only=True, tag="tensormask/compliance/1"):
    """How many people came masked lately. Retained."""

    last_minute: ComplianceTally
    last_hour: ComplianceTally
    last_day: ComplianceTally
    run: Annotated[
        str,
        Meta(description="The run of the program that counts: the next one begins at zero"),
    ] = ""
    since_start: Annotated[
        ComplianceTally | None, Meta(description="All since the start of this run")
    ] = None
    places: Annotated[
        tuple[PlaceCounts, ...],
        Meta(description="The same people by zone, each in one of them; empty: there are no zones"),
    ] = ()
    cameras: Annotated[
        dict[CameraName, CameraCompliance] | UnsetType,
        Meta(description="Each of several cameras; the other fields are their sums, with the "
             "`watched_s` of the one that watched least. Missing: there is one camera"),
    ] = UNSET  # fmt: skip


def compliance_message(
    origin: Origin,
    compliance: Compliance,
    at: datetime,
    clock_synchronised: bool,
    run: str,
    by_camera: Mapping[str, Compliance] | None = None,
) -> ComplianceMessage:
    """Return the counts as they are at `at`, of the program's run of that name; `by_camera` are
    those of several cameras, of which `compliance` is the sum."""
    return ComplianceMessage(
        **every_field(origin, at, clock_synchronised),
        last_minute=_tally(compliance.last_minute),
        last_hour=_tally(compliance.last_hour),
        last_day=_tally(compliance.last_day),
        run=run,
        since_start=_tally(compliance.since_start),
        places=_places(compliance),
        cameras=UNSET
        if by_camera is None
        else {name: _of_camera(counts) for name, counts in by_camera.items()},
    )


def _places(compliance: Compliance) -> tuple[PlaceCounts, ...]:
    return tuple(
        PlaceCounts(
            place=each.zone,
            last_hour=_tally(each.last_hour),
            last_day=_tally(each.last_day),
            since_start=_tally(each.since_start),
        )
        for each in compliance.places
    )


def _of_camera(compliance: Compliance) -> CameraCompliance:
    return CameraCompliance(
        last_minute=_tally(compliance.last_minute),
        last_hour=_tally(compliance.last_hour),
        last_day=_tally(compliance.last_day),
        since_start=_tally(compliance.since_start),
        places=_places(compliance),
    )


def _tally(tally: Tally) -> ComplianceTally:
    return ComplianceTally(
        seen=tally.seen,
        masked=tally.masked,
        bare=tally.bare,
        unknown=tally.unknown,
        worn_wrongly=tally.worn_wrongly,
        rate=None if tally.rate is None else round(tally.rate, 4),
        watched_s=round(tally.watched_s, 1),
        counted_apart=tally.apart,
        rate_of=sum(tally.rated),
    )
