from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.config import parse_settings
from edge.daemon.announced import FILE, announced_in
from edge.daemon.home_assistant import Farewell, HomeAssistant, births, open_home_assistant
from edge.daemon.lookout import Glance
from edge.daemon.outlets import Outlet
from edge.decide.policy import Decision
from edge.publish.answers import Received
from edge.publish.mailbox import Mailbox, Retained
from edge.publish.messages import ModelIdentity, Origin
from edge.records import Violation, ViolationKind, ViolationState
from tests.edge.samples import TELEMETRY
from tests.fakes import START, TurnedClock

ORIGIN = Origin("door-1", "", "", ModelIdentity(name="m", version="1", sha256="0" * 64))
CONFIG = "homeassistant/device/tensormask/door-1/config"
PRESENCE = "tensormask/door-1/presence"
SNAPSHOT = "tensormask/door-1/snapshot"
STATUS = "homeassistant/status"


class NotingSender:
    """A publisher without a broker."""

    def __init__(self, folder: Path, **sections: Any) -> None:
        self.connected = True
        self.mailbox = Mailbox(births(settings_of(**sections).home_assistant, folder))

    def publish_retained(self, retained: Retained) -> None:
        self.mailbox.retain(retained)

    def wake(self) -> None:
        """There is nobody to wake."""

    def sent(self) -> dict[str, bytes]:
        """Return what a connection would send now."""
        return {each.topic: each.payload for each in self.mailbox.due([], 99)}

    def clearings(self) -> list[str]:
        return [each.topic for each in self.mailbox.due([], 99, clearing=True)]

    def answer_clearings(self) -> None:
        self.mailbox.renew()
        for each in self.mailbox.due([], 99, clearing=True):
            self.mailbox.settle(each)


def settings_of(**sections: Any) -> Any:
    usual: dict[str, Any] = {
        "mqtt": {"host": "b"},
        "device": {"id": "door-1"},
        "home_assistant": {"enabled": True},
    }
    return parse_settings({**usual, **sections}, "file.toml")


class Home:
    """The outlet with a clock that only the test moves."""

    def __init__(self, folder: Path) -> None:
        self.sender = NotingSender(folder)
        self.clock = TurnedClock()
        opened = open_home_assistant(settings_of(), self.sender, ORIGIN, {}, folder)
        assert isinstance(opened, HomeAssistant)
        opened._clock = self.clock
        opened._bell._delay_s = lambda: 5.0
        opened.start()
        self.outlet = opened

    def turn(self, *violations: Violation, after_s: float = 1.0) -> dict[str, bytes]:
        """Take one turn of the loop; return what is sent then."""
        self.clock.now_s += after_s
        self.outlet.take(Glance(decision=Decision(violations=violations)), TELEMETRY)
        return self.sender.sent()

    def hear(self, payload: bytes, retained: bool = False) -> None:
        self.sender.mailbox.deliver(Received(STATUS, payload, retained))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def violation(event: str, state: ViolationState, kind: ViolationKind) -> Violation:
    return Violation(
        event_id=event,
        state=state,
        track_id=1,
        started_at=START,
        confirmed_at=START + timedelta(seconds=1),
        ended_at=None,
        duration_s=1.0,
        bare_probability=0.9,
        face_px=70.0,
        probability=0.9,
        kind=kind,
    )


def counted(sent: dict[str, bytes]) -> tuple[int, int]:
    document = json.loads(sent[PRESENCE])
    return document["bare"], document["worn_wrongly"]


def test_a_start_announces_the_device_and_says_that_nobody_is_there(home: Home) -> None:
    sent = home.sender.sent()
    assert list(sent) == [CONFIG, PRESENCE]
    assert counted(sent) == (0, 0)
    assert json.loads(sent[CONFIG])["device"]["name"] == "TensorMask door-1"


def test_presence_counts_who_has_come_and_not_left(home: Home) -> None:
    confirmed, ended = ViolationState.CONFIRMED, ViolationState.ENDED
    bare, wrong = ViolationKind.BARE, ViolationKind.WORN_WRONGLY
    home.sender.sent()
    assert counted(home.turn(violation("a", confirmed, bare))) == (1, 0)
    both = home.turn(violation("b", confirmed, wrong), violation("c", confirmed, bare))
    assert counted(both) == (2, 1)
    assert home.turn() == {}, "nothing has changed"
    # The kind at the end may be another one; an end that nobody began is none.
    gone = home.turn(violation("b", ended, bare), violation("x", ended, bare))
    assert counted(gone) == (2, 0)
    assert counted(home.turn(violation("a", ended, bare), violation("c", ended, bare))) == (0, 0)


def test_presence_is_said_again_each_minute(home: Home) -> None:
    home.turn()
    assert home.turn(after_s=58) == {}
    assert list(home.turn(after_s=2)) == [PRESENCE]
    assert home.turn(after_s=59) == {}


def test_a_birth_is_answered_once_and_after_a_delay(home: Home) -> None:
    home.turn()
    home.hear(b"online")
    home.hear(b"online")
    assert home.turn() == {}
    assert home.turn(after_s=4) == {}
    again = home.turn(after_s=1)
    assert CONFIG in again
    assert PRESENCE in again
    assert home.turn(after_s=20) == {}
    home.hear(b"online", retained=True)
    home.turn()
    assert CONFIG in home.turn(after_s=5), "some have it retained"


@pytest.mark.parametrize("payload", [b"offline", b"", b"online" * 1000, b"\xff"])
def test_what_is_no_birth_is_not_answered(home: Home, payload: bytes) -> None:
    home.turn()
    home.hear(payload)
    home.turn()
    assert CONFIG not in home.turn(after_s=30)


def test_a_flood_of_births_is_one(home: Home) -> None:
    home.turn()
    for _ in range(10_000):
        home.hear(b"online")
    home.turn()
    assert CONFIG in home.turn(after_s=5)
    assert home.turn(after_s=5) == {}


def test_a_picture_goes_once_and_not_to_a_broker_that_is_away(home: Home) -> None:
    home.outlet.show(b"jpeg")
    assert home.sender.mailbox.next_once() == (SNAPSHOT, b"jpeg")
    home.sender.connected = False
    home.outlet.show(b"late")
    assert home.sender.mailbox.next_once() is None


def opened(folder: Path, sender: NotingSender, **sections: Any) -> Outlet | None:
    return open_home_assistant(settings_of(**sections), sender, ORIGIN, {}, folder)


def test_who_was_never_announced_has_nothing_to_remove(tmp_path: Path) -> None:
    assert opened(tmp_path, NotingSender(tmp_path), home_assistant={}) is None
    assert list(tmp_path.iterdir()) == []


def test_turned_off_it_is_removed_once_when_the_broker_has_answered(tmp_path: Path) -> None:
    opened(tmp_path, NotingSender(tmp_path))
    assert announced_in(tmp_path / FILE) == (CONFIG, PRESENCE)
    off = {"home_assistant": {"enabled": False}}
    for _ in range(2):  # the first start ends before the broker is there
        sender = NotingSender(tmp_path, **off)
        farewell = opened(tmp_path, sender, **off)
        assert isinstance(farewell, Farewell)
        farewell.start()
        farewell.take(Glance(), TELEMETRY)
        assert sender.clearings() == [CONFIG, PRESENCE]
        farewell.close()
        left = sender, farewell
    left[0].answer_clearings()
    left[1].close()
    assert announced_in(tmp_path / FILE) == ()
    assert opened(tmp_path, NotingSender(tmp_path), home_assistant={"enabled": False}) is None


@pytest.mark.parametrize(
    ("sections", "present"),
    [
        (
            {"device": {"id": "gate"}},
            "homeassistant/device/tensormask/gate/config",
        ),
        (
            {"mqtt": {"host": "b", "topic_prefix": "masks"}},
            "homeassistant/device/masks/door-1/config",
        ),
        (
            {"home_assistant": {"enabled": True, "discovery_prefix": "ha/x"}},
            "ha/x/device/tensormask/door-1/config",
        ),
    ],
)
def test_renamed_it_is_removed_under_its_former_name(
    tmp_path: Path, sections: dict[str, Any], present: str
) -> None:
    opened(tmp_path, NotingSender(tmp_path))
    sender = NotingSender(tmp_path, **sections)
    outlet = opened(tmp_path, sender, **sections)
    assert isinstance(outlet, HomeAssistant)
    assert CONFIG in sender.clearings()
    outlet.start()
    assert present in sender.sent()
    sender.answer_clearings()
    outlet.take(Glance(), TELEMETRY)
    assert announced_in(tmp_path / FILE)[0] == present
    assert CONFIG not in announced_in(tmp_path / FILE)


def test_a_name_that_is_taken_up_again_is_not_removed(tmp_path: Path) -> None:
    opened(tmp_path, NotingSender(tmp_path))
    opened(tmp_path, NotingSender(tmp_path), device={"id": "gate"})
    sender = NotingSender(tmp_path)
    opened(tmp_path, sender)
    assert CONFIG not in sender.clearings()


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"topics": 7}', b"[" * 10_000])
def test_a_damaged_memory_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    assert isinstance(opened(tmp_path, NotingSender(tmp_path)), HomeAssistant)
    assert announced_in(tmp_path / FILE) == (CONFIG, PRESENCE)


def test_the_memory_does_not_grow(tmp_path: Path) -> None:
    for number in range(40):
        opened(tmp_path, NotingSender(tmp_path), device={"id": f"door-{number}"})
    assert len(announced_in(tmp_path / FILE)) == 22


def test_a_disk_that_refuses_is_said_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / f"{FILE}.new").mkdir()
    assert isinstance(opened(tmp_path, NotingSender(tmp_path)), HomeAssistant)
    assert "turning [home_assistant] off will not be noticed" in caplog.text


@pytest.mark.parametrize("enabled", [True, False])
def test_home_assistant_that_was_away_is_rid_of_the_device_when_it_is_back(
    tmp_path: Path, enabled: bool
) -> None:
    opened(tmp_path, NotingSender(tmp_path))
    now = {"device": {"id": "gate"}, "home_assistant": {"enabled": enabled}}
    sender = NotingSender(tmp_path, **now)
    outlet = opened(tmp_path, sender, **now)
    assert isinstance(outlet, HomeAssistant | Farewell)
    clock = outlet._clock = TurnedClock()
    outlet.start()
    sender.answer_clearings()
    outlet.take(Glance(), TELEMETRY)
    assert sender.clearings() == []
    sender.mailbox.deliver(Received(STATUS, b"online"))
    for clock.now_s in (2.0, 13.0):
        outlet.take(Glance(), TELEMETRY)
    assert sender.clearings() == [CONFIG, PRESENCE]


def test_nothing_is_subscribed_to_unless_it_is_enabled_or_has_been(tmp_path: Path) -> None:
    off, on = (settings_of(home_assistant=keys).home_assistant for keys in ({}, {"enabled": True}))
    assert births(off, tmp_path) == ()
    (route,) = births(on, tmp_path)
    assert route.filter == STATUS
    opened(tmp_path, NotingSender(tmp_path))
    assert births(off, tmp_path) == (route,)


TWO = [{"name": "door", "source": "picamera2:0"}, {"name": "hall", "source": "picamera2:1"}]


def test_presence_says_of_each_camera_who_is_there(tmp_path: Path) -> None:
    sender = NotingSender(tmp_path)
    opened = open_home_assistant(settings_of(camera=TWO), sender, ORIGIN, {}, tmp_path)
    assert opened is not None
    opened.start()
    confirmed = violation("e1", ViolationState.CONFIRMED, ViolationKind.BARE)
    opened.take(Glance(decision=Decision((confirmed,)), camera="hall"), TELEMETRY)
    presence = json.loads(sender.sent()[PRESENCE])
    assert (presence["bare"], presence["worn_wrongly"]) == (1, 0)
    assert presence["cameras"] == {
        "door": {"bare": 0, "worn_wrongly": 0},
        "hall": {"bare": 1, "worn_wrongly": 0},
    }


def test_a_camera_that_is_renamed_is_taken_away_over_restarts(tmp_path: Path) -> None:
    def announced(cameras: list[dict[str, str]]) -> dict[str, Any]:
        sender = NotingSender(tmp_path)
        opened = open_home_assistant(settings_of(camera=cameras), sender, ORIGIN, {}, tmp_path)
        assert opened is not None
        opened.start()
        sent = {topic: body for topic, body in sender.sent().items() if topic.endswith("/config")}
        components: dict[str, Any] = json.loads(next(iter(sent.values())))["components"]
        return components

    announced(TWO)
    renamed = [TWO[0], {**TWO[1], "name": "yard"}]
    for _ in range(2):
        components = announced(renamed)
        assert components["camera_hall_rate"] == {"platform": "sensor"}
        assert len(components["camera_yard_rate"]) > 1
