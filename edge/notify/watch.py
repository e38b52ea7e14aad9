"""Which conditions have lasted so long that somebody is to know, and which of these are over."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from edge.conditions import Code, Condition
from edge.notify.event import NotedEvent, of_condition


@dataclass(slots=True)
class _Lasting:
    condition: Condition
    since_s: float
    number: str
    is_sent: bool = False


class ConditionWatch:
    """Follows the conditions of one target; what is remembered does not outlive the program."""

    def __init__(self, codes: Collection[str], after_s: float) -> None:
        self._codes = codes
        self._after_s = after_s
        self._lasting: dict[tuple[Code, str], _Lasting] = {}

    def note(self, found: Iterable[Condition], now_s: float, at: datetime) -> Iterator[NotedEvent]:
        """Yield what is new by now; `found` is all that is wrong now."""
        now = {(each.code, each.subject): each for each in found if each.code in self._codes}
        for key, condition in now.items():
            lasting = self._lasting.setdefault(key, _Lasting(condition, now_s, os.urandom(6).hex()))
            lasted_s = now_s - lasting.since_s
            if not lasting.is_sent and lasted_s >= self._after_s:
                lasting.is_sent = True
                yield of_condition(condition, lasting.number, at, lasted_s)
        for key in self._lasting.keys() - now.keys():
            lasting = self._lasting.pop(key)
            if lasting.is_sent:
                lasted_s = now_s - lasting.since_s
                yield of_condition(lasting.condition, lasting.number, at, lasted_s, has_ended=True)
