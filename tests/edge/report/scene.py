"""A history with known content, for reports of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from edge.history.alert_book import AlertBook
from edge.history.records import (
    Alert,
    AlertAcknowledgement,
    ConditionSpan,
    Entry,
    EntryKind,
    People,
    Place,
    Reason,
    SightProof,
    WatchedTime,
    WatchState,
    minute_of,
)
from edge.history.store import HistoryBatch, HistoryReader, HistoryWriter
from edge.rates import Eyes
from edge.records import Verdict, ViolationKind
from edge.report.calendar import Calendar
from edge.report.compile import ReportedBox, compile_report
from edge.report.period import Period
from edge.report.records import Report

BERLIN = Calendar(ZoneInfo("Europe/Berlin"), "Europe/Berlin")
BOX = ReportedBox("door-1", "clinic", "1.0")
LATER = datetime(2027, 12, 1, tzinfo=UTC)


def berlin(text: str) -> datetime:
    """Return a time as a clock on a wall in Berlin shows it: `2026-11-29 08:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN.zone)


class Scene:
    """What happened, to be written and reported."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "history.sqlite"
        self.batch = HistoryBatch()
        self.said: list[AlertAcknowledgement] = []

    def watch(
        self,
        begin: str,
        end: str,
        state: WatchState = WatchState.WATCHED,
        *,
        camera: str = "",
        clock_is_right: bool = True,
        seconds: float = 60.0,
    ) -> None:
        for minute in range(minute_of(berlin(begin)), minute_of(berlin(end))):
            row = WatchedTime(minute, camera, state, seconds, clock_is_right)
            self.batch.watched.append(row)

    def people(
        self,
        at: str,
        visits: int,
        verdict: Verdict = Verdict.MASKED,
        *,
        place: Place = Place(),  # noqa: B008 - frozen
        size_px: int = 48,
        is_required: bool = True,
    ) -> None:
        row = People(minute_of(berlin(at)), place, verdict, size_px, is_required, visits)
        self.batch.people.append(row)

    def alert(
        self,
        at: str,
        remedy_s: float | None = 60.0,
        *,
        kind: ViolationKind = ViolationKind.BARE,
        place: Place = Place(),  # noqa: B008 - frozen
    ) -> str:
        confirmed = berlin(at)
        event_id = f"{confirmed.timestamp():.0f}-{len(self.batch.alerts)}"
        ended = None if remedy_s is None else confirmed + timedelta(seconds=remedy_s)
        begun = confirmed - timedelta(seconds=2)
        row = Alert(event_id, place, kind, begun, confirmed, ended, 2 + (remedy_s or 0), 0.9)
        self.batch.alerts.append(row)
        return event_id

    def acknowledge(self, event_id: str, at: str, reason: Reason = "forgotten") -> None:
        row = AlertAcknowledgement(event_id, berlin(at), "ops", reason, "mask-put-on", "was kind")
        self.said.append(row)

    def condition(self, code: str, begin: str, end: str | None, severity: str = "fault") -> None:
        ended = None if end is None else berlin(end)
        self.batch.conditions.append(ConditionSpan(code, "", severity, berlin(begin), ended))

    def entry(self, at: str, kind: EntryKind, text: str, by: str = "") -> None:
        self.batch.journal.append(Entry(berlin(at), kind, by, text))

    def proof(self, at: str, *, camera: str = "", shown: int = 10, right: int = 9) -> None:
        for verdict in (Verdict.MASKED, Verdict.BARE):
            row = SightProof(berlin(at), camera, verdict, 48, shown, right, right)
            self.batch.sight.append(row)

    def write(self) -> None:
        writer = HistoryWriter(self.path)
        writer.write(self.batch)
        writer.close()
        with AlertBook(self.path) as book:
            for each in self.said:
                book.write(each)
        self.batch, self.said = HistoryBatch(), []

    def report(
        self,
        period: Period,
        calendar: Calendar = BERLIN,
        *,
        now: datetime = LATER,
        camera: str = "",
        zone: str = "",
        eyes: Eyes | None = None,
    ) -> Report:
        """Write what is not written yet, and return the report."""
        self.write()
        with HistoryReader(self.path) as reader:
            return compile_report(
                reader, period, calendar, eyes, now=now, box=BOX, camera=camera, zone=zone
            )
