"""Publishes what happened today, yesterday and last week: hourly, in few bytes."""

from __future__ import annotations

import logging
from datetime import date, datetime, timedelta
from typing import Protocol

from edge.clock import SYSTEM_CLOCK, Clock, clock_synchronised
from edge.daemon.lookout import Glance
from edge.daemon.side_thread import SideThread
from edge.errors import TensorMaskError
from edge.publish.messages import (
    REPORT,
    Origin,
    ReportedPeriod,
    ReportMessage,
    encode,
    every_field,
    timestamp,
)
from edge.report.gather import FLUSHED_MIN
from edge.report.period import LAST, TODAY, YESTERDAY, PeriodKind, period_named
from edge.report.records import RateEstimate, Report
from edge.report.source import ReportSource
from edge.telemetry import Telemetry

_log = logging.getLogger(__name__)

AFTER_START_S = 120.0
"""By then the history knows of the start."""
EVERY = timedelta(hours=1)
AFTER_HOUR = timedelta(minutes=FLUSHED_MIN + 1)
"""When the history has all of the hour, and of the day before."""
RETRY_S = 600.0
CLOSING_S = 0.5


class ReportSender(Protocol):
    """The way to the broker: `MqttPublisher`."""

    def publish_state(self, name: str, payload: bytes) -> None: ...


class ReportPublisher:
    """An outlet with a thread of its own, which does nothing but read the history once an hour."""

    def __init__(
        self,
        source: ReportSource,
        origin: Origin,
        sender: ReportSender,
        clock: Clock = SYSTEM_CLOCK,
        after_start_s: float = AFTER_START_S,
    ) -> None:
        self._source = source
        self._origin = origin
        self._sender = sender
        self._clock = clock
        self._after_start_s = after_start_s
        self._compiled: tuple[date, ReportedPeriod] | None = None
        """The last week, and on which day that was compiled."""
        self._trouble = ""
        self._thread = SideThread("reports", self._work)

    def start(self) -> None:
        self._thread.start()

    def take(self, glance: Glance, telemetry: Telemetry) -> None:
        """What a turn decided comes by way of the history."""

    def close(self) -> None:
        self._thread.end(CLOSING_S)

    def _work(self) -> None:
        wait_s = self._after_start_s
        while not self._thread.rest(wait_s):
            now = self._clock.utc()
            try:
                self._publish(now)
            except TensorMaskError as error:
                if str(error) != self._trouble:
                    _log.warning("%s; no report is published meanwhile", error)
                self._trouble, wait_s = str(error), RETRY_S
            else:
                self._trouble, wait_s = "", pause_s(now)

    def _publish(self, now: datetime) -> None:
        calendar = self._source.calendar
        message = ReportMessage(
            **every_field(self._origin, now, clock_synchronised()),
            time_zone=calendar.zone_name,
            today=self._day(TODAY, now),
            yesterday=self._day(YESTERDAY, now),
            week=self._week(now),
        )
        self._sender.publish_state(REPORT, encode(message))

    def _day(self, name: str, now: datetime) -> ReportedPeriod:
        period = period_named(self._source.calendar, PeriodKind.DAY, name, now)
        return in_short(self._source.report(period, now))

    def _week(self, now: datetime) -> ReportedPeriod:
        """Return the last week: compiled once a day, since alerts of it may still be closed."""
        calendar = self._source.calendar
        today = calendar.local(now).date()
        if self._compiled is None or self._compiled[0] != today:
            period = period_named(calendar, PeriodKind.WEEK, LAST, now)
            self._compiled = today, in_short(self._source.report(period, now))
        return self._compiled[1]


def pause_s(now: datetime) -> float:
    """Return how long after `now` the next report is due: once an hour, when all is written."""
    past = now - now.replace(minute=0, second=0, microsecond=0) - AFTER_HOUR
    return (EVERY - past % EVERY).total_seconds()


def in_short(report: Report) -> ReportedPeriod:
    """Return what is published of a report."""
    counts, watch = report.counts, report.watch
    rate = report.rate or RateEstimate(people=0)
    return ReportedPeriod(
        period=report.period,
        begin=timestamp(datetime.fromisoformat(report.begin)),
        until=timestamp(datetime.fromisoformat(report.until)),
        is_over=report.until == report.end,
        seen=counts.people,
        masked=counts.masked,
        bare=counts.without,
        unknown=counts.not_judged,
        worn_wrongly=counts.worn_wrongly,
        counted_apart=sum(each.counts.people for each in report.apart),
        rate=rate.naive,
        rate_low=rate.naive_low,
        rate_high=rate.naive_high,
        corrected=rate.corrected,
        corrected_low=rate.low,
        corrected_high=rate.high,
        hours_left_out=report.hours_left_out,
        expected_s=watch.expected_s,
        watched_s=watch.watched_s,
        unwatched_s={str(each.reason): each.seconds for each in watch.unwatched},
        alerts=report.alerts.alerts,
        alerts_open=report.alerts.open,
        median_remedy_s=report.alerts.median_remedy_s,
    )
