"""Readings into PostgreSQL. Where it is, libpq's own variables say: PGHOST, PGDATABASE, …"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, LiteralString, Self

import psycopg
from msgspec.structs import asdict

from .documents import (
    Answered,
    Cleared,
    Delivered,
    Happened,
    Ignored,
    Reading,
    ReceivedCompliance,
    Reported,
    Tallied,
    Unreadable,
)

_VIOLATION: LiteralString = """
INSERT INTO violation (event_id, state, at, device_id, sequence, site, zone, place, kind,
    started_at, confirmed_at, ended_at, duration_s, clock_synchronised, document)
VALUES (%(event_id)s, %(state)s, %(at)s, %(device_id)s, %(sequence)s, %(site)s, %(zone)s,
    %(place)s, %(kind)s, %(started_at)s, %(confirmed_at)s, %(ended_at)s, %(duration_s)s,
    %(clock_synchronised)s, %(text)s::jsonb)
ON CONFLICT DO NOTHING"""

_ACKNOWLEDGEMENT: LiteralString = """
INSERT INTO acknowledgement (event_id, at, device_id, sequence, reason, remedy, note, by,
    clock_synchronised, document)
VALUES (%(event_id)s, %(at)s, %(device_id)s, %(sequence)s, %(reason)s, %(remedy)s, %(note)s,
    %(by)s, %(clock_synchronised)s, %(text)s::jsonb)
ON CONFLICT DO NOTHING"""

_STATE: LiteralString = """
INSERT INTO state AS former (device_id, kind, site, zone, at, heard_at, document)
VALUES (%(device_id)s, %(kind)s, %(site)s, %(zone)s, %(at)s, %(heard_at)s, %(text)s::jsonb)
ON CONFLICT (device_id, kind) DO UPDATE SET site = excluded.site, zone = excluded.zone,
    at = excluded.at, heard_at = greatest(former.heard_at, excluded.heard_at),
    document = excluded.document"""

_COUNTS: LiteralString = """
WITH this AS (
    SELECT date_trunc('hour', %(at)s::timestamptz, 'UTC') AS hour
), before AS (
    SELECT coalesce(former.before_seen + former.seen, %(all_seen)s - %(seen)s) AS seen,
        coalesce(former.before_masked + former.masked, %(all_masked)s - %(masked)s) AS masked,
        coalesce(former.before_bare + former.bare, %(all_bare)s - %(bare)s) AS bare,
        coalesce(former.before_unknown + former.unknown, %(all_unknown)s - %(unknown)s) AS unknown,
        coalesce(former.before_worn_wrongly + former.worn_wrongly,
            %(all_worn_wrongly)s - %(worn_wrongly)s) AS worn_wrongly,
        coalesce(former.before_watched_s + former.watched_s,
            %(all_watched_s)s - %(watched_s)s) AS watched_s
    FROM this LEFT JOIN compliance AS former
        ON former.device_id = %(device_id)s AND former.run = %(run)s AND former.run <> ''
        AND former.hour = this.hour - interval '1 hour'
)
INSERT INTO compliance AS former (device_id, hour, run, site, zone, at,
    seen, masked, bare, unknown, worn_wrongly, watched_s,
    before_seen, before_masked, before_bare, before_unknown, before_worn_wrongly, before_watched_s)
SELECT %(device_id)s, this.hour, %(run)s, %(site)s, %(zone)s, %(at)s,
    %(all_seen)s - before.seen, %(all_masked)s - before.masked, %(all_bare)s - before.bare,
    %(all_unknown)s - before.unknown, %(all_worn_wrongly)s - before.worn_wrongly,
    %(all_watched_s)s - before.watched_s, before.*
FROM this, before
ON CONFLICT (device_id, hour, run) DO UPDATE SET site = excluded.site, zone = excluded.zone,
    at = excluded.at,
    seen = %(all_seen)s - former.before_seen,
    masked = %(all_masked)s - former.before_masked,
    bare = %(all_bare)s - former.before_bare,
    unknown = %(all_unknown)s - former.before_unknown,
    worn_wrongly = %(all_worn_wrongly)s - former.before_worn_wrongly,
    watched_s = %(all_watched_s)s - former.before_watched_s
WHERE former.at < excluded.at"""

_PLACE: LiteralString = """
INSERT INTO place AS former (device_id, hour, run, place, at, seen, masked, bare, unknown,
    worn_wrongly)
VALUES (%(device_id)s, date_trunc('hour', %(at)s::timestamptz, 'UTC'), %(run)s, %(place)s, %(at)s,
    %(seen)s, %(masked)s, %(bare)s, %(unknown)s, %(worn_wrongly)s)
ON CONFLICT (device_id, hour, run, place) DO UPDATE SET at = excluded.at, seen = excluded.seen,
    masked = excluded.masked, bare = excluded.bare, unknown = excluded.unknown,
    worn_wrongly = excluded.worn_wrongly
WHERE former.at < excluded.at"""

_HOUR_OF_HISTORY: LiteralString = """
INSERT INTO hour AS former (device_id, hour, history, revision, site, zone, follows, at,
    clock_synchronised, document)
VALUES (%(device_id)s, %(hour)s, %(history)s, %(revision)s, %(site)s, %(zone)s, %(follows)s, %(at)s,
    %(clock_synchronised)s, %(text)s::jsonb)
ON CONFLICT (device_id, hour, history) DO UPDATE SET revision = excluded.revision,
    site = excluded.site, zone = excluded.zone, follows = excluded.follows, at = excluded.at,
    clock_synchronised = excluded.clock_synchronised, document = excluded.document,
    received_at = now()
WHERE former.revision < excluded.revision"""

_CLEAR: LiteralString = "DELETE FROM state WHERE device_id = %(device_id)s AND kind = %(kind)s"

_IGNORE: LiteralString = """
INSERT INTO ignored AS former (kind, documents, last_at) VALUES (%(kind)s, 1, now())
ON CONFLICT (kind) DO UPDATE SET documents = former.documents + 1, last_at = now()"""

_PUT_ASIDE: LiteralString = """
INSERT INTO unreadable (digest, topic, reason, payload)
VALUES (%(digest)s, %(topic)s, %(reason)s, %(payload)s)
ON CONFLICT DO NOTHING"""

Statement = tuple[LiteralString, dict[str, Any]]


class DocumentStore:
    """A connection to the database, for one thread. What it raises is psycopg.Error."""

    def __init__(self) -> None:
        # A database that hangs is left, as one that is away: the broker keeps what waits.
        self._connection = psycopg.connect(
            autocommit=True,
            connect_timeout=5,
            tcp_user_timeout=20_000,
            options="-c statement_timeout=20s",
            application_name="tensormask-receiver",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def write(self, batch: Sequence[tuple[Delivered, Reading]]) -> None:
        """Return when all of it is committed; what the database does not take is put aside."""
        try:
            self._commit([reading for _, reading in batch])
        except psycopg.Error as error:
            if not _is_of_the_document(error):
                raise
            for message, reading in batch:
                self._write_one(message, reading)

    def _write_one(self, message: Delivered, reading: Reading) -> None:
        try:
            self._commit([reading])
        except psycopg.Error as error:
            if not _is_of_the_document(error):
                raise
            reason = str(error).splitlines()[0]
            self._commit([Unreadable(message.topic, reason, message.payload)])

    def _commit(self, readings: Sequence[Reading]) -> None:
        # A pipeline: one way there and back for all.
        with self._connection.pipeline(), self._connection.transaction():
            for reading in readings:
                for sql, values in _statements(reading):
                    self._connection.execute(sql, values)


def _is_of_the_document(error: psycopg.Error) -> bool:
    """Return whether the same document would fail again, however often it is tried."""
    is_of_data = isinstance(error, psycopg.DataError | psycopg.IntegrityError)
    return is_of_data or (error.sqlstate or "").startswith("54")  # a limit of the program


def _statements(reading: Reading) -> list[Statement]:
    match reading:
        case Happened(violation, text):
            return [(_VIOLATION, {**asdict(violation), "text": text})]
        case Tallied(hour, text):
            return [(_HOUR_OF_HISTORY, {**asdict(hour), "text": text})]
        case Answered(acknowledgement, text):
            return [(_ACKNOWLEDGEMENT, {**asdict(acknowledgement), "text": text})]
        case Reported(kind, document, text, heard_at):
            values = {**asdict(document), "kind": kind, "text": text, "heard_at": heard_at}
            statements = [(_STATE, values)]
            if isinstance(document, ReceivedCompliance):
                counts_now = asdict(document.since_start or document.last_hour)
                counts = {f"all_{name}": count for name, count in counts_now.items()}
                statements.append((_COUNTS, {**values, **asdict(document.last_hour), **counts}))
                whose = {"device_id": document.device_id, "run": document.run, "at": document.at}
                for each in document.places:
                    tally = asdict(each.since_start)
                    statements.append((_PLACE, {**whose, **tally, "place": each.place}))
            return statements
        case Cleared(device_id, kind):
            return [(_CLEAR, {"device_id": device_id, "kind": kind})]
        case Ignored(kind):
            return [(_IGNORE, {"kind": kind})]
        case Unreadable(topic, reason, payload):
            digest = hashlib.sha256(topic.encode() + b"\0" + payload).digest()
            values = {"digest": digest, "topic": topic, "reason": reason, "payload": reading.text}
            return [(_PUT_ASIDE, values)]
