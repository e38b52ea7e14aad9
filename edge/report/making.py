"""The parts of a report, made of its cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import msgspec

from edge.history.records import Alert, Entry, EntryKind, Place, RunAbout, SightProof
from edge.records import Verdict
from edge.report.calendar import Calendar
from edge.report.cells import Cell, PeopleTally, Sizes, apart_in, people_in, watch_in
from edge.report.figures import (
    Acknowledged,
    alert_figures,
    remedy_s,
    sight_figures,
    watch_figures,
)
from edge.report.gather import PeriodCells
from edge.report.marks import LEAVES_OUT, changes_clock, marks_of, unproven
from edge.report.period import Period, PeriodKind
from edge.report.records import (
    Apart,
    ApartFigures,
    CameraFigures,
    CameraSight,
    JournalLine,
    Mark,
    PlaceFigures,
    RateEstimate,
    ReportBin,
    ReportedAlert,
    RuleChange,
    ShiftFigures,
    SightFigures,
    SightTotals,
)
from edge.report.spans import MinuteSpan


class ReportParts:
    """Makes the parts of one report, which are sums of cells."""

    def __init__(
        self,
        gathered: PeriodCells,
        calendar: Calendar,
        said: Acknowledged,
        proofs: Sequence[SightProof],
        estimate: Callable[[Sizes], RateEstimate | None],
    ) -> None:
        """`proofs` are those in the period and near to it."""
        self._all = gathered
        self._calendar = calendar
        self._said = said
        self._proofs = proofs
        self._estimate = estimate
        self._of_hour: list[list[Cell]] = [[] for _ in gathered.hours]
        for cell in gathered.cells:
            self._of_hour[cell.hour].append(cell)
        self.left_out: frozenset[int] = frozenset()
        self.hours = tuple(self._hour(number) for number in range(len(gathered.hours)))
        """Those of the clock on the wall, see `ReportBin`."""
        self.left_out = frozenset(number for number, hour in enumerate(self.hours) if hour.left_out)

    def rated(self, cells: Iterable[Cell]) -> list[Cell]:
        """Return those whose people are in the rate."""
        return [cell for cell in cells if cell.hour not in self.left_out]

    def rate(self, cells: Iterable[Cell]) -> RateEstimate | None:
        return self._estimate(people_in(self.rated(cells)).sizes())

    def text(self, at: datetime) -> str:
        return self._calendar.local(at).isoformat(timespec="seconds")

    def _hour(self, number: int) -> ReportBin:
        span, cells = self._all.hours[number], self._of_hour[number]
        marks = marks_of(span, cells, self._all.until, self._proofs, self._calendar)
        return self._bin(span, cells, marks, int(any(each in marks for each in LEAVES_OUT)))

    def _bin(
        self, span: MinuteSpan, cells: Sequence[Cell], marks: Iterable[Mark], left_out: int
    ) -> ReportBin:
        return ReportBin(
            begin=self.text(span.begin_at),
            end=self.text(span.end_at),
            counts=people_in(cells).counts(),
            rate=self.rate(cells),
            watch=watch_figures(watch_in(cells)),
            alerts=alert_figures([each for cell in cells for each in cell.alerts], self._said),
            sight=sight_figures([each for cell in cells for each in cell.sight]),
            apart=sum(apart_in(cells, why).people for why in Apart),
            marks=tuple(marks),
            left_out=left_out,
        )

    def days(self, period: Period) -> tuple[ReportBin, ...]:
        """Return the days of a week or a month."""
        if period.kind not in (PeriodKind.WEEK, PeriodKind.MONTH):
            return ()
        whole = MinuteSpan(period.span.begin, self._all.until)
        return tuple(self._day(span) for _, span in self._calendar.days_in(whole))

    def _day(self, span: MinuteSpan) -> ReportBin:
        inside = [
            number
            for number, hour in enumerate(self._all.hours)
            if span.begin <= hour.begin < span.end
        ]
        cells = [cell for number in inside for cell in self._of_hour[number]]
        of_hours = [set(self.hours[number].marks) for number in inside]
        marks = [
            mark
            for mark in (Mark.CLOSED, Mark.RULE_OFF)
            if of_hours and all(mark in each for each in of_hours)
        ]
        marks += [
            mark
            for mark in (Mark.WITHOUT_PROOF, Mark.WRONG_CLOCK, Mark.NOT_OVER)
            if any(mark in each for each in of_hours)
        ]
        if changes_clock(self._calendar, span):
            marks.append(Mark.SUMMER_TIME)
        left_out = sum(self.hours[number].left_out for number in inside)
        return self._bin(span, cells, marks, left_out)

    def shifts(self) -> tuple[ShiftFigures, ...]:
        names = [each.name for each in self._calendar.shifts]
        return tuple(
            ShiftFigures(
                name=name,
                counts=people_in(cells).counts(),
                rate=self.rate(cells),
                watch=watch_figures(watch_in(cells)),
                alerts=alert_figures([each for cell in cells for each in cell.alerts], self._said),
            )
            for name in ([*names, ""] if names else ())
            if (cells := [cell for cell in self._all.cells if cell.shift == name])
        )

    def places(self) -> tuple[PlaceFigures, ...]:
        """Return what each zone of each camera comes to, where there are several."""
        cells = self._all.cells
        alerts: list[Alert] = [alert for cell in cells for alert in cell.alerts]
        counting = {place for cell in cells for why, place in cell.apart if why is Apart.COUNT_ONLY}
        requiring = {place for cell in cells for place in cell.people}
        requiring |= {alert.place for alert in alerts}  # which was confirmed where one is required
        found = [
            *(
                (place, True, [each for each in alerts if each.place == place])
                for place in requiring
            ),
            *((place, False, list[Alert]()) for place in counting),
        ]
        return tuple(
            PlaceFigures(
                camera=place.camera,
                zone=place.zone,
                is_required=is_required,
                counts=_at(cells, place, is_required).counts(),
                rate=self._estimate(_at(self.rated(cells), place, is_required).sizes()),
                alerts=alert_figures(of_place, self._said),
            )
            for place, is_required, of_place in sorted(
                found, key=lambda each: (each[0], not each[1])
            )
        )

    def cameras(self) -> tuple[CameraFigures, ...]:
        return tuple(
            CameraFigures(camera=name, watch=watch_figures(watch_in(self._all.cells, name)))
            for name in self._all.cameras
        )

    def apart(self) -> tuple[ApartFigures, ...]:
        found = []
        for why in Apart:
            counts = apart_in(self._all.cells, why).counts()
            seconds = None
            if why is not Apart.COUNT_ONLY:
                seconds = sum(cell.apart_s.get(why, 0.0) for cell in self._all.cells)
            if counts.people or seconds:
                found.append(ApartFigures(why=why, seconds=seconds, counts=counts))
        return tuple(found)

    def listed(self, alert: Alert) -> ReportedAlert:
        first, last = self._said.first(alert), self._said.last(alert)
        return ReportedAlert(
            event_id=alert.event_id,
            at=self.text(alert.confirmed_at),
            camera=alert.place.camera,
            zone=alert.place.zone,
            kind=alert.kind,
            remedy_s=remedy_s(alert),
            closed_at=None if first is None else self.text(first.at),
            by="" if last is None else last.by,
            reason="" if last is None else last.reason,
            remedy="" if last is None else last.remedy,
            note="" if last is None else last.note,
        )

    def sight(self) -> SightTotals | None:
        proofs = [each for cell in self._all.cells for each in cell.sight]
        if not self._proofs:
            return None
        lacks = [
            unproven(span, cells, self._proofs)
            for span, cells in zip(self._all.hours, self._of_hour, strict=True)
        ]
        watched = {name for cell in self._all.cells for name in cell.watch}
        names = sorted(watched | {each.camera for each in proofs})
        each_camera = tuple(
            CameraSight(
                camera=name,
                masked=_seen(proofs, Verdict.MASKED, name),
                without=_seen(proofs, Verdict.BARE, name),
                hours_without=sum(name in each for each in lacks),
            )
            for name in names
        )
        return SightTotals(
            masked=_seen(proofs, Verdict.MASKED),
            without=_seen(proofs, Verdict.BARE),
            hours_without=sum(map(bool, lacks)),
            cameras=each_camera if len(each_camera) > 1 else (),
        )

    def lines(self, kind: EntryKind, begin: datetime, end: datetime) -> tuple[JournalLine, ...]:
        return tuple(
            self._line(each)
            for each in self._all.entries
            if each.kind is kind and begin <= each.at < end
        )

    def made_with(self, begin: datetime, end: datetime) -> tuple[JournalLine, ...]:
        """Return the start before a time, and those in it; of alike ones in a row the first."""
        starts = [
            each for each in self._all.entries if each.kind is EntryKind.STARTED and each.at < end
        ]
        before = [each for each in starts if each.at < begin][-1:]
        found: list[Entry] = []
        for each in (*before, *(each for each in starts if each.at >= begin)):
            if not found or found[-1].text != each.text:
                found.append(each)
        return tuple(map(self._line, found))

    def rule(self, span: MinuteSpan) -> tuple[RuleChange, ...]:
        return tuple(
            RuleChange(
                is_on=each.is_on,
                since=None if each.since is None else self.text(each.since),
                by=each.by,
            )
            for each in self._all.rule.changes(span)
        )

    def _line(self, entry: Entry) -> JournalLine:
        text = _about(entry.text) if entry.kind is EntryKind.STARTED else entry.text
        return JournalLine(at=self.text(entry.at), by=entry.by, text=text)


def deletions(
    entries: Iterable[Entry], begin: datetime, text: Callable[[datetime], str]
) -> tuple[JournalLine, ...]:
    """Return who deleted, by command, what was in a period from `begin` on, and up to when."""
    return tuple(
        JournalLine(at=text(each.at), by=each.by, text=text(until))
        for each in entries
        if each.kind is EntryKind.DELETED and (until := datetime.fromisoformat(each.text)) > begin
    )


def _at(cells: Iterable[Cell], place: Place, is_required: bool) -> PeopleTally:
    return people_in(cells, place) if is_required else apart_in(cells, Apart.COUNT_ONLY, place)


def _about(text: str) -> str:
    """Return what ran, for people; as it is, where it is not a `RunAbout`."""
    try:
        about = msgspec.json.decode(text, type=RunAbout)
    except msgspec.DecodeError:
        return text
    release = f" (release {about.release})" if about.release else ""
    return (
        f"TensorMask {about.program}{release}, model {about.model}, detector {about.detector}, "
        f"settings {about.settings}"
    )


def _seen(proofs: Sequence[SightProof], wears: Verdict, camera: str | None = None) -> SightFigures:
    """Return what became of the heads of one kind; None: at all cameras."""
    alike = [each for each in proofs if each.verdict is wears and camera in (None, each.camera)]
    return sight_figures(alike) or SightFigures()
