"""How long something was wrong with the box in a period."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from edge.conditions import Code, in_general
from edge.history.records import ConditionSpan, Entry, EntryKind
from edge.report.records import ConditionFigures


def condition_figures(
    spans: Iterable[ConditionSpan], entries: Sequence[Entry], begin: datetime, end: datetime
) -> tuple[ConditionFigures, ...]:
    """Return what each condition comes to between two times, faults and long ones first.

    One whose end was never written ended at the latest with the next start of the program.
    """
    starts = [each.at for each in entries if each.kind is EntryKind.STARTED]
    lengths: dict[tuple[str, str, str], list[float]] = {}
    unsure = set()
    for span in spans:
        if span.code == Code.RULE_OFF:  # nothing is wrong: it is listed by itself
            continue
        key = (span.severity, span.code, span.subject)
        until = span.ended_at
        if until is None:
            restart = next((at for at in starts if at > span.began_at), None)
            if restart is not None and restart < end:
                unsure.add(key)
            until = restart or end
        seconds = (min(until, end) - max(span.began_at, begin)).total_seconds()
        if seconds > 0:
            lengths.setdefault(key, []).append(seconds)
    return tuple(
        ConditionFigures(
            code=code,
            subject=subject,
            text=in_general(code),
            severity=severity,
            times=len(found),
            seconds=round(sum(found), 1),
            longest_s=round(max(found), 1),
            ends_known=(severity, code, subject) not in unsure,
        )
        for (severity, code, subject), found in sorted(
            lengths.items(), key=lambda each: (each[0][0] != "fault", -sum(each[1]))
        )
    )
