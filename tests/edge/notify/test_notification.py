"""What a notification says, and a template makes of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from edge.conditions import Code, condition
from edge.config.notify import PLACEHOLDERS
from edge.notify.event import of_condition, of_violation, read, stored
from edge.notify.notification import MOST_NAMED, Sender, notification, trial_event
from edge.notify.template import filled
from edge.notify.watch import ConditionWatch
from tests.edge.notify.samples import JPEG, SENDER, ended, event, event_id, moved, violation
from tests.fakes import START

COVERED = condition(Code.VIEW_COVERED)


def test_a_violation_is_said_with_place_time_and_surety() -> None:
    said = notification([event()], SENDER, START)
    clock = f"{START.astimezone():%H:%M}"
    assert said.title == "No mask"
    assert said.text == f"For 1 s, 97 % sure; north entrance, Museum (door-1), {clock}."
    assert (said.more, said.since, said.events, said.late) == (0, None, (), False)


def test_a_violation_in_a_zone_of_the_picture_names_it() -> None:
    in_zone = replace(violation(), zone="Gate")
    said = notification([of_violation(in_zone, None)], SENDER, START)
    assert "; Gate, " in said.text
    assert said.place == "Gate"


def test_the_end_of_a_violation_has_an_id_of_its_own() -> None:
    over = of_violation(ended(violation()), JPEG)
    said = notification([over], SENDER, START)
    assert (said.id, said.event_id) == (f"{event_id(1)}-ended", event_id(1))
    assert (said.title, said.state, said.snapshot) == ("Over: No mask", "ended", None)


def test_a_condition_is_said_with_what_fixes_it() -> None:
    said = notification([of_condition(COVERED, "ab12", START, 600)], SENDER, START)
    assert said.what == "view-covered"
    assert "the camera is covered" in said.body
    assert "\nFix: uncover and clean the lens" in said.body
    over = of_condition(COVERED, "ab12", START, 900, has_ended=True)
    assert (over.id, over.fix) == ("view-covered-ab12-ended", "")


def test_others_are_counted_by_kind_and_listed_up_to_a_bound() -> None:
    many = [event(number, START + timedelta(seconds=number)) for number in range(1, 202)]
    said = notification(many, SENDER, many[-1].at)
    assert said.more == 200
    assert len(said.events) == MOST_NAMED
    assert said.events[-1].id == event_id(200)


def test_the_newest_picture_is_the_one() -> None:
    newest = [event(1, snapshot=b"old"), event(2, snapshot=JPEG), event(3)]
    assert notification(newest, SENDER, START).snapshot == JPEG


def test_what_is_of_another_day_has_its_date() -> None:
    old = moved(event(), -timedelta(days=2))
    said = notification([old], Sender("door-1", "", ""), START)
    assert f"door-1, {old.at.astimezone():%Y-%m-%d %H:%M}" in said.text
    assert "it was 2 days ago" in said.text


def test_an_event_survives_the_disk() -> None:
    assert read(stored(event(snapshot=JPEG))) == event(snapshot=JPEG)
    assert read(b"{}") is None
    assert read(b"\xff") is None


def test_a_template_may_name_whatever_a_notification_has() -> None:
    values = notification([event()], SENDER, START).values
    assert set(PLACEHOLDERS) <= set(values)
    everything = json.dumps({name: f"{{{name}}}" for name in PLACEHOLDERS})
    assert json.loads(filled(everything, values))["probability"] == 0.97


@pytest.mark.parametrize(
    "place", ['"', '", "admin": true, "x": "', "\\", "\n\x00", "{text}", "{{}}", "</script>", "é"]
)
def test_nothing_that_is_put_in_breaks_a_template(place: str) -> None:
    said = notification([event()], Sender("door-1", place, ""), START)
    document = json.loads(filled('{"a": "at {site}!", "b": [{"c": "{site}"}]}', said.values))
    assert document == {"a": f"at {place}!", "b": [{"c": place}]}


def test_a_name_alone_keeps_its_kind() -> None:
    said = notification([event()], SENDER, START)
    template = '{"n": "{more}", "null": "{since}", "flag": "{late}", "text": "{late} {since}"}'
    assert json.loads(filled(template, said.values)) == {
        "n": 0, "null": None, "flag": False, "text": "false ",
    }  # fmt: skip


def test_a_test_is_said_to_be_one() -> None:
    said = notification([trial_event("1", START)], SENDER, START)
    assert (said.what, said.title) == ("test", "Test")
    assert msgspec.json.decode(msgspec.json.encode(said))["schema"] == "tensormask/notification/1"


def test_a_condition_is_an_event_when_it_has_lasted_and_when_it_is_over() -> None:
    watch = ConditionWatch(["view-covered"], 600)
    other = condition(Code.VIEW_DARK)
    assert list(watch.note([COVERED, other], 0, START)) == []
    assert list(watch.note([COVERED, other], 599, START)) == []
    (begun,) = watch.note([COVERED], 600, START)
    assert list(watch.note([COVERED], 900, START)) == []
    (over,) = watch.note([], 1000, START)
    assert (begun.state, over.state) == ("begun", "ended")
    assert over.id == f"{begun.id}-ended"
    assert over.duration_s == 1000


def test_a_condition_that_was_short_is_no_event() -> None:
    watch = ConditionWatch(["view-covered"], 600)
    assert list(watch.note([COVERED], 0, START)) == []
    assert list(watch.note([], 500, START)) == []
    assert list(watch.note([COVERED], 600, START)) == []
