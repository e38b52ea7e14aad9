"""People who passed, labeled by somebody who knows what they wore: what counts, and for whom. Pure.

What the device judged is not shown before all is labeled. A picture is dropped as soon as the next
person was labeled, and nothing of it is kept anywhere else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from edge.eyes import KnownPeople, LabelCounts, LabelWay, NetworkPair, Qualification
from edge.qualify.criteria import faults_of, label_criteria
from edge.records import MaskState, Verdict

MOST_VISITS = 200
"""Then the recording ends: a sample that leaves people out in the middle is none."""
MOST_COUNTED = 999
LABEL_FOR_S = 3600.0
"""How long after the recording there is time to label."""


class Label(StrEnum):
    """What somebody wore who passed."""

    MASKED = "masked"
    BARE = "bare"
    WORN_WRONGLY = "worn_wrongly"
    NOBODY = "nobody"
    """It is no person: a poster, a hand, the back of a head."""
    UNCLEAR = "unclear"
    """Nobody can say."""


class NotLabeledError(Exception):
    """It was not done, and the text says why."""


@dataclass(frozen=True, slots=True)
class LabelPicture:
    """A part of the scene with a person in it, as JPEG."""

    covered: bytes
    """All heads."""
    uncovered: bytes = b""
    """All but that of the person; empty: that is not allowed."""


@dataclass(slots=True)
class RecordedVisit:
    """A visit that ended while it was recorded."""

    number: int
    """Counts from 1."""
    at: datetime
    """When the person was last seen."""
    verdict: Verdict
    pictures: Sequence[LabelPicture]
    label: Label | None = None
    is_uncovered: bool = False


@dataclass(slots=True)
class LabelSession:
    """One recording, and how far it is labeled. Times are seconds of a monotonic clock."""

    camera: str
    way: LabelWay
    by: str
    minutes: int
    until_s: float
    """When the recording ends."""
    visits: list[RecordedVisit] = field(default_factory=list)
    missed: Counter[MaskState] = field(default_factory=Counter)
    _last: RecordedVisit | None = None
    """Who was labeled last, and may be labeled again."""

    def is_recording(self, now_s: float) -> bool:
        return now_s < self.until_s

    def is_forgotten(self, now_s: float) -> bool:
        """Return whether there was time enough to label."""
        return now_s >= self.until_s + LABEL_FOR_S

    def record(
        self, at: datetime, verdict: Verdict, pictures: Sequence[LabelPicture], now_s: float
    ) -> None:
        """Take in a visit that has ended, as long as it is recorded."""
        if not self.is_recording(now_s):
            return
        self.visits.append(RecordedVisit(len(self.visits) + 1, at, verdict, pictures))
        if len(self.visits) >= MOST_VISITS:
            self.until_s = now_s

    def stop(self, now_s: float) -> None:
        """End the recording now."""
        self.until_s = min(self.until_s, now_s)

    @property
    def next(self) -> RecordedVisit | None:
        """Who is to be labeled: the oldest that is not. None: nobody waits."""
        return next((each for each in self.visits if each.label is None), None)

    @property
    def labeled(self) -> int:
        return sum(each.label is not None for each in self.visits)

    @property
    def can_undo(self) -> bool:
        return self._last is not None

    def picture(self, visit: int, number: int, *, is_uncovered: bool) -> bytes:
        """Return a picture of a visit; empty: it has none with that number, or not any more."""
        found = self.visits[visit - 1] if 0 < visit <= len(self.visits) else None
        if found is None or not 0 <= number < len(found.pictures):
            return b""
        picture = found.pictures[number]
        if is_uncovered and picture.uncovered:
            found.is_uncovered = True
            return picture.uncovered
        return picture.covered

    def label(self, visit: int, label: Label) -> None:
        """Say what a person wore. Raises NotLabeledError."""
        found = self.visits[visit - 1] if 0 < visit <= len(self.visits) else None
        if found is None:
            raise NotLabeledError("there is no such person")
        if found.label is not None:
            raise NotLabeledError("this person is labeled already")
        found.label = label
        if self._last is not None:
            self._last.pictures = ()
        self._last = found

    def undo(self) -> None:
        """Have the last one who was labeled be labeled again. Raises NotLabeledError."""
        if self._last is None:
            raise NotLabeledError("only the last one can be labeled again")
        self._last.label = None
        self._last = None

    def count_missed(self, state: MaskState, by: int, now_s: float) -> None:
        """Count somebody who passed and is not listed, or take that back. Raises
        NotLabeledError."""
        if self.way is not LabelWay.DOOR:
            raise NotLabeledError("who was missed cannot be counted from pictures")
        if by > 0 and not self.is_recording(now_s):
            raise NotLabeledError("the recording is over: who passes now does not count")
        self.missed[state] = min(MOST_COUNTED, max(0, self.missed[state] + by))

    @property
    def uncovered(self) -> int:
        """Of how many people the face was shown."""
        return sum(each.is_uncovered for each in self.visits)

    def result(self, networks: NetworkPair, now: datetime) -> Qualification:
        """Return what this comes to."""
        people, counts = self._people(), self._counts()
        faults = faults_of(label_criteria(people, counts))
        return Qualification(1, now, self.camera, networks, people, 0, 0, faults, counts)

    def _people(self) -> tuple[KnownPeople, ...]:
        """Return what became of all people, a row for each state that there was."""
        rows = []
        for state in MaskState:
            verdicts = Counter(each.verdict for each in self.visits if each.label == state.value)
            shown = verdicts.total() + self.missed[state]
            if shown:
                judged = (verdicts[each] for each in _JUDGED)
                rows.append(KnownPeople(state, 0, shown, *judged))
        return tuple(rows)

    def _counts(self) -> LabelCounts:
        labels: Mapping[Label | None, int] = Counter(each.label for each in self.visits)
        judged = [each for each in self.visits if each.label and each.verdict in _JUDGED]
        return LabelCounts(
            self.way,
            self.minutes,
            len(self.visits),
            self.labeled,
            sum(each.label is Label.NOBODY for each in judged),
            len(judged),
            labels.get(Label.UNCLEAR, 0),
            self.missed.total(),
            self.uncovered,
        )


_JUDGED = (Verdict.MASKED, Verdict.BARE, Verdict.WORN_WRONGLY)
"""In the order of the fields of `KnownPeople`."""
