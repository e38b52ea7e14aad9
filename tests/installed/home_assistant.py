"""How the installed box announces itself to Home Assistant, at its own broker."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.edge.publish.discovery.accepted import DEVICE_DISCOVERY
from tests.installed.lab.box import DEVICE, SETTINGS, STATE, UNIT, VISITOR, Box
from tests.systemd.machine import wait_until

ON = {"home_assistant": {"enabled": True}}
CONFIG = f"homeassistant/device/tensormask/{DEVICE}/config"
MEMORY = f"{STATE}/home-assistant.json"


@pytest.fixture(autouse=True)
def _well(box: Box) -> None:
    box.empty()


def kept(box: Box, topic: str, wait_s: int = 5) -> bytes:
    """Return what the broker keeps there; nothing where it keeps nothing."""
    words = shlex.split(f"mosquitto_sub -h localhost --retained-only -C 1 -W {wait_s} -t {topic}")
    return box.machine.run(*words, check=False).stdout.encode()


def announced(box: Box) -> dict[str, Any]:
    wait_until(lambda: kept(box, CONFIG) != b"", 30, "it is announced")
    document: dict[str, Any] = json.loads(kept(box, CONFIG))
    Draft202012Validator(DEVICE_DISCOVERY).validate(document)
    return document


def removed(box: Box) -> bool:
    return kept(box, "homeassistant/#", 1) == kept(box, f"tensormask/{DEVICE}/presence", 1) == b""


def test_it_announces_itself_and_says_who_is_there(box: Box) -> None:
    box.configure(**ON)
    document = announced(box)
    assert document["device"]["suggested_area"] == "north entrance"
    shown = {name for name, each in document["components"].items() if len(each) > 1}
    assert {"violation", "no_mask", "pause", "restart", "snapshot", "release"} <= shown
    release = box.by(VISITOR, "tensormask release --json", check=True).stdout
    assert document["device"]["sw_version"] == json.loads(release)["current"]["release"]
    assert (box.retained("presence")["bare"]) == 0
    box.camera.show("bare")
    wait_until(lambda: box.retained("presence")["bare"] == 1, 30, "somebody is there")
    box.camera.show("nobody")
    wait_until(lambda: box.retained("presence")["bare"] == 0, 30, "nobody is there")
    # An ordinary user is told as much as before, and can read nothing of it on the box.
    assert box.by(VISITOR, "tensormask status").returncode == 0
    assert box.by(VISITOR, f"cat {MEMORY}").returncode != 0


@pytest.mark.thorough
def test_a_restart_of_home_assistant_is_answered(box: Box) -> None:
    box.configure(**ON)
    announced(box)
    clear = ["mosquitto_pub", "-h", "localhost", "-r", "-n", "-t", CONFIG]
    box.machine.run(*clear)  # as a broker that has lost it
    assert kept(box, CONFIG, 1) == b""
    box.machine.run(
        "mosquitto_pub", "-h", "localhost", "-t", "homeassistant/status", "-m", "online"
    )
    announced(box)


@pytest.mark.thorough
def test_turned_off_and_forgotten_it_leaves_nothing(box: Box) -> None:
    box.configure(**ON)
    announced(box)
    box.configure()
    wait_until(lambda: removed(box), 30, "it is removed")
    assert "presence" not in box.by("root", f"cat {MEMORY}").stdout
    box.configure(**ON)
    announced(box)
    box.machine.run("systemctl", "stop", UNIT)
    assert f"cleared {CONFIG}" in box.by("root", "tensormask forget", check=True).stdout
    assert removed(box)
    assert "home_assistant" in box.by("root", f"cat {SETTINGS}", check=True).stdout
