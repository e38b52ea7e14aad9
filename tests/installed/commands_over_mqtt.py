"""What the installed box does when it is asked to over MQTT, and the pictures that it sends."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from edge.detect.detectors import open_detector
from edge.records import Pixels
from tests.installed.lab.box import DEVICE, UNIT, Box
from tests.systemd.machine import wait_until

RESPONSES = "/srv/responses"
Order = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _well(box: Box) -> None:
    box.empty()


@pytest.fixture
def order(box: Box) -> Iterator[Order]:
    """Sends a command, and returns the response."""
    topic = f"tensormask/{DEVICE}/response"
    listen = f"mosquitto_sub -h localhost -t {topic} -F %p"
    box.machine.run("rm", "-f", RESPONSES)
    append = f"--property=StandardOutput=append:{RESPONSES}"
    box.machine.run("systemd-run", "--unit=listener", append, *listen.split())
    sent = 0

    def send(name: str, **fields: object) -> dict[str, Any]:
        nonlocal sent
        sent += 1
        document = json.dumps({"request_id": f"r{sent}", **fields})
        to = f"tensormask/{DEVICE}/command/{name}"
        box.machine.run("mosquitto_pub", "-h", "localhost", "-t", to, "-m", document)
        wait_until(lambda: len(_lines(box)) == sent, 30, f"a response to {name}")
        response: dict[str, Any] = json.loads(_lines(box)[-1])
        return response

    wait_until(lambda: _has_subscriber(box), 10, "it listens")
    yield send
    # Whatever a test has left: no pause, no other settings.
    box.machine.run("systemctl", "restart", UNIT)
    box.machine.run("systemctl", "stop", "listener")


def _lines(box: Box) -> list[str]:
    return box.machine.run("cat", RESPONSES, check=False).stdout.splitlines()


def _has_subscriber(box: Box) -> bool:
    return "ESTAB" in box.machine.run("ss", "-tnp", check=False).stdout and (
        box.show("ActiveState", "listener.service") == "active"
    )


def test_pause_and_resume(box: Box, order: Order) -> None:
    assert order("pause", duration_s=60)["outcome"] == "done"
    wait_until(lambda: bool(box.telemetry()["paused_for_s"]), 10, "it is paused")
    assert "pause" in box.by("root", "tensormask status").stdout
    doctor = box.by("root", "tensormask doctor")
    assert doctor.returncode == 0, doctor.stdout
    assert re.search(r"^hint +service: paused: .*\n +fix: the command resume", doctor.stdout, re.M)
    box.camera.show("bare")
    assert order("resume")["outcome"] == "done"
    box.until_reported("confirmed")


def test_a_snapshot_shows_nobodys_face(box: Box, order: Order) -> None:
    box.camera.show("both")
    box.until_reported("confirmed")
    answer = order("snapshot")
    assert answer["outcome"] == "done", answer
    for picture in (answer["snapshot"], box.violations()[0]["snapshot"]):
        pixels = _decoded(picture)
        larger = cv2.resize(pixels, None, fx=2, fy=2)
        assert open_detector().find(np.asarray(larger, np.uint8)) == (), "a face can be found"


def _decoded(picture: str) -> Pixels:
    content = np.frombuffer(base64.b64decode(picture), np.uint8)
    pixels = cv2.imdecode(content, cv2.IMREAD_COLOR)
    assert pixels is not None
    return pixels.astype(np.uint8, copy=False)


@pytest.mark.thorough
def test_restart_is_a_new_start(box: Box, order: Order) -> None:
    # It is refused right after a start.
    wait_until(lambda: box.telemetry()["uptime_s"] > 12, 30, "the time for a restart")
    before = box.show("MainPID")
    assert order("restart")["outcome"] == "done"
    wait_until(lambda: box.show("MainPID") not in {before, "0"}, 30, "another process")
    box.until_well()


def test_what_is_not_allowed_is_refused(box: Box, order: Order) -> None:
    box.configure(commands={"allowed": ["pause"]})
    answer = order("snapshot")
    assert answer["outcome"] == "refused"
    assert box.show("ActiveState", UNIT) == "active"
