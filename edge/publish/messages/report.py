"""What happened in a day and a week, in short: the whole is `tensormask report`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from edge.publish.messages.common import Count, Message, NotNegative, PayloadPart, Share, Timestamp


class ReportedPeriod(PayloadPart, frozen=True, kw_only=True):
    """One period. People outside of the opening hours, with the mask rule off, and in zones that
    only count are in `counted_apart` only."""

    period: Annotated[str, Meta(description="`2026-11-29`, or `2026-W48`: an ISO week")]
    begin: Timestamp
    until: Annotated[Timestamp, Meta(description="What came after this is not in it")]
    is_over: Annotated[bool, Meta(description="false: the period goes on after `until`")]
    seen: Annotated[Count, Meta(description="masked + bare + unknown + worn_wrongly")]
    masked: Count
    bare: Count
    unknown: Annotated[Count, Meta(description="Too small, too blurred or too brief to judge")]
    worn_wrongly: Count
    counted_apart: Count
    rate: Annotated[
        Share | None,
        Meta(description="masked / (masked + bare) of the hours in the rate; null: nobody"),
    ]
    rate_low: Annotated[Share | None, Meta(description="Where the rate lies with 95 % certainty")]
    rate_high: Share | None
    corrected: Annotated[
        Share | None,
        Meta(description="The rate, corrected for what the eyes miss; null: that is not known"),
    ]
    corrected_low: Share | None
    corrected_high: Share | None
    hours_left_out: Annotated[
        Count, Meta(description="Not in the rate: too little watched, or too many not judged")
    ]
    expected_s: Annotated[
        NotNegative, Meta(description="What was to be watched; with several cameras, their sum")
    ]
    watched_s: NotNegative
    unwatched_s: Annotated[
        dict[str, NotNegative], Meta(description="The rest, by reason; see docs/reports.md")
    ]
    alerts: Count
    alerts_open: Annotated[Count, Meta(description="Those that nobody has acknowledged")]
    median_remedy_s: Annotated[
        NotNegative | None, Meta(description="From an alert to its end; null: no end is known")
    ]


class ReportMessage(Message, frozen=True, kw_only=True, tag="tensormask/report/1"):
    """Today so far, yesterday and the last ISO week, in the device's time zone. Retained: hourly,
    after a start, and after midnight."""

    time_zone: str
    today: ReportedPeriod
    yesterday: ReportedPeriod
    week: Annotated[ReportedPeriod, Meta(description="The last whole ISO week")]
