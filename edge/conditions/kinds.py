"""Both lists together."""

from __future__ import annotations

from edge.conditions.codes import Code, Condition
from edge.conditions.found import FOUND
from edge.conditions.running import RUNNING

KINDS = RUNNING | FOUND


def in_general(code: str) -> str:
    """Return what is said of any condition of that code, as a report does long after.

    Of one that a newer release has written, the code."""
    try:
        kind = KINDS[Code(code)]
    except ValueError:
        return code
    before, is_cut, _ = kind.text.partition("{")
    said = before.split(": ")[0] if is_cut else before
    return kind.past or said.rstrip(" :") or kind.short or code


def condition(code: Code, subject: str = "", /, **known: object) -> Condition:
    """Return the condition of that code, with what is known of it. Raises KeyError for less."""
    kind = KINDS[code]
    text, fix = kind.text.format(**known), kind.fix.format(**known)
    return Condition(code, kind.severity, text, fix, subject)
