"""Real versions of Home Assistant, a real broker, the real service: `make home-assistant`, as root.

Each version runs in a Debian userland of its own, which is laid once below `build/home-assistant`:
two minutes and 1 GB each. `ARGS="-k 2026.2.3 -m 'not thorough'"` is a minute and a half of it.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import permutations
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from edge.publish.discovery import announcement, config_topic
from edge.publish.discovery.entities import PLATFORMS
from tests.broker.conftest import Mosquitto
from tests.edge.publish.discovery.test_discovery import FULL
from tests.edge.publish.test_messages import documented_examples
from tests.integrations.house.camera import StreetCamera, street_camera
from tests.integrations.house.daemon import Service
from tests.integrations.house.house import RELEASES, HomeAssistant, root_of
from tests.needs import lacking
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "home-assistant.md"
BASE = "tensormask_door_1"
VIOLATION, NO_MASK = f"event.{BASE}_violation", f"binary_sensor.{BASE}_no_mask"
PAUSE, STATUS = f"switch.{BASE}_pause", f"sensor.{BASE}_status"
SNAPSHOT = f"image.{BASE}_snapshot"
ALWAYS = {
    *(VIOLATION, NO_MASK, STATUS),
    *(f"sensor.{BASE}_{name}" for name in ("people", "rate", "fps", "temperature", "queued")),
    *(f"binary_sensor.{BASE}_{name}" for name in ("problem", "camera")),
}
ALLOWED = {PAUSE, f"button.{BASE}_restart", f"button.{BASE}_take_snapshot", SNAPSHOT}
CONFIG = "homeassistant/device/tensormask/door-1/config"
BIRTH = "homeassistant/status"
TIMES = 10
"""So many people come without a mask, one after the other."""

pytestmark = pytest.mark.timeout(600)


@dataclass
class Lab:
    """All that runs."""

    broker: Mosquitto
    service: Service
    house: HomeAssistant
    camera: StreetCamera

    def all_are_there(self, wanted: set[str] = ALWAYS | ALLOWED) -> bool:
        """Return whether exactly these are there, and none is unavailable."""
        states = {
            name: each["state"]
            for name, each in self.house.states().items()
            if not name.startswith("automation.")
        }
        return states.keys() == wanted and "unavailable" not in states.values()

    def has_state(self, entity_id: str, state: str | None) -> bool:
        return self.house.state(entity_id) == state

    def until_state(self, entity_id: str, state: str | None) -> None:
        until(partial(self.has_state, entity_id, state), f"{entity_id} to be {state}")

    def until_all_are_there(self, wanted: set[str] = ALWAYS | ALLOWED) -> None:
        until(partial(self.all_are_there, wanted), f"all entities; {self.house.states()}")

    def fired(self) -> list[dict[str, Any]]:
        return list(self.house.ask("fired"))

    def complaints(self) -> list[str]:
        """Return what Home Assistant says against what it gets over MQTT."""
        return [
            each
            for each in self.house.ask("warnings")
            if "mqtt" in each.partition(":")[0] and "connect" not in each.lower()
        ]


@pytest.fixture(scope="module")
def camera() -> Iterator[StreetCamera]:
    with street_camera() as opened:
        yield opened


@pytest.fixture(params=RELEASES)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def protocol() -> str:
    return "5"


@pytest.fixture
def lab(version: str, protocol: str, camera: StreetCamera, tmp_path: Path) -> Iterator[Lab]:
    """Broker and service run; Home Assistant does not yet."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if program is None:
        lacking("no mosquitto", "sudo apt-get install mosquitto")
    folder = tmp_path / "broker"
    folder.mkdir()
    settings = f"allow_anonymous true\npersistence true\npersistence_location {folder}/"
    with ExitStack() as stack:
        broker = Mosquitto(program, folder, settings)
        stack.callback(broker.kill)
        camera.show("nobody")
        service = Service(tmp_path / "service", camera.url, broker.port)
        service.configure(mqtt={"protocol": protocol})
        stack.callback(service.kill)
        service.start()
        house = HomeAssistant(root_of(version), tmp_path / "house", broker.port, protocol)
        stack.callback(house.kill)
        yield Lab(broker, service, house, camera)


@dataclass(frozen=True)
class Heard:
    """What somebody else at the broker has got of the discovery."""

    topic: str
    payload: bytes
    is_retained: bool
    came_after_birth: bool


def listened(port: int) -> list[Heard]:
    """Return a list to which comes what is announced from now on."""
    heard: list[Heard] = []

    def note(client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        after = any(each.topic == BIRTH for each in heard)
        heard.append(Heard(message.topic, bytes(message.payload), message.retain, after))

    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.on_message = note
    client.connect("127.0.0.1", port)
    client.subscribe("homeassistant/#", qos=1)
    client.loop_start()
    return heard


def example(name: str) -> str:
    """Return the YAML of that name in the documents."""
    found = re.search(rf"<!-- {name} -->\n```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found, name
    return found[1]


def entities_in(card: Any) -> Iterator[str]:
    """Yield each entity that a card shows."""
    if isinstance(card, dict):
        for key, value in card.items():
            if key == "entity":
                yield value
            else:
                yield from entities_in(value)
    elif isinstance(card, list):
        for each in card:
            yield from entities_in(each)


def test_the_device_is_there_with_all_entities_and_they_are_right(lab: Lab) -> None:
    house, camera = lab.house, lab.camera
    heard = listened(lab.broker.port)
    house.start()
    lab.until_all_are_there()
    (device,) = house.ask("devices")
    assert (device["name"], device["area"]) == ("TensorMask door-1", "north entrance")
    assert device["identifiers"] == ["tensormask/door-1"]
    states = house.states()
    assert states[VIOLATION]["event_types"] == ["no_mask", "worn_wrongly"]
    assert states[VIOLATION]["state"] == states[SNAPSHOT]["state"] == "unknown"
    assert states[f"sensor.{BASE}_people"]["state"] == "0"
    assert states[f"sensor.{BASE}_rate"]["state"] == "unknown"
    assert states[f"sensor.{BASE}_queued"]["state"] == "0"
    assert 5 < float(states[f"sensor.{BASE}_fps"]["state"]) < 15
    assert states[f"binary_sensor.{BASE}_camera"]["state"] == "on"
    assert states[f"binary_sensor.{BASE}_problem"]["state"] == "off"
    assert states[STATUS]["state"] == "online"
    assert states[NO_MASK]["state"] == states[PAUSE]["state"] == "off"

    # Announced again some seconds after Home Assistant's birth.
    until(lambda: CONFIG in [each.topic for each in heard if each.came_after_birth], "that")
    (birth,) = [each for each in heard if each.topic == BIRTH]
    assert (birth.payload, birth.is_retained) == (b"online", False)
    configs = [each.payload for each in heard if each.topic == CONFIG]
    assert configs[1:] == configs[:1], "once more, and the same"

    automations = example("automations.yaml")
    assert house.ask("automate", house.write("automations.yaml", automations))
    for name in ("card.yaml", "more.yaml"):
        card = house.ask("yaml", house.write(name, example(name)))
        assert set(entities_in(card)) <= states.keys()

    camera.show("bare")
    lab.until_state(NO_MASK, "on")
    until(lambda: len(house.image(SNAPSHOT)) > 1000, "the picture")
    (event,) = lab.fired()
    assert (event["event_type"], event["sequence"]) == ("no_mask", 1)
    assert house.states()[NO_MASK]["no_mask"] == 1
    until(lambda: len(house.ask("calls")) == 2, "light and notification")
    assert sorted(name for name, _ in house.ask("calls")) == ["light.turn_on", "notify.notify"]
    (message,) = [data["message"] for name, data in house.ask("calls") if name == "notify.notify"]
    assert message == "No mask at the north entrance"
    camera.show("nobody")
    lab.until_state(NO_MASK, "off")
    lab.until_state(f"sensor.{BASE}_people", "1")
    lab.until_state(f"sensor.{BASE}_rate", "0.0")
    assert len(lab.fired()) == 1, "its end is none"
    assert lab.complaints() == []


def test_switch_and_buttons_reach_the_device(lab: Lab) -> None:
    house = lab.house
    house.start()
    lab.until_all_are_there()
    house.ask("call", "switch", "turn_on", PAUSE)
    lab.until_state(PAUSE, "on")
    assert "paused for 3600 s" in lab.service.log
    house.ask("call", "switch", "turn_off", PAUSE)
    lab.until_state(PAUSE, "off")
    assert "judging again, by command" in lab.service.log
    lab.camera.show("both")
    house.ask("call", "button", "press", f"button.{BASE}_take_snapshot")
    until(lambda: len(house.image(SNAPSHOT)) > 1000, "the picture")
    content = np.frombuffer(house.image(SNAPSHOT), np.uint8)
    assert cv2.imdecode(content, cv2.IMREAD_COLOR) is not None
    lab.camera.show("nobody")
    # A device refuses that in its first ten seconds, which begin when it has loaded all.
    until(lambda: _uptime_s(lab) > 10, "an age at which it may")
    house.ask("call", "button", "press", f"button.{BASE}_restart")
    until(lambda: lab.service.has_ended, "its end, after which systemd starts it again")
    lab.until_state(STATUS, "stopped")
    until(lambda: house.states()[NO_MASK]["state"] == "unavailable", "to be unavailable")
    lab.service.start()
    lab.until_all_are_there()
    assert lab.complaints() == []


def test_every_entity_that_a_device_can_have_is_taken(lab: Lab) -> None:
    """Also that of a release, which only an installed device has; by the reference's examples."""
    lab.service.stop()
    lab.house.start()
    subject = replace(FULL, device_id="full-1")
    _publish(lab, config_topic("homeassistant", subject), announcement(subject), "--retain")
    until(lambda: len(_of(lab, "full_1")) == len(PLATFORMS), "all entities")
    examples = documented_examples()
    for name, text in examples:
        if name not in ("violation", "response"):
            _publish(lab, subject.topic(name), text.encode(), "--retain")
    release = f"update.{BASE.replace('door', 'full')}_release"
    until(lambda: lab.has_state(release, "on"), "a release that is known and not in use")
    known = lab.house.states()[release]
    assert known["installed_version"] == "0.2.9-4c11d0aa"
    assert known["latest_version"] == "0.3.0-9e50a579"
    assert known["release_summary"] == "no frames are judged, unlike before"
    until(lambda: "unavailable" not in _of(lab, "full_1").values(), "them to be available")
    states = {name.partition("full_1_")[2]: state for name, state in _of(lab, "full_1").items()}
    assert states | {"violation": "", "restart": "", "take_snapshot": "", "snapshot": ""} == {
        **{"violation": "", "restart": "", "take_snapshot": "", "snapshot": ""},
        **{"no_mask": "on", "people": "177", "rate": "94.7", "fps": "14.9", "temperature": "61.3"},
        **{"queued": "2", "status": "online", "problem": "off", "camera": "on", "pause": "off"},
        "release": "on",
    }
    for name, text in examples * 2:
        if name == "violation":
            _publish(lab, subject.topic(name), text.encode())
    until(lab.fired, "the event")
    assert [event["event_type"] for event in lab.fired()] == ["no_mask"], "once"
    assert lab.complaints() == []


def _publish(lab: Lab, topic: str, payload: bytes, *options: str) -> None:
    words = ("mosquitto_pub", "-p", str(lab.broker.port), "-t", topic, "-s", "-q", "1")
    subprocess.run([*words, *options], input=payload, check=True)


def _of(lab: Lab, slug: str) -> dict[str, str]:
    return {name: each["state"] for name, each in lab.house.states().items() if slug in name}


@pytest.mark.thorough
def test_an_event_is_there_soon_after_its_confirmation(lab: Lab) -> None:
    lab.house.start()
    lab.until_all_are_there()
    for _ in range(TIMES):
        lab.camera.show("bare")
        lab.until_state(NO_MASK, "on")
        lab.camera.show("nobody")
        lab.until_state(NO_MASK, "off")
    assert len(lab.fired()) == TIMES
    for since in ("started_at", "confirmed_at"):
        took_s = sorted(_between_s(event[since], event["noted_at"]) for event in lab.fired())
        print(f"{since}: median {median(took_s):.2f} s, longest {took_s[-1]:.2f} s")  # noqa: T201
    assert median(took_s) < 2, "a second, on a machine that does nothing else"


def _between_s(begin: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()


def _uptime_s(lab: Lab) -> float:
    """Return how old the device says that it is."""
    found = subprocess.run(
        ["mosquitto_sub", "-p", str(lab.broker.port), "-t", "tensormask/+/health", "-C", "1"],
        capture_output=True,
        check=True,
    )
    return float(json.loads(found.stdout)["uptime_s"])


@pytest.mark.thorough
def test_killed_and_started_in_every_order_nothing_is_doubled_and_nothing_stale(lab: Lab) -> None:
    lab.house.start()
    lab.until_all_are_there()
    lab.house.ask("save")
    entities = lab.house.ask("entities")
    for order in permutations(("broker", "service", "house")):
        lab.camera.show("bare")
        lab.until_state(NO_MASK, "on")
        _end(lab, order)
        lab.camera.show("nobody")
        _begin(lab, order)
        lab.until_all_are_there()
        lab.until_state(NO_MASK, "off")
        lab.until_state(STATUS, "online")
        assert lab.house.ask("entities") == entities, order
        assert len(lab.house.ask("devices")) == 1, order
        ids = [event["event_id"] for event in lab.fired()]
        assert len(ids) == len(set(ids)), order
        assert lab.complaints() == [], order


def _end(lab: Lab, order: Sequence[str]) -> None:
    for name in order:
        {"broker": lab.broker, "service": lab.service, "house": lab.house}[name].kill()  # type: ignore[attr-defined]


def _begin(lab: Lab, order: Sequence[str]) -> None:
    for name in order:
        {"broker": lab.broker.start, "service": lab.service.start, "house": lab.house.begin}[name]()
    lab.house.wait()


@pytest.mark.thorough
def test_what_is_not_wanted_goes(lab: Lab) -> None:
    house, service = lab.house, lab.service
    house.start()
    lab.until_all_are_there()
    both = house.states().keys()

    service.stop()
    service.configure(commands={"allowed": ["restart"]}, snapshots={"pictures": "none"})
    service.start()
    lab.until_all_are_there(ALWAYS | {f"button.{BASE}_restart"})

    service.stop()
    service.configure(device={"id": "gate"})
    service.start()
    gate = {name.replace("door_1", "gate") for name in both}
    lab.until_all_are_there(gate)
    (device,) = house.ask("devices")
    assert device["name"] == "TensorMask gate"

    service.stop()
    service.configure(device={"id": "gate"}, home_assistant={"enabled": False})
    service.start()
    lab.until_all_are_there(set())
    assert house.ask("devices") == []
    assert house.ask("entities") == {}

    # Turned off while the broker is away, and killed: as soon as both are there again.
    service.stop()
    service.configure()
    service.start()
    lab.until_all_are_there()
    service.stop()
    lab.broker.stop()
    service.configure(home_assistant={"enabled": False})
    lines = len(service.log)
    service.start()
    until(lambda: "removing from Home Assistant" in service.log[lines:], "its wish")
    service.kill()
    lab.broker.start()
    service.start()
    lab.until_all_are_there(set())

    service.stop()
    service.configure()
    service.start()
    lab.until_all_are_there()
    service.stop()
    assert f"cleared {CONFIG}" in service.forget()
    lab.until_all_are_there(set())
    assert house.ask("devices") == []
    # It may get the emptied states before it has unsubscribed from them.
    assert {each for each in lab.complaints() if "Erroneous JSON: " not in each} == set()


@pytest.mark.thorough
@pytest.mark.parametrize("protocol", ["3.1.1"])
def test_it_is_there_over_mqtt_3_1_1_too(lab: Lab) -> None:
    lab.house.start()
    lab.until_all_are_there()
    lab.camera.show("bare")
    lab.until_state(NO_MASK, "on")
    lab.camera.show("nobody")
    lab.until_state(NO_MASK, "off")
    until(
        lambda: "announced to Home Assistant again" in lab.service.log, "the birth to be answered"
    )
    assert [event["event_type"] for event in lab.fired()] == ["no_mask"]
