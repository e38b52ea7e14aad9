"""What a report says: figures for people, pages and programs.

Its JSON is `tensormask report --format json`; the schema is in `schemas/` beside this. Within a
version of the schema fields are only ever added, with a default.

Shares are 0 to 1. Times are ISO 8601 with the offset of the place, so that an hour that summer time
repeats can be told from the one before it.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from edge.report.period import PeriodKind


class Apart(StrEnum):
    """Why people and time are counted apart: no rate and no share is made of them."""

    CLOSED = "closed"
    """Outside of the opening hours, or on a holiday."""
    RULE_OFF = "rule-off"
    COUNT_ONLY = "count-only"
    """In a zone that only counts: no mask was required there, though the rule was on."""


class Mark(StrEnum):
    """What is to be known of an hour or a day."""

    UNWATCHED = "unwatched"
    """Too little of it was watched: it is not in the rate."""
    NOT_JUDGED = "not-judged"
    """Too many of its people were not judged: it is not in the rate."""
    WITHOUT_PROOF = "without-proof"
    """No proof of sight was near enough."""
    WRONG_CLOCK = "wrong-clock"
    """The clock followed no time server, or was set: its time may be wrong."""
    CLOSED = "closed"
    """All of it, see `Apart`."""
    RULE_OFF = "rule-off"
    SUMMER_TIME = "summer-time"
    """It is the hour before or after the clocks change, or the day."""
    NOT_OVER = "not-over"
    """It goes on."""


class Unseen(StrEnum):
    """Why somebody could have passed unseen."""

    NOT_RUNNING = "not-running"
    NO_HISTORY = "no-history"
    """Before the first minute that is kept: not installed yet, or deleted since."""
    LOST = "lost"
    DARK = "dark"
    BLINDED = "blinded"
    COVERED = "covered"
    TURNED = "turned"
    PAUSED = "paused"
    CROWDED = "crowded"
    """Watched, but with more people in sight than the box could look at in time."""


class ReportPart(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a report. Readers ignore keys that they don't know."""


class PeopleCounts(ReportPart, frozen=True, kw_only=True):
    """The people who left in some time: each is in one of the counts below `judged`."""

    people: int = 0
    """judged + not_judged"""
    judged: int = 0
    """masked + without + worn_wrongly"""
    masked: int = 0
    without: int = 0
    worn_wrongly: int = 0
    """Below the nose or the chin; not in the rate."""
    not_judged: int = 0
    """Too small, too blurred or too brief."""
    not_judged_share: float | None = None
    """Of people; null: there were none."""


class RateEstimate(ReportPart, frozen=True, kw_only=True):
    """Which share of the people with a mask or without one wore one, with 95 % certainty."""

    people: int
    """On whom it rests: masked + without, of the hours that are in it."""
    naive: float | None = None
    """masked / (masked + without), as counted."""
    naive_low: float | None = None
    naive_high: float | None = None
    corrected: float | None = None
    """The same, corrected for what the eyes are known to miss; null: nothing is known of them."""
    low: float | None = None
    high: float | None = None
    counted_width: float | None = None
    """How far apart `low` and `high` would be if all were known of the eyes: the part of what is
    uncertain that more people make smaller."""


class UnwatchedTime(ReportPart, frozen=True, kw_only=True):
    """Time in which somebody could have passed unseen, for one reason."""

    reason: Unseen
    seconds: float
    share: float
    """Of the time that was to be watched."""


class WatchFigures(ReportPart, frozen=True, kw_only=True):
    """How much of the time was watched; with several cameras the sum of theirs."""

    expected_s: float = 0.0
    """What was to be watched: open, with the rule on. All that follows is a part of it."""
    watched_s: float = 0.0
    unwatched_s: float = 0.0
    unwatched_share: float | None = None
    unwatched: tuple[UnwatchedTime, ...] = ()
    """By reason, the largest first."""


class AlertFigures(ReportPart, frozen=True, kw_only=True):
    """The alerts that were confirmed in some time. All of them, also of hours not in the rate."""

    alerts: int = 0
    without: int = 0
    worn_wrongly: int = 0
    remedied: int = 0
    """Those of which the end is known: mask put on, or person gone."""
    median_remedy_s: float | None = None
    """From the alert to that end."""
    longest_remedy_s: float | None = None
    closed: int = 0
    """Acknowledged."""
    open: int = 0
    median_close_s: float | None = None
    """From the alert to its first acknowledgement."""
    longest_close_s: float | None = None
    not_a_violation: int = 0
    """Of the closed ones, those that somebody called a false alarm."""


class SightFigures(ReportPart, frozen=True, kw_only=True):
    """Drawn heads that were blended into live pictures, and what became of them."""

    shown: int = 0
    found: int = 0
    right: int = 0
    """Of those found, judged as what they wore."""


class ReportBin(ReportPart, frozen=True, kw_only=True):
    """One hour of the clock on the wall, or one day."""

    begin: str
    end: str
    counts: PeopleCounts
    rate: RateEstimate | None
    """Null: nobody to judge by."""
    watch: WatchFigures
    alerts: AlertFigures
    sight: SightFigures | None
    """Null: no proof in it."""
    apart: int
    """People who are counted apart."""
    marks: tuple[Mark, ...]
    left_out: int
    """Hours of it that are not in the rate; 0 or 1 for an hour."""


class ShiftFigures(ReportPart, frozen=True, kw_only=True):
    """One shift, as far as it lies in the period."""

    name: str
    """Empty: outside of all shifts."""
    counts: PeopleCounts
    rate: RateEstimate | None
    watch: WatchFigures
    alerts: AlertFigures


class PlaceFigures(ReportPart, frozen=True, kw_only=True):
    """One zone of one camera. One whose policy depends on the hour may be in two."""

    camera: str
    zone: str
    is_required: bool = True
    """Whether a mask was required of these people. False: they are among those counted apart as
    `count-only`, and in no sum; their rate says what they wore of their own accord."""
    counts: PeopleCounts
    rate: RateEstimate | None
    alerts: AlertFigures


class CameraFigures(ReportPart, frozen=True, kw_only=True):
    """One camera."""

    camera: str
    watch: WatchFigures


class ApartFigures(ReportPart, frozen=True, kw_only=True):
    """People and time that are counted apart."""

    why: Apart
    seconds: float | None
    """Null: it is not a matter of time."""
    counts: PeopleCounts


class ReportedAlert(ReportPart, frozen=True, kw_only=True):
    """One alert, and what was done about it."""

    event_id: str
    at: str
    camera: str
    zone: str
    kind: str
    remedy_s: float | None
    """Null: its end is not known."""
    closed_at: str | None
    """When it was first acknowledged; null: it is open."""
    by: str = ""
    reason: str = ""
    remedy: str = ""
    note: str = ""
    """As the last acknowledgement says."""


class ConditionFigures(ReportPart, frozen=True, kw_only=True):
    """How often, and how long, something was wrong with the box."""

    code: str
    subject: str
    text: str
    """The code in words; not a part of what is signed."""
    severity: str
    times: int
    seconds: float
    longest_s: float
    ends_known: bool
    """False: of one of them only the next start of the program is known, not its end."""


class EyesClass(ReportPart, frozen=True, kw_only=True):
    """What is known of the eyes for faces of one size."""

    size_px: int
    """Where the class of size begins."""
    people: int
    """Judged in this report, in the hours that are in its rate."""
    masked_right: int
    """Of `masked_of` faces with a mask."""
    masked_of: int
    bare_right: int
    bare_of: int


class EyesFigures(ReportPart, frozen=True, kw_only=True):
    """What the rate is corrected by."""

    source: str
    classes: tuple[EyesClass, ...]


class CameraSight(ReportPart, frozen=True, kw_only=True):
    """Proof of sight at one of several cameras."""

    camera: str
    masked: SightFigures
    without: SightFigures
    hours_without: int
    """Hours in which it watched without a proof that was near enough."""


class SightTotals(ReportPart, frozen=True, kw_only=True):
    """Proof of sight in the period."""

    masked: SightFigures
    without: SightFigures
    hours_without: int
    """Hours in which a camera watched without a proof that was near enough."""
    cameras: tuple[CameraSight, ...] = ()
    """Each of several cameras; empty: there is one."""


class RuleChange(ReportPart, frozen=True, kw_only=True):
    """What the mask rule was, from some time on."""

    is_on: bool
    since: str | None
    by: str


class JournalLine(ReportPart, frozen=True, kw_only=True):
    """An entry of the journal."""

    at: str
    by: str
    text: str


class SignOff(ReportPart, frozen=True, kw_only=True):
    """Somebody has put his name to a report of this period."""

    at: str
    by: str
    digest: str
    is_same: bool | None
    """Whether what was signed is what this report says; null: a newer release has signed, and this
    one cannot compare."""
    note: str = ""
    version: int = 1
    """Of the list of figures that the digest is of."""


class ReportLimits(ReportPart, frozen=True, kw_only=True):
    """What was decided before anything was counted."""

    unwatched_share: float
    """An hour of which more was not watched is not in the rate."""
    not_judged_share: float
    """Nor one in which more of the people were not judged."""
    proof_holds_h: float
    """A proof of sight counts for the hours around it that are no farther away."""


class Report(
    ReportPart, frozen=True, kw_only=True, tag_field="schema", tag="tensormask/full-report/1"
):
    """What happened in a period, and how far it can be believed."""

    device_id: str
    site: str
    kind: PeriodKind
    period: str
    """Its name: `2026-11-29`, `2026-W48`, `2026-11`, `2026-11-29 early`."""
    begin: str
    end: str
    until: str
    """What came after this is not in it: the end, or earlier where the period is not over."""
    time_zone: str
    camera: str
    """Only what this camera saw; empty: all."""
    zone: str
    """Only what happened in this zone; empty: all."""
    made_at: str
    made_by: str
    """The version of the program."""
    verdict: str
    """In one sentence."""
    notes: tuple[str, ...]
    """What is to be known before it is believed, in sentences."""
    counts: PeopleCounts
    """Of whom a mask was required; also of the hours that are not in the rate."""
    rate: RateEstimate | None
    watch: WatchFigures
    alerts: AlertFigures
    hours_left_out: int
    """Hours that are not in the rate: those that are marked `unwatched` or `not-judged`."""
    limits: ReportLimits
    apart: tuple[ApartFigures, ...]
    hours: tuple[ReportBin, ...]
    days: tuple[ReportBin, ...]
    """Empty for a day or a shift."""
    shifts: tuple[ShiftFigures, ...]
    places: tuple[PlaceFigures, ...]
    cameras: tuple[CameraFigures, ...]
    alert_list: tuple[ReportedAlert, ...]
    alerts_not_listed: int
    """The list has the newest."""
    conditions: tuple[ConditionFigures, ...]
    eyes: EyesFigures | None
    """Null: nothing is known of them."""
    sight: SightTotals | None
    """Null: there was no proof of sight."""
    rule: tuple[RuleChange, ...]
    clock: tuple[JournalLine, ...]
    """When the clock was set, and by how many seconds."""
    made_with: tuple[JournalLine, ...]
    """Versions, models and settings: of the start before the period, and of each in it."""
    signed_off: tuple[SignOff, ...]
    deleted: tuple[JournalLine, ...] = ()
    """What was deleted of the period by command; the text is up to when."""
    digest: str
    """SHA-256 of the figures: of this document without `made_at`, `made_by`, `verdict`, `notes`,
    `signed_off`, `deleted`, `digest`, the `text` of conditions, and what later releases have added:
    see `edge.report.signed`."""
