"""What is signed of a report: a fixed list of figures, so that a release that says more in a report
does not change what was signed before.

A list is never changed. Where a new figure is to be signed, there is a new version with a list of
its own, and both stay: an entry of the journal says by which it was signed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from edge.report.records import (
    AlertFigures,
    ApartFigures,
    CameraFigures,
    CameraSight,
    ConditionFigures,
    EyesClass,
    EyesFigures,
    JournalLine,
    PeopleCounts,
    PlaceFigures,
    RateEstimate,
    Report,
    ReportBin,
    ReportedAlert,
    ReportLimits,
    ReportPart,
    RuleChange,
    ShiftFigures,
    SightFigures,
    SightTotals,
    SignOff,
    UnwatchedTime,
    WatchFigures,
)

VERSION = 1
"""By which reports are signed now."""
_FIRST: Mapping[type[ReportPart], str] = {
    Report: """
        device_id site kind period begin end until time_zone camera zone counts rate watch
        alerts hours_left_out limits apart hours days shifts places cameras alert_list
        alerts_not_listed conditions eyes sight rule clock made_with
    """,
    ReportLimits: """
        unwatched_share not_judged_share proof_holds_h
    """,
    PeopleCounts: """
        people judged masked without worn_wrongly not_judged not_judged_share
    """,
    RateEstimate: """
        people naive naive_low naive_high corrected low high counted_width
    """,
    WatchFigures: """
        expected_s watched_s unwatched_s unwatched_share unwatched
    """,
    UnwatchedTime: """
        reason seconds share
    """,
    AlertFigures: """
        alerts without worn_wrongly remedied median_remedy_s longest_remedy_s closed open
        median_close_s longest_close_s not_a_violation
    """,
    ApartFigures: """
        why seconds counts
    """,
    ReportBin: """
        begin end counts rate watch alerts sight apart marks left_out
    """,
    ShiftFigures: """
        name counts rate watch alerts
    """,
    PlaceFigures: """
        camera zone is_required counts rate alerts
    """,
    CameraFigures: """
        camera watch
    """,
    ReportedAlert: """
        event_id at camera zone kind remedy_s closed_at by reason remedy note
    """,
    ConditionFigures: """
        code subject severity times seconds longest_s ends_known
    """,
    EyesFigures: """
        source classes
    """,
    EyesClass: """
        size_px people masked_right masked_of bare_right bare_of
    """,
    SightTotals: """
        masked without hours_without cameras
    """,
    SightFigures: """
        shown found right
    """,
    CameraSight: """
        camera masked without hours_without
    """,
    RuleChange: """
        is_on since by
    """,
    JournalLine: """
        at by text
    """,
}
SIGNED: Mapping[int, Mapping[type[ReportPart], tuple[str, ...]]] = {
    1: {part: tuple(names.split()) for part, names in _FIRST.items()},
}
"""By version: the fields of each part, in the order in which they are hashed."""
NOT_SIGNED: Mapping[type[ReportPart], frozenset[str]] = {
    Report: frozenset(
        ("made_at", "made_by", "verdict", "notes", "signed_off", "deleted", "digest")
    ),
    ConditionFigures: frozenset(("text",)),
    SignOff: frozenset(SignOff.__struct_fields__),
}
"""What is no figure: how and when a report was made, and what it says in sentences."""


def digest_of(report: Report, version: int = VERSION) -> str:
    """Return the SHA-256 of its figures, in hexadecimal: of their JSON without blanks.

    Raises KeyError for a version that this release does not know.
    """
    content = {"schema": Report.__struct_config__.tag, **_figures(report, SIGNED[version])}
    return hashlib.sha256(msgspec.json.encode(content)).hexdigest()


def _figures(value: Any, parts: Mapping[type[ReportPart], tuple[str, ...]]) -> Any:
    """Return a value with the fields of the list only, parts of parts too."""
    if isinstance(value, tuple):
        return [_figures(each, parts) for each in value]
    if isinstance(value, ReportPart):
        names = next(parts[kind] for kind in type(value).__mro__ if kind in parts)
        return {name: _figures(getattr(value, name), parts) for name in names}
    return value
