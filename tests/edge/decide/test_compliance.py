from __future__ import annotations

import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.decide.compliance import ComplianceCounter, rate_interval
from edge.records import Tally, Verdict, Visit

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MASKED, BARE, UNKNOWN = Verdict.MASKED, Verdict.BARE, Verdict.UNKNOWN


def visit(verdict: Verdict) -> Visit:
    return Visit(1, verdict, NOON, NOON)


def test_nobody_seen_has_no_rate() -> None:
    counter = ComplianceCounter(100.0)
    counter.watch(30.0, 130.0)
    tally = counter.totals(130.0).last_minute
    assert tally == Tally(masked=0, bare=0, unknown=0, worn_wrongly=0, watched_s=30.0)
    assert (tally.seen, tally.rate) == (0, None)


def test_the_rate_is_of_the_judged_only() -> None:
    counter = ComplianceCounter(0.0)
    for verdict in (MASKED, MASKED, MASKED, BARE, UNKNOWN, UNKNOWN):
        counter.add(visit(verdict), 10.0)
    tally = counter.totals(10.0).last_day
    assert (tally.seen, tally.rate) == (6, 0.75)


def test_a_visit_leaves_the_minute_then_the_hour_then_the_day() -> None:
    counter = ComplianceCounter(0.0)
    counter.add(visit(BARE), 0.5)
    seen = []
    for now_s in (58.0, 61.0, 3500.0, 3700.0, 85_000.0, 87_000.0):
        totals = counter.totals(now_s)
        seen.append((totals.last_minute.bare, totals.last_hour.bare, totals.last_day.bare))
    assert seen == [(1, 1, 1), (0, 1, 1), (0, 1, 1), (0, 0, 1), (0, 0, 1), (0, 0, 0)]


def test_people_of_whom_no_mask_is_required_are_counted_and_not_in_the_rate() -> None:
    counter = ComplianceCounter(0.0)
    counter.divide_into(["Street"])
    for verdict in (MASKED, BARE):
        counter.add(visit(verdict), 10.0)
    for verdict in (BARE, BARE, MASKED, UNKNOWN):
        counter.add(replace(visit(verdict), zone="Street", is_required=False), 10.0)
    totals = counter.totals(10.0)
    whole, street = totals.last_hour, totals.places[0].last_hour
    assert (whole.seen, whole.apart, whole.rated, whole.rate) == (6, 4, (1, 1), 0.5)
    assert rate_interval(whole) == rate_interval(Tally(1, 1, 0, 0, 0.0))
    assert (street.seen, street.apart, street.rate) == (4, 4, None)


def test_places_add_up_to_all_people() -> None:
    counter = ComplianceCounter(0.0)
    counter.divide_into(["Gate", "Hall"])
    counter.watch(10.0, 10.0)
    for zone, verdict in (("Gate", MASKED), ("Gate", BARE), ("Hall", MASKED), ("", UNKNOWN)):
        counter.add(replace(visit(verdict), zone=zone), 10.0)
    totals = counter.totals(10.0)
    counts = [(place.zone, place.last_hour.masked, place.last_hour.seen) for place in totals.places]
    assert counts == [("Gate", 1, 2), ("Hall", 1, 1), ("", 0, 1)]
    for window in ("last_hour", "last_day", "since_start"):
        tallies = [getattr(place, window) for place in totals.places]
        whole: Tally = getattr(totals, window)
        assert sum(tally.seen for tally in tallies) == whole.seen == 4
        assert {tally.watched_s for tally in tallies} == {whole.watched_s} == {10.0}


def test_without_zones_there_are_no_places() -> None:
    counter = ComplianceCounter(0.0)
    counter.add(visit(MASKED), 10.0)
    assert counter.totals(10.0).places == ()


def test_zones_that_are_drawn_anew_count_from_zero_and_others_go_on() -> None:
    counter = ComplianceCounter(0.0)
    counter.divide_into(["Gate", "Hall"])
    for zone in ("Gate", "Hall"):
        counter.add(replace(visit(MASKED), zone=zone), 10.0)
    counter.divide_into(["Gate", "Yard"])
    # Who was there when the zone was removed belongs to none now.
    for zone in ("Gate", "Hall"):
        counter.add(replace(visit(MASKED), zone=zone), 20.0)
    seen = {place.zone: place.since_start.seen for place in counter.totals(20.0).places}
    assert seen == {"Gate": 2, "Yard": 0, "": 1}
    counter.divide_into([])
    assert counter.totals(20.0).places == ()


def watched(counter: ComplianceCounter, now_s: float) -> list[float]:
    totals = counter.totals(now_s)
    return [tally.watched_s for tally in (totals.last_minute, totals.last_hour, totals.last_day)]


def test_a_window_says_how_much_of_it_was_watched() -> None:
    counter = ComplianceCounter(1000.0)
    for second in range(7200):
        counter.watch(1.0, 1000.0 + second + 1)
    minute_s, hour_s, day_s = watched(counter, 1000.0 + 7200.0)
    # Right to within one bucket, as the counts are.
    assert minute_s == pytest.approx(60, abs=1)
    assert hour_s == pytest.approx(3600, abs=30)
    assert day_s == 7200


def test_an_outage_is_not_watched_and_leaves_the_window_in_time() -> None:
    counter = ComplianceCounter(0.0)
    counter.watch(10.0, 10.0)
    counter.watch(10.0, 50.0)
    assert watched(counter, 50.5) == [20.0, 20.0, 20.0]
    assert watched(counter, 75.0) == [10.0, 20.0, 20.0]
    assert watched(counter, 3700.0) == [0.0, 0.0, 20.0]


@given(st.lists(st.tuples(st.floats(0, 5000), st.sampled_from(Verdict)), max_size=60))
def test_a_window_is_right_to_within_one_bucket(arrivals: list[tuple[float, Verdict]]) -> None:
    counter = ComplianceCounter(0.0)
    times = sorted(at_s for at_s, _ in arrivals)
    for at_s, verdict in sorted(arrivals):
        counter.add(visit(verdict), at_s)
    now_s = 5000.0
    totals = counter.totals(now_s)
    for tally, span_s, bucket_s in ((totals.last_minute, 60, 1), (totals.last_hour, 3600, 30)):
        least = sum(at_s > now_s - span_s + bucket_s for at_s in times)
        most = sum(at_s >= now_s - span_s for at_s in times)
        assert least <= tally.seen <= most


def test_many_visits_take_no_more_room_than_one() -> None:
    counter = ComplianceCounter(0.0)
    counter.add(visit(MASKED), 0.0)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for number in range(20_000):
        counter.add(visit(MASKED), number * 10.0)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 50_000
    assert counter.totals(200_000.0).last_day.seen == pytest.approx(8640, abs=60)


@pytest.mark.parametrize(
    ("masked", "bare", "interval"),
    [
        # As in Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
        (81, 263 - 81, (0.2553, 0.3662)),
        (15, 148 - 15, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (29, 0, (0.8830, 1.0)),
    ],
)
def test_the_rate_lies_in_an_interval(
    masked: int, bare: int, interval: tuple[float, float]
) -> None:
    tally = Tally(masked=masked, bare=bare, unknown=3, worn_wrongly=5, watched_s=60)
    assert rate_interval(tally) == pytest.approx(interval, abs=5e-5)


def test_without_anybody_judged_there_is_no_interval() -> None:
    assert rate_interval(Tally(masked=0, bare=0, unknown=3, worn_wrongly=5, watched_s=60)) is None
