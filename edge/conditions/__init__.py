"""Everything that can be wrong with a box: a code, how grave it is, a sentence and what fixes it.

`status`, `doctor`, `check`, `watch`, the page, the log and `health` speak from these lists. The
codes are for programs and never change; the sentences are for people and may.
"""

from __future__ import annotations

from edge.conditions.codes import Code, Condition, Severity
from edge.conditions.kinds import KINDS, condition, in_general
from edge.conditions.now import (
    MUCH_WAITS_S,
    OF_THE_CONNECTION,
    STRAINS,
    VIEWS,
    conditions,
    ending_soon,
    health_codes,
    news,
    queued_in,
)
from edge.conditions.running import CORRECT_SOURCE, RUNNING

__all__ = [
    "CORRECT_SOURCE",
    "KINDS",
    "MUCH_WAITS_S",
    "OF_THE_CONNECTION",
    "RUNNING",
    "STRAINS",
    "VIEWS",
    "Code",
    "Condition",
    "Severity",
    "condition",
    "conditions",
    "ending_soon",
    "health_codes",
    "in_general",
    "news",
    "queued_in",
]
