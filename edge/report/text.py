"""The report for a terminal, and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any, get_args

import msgspec
from msgspec.structs import fields

from edge.report.phrases import ReportTable
from edge.report.records import Report, ReportPart, Unseen, UnwatchedTime
from edge.report.sections import span_of, summary, tables, title_of

ROWS = ("hours", "days", "shifts", "places", "cameras", "alerts", "conditions")
"""What CSV can have: one of these at a time."""
_FIELDS = {"alerts": "alert_list"}
_MOST_ALERTS = 20
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_text(report: Report) -> str:
    """Return the report for a terminal: plain lines, no wider than its tables."""
    facts = summary(report)
    width = max(len(label) for label, _ in facts)
    lines = [title_of(report), span_of(report), "", report.verdict]
    lines += [f"- {note}" for note in report.notes]
    lines += ["", *(f"{label:<{width}}  {value}" for label, value in facts)]
    for table in tables(report, _MOST_ALERTS):
        lines += ["", table.title.upper(), *_lines(table)]
    lines += [
        "",
        f"made {report.made_at} by TensorMask {report.made_by}",
        f"sha256 {report.digest}",
    ]
    return "\n".join(line.rstrip() for line in lines)


def _lines(table: ReportTable) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(table.columns, *table.rows, strict=True)]
    for row in (table.columns, *table.rows):
        yield "  ".join(
            f"{cell:<{width}}" if place in table.texts else f"{cell:>{width}}"
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
    if table.note:
        yield table.note


def as_csv(report: Report, rows: str = ROWS[0]) -> str:
    """Return some rows as CSV (RFC 4180), the parts of a part under `counts.people` and so on.

    No cell begins as a formula of a spreadsheet does: notes are written by people.
    """
    field = _FIELDS.get(rows, rows)
    content = msgspec.to_builtins(getattr(report, field))
    file = io.StringIO()
    # What is null has no parts of its own, and the column of the whole is none.
    writer = csv.DictWriter(file, columns_of(field), restval="", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(dict(_flat(each)) for each in content)
    return file.getvalue()


def columns_of(field: str) -> list[str]:
    """Return the columns of a field that has rows: the same whatever a period has in it."""
    (rows,) = (each.type for each in fields(Report) if each.name == field)
    (row, _) = get_args(rows)
    return list(_columns(row, ""))


def _columns(part: type[ReportPart], prefix: str) -> Iterator[str]:
    for each in fields(part):
        name = prefix + each.encode_name
        kinds = [kind for kind in (each.type, *get_args(each.type)) if _is_part(kind)]
        if kinds == [UnwatchedTime]:
            yield from (f"{name}.{reason}" for reason in Unseen)
        elif kinds:
            yield from _columns(kinds[0], f"{name}.")
        else:
            yield name


def _is_part(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, ReportPart)


def _flat(part: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in part.items():
        match value:
            case dict():
                yield from _flat(value, f"{prefix}{name}.")
            case list() | tuple() if not value or isinstance(value[0], str):
                yield prefix + name, " ".join(value)
            case list() | tuple():
                for each in value:
                    yield f"{prefix}{name}.{each['reason']}", each["seconds"]
            case str() if value.startswith(_FORMULA):
                yield prefix + name, f"'{value}"
            case None:
                yield prefix + name, ""
            case bool():
                yield prefix + name, str(value).lower()
            case _:
                yield prefix + name, value


def rows_of(report: Report) -> Iterable[str]:
    """Return what of it has rows."""
    return [each for each in ROWS if getattr(report, _FIELDS.get(each, each))]
