"""Where it is known from how well the eyes judge: from what their makers measured.

`eyes.json` lies beside the classifier's model. It holds what became of people whose state is known,
from detection to the verdict on the visit, and names the two networks that judged them: with others
it is not used. `make street EYES=file` measures it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from edge.files import DamagedFileError, read_json
from edge.rates import Counted, Eyes
from edge.records import MaskState

EYES_FILE = "eyes.json"
MAX_EYES_BYTES = 64 * 1024

Number = Annotated[int, msgspec.Meta(ge=0)]


class KnownPeople(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What became of people of one state and one class of size."""

    state: MaskState
    """How they wore a mask."""
    size_px: Number
    """Where the class begins."""
    shown: Number
    """All of them."""
    masked: Number
    """The visits that were counted as masked."""
    bare: Number
    """And as without a mask. The others were missed, not judged, or judged as worn wrongly."""

    @property
    def counted(self) -> Counted:
        """Raises ValueError when these counts cannot be."""
        right = self.masked if self.state is MaskState.MASKED else self.bare
        return Counted(right, self.masked + self.bare, self.shown)


class EyesCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `eyes.json` holds."""

    schema: Literal[1]
    model_sha256: str
    detector_sha256: str
    data: Annotated[str, msgspec.Meta(max_length=200)]
    """What it was measured on, for the reader of a report."""
    people: tuple[KnownPeople, ...]


def eyes_of_bundle(folder: Path, model_sha256: str, detector_sha256: str) -> Eyes | None:
    """Return how well a classifier's bundle says that these two networks judge.

    None: the bundle does not say it, or says it of other networks. Raises DamagedFileError.
    """
    path = folder / EYES_FILE
    try:
        card = read_json(path, EyesCard, MAX_EYES_BYTES)
    except OSError:
        return None
    except DamagedFileError as error:
        raise DamagedFileError(f"{path}: {error}; install the bundle again") from error
    if (card.model_sha256, card.detector_sha256) != (model_sha256, detector_sha256):
        return None
    try:
        return eyes_of_people(card.people, card.data)
    except ValueError as error:
        raise DamagedFileError(f"{path}: {error}; install the bundle again") from error


def eyes_of_people(people: Iterable[KnownPeople], source: str) -> Eyes:
    """Return what people whose state is known say of the eyes. Raises ValueError."""
    rows = list(people)
    masked, bare = (
        {each.size_px: each.counted for each in rows if each.state is state}
        for state in (MaskState.MASKED, MaskState.BARE)
    )
    return Eyes(masked, bare, source)
