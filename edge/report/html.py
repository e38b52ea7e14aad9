"""The report as one HTML file: no script, nothing from elsewhere, for screens and for paper."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from importlib.resources import files

from edge.report.chart import (
    HEIGHT,
    LEGEND,
    WIDTH,
    Chart,
    ChartBar,
    ChartDot,
    ChartLine,
    ChartShape,
    Ink,
    chart_of,
)
from edge.report.phrases import ReportTable, clock
from edge.report.records import Report
from edge.report.sections import span_of, summary, tables, title_of

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_PATTERNS = """<defs>
<pattern id="worn" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
<rect class="paper" width="5" height="5"/><rect class="hatch" width="2.4" height="5"/></pattern>
<pattern id="unwatched" width="4" height="4" patternUnits="userSpaceOnUse"
patternTransform="rotate(-45)"><rect class="paper" width="4" height="4"/>
<rect class="hatch" width="1.2" height="4"/></pattern>
<pattern id="apart" width="7" height="7" patternUnits="userSpaceOnUse">
<circle class="dots" cx="2" cy="2" r="0.9"/></pattern>
</defs>"""


def as_html(report: Report) -> str:
    """Return the whole document. All that comes from outside is escaped."""
    return "\n".join(_document(report)) + "\n"


def _document(report: Report) -> Iterator[str]:
    title = escape(title_of(report))
    yield '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield f"<title>{title}</title><style>{style()}</style></head><body>"
    yield "<main>"
    yield from as_parts(report)
    yield "</main></body></html>"


def style() -> str:
    """Return the style sheet of the parts."""
    return (files("edge.report") / "report.css").read_text(encoding="utf-8")


def as_parts(report: Report) -> Iterator[str]:
    """Yield what is in the main part, for a page that has its own frame, and `style`."""
    yield f'<article class="report"><header><h1>{escape(title_of(report))}</h1>'
    yield f"<p class=span>{escape(span_of(report))}</p>"
    yield f"<p class=verdict>{escape(report.verdict)}</p></header>"
    if report.notes:
        yield "<section class=notes><h2>Before you rely on it</h2><ul>"
        yield from (f"<li>{escape(note)}</li>" for note in report.notes)
        yield "</ul></section>"
    yield "<dl>"
    for label, value in summary(report):
        yield f"<div><dt>{escape(label)}</dt><dd>{escape(value)}</dd></div>"
    yield "</dl>"
    if report.counts.people:
        yield from _figure(chart_of(report))
    for table in tables(report):
        yield from _table(table)
    yield from _footer(report)
    yield "</article>"


def _figure(chart: Chart) -> Iterator[str]:
    yield f"<figure><figcaption>{escape(chart.title)}</figcaption>"
    yield f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-label="{escape(chart.title)}" '
    yield f'aria-describedby="chart"><desc id="chart">{escape(chart.description)}</desc>'
    yield _PATTERNS
    yield from map(_shape, chart.shapes)
    yield "</svg><ul class=legend>"
    for ink, name in LEGEND:
        swatch = _shape(ChartBar(0.5, 0.5, 13, 11, ink))
        drawn = f'<svg width="14" height="12" aria-hidden="true">{swatch}</svg>'
        yield f"<li>{drawn} {escape(name)}</li>"
    yield "<li>× not in the rate</li></ul></figure>"


def _shape(shape: ChartShape) -> str:
    match shape:
        case ChartBar(x, y, width, height, ink):
            return (
                f'<rect class="{ink}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
                f'height="{height:.1f}"/>'
            )
        case ChartLine(x1, y1, x2, y2, ink):
            kind = "grid" if ink is Ink.GRID else "line"
            return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'
        case ChartDot(x, y, radius):
            return f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"/>'
        case _:
            return (
                f'<text x="{shape.x:.1f}" y="{shape.y:.1f}" text-anchor="{shape.anchor}">'
                f"{escape(shape.text)}</text>"
            )


def _table(table: ReportTable) -> Iterator[str]:
    yield f"<section class=table><h2>{escape(table.title)}</h2>"
    yield '<div class="wide" tabindex="0" role="region" '
    yield f'aria-label="{escape(table.title)}"><table><thead><tr>'
    yield _cells(table.columns, table, "th scope=col")
    yield "</tr></thead><tbody>"
    for row in table.rows:
        yield f"<tr>{_cells(row, table, 'td')}</tr>"
    yield "</tbody></table></div>"
    if table.note:
        yield f"<p class=note>{escape(table.note)}</p>"
    yield "</section>"


def _cells(cells: Iterable[str], table: ReportTable, tag: str) -> str:
    name = tag.split()[0]
    return "".join(
        f"<{tag}{' class=words' if place in table.texts else ''}>{escape(cell)}</{name}>"
        for place, cell in enumerate(cells)
    )


def _footer(report: Report) -> Iterator[str]:
    yield "<footer><p class=sign><span>Signed</span><span>Date</span></p>"
    yield f"<p>{escape(title_of(report))}</p>"
    yield f"<p>Made {escape(clock(report.made_at))} by TensorMask {escape(report.made_by)}. "
    yield f"SHA-256 of the figures: <code>{report.digest}</code></p></footer>"
