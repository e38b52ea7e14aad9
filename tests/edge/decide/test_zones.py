"""Zones: where somebody is, what holds there, and where a visit is counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.classify.card import CardThresholds
from edge.config import PolicySettings, ZoneSettings
from edge.decide.policy import MIN_SIGHTINGS, Decision, ViolationPolicy
from edge.decide.zones import GRACE_S, Lasting, Whereabouts, Zones
from edge.records import Sighting, TrackedFace, Verdict, Violation, ViolationState, Visit
from tests.fakes import START, blank, frame_at, reading_at

POLICY = PolicySettings(confirm_s=1.0)
WIDTH, HEIGHT = 100, 50
BARE, MASKED = 0.99, 0.01
FACE_PX = 60.0
EVERY_S = 0.1


def strip(name: str, left: float, right: float, **keys: Any) -> ZoneSettings:
    """A zone from top to bottom."""
    corners = [(left, 0), (right, 0), (right, 1), (left, 1)]
    return msgspec.convert({"name": name, "polygon": corners, **keys}, ZoneSettings)


GATE = strip("Gate", 0.0, 0.25)
HALL = strip("Hall", 0.25, 0.5, policy="count")
LUNCH = strip("Lunch", 0.5, 0.75, policy="ignore")
ALL = (GATE, HALL, LUNCH)
IN = {"Gate": 0.1, "Hall": 0.3, "Lunch": 0.6, "": 0.9}
"""Where each of them is, from the left."""


def policy(*zones: ZoneSettings, settings: PolicySettings = POLICY) -> ViolationPolicy:
    thresholds = CardThresholds(bare=0.9, masked=0.3)
    return ViolationPolicy(
        settings, thresholds, lambda at: f"event-{at:%S.%f}", Zones(zones, settings)
    )


def seen(
    seconds: float, x: float, bare: float | None, track_id: int = 1, size: float = FACE_PX
) -> Sighting:
    """A face whose center is `x` of the picture from the left."""
    left, top = x * WIDTH - size / 2, HEIGHT / 2 - size / 2
    moment = START + timedelta(seconds=seconds)
    return Sighting(track_id, reading_at(left, top, size, bare), moment, seconds)


def shown(by: ViolationPolicy, sightings: Sequence[Sighting]) -> list[Decision]:
    """Show one person, frame by frame, then let him leave."""
    frame = frame_at(0, blank(WIDTH, HEIGHT))
    decisions = [by.update(by.zones.placed(frame, [each]), ()) for each in sightings]
    return [*decisions, by.update((), tuple({each.track_id for each in sightings}))]


def walk(*stays: tuple[str, float, float | None], size: float = FACE_PX) -> list[Sighting]:
    """One after the other: for so long in a zone, with a mask that looks so."""
    steps = [
        (zone, bare) for zone, duration_s, bare in stays for _ in range(round(duration_s / EVERY_S))
    ]
    return [
        seen(number * EVERY_S, IN[zone], bare, size=size)
        for number, (zone, bare) in enumerate(steps)
    ]


def violations(decisions: Sequence[Decision]) -> list[Violation]:
    return [violation for decision in decisions for violation in decision.violations]


def confirmed(decisions: Sequence[Decision]) -> list[tuple[str, float]]:
    """Return zone and time of each alert."""
    return [
        (each.zone, round((each.confirmed_at - START).total_seconds(), 3))
        for each in violations(decisions)
        if each.state is ViolationState.CONFIRMED
    ]


def visits(decisions: Sequence[Decision]) -> list[Visit]:
    return [visit for decision in decisions for visit in decision.visits]


def counted(decisions: Sequence[Decision]) -> list[tuple[str, Verdict]]:
    return [(each.zone, each.verdict) for each in visits(decisions)]


def test_two_zones_of_one_picture_have_policies_of_their_own() -> None:
    reported = shown(policy(*ALL), walk(("Gate", 3, BARE)))
    only_counted = shown(policy(*ALL), walk(("Hall", 3, BARE)))
    ignored = shown(policy(*ALL), walk(("Lunch", 3, BARE)))
    assert (confirmed(reported), counted(reported)) == ([("Gate", 1.0)], [("Gate", Verdict.BARE)])
    assert (confirmed(only_counted), counted(only_counted)) == ([], [("Hall", Verdict.BARE)])
    assert (confirmed(ignored), counted(ignored)) == ([], [])


def test_outside_all_zones_it_is_as_the_policy_says() -> None:
    decisions = shown(policy(*ALL), walk(("", 3, BARE)))
    assert confirmed(decisions) == [("", 1.0)]
    assert counted(decisions) == [("", Verdict.BARE)]


def test_a_visit_is_counted_once_where_the_person_was_longest() -> None:
    path = walk(("Hall", 1, MASKED), ("Gate", 3, MASKED), ("", 2, MASKED), ("Hall", 1.5, MASKED))
    assert counted(shown(policy(*ALL), path)) == [("Gate", Verdict.MASKED)]


def test_it_is_counted_by_what_was_worn_there() -> None:
    path = walk(("Hall", 4, BARE), ("Gate", 3.5, MASKED), ("", 3.5, MASKED))
    assert counted(shown(policy(*ALL), path)) == [("Hall", Verdict.BARE)]


def test_where_nothing_was_known_there_it_is_what_was_worn_elsewhere() -> None:
    path = walk(("Hall", 4, None), ("Gate", 2, MASKED))
    assert counted(shown(policy(*ALL), path)) == [("Hall", Verdict.MASKED)]


def test_who_was_reported_counts_as_that_wherever_he_was_longest() -> None:
    path = walk(("Hall", 8, MASKED), ("Gate", 4, BARE))
    decisions = shown(policy(*ALL), path)
    assert [zone for zone, _ in confirmed(decisions)] == ["Gate"]
    assert counted(decisions) == [("Hall", Verdict.BARE)]


def test_the_first_zone_of_the_list_holds_where_two_overlap() -> None:
    wide = strip("Wide", 0, 1, policy="count")
    path = walk(("Gate", 3, BARE))
    assert counted(shown(policy(GATE, wide), path)) == [("Gate", Verdict.BARE)]
    assert counted(shown(policy(wide, GATE), path)) == [("Wide", Verdict.BARE)]
    assert confirmed(shown(policy(wide, GATE), path)) == []


def test_a_face_is_where_its_center_is_and_a_border_belongs_to_the_first() -> None:
    zones = Zones(ALL, POLICY)
    frame = frame_at(0, blank(WIDTH, HEIGHT))
    for x, zone in ((0.0, "Gate"), (0.2499, "Gate"), (0.25, "Gate"), (0.26, "Hall"), (1.0, "")):
        (placed,) = zones.placed(frame, [seen(0, x, None)])
        assert placed.zone == zone


def test_the_tracks_in_ignored_zones_are_known_before_anybody_is_looked_at() -> None:
    frame = frame_at(0, blank(WIDTH, HEIGHT))
    faces = [
        TrackedFace(track_id, seen(0, IN[zone], None).reading.face)
        for track_id, zone in enumerate(("Gate", "Hall", "Lunch", ""), 1)
    ]
    assert Zones(ALL, POLICY).ignored(frame, faces) == {3}
    assert Zones((GATE, HALL), POLICY).ignored(frame, faces) == frozenset()
    # It is 03:04.
    night = strip("Night", 0.75, 1, hours=["06:00-22:00"], otherwise="ignore")
    assert Zones((night,), POLICY, lambda at: at).ignored(frame, faces) == {4}


def test_a_violation_takes_as_long_as_its_zone_says() -> None:
    slow = strip("Slow", 0.0, 0.25, confirm_s=4)
    assert confirmed(shown(policy(slow), walk(("Gate", 3.9, BARE)))) == []
    assert confirmed(shown(policy(slow), walk(("Gate", 5, BARE)))) == [("Slow", 4.0)]


def test_who_crosses_from_one_zone_that_reports_to_another_begins_nothing_anew() -> None:
    other = strip("Other", 0.25, 0.5, confirm_s=2)
    decisions = shown(policy(GATE, other), walk(("Gate", 0.6, BARE), ("Hall", 3, BARE)))
    assert confirmed(decisions) == [("Other", 2.0)]
    back = shown(policy(GATE, other), walk(("Hall", 1.5, BARE), ("Gate", 1, BARE)))
    assert confirmed(back) == [("Gate", 1.5)]


def test_time_in_a_zone_that_only_counts_confirms_nothing() -> None:
    decisions = shown(policy(*ALL), walk(("Hall", 5, BARE), ("Gate", 2, BARE)))
    assert confirmed(decisions) == [("Gate", 6.0)]
    (alert, over) = violations(decisions)
    assert alert.started_at == START + timedelta(seconds=5)
    assert over.duration_s == pytest.approx(1.9)


def test_there_is_one_alert_for_a_visit_however_many_zones_it_crosses() -> None:
    round_trip = [("Gate", 2.0, BARE), ("Hall", 2.0, BARE), ("", 2.0, BARE), ("Lunch", 2.0, BARE)]
    decisions = shown(policy(*ALL), walk(*(round_trip * 3)))
    assert confirmed(decisions) == [("Gate", 1.0)]
    assert [each.state for each in violations(decisions)] == ["confirmed", "ended"]
    assert len(visits(decisions)) == 1


def test_an_alert_goes_on_in_a_zone_that_only_counts() -> None:
    decisions = shown(policy(*ALL), walk(("Gate", 2, BARE), ("Hall", 3, BARE)))
    assert [each.duration_s for each in violations(decisions)] == pytest.approx([1.0, 4.9])


def test_an_alert_is_over_for_who_stays_in_an_ignored_zone() -> None:
    path = walk(("Gate", 2, BARE), ("Lunch", 60, BARE), ("Gate", 3, BARE))
    decisions = shown(policy(*ALL), path)
    ends = [number for number, each in enumerate(decisions) if violations([each])]
    assert ends == [10, 30]
    assert violations(decisions)[1].duration_s == pytest.approx(1.9)
    assert counted(decisions) == [("Gate", Verdict.BARE)]


def test_what_was_seen_in_an_ignored_zone_judges_nobody() -> None:
    # Who eats has no mask on; on the way out he puts it on.
    path = walk(("Lunch", 30, BARE), ("Gate", 0.8, BARE), ("Gate", 4, MASKED))
    decisions = shown(policy(*ALL), path)
    assert confirmed(decisions) == []
    assert counted(decisions) == [("Gate", Verdict.MASKED)]


def test_who_comes_out_of_an_ignored_zone_is_one_person_and_takes_the_whole_time() -> None:
    path = walk(("Gate", 0.8, BARE), ("Lunch", 5, BARE), ("Gate", 2, BARE))
    decisions = shown(policy(*ALL), path)
    assert confirmed(decisions) == [("Gate", 6.8)]
    assert len(visits(decisions)) == 1


def test_time_in_an_ignored_zone_is_no_part_of_the_visit() -> None:
    path = walk(("Lunch", 5, BARE), ("Gate", 1, MASKED), ("Hall", 2, MASKED), ("Lunch", 9, BARE))
    (visit,) = visits(shown(policy(*ALL), path))
    assert (visit.zone, visit.verdict) == ("Hall", Verdict.MASKED)
    assert visit.started_at == START + timedelta(seconds=5)
    assert visit.ended_at == START + timedelta(seconds=7.9)


def test_a_mask_is_required_of_who_was_longest_where_it_is_reported_with_the_rule_on() -> None:
    night = strip("Hall", 0.25, 0.5, policy="count", hours=["22:00-06:00"], otherwise="violation")
    for zones, path, reports, is_required in (
        (ALL, walk(("Gate", 3, MASKED), ("Hall", 1, MASKED)), True, True),
        (ALL, walk(("Gate", 1, MASKED), ("Hall", 3, MASKED)), True, False),
        (ALL, walk(("", 3, MASKED)), True, True),
        (ALL, walk(("Gate", 3, MASKED)), False, False),
        ((GATE, night), walk(("Hall", 3, MASKED)), True, False),
    ):
        judge = policy(*zones)
        judge.reports = reports
        (visit,) = visits(shown(judge, path))
        assert visit.is_required is is_required


@pytest.mark.parametrize("other", ["Hall", "Lunch"])
def test_a_face_at_a_border_is_reported_though_it_jumps_to_and_fro(other: str) -> None:
    jumps = [("Gate", 0.3, BARE), (other, 0.1, BARE)]
    decisions = shown(policy(*ALL), walk(*(jumps * 10)))
    assert confirmed(decisions) == [("Gate", 1.0)]
    assert counted(decisions) == [("Gate", Verdict.BARE)]


def test_smaller_faces_than_a_zone_wants_are_not_judged_there() -> None:
    large = strip("Large", 0.0, 0.25, min_face_px=48)
    far = shown(policy(large), walk(("Gate", 3, BARE), size=40))
    near = shown(policy(large), walk(("Gate", 3, BARE), size=48))
    assert (confirmed(far), counted(far)) == ([], [("Large", Verdict.UNKNOWN)])
    assert (confirmed(near), counted(near)) == ([("Large", 1.0)], [("Large", Verdict.BARE)])


def test_hours_are_those_of_the_clock_on_the_wall() -> None:
    night = strip("Gate", 0, 1, hours=["Fri 04:04-05:00"], otherwise="ignore")
    local = lambda at: at.astimezone(timezone(timedelta(hours=1)))  # noqa: E731 - START is 03:04:05
    zones = Zones([night], POLICY, local)
    by_name = {
        seconds: zones.rules(replace(seen(seconds, 0.5, BARE), zone="Gate")).policy
        for seconds in (-6, 0, 55 * 60, 56 * 60, 24 * 3600)
    }
    assert START.strftime("%a %H:%M:%S") == "Fri 03:04:05"
    assert list(by_name.values()) == ["ignore", "violation", "violation", "ignore", "ignore"]


def test_at_other_times_a_zone_only_counts_unless_it_says_otherwise() -> None:
    day = strip("Gate", 0, 1, hours=["06:00-22:00"])
    zones = Zones([day], POLICY, lambda at: at)
    by = policy(day)
    by.zones = zones
    decisions = shown(by, walk(("Gate", 3, BARE)))
    assert (confirmed(decisions), counted(decisions)) == ([], [("Gate", Verdict.BARE)])


def test_a_clip_without_a_date_is_always_within_the_hours() -> None:
    day = strip("Gate", 0, 1, hours=["06:00-22:00"])
    assert confirmed(shown(policy(day), walk(("Gate", 3, BARE)))) == [("Gate", 1.0)]


def test_the_mask_rule_that_is_off_is_off_in_every_zone() -> None:
    by = policy(*ALL)
    by.reports = False
    decisions = shown(by, walk(("Gate", 3, BARE)))
    assert (confirmed(decisions), counted(decisions)) == ([], [("Gate", Verdict.BARE)])


def test_zones_that_are_drawn_meanwhile_hold_at_once() -> None:
    by = policy()
    first, rest = walk(("Gate", 4, BARE))[:5], walk(("Gate", 4, BARE))[5:]
    decisions = shown_so_far(by, first)
    by.zones = by.zones.of([strip("Quiet", 0, 1, policy="count")])
    decisions += shown(by, rest)
    assert (confirmed(decisions), counted(decisions)) == ([], [("Quiet", Verdict.BARE)])


def shown_so_far(by: ViolationPolicy, sightings: Sequence[Sighting]) -> list[Decision]:
    frame = frame_at(0, blank(WIDTH, HEIGHT))
    return [by.update(by.zones.placed(frame, [each]), ()) for each in sightings]


@pytest.mark.parametrize(
    ("notes", "since_s"),
    [
        ([(0, True), (5, True)], 0),
        ([(0, True), (1, False)], 0),
        ([(0, True), (1, False), (1.9, True)], 0),
        ([(0, True), (1, False), (1 + GRACE_S, False)], None),
        # Hidden meanwhile.
        ([(0, True), (1, False), (9, True)], 9),
        ([(0, False), (9, False)], None),
        ([(0, False), (1, True), (2, True)], 1),
    ],
)
def test_short_breaks_do_not_end_what_lasts(
    notes: list[tuple[float, bool]], since_s: float | None
) -> None:
    lasting = Lasting()
    for now_s, is_so in notes:
        lasting.note(is_so, now_s)
    assert lasting.since_s == since_s


def test_who_was_as_long_in_two_zones_belongs_to_the_first_of_them() -> None:
    whereabouts = Whereabouts()
    for now_s, zone in enumerate(["b", "a", None, "c", "c"]):
        whereabouts.note(zone, now_s)
    assert whereabouts.seconds == {"b": 1, "a": 1, "c": 1}
    assert whereabouts.longest == "b"


steps = st.lists(
    st.tuples(
        st.sampled_from(["Gate", "Hall", "Lunch", ""]),
        st.sampled_from([0.05, 0.1, 0.4, 0.9, 1.3]),
        st.sampled_from([BARE, MASKED, 0.5, None]),
    ),
    min_size=1,
    max_size=80,
)
"""Where somebody is seen, how long after he was seen before, and how the mask looks."""
Steps = list[tuple[str, float, float | None]]


def sightings_of(path: Steps) -> list[Sighting]:
    found, now_s = [], 0.0
    for zone, after_s, bare in path:
        now_s += after_s
        found.append(seen(now_s, IN[zone], bare))
    return found


def longest_in(path: Steps) -> set[str]:
    """The zones where somebody was longest, added up by hand."""
    seconds: dict[str, float] = {}
    for (zone, *_), (_, after_s, _) in zip(path, [*path[1:], ("", 0.0, None)], strict=True):
        if zone != "Lunch":
            seconds[zone] = seconds.get(zone, 0.0) + after_s
    most = max(seconds.values(), default=0.0)
    return {zone for zone, duration_s in seconds.items() if duration_s >= most - 1e-6}


@given(steps)
def test_whatever_the_path_a_visit_is_counted_once_where_he_was_longest(path: Steps) -> None:
    decisions = shown(policy(*ALL), sightings_of(path))
    judged = [zone for zone, *_ in path if zone != "Lunch"]
    found = visits(decisions)
    assert len(found) == (len(judged) >= MIN_SIGHTINGS)
    assert all(visit.zone in longest_in(path) for visit in found)


@given(steps)
def test_whatever_the_path_there_is_one_alert_at_most_and_never_without_its_rule(
    path: Steps,
) -> None:
    decisions = shown(policy(*ALL), sightings_of(path))
    alerts = [each.state for each in violations(decisions)]
    assert alerts in ([], ["confirmed", "ended"])
    assert all(zone in ("Gate", "") for zone, _ in confirmed(decisions))
    begun = [each for each in violations(decisions) if each.state is ViolationState.CONFIRMED]
    assert all(each.duration_s >= POLICY.confirm_s for each in begun)
    if alerts:
        assert all(visit.verdict is Verdict.BARE for visit in visits(decisions))


@given(st.lists(steps, min_size=1, max_size=4))
def test_people_who_walk_at_the_same_time_are_all_counted_once(paths: list[Steps]) -> None:
    by, frame = policy(*ALL), frame_at(0, blank(WIDTH, HEIGHT))
    seen_by_all = [
        replace(each, track_id=track_id)
        for track_id, path in enumerate(paths, 1)
        for each in sightings_of(path)
    ]
    decisions = [
        by.update(by.zones.placed(frame, [each]), ())
        for each in sorted(seen_by_all, key=lambda each: each.monotonic_s)
    ]
    decisions.append(by.update((), tuple(range(1, len(paths) + 1))))
    for track_id, path in enumerate(paths, 1):
        his = [each for each in visits(decisions) if each.track_id == track_id]
        alone = visits(shown(policy(*ALL), sightings_of(path)))
        assert [(each.zone, each.verdict) for each in his] == [
            (each.zone, each.verdict) for each in alone
        ]


@given(steps)
def test_a_zone_that_is_the_whole_picture_decides_as_none_does(path: Steps) -> None:
    sightings = sightings_of(path)
    without = shown(policy(), sightings)
    whole = shown(policy(strip("Whole", 0, 1)), sightings)
    unnamed = [
        Decision(
            tuple(replace(each, zone="") for each in decision.violations),
            tuple(replace(each, zone="") for each in decision.visits),
        )
        for decision in whole
    ]
    assert unnamed == without
    assert all(visit.zone == "Whole" for visit in visits(whole))


def test_a_time_is_read_as_the_clock_on_the_wall_shows_it_in_summer_and_winter() -> None:
    day = strip("Gate", 0, 1, hours=["08:00-09:00"])
    zones = Zones([day], POLICY, lambda at: at.astimezone(ZoneInfo("Europe/Berlin")))
    for at, said in (
        (datetime(2026, 7, 1, 6, 30, tzinfo=UTC), "violation"),
        (datetime(2026, 7, 1, 7, 30, tzinfo=UTC), "count"),
        (datetime(2026, 12, 1, 6, 30, tzinfo=UTC), "count"),
        (datetime(2026, 12, 1, 7, 30, tzinfo=UTC), "violation"),
    ):
        sighting = replace(seen(0, 0.5, BARE), zone="Gate", seen_at=at)
        assert zones.rules(sighting).policy == said
