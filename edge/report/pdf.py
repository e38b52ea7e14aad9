"""The report as PDF: black on white, with the letters that every reader of PDF has."""

from __future__ import annotations

from collections.abc import Sequence

from edge.report.chart import HEIGHT as CHART_HEIGHT
from edge.report.chart import LEGEND, ChartBar, chart_of
from edge.report.chart import WIDTH as CHART_WIDTH
from edge.report.letters import width_of, wrapped, writable
from edge.report.paper import BOTTOM, INNER, LEFT, RIGHT, PaperPages
from edge.report.phrases import ReportTable, clock
from edge.report.records import Report
from edge.report.sections import span_of, summary, tables, title_of

_SIZE, _LEADING = 7.5, 10.0
_GAP = 6.5
"""Between two columns."""
_MUTED = 0.3
_TITLE_SIZE = 16
_FOOT = 90.0
"""How high the lines for signature and date are, with what is below them."""
_WITH_FOOT = 3
"""Rows on the page of the signature: alone on a sheet, it could be of any report."""


def as_pdf(report: Report) -> bytes:
    """Return the whole document."""
    paper = PaperPages(title_of(report))
    _head(paper, report)
    _summary(paper, report)
    if report.counts.people:
        _chart(paper, report)
    found = tables(report)
    for left, table in zip(range(len(found), 0, -1), found, strict=True):
        _table(paper, table, below=_FOOT if left == 1 else 0.0)
    _foot(paper, report)
    return paper.bytes()


def _lines(
    paper: PaperPages, text: str, size: float, x: float = LEFT, width: float = INNER,
    *, is_bold: bool = False, gray: float = 0.0,
) -> None:  # fmt: skip
    for line in wrapped(writable(text), width, size, is_bold=is_bold):
        paper.keep_together(size)
        paper.y -= 1.3 * size
        paper.text(x, paper.y, line, size, is_bold=is_bold, gray=gray)


def _head(paper: PaperPages, report: Report) -> None:
    title = title_of(report)
    lines = len(list(wrapped(writable(title), INNER, _TITLE_SIZE, is_bold=True)))
    _lines(paper, title, _TITLE_SIZE if lines <= 2 else 12, is_bold=True)
    paper.y -= 2
    _lines(paper, span_of(report), 8.5, gray=_MUTED)
    paper.y -= 10
    top = paper.y
    paper.y -= 6
    _lines(paper, report.verdict, 12.5, LEFT + 10, INNER - 20)
    paper.y -= 10
    paper.frame(LEFT, paper.y, INNER, top - paper.y, 1.2)
    if report.notes:
        paper.y -= 8
        _lines(paper, "Before you rely on it", 10.5, is_bold=True)
        paper.y -= 2
        for note in report.notes:
            y = paper.y
            _lines(paper, note, 8.5, LEFT + 10, INNER - 10)
            paper.text(LEFT + 1, y - 1.3 * 8.5, "·", 11, is_bold=True)


def _summary(paper: PaperPages, report: Report) -> None:
    """Write the figures in three columns."""
    facts = summary(report)
    width = INNER / 3
    paper.y -= 22
    for begin in range(0, len(facts), 3):
        row = facts[begin : begin + 3]
        values = [list(wrapped(writable(value), width - 12, 8.5, is_bold=True)) for _, value in row]
        height = 11 + 11 * max(map(len, values))
        paper.keep_together(height)
        for place, ((label, _), lines) in enumerate(zip(row, values, strict=True)):
            x = LEFT + place * width
            paper.text(x, paper.y, label, 7.5, gray=_MUTED)
            for number, line in enumerate(lines, 1):
                paper.text(x, paper.y - 11 * number, line, 8.5, is_bold=True)
        paper.y -= height + 4


def _chart(paper: PaperPages, report: Report) -> None:
    chart = chart_of(report)
    scale = INNER / CHART_WIDTH
    height = CHART_HEIGHT * scale
    paper.keep_together(height + 60)
    paper.y -= 10
    _lines(paper, chart.title, 10.5, is_bold=True)
    paper.y -= 6
    for shape in chart.shapes:
        paper.shape(shape, LEFT, paper.y, scale)
    paper.y -= height + 8
    x = LEFT
    for ink, name in LEGEND:
        paper.shape(ChartBar(0, -7, 10, 8, ink), x, paper.y, 1)
        paper.text(x + 13, paper.y, name, 7)
        x += 24 + width_of(name, 7)
    paper.text(x, paper.y, "× not in the rate", 7)
    paper.y -= 2
    # For those who have it read to them.
    _lines(paper, chart.description, 7, gray=_MUTED)


def _table(paper: PaperPages, table: ReportTable, below: float = 0.0) -> None:
    """Write a table; `below` is what has to stand on the same page as its last rows."""
    widths = column_widths(table)
    head = [
        list(wrapped(name, max(width, 8), _SIZE, is_bold=True))
        for name, width in zip(table.columns, widths, strict=True)
    ]
    rows = [
        [
            list(wrapped(writable(cell), width, _SIZE))
            for cell, width in zip(row, widths, strict=True)
        ]
        for row in table.rows
    ]
    last = rows[-_WITH_FOOT if below else -1 :]
    end = sum(map(_height, last)) + (14 if table.note else 0) + below
    is_whole = len(last) == len(rows) and below
    paper.keep_together((40 if is_whole else 60) + _height(head) + (end if is_whole else 0))
    paper.y -= 16
    _lines(paper, table.title, 10.5, is_bold=True)
    paper.y -= 4
    _row(paper, table, widths, head, is_bold=True)
    for left, cells in zip(range(len(rows), 0, -1), rows, strict=True):
        if paper.keep_together(end if left == len(last) else _height(cells)):
            _row(paper, table, widths, head, is_bold=True)
        _row(paper, table, widths, cells)
    if table.note:
        paper.y -= 2
        _lines(paper, table.note, 7, gray=_MUTED)


def _height(cells: Sequence[Sequence[str]]) -> float:
    return _LEADING * max(map(len, cells)) + 3


def _row(
    paper: PaperPages,
    table: ReportTable,
    widths: Sequence[float],
    cells: Sequence[Sequence[str]],
    *,
    is_bold: bool = False,
) -> None:
    """Write a row; the name of a column stands at its bottom, and all else at the top."""
    height = max(map(len, cells))
    x = LEFT
    for place, (lines, width) in enumerate(zip(cells, widths, strict=True)):
        is_text = place in table.texts
        first = height - len(lines) if is_bold else 0
        for number, line in enumerate(lines, 1 + first):
            anchor = "start" if is_text else "end"
            at = x if is_text else x + width
            y = paper.y - _LEADING * number + 2
            paper.text(at, y, line, _SIZE, is_bold=is_bold, anchor=anchor)
        x += width + _GAP
    paper.y -= _LEADING * height + 1
    gray, thick = (0.0, 0.5) if is_bold else (0.75, 0.3)
    paper.line(LEFT, paper.y, x - _GAP, paper.y, gray, thick)


def column_widths(table: ReportTable) -> list[float]:
    """Return how wide each column is: as its cells are, and where that is too much for the page,
    columns of words are narrower, the widest first."""
    widths = [
        max(
            *(width_of(word, _SIZE, is_bold=True) for word in name.split() or [""]),
            *(width_of(writable(row[place]), _SIZE) for row in table.rows),
            6.0,
        )
        for place, name in enumerate(table.columns)
    ]
    room = INNER - _GAP * (len(widths) - 1)
    while sum(widths) > room:
        widest = max(table.texts or range(len(widths)), key=lambda place: widths[place])
        if widths[widest] < 30:
            return [width * room / sum(widths) for width in widths]
        widths[widest] -= min(10.0, sum(widths) - room)
    return widths


def _foot(paper: PaperPages, report: Report) -> None:
    paper.keep_together(_FOOT)
    paper.y -= 50
    for begin, end, name in ((LEFT, LEFT + 300, "Signed"), (LEFT + 330, RIGHT, "Date")):
        paper.line(begin, paper.y, end, paper.y, 0.0, 0.6)
        paper.text(begin, paper.y - 9, name, 7, gray=_MUTED)
    paper.y = max(paper.y - 18, BOTTOM + 12)
    _lines(paper, title_of(report), 7, gray=_MUTED)
    made = f"Made {clock(report.made_at)} by TensorMask {report.made_by}."
    _lines(paper, f"{made} SHA-256 of the figures: {report.digest}", 7, gray=_MUTED)
