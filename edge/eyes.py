"""Where it is known from how well the eyes judge: from their makers, or measured at this door.

`eyes.json` lies beside the classifier's model. It holds what became of people whose state is known,
from detection to the verdict on the visit, and names the two networks that judged them: with others
it is not used. `make street EYES=file` measures it. `tensormask qualify` and
labeling on the page measure the same at a door, and the history keeps it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from edge.files import DamagedFileError, decoded, read_json
from edge.rates import Counted, Eyes
from edge.records import MaskState
from edge.words import count

EYES_FILE = "eyes.json"
MAX_EYES_BYTES = 64 * 1024
LEAST_JUDGED = 20
"""People of a state in a class of size: fewer say too little by themselves, and are taken together
with those of the next class."""
MOST_UNCLEAR = 0.1
"""Of the people who were labeled: what is unclear to people is often hard to judge, too."""
MOST_NOBODY = 0.05
"""Of the visits that were judged. Posters, hands: each is a person in the counts."""
MOST_MISSED = 0.5
"""Beside each visit that was recorded: more is a slip, or a camera in a wrong place."""

Number = Annotated[int, msgspec.Meta(ge=0)]


class KnownPeople(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What became of people of one state and one class of size."""

    state: MaskState
    """How they wore a mask."""
    size_px: Number
    """Where the class begins; 0 also for a measurement of all sizes together."""
    shown: Number
    """All of them."""
    masked: Number
    """The visits that were counted as masked."""
    bare: Number
    """And as without a mask."""
    worn_wrongly: Number = 0
    """And as worn wrongly. The others were missed or not judged."""

    @property
    def counted(self) -> Counted:
        """Raises ValueError when these counts cannot be."""
        right = self.masked if self.state is MaskState.MASKED else self.bare
        return Counted(right, self.masked + self.bare, self.shown)


class NetworkPair(msgspec.Struct, frozen=True):
    """Which eyes these are."""

    model_sha256: str
    """The classifier's."""
    detector_sha256: str


class EyesCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `eyes.json` holds."""

    schema: Literal[1]
    networks: NetworkPair
    data: Annotated[str, msgspec.Meta(max_length=200)]
    """What it was measured on, for the reader of a report."""
    people: tuple[KnownPeople, ...]


class LabelWay(StrEnum):
    """How it is known what people who were labeled really wore."""

    DOOR = "door"
    """Somebody stood at the door and saw everybody, also those who were missed."""
    PICTURES = "pictures"
    """From the pictures of those who were seen: who was missed is not known."""


class LabelCounts(msgspec.Struct, frozen=True):
    """How people who passed were labeled; see `edge.qualify.labels`."""

    way: LabelWay
    minutes: int
    """How long was recorded at most."""
    recorded: int
    """Visits."""
    labeled: int
    nobody: int
    """Labeled as nobody's face, though judged."""
    judged: int
    """Of those labeled, all that were judged."""
    unclear: int
    """Of these the one who labels could not tell what they wore: they count as neither."""
    missed: int
    """People who passed and were not listed; always 0 from pictures."""
    uncovered: int
    """People whose face was uncovered for it."""

    @property
    def is_clear(self) -> bool:
        return self.unclear <= MOST_UNCLEAR * self.labeled

    @property
    def is_of_people(self) -> bool:
        return self.nobody <= MOST_NOBODY * self.judged

    @property
    def is_listed(self) -> bool:
        """Whether not too many people were missed to be believed."""
        return self.missed <= MOST_MISSED * self.recorded

    @property
    def why_unused(self) -> str:
        """Return why nothing can be said with it; empty: it can."""
        if self.way is LabelWay.PICTURES:
            return "how many people were missed cannot be known from pictures"
        if self.labeled < self.recorded:
            return "not all who were recorded are labeled"
        if not self.is_clear:
            return f"of {self.unclear} of {self.labeled} people it is unclear what they wore"
        if not self.is_of_people:
            return f"{self.nobody} of {self.judged} visits that were judged are nobody's"
        if not self.is_listed:
            return f"{self.missed} people were missed, beside {count(self.recorded, 'visit')}"
        return ""


class Qualification(msgspec.Struct, frozen=True):
    """What was measured at a door, as the history keeps it. Fields may be added."""

    schema: Literal[1]
    at: datetime
    """When the last walk was over, or all were labeled."""
    camera: str
    """The name of the camera; empty: the only one."""
    networks: NetworkPair
    people: tuple[KnownPeople, ...]
    """One row for each state, of all sizes together: who was missed has none."""
    walks: int
    repeated: int
    """Walks that were repeated because they were not done as asked."""
    faults: tuple[str, ...]
    """Which criteria were not met; none: the door is qualified."""
    labels: LabelCounts | None = None
    """None: by walks of `tensormask qualify`."""

    @property
    def is_qualified(self) -> bool:
        return not self.faults

    @property
    def why_unused(self) -> str:
        """Return why no rate is corrected with it; empty: rates are, also where the criteria of how
        well is judged are not met, since then all the more is to be corrected. Those of how well
        was labeled have to be.

        People without a mask are missed more often than others, so a rate that knows nothing of
        the missed is too high; and what few people say is less than the models' makers know.
        """
        if self.labels is None:
            return ""
        if self.labels.why_unused:
            return self.labels.why_unused
        judged = {each.state: each.counted.of for each in self.people}
        if min(judged.get(each, 0) for each in (MaskState.MASKED, MaskState.BARE)) < LEAST_JUDGED:
            return f"of each state, with a mask and without, {LEAST_JUDGED} people must be judged"
        return ""


def eyes_of_bundle(folder: Path, networks: NetworkPair) -> Eyes | None:
    """Return how well a classifier's bundle says that these networks judge.

    None: the bundle does not say it, or says it of other networks. Raises DamagedFileError.
    """
    path = folder / EYES_FILE
    try:
        card = read_json(path, EyesCard, MAX_EYES_BYTES)
        return eyes_of_people(card.people, card.data) if card.networks == networks else None
    except OSError:
        return None
    except ValueError as error:
        raise DamagedFileError(f"{path}: {error}; install the bundle again") from error


def eyes_of_qualification(text: str, networks: NetworkPair, camera: str = "") -> Eyes | None:
    """Return how well these networks judged at this door, by the text of an entry of the history.

    None: the text is of other networks, of another camera or of a newer release, or says too
    little, see `Qualification.why_unused`.
    """
    found = read_qualification(text)
    if found is None or (found.networks, found.camera) != (networks, camera):
        return None
    times = count(sum(each.shown for each in found.people), "passage")
    try:
        if found.why_unused:
            return None
        return eyes_of_people(
            found.people, f"measured at this door on {found.at:%Y-%m-%d}, {times}"
        )
    except ValueError:
        return None


def read_qualification(text: str) -> Qualification | None:
    """Return what an entry of the history says; None: a newer release has written it."""
    try:
        return decoded(text.encode(), Qualification)
    except DamagedFileError:
        return None


def eyes_in_use(
    qualifications: Iterable[str],
    of_bundle: Eyes | None,
    networks: NetworkPair,
    camera: str = "",
) -> Eyes | None:
    """Return by what rates are corrected: as measured at this door last, else as by the bundle.

    `qualifications` are the texts of the history's entries, the newest last.
    """
    measured = [eyes_of_qualification(text, networks, camera) for text in qualifications]
    known = [each for each in measured if each is not None]
    return known[-1] if known else of_bundle


def eyes_of_people(people: Iterable[KnownPeople], source: str) -> Eyes:
    """Return what people whose state is known say of the eyes. Raises ValueError."""
    rows = list(people)
    masked, bare = (
        _joined({each.size_px: each.counted for each in rows if each.state is state})
        for state in (MaskState.MASKED, MaskState.BARE)
    )
    return Eyes(masked, bare, source)


def _joined(measured: Mapping[int, Counted]) -> dict[int, Counted]:
    """Return classes with LEAST_JUDGED people each, as far as there are so many: each takes in the
    next larger ones, and the last takes in what is left."""
    joined: dict[int, Counted] = {}
    for size_px in sorted(measured):
        newest = max(joined, default=size_px)
        if newest == size_px or joined[newest].of >= LEAST_JUDGED:
            joined[size_px] = measured[size_px]
        else:
            joined[newest] = _sum(joined[newest], measured[size_px])
    *others, last = sorted(joined) or [0]
    if others and joined[last].of < LEAST_JUDGED:
        joined[others[-1]] = _sum(joined[others[-1]], joined.pop(last))
    return joined


def _sum(one: Counted, other: Counted) -> Counted:
    shown = None if one.shown is None or other.shown is None else one.shown + other.shown
    return Counted(one.right + other.right, one.of + other.of, shown)
