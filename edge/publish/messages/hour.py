"""What one hour came to: how many people, and how much of it was watched."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from edge.history.hours import HourOfHistory, visits_by
from edge.publish.messages.common import (
    Count,
    Message,
    NotNegative,
    Origin,
    PayloadPart,
    Timestamp,
    every_field,
    timestamp,
)
from edge.rates import Eyes
from edge.records import Verdict


class HourPeople(PayloadPart, frozen=True, kw_only=True):
    """The people of an hour whom one camera saw in one zone, in one class of size."""

    camera: Annotated[str, Meta(description="Its name; empty: the only one")]
    place: Annotated[str, Meta(description="The zone in the camera's picture; empty: in none")]
    required: Annotated[
        bool,
        Meta(description="Whether a mask was required of them: the mask rule was on, and the place "
             "is no zone that only counts"),
    ]  # fmt: skip
    size_px: Annotated[
        Count, Meta(description="Where the class of the largest face begins that was judged")
    ]
    masked: Count
    bare: Count
    unknown: Annotated[Count, Meta(description="Too small, too blurred or too brief to judge")]
    worn_wrongly: Count


class HourWatched(PayloadPart, frozen=True, kw_only=True):
    """What one camera did in an hour, and for how long."""

    camera: Annotated[str, Meta(description="Its name; empty: the only one")]
    watch: Annotated[
        str,
        Meta(description="watched, crowded: people are counted; lost, dark, blinded, covered, "
             "turned, paused: nobody is"),
    ]  # fmt: skip
    clock_synchronised: Annotated[
        bool, Meta(description="false: the date of these seconds may be wrong")
    ]
    seconds: NotNegative


class HourEyesClass(PayloadPart, frozen=True, kw_only=True):
    """What became of people who are known to be of one state, in one class of size."""

    state: Annotated[str, Meta(description="masked, bare")]
    size_px: Annotated[Count, Meta(description="Where the class begins, up to the next one")]
    right: Annotated[Count, Meta(description="Judged as what they are")]
    of: Annotated[Count, Meta(description="Judged as with or without a mask")]
    shown: Annotated[Count | None, Meta(description="How many there were; null: not known")]


class HourEyes(PayloadPart, frozen=True, kw_only=True):
    """How well the eyes of the device judge, as measured: what a rate is corrected with."""

    source: Annotated[str, Meta(description="What it was measured on, for the reader of a report")]
    classes: list[HourEyesClass]


class HourMessage(Message, frozen=True, kw_only=True, tag="tensormask/hour/1"):
    """What one hour came to, after it is over; again if it has grown since.

    Delivered at least once, also after an outage of days. Of two of the same `history` and `hour`,
    the one with the greater `revision` replaces the other. Without anything in `watched` it takes
    back what a wrong clock had dated.
    """

    history: Annotated[
        str, Meta(description="Whose count it is; add up those of an hour. A new disk is another")
    ]
    hour: Annotated[Timestamp, Meta(description="When it began")]
    revision: Annotated[Count, Meta(description="Grows with the counts and seconds of the hour")]
    follows: Annotated[
        Timestamp | None,
        Meta(description="The hour before it for which there is a message of this history; in "
             "between, the program did not run. null: this is the first, or the dates before it "
             "are clearly wrong"),
    ]  # fmt: skip
    people: list[HourPeople]
    watched: Annotated[
        list[HourWatched],
        Meta(description="What is missing of 3,600 s for a camera, the program did not run"),
    ]
    eyes: Annotated[
        HourEyes | None,
        Meta(description="By what the device corrects rates when it sends; null: nothing is known"),
    ] = None


def hour_message(
    origin: Origin,
    hour: HourOfHistory,
    at: datetime,
    clock_synchronised: bool,
    eyes: Eyes | None = None,
) -> HourMessage:
    """Return what an hour came to, as it is known at `at`."""
    return HourMessage(
        **every_field(origin, at, clock_synchronised),
        history=hour.history,
        hour=timestamp(hour.began_at),
        revision=hour.revision,
        follows=None if hour.follows is None else timestamp(hour.follows),
        people=[
            HourPeople(
                camera=place.camera,
                place=place.zone,
                required=is_required,
                size_px=size_px,
                masked=visits[Verdict.MASKED],
                bare=visits[Verdict.BARE],
                unknown=visits[Verdict.UNKNOWN],
                worn_wrongly=visits[Verdict.WORN_WRONGLY],
            )
            for (place, is_required, size_px), visits in visits_by(hour).items()
        ],
        watched=[
            HourWatched(
                camera=each.camera,
                watch=each.watch,
                clock_synchronised=each.clock_is_right,
                seconds=round(each.seconds, 3),
            )
            for each in hour.watched
        ],
        eyes=None if eyes is None else _eyes(eyes),
    )


def _eyes(eyes: Eyes) -> HourEyes:
    return HourEyes(
        source=eyes.source,
        classes=[
            HourEyesClass(
                state=state,
                size_px=size_px,
                right=counted.right,
                of=counted.of,
                shown=counted.shown,
            )
            for state, measured in (("masked", eyes.masked), ("bare", eyes.bare))
            for size_px, counted in sorted(measured.items())
        ],
    )
