"""Notifications as the service's outlet: it takes what happened, and waits for nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.config import Settings, parse_settings
from edge.daemon.lookout import Glance
from edge.daemon.notifications import ROOM, Notifications, open_notifications
from edge.decide.policy import Decision
from edge.telemetry import CameraView, Telemetry
from tests.edge.notify.receiver import Receiver, hang, status
from tests.edge.notify.samples import JPEG, ended, event_id, violation
from tests.edge.samples import TELEMETRY
from tests.waiting import Stopwatch, until

COVERED = replace(TELEMETRY, camera=replace(TELEMETRY.camera, view=CameraView.COVERED))
Open = Callable[..., Notifications]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as opened:
        yield opened


def settings(url: str, *others: dict[str, Any], **keys: Any) -> Settings:
    first = {"name": "desk", "kind": "webhook", "url": url, "pause_s": 0, **keys}
    tables: dict[str, Any] = {"mqtt": {"host": "localhost"}, "notify": [first, *others]}
    tables["snapshots"] = {"pictures": "pixelated"}
    return parse_settings(tables, "test")


@pytest.fixture
def begin(receiver: Receiver, tmp_path: Path) -> Iterator[Open]:
    opened: list[Notifications] = []

    def start(*others: dict[str, Any], **keys: Any) -> Notifications:
        outlet = open_notifications(settings(receiver.url, *others, **keys), tmp_path)
        assert outlet is not None
        opened.append(outlet)
        outlet.start()
        return outlet

    yield start
    for outlet in opened:
        outlet.close()


def confirmed(number: int = 1, snapshot: bytes | None = None) -> Glance:
    return Glance(decision=Decision(violations=(violation(number),)), snapshot=snapshot)


def whats(receiver: Receiver) -> list[tuple[str, str]]:
    return [(each["what"], each["state"]) for each in receiver.documents]


def test_a_violation_is_notified_once(begin: Open, receiver: Receiver) -> None:
    outlet = begin(snapshot=True)
    outlet.take(confirmed(snapshot=JPEG), TELEMETRY)
    outlet.take(Glance(decision=Decision(violations=(ended(violation()),))), TELEMETRY)
    until(lambda: receiver.received, "it has come")
    until(lambda: outlet.states()[0].waiting == 0, "nothing waits")
    assert [each["id"] for each in receiver.documents] == [event_id(1)]
    assert receiver.documents[0]["snapshot"] == "/9ggYSBwaWN0dXJlIP/Z"


def test_the_end_is_notified_where_it_is_wanted(begin: Open, receiver: Receiver) -> None:
    outlet = begin(on=["no_mask", "ended"])
    outlet.take(confirmed(), TELEMETRY)
    outlet.take(Glance(decision=Decision(violations=(ended(violation()),))), TELEMETRY)
    until(lambda: len(receiver.received) == 2, "both have come")
    assert whats(receiver) == [("no_mask", "begun"), ("no_mask", "ended")]


def test_a_condition_is_notified_and_so_is_its_end(begin: Open, receiver: Receiver) -> None:
    outlet = begin(on=["view-covered", "ended"], after_s=0)
    outlet.take(Glance(), COVERED)
    until(lambda: receiver.received, "it has come")
    outlet.take(Glance(), TELEMETRY)
    until(lambda: len(receiver.received) == 2, "it is over")
    assert whats(receiver) == [("view-covered", "begun"), ("view-covered", "ended")]


def test_what_is_not_wanted_is_not_notified(begin: Open, receiver: Receiver) -> None:
    outlet = begin(on=["view-dark", "no_mask"], after_s=0)
    outlet.take(Glance(), COVERED)
    outlet.take(confirmed(), replace(COVERED, frames=1))
    until(lambda: receiver.received, "the violation has come")
    assert whats(receiver) == [("no_mask", "begun")]


def test_judging_does_not_wait_while_a_target_hangs(begin: Open, receiver: Receiver) -> None:
    receiver.usual = hang
    outlet = begin()
    outlet.take(confirmed(), TELEMETRY)
    until(lambda: receiver.received, "it hangs")
    watch = Stopwatch()
    for number in range(2, ROOM + 500):
        outlet.take(confirmed(number), TELEMETRY)
    assert watch.elapsed_s < 0.5
    watch = Stopwatch()
    outlet.close()
    assert watch.elapsed_s < 1.5


def test_what_came_last_is_on_disk_when_the_outlet_is_closed(
    begin: Open, receiver: Receiver
) -> None:
    receiver.close()
    outlet = begin()
    for number in range(1, 11):
        outlet.take(confirmed(number), TELEMETRY)
    outlet.close()
    receiver.open()
    begin()
    until(lambda: len(receiver.received) == 10, "the next run sends it")
    assert [each["id"] for each in receiver.documents] == [event_id(n) for n in range(1, 11)]


def test_a_target_that_fails_is_a_condition_with_what_to_do(
    begin: Open, receiver: Receiver
) -> None:
    from edge.conditions import conditions

    receiver.usual = status(401)
    outlet = begin()
    outlet.take(confirmed(), TELEMETRY)
    until(lambda: outlet.states()[0].trouble, "it is known")
    now: Telemetry = replace(TELEMETRY, notifiers=outlet.states())
    (found,) = conditions(now)
    assert (str(found.code), found.subject) == ("notify-failing", "desk")
    assert found.text.startswith("notifications to desk: http://127.0.0.1:")
    assert found.fix == (
        "1 event kept, and sent when it works again; try it: sudo tensormask notify test desk"
    )


def test_tests_are_sent_to_all_and_seldom(begin: Open, receiver: Receiver) -> None:
    other = {"name": "other", "kind": "ntfy", "server": receiver.url, "topic": "door"}
    outlet = begin(other)
    assert outlet.test() == ""
    assert "wait 5 s" in outlet.test()
    until(lambda: all(each.tested_at for each in outlet.states()), "both are over")
    assert [each.test for each in outlet.states()] == ["", ""]
    assert len(receiver.received) == 2


def test_without_targets_there_is_no_outlet_and_nothing_of_former_ones(tmp_path: Path) -> None:
    kept, gone = tmp_path / "outbox.sqlite", tmp_path / "notify-desk.sqlite"
    for file in (kept, gone, gone.with_name("notify-desk.sqlite.sequence")):
        file.touch()
    tables = {"mqtt": {"host": "localhost"}}
    assert open_notifications(parse_settings(tables, "test"), tmp_path) is None
    assert list(tmp_path.iterdir()) == [kept]
