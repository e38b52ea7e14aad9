"""Pages of A4 that are written from top to bottom, as PDF: lines of text and shapes of a chart."""

from __future__ import annotations

import io
from typing import Any

import pydyf

from edge.report.chart import ChartBar, ChartDot, ChartLine, ChartShape, ChartText, Ink
from edge.report.letters import ENCODING, width_of, wrapped, writable

WIDTH, HEIGHT = 595.0, 842.0
"""Points of 1/72 inch."""
LEFT, RIGHT, TOP, BOTTOM = 40.0, 555.0, 800.0, 48.0
INNER = RIGHT - LEFT
_FONTS = {False: "F1", True: "F2"}
_GRAYS = {Ink.MASKED: 0.62, Ink.WITHOUT: 0.0, Ink.NOT_JUDGED: 1.0}
"""Inks that are plain; the others are hatched."""
_HATCHES = {Ink.WORN_WRONGLY: (4.0, 1.6, 1), Ink.UNWATCHED: (3.4, 0.6, -1)}
"""How far apart the lines are, how thick, and in which direction."""
_CIRCLE = 0.5523
"""How far the control points of a quarter of a circle are, as a share of its radius."""


class PaperPages:
    """A document that grows page by page. `y` is the height at which the next thing begins."""

    def __init__(self, title: str, language: str = "en") -> None:
        """`title` is also at the foot of each page: sheets get mixed up."""
        self.y = TOP
        self._title = title
        self._pdf: Any = pydyf.PDF()
        self._pdf.info["Title"] = pydyf.String(title)
        self._pdf.info["Creator"] = pydyf.String("TensorMask")
        self._pdf.catalog["Lang"] = pydyf.String(language)
        self._pdf.catalog["ViewerPreferences"] = pydyf.Dictionary({"DisplayDocTitle": "true"})
        self._fonts = pydyf.Dictionary()
        for is_bold, name in _FONTS.items():
            font = pydyf.Dictionary(
                {
                    "Type": "/Font",
                    "Subtype": "/Type1",
                    "BaseFont": "/Helvetica-Bold" if is_bold else "/Helvetica",
                    "Encoding": "/WinAnsiEncoding",
                }
            )
            self._pdf.add_object(font)
            self._fonts[name] = font.reference
        self._streams: list[Any] = []
        self.turn()

    def turn(self) -> None:
        """Begin the next page."""
        self._stream = pydyf.Stream(compress=True)
        self._streams.append(self._stream)
        self.y = TOP

    def keep_together(self, height: float) -> bool:
        """Begin the next page unless so much fits on this one; return whether one was begun."""
        if self.y - height >= BOTTOM:
            return False
        self.turn()
        return True

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        *,
        is_bold: bool = False,
        anchor: str = "start",
        gray: float = 0.0,
    ) -> None:
        """Write one line; `y` is its base line."""
        shown = writable(text)
        back = {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor]
        stream = self._stream
        stream.set_color_rgb(gray, gray, gray)
        stream.begin_text()
        stream.set_font_size(_FONTS[is_bold], size)
        stream.set_text_matrix(1, 0, 0, 1, x - back * width_of(shown, size, is_bold=is_bold), y)
        stream.stream.append(b"<" + shown.encode(ENCODING).hex().encode() + b"> Tj")
        stream.end_text()

    def line(self, x1: float, y1: float, x2: float, y2: float, gray: float, width: float) -> None:
        stream = self._stream
        stream.set_line_width(width)
        stream.set_color_rgb(gray, gray, gray, stroke=True)
        stream.move_to(x1, y1)
        stream.line_to(x2, y2)
        stream.stroke()

    def frame(self, x: float, y: float, width: float, height: float, line: float) -> None:
        self._stream.set_line_width(line)
        self._stream.set_color_rgb(0, 0, 0, stroke=True)
        self._stream.rectangle(x, y, width, height)
        self._stream.stroke()

    def shape(self, shape: ChartShape, x: float, top: float, scale: float) -> None:
        """Draw a shape of a chart whose upper left corner is at `x` and `top`."""
        match shape:
            case ChartBar():
                bottom = top - scale * (shape.y + shape.height)
                width, height = scale * shape.width, scale * shape.height
                self._bar(x + scale * shape.x, bottom, width, height, shape.ink)
            case ChartLine(x1, y1, x2, y2, ink):
                gray, width = (0.7, 0.4) if ink is Ink.GRID else (0.0, 0.7)
                ends = (x + scale * x1, top - scale * y1, x + scale * x2, top - scale * y2)
                self.line(*ends, gray, width)
            case ChartDot():
                self._dot(x + scale * shape.x, top - scale * shape.y, scale * shape.radius)
            case ChartText():
                place = (x + scale * shape.x, top - scale * shape.y)
                self.text(*place, shape.text, 10 * scale, anchor=shape.anchor, gray=0.25)

    def bytes(self) -> bytes:
        """Return the document, with the number of each page."""
        for number, stream in enumerate(self._streams, 1):
            self._stream = stream
            place = f"page {number} of {len(self._streams)}"
            room = INNER - width_of(place, 7) - 20
            foot, *more = wrapped(writable(self._title), room, 7)
            self.text(LEFT, BOTTOM - 20, f"{foot} …" if more else foot, 7, gray=0.3)
            self.text(RIGHT, BOTTOM - 20, place, 7, anchor="end", gray=0.3)
            self._pdf.add_object(stream)
            self._pdf.add_page(
                pydyf.Dictionary(
                    {
                        "Type": "/Page",
                        "Parent": self._pdf.pages.reference,
                        "MediaBox": pydyf.Array([0, 0, WIDTH, HEIGHT]),
                        "Contents": stream.reference,
                        "Resources": pydyf.Dictionary({"Font": self._fonts}),
                    }
                )
            )
        file = io.BytesIO()
        self._pdf.write(file, compress=True)
        return file.getvalue()

    def _bar(self, x: float, y: float, width: float, height: float, ink: Ink) -> None:
        stream = self._stream
        stream.push_state()
        if ink is Ink.APART:
            self._dots(x, y, width, height)
        else:
            gray = _GRAYS.get(ink, 1.0)
            stream.set_line_width(0.4)
            stream.set_color_rgb(gray, gray, gray)
            stream.set_color_rgb(0, 0, 0, stroke=True)
            stream.rectangle(x, y, width, height)
            stream.fill() if ink is Ink.MASKED else stream.fill_and_stroke()
        if ink in _HATCHES:
            self._hatch(x, y, width, height, ink)
        stream.pop_state()

    def _clip(self, x: float, y: float, width: float, height: float) -> None:
        self._stream.rectangle(x, y, width, height)
        self._stream.clip()
        self._stream.end()

    def _hatch(self, x: float, y: float, width: float, height: float, ink: Ink) -> None:
        self._clip(x, y, width, height)
        step, line, slope = _HATCHES[ink]
        # Through the origin of the page, so that the lines of neighbors meet.
        begin = int((x - height) / step) * step
        while begin < x + width + height:
            low, high = (begin, begin + height)[::slope]
            self.line(low, y, high, y + height, 0.0, line)
            begin += step

    def _dots(self, x: float, y: float, width: float, height: float) -> None:
        self._clip(x, y, width, height)
        row = int(y / 5) * 5.0
        while row < y + height:
            self._stream.set_line_cap(1)
            self._stream.set_dash([0, 5], 0)
            self.line(int(x / 5) * 5.0, row, x + width, row, 0.3, 1.1)
            row += 5

    def _dot(self, x: float, y: float, radius: float) -> None:
        stream, far = self._stream, _CIRCLE * radius
        stream.set_color_rgb(0, 0, 0)
        stream.move_to(x + radius, y)
        for a, b in ((1, 0), (0, 1), (-1, 0), (0, -1)):
            stream.curve_to(
                x + a * radius - b * far,
                y + b * radius + a * far,
                x - b * radius + a * far,
                y + a * radius + b * far,
                x - b * radius,
                y + a * radius,
            )
        stream.fill()
