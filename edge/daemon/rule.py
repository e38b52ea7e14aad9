"""Keeps whether the mask rule is on: by the calendar, and by what the journal of the history says.

With the rule off, people are counted and nobody is reported.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from edge.clock import SYSTEM_CLOCK, Clock
from edge.daemon.lookout import Glance
from edge.daemon.side_thread import SideThread
from edge.history.records import Entry
from edge.history.stamp import Stamp, are_settled, stamps_of
from edge.history.store import HistoryError, HistoryReader
from edge.report.calendar import Calendar
from edge.report.rule import MaskRule, rule_entries
from edge.telemetry import RuleState, Telemetry

_log = logging.getLogger(__name__)

LOOKED_EVERY_S = 3.0
"""Whether the journal was written to: somebody waits for what was said to hold."""
CLOSING_S = 0.5
_AHEAD = timedelta(days=1)
"""What was said by a clock that is set back since then."""


class RuledPolicy(Protocol):
    """Who reports people, or does not: `ViolationPolicy`."""

    reports: bool


class RuleKeeper:
    """An outlet that reports nothing: in each turn it switches the policies on or off.

    Its thread reads the journal, where this process or another one writes down a command; the loop
    does not wait for the disk.
    """

    def __init__(
        self,
        calendar: Calendar,
        history: Path,
        policies: Iterable[RuledPolicy],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """`history` need not be there yet."""
        self._calendar = calendar
        self._history = history
        self._policies = tuple(policies)
        self._clock = clock
        self._entries: tuple[Entry, ...] = ()
        """As the journal has them."""
        self._stamps: tuple[Stamp, ...] = ()
        self._is_unread = False
        self._trouble = ""
        self._state = RuleState(is_on=True)
        self._minute: int | None = None
        """When the state was found; None: it has to be found again."""
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread = SideThread("rule", self._work)
        self._read()

    @property
    def state(self) -> RuleState:
        """What holds now. Any thread may ask."""
        now = self._clock.utc()
        minute = int(now.timestamp()) // 60
        with self._lock:
            if minute != self._minute:
                self._minute = minute
                former, self._state = self._state, self._found(now)
                if former.is_on is not self._state.is_on:
                    _log.info("%s", in_words(self._state))
            return self._state

    def look(self) -> None:
        """Read the journal soon: somebody has written to it. Any thread may."""
        self._wake.set()

    def start(self) -> None:
        self._switch()
        self._thread.start()

    def take(self, glance: Glance, telemetry: Telemetry) -> None:
        self._switch()

    def close(self) -> None:
        self._thread.ask_to_end()
        self._wake.set()
        self._thread.end(CLOSING_S)

    def _switch(self) -> None:
        is_on = self.state.is_on
        for policy in self._policies:
            policy.reports = is_on

    def _found(self, now: datetime) -> RuleState:
        return MaskRule(self._calendar, self._entries).at(now)

    def _work(self) -> None:
        while True:
            self._read()
            if self._thread.is_ending():
                return
            self._wake.wait(LOOKED_EVERY_S)
            self._wake.clear()

    def _read(self) -> None:
        stamps = stamps_of(self._history)
        if stamps == self._stamps:
            return
        try:
            with HistoryReader(self._history) as reader:
                entries = tuple(rule_entries(reader, self._clock.utc() + _AHEAD))
        except HistoryError as error:
            # Once, it may be that another process makes the file just now.
            if self._is_unread:
                self._complain(f"{error}; what was said of the mask rule is not known")
            self._is_unread = True
            return
        self._is_unread = False
        if are_settled(stamps):
            self._stamps = stamps
        with self._lock:
            if entries != self._entries:
                self._entries = entries
                self._minute = None

    def _complain(self, trouble: str) -> None:
        if trouble != self._trouble:
            _log.warning("%s", trouble)
        self._trouble = trouble


def in_words(state: RuleState) -> str:
    """Return what holds, for people."""
    by = f", by {state.by}" if state.by else ""
    what = "" if state.is_on else ": people are counted, and nobody is reported"
    return f"mask rule {'on' if state.is_on else 'off'}{by}{what}"
