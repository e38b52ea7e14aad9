"""The tables of a report that count people: by day and hour, shift and zone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edge.report.figures import median_of
from edge.report.phrases import (
    NOTHING,
    ReportTable,
    clock,
    day_name,
    hour_name,
    marks_in_words,
    part_in_words,
    place_name,
    remedy_in_words,
    share_in_words,
    share_or_nothing,
)
from edge.report.records import Apart, Mark, PeopleCounts, Report, ReportBin
from edge.report.verdict import APART, hours
from edge.words import percent

LEFT_OUT = (Mark.UNWATCHED, Mark.NOT_JUDGED)


MOST_GAPS = 60


_PEOPLE = ("people", "masked", "without", "worn wrongly", "not judged")


def _people(counts: PeopleCounts) -> tuple[str, ...]:
    figures = (counts.people, counts.masked, counts.without, counts.worn_wrongly)
    return (*map(str, figures), part_in_words(counts.not_judged, counts.not_judged_share or None))


def bins_table(report: Report) -> ReportTable:
    name = "day" if report.days else "hour"
    bins = [each for each in report.days or report.hours if not _is_empty(each)]
    is_short = len(bins) < len(report.days or report.hours)
    left_out = ("hours left out",) if report.days else ()
    return ReportTable(
        f"By {name}",
        (name, *_PEOPLE, "with a mask", "not watched", *left_out, *_LAST),
        tuple(
            (
                _name(run, report),
                *_people(run[0].counts),
                _share(run[0]),
                share_or_nothing(run[0].watch.unwatched_share),
                *(str(sum(each.left_out for each in run)) for _ in left_out),
                str(run[0].apart),
                str(run[0].alerts.alerts),
                remedy_in_words(run[0].alerts),
                marks_in_words(run[0].marks),
            )
            for run in _runs(bins)
        ),
        frozenset((0, 8 + len(left_out) + len(_LAST) - 1)),
        f"{name.capitalize()}s that were closed all the time, and without people, are left out."
        * is_short,
    )


_LAST = ("counted apart", "alerts", "to remedy", "remarks")


def _is_empty(each: ReportBin) -> bool:
    """Return whether nothing could have happened, and nothing did."""
    is_closed = Mark.CLOSED in each.marks or Mark.RULE_OFF in each.marks
    return is_closed and _is_quiet(each)


def _is_quiet(each: ReportBin) -> bool:
    return not (each.counts.people or each.apart or each.alerts.alerts)


def _share(each: ReportBin) -> str:
    """Return the share with a mask; of an hour that is not in the rate, none."""
    is_left_out = any(mark in each.marks for mark in LEFT_OUT)
    return NOTHING if is_left_out else share_in_words(each.rate)


def _runs(bins: Iterable[ReportBin]) -> list[list[ReportBin]]:
    """Return neighbors together in which nobody came, and of which the same is to be said."""
    runs: list[list[ReportBin]] = []
    for each in bins:
        last = runs[-1][-1] if runs else None
        if last is not None and last.end == each.begin and _said_of(last) == _said_of(each):
            runs[-1].append(each)
        else:
            runs.append([each])
    return runs


def _said_of(each: ReportBin) -> tuple[object, ...]:
    """Return what a row says of a time in which nobody came; of another one, and of an hour that
    comes twice, something of its own."""
    if not _is_quiet(each) or Mark.SUMMER_TIME in each.marks:
        return (each.begin,)
    return share_or_nothing(each.watch.unwatched_share), each.marks


def _name(run: Sequence[ReportBin], report: Report) -> str:
    first, last = run[0], run[-1]
    name = day_name(first.begin) if report.days else hour_name(first, report)
    if len(run) == 1:
        return name
    return f"{name} to {day_name(last.begin) if report.days else last.end[11:16]}"


def hour_of_day_table(report: Report) -> ReportTable:
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
        middle = median_of(each.remedy_s for each in alerts if each.remedy_s is not None)
        total = sum(each.alerts.alerts for each in bins)
        remedy = NOTHING if middle is None else hours(middle)
        rows.append((f"{name}:00", str(people), *map(str, sums), str(total), remedy))
    return ReportTable(
        "By hour of the day, all days together",
        ("hour", *_PEOPLE, "alerts", "to remedy"),
        tuple(rows),
        frozenset((0,)),
    )


def shifts_table(report: Report) -> ReportTable:
    return ReportTable(
        "By shift",
        ("shift", *_PEOPLE, "with a mask", "not watched", "alerts", "to remedy"),
        tuple(
            (
                each.name or "outside of all shifts",
                *_people(each.counts),
                share_in_words(each.rate),
                share_or_nothing(each.watch.unwatched_share),
                str(each.alerts.alerts),
                remedy_in_words(each.alerts),
            )
            for each in report.shifts
        ),
        frozenset((0,)),
    )


def places_table(report: Report) -> ReportTable:
    is_worth_it = any(each.zone or each.camera for each in report.places)
    return ReportTable(
        "By zone",
        ("where", *_PEOPLE, "with a mask", "alerts", "to remedy"),
        tuple(
            (
                place_name(each.camera, each.zone) + ("" if each.is_required else " *"),
                *_people(each.counts),
                share_in_words(each.rate),
                str(each.alerts.alerts),
                remedy_in_words(each.alerts),
            )
            for each in report.places
            if is_worth_it
        ),
        frozenset((0,)),
        "* A zone that only counts: its people are counted apart, and in no other share."
        * any(not each.is_required for each in report.places),
    )


def apart_table(report: Report) -> ReportTable:
    titles = {
        Apart.CLOSED: "closed",
        Apart.RULE_OFF: "mask rule off",
        Apart.COUNT_ONLY: "zones that only count",
    }
    return ReportTable(
        "Counted apart, in no rate",
        ("why", "time", *_PEOPLE),
        tuple(
            (
                titles[each.why],
                NOTHING if each.seconds is None else hours(each.seconds),
                *_people(each.counts),
            )
            for each in report.apart
        ),
        frozenset((0,)),
        f"No mask was required of them: {', '.join(APART[each.why] for each in report.apart)}.",
    )


def gaps_table(report: Report) -> ReportTable:
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
