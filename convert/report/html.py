"""Make HTML and SVG of values: text is escaped unless it was made here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

VOID = frozenset(("meta", "img", "br"))


class Html(str):
    """Markup, which is not escaped again."""

    __slots__ = ()


Child = str | int | float | Iterable["Child"] | None
"""What an element may hold: text, numbers as they are written, markup, and lists of these."""


def tag(element: str, /, *children: Child, **attributes: str | float | None) -> Html:
    """Return an element; `class_` is the attribute class, `aria_label` is aria-label.

    An attribute that is None is left out.
    """
    pairs = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    end = "" if element in VOID else f"{join(children)}</{element}>"
    return Html(f"<{element}{pairs}>{end}")


def join(children: Child) -> Html:
    """Return the children one after the other."""
    if children is None:
        return Html()
    if isinstance(children, Html):
        return children
    if isinstance(children, (str, int, float)):
        return Html(escape(str(children)))
    return Html("".join(join(child) for child in children))


def table(
    caption: str, head: Sequence[str], rows: Iterable[Sequence[Child]], class_: str | None = None
) -> Html:
    """Return a table, whose first column names its rows, in a box that scrolls where it is wide."""
    body = [
        tag("tr", tag("th", first, scope="row"), (_cell(each) for each in others))
        for first, *others in rows
    ]
    header = tag("tr", (tag("th", each, scope="col") for each in head))
    title = tag("caption", tag("span", caption))
    whole = tag("table", title, tag("thead", header), tag("tbody", body), class_=class_)
    # What scrolls must be reached by the keyboard.
    return tag("div", whole, class_="scroll", role="region", aria_label=caption, tabindex=0)


def details(summary: str, *children: Child) -> Html:
    return tag("details", tag("summary", summary), *children)


def _cell(child: Child) -> Html:
    return child if isinstance(child, Html) and child.startswith("<td") else tag("td", child)


def identifier(text: str) -> str:
    """Return the text as an id: lower case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
