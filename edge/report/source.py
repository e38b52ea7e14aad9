"""All that the reports of one box are made from: its history, calendar and name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from edge.config import Settings
from edge.history.store import FILE, HistoryReader
from edge.report.calendar import Calendar, calendar_of
from edge.report.compile import ReportedBox, compile_report
from edge.report.period import Period
from edge.report.records import Report
from edge.version import version


@dataclass(frozen=True, slots=True)
class ReportSource:
    """Makes the reports of one box, each from the history as it is then."""

    history: Path
    calendar: Calendar
    box: ReportedBox

    @classmethod
    def of(cls, settings: Settings) -> ReportSource:
        return cls(
            settings.outbox.file.parent / FILE,
            calendar_of(settings.calendar),
            ReportedBox(settings.device.id, settings.device.site, version()),
        )

    def report(self, period: Period, now: datetime, *, camera: str = "", zone: str = "") -> Report:
        """Return what happened in a period up to `now`; of one camera or zone, or of all.

        Raises HistoryError.
        """
        with HistoryReader(self.history) as reader:
            return compile_report(
                reader,
                period,
                self.calendar,
                None,
                now=now,
                box=self.box,
                camera=camera,
                zone=zone,
            )
