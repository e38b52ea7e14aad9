"""What is to be known of an hour: whether it is in the rate, proven, and at the right time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from edge.history.records import SightProof
from edge.report.calendar import Calendar
from edge.report.cells import Cell, people_in, watch_in
from edge.report.records import Apart, Mark, ReportLimits
from edge.report.spans import MinuteSpan

LIMITS = ReportLimits(unwatched_share=0.25, not_judged_share=0.5, proof_holds_h=3.0)
LEAVES_OUT = (Mark.UNWATCHED, Mark.NOT_JUDGED)
"""The marks of an hour that is not in the rate."""


def marks_of(
    span: MinuteSpan,
    cells: Sequence[Cell],
    until: int,
    proofs: Sequence[SightProof],
    calendar: Calendar,
) -> list[Mark]:
    """Return the marks of an hour; `until` is the end of the report, `proofs` are those of all
    hours and near to them; where there are none, no hour is marked for that."""
    tally, watch = people_in(cells), watch_in(cells)
    marks = [Mark.NOT_OVER] * (span.end == until and calendar.local(span.end_at).minute > 0)
    if (watch.unwatched_share or 0.0) > LIMITS.unwatched_share:
        marks.append(Mark.UNWATCHED)
    if (tally.counts().not_judged_share or 0.0) > LIMITS.not_judged_share:
        marks.append(Mark.NOT_JUDGED)
    if not watch.expected_s and not tally.people:
        closed_s = sum(cell.apart_s.get(Apart.CLOSED, 0.0) for cell in cells)
        marks.append(Mark.CLOSED if closed_s >= 30 * span.minutes else Mark.RULE_OFF)
    if unproven(span, cells, proofs):
        marks.append(Mark.WITHOUT_PROOF)
    if any(cell.has_wrong_clock for cell in cells):
        marks.append(Mark.WRONG_CLOCK)
    if changes_clock(calendar, MinuteSpan(span.begin - 1, span.end)):
        marks.append(Mark.SUMMER_TIME)
    return marks


def changes_clock(calendar: Calendar, span: MinuteSpan) -> bool:
    """Return whether summer time begins or ends in a span."""
    begin, end = (calendar.local(at) for at in (span.begin_at, span.end_at))
    return begin.utcoffset() != end.utcoffset()


def unproven(
    span: MinuteSpan, cells: Sequence[Cell], proofs: Sequence[SightProof]
) -> frozenset[str]:
    """Return the cameras that watched in an hour and have no proof of sight near enough; none
    where sight is never proven."""
    if not proofs:
        return frozenset()
    holds = timedelta(hours=LIMITS.proof_holds_h)
    begin, end = span.begin_at - holds, span.end_at + holds
    used = {name for cell in cells for name, tally in cell.watch.items() if tally.watched_s > 0}
    return frozenset(used - {each.camera for each in proofs if begin <= each.at < end})
