"""One message for a person, and nothing lost: what a subscriber gets from the installed box."""

from __future__ import annotations

import pytest

from tests.installed.lab.box import Box
from tests.systemd.machine import wait_until


@pytest.fixture(autouse=True)
def _empty(box: Box) -> None:
    box.empty()


def test_a_person_without_a_mask_is_reported_once_and_once_more_when_over(box: Box) -> None:
    box.camera.show("bare")
    (confirmed,) = box.until_reported("confirmed")
    assert (confirmed["kind"], confirmed["device_id"]) == ("bare", "door-1")
    assert (confirmed["site"], confirmed["zone"]) == ("Museum", "north entrance")
    box.camera.show("nobody")
    ended = box.until_reported("confirmed", "ended")[1]
    assert ended["event_id"] == confirmed["event_id"]
    assert ended["duration_s"] >= confirmed["duration_s"]  # equal, where the last look confirmed it


@pytest.mark.thorough
def test_a_person_with_a_mask_is_counted_and_not_reported(box: Box) -> None:
    before = _masked(box)
    box.camera.show("masked")
    frames = box.telemetry()["frames"]
    wait_until(lambda: box.telemetry()["frames"] > frames + 50, 30, "five seconds' frames")
    box.camera.show("nobody")
    # Published once a minute.
    wait_until(lambda: _masked(box) > before, 90, "the person is counted")
    assert box.violations() == []


def test_a_person_who_stays_is_reported_once(box: Box) -> None:
    box.camera.show("both")
    box.until_reported("confirmed")
    frames = box.telemetry()["frames"]
    wait_until(lambda: box.telemetry()["frames"] > frames + 100, 30, "a hundred frames more")
    assert len(box.violations()) == 1


def test_a_broker_that_is_away_gets_everything_later(box: Box) -> None:
    box.machine.run("systemctl", "stop", "mosquitto.service")
    _pass_by(box)
    assert box.violations() == []
    box.machine.run("systemctl", "start", "mosquitto.service")
    _assert_reported_once(box, box.until_reported("confirmed", "ended", within_s=90))


@pytest.mark.thorough
def test_a_power_cut_loses_nothing_that_waits(box: Box) -> None:
    box.machine.run("systemctl", "stop", "mosquitto.service")
    _pass_by(box)
    box.machine.cut_power()
    box.machine.boot()
    _assert_reported_once(box, box.until_reported("confirmed", "ended", within_s=90))


@pytest.mark.thorough
def test_a_power_cut_while_somebody_is_there_reports_nobody_twice(box: Box) -> None:
    box.camera.show("bare")
    (before,) = box.until_reported("confirmed")
    box.machine.cut_power()
    box.camera.show("nobody")
    box.machine.boot()
    box.until_well()
    assert {each["event_id"] for each in box.violations()} == {before["event_id"]}


def _masked(box: Box) -> int:
    """Return how many wore a mask in the last hour."""
    return int(box.retained("compliance")["last_hour"]["masked"])


def _pass_by(box: Box) -> None:
    """Have somebody come without a mask and leave, until both messages are queued."""
    box.camera.show("bare")
    _until_waiting(box, 1)
    box.camera.show("nobody")
    _until_waiting(box, 2)


def _until_waiting(box: Box, count: int) -> None:
    wait_until(lambda: box.telemetry()["outbox"]["rows"] == count, 30, f"{count} violations wait")


def _assert_reported_once(box: Box, reported: list[dict[str, object]]) -> None:
    assert [each["state"] for each in reported] == ["confirmed", "ended"]
    assert len({each["event_id"] for each in reported}) == 1
