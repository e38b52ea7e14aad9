"""The report as words and tables: the same in a terminal, on a page and on paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from edge.report.people_tables import (
    apart_table,
    bins_table,
    gaps_table,
    hour_of_day_table,
    places_table,
    shifts_table,
)
from edge.report.phrases import (
    NOTHING,
    ReportTable,
    clock,
    corrected_in_words,
    naive_in_words,
    part_in_words,
    place_name,
    unwatched_in_words,
)
from edge.report.records import AlertFigures, PeopleCounts, Report, ReportedAlert
from edge.report.verdict import REASONS, hours, is_blank, percent_exact
from edge.words import count

KINDS = {"bare": "no mask", "worn_wrongly": "worn wrongly"}


MOST_ALERTS = 200
"""On a page and on paper; JSON and CSV have all of them."""


def title_of(report: Report) -> str:
    """Return `Masks worn: week 2026-W48, door-1 (clinic)`."""
    box = f"{report.device_id} ({report.site})" if report.site else report.device_id
    where = "".join(
        f", {what} {name}"
        for what, name in (("camera", report.camera), ("zone", report.zone))
        if name
    )
    return f"Masks worn: {report.kind} {report.period}, {box}{where}"


def span_of(report: Report) -> str:
    """Return from when to when, and in which time zone."""
    return f"{clock(report.begin)} to {clock(report.until)} ({report.time_zone})"


def summary(report: Report) -> list[tuple[str, str]]:
    """Return the figures of the whole, each with its label."""
    counts, watch, alerts = report.counts, report.watch, report.alerts
    watched = [
        ("Watched", f"{hours(watch.watched_s)} of {hours(watch.expected_s)}"),
        ("Not watched", unwatched_in_words(watch)),
    ]
    if is_blank(report):
        return watched
    facts = [
        ("People", f"{counts.people}"),
        ("Judged", f"{counts.judged}: {_judged(counts)}"),
        ("Not judged", part_in_words(counts.not_judged, counts.not_judged_share)),
    ]
    if report.rate is not None:
        facts.append(("With a mask, as counted", naive_in_words(report.rate)))
        if report.rate.corrected is not None:
            facts.append(("Corrected for the eyes", corrected_in_words(report.rate)))
    facts += [*watched, ("Alerts", _alerts(alerts))]
    if alerts.remedied:
        facts.append(("Alert to remedy", _times(alerts.median_remedy_s, alerts.longest_remedy_s)))
    if alerts.alerts:
        closing = _times(alerts.median_close_s, alerts.longest_close_s)
        after = f", {closing} after the alert" if alerts.closed else ""
        facts.append(("Acknowledged", f"{alerts.closed}, open {alerts.open}{after}"))
    return facts


def tables(report: Report, most_alerts: int = MOST_ALERTS) -> list[ReportTable]:
    """Return all that is below, the most asked for first; empty ones are left out."""
    of_people = [
        bins_table(report),
        hour_of_day_table(report),
        shifts_table(report),
        places_table(report),
        _cameras(report),
        _reasons(report),
        apart_table(report),
        gaps_table(report),
        _alert_list(report, most_alerts),
    ]
    found = [
        *([] if is_blank(report) else of_people),  # the verdict says why
        _conditions(report),
        *([] if is_blank(report) else [_eyes(report), _proof(report)]),
        _rule(report),
        _clock_steps(report),
        _made_with(report),
        _signed(report),
    ]
    return [each for each in found if each.rows]


def _judged(counts: PeopleCounts) -> str:
    return (
        f"{counts.masked} with a mask, {counts.without} without, {counts.worn_wrongly} worn wrongly"
    )


def _alerts(alerts: AlertFigures) -> str:
    if not alerts.alerts:
        return "0"
    false = f", {alerts.not_a_violation} of them false alarms" if alerts.not_a_violation else ""
    return f"{alerts.alerts}: {alerts.without} no mask, {alerts.worn_wrongly} worn wrongly{false}"


def _times(middle: float | None, longest: float | None) -> str:
    if middle is None or longest is None:
        return NOTHING
    return f"median {hours(middle)}, longest {hours(longest)}"


def _cameras(report: Report) -> ReportTable:
    return ReportTable(
        "By camera",
        ("camera", "watched", "not watched"),
        tuple(
            (each.camera or NOTHING, hours(each.watch.watched_s), unwatched_in_words(each.watch))
            for each in report.cameras
            if len(report.cameras) > 1
        ),
        frozenset((0,)),
    )


def _reasons(report: Report) -> ReportTable:
    return ReportTable(
        "Not watched, by reason",
        ("reason", "time", "share"),
        tuple(
            (REASONS[each.reason], hours(each.seconds), percent_exact(each.share))
            for each in report.watch.unwatched
        ),
        frozenset((0,)),
        "Shares are of the time that was to be watched"
        + ("; with several cameras, of the sum of theirs." if len(report.cameras) > 1 else "."),
    )


def _alert_list(report: Report, most: int) -> ReportTable:
    shown = report.alert_list[-most:]
    more = report.alerts.alerts - len(shown)
    return ReportTable(
        "Alerts",
        (
            "at",
            "where",
            "what",
            "to remedy",
            "closed after",
            "why, and what was done",
            "by",
            "note",
        ),
        tuple(map(_alert, shown)),
        frozenset((0, 1, 2, 5, 6, 7)),
        f"The last {len(shown)}; {more} more are in JSON and CSV." if more > 0 else "",
    )


def _alert(each: ReportedAlert) -> tuple[str, ...]:
    closed = "open"
    if each.closed_at is not None:
        took = datetime.fromisoformat(each.closed_at) - datetime.fromisoformat(each.at)
        closed = hours(max(0.0, took.total_seconds()))
    return (
        clock(each.at)[5:],  # the report says which year
        place_name(each.camera, each.zone) if each.camera or each.zone else "",
        KINDS.get(each.kind, each.kind),
        NOTHING if each.remedy_s is None else hours(each.remedy_s),
        closed,
        "; ".join(said.replace("-", " ") for said in (each.reason, each.remedy) if said),
        each.by,
        each.note,
    )


def _conditions(report: Report) -> ReportTable:
    return ReportTable(
        "What was wrong with the box",
        ("what", "severity", "times", "together", "longest"),
        tuple(
            (
                f"{each.text} ({each.subject})" if each.subject else each.text,
                each.severity,
                str(each.times),
                hours(each.seconds) + ("" if each.ends_known else " at most"),
                hours(each.longest_s),
            )
            for each in report.conditions
        ),
        frozenset((0, 1)),
    )


def _eyes(report: Report) -> ReportTable:
    title = "What the eyes miss"
    if report.eyes is None or report.rate is None:  # nothing is corrected
        return ReportTable(title, (), ())
    classes = report.eyes.classes
    masked = {each.size_px: (each.masked_right, each.masked_of) for each in classes}
    bare = {each.size_px: (each.bare_right, each.bare_of) for each in classes}
    return ReportTable(
        title,
        ("face from", "people here", "masked, judged right", "without, judged right"),
        tuple(
            (
                f"{each.size_px} px",
                str(each.people),
                _right(masked, each.size_px),
                _right(bare, each.size_px),
            )
            for each in classes
        ),
        note=f"Measured: {report.eyes.source}. "
        "A size of which too few were measured is taken to be as the one that it names.",
    )


def _right(measured: Mapping[int, tuple[int, int]], size_px: int) -> str:
    """Return how many were judged right, or by which class the correction goes in their place."""
    right, of = measured[size_px]
    if of:
        return f"{right} of {of} ({percent_exact(right / of)})"
    known = [each for each, (_, number) in measured.items() if number]
    if not known:
        return "not measured"
    return f"as from {max((each for each in known if each < size_px), default=min(known))} px"


def _proof(report: Report) -> ReportTable:
    if report.sight is None:
        return ReportTable("Proof of sight", (), ())
    rows = [
        (f"{each.camera or 'no name'}, {kind}", figures, str(each.hours_without))
        for each in report.sight.cameras
        for kind, figures in (("with a mask", each.masked), ("without", each.without))
    ]
    if not rows:
        hours = str(report.sight.hours_without)
        kinds = (("with a mask", report.sight.masked), ("without", report.sight.without))
        rows = [(kind, figures, hours) for kind, figures in kinds]
    return ReportTable(
        "Proof of sight",
        ("drawn heads", "shown", "found", "judged right", "hours without a proof"),
        tuple(
            (name, str(each.shown), str(each.found), str(each.right), hours)
            for name, each, hours in rows
        ),
        frozenset((0,)),
        f"A proof counts for {report.limits.proof_holds_h:g} h before and after it; "
        f"{count(report.sight.hours_without, 'watched hour')} without one.",
    )


def _rule(report: Report) -> ReportTable:
    is_plain = len(report.rule) == 1 and report.rule[0].is_on and report.rule[0].since is None
    return ReportTable(
        "Mask rule",
        ("since", "rule", "by"),
        tuple(
            (clock(each.since or "always"), "on" if each.is_on else "off", each.by)
            for each in report.rule
            if not is_plain
        ),
        frozenset((0, 1, 2)),
    )


def _clock_steps(report: Report) -> ReportTable:
    rows = tuple((each.at[:19].replace("T", " "), f"{each.text} s") for each in report.clock)
    return ReportTable("The clock was set", ("at", "by"), rows, frozenset((0,)))


def _made_with(report: Report) -> ReportTable:
    rows: Sequence[tuple[str, str]] = [(clock(each.at), each.text) for each in report.made_with]
    return ReportTable("Versions and settings", ("from", "what"), tuple(rows), frozenset((0, 1)))


def _signed(report: Report) -> ReportTable:
    return ReportTable(
        "Signed off",
        ("at", "by", "what was signed", "note"),
        tuple(
            (clock(each.at), each.by, _what_was_signed(report, is_same=each.is_same), each.note)
            for each in report.signed_off
        ),
        frozenset((0, 1, 2, 3)),
    )


def _what_was_signed(report: Report, *, is_same: bool | None) -> str:
    where = "".join(
        f", {what} {name}"
        for what, name in (("camera", report.camera), ("zone", report.zone))
        if name
    )
    if is_same is None:
        return f"what a newer release has counted, and this one cannot compare{where}"
    return f"this report{where}" if is_same else f"other figures than these{where}"
