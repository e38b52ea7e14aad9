"""Writes down what people say of alerts and of the mask rule. All of it is checked here.

Each call opens the file and closes it: people are slow, and another process may have put another
file in its place meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from types import MappingProxyType

import msgspec

from edge.errors import TensorMaskError
from edge.history.alert_book import AlertBook
from edge.history.records import AlertAcknowledgement, Entry, EntryKind
from edge.history.requests import Acknowledge, SetRule
from edge.history.store import HistoryBatch, HistoryReader, HistoryWriter
from edge.telemetry import RuleState
from edge.words import count

OPEN_FOR = timedelta(days=31)
"""How long after its confirmation an alert is offered as the newest open one."""
MOST_CORRECTIONS = 20
"""Rows of one alert."""
MOST_RULE_CHANGES = 50
"""In a day: each is kept for as long as there are reports."""
NONE_RECENT: Mapping[str, datetime] = MappingProxyType({})
_STEP = timedelta(milliseconds=1)


RuleOf = Callable[[Sequence[Entry]], RuleState]
"""Says what holds now, by the journal's entries about the rule."""


class NotNotedError(TensorMaskError):
    """Ask for something else: it was not written down, and the text says why."""


class AlreadySoError(NotNotedError):
    """Nothing: it is as it was asked for. The text says since when, and by whom."""


def by_commands(entries: Sequence[Entry]) -> RuleState:
    """Return what holds where there are no seasons: what was said last."""
    if not entries:
        return RuleState(is_on=True)
    first = last = entries[-1]
    for each in reversed(entries):
        if each.text != last.text:
            break
        first = each
    return RuleState(last.text == "on", first.at, first.by)


def acknowledge(
    path: Path, asked: Acknowledge, now: datetime, recent: Mapping[str, datetime] = NONE_RECENT
) -> AlertAcknowledgement:
    """Write down what was done about an alert, and return that.

    The same again changes nothing. `recent` are alerts that may not be in the file yet, with the
    time of their confirmation. Raises NotNotedError where there is no such alert, or it was
    corrected too often, and HistoryError.
    """
    with AlertBook(path) as book:
        event_id = _event_id(book, asked.event_id, now, recent)
        before = book.said_of(event_id)
        said = AlertAcknowledgement(
            event_id, _whole_ms(now), asked.by, asked.reason, asked.remedy, asked.note.strip()
        )
        if before and _content(before[-1]) == _content(said):
            return before[-1]
        if len(before) >= MOST_CORRECTIONS:
            raise NotNotedError(f"this alert was corrected {MOST_CORRECTIONS} times: no more")
        if before and before[-1].at >= said.at:  # a clock that was set back
            said = msgspec.structs.replace(said, at=before[-1].at + _STEP)
        book.write(said)
        return said


def set_rule(
    path: Path,
    asked: SetRule,
    now: datetime,
    holds: RuleOf = by_commands,
    zone: tzinfo | None = None,
) -> Entry:
    """Write down that the mask rule holds from now on, or no longer, and return that.

    Raises AlreadySoError where it does, with a time of `zone` (None: the system's), NotNotedError
    where it is changed all the time, and HistoryError.
    """
    entry = Entry(now, EntryKind.RULE, asked.by, "on" if asked.is_on else "off")
    day = timedelta(days=1)
    with closing(HistoryWriter(path)) as writer, HistoryReader(path) as reader:
        changes = reader.entries(EntryKind.RULE, now + day)
        state = holds(changes)
        if state.is_on is asked.is_on:
            raise AlreadySoError(f"the mask rule is {entry.text} already{_since(state, zone)}")
        today = [each for each in changes if each.at >= now - day]
        if len(today) >= MOST_RULE_CHANGES:
            number = count(MOST_RULE_CHANGES, "change")
            raise NotNotedError(f"the rule had {number} within a day: try again tomorrow")
        writer.write(HistoryBatch(journal=[entry]))
    return entry


def _event_id(
    book: AlertBook, wanted: str | None, now: datetime, recent: Mapping[str, datetime]
) -> str:
    """Return which alert is meant. Raises NotNotedError where there is none."""
    if wanted is not None:
        if wanted not in recent and book.confirmed_at(wanted) is None:
            raise NotNotedError(f"no alert {wanted} is known here")
        return wanted
    found = {each: at for each, at in recent.items() if not book.said_of(each)}
    if (newest := book.newest_open(now - OPEN_FOR)) is not None:
        found[newest[0]] = newest[1]
    if not found:
        raise NotNotedError(f"no alert of the last {OPEN_FOR.days} days is open")
    return max(found, key=found.__getitem__)


def _since(state: RuleState, zone: tzinfo | None) -> str:
    if state.since is None:
        return ""
    by = f", by {state.by}" if state.by else ""
    return f", since {state.since.astimezone(zone):%Y-%m-%d %H:%M}{by}"


def _content(said: AlertAcknowledgement) -> tuple[str, ...]:
    return said.by, said.reason, said.remedy, said.note


def _whole_ms(at: datetime) -> datetime:
    """Return a time as the file has it, where it is a part of the key."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
