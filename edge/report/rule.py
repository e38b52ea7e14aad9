"""Whether the mask rule is on: by the seasons of the calendar and by command, the later first.

A command holds until the next one, or until the next season begins or ends. Without seasons and
commands the rule is on.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from edge.history.records import Entry, EntryKind
from edge.history.store import HistoryReader
from edge.report.calendar import Calendar
from edge.report.spans import MinuteSpan, MinuteSpans
from edge.telemetry import RuleState

ON, OFF = "on", "off"
"""The texts of the journal's entries."""
BY_CALENDAR = "calendar"


class MaskRule:
    """Says what holds at each minute."""

    def __init__(self, calendar: Calendar, entries: Iterable[Entry] = ()) -> None:
        """`entries` are the journal's; those about other things are passed over."""
        self._calendar = calendar
        self._commands = [
            (each.at, each.text == ON, each.by)
            for each in sorted(entries, key=lambda each: each.at)
            if each.kind is EntryKind.RULE
        ]

    def at(self, moment: datetime) -> RuleState:
        """Return what holds then."""
        minute = int(moment.timestamp()) // 60
        changes = [
            (MinuteSpan(change, change).begin_at, is_on, BY_CALENDAR)
            for change, is_on in self._calendar.season_changes(MinuteSpan(minute, minute + 1))
        ]
        known = [each for each in (*changes, *self._commands) if each[0] <= moment]
        if not known:
            return RuleState(is_on=not self._calendar.has_seasons)
        states = sorted(known, key=lambda each: each[0])
        is_on = states[-1][1]
        # The first of those in a row that say the same.
        first = len(states) - 1
        while first > 0 and states[first - 1][1] is is_on:
            first -= 1
        return RuleState(is_on, states[first][0], states[first][2])

    def changes(self, span: MinuteSpan) -> list[RuleState]:
        """Return what holds as `span` begins, and each change in it."""
        times = {
            span.begin_at,
            *(at for at, _, _ in self._commands),
            *(MinuteSpan(at, at).begin_at for at, _ in self._calendar.season_changes(span)),
        }
        found: list[RuleState] = []
        for at in sorted(each for each in times if span.begin_at <= each < span.end_at):
            state = self.at(at)
            if not found or state.is_on is not found[-1].is_on:
                found.append(state)
        return found

    def on_in(self, span: MinuteSpan) -> MinuteSpans:
        """Return the minutes of `span` in which the rule is on; one in which it changes counts as
        what it becomes."""
        states = self.changes(span)
        begins = [span.begin, *(_minute(each, span) for each in states[1:])]
        ends = [*begins[1:], span.end]
        return MinuteSpans(
            MinuteSpan(begin, end)
            for state, begin, end in zip(states, begins, ends, strict=True)
            if state.is_on
        )


def rule_entries(reader: HistoryReader, until: datetime) -> list[Entry]:
    """Return what was ever said of the rule. Raises HistoryError."""
    return reader.entries(EntryKind.RULE, until)


def _minute(state: RuleState, span: MinuteSpan) -> int:
    assert state.since is not None, "of a change it is known"
    return max(span.begin, int(state.since.timestamp()) // 60)
