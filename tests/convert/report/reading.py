"""Read a report as a browser does, without one."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path


class Page(HTMLParser):
    """What a report holds."""

    def __init__(self) -> None:
        super().__init__()
        self.sections: list[str] = []
        self.tables: dict[str, dict[str, list[str]]] = {}
        """By caption the rows, by what stands in their first column."""
        self.elsewhere: list[str] = []
        """What it would load or run, and where it leads outside of itself."""
        self._text: list[str] = []
        self._rows: dict[str, list[str]] = {}
        self._row: list[str] = []
        self._ids: set[str] = set()

    @classmethod
    def of(cls, path: Path) -> Page:
        page = cls()
        page.feed(path.read_text())
        page.close()
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "link", "iframe", "object", "base", "form"):
            self.elsewhere.append(tag)
        for name, value in attrs:
            inside = {"src": "data:image/", "href": "#"}.get(name)
            if inside and not (value or "").startswith(inside):
                self.elsewhere.append(f"{tag} {name}={value}")
            if name.startswith("on") or name == "style" or "url(" in (value or ""):
                self.elsewhere.append(f"{tag} {name}={value}")
        if tag in ("caption", "h2", "th", "td"):
            self._text = []
        elif tag == "tr":
            self._row = []

    def handle_data(self, data: str) -> None:
        self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        text = "".join(self._text)
        if tag == "h2":
            self.sections.append(text)
        elif tag == "style" and ("url(" in text or "@import" in text):
            self.elsewhere.append(text)
        elif tag == "caption":
            assert text not in self.tables, text
            self._rows = self.tables[text] = {}
        elif tag in ("th", "td"):
            self._row.append(text)
        elif tag == "tr" and self._row:
            self._rows[self._row[0]] = self._row[1:]
        elif tag == "thead":
            self._rows.clear()
