"""What a report says in sentences: the verdict, and what is to be known before it is believed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from edge.report.records import Apart, Mark, Report, SightTotals, Unseen
from edge.words import count, percent

REASONS = {
    Unseen.NOT_RUNNING: "the program did not run",
    Unseen.NO_HISTORY: "nothing is known: before the first minute that is kept",
    Unseen.LOST: "the camera gave no picture",
    Unseen.DARK: "too dark",
    Unseen.BLINDED: "too bright",
    Unseen.COVERED: "the lens was covered",
    Unseen.TURNED: "faces upside down or on their side",
    Unseen.PAUSED: "paused by command",
    Unseen.CROWDED: "more people in sight than could be looked at in time",
}
MARKS = {
    Mark.UNWATCHED: "too little watched",
    Mark.NOT_JUDGED: "too many not judged",
    Mark.WITHOUT_PROOF: "no proof of sight",
    Mark.WRONG_CLOCK: "clock wrong or set",
    Mark.CLOSED: "closed",
    Mark.RULE_OFF: "mask rule off",
    Mark.SUMMER_TIME: "clocks change",
    Mark.NOT_OVER: "not over",
}
WIDE = 0.05
"""From this width on, what would make an interval narrower is said."""
APART = {
    Apart.CLOSED: "outside of the opening hours",
    Apart.RULE_OFF: "while the mask rule was off",
    Apart.COUNT_ONLY: "in zones that only count",
}


def verdict_of(report: Report) -> str:
    """Return the one sentence that somebody reads who reads only one."""
    rate, alerts = report.rate, report.alerts
    off = _why_off(report)
    if is_blank(report) and not off:
        return f"Nothing is known of this {report.kind}: {_why_nothing(report)}."
    if rate is None or rate.naive is None:
        judged = _no_rate(report, off)
    else:
        share, low, high = rate.naive, rate.naive_low, rate.naive_high
        if rate.corrected is not None:
            share, low, high = rate.corrected, rate.low, rate.high
        judged = f"{percent(share)} wore a mask"
        if low is not None and high is not None:
            judged += f" (95 % certain: {100 * low:.0f} to {percent(high)})"
        judged += f", of {people_in_words(rate.people)}"
    said = f"; {count(alerts.alerts, 'alert')}"
    if alerts.alerts:
        said += f", {alerts.open} open" if alerts.open else ", all closed"
    return f"{judged}{said}."


def _no_rate(report: Report, off: str) -> str:
    """Return why there is none; `off`: see `_why_off`."""
    people, apart = report.counts.people, sum(each.counts.people for each in report.apart)
    if people:
        passed = people_in_words(people)
        if report.counts.masked + report.counts.without:
            return f"No rate: {passed} passed, but only in hours that are not in the rate"
        return f"No rate: {passed} passed, and nobody was judged as with or without a mask"
    if off:
        return f"No rate: {off} all the time; {people_in_words(apart)} counted apart"
    if apart:
        return f"No rate: {people_in_words(apart)} passed, and a mask was required of nobody"
    if report.watch.watched_s:
        return f"Nobody passed in the {hours(report.watch.watched_s)} that were watched"
    return "No rate: nothing was watched"


def _why_off(report: Report) -> str:
    """Return why no mask was required at any time of the period; empty: at some time one was."""
    times = {each.why: each.seconds for each in report.apart if each.seconds}
    if report.watch.expected_s or not times:
        return ""
    if report.camera and sum(times.values()) < _lasted_s(report):  # it was not there meanwhile
        return ""
    if Apart.RULE_OFF not in times:
        return "it was closed"
    closed = "it was closed, or " if Apart.CLOSED in times else ""
    return f"{closed}the mask rule was off"


def _lasted_s(report: Report) -> float:
    lasted = datetime.fromisoformat(report.until) - datetime.fromisoformat(report.begin)
    return lasted.total_seconds()


def _why_nothing(report: Report) -> str:
    """Return why a period in which a mask was required has neither people nor watched time."""
    if report.watch.unwatched:
        reason = report.watch.unwatched[0].reason
        if reason is Unseen.NO_HISTORY:
            return "it was before the first minute that the history keeps"
        return REASONS[reason]
    if report.camera and _lasted_s(report):
        return "this camera was not there, and others were"
    return "it has just begun"


def is_blank(report: Report) -> bool:
    """Return whether nothing happened, and nothing was watched: one sentence says all."""
    people = report.counts.people + sum(each.counts.people for each in report.apart)
    return not (people or report.alerts.alerts or report.watch.watched_s)


def notes_of(report: Report) -> tuple[str, ...]:
    """Return what is to be known before the verdict is believed."""
    watch, limits = report.watch, report.limits
    notes = []
    until = report.until[:16].replace("T", " ")
    if report.until != report.end:
        notes.append(f"The {report.kind} is not over: this is what happened until {until}.")
    for line in report.deleted:
        at, limit = (text[:16].replace("T", " ") for text in (line.at, line.text))
        notes.append(f"Deleted on {at} by {line.by}: what was before {limit}.")
    if not report.places and (report.camera or report.zone):
        where = " ".join(filter(None, (report.camera, report.zone)))
        notes.append(f"Nobody was counted at {where}.")
    if is_blank(report):
        return (*notes, *_signed_differently(report))
    if watch.unwatched_share is not None:
        share = percent_exact(watch.unwatched_share)
        missed = report.counts.not_judged_share or 0.0
        watched = f"{share} of the time was not watched"
        if not watch.unwatched_share:
            watched = "All of the time was watched"
        before = [each for each in watch.unwatched if each.reason is Unseen.NO_HISTORY]
        if before:
            watched += f" ({hours(before[0].seconds)} of it before the first minute that is kept)"
        judged = f", and {percent_exact(missed)} of the people could not be judged"
        notes.append(f"{watched}{judged}." if missed else f"{watched}.")
    if report.hours_left_out:
        notes.append(
            f"{count(report.hours_left_out, 'hour')} not in the rate: more than "
            f"{percent(limits.unwatched_share)} not watched, or more than "
            f"{percent(limits.not_judged_share)} of the people not judged."
        )
    for each in report.apart:
        during = "" if each.seconds is None else f" in {hours(each.seconds)}"
        people = people_in_words(each.counts.people)
        notes.append(f"Counted apart, {APART[each.why]}: {people}{during}.")
    if report.rate is not None and report.rate.corrected is None:
        notes.append("The rate is not corrected: nothing is known of what the eyes miss.")
    notes += _what_would_help(report)
    if report.sight is None:
        notes.append("There was no proof of sight.")
    elif report.sight.hours_without:
        notes.append(
            f"{count(report.sight.hours_without, 'watched hour')} without a proof of sight within "
            f"{limits.proof_holds_h:g} h{_by_camera(report.sight)}."
        )
    wrong = sum(Mark.WRONG_CLOCK in each.marks for each in report.hours)
    if wrong:
        notes.append(f"In {count(wrong, 'hour')} the clock was set or followed no time server.")
    return (*notes, *_signed_differently(report))


def _signed_differently(report: Report) -> Iterator[str]:
    if any(each.is_same is False for each in report.signed_off):
        yield "What was signed off is not what this report says now."


def _what_would_help(report: Report) -> Sequence[str]:
    """Return what would make the rate surer, where it leaves much open."""
    rate, eyes = report.rate, report.eyes
    if rate is None or rate.low is None or rate.high is None or rate.counted_width is None:
        return ()
    width = rate.high - rate.low
    if width < WIDE or eyes is None:
        return ()
    if rate.counted_width > width / 2:
        return ("The rate would be surer with more people: a longer period has more of them.",)
    return (
        "More people would not make the rate surer: it rests on how often the box errs, and that "
        f"was tried with too few faces ({eyes.source}).",
    )


def people_in_words(number: int) -> str:
    return "1 person" if number == 1 else f"{number} people"


def percent_exact(share: float) -> str:
    """Return a share as `97 %`, or as `0.4 %` where that would be 0 or 100."""
    shown = f"{100 * share:.0f}"
    if shown in ("0", "100") and share not in (0.0, 1.0):
        return f"{100 * share:.2g} %" if share < 0.5 else f"{min(99.9, 100 * share):.1f} %"
    return f"{shown} %"


def hours(seconds: float) -> str:
    """Return a duration as a report writes it: `45 s`, `12 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    rest = f" {minutes % 60} min" if minutes % 60 and minutes < 24 * 60 else ""
    return f"{minutes // 60} h{rest}"


def _by_camera(sight: SightTotals) -> str:
    """Return ` (camera door: 2, hall: 3)`, where there are several."""
    lacks = ", ".join(
        f"{each.camera or 'no name'}: {each.hours_without}"
        for each in sight.cameras
        if each.hours_without
    )
    return f" (camera {lacks})" if lacks else ""
