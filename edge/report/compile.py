"""Compiles a report: what the history has of a period, in figures that agree with each other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from edge.history.records import EVER, EntryKind, at_minute
from edge.history.store import HistoryReader
from edge.rates import Eyes
from edge.report.calendar import Calendar
from edge.report.cells import people_in, watch_in
from edge.report.conditions import condition_figures
from edge.report.figures import (
    Acknowledged,
    alert_figures,
    eyes_figures,
    rate_estimate,
    watch_figures,
)
from edge.report.gather import PlaceFilter, gather
from edge.report.making import ReportParts, deletions
from edge.report.marks import LIMITS
from edge.report.period import Period
from edge.report.records import Report
from edge.report.signed import digest_of
from edge.report.signing import sign_offs
from edge.report.spans import MinuteSpan
from edge.report.verdict import notes_of, verdict_of

MAX_ALERTS = 5000
"""In the list of a report."""


@dataclass(frozen=True, slots=True)
class ReportedBox:
    """Whose report it is."""

    device_id: str = ""
    site: str = ""
    version: str = ""


def compile_report(
    reader: HistoryReader,
    period: Period,
    calendar: Calendar,
    eyes: Eyes | None,
    *,
    now: datetime,
    box: ReportedBox = ReportedBox(),
    camera: str = "",
    zone: str = "",
) -> Report:
    """Return what happened in a period up to `now`. Raises HistoryError.

    `camera` and `zone` narrow it; empty: all. `eyes` are what the rate is corrected by.
    """
    where = PlaceFilter(camera, zone)
    entries = reader.journal(EVER, max(now, period.end))
    gathered = gather(reader, period, calendar, entries, where, now)
    said = Acknowledged(reader.acknowledgements(period.begin, period.end))
    holds = timedelta(hours=LIMITS.proof_holds_h)
    proofs = [
        each
        for each in reader.sight(period.begin - holds, period.end + holds)
        if where.takes_camera(each.camera)
    ]
    making = ReportParts(gathered, calendar, said, proofs, lambda sizes: rate_estimate(sizes, eyes))
    cells = gathered.cells
    sizes = people_in(making.rated(cells)).sizes()
    alerts = [alert for cell in cells for alert in cell.alerts]
    until = at_minute(gathered.until)
    listed = alerts[-MAX_ALERTS:]
    draft = Report(
        device_id=box.device_id,
        site=box.site,
        kind=period.kind,
        period=period.name,
        begin=making.text(period.begin),
        end=making.text(period.end),
        until=making.text(until),
        time_zone=calendar.zone_name,
        camera=camera,
        zone=zone,
        made_at=making.text(now),
        made_by=box.version,
        verdict="",
        notes=(),
        counts=people_in(cells).counts(),
        rate=making.rate(cells),
        watch=watch_figures(watch_in(cells)),
        alerts=alert_figures(alerts, said),
        hours_left_out=len(making.left_out),
        limits=LIMITS,
        apart=making.apart(),
        hours=making.hours,
        days=making.days(period),
        shifts=making.shifts(),
        places=making.places(),
        cameras=making.cameras(),
        alert_list=tuple(making.listed(each) for each in listed),
        alerts_not_listed=len(alerts) - len(listed),
        conditions=condition_figures(
            reader.conditions(period.begin, until), entries, period.begin, min(until, now)
        ),
        eyes=eyes_figures(eyes, sizes),
        sight=making.sight(),
        rule=making.rule(MinuteSpan(period.span.begin, gathered.until)),
        clock=making.lines(EntryKind.CLOCK_STEPPED, period.begin, until),
        made_with=making.made_with(period.begin, until),
        signed_off=(),
        deleted=deletions(entries, period.begin, making.text),
        digest="",
    )
    report = msgspec.structs.replace(
        draft, digest=digest_of(draft), signed_off=sign_offs(entries, draft, making.text)
    )
    return msgspec.structs.replace(report, verdict=verdict_of(report), notes=notes_of(report))
