"""A report of a history that is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from edge.config import Hours
from edge.history.records import EntryKind, Place, WatchState
from edge.rates import Counted, Eyes
from edge.records import Verdict, ViolationKind
from edge.report.calendar import Shift
from edge.report.period import day_period, month_period, shift_period, week_period
from edge.report.records import Apart, Mark, Unseen
from edge.report.sections import tables
from edge.report.signing import sign_off_text
from tests.edge.report.scene import BERLIN, Scene, berlin

SUNDAY = day_period(BERLIN, date(2026, 11, 29))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_everybody_is_counted_once_in_the_hour_the_day_and_the_whole(scene: Scene) -> None:
    scene.watch("2026-11-29 00:00", "2026-11-30 00:00")
    scene.people("2026-11-29 08:00", 8)
    scene.people("2026-11-29 08:59", 2, Verdict.BARE)
    scene.people("2026-11-29 09:00", 1, Verdict.WORN_WRONGLY)
    scene.people("2026-11-29 23:59", 1, Verdict.UNKNOWN)
    scene.people("2026-11-30 00:00", 50)
    report = scene.report(SUNDAY)
    assert report.counts.people == 12
    assert report.counts.judged == 11
    assert report.counts.not_judged_share == pytest.approx(1 / 12, abs=1e-4)
    assert [hour.counts.people for hour in report.hours] == [0] * 8 + [10, 1] + [0] * 13 + [1]
    assert report.watch.watched_s == 86_400
    assert report.watch.unwatched_share == 0
    assert report.rate is not None
    assert report.rate.naive == 0.8
    assert report.verdict.startswith("80 % wore a mask (95 % certain: 49 to 94 %), of 10 people")


def test_the_rate_is_corrected_by_what_is_known_of_the_eyes_and_both_are_shown(
    scene: Scene,
) -> None:
    scene.watch("2026-11-29 00:00", "2026-11-30 00:00")
    scene.people("2026-11-29 08:00", 160, size_px=48)
    scene.people("2026-11-29 08:01", 40, Verdict.BARE, size_px=48)
    eyes = Eyes({48: Counted(180, 200)}, {48: Counted(196, 200)}, "two hundred of each")
    report = scene.report(SUNDAY, eyes=eyes)
    rate = report.rate
    assert rate is not None
    assert (rate.people, rate.naive) == (200, 0.8)
    assert rate.corrected == pytest.approx((0.8 - 0.02) / (0.9 - 0.02), abs=0.001)
    assert rate.low is not None
    assert rate.high is not None
    assert rate.naive_low is not None
    assert rate.naive_high is not None
    assert rate.high - rate.low > rate.naive_high - rate.naive_low
    assert report.verdict.startswith("89 % wore a mask")
    assert report.eyes is not None
    assert report.eyes.source == "two hundred of each"
    assert [(each.size_px, each.people, each.masked_right) for each in report.eyes.classes] == [
        (48, 200, 180)
    ]
    assert not any("not corrected" in note for note in report.notes)


@pytest.mark.parametrize(
    ("people", "measured", "note"),
    [
        (20, 1000, "The rate would be surer with more people: a longer period has more of them."),
        (
            2000,
            30,
            "More people would not make the rate surer: it rests on how often the box errs, and "
            "that was tried with too few faces (a walk).",
        ),
        (2000, 1000, None),
    ],
)
def test_a_wide_interval_says_what_would_make_it_narrower(
    scene: Scene, people: int, measured: int, note: str | None
) -> None:
    scene.watch("2026-11-29 00:00", "2026-11-30 00:00")
    scene.people("2026-11-29 08:00", 9 * people // 10, size_px=48)
    scene.people("2026-11-29 08:01", people // 10, Verdict.BARE, size_px=48)
    eyes = Counted(measured - 1, measured)
    report = scene.report(SUNDAY, eyes=Eyes({48: eyes}, {48: eyes}, "a walk"))
    assert [each for each in report.notes if "surer" in each] == [note] * (note is not None)


def test_what_no_row_names_the_program_did_not_run_and_the_rest_has_its_reason(
    scene: Scene,
) -> None:
    scene.watch("2026-11-29 00:00", "2026-11-29 06:00")
    scene.watch("2026-11-29 06:00", "2026-11-29 09:00", WatchState.DARK)
    scene.watch("2026-11-29 12:00", "2026-11-30 00:00")
    watch = scene.report(SUNDAY).watch
    assert [(each.reason, each.seconds) for each in watch.unwatched] == [
        (Unseen.DARK, 10_800),
        (Unseen.NOT_RUNNING, 10_800),
    ]
    assert watch.unwatched_share == 0.25
    assert watch.watched_s + watch.unwatched_s == watch.expected_s == 86_400


def test_before_the_first_minute_that_is_kept_nothing_is_known(scene: Scene) -> None:
    scene.watch("2026-11-29 12:00", "2026-11-30 00:00")
    (unwatched,) = scene.report(SUNDAY).watch.unwatched
    assert (unwatched.reason, unwatched.seconds) == (Unseen.NO_HISTORY, 43_200)


def test_an_empty_history_is_a_report_of_nothing(scene: Scene) -> None:
    report = scene.report(SUNDAY)
    assert report.rate is None
    assert report.watch.unwatched[0].reason is Unseen.NO_HISTORY
    assert report.verdict == (
        "Nothing is known of this day: it was before the first minute that the history keeps."
    )


def test_an_hour_that_was_watched_too_little_is_marked_and_not_in_the_rate(scene: Scene) -> None:
    scene.watch("2026-11-29 00:00", "2026-11-29 08:00")
    scene.watch("2026-11-29 08:00", "2026-11-29 08:20", WatchState.COVERED)
    scene.watch("2026-11-29 08:20", "2026-11-30 00:00")
    scene.people("2026-11-29 08:30", 10, Verdict.BARE)
    scene.people("2026-11-29 10:30", 10)
    report = scene.report(SUNDAY)
    assert report.hours[8].marks == (Mark.UNWATCHED,)
    assert report.hours_left_out == 1
    assert report.counts.people == 20
    assert report.rate is not None
    assert (report.rate.people, report.rate.naive) == (10, 1.0)


def test_an_hour_in_which_too_many_were_not_judged_is_marked_and_not_in_the_rate(
    scene: Scene,
) -> None:
    scene.watch("2026-11-29 00:00", "2026-11-30 00:00")
    scene.people("2026-11-29 08:30", 4, Verdict.BARE)
    scene.people("2026-11-29 08:31", 6, Verdict.UNKNOWN)
    scene.people("2026-11-29 10:30", 10)
    report = scene.report(SUNDAY)
    assert report.hours[8].marks == (Mark.NOT_JUDGED,)
    assert report.rate is not None
    assert report.rate.naive == 1.0


def test_the_day_on_which_summer_time_ends_has_25_hours_and_each_its_people(scene: Scene) -> None:
    day = day_period(BERLIN, date(2026, 10, 25))
    scene.watch("2026-10-25 00:00", "2026-10-26 00:00")
    scene.people("2026-10-25 01:30", 1)
    scene.people("2026-10-25 02:30", 2)  # the first of the two
    scene.batch.people[-1:] += [
        type(row)(row.minute + 60, row.place, row.verdict, row.size_px, True, 4)
        for row in scene.batch.people[-1:]
    ]
    report = scene.report(day)
    assert len(report.hours) == 25
    assert [hour.counts.people for hour in report.hours[:5]] == [0, 1, 2, 4, 0]
    assert [hour.begin[11:] for hour in report.hours[1:5]] == [
        "01:00:00+02:00",
        "02:00:00+02:00",
        "02:00:00+01:00",
        "03:00:00+01:00",
    ]
    assert report.watch.watched_s == 25 * 3600
    assert report.counts.people == 7
    marked = [n for n, hour in enumerate(report.hours) if Mark.SUMMER_TIME in hour.marks]
    assert marked == [2, 3]


def test_the_day_on_which_summer_time_begins_has_23_hours(scene: Scene) -> None:
    day = day_period(BERLIN, date(2027, 3, 28))
    scene.watch("2027-03-28 00:00", "2027-03-29 00:00")
    report = scene.report(day)
    assert len(report.hours) == 23
    assert [hour.begin[11:13] for hour in report.hours[:4]] == ["00", "01", "03", "04"]
    assert report.watch.expected_s == report.watch.watched_s == 23 * 3600


def test_a_week_with_the_end_of_summer_time_has_169_hours_in_seven_days(scene: Scene) -> None:
    report = scene.report(week_period(BERLIN, date(2026, 10, 25)))
    assert report.period == "2026-W43"
    assert len(report.hours) == 169
    assert [day.begin[:10] for day in report.days][::6] == ["2026-10-19", "2026-10-25"]
    assert report.days[-1].marks == (Mark.SUMMER_TIME,)


def test_alerts_have_their_time_to_remedy_and_open_and_closed_ones_are_told_apart(
    scene: Scene,
) -> None:
    scene.watch("2026-11-29 00:00", "2026-11-30 00:00")
    first = scene.alert("2026-11-29 08:10", 30)
    scene.alert("2026-11-29 08:20", 90)
    third = scene.alert("2026-11-29 09:00", None, kind=ViolationKind.WORN_WRONGLY)
    scene.acknowledge(first, "2026-11-29 08:15")
    scene.acknowledge(first, "2026-11-29 10:00", "exempt")
    scene.acknowledge(third, "2026-12-01 09:00", "not-a-violation")
    report = scene.report(SUNDAY)
    alerts = report.alerts
    assert (alerts.alerts, alerts.without, alerts.worn_wrongly) == (3, 2, 1)
    assert (alerts.remedied, alerts.median_remedy_s, alerts.longest_remedy_s) == (2, 60, 90)
    assert (alerts.closed, alerts.open, alerts.not_a_violation) == (2, 1, 1)
    assert alerts.longest_close_s == 48 * 3600
    assert [hour.alerts.alerts for hour in report.hours[8:10]] == [2, 1]
    assert [
        (each.reason, each.closed_at and each.closed_at[:16]) for each in report.alert_list
    ] == [
        ("exempt", "2026-11-29T08:15"),
        ("", None),
        ("not-a-violation", "2026-12-01T09:00"),
    ]


def test_people_outside_of_the_opening_hours_and_on_holidays_are_counted_apart(
    scene: Scene,
) -> None:
    calendar = replace(
        BERLIN,
        opening=Hours.parsed(["08:30-18:00"], "opening_hours"),
        holidays=frozenset((date(2026, 12, 1), date(2000, 12, 2))),
    )
    scene.watch("2026-11-30 00:00", "2026-12-07 00:00")
    for day in ("11-30", "12-01", "12-02", "12-03"):
        scene.people(f"2026-{day} 08:29", 1)
        scene.people(f"2026-{day} 08:30", 10)
    report = scene.report(week_period(calendar, date(2026, 11, 30)), calendar)
    assert report.counts.people == 20
    assert report.watch.expected_s == 5 * 9.5 * 3600
    (closed,) = report.apart
    assert (closed.why, closed.counts.people) == (Apart.CLOSED, 24)
    assert (closed.seconds or 0) + report.watch.expected_s == 7 * 86_400
    assert Mark.CLOSED in report.days[1].marks


def test_time_with_the_rule_off_is_counted_apart(scene: Scene) -> None:
    scene.watch("2026-11-29 00:00", "2026-11-30 00:00")
    scene.entry("2026-11-29 12:00", EntryKind.RULE, "off", "ops")
    scene.entry("2026-11-29 18:00", EntryKind.RULE, "on", "nurse")
    scene.people("2026-11-29 11:59", 3)
    scene.people("2026-11-29 13:00", 7, Verdict.BARE, is_required=False)
    report = scene.report(SUNDAY)
    assert report.counts.people == 3
    assert report.watch.expected_s == 18 * 3600
    (off,) = report.apart
    assert (off.why, off.seconds, off.counts.without) == (Apart.RULE_OFF, 6 * 3600, 7)
    assert report.hours[13].marks == (Mark.RULE_OFF,)
    assert [(each.is_on, each.by) for each in report.rule] == [
        (True, ""),
        (False, "ops"),
        (True, "nurse"),
    ]


def test_a_time_in_which_no_mask_was_required_is_not_called_unwatched(scene: Scene) -> None:
    calendar = replace(BERLIN, opening=Hours.parsed(["Mon-Sat 08:00-18:00"], "opening_hours"))
    scene.watch("2026-11-29 00:00", "2026-11-30 00:00")
    scene.alert("2026-11-29 08:01")
    closed = day_period(calendar, date(2026, 11, 29))
    assert scene.report(closed, calendar).verdict == (
        "No rate: it was closed all the time; 0 people counted apart; 1 alert, 1 open."
    )
    scene.entry("2026-11-27 12:00", EntryKind.RULE, "off", "ops")
    scene.people("2026-11-28 13:00", 1, Verdict.BARE, is_required=False)
    off = day_period(BERLIN, date(2026, 11, 28))
    assert scene.report(off).verdict == (
        "No rate: the mask rule was off all the time; 1 person counted apart; 0 alerts."
    )
    both = day_period(calendar, date(2026, 11, 28))
    assert scene.report(both, calendar).verdict.startswith(
        "No rate: it was closed, or the mask rule was off all the time; 1 person"
    )


def test_people_in_a_zone_that_only_counts_are_counted_apart_and_shown(scene: Scene) -> None:
    gate, street = Place("", "Gate"), Place("", "Street")
    scene.watch("2026-11-29 00:00", "2026-11-30 00:00")
    scene.entry("2026-11-29 18:00", EntryKind.RULE, "off", "ops")
    scene.people("2026-11-29 11:00", 9, place=gate)
    scene.people("2026-11-29 11:00", 1, Verdict.BARE, place=gate)
    scene.people("2026-11-29 11:00", 30, Verdict.BARE, place=street, is_required=False)
    scene.people("2026-11-29 11:00", 90, Verdict.UNKNOWN, place=street, is_required=False)
    scene.people("2026-11-29 19:00", 5, Verdict.BARE, place=gate, is_required=False)
    report = scene.report(SUNDAY)
    assert report.rate is not None
    assert (report.counts.people, report.rate.naive, report.hours_left_out) == (10, 0.9, 0)
    assert [(each.why, each.counts.people, each.seconds) for each in report.apart] == [
        (Apart.RULE_OFF, 5, 6 * 3600.0),
        (Apart.COUNT_ONLY, 120, None),
    ]
    assert [(each.zone, each.is_required, each.counts.people) for each in report.places] == [
        ("Gate", True, 10),
        ("Street", False, 120),
    ]
    alone = scene.report(SUNDAY, zone="Street")
    assert alone.counts.people == 0
    assert alone.verdict.startswith("No rate: 120 people passed, and a mask was required of nobody")


def test_shifts_add_up_to_the_day_and_one_by_itself_is_the_same(scene: Scene) -> None:
    early = Shift("early", Hours.parsed(["06:00-14:15"], "hours"))
    night = Shift("night", Hours.parsed(["22:00-06:00"], "hours"))
    calendar = replace(BERLIN, shifts=(early, night))
    scene.watch("2026-11-28 00:00", "2026-11-30 00:00")
    scene.people("2026-11-29 05:59", 1)
    scene.people("2026-11-29 06:00", 2)
    scene.people("2026-11-29 14:14", 4)
    scene.people("2026-11-29 14:15", 8)
    scene.people("2026-11-29 22:00", 16)
    report = scene.report(day_period(calendar, date(2026, 11, 29)), calendar)
    assert {each.name: each.counts.people for each in report.shifts} == {
        "early": 6,
        "night": 17,
        "": 8,
    }
    assert sum(each.watch.expected_s for each in report.shifts) == 86_400
    period = shift_period(calendar, early, date(2026, 11, 29))
    assert period is not None
    alone = scene.report(period, calendar)
    assert alone.counts.people == 6
    assert alone.watch == report.shifts[0].watch


def test_places_are_listed_and_a_report_of_one_zone_has_only_that(scene: Scene) -> None:
    scene.watch("2026-11-29 00:00", "2026-11-30 00:00", camera="north")
    scene.watch("2026-11-29 00:00", "2026-11-30 00:00", WatchState.LOST, camera="south")
    scene.people("2026-11-29 08:00", 5, place=Place("north", "desk"))
    scene.people("2026-11-29 08:00", 2, place=Place("north", ""))
    scene.people("2026-11-29 08:00", 3, Verdict.BARE, place=Place("south", "gate"))
    whole = scene.report(SUNDAY)
    assert [(each.camera, each.zone, each.counts.people) for each in whole.places] == [
        ("north", "", 2),
        ("north", "desk", 5),
        ("south", "gate", 3),
    ]
    assert whole.watch.unwatched_share == 0.5
    desk = scene.report(SUNDAY, zone="desk")
    assert desk.counts.people == 5
    assert desk.watch.unwatched_share == 0
    assert scene.report(SUNDAY, camera="south").watch.unwatched_share == 1
    assert "Nobody was counted at dseck." in (scene.report(SUNDAY, zone="dseck").notes)


def test_a_camera_that_has_got_another_name_is_not_missed_under_the_former(scene: Scene) -> None:
    scene.watch("2026-11-29 00:00", "2026-11-29 12:00")
    scene.watch("2026-11-29 12:00", "2026-11-29 18:00", camera="door")
    report = scene.report(SUNDAY)
    assert report.watch.expected_s == 86_400
    assert report.watch.unwatched_s == 6 * 3600  # the box stopped at 18:00


def test_a_camera_that_was_added_or_removed_is_expected_while_it_was_there_in_its_own_report_too(
    scene: Scene,
) -> None:
    scene.watch("2026-11-29 00:00", "2026-11-29 20:03")
    for camera in ("door", "hall"):
        scene.watch("2026-11-29 20:03", "2026-11-30 00:00", camera=camera)
    scene.watch("2026-11-29 06:00", "2026-11-29 12:00", camera="yard")
    whole = scene.report(SUNDAY)
    expected = {each.camera: each.watch.expected_s for each in whole.cameras}
    assert (expected["hall"], expected["yard"]) == (237 * 60, 6 * 3600)
    for name in ("door", "hall", "yard"):
        alone = scene.report(SUNDAY, camera=name)
        assert (alone.watch.expected_s, alone.watch.unwatched_s) == (expected[name], 0)
    before = scene.report(day_period(BERLIN, date(2026, 11, 28)), camera="hall")
    assert before.watch.unwatched[0].reason is Unseen.NO_HISTORY


def test_a_camera_is_not_missed_on_a_day_before_it_was_added(scene: Scene) -> None:
    scene.watch("2026-11-29 00:00", "2026-11-30 00:00")
    scene.watch("2026-11-30 08:00", "2026-11-30 09:00", camera="hall")
    report = scene.report(SUNDAY, camera="hall")
    assert report.watch.unwatched_s == 0
    assert report.verdict == (
        "Nothing is known of this day: this camera was not there, and others were."
    )
    calendar = replace(BERLIN, opening=Hours.parsed(["08:00-18:00"], "opening_hours"))
    day = day_period(calendar, date(2026, 11, 29))
    # Nor is it said to have been closed all the time, which it was for the night only.
    assert "this camera was not there" in scene.report(day, calendar, camera="hall").verdict


def test_hours_with_a_wrong_clock_are_marked_and_a_minute_has_sixty_seconds(scene: Scene) -> None:
    scene.watch("2026-11-29 00:00", "2026-11-29 10:00")
    scene.watch("2026-11-29 09:30", "2026-11-29 10:00", clock_is_right=False)
    scene.watch("2026-11-29 10:00", "2026-11-30 00:00")
    scene.entry("2026-11-29 11:30", EntryKind.CLOCK_STEPPED, "-1800")
    report = scene.report(SUNDAY)
    wrong = [n for n, hour in enumerate(report.hours) if Mark.WRONG_CLOCK in hour.marks]
    assert wrong == [9, 11]
    assert report.watch.watched_s == 86_400
    assert [each.text for each in report.clock] == ["-1800"]


def test_hours_far_from_a_proof_of_sight_are_marked(scene: Scene) -> None:
    scene.watch("2026-11-29 00:00", "2026-11-30 00:00")
    scene.proof("2026-11-29 06:00")
    report = scene.report(SUNDAY)
    assert report.sight is not None
    assert (report.sight.masked.shown, report.sight.without.right) == (10, 9)
    far = [n for n, hour in enumerate(report.hours) if Mark.WITHOUT_PROOF in hour.marks]
    assert far == [0, 1, 2, *range(10, 24)]
    assert report.sight.hours_without == 17


def test_each_of_several_cameras_needs_a_proof_of_its_own(scene: Scene) -> None:
    for camera in ("door", "hall"):
        scene.watch("2026-11-29 07:00", "2026-11-29 12:00", camera=camera)
    scene.proof("2026-11-29 06:00", camera="door")
    scene.proof("2026-11-29 12:00", camera="hall", right=4)
    report = scene.report(SUNDAY)
    far = [n for n, hour in enumerate(report.hours) if Mark.WITHOUT_PROOF in hour.marks]
    # The hall lacks one before nine, the door from ten on.
    assert far == [7, 8, 10, 11]
    assert report.sight is not None
    assert [(each.camera, each.hours_without) for each in report.sight.cameras] == [
        ("door", 2),
        ("hall", 2),
    ]
    assert report.sight.cameras[1].masked.right == 4
    assert report.sight.hours_without == 4
    assert "4 watched hours without a proof of sight within 3 h (camera door: 2, hall: 2)." in (
        report.notes
    )
    (table,) = [each for each in tables(report) if each.title == "Proof of sight"]
    assert [row[0] for row in table.rows][2:] == ["hall, with a mask", "hall, without"]
    alone = scene.report(SUNDAY, camera="door")
    assert alone.sight is not None
    assert (alone.sight.cameras, alone.sight.hours_without) == ((), 2)


def test_without_any_proof_of_sight_no_hour_is_marked_for_it(scene: Scene) -> None:
    scene.watch("2026-11-29 00:00", "2026-11-30 00:00")
    report = scene.report(SUNDAY)
    assert report.sight is None
    assert all(not hour.marks for hour in report.hours)
    assert "There was no proof of sight." in report.notes


def test_conditions_are_cut_to_the_period_and_end_with_the_next_start_at_the_latest(
    scene: Scene,
) -> None:
    scene.condition("camera-lost", "2026-11-28 23:00", "2026-11-29 01:00")
    scene.condition("camera-lost", "2026-11-29 02:00", "2026-11-29 02:10")
    scene.condition("too-hot", "2026-11-29 12:00", None, "hint")
    scene.entry("2026-11-29 13:00", EntryKind.STARTED, "1.0")
    found = scene.report(SUNDAY).conditions
    assert [(each.code, each.times, each.seconds, each.ends_known) for each in found] == [
        ("camera-lost", 2, 4200, True),
        ("too-hot", 1, 3600, False),
    ]


def test_a_condition_that_lasts_has_lasted_until_now_and_not_to_the_end_of_the_minute(
    scene: Scene,
) -> None:
    scene.watch("2026-11-29 10:00", "2026-11-29 10:20")
    scene.condition("camera-lost", "2026-11-29 10:18", None)
    now = berlin("2026-11-29 10:19") + timedelta(seconds=12)
    (found,) = scene.report(SUNDAY, now=now).conditions
    assert found.seconds == 72


def test_it_says_what_it_was_made_with_from_the_start_before_the_period_on(scene: Scene) -> None:
    for at, text in (
        ("2026-11-01 08:00", "1.0 old"),
        ("2026-11-20 08:00", "1.0"),
        ("2026-11-29 08:00", "1.0"),
        ("2026-11-29 09:00", "1.1"),
        ("2026-11-30 09:00", "1.2"),
    ):
        scene.entry(at, EntryKind.STARTED, text)
    assert [each.text for each in scene.report(SUNDAY).made_with] == ["1.0", "1.1"]


def test_a_day_that_is_not_over_ends_with_what_is_written(scene: Scene) -> None:
    scene.watch("2026-11-29 00:00", "2026-11-29 10:19")
    scene.watch("2026-11-29 10:19", "2026-11-29 10:20", seconds=20)
    report = scene.report(SUNDAY, now=berlin("2026-11-29 10:27"))
    assert report.until == "2026-11-29T10:20:00+01:00"
    assert (report.watch.unwatched_s, report.watch.watched_s) == (0, 619 * 60 + 20)
    assert report.hours[-1].marks == (Mark.NOT_OVER,)
    assert "not over" in report.notes[0]


def test_a_box_that_has_stopped_does_not_end_its_day(scene: Scene) -> None:
    scene.watch("2026-11-29 00:00", "2026-11-29 08:00")
    report = scene.report(SUNDAY, now=berlin("2026-11-29 10:00"))
    assert report.watch.unwatched_s == 2 * 3600


def test_a_sign_off_is_found_again_and_a_later_change_is_said(scene: Scene) -> None:
    scene.watch("2026-11-01 00:00", "2026-12-01 00:00")
    event = scene.alert("2026-11-29 08:10")
    month = month_period(BERLIN, date(2026, 11, 29))
    report = scene.report(month)
    assert report.signed_off == ()
    scene.entry("2026-12-02 09:00", EntryKind.SIGNED_OFF, sign_off_text(report), "A. Muster")
    (signed,) = scene.report(month).signed_off
    assert (signed.by, signed.is_same) == ("A. Muster", True)
    assert scene.report(SUNDAY).signed_off == ()
    scene.acknowledge(event, "2026-12-03 09:00")
    changed = scene.report(month)
    assert not changed.signed_off[0].is_same
    assert changed.notes[-1] == "What was signed off is not what this report says now."
