"""What people ask the history to note: what was done about an alert, and whether the rule is on."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from edge.history.records import MAX_NOTE, Reason, Remedy

MAX_BY = 40
MAX_NAME = 32
"""Characters: of who it is, and of the name alone, before which comes the way by which he asked."""
LINE_CHARACTER = r"[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
"""What neither moves a terminal's cursor, nor breaks a line, nor turns its direction."""
ONE_LINE = rf"^{LINE_CHARACTER}*$"
_PAGE = "page"

EventId = Annotated[str, Meta(pattern=r"^[0-9a-f-]{36}$")]
Note = Annotated[str, Meta(max_length=MAX_NOTE, pattern=ONE_LINE)]
By = Annotated[str, Meta(max_length=MAX_BY, pattern=ONE_LINE)]
Name = Annotated[str, Meta(max_length=MAX_NAME, pattern=ONE_LINE)]


class Acknowledge(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Note what was done about an alert; said again, it corrects what was said before."""

    event_id: EventId | None = None
    """None: the newest alert of which nobody has said anything."""
    reason: Reason = "other"
    remedy: Remedy = "other"
    note: Note = ""
    by: By = ""
    """A name or a role, as far as it is known."""


class SetRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """The mask rule holds from now on, or no longer."""

    is_on: bool
    by: By = ""


HistoryRequest = Acknowledge | SetRule


def on_the_page(name: str) -> str:
    """Return who it was, with the way by which he came: nobody has verified the name."""
    return f"{_PAGE} {name.strip()[:MAX_NAME]}".strip()


def is_of_page(by: str) -> bool:
    """Tell whether somebody came by the page."""
    return by.partition(" ")[0] == _PAGE
