"""What a sheet says about how it was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge.eyes import LabelCounts, LabelWay, Qualification

_CORRECTED = (
    "From now on, rates of this door are corrected with these figures, in reports of the past, "
    "too, as long as both networks stay the same; their intervals carry the uncertainty of this "
    "small number of people. "
)
_CONDITIONS = (
    "Masks of another kind, people of another height, a moved camera or a dark evening are other "
    "conditions: measure again."
)
_BELOW = (
    "A mask below the nose counts neither as with nor as without a mask in a rate; how it was "
    "judged is in the first table."
)
_INDEPENDENT = (
    "A person who passed several times is several of these people, as in the counts. The intervals "
    "take each passage as one that has nothing to do with the others."
)


@dataclass(frozen=True, slots=True)
class SheetWords:
    """What differs by the way in which it was measured."""

    people: str
    """Who the people of the first table are."""
    begin: str
    """Before what the criteria were fixed."""
    meaning: Sequence[str]
    """Paragraphs."""


def words_of(found: Qualification) -> SheetWords:
    """Return what is said about this measurement."""
    if found.labels is None:
        return SheetWords(
            "Each person walked past the camera wearing what the first column says.",
            "the first walk",
            (
                f"{_CORRECTED}The figures hold for people who walk as these did, at this place, in "
                f"this light. {_CONDITIONS}",
                _BELOW,
            ),
        )
    passed = "People passed as they do on any day. Before what was judged was shown, what they wore"
    holds = "The figures hold for people as they passed then, in this light. "
    unused = f"Rates are not corrected with these figures: {found.why_unused}. "
    if found.labels.way is LabelWay.DOOR:
        corrected = unused if found.why_unused else _CORRECTED
        return SheetWords(
            f"{passed} was labeled by somebody who stood at the door. People who passed and were "
            "not listed are in the column of those not judged.",
            "the recording",
            (f"{corrected}{holds}{_CONDITIONS}", _INDEPENDENT, _BELOW),
        )
    return SheetWords(
        f"{passed} was labeled from their pictures. People who were missed altogether are in no "
        "picture, so they are not in this table.",
        "the recording",
        (
            f"{unused}People without a mask are missed more often than others. Label at the door, "
            f"or walk past with tensormask qualify, to know it. {holds}{_CONDITIONS}",
            _INDEPENDENT,
            _BELOW,
        ),
    )


def rows_of(labels: LabelCounts) -> list[tuple[str, str]]:
    """Return how it was labeled, in words and figures."""
    at_door = labels.way is LabelWay.DOOR
    return [
        ("labeled", "at the door" if at_door else "from pictures"),
        ("recorded for, minutes at most", str(labels.minutes)),
        ("visits recorded", str(labels.recorded)),
        ("of these labeled", str(labels.labeled)),
        ("of these it is unclear what was worn", str(labels.unclear)),
        ("judged visits that were nobody's: a poster, a hand", str(labels.nobody)),
        ("people who passed and were not listed", str(labels.missed) if at_door else "not known"),
        ("people whose face was shown for it", str(labels.uncovered)),
    ]
