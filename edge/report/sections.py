"""The report as words and tables: the same in a terminal, on a page and on paper."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median

from edge.report.records import (
    AlertFigures,
    Apart,
    Mark,
    PeopleCounts,
    RateEstimate,
    Report,
    ReportBin,
    ReportedAlert,
    WatchFigures,
)
from edge.report.verdict import APART, MARKS, REASONS, hours, percent_exact
from edge.words import count, percent

NOTHING = "–"
LEFT_OUT = (Mark.UNWATCHED, Mark.NOT_JUDGED)
KINDS = {"bare": "no mask", "worn_wrongly": "worn wrongly"}
MOST_ALERTS = 200
"""On a page and on paper; JSON and CSV have all of them."""
MOST_GAPS = 60


@dataclass(frozen=True, slots=True)
class ReportTable:
    """One table; all cells are text."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: frozenset[int] = field(default_factory=frozenset)
    """Columns that hold words; the others hold figures, and are aligned to the right."""
    note: str = ""


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
    facts = [
        ("People", f"{counts.people}"),
        ("Judged", f"{counts.judged}: {_judged(counts)}"),
        ("Not judged", _part(counts.not_judged, counts.not_judged_share)),
    ]
    if report.rate is not None:
        facts.append(("With a mask, as counted", _naive(report.rate)))
        if report.rate.corrected is not None:
            facts.append(("Corrected for the eyes", _corrected(report.rate)))
    facts += [
        ("Watched", f"{hours(watch.watched_s)} of {hours(watch.expected_s)}"),
        ("Not watched", _unwatched(watch)),
        ("Alerts", _alerts(alerts)),
    ]
    if alerts.remedied:
        facts.append(("Alert to remedy", _times(alerts.median_remedy_s, alerts.longest_remedy_s)))
    if alerts.alerts:
        closing = _times(alerts.median_close_s, alerts.longest_close_s)
        after = f", {closing} after the alert" if alerts.closed else ""
        facts.append(("Acknowledged", f"{alerts.closed}, open {alerts.open}{after}"))
    return facts


def tables(report: Report, most_alerts: int = MOST_ALERTS) -> list[ReportTable]:
    """Return all that is below, the most asked for first; empty ones are left out."""
    found = [
        _bins(report),
        _by_hour_of_day(report),
        _shifts(report),
        _places(report),
        _cameras(report),
        _reasons(report),
        _apart(report),
        _gaps(report),
        _alert_list(report, most_alerts),
        _conditions(report),
        _eyes(report),
        _proof(report),
        _rule(report),
        _clock_steps(report),
        _made_with(report),
        _signed(report),
    ]
    return [each for each in found if each.rows]


def clock(text: str) -> str:
    """Return a time of a report as people read it: `2026-11-29 08:00`."""
    return text[:16].replace("T", " ")


def share_in_words(rate: RateEstimate | None) -> str:
    """Return the best rate that is known with its interval: `92 % (87 to 96)`."""
    if rate is None or rate.naive is None:
        return NOTHING
    return _naive(rate) if rate.corrected is None else _corrected(rate)


def marks_in_words(marks: Iterable[Mark]) -> str:
    return ", ".join(MARKS[each] for each in marks)


def _naive(rate: RateEstimate) -> str:
    return _interval(rate.naive, rate.naive_low, rate.naive_high)


def _corrected(rate: RateEstimate) -> str:
    return _interval(rate.corrected, rate.low, rate.high)


def _interval(share: float | None, low: float | None, high: float | None) -> str:
    if share is None:
        return NOTHING
    between = "" if low is None or high is None else f" ({100 * low:.0f} to {100 * high:.0f})"
    return f"{percent(share)}{between}"


def _judged(counts: PeopleCounts) -> str:
    return (
        f"{counts.masked} with a mask, {counts.without} without, {counts.worn_wrongly} worn wrongly"
    )


def _part(number: float, share: float | None) -> str:
    return f"{number:g}" if share is None else f"{number:g} ({percent_exact(share)})"


def _unwatched(watch: WatchFigures) -> str:
    if watch.unwatched_share is None:
        return NOTHING
    return f"{hours(watch.unwatched_s)} ({percent_exact(watch.unwatched_share)})"


def _alerts(alerts: AlertFigures) -> str:
    if not alerts.alerts:
        return "0"
    false = f", {alerts.not_a_violation} of them false alarms" if alerts.not_a_violation else ""
    return f"{alerts.alerts}: {alerts.without} no mask, {alerts.worn_wrongly} worn wrongly{false}"


def _times(middle: float | None, longest: float | None) -> str:
    if middle is None or longest is None:
        return NOTHING
    return f"median {hours(middle)}, longest {hours(longest)}"


_PEOPLE = ("people", "masked", "without", "worn wrongly", "not judged")


def _people(counts: PeopleCounts) -> tuple[str, ...]:
    figures = (counts.people, counts.masked, counts.without, counts.worn_wrongly)
    return (*map(str, figures), _part(counts.not_judged, counts.not_judged_share or None))


def _share(share: float | None) -> str:
    return NOTHING if share is None else percent_exact(share)


def _remedy(alerts: AlertFigures) -> str:
    return NOTHING if alerts.median_remedy_s is None else hours(alerts.median_remedy_s)


def _bins(report: Report) -> ReportTable:
    name = "day" if report.days else "hour"
    bins = [each for each in report.days or report.hours if not _is_empty(each)]
    is_short = len(bins) < len(report.days or report.hours)
    left_out = ("hours not in the rate",) if report.days else ()
    return ReportTable(
        f"By {name}",
        (name, *_PEOPLE, "with a mask", "not watched", *left_out, *_LAST),
        tuple(
            (
                day_name(each.begin) if report.days else hour_name(each, report),
                *_people(each.counts),
                share_in_words(each.rate),
                _share(each.watch.unwatched_share),
                *(str(each.left_out) for _ in left_out),
                str(each.apart),
                str(each.alerts.alerts),
                _remedy(each.alerts),
                _remarks(each, is_day=bool(report.days)),
            )
            for each in bins
        ),
        frozenset((0, 8 + len(left_out) + len(_LAST) - 1)),
        f"A {name} that was closed all the time, and without people, is left out." * is_short,
    )


_LAST = ("counted apart", "alerts", "to remedy", "remarks")


def _is_empty(each: ReportBin) -> bool:
    """Return whether nothing could have happened, and nothing did."""
    is_closed = Mark.CLOSED in each.marks or Mark.RULE_OFF in each.marks
    return is_closed and not (each.counts.people or each.apart or each.alerts.alerts)


def _remarks(each: ReportBin, *, is_day: bool) -> str:
    words = [marks_in_words(each.marks)] if each.marks else []
    if each.left_out and not is_day:
        words.append("not in the rate")
    return "; ".join(words)


def day_name(text: str) -> str:
    """Return `Sun 11-29`: the report says which year."""
    return f"{datetime.fromisoformat(text):%a %m-%d}"


def hour_name(each: ReportBin, report: Report) -> str:
    """Return `08:00`; with the offset where another hour of the report has the same name, and with
    the day where the report has more than one."""
    day = "" if report.begin[:10] == report.hours[-1].begin[:10] else f"{each.begin[5:10]} "
    offset = each.begin[19:] if Mark.SUMMER_TIME in each.marks else ""
    return f"{day}{each.begin[11:16]}{offset}"


def _by_hour_of_day(report: Report) -> ReportTable:
    """Return what each hour of the day comes to over all days."""
    rows: list[tuple[str, ...]] = []
    for hour in range(24) if report.days else ():
        name = f"{hour:02d}"
        bins = [each for each in report.hours if each.begin[11:13] == name]
        people = sum(each.counts.people for each in bins)
        alerts = [each for each in report.alert_list if each.at[11:13] == name]
        if not people and not alerts:
            continue
        sums = (
            sum(getattr(each.counts, part) for each in bins)
            for part in ("masked", "without", "worn_wrongly", "not_judged")
        )
        remedies = [each.remedy_s for each in alerts if each.remedy_s is not None]
        total = sum(each.alerts.alerts for each in bins)
        remedy = hours(median(remedies)) if remedies else NOTHING
        rows.append((f"{name}:00", str(people), *map(str, sums), str(total), remedy))
    return ReportTable(
        "By hour of the day, all days together",
        ("hour", *_PEOPLE, "alerts", "to remedy"),
        tuple(rows),
        frozenset((0,)),
    )


def _shifts(report: Report) -> ReportTable:
    return ReportTable(
        "By shift",
        ("shift", *_PEOPLE, "with a mask", "not watched", "alerts", "to remedy"),
        tuple(
            (
                each.name or "outside of all shifts",
                *_people(each.counts),
                share_in_words(each.rate),
                _share(each.watch.unwatched_share),
                str(each.alerts.alerts),
                _remedy(each.alerts),
            )
            for each in report.shifts
        ),
        frozenset((0,)),
    )


def _places(report: Report) -> ReportTable:
    is_worth_it = any(each.zone or each.camera for each in report.places)
    return ReportTable(
        "By zone",
        ("zone", *_PEOPLE, "with a mask", "alerts", "to remedy"),
        tuple(
            (
                place_name(each.camera, each.zone),
                *_people(each.counts),
                share_in_words(each.rate),
                str(each.alerts.alerts),
                _remedy(each.alerts),
            )
            for each in report.places
            if is_worth_it
        ),
        frozenset((0,)),
    )


def place_name(camera: str, zone: str) -> str:
    return " / ".join(each for each in (camera, zone) if each) or "in no zone"


def _cameras(report: Report) -> ReportTable:
    return ReportTable(
        "By camera",
        ("camera", "watched", "not watched"),
        tuple(
            (each.camera or NOTHING, hours(each.watch.watched_s), _unwatched(each.watch))
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


def _apart(report: Report) -> ReportTable:
    titles = {Apart.CLOSED: "closed", Apart.RULE_OFF: "mask rule off"}
    return ReportTable(
        "Counted apart, in no rate",
        ("why", "time", *_PEOPLE),
        tuple(
            (titles[each.why], hours(each.seconds), *_people(each.counts)) for each in report.apart
        ),
        frozenset((0,)),
        f"People who came {APART[Apart.CLOSED]}, or {APART[Apart.RULE_OFF]}.",
    )


def _gaps(report: Report) -> ReportTable:
    """Return the hours that are not in the rate, neighbors together."""
    rows: list[list[str]] = []
    for each in report.hours if report.days else ():
        why = marks_in_words(mark for mark in each.marks if mark in LEFT_OUT)
        if not why:
            continue
        if rows and rows[-1][1:] == [clock(each.begin), why]:
            rows[-1][1] = clock(each.end)
        else:
            rows.append([clock(each.begin), clock(each.end), why])
    more = len(rows) - MOST_GAPS
    limits = report.limits
    return ReportTable(
        "Hours not in the rate",
        ("from", "to", "why"),
        tuple((one, two, why) for one, two, why in rows[:MOST_GAPS]),
        frozenset((0, 1, 2)),
        f"More than {percent(limits.unwatched_share)} not watched, or more than "
        f"{percent(limits.not_judged_share)} of the people not judged."
        + (f" {more} more are in JSON and CSV." if more > 0 else ""),
    )


def _alert_list(report: Report, most: int) -> ReportTable:
    shown = report.alert_list[-most:]
    more = report.alerts.alerts - len(shown)
    return ReportTable(
        "Alerts",
        ("at", "where", "what", "to remedy", "closed after", "why", "done", "by", "note"),
        tuple(map(_alert, shown)),
        frozenset((0, 1, 2, 5, 6, 7, 8)),
        f"The last {len(shown)}; {more} more are in JSON and CSV." if more > 0 else "",
    )


def _alert(each: ReportedAlert) -> tuple[str, ...]:
    closed = "open"
    if each.closed_at is not None:
        took = datetime.fromisoformat(each.closed_at) - datetime.fromisoformat(each.at)
        closed = hours(max(0.0, took.total_seconds()))
    return (
        each.at[:19].replace("T", " "),
        place_name(each.camera, each.zone) if each.camera or each.zone else "",
        KINDS.get(each.kind, each.kind),
        NOTHING if each.remedy_s is None else hours(each.remedy_s),
        closed,
        each.reason,
        each.remedy,
        each.by,
        each.note,
    )


def _conditions(report: Report) -> ReportTable:
    return ReportTable(
        "What was wrong with the box",
        ("condition", "severity", "times", "together", "longest"),
        tuple(
            (
                f"{each.code} {each.subject}".strip(),
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
    if report.eyes is None:
        return ReportTable("What the eyes miss", (), ())
    return ReportTable(
        "What the eyes miss",
        ("face from", "people here", "masked, judged right", "without, judged right"),
        tuple(
            (
                f"{each.size_px} px",
                str(each.people),
                _right(each.masked_right, each.masked_of),
                _right(each.bare_right, each.bare_of),
            )
            for each in report.eyes.classes
        ),
        note=f"Measured: {report.eyes.source}",
    )


def _right(right: int, of: int) -> str:
    return f"{right} of {of} ({percent_exact(right / of)})" if of else "not measured"


def _proof(report: Report) -> ReportTable:
    if report.sight is None:
        return ReportTable("Proof of sight", (), ())
    kinds = (("with a mask", report.sight.masked), ("without", report.sight.without))
    return ReportTable(
        "Proof of sight",
        ("drawn heads", "shown", "found", "judged right"),
        tuple((name, str(each.shown), str(each.found), str(each.right)) for name, each in kinds),
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
        ("at", "by", "what was signed"),
        tuple(
            (clock(each.at), each.by, "this report" if each.is_same else "other figures than these")
            for each in report.signed_off
        ),
        frozenset((0, 1, 2)),
    )
