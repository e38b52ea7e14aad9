"""Two cameras on one installed box: a network camera at the door, and a clip in the hall."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from edge.people import PEOPLE, frames
from tests.edge.capture.fakes import write_clip
from tests.installed.commands_over_mqtt import Order, order
from tests.installed.lab.box import UNIT, VISITOR, Box, settings_text
from tests.installed.lab.camera import URL
from tests.systemd.machine import wait_until

__all__ = ["order"]  # a fixture

CLIP = "/srv/hall.avi"
FPS = 10


@pytest.fixture(autouse=True)
def two(box: Box, tmp_path: Path) -> Iterator[None]:
    """The box with both; one camera again when it is over."""
    box.empty()
    clip = write_clip(tmp_path / "hall.avi", [*frames(4 * FPS, FPS, PEOPLE[-1:])], FPS)
    box.machine.copy(clip, CLIP)
    box.machine.run("chmod", "644", CLIP)
    door = {"name": "door", "source": URL}
    hall = {"name": "hall", "source": CLIP, "loop": True, "zone": "hall, east"}
    single = f"[camera]\nsource = {json.dumps(URL)}\n"
    text = settings_text()
    assert single in text
    box.write_settings(text.replace(single, f"{_section(door)}{_section(hall)}"))
    box.machine.run("systemctl", "restart", UNIT)
    wait_until(lambda: len(cameras(box)) == 2, 60, f"both cameras are there: {box.telemetry()}")
    wait_until(lambda: set(states(box).values()) == {"running"}, 60, "both cameras run")
    yield
    box.camera.start()
    box.empty()


def _section(keys: Mapping[str, object]) -> str:
    return "[[camera]]\n" + "".join(f"{key} = {json.dumps(keys[key])}\n" for key in keys)


def cameras(box: Box) -> list[dict[str, Any]]:
    return list(box.telemetry().get("cameras", []))


def states(box: Box) -> dict[str, str]:
    return {each["name"]: each["status"]["state"] for each in cameras(box)}


def reporting(box: Box) -> set[str]:
    """Return the cameras that somebody was reported at."""
    return {each["camera"] for each in box.violations()}


@pytest.mark.thorough
def test_each_camera_has_a_proof_of_sight_of_its_own(box: Box) -> None:
    answer = box.by("root", "tensormask sight now --json", timeout_s=240)
    assert answer.returncode == 0, answer.stderr
    said = json.loads(answer.stdout)["cameras"]
    assert set(said) == {"door", "hall"}
    assert all(each["share"] is not None for each in said.values()), said
    status = box.by(VISITOR, "tensormask status").stdout
    assert "sight    door: faces" in status
    assert "sight    hall: faces" in status
    one = box.by("root", "tensormask sight learn --camera hall --json", timeout_s=240)
    again = json.loads(one.stdout)["cameras"]
    assert set(again) == {"hall"}
    wait_until(lambda: "sight" in box.retained("health")["cameras"]["hall"], 60, "health has it")
    trend = box.by("root", "tensormask sight trend --json --camera hall")
    assert {each["camera"] for each in json.loads(trend.stdout)["days"]} <= {"hall"}
    wrong = box.by("root", "tensormask sight now --camera gate")
    assert "there is door, hall" in wrong.stderr


def test_each_camera_reports_by_its_name_and_all_commands_list_both(box: Box) -> None:
    wait_until(lambda: "hall" in reporting(box), 60, "somebody is reported in the hall")
    assert "door" not in reporting(box), "nobody is at the door"
    box.camera.show("bare")
    wait_until(lambda: reporting(box) == {"door", "hall"}, 60, "and at the door")
    zones = {(each["camera"], each["zone"]) for each in box.violations()}
    assert zones == {("door", "north entrance"), ("hall", "hall, east")}
    status = box.by(VISITOR, "tensormask status").stdout
    assert "camera   door: running" in status
    assert "camera   hall: running" in status
    unclear = box.by("root", "tensormask qualify </dev/null")
    assert unclear.returncode == 78
    assert "say which one you walk past: --camera door or --camera hall" in unclear.stderr
    checked = box.by("root", "tensormask check --only camera").stdout
    assert "camera hall    ok" in checked
    assert "camera door    ok" in checked
    doctor = box.by("root", "tensormask doctor").stdout
    assert "camera door" in doctor
    assert "camera hall" in doctor
    health = box.retained("health")
    assert {name: each["state"] for name, each in health["cameras"].items()} == states(box)


@pytest.mark.thorough
def test_a_camera_that_is_unplugged_stops_no_other_and_comes_back(box: Box) -> None:
    box.camera.stop()
    wait_until(lambda: states(box) == {"door": "lost", "hall": "running"}, 60, "one is lost")
    before = {each["name"]: each["frames"] for each in cameras(box)}
    wait_until(
        lambda: (
            next(e["frames"] for e in cameras(box) if e["name"] == "hall")
            > before["hall"] + 5 * FPS
        ),
        30,
        "the hall is judged",
    )
    wait_until(lambda: "hall" in reporting(box), 60, "somebody is reported in the hall")
    wait_until(
        lambda: box.retained("health")["cameras"]["door"]["conditions"] == ["camera-lost"],
        20,
        "health names the camera that is lost",
    )
    status = box.by(VISITOR, "tensormask status")
    assert status.returncode == 1
    assert "camera door: the camera gives no picture" in status.stdout
    box.camera.start()
    wait_until(lambda: set(states(box).values()) == {"running"}, 90, "it is back")


@pytest.mark.thorough
def test_one_camera_is_paused_by_its_name(box: Box, order: Order) -> None:
    assert order("pause", duration_s=60, camera="hall")["outcome"] == "done"
    wait_until(lambda: _paused(box) == {"door": False, "hall": True}, 10, "the hall is paused")
    refused = order("pause", camera="yard")
    assert refused["outcome"] == "refused"
    assert "known are door, hall" in refused["reason"]
    assert order("resume", camera="hall")["outcome"] == "done"
    wait_until(lambda: _paused(box) == {"door": False, "hall": False}, 10, "it goes on")


def _paused(box: Box) -> dict[str, bool]:
    return {each["name"]: each["paused_for_s"] is not None for each in cameras(box)}
