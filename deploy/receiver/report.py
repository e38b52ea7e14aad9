"""`python -m receiver report`: what a fleet counted in a period, as table, CSV, JSON or page."""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import astuple, fields
from datetime import UTC, datetime, tzinfo
from html import escape
from zoneinfo import ZoneInfo

import psycopg

from .fleet import FleetGap, FleetHour, FleetReport, FleetRow, as_data, read_fleet

MOST_GAPS = 200
"""Are listed in a table; JSON and CSV have all."""
NOTES = (
    "People are those who left in the period while the mask rule was on.",
    "The rate is masked / (masked + without), of the hours of which at most a quarter was not "
    "watched and in which at most half of the people were not judged, as counted, with the "
    "interval (95 %) of the number of people. Corrected: for what the box is known to miss, as in "
    "its own reports, by what it says of its eyes; the interval holds that uncertainty, too. "
    "All boxes together are corrected only if they have the same eyes.",
    "Hours are those with a message; of missing ones none has come yet. Off: not running, by the "
    "box's own account. Wrong clock: these hours belong to another date; their people are counted, "
    "and in no rate. Watched is the share of all hours since the box is there, nights included.",
)
_COLUMNS = (
    "box", "site", "zone", "hours", "missing", "off", "watched", "people", "masked", "without",
    "wrongly", "unjudged", "no rule", "rate", "from", "to", "corrected", "from", "to", "alerts",
)  # fmt: skip
_TEXTS = 3
"""Columns on the left that are no numbers."""


def main(arguments: Sequence[str]) -> None:
    """Print a report; exits with a line that says what is wrong."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        zone: tzinfo = UTC if options.timezone == "UTC" else ZoneInfo(options.timezone)
    except (KeyError, OSError, ValueError):
        parser.error(f"no time zone {options.timezone!r}; write it as Europe/Berlin or UTC")
    try:
        begin, end = (_time(text, zone) for text in (options.since, options.until))
    except ValueError as error:
        parser.error(str(error))
    if end <= begin:
        parser.error("--to must be after --from; it is not in the period")
    try:
        with psycopg.connect(autocommit=True, connect_timeout=5) as connection:
            fleet = read_fleet(connection, begin, end)
    except psycopg.errors.UndefinedFunction:
        sys.exit("receiver report: the database is older; run: psql -q -f schema.sql")
    except psycopg.Error as error:
        sys.exit(f"receiver report: {str(error).strip()}")
    sys.stdout.write(_FORMATS[options.format](fleet, zone))


def as_table(fleet: FleetReport, zone: tzinfo) -> str:
    """Return it for a terminal: the boxes, their sum, and the gaps."""
    lines = [_COLUMNS, *(_cells(fleet, row) for row in (*fleet.rows, fleet.total))]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [_period(fleet, zone), ""]
    for line in lines:
        places = enumerate(zip(line, widths, strict=True))
        padded = (c.ljust(w) if n < _TEXTS else c.rjust(w) for n, (c, w) in places)
        text.append("  ".join(padded).rstrip())
    text += ["", *_eyes_in_words(fleet)]
    text += ["", f"Gaps: {len(fleet.gaps) or 'none'}"]
    text += [f"  {_gap(gap, zone)}" for gap in fleet.gaps[:MOST_GAPS]]
    if len(fleet.gaps) > MOST_GAPS:
        text.append(f"  and {len(fleet.gaps) - MOST_GAPS} more: --format json")
    return "\n".join([*map(_printable, text), "", *NOTES, ""])


def as_csv(fleet: FleetReport, zone: tzinfo) -> str:
    """Return each box in each hour, a line each."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in fields(FleetHour))
    for cell in fleet.cells:
        device_id, hour, *rest = astuple(cell)
        writer.writerow((_harmless(device_id), hour.astimezone(zone).isoformat(), *rest))
    return text.getvalue()


def as_json(fleet: FleetReport, zone: tzinfo) -> str:
    """Return the boxes, their sum, the sizes of the faces and the gaps; times are UTC."""
    return json.dumps(as_data(fleet), indent=2) + "\n"


def as_html(fleet: FleetReport, zone: tzinfo) -> str:
    """Return a page that needs no other file, and prints in black and white."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in _COLUMNS)
    rows = "".join(_html_row(fleet, row) for row in (*fleet.rows, fleet.total))
    eyes = "".join(f"<p>{escape(line)}</p>" for line in _eyes_in_words(fleet))
    gaps = "".join(f"<li>{escape(_gap(gap, zone))}</li>" for gap in fleet.gaps)
    notes = "".join(f"<p>{escape(note)}</p>" for note in NOTES)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>Masks: {escape(_period(fleet, zone))}</title>"
        f"<style>{_STYLE}</style></head><body><h1>{escape(_period(fleet, zone))}</h1>"
        f"<table><caption>Boxes</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        f"{eyes}{_days(fleet, zone)}"
        f"<h2>Gaps</h2>{f'<ul>{gaps}</ul>' if gaps else '<p>None.</p>'}"
        f"<h2>How to read it</h2>{notes}</body></html>\n"
    )


_STYLE = (
    "body{font:13px/1.4 system-ui,sans-serif;margin:2em;color:#111}"
    "table{border-collapse:collapse;margin:1em 0}caption{text-align:left;font-weight:bold}"
    "th,td{border:1px solid #999;padding:2px 6px;text-align:right;white-space:nowrap}"
    "td.t,th.t{text-align:left}tr.all td{font-weight:bold;border-top:2px solid #111}"
    "td.gap{outline:2px solid #111;outline-offset:-2px;font-weight:bold}"
    "@page{size:A4 landscape;margin:12mm}@media print{body{margin:0;font-size:9px}"
    "thead{display:table-header-group}tr{break-inside:avoid}}"
)


def _html_row(fleet: FleetReport, row: FleetRow) -> str:
    cells = "".join(
        f"<td{' class=t' if number < _TEXTS else ''}>{escape(cell)}</td>"
        for number, cell in enumerate(_cells(fleet, row))
    )
    return f"<tr{' class=all' if row.device_id == 'all' else ''}>{cells}</tr>"


def _days(fleet: FleetReport, zone: tzinfo) -> str:
    """Return how much of each day each box watched, in percent; days with a gap are framed."""
    days = sorted({cell.hour.astimezone(zone).date() for cell in fleet.cells})
    by_day: dict[tuple[str, object], list[FleetHour]] = {}
    for cell in fleet.cells:
        by_day.setdefault((cell.device_id, cell.hour.astimezone(zone).date()), []).append(cell)
    head = "".join(f'<th scope="col">{day:%m<br>%d}</th>' for day in days)
    rows = ""
    for row in fleet.rows:
        shares = "".join(_day(by_day.get((row.device_id, day), [])) for day in days)
        rows += f'<tr><th scope="row" class=t>{escape(row.device_id)}</th>{shares}</tr>'
    caption = (
        "Watched, percent of each day (month over day); framed: some hours have no message; "
        "–: not there yet"
    )
    return (
        f"<table><caption>{caption}</caption><thead><tr><th></th>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def _day(cells: Sequence[FleetHour]) -> str:
    there = [cell for cell in cells if cell.account not in ("before", "misdated")]
    if not there:
        return "<td>–</td>"
    percent = sum(cell.watched_s for cell in there) / (36 * len(there))
    is_gap = any(cell.account == "missing" for cell in there)
    return f"<td{' class=gap' if is_gap else ''}>{percent:.0f}</td>"


def _eyes_in_words(fleet: FleetReport) -> list[str]:
    """Return by what the rates are corrected, or why they are not; what is alike in one line."""
    boxes: dict[str, list[str]] = {}
    for row in (*fleet.rows, fleet.total):
        rate = fleet.rate(row.device_id)
        if rate.rate is not None:
            what = f"not corrected, {rate.why_not}" if rate.why_not else f"corrected, {rate.eyes}"
            boxes.setdefault(what, []).append(row.device_id)
    return [f"{', '.join(names)}: {what}" for what, names in boxes.items()]


def _cells(fleet: FleetReport, row: FleetRow) -> tuple[str, ...]:
    of_masks = fleet.rate(row.device_id)
    rate = of_masks.rate
    naive = (rate.naive, rate.naive_low, rate.naive_high) if rate else (None, None, None)
    corrected = (rate.corrected, rate.low, rate.high) if rate else (None, None, None)
    better = ["not corrected", "", ""] if of_masks.why_not else [_percent(c) for c in corrected]
    return (
        row.device_id, row.site, row.zone, str(row.reported), str(row.missing), str(row.off),
        _percent(row.watched_share), str(row.seen), str(row.masked), str(row.bare),
        str(row.worn_wrongly), str(row.unknown), str(row.no_rule),
        *map(_percent, naive), *better, str(row.alerts),
    )  # fmt: skip


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _period(fleet: FleetReport, zone: tzinfo) -> str:
    begin, end = (at.astimezone(zone).isoformat(sep=" ", timespec="minutes")
                  for at in (fleet.begin, fleet.end))  # fmt: skip
    return f"From {begin} to {end}: {len(fleet.rows)} boxes"


def _gap(gap: FleetGap, zone: tzinfo) -> str:
    begin, end = (at.astimezone(zone).isoformat(sep=" ", timespec="minutes")
                  for at in (gap.begin, gap.end))  # fmt: skip
    return f"{gap.device_id}: {begin} to {end} ({gap.hours} h): {gap.why}"


def _printable(line: str) -> str:
    """Return a line without what a terminal would obey: names come from the boxes."""
    return "".join(each if each.isprintable() else "?" for each in line)


def _harmless(name: str) -> str:
    """Return a name that a spreadsheet does not take for a formula."""
    return f"'{name}" if name.startswith(("=", "+", "-", "@", "\t", "\r")) else name


def _time(text: str, zone: tzinfo) -> datetime:
    """Return a day's or time's beginning. Raises ValueError with a line for people."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no date; write 2026-03-01 or 2026-03-01T06:00") from None
    at = (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    if at.timestamp() % 3600:
        raise ValueError(f"{text} is no whole hour of UTC, which is what the devices count")
    return at


_FORMATS: dict[str, Callable[[FleetReport, tzinfo], str]] = {
    "table": as_table,
    "csv": as_csv,
    "json": as_json,
    "html": as_html,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="receiver report", description="What a fleet counted in a period."
    )
    parser.add_argument(
        "--from", dest="since", required=True, metavar="DAY", help="2026-03-01 or 2026-03-01T06:00"
    )
    parser.add_argument(
        "--to", dest="until", required=True, metavar="DAY", help="which is not in the period"
    )
    parser.add_argument(
        "--timezone",
        default="UTC",
        metavar="ZONE",
        help="of these days: Europe/Berlin (%(default)s)",
    )
    parser.add_argument(
        "--format", choices=_FORMATS, default="table",
        help="csv: each box in each hour; json: all but the hours (%(default)s)",
    )  # fmt: skip
    return parser
