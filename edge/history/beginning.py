"""When a history begins: minutes that a clearly wrong clock has dated are no beginning.

A clock that follows no time server is mostly right: somebody has set it. So what it has dated
counts, and a gap is time in which the program did not run, however long: unless the journal shows
that the clock was set over it, or it is longer than any box is switched off.
"""

from __future__ import annotations

import sqlite3

from edge.history.records import EntryKind, at_minute
from edge.history.rows import text_of

GAP_MIN = 24 * 60
"""A shorter gap is none."""
_YEAR_MIN = 365 * 24 * 60
"""So long no box is switched off that is used again."""
_NOTICED_MIN = 5
"""A step is in the journal at most so long after the first minute that the new time has."""
_MOSTLY = 0.5
"""A step of so much of a gap explains it: for the rest of it the box was off."""


def beginning(database: sqlite3.Connection) -> int | None:
    """Return the first minute whose date is not clearly wrong. Raises sqlite3.Error.

    That is the first, or the one after the last gap that a wrong clock has made, before the clock
    was right for the first time.
    """
    gaps = database.execute(
        "WITH dated AS (SELECT min(minute) AS minute FROM watched WHERE clock_is_right) "
        "SELECT before, minute FROM ("
        "    SELECT minute, lag(minute) OVER (ORDER BY minute) AS before FROM watched"
        "    WHERE minute <= (SELECT minute FROM dated)"
        ") WHERE minute - before > ? ORDER BY minute DESC",
        (GAP_MIN,),
    ).fetchall()
    for before, minute in gaps:
        if _is_of_the_clock(database, before, minute):
            return int(minute)
    (first,) = database.execute("SELECT min(minute) FROM watched").fetchone()
    return None if first is None else int(first)


def is_beginning(database: sqlite3.Connection, before: int, minute: int) -> bool:
    """Return whether the dates up to `before`, the last minute ahead of `minute`, are clearly
    wrong: none of them is of a clock that was right. Raises sqlite3.Error."""
    if minute - before <= GAP_MIN or not _is_of_the_clock(database, before, minute):
        return False
    (is_dated,) = database.execute(
        "SELECT EXISTS (SELECT 1 FROM watched WHERE minute <= ? AND clock_is_right)", (before,)
    ).fetchone()
    return not is_dated


def _is_of_the_clock(database: sqlite3.Connection, before: int, minute: int) -> bool:
    """Return whether a wrong clock has made a gap, not a box that was off."""
    if minute - before > _YEAR_MIN:
        return True
    (step_s,) = database.execute(
        "SELECT max(CAST(text AS REAL)) FROM journal WHERE kind = ? AND at >= ? AND at < ?",
        (
            EntryKind.CLOCK_STEPPED,
            text_of(at_minute(minute)),
            text_of(at_minute(minute + _NOTICED_MIN)),
        ),
    ).fetchone()
    return step_s is not None and step_s >= _MOSTLY * 60 * (minute - before)
