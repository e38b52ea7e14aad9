"""All that the reports of one box are made from: its history, calendar and name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from edge.config import Settings
from edge.history.fresh import FreshReader
from edge.history.store import FILE
from edge.rates import Eyes
from edge.report.calendar import Calendar, calendar_of
from edge.report.compile import ReportedBox, compile_report
from edge.report.period import Period
from edge.report.records import Report
from edge.version import version

KnownEyes = Callable[[str], Eyes | None]


def unknown(camera: str) -> Eyes | None:
    """Nothing is known of them."""
    return None


@dataclass(frozen=True, slots=True)
class ReportSource:
    """Makes the reports of one box, each from the history as it is then."""

    history: Path
    calendar: Calendar
    box: ReportedBox
    eyes: KnownEyes = unknown
    """What is known of the eyes, of one camera or of the only one. Raises TensorMaskError."""
    memory: Path | None = None
    """The folder in memory of the service that writes this history; None: what it has not written
    yet is left out."""

    @classmethod
    def of(
        cls, settings: Settings, eyes: KnownEyes = unknown, memory: Path | None = None
    ) -> ReportSource:
        return cls(
            settings.outbox.file.parent / FILE,
            calendar_of(settings.calendar),
            ReportedBox(settings.device.id, settings.device.site, version()),
            eyes,
            memory,
        )

    def report(self, period: Period, now: datetime, *, camera: str = "", zone: str = "") -> Report:
        """Return what happened in a period up to `now`; of one camera or zone, or of all.

        Raises HistoryError.
        """
        with FreshReader(self.history, self.memory) as reader:
            return compile_report(
                reader,
                period,
                self.calendar,
                self.eyes(camera),
                now=now,
                box=self.box,
                camera=camera,
                zone=zone,
            )
