"""Readings into PostgreSQL. Where it is, libpq's own variables say: PGHOST, PGDATABASE, …"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from types import TracebackType
from typing import Any, LiteralString, Self

import psycopg
from msgspec.structs import asdict

from .documents import Cleared, Compliance, Happened, Ignored, Message, Reading, Told, Unreadable

_VIOLATION: LiteralString = """
INSERT INTO violation (event_id, state, at, device_id, sequence, site, zone, kind, started_at,
    confirmed_at, ended_at, duration_s, clock_synchronised, document)
VALUES (%(event_id)s, %(state)s, %(at)s, %(device_id)s, %(sequence)s, %(site)s, %(zone)s, %(kind)s,
    %(started_at)s, %(confirmed_at)s, %(ended_at)s, %(duration_s)s, %(clock_synchronised)s,
    %(text)s::jsonb)
ON CONFLICT DO NOTHING"""

_STATE: LiteralString = """
INSERT INTO state AS former (device_id, kind, site, zone, at, heard_at, document)
VALUES (%(device_id)s, %(kind)s, %(site)s, %(zone)s, %(at)s, %(heard_at)s, %(text)s::jsonb)
ON CONFLICT (device_id, kind) DO UPDATE SET site = excluded.site, zone = excluded.zone,
    at = excluded.at, heard_at = greatest(former.heard_at, excluded.heard_at),
    document = excluded.document"""

_HOUR: LiteralString = """
INSERT INTO compliance AS former (device_id, hour, site, zone, at, seen, masked, bare, unknown,
    worn_wrongly, watched_s)
VALUES (%(device_id)s, date_trunc('hour', %(at)s::timestamptz, 'UTC'), %(site)s, %(zone)s, %(at)s,
    %(seen)s, %(masked)s, %(bare)s, %(unknown)s, %(worn_wrongly)s, %(watched_s)s)
ON CONFLICT (device_id, hour) DO UPDATE SET site = excluded.site, zone = excluded.zone,
    at = excluded.at, seen = excluded.seen, masked = excluded.masked, bare = excluded.bare,
    unknown = excluded.unknown, worn_wrongly = excluded.worn_wrongly,
    watched_s = excluded.watched_s
WHERE former.at < excluded.at"""

_CLEAR: LiteralString = "DELETE FROM state WHERE device_id = %(device_id)s AND kind = %(kind)s"

_IGNORE: LiteralString = """
INSERT INTO ignored AS former (kind, documents, last_at) VALUES (%(kind)s, 1, now())
ON CONFLICT (kind) DO UPDATE SET documents = former.documents + 1, last_at = now()"""

_PUT_ASIDE: LiteralString = """
INSERT INTO unreadable (digest, topic, reason, payload)
VALUES (%(digest)s, %(topic)s, %(reason)s, %(payload)s)
ON CONFLICT DO NOTHING"""

Statement = tuple[LiteralString, dict[str, Any]]


class Store:
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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def write(self, batch: Sequence[tuple[Message, Reading]]) -> None:
        """Return when all of it is committed; what the database does not take is put aside."""
        try:
            self._commit([reading for _, reading in batch])
        except psycopg.Error as error:
            if not _is_of_the_document(error):
                raise
            for message, reading in batch:
                self._write_one(message, reading)

    def _write_one(self, message: Message, reading: Reading) -> None:
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
    """Tell whether the same document would fail again, however often it is tried."""
    is_of_data = isinstance(error, psycopg.DataError | psycopg.IntegrityError)
    return is_of_data or (error.sqlstate or "").startswith("54")  # a limit of the program


def _statements(reading: Reading) -> list[Statement]:
    match reading:
        case Happened(violation, text):
            return [(_VIOLATION, {**asdict(violation), "text": text})]
        case Told(kind, document, text, heard_at):
            values = {**asdict(document), "kind": kind, "text": text, "heard_at": heard_at}
            statements = [(_STATE, values)]
            if isinstance(document, Compliance):
                statements.append((_HOUR, {**values, **asdict(document.last_hour)}))
            return statements
        case Cleared(device_id, kind):
            return [(_CLEAR, {"device_id": device_id, "kind": kind})]
        case Ignored(kind):
            return [(_IGNORE, {"kind": kind})]
        case Unreadable(topic, reason, payload):
            digest = hashlib.sha256(topic.encode() + b"\0" + payload).digest()
            values = {"digest": digest, "topic": topic, "reason": reason, "payload": reading.text}
            return [(_PUT_ASIDE, values)]
