"""The statements that made each version of the database's schema: what is here is never changed.

A file of an older version is brought up to date by the statements of the versions after it. An
older program, after a way back, writes to a newer file where `about.least` lets it: a version that
only adds tables, or columns with a default, leaves `least` as it is; any other one sets it to its
own number. So columns are always named in statements, and what a program does not know is left
alone.
"""

from __future__ import annotations

VERSIONS: tuple[str, ...] = (
    """
CREATE TABLE people (
    minute INTEGER NOT NULL,
    camera TEXT NOT NULL,
    zone TEXT NOT NULL,
    verdict TEXT NOT NULL,
    size_px INTEGER NOT NULL,
    is_required INTEGER NOT NULL,
    visits INTEGER NOT NULL,
    PRIMARY KEY (minute, camera, zone, verdict, size_px, is_required)
) STRICT, WITHOUT ROWID;
CREATE TABLE watched (
    minute INTEGER NOT NULL,
    camera TEXT NOT NULL,
    watch TEXT NOT NULL,
    clock_is_right INTEGER NOT NULL,
    seconds REAL NOT NULL,
    PRIMARY KEY (minute, camera, watch, clock_is_right)
) STRICT, WITHOUT ROWID;
CREATE TABLE alerts (
    event_id TEXT NOT NULL,
    camera TEXT NOT NULL,
    zone TEXT NOT NULL,
    kind TEXT NOT NULL,
    started_at TEXT NOT NULL,
    confirmed_at TEXT NOT NULL,
    ended_at TEXT,
    duration_s REAL NOT NULL,
    probability REAL NOT NULL,
    PRIMARY KEY (confirmed_at, event_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE acknowledgements (
    event_id TEXT NOT NULL,
    at TEXT NOT NULL,
    by TEXT NOT NULL,
    reason TEXT NOT NULL,
    remedy TEXT NOT NULL,
    note TEXT NOT NULL,
    PRIMARY KEY (event_id, at)
) STRICT, WITHOUT ROWID;
CREATE TABLE conditions (
    code TEXT NOT NULL,
    subject TEXT NOT NULL,
    severity TEXT NOT NULL,
    began_at TEXT NOT NULL,
    ended_at TEXT,
    PRIMARY KEY (began_at, code, subject)
) STRICT, WITHOUT ROWID;
CREATE TABLE journal (
    number INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    kind TEXT NOT NULL,
    by TEXT NOT NULL,
    text TEXT NOT NULL
) STRICT;
CREATE TABLE sight (
    at TEXT NOT NULL,
    camera TEXT NOT NULL,
    verdict TEXT NOT NULL,
    size_px INTEGER NOT NULL,
    shown INTEGER NOT NULL,
    found INTEGER NOT NULL,
    right INTEGER NOT NULL,
    PRIMARY KEY (at, camera, verdict, size_px)
) STRICT, WITHOUT ROWID;
CREATE TABLE about (
    least INTEGER NOT NULL,
    run TEXT NOT NULL,
    number INTEGER NOT NULL,
    kept_from TEXT NOT NULL,
    rebuilt_from TEXT NOT NULL
) STRICT;
INSERT INTO about VALUES (1, '', 0, '', '');
""",
    """
CREATE TABLE identity (name TEXT NOT NULL) STRICT;
INSERT INTO identity VALUES (lower(hex(randomblob(8))));
CREATE TABLE sent_hours (
    hour INTEGER PRIMARY KEY,
    revision INTEGER NOT NULL
) STRICT;
""",
    """
CREATE TABLE unpublished (
    event_id TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (event_id, at)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER said AFTER INSERT ON acknowledgements BEGIN
    INSERT OR IGNORE INTO unpublished (event_id, at) VALUES (new.event_id, new.at);
END;
CREATE TRIGGER forgotten AFTER DELETE ON acknowledgements BEGIN
    DELETE FROM unpublished WHERE event_id = old.event_id AND at = old.at;
END;
""",
    """
CREATE TABLE withdrawn_hours (
    hour INTEGER PRIMARY KEY,
    revision INTEGER NOT NULL
) STRICT;
""",
)
