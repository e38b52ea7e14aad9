"""Both lists together."""

from __future__ import annotations

from edge.conditions.codes import Code, Condition
from edge.conditions.found import FOUND
from edge.conditions.running import RUNNING

KINDS = RUNNING | FOUND


def condition(code: Code, subject: str = "", /, **known: object) -> Condition:
    """Return the condition of that code, with what is known of it. Raises KeyError for less."""
    kind = KINDS[code]
    text, fix = kind.text.format(**known), kind.fix.format(**known)
    return Condition(code, kind.severity, text, fix, subject)
