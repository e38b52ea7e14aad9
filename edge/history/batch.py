"""Rows on their way into the file."""

from __future__ import annotations

from dataclasses import dataclass, field

from edge.history.records import Alert, ConditionSpan, Entry, People, SightProof, WatchedTime


@dataclass(slots=True)
class HistoryBatch:
    """What is written in one transaction. Counts and seconds are added to those that are there;
    alerts and conditions replace what is there under the same key."""

    people: list[People] = field(default_factory=list)
    watched: list[WatchedTime] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    conditions: list[ConditionSpan] = field(default_factory=list)
    journal: list[Entry] = field(default_factory=list)
    sight: list[SightProof] = field(default_factory=list)
    run: str = ""
    """Of which run of the program it is, if it is numbered: then it is written once, however often
    that is tried."""
    number: int = 0
    """Counts from 1 in each run."""

    @property
    def rows(self) -> int:
        kinds = (self.people, self.watched, self.alerts, self.conditions, self.journal, self.sight)
        return sum(len(each) for each in kinds)
