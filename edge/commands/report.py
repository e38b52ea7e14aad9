"""`tensormask report`: what happened in a day, a shift, a week or a month, from the history."""

from __future__ import annotations

import argparse
import re
import sys
from datetime import datetime
from pathlib import Path

from edge.clock import SYSTEM_CLOCK
from edge.commands.new_file import refuse_existing
from edge.commands.options import add_config, add_json
from edge.commands.output import json_text, say
from edge.commands.parser import Parser
from edge.commands.places import refuse_unknown_places
from edge.config import DEFAULT_PATH, load_settings
from edge.durable import replace_file
from edge.errors import ConfigError
from edge.host.status_file import DIRECTORY
from edge.qualify.known import eyes_of
from edge.report.calendar import Calendar
from edge.report.html import as_html
from edge.report.period import Period, PeriodKind, period_named, shift_named
from edge.report.records import Report
from edge.report.signing import refuse_signer, sign_off, signed_name
from edge.report.source import ReportSource
from edge.report.text import ROWS, as_csv, as_text

# ruff: noqa: T201 - a command's output

FORMATS = ("table", "json", "csv", "html", "pdf")
_ENDINGS = {
    ".txt": "table",
    ".html": "html",
    ".htm": "html",
    ".pdf": "pdf",
    ".csv": "csv",
    ".json": "json",
}
_DIGEST = re.compile(r"[0-9a-f]{64}")


def add_arguments(parser: Parser) -> None:
    parser.runs(
        run,
        "sudo tensormask report --day yesterday",
        "sudo tensormask report --shift early --format csv --output early.csv",
        "sudo tensormask report --month 2026-11 --format html --output november.html",
        'sudo tensormask report --month 2026-11 --sign-off "A. Example"',
    )
    add_config(parser)
    periods = parser.add_mutually_exclusive_group()
    for kind, example in (
        (PeriodKind.DAY, "2026-11-29, today, yesterday"),
        (PeriodKind.WEEK, "2026-W48, last"),
        (PeriodKind.MONTH, "2026-11, last"),
    ):
        periods.add_argument(
            f"--{kind}",
            nargs="?",
            const="",
            metavar="DATE",
            help=f"{example}, or a day in it; default: the present one",
        )
    periods.add_argument(
        "--shift",
        nargs="+",
        metavar=("NAME", "DATE"),
        help="of [calendar] shifts, and the day on which it begins; default: the last that has",
    )
    parser.add_argument("--zone", default="", help="only what happened in this zone")
    parser.add_argument("--camera", default="", help="only what this camera saw")
    parser.add_argument(
        "--format", choices=FORMATS, help="default: as FILE ends; a table without FILE"
    )
    add_json(parser, "one JSON document, as --format json does")
    parser.add_argument(
        "--rows", choices=ROWS, default=ROWS[0], help="what CSV has; default: the hours"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="write there instead of to standard output; a file that is there is not overwritten",
    )
    parser.add_argument(
        "--sign-off",
        metavar="NAME",
        help="put a name to the report: an entry in the history with its SHA-256",
    )
    parser.add_argument(
        "--note", default="", metavar="TEXT", help="with --sign-off: what is to be known of it"
    )
    parser.add_argument(
        "--sha256",
        metavar="DIGEST",
        help="with --sign-off: sign only figures with this SHA-256, those that you have looked at",
    )


def run(options: argparse.Namespace) -> int:
    _refuse_signing(options)
    if options.json and options.format not in (None, "json"):
        raise ConfigError(f"--json and --format {options.format}: choose one of them")
    form = "json" if options.json else options.format or _format_of(options.output)
    if options.rows != ROWS[0] and form != "csv":
        raise ConfigError("--rows is for CSV: add --format csv")
    if form == "pdf" and options.output is None:
        raise ConfigError("a PDF is no text; write it to a file: --output FILE")
    if options.output is not None:
        refuse_existing(options.output, "--output")  # before anything is signed
    settings = load_settings(options.config)
    memory = DIRECTORY if options.config == DEFAULT_PATH else None  # of the installed service
    source = ReportSource.of(settings, lambda camera: eyes_of(settings, camera), memory)
    now = SYSTEM_CLOCK.utc()
    period = chosen(options, source.calendar, now)
    report = source.report(period, now, camera=options.camera, zone=options.zone)
    if (options.camera or options.zone) and not report.places:
        refuse_unknown_places(settings, source.report(period, now), options.camera, options.zone)
    if options.sign_off is not None:
        _sign_off(source.history, report, options, now)
        later = SYSTEM_CLOCK.utc()  # the entry is of `now`, and reports end before theirs
        report = source.report(period, later, camera=options.camera, zone=options.zone)
    _write(drawn(report, form, options.rows), options.output)
    return 0


def _format_of(output: Path | None) -> str:
    """Return the format that a file's name ends in; a table without a file. Raises ConfigError."""
    if output is None:
        return FORMATS[0]
    try:
        return _ENDINGS[output.suffix.lower()]
    except KeyError:
        known = ", ".join(_ENDINGS)
        raise ConfigError(f"--output {output}: end it with one of {known}, or --format") from None


def chosen(options: argparse.Namespace, calendar: Calendar, now: datetime) -> Period:
    """Return the period that is asked for; today where none is. Raises ConfigError."""
    if options.shift is not None:
        name, *day = options.shift
        if len(day) > 1:
            raise ConfigError("--shift takes a name and a day: --shift early 2026-11-29")
        period = shift_named(calendar, name, day[0] if day else "", now)
    else:
        named = ((kind, getattr(options, kind)) for kind in _KINDS)
        kind, text = next((each for each in named if each[1] is not None), (PeriodKind.DAY, ""))
        period = period_named(calendar, kind, text, now)
    if period.begin > now:
        raise ConfigError(f"{period.kind} {period.name} has not begun yet")
    return period


_KINDS = (PeriodKind.DAY, PeriodKind.WEEK, PeriodKind.MONTH)


def drawn(report: Report, kind: str, rows: str) -> bytes:
    """Return the report in one of the FORMATS. Raises ImportError without what a PDF needs."""
    if kind == "json":
        return (json_text(report, spread=True) + "\n").encode()
    if kind == "csv":
        return as_csv(report, rows).encode()
    if kind == "pdf":
        # Imported only here: its package is needed for nothing else.
        from edge.report.pdf import as_pdf

        return as_pdf(report)
    if kind == "html":
        return as_html(report).encode()
    return (as_text(report) + "\n").encode()


def _write(content: bytes, output: Path | None) -> None:
    if output is None:
        print(content.decode(), end="", flush=True)
        return
    try:
        replace_file(output, content)
    except OSError as error:
        raise ConfigError(f"--output {output}: {error.strerror}") from error
    print(f"{output}: {len(content)} bytes", file=sys.stderr)


def _refuse_signing(options: argparse.Namespace) -> None:
    """Raise ConfigError where the words about signing off cannot be kept."""
    if options.sign_off is None:
        if options.note or options.sha256:
            raise ConfigError("--note and --sha256 are for signing: add --sign-off NAME")
        return
    options.sign_off, options.note = options.sign_off.strip(), options.note.strip()
    refuse_signer(options.sign_off, options.note)
    if options.sha256 is not None and not _DIGEST.fullmatch(options.sha256):
        raise ConfigError("--sha256: 64 hexadecimal digits, as the report ends with")


def _sign_off(path: Path, report: Report, options: argparse.Namespace, now: datetime) -> None:
    if options.sha256 not in (None, report.digest):
        raise ConfigError(
            f"the figures have changed, and have SHA-256 {report.digest} now: look at them again"
        )
    sign_off(path, report, options.sign_off, options.note, now)
    say(f"signed off by {options.sign_off}: {signed_name(report)}, sha256 {report.digest}")
