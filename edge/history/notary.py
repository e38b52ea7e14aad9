"""Writes down what people say of alerts and of the mask rule. All of it is checked here.

Each call opens the file and closes it: people are slow, and another process may have put another
file in its place meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import msgspec

from edge.errors import TensorMaskError
from edge.history.alert_book import AlertBook
from edge.history.records import AlertAcknowledgement, Entry, EntryKind
from edge.history.requests import Acknowledge, SetRule
from edge.history.store import HistoryBatch, HistoryReader, HistoryWriter
from edge.words import count

OPEN_FOR = timedelta(days=31)
"""How long after its confirmation an alert is offered as the newest open one."""
MOST_CORRECTIONS = 20
"""Rows of one alert."""
MOST_RULE_CHANGES = 50
"""In a day: each is kept for as long as there are reports."""
REPEATED_WITHIN = timedelta(minutes=1)
"""The same said of the rule again within this time is one message that came twice."""
NONE_RECENT: Mapping[str, datetime] = MappingProxyType({})
_STEP = timedelta(milliseconds=1)


class NotNotedError(TensorMaskError):
    """Ask for something else: it was not written down, and the text says why."""


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


def set_rule(path: Path, asked: SetRule, now: datetime) -> Entry:
    """Write down that the mask rule holds from now on, or no longer, and return that.

    Raises NotNotedError where it is changed all the time, and HistoryError.
    """
    entry = Entry(now, EntryKind.RULE, asked.by, "on" if asked.is_on else "off")
    with closing(HistoryWriter(path)) as writer, HistoryReader(path) as reader:
        day = reader.journal(now - timedelta(days=1), now + timedelta(days=1))
        today = [each for each in day if each.kind is EntryKind.RULE]
        if today and _is_repeated(today[-1], entry):
            return today[-1]
        if len(today) >= MOST_RULE_CHANGES:
            changes = count(MOST_RULE_CHANGES, "change")
            raise NotNotedError(f"the rule had {changes} within a day: try again tomorrow")
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


def _is_repeated(last: Entry, entry: Entry) -> bool:
    is_same = (last.by, last.text) == (entry.by, entry.text)
    return is_same and entry.at - last.at < REPEATED_WITHIN


def _content(said: AlertAcknowledgement) -> tuple[str, ...]:
    return said.by, said.reason, said.remedy, said.note


def _whole_ms(at: datetime) -> datetime:
    """Return a time as the file has it, where it is a part of the key."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
