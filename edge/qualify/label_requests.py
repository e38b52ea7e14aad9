"""What the page asks of a session of labeling, and what it is answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from edge.eyes import LabelWay
from edge.history.requests import Name
from edge.qualify.labels import Label
from edge.records import MaskState

MINUTES = (10, 20, 30, 60)
"""How long may be recorded."""


Number = Annotated[int, msgspec.Meta(ge=0, le=1000)]
"""Of a visit or a picture."""


class LabelRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """What may be asked."""


class StartLabels(LabelRequest, frozen=True):
    """Record who passes from now on."""

    way: LabelWay
    minutes: Literal[10, 20, 30, 60]
    by: Name = ""
    """Who labels."""
    camera: Annotated[str, msgspec.Meta(max_length=32)] = ""
    """The name of one of several; empty: the first."""


class LabelVisit(LabelRequest, frozen=True):
    """A person wore this."""

    visit: Number
    label: Label


class CountMissed(LabelRequest, frozen=True):
    """Somebody passed who is not listed; or did not, after all."""

    state: MaskState
    by: Literal[1, -1] = 1


class StepLabels(LabelRequest, frozen=True):
    """End the recording, have the last person labeled again, have the result, or drop it all."""

    step: Literal["stop", "undo", "finish", "discard"]


class ReadLabels(LabelRequest, frozen=True):
    """How far it is: a `LabelState`."""


class ReadLabelPicture(LabelRequest, frozen=True):
    """A picture of a person, with an empty document."""

    visit: Number
    number: Number = 0
    is_uncovered: bool = False


class ReadLabelSheet(LabelRequest, frozen=True):
    """The sheet of the last result as HTML in a picture's place; empty: there is none."""


LabelDeed = StartLabels | LabelVisit | CountMissed | StepLabels
"""What changes something; the answer says why not."""


class LabelOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a browser sends."""

    deed: LabelDeed


LabelRequests = LabelDeed | ReadLabels | ReadLabelPicture | ReadLabelSheet


class NextVisit(msgspec.Struct, frozen=True):
    """Who is to be labeled. Nothing of what was judged."""

    visit: int
    at: datetime
    pictures: int
    """How many there are."""
    faces: int = 0
    """With how many of these, the first, the face may be shown."""


class LabelRow(msgspec.Struct, frozen=True):
    """A criterion."""

    required: str
    measured: str
    is_met: bool


class LabelResult(msgspec.Struct, frozen=True):
    """What it came to."""

    is_qualified: bool
    why_unused: str
    """Why rates are not corrected with it; empty: they are."""
    criteria: Sequence[LabelRow]


class LabelState(msgspec.Struct, frozen=True):
    """How far it is."""

    phase: Literal["off", "recording", "labeling", "done"]
    refused: str = ""
    """Why nothing can be labeled on this device; empty: it can."""
    may_uncover: bool = False
    """Whether the settings allow to see faces."""
    camera: str = ""
    way: LabelWay = LabelWay.DOOR
    minutes: int = 0
    left_s: float = 0.0
    """Until the recording ends, or, when it has, until all is dropped."""
    is_watching: bool = True
    """Whether somebody would be judged now."""
    recorded: int = 0
    labeled: int = 0
    can_undo: bool = False
    next: NextVisit | None = None
    missed: Mapping[MaskState, int] = {}
    result: LabelResult | None = None
