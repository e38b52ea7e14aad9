"""Every command on an installed box: as root, as the service's user and as an ordinary one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from edge.commands.status import JUST_STARTED_S
from edge.people import PEOPLE, frames
from tests.installed.lab.box import DEVICE, OWNER, UNIT, VISITOR, Box, settings_text
from tests.systemd.machine import says_all_is_well, wait_until

CLIP = "/srv/people.avi"
EVERYBODY = ("root", "tensormask", OWNER, VISITOR)


@pytest.fixture(autouse=True)
def _well(box: Box) -> None:
    box.empty()


@pytest.fixture(scope="module")
def clip(box: Box, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A clip of somebody without a mask, three seconds long, on the box."""
    path = tmp_path_factory.mktemp("clip") / "people.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (640, 360))
    for picture in list(frames(15, 5, PEOPLE[2:])) * 2:
        writer.write(cv2.resize(picture, (640, 360), interpolation=cv2.INTER_AREA))
    writer.release()
    box.machine.copy(path, CLIP)
    box.machine.run("chmod", "644", CLIP)
    return CLIP


@pytest.mark.parametrize("user", EVERYBODY)
def test_status_says_to_everybody_that_all_is_well(box: Box, user: str) -> None:
    wait_until(lambda: box.telemetry()["uptime_s"] > JUST_STARTED_S, 30, "it knows how it does")
    answer = box.by(user, "tensormask status")
    assert answer.returncode == 0, answer.stderr
    assert "camera   running" in answer.stdout
    assert "broker   connected" in answer.stdout
    assert says_all_is_well(answer.stdout), answer.stdout


def test_the_units_status_line_says_the_same(box: Box) -> None:
    answer = box.by(VISITOR, "systemctl status --no-pager tensormask")
    assert answer.returncode == 0
    assert "camera running" in answer.stdout


@pytest.mark.parametrize("user", EVERYBODY)
def test_the_doctor_finds_no_fault_and_says_whom_it_needs(box: Box, user: str) -> None:
    answer = box.by(user, "sudo tensormask doctor" if user == OWNER else "tensormask doctor")
    if user == VISITOR:
        assert "sudo tensormask doctor" in answer.stdout + answer.stderr
    else:
        assert answer.returncode == 0, answer.stdout
        assert "FAULT" not in answer.stdout


def test_the_check_is_done_as_the_service_would(box: Box) -> None:
    answer = box.by(OWNER, "sudo tensormask check")
    assert answer.returncode == 0, answer.stdout
    first, *parts = answer.stdout.splitlines()
    assert first.startswith(f"as {UNIT} sees it")
    assert [line.split()[1] for line in parts] == ["ok"] * 5
    assert "in use by the running service: connected to" in answer.stdout
    refused = box.by(VISITOR, "tensormask check")
    assert refused.returncode == 78
    assert "sudo" in refused.stdout + refused.stderr


def test_the_check_does_not_pass_a_camera_that_the_service_does_not_use(box: Box) -> None:
    running = box.machine.output("cat", "/etc/tensormask/tensormask.toml") + "\n"
    box.write_settings(settings_text(camera={"source": "/dev/video9"}))
    answer = box.by("root", "tensormask check --only camera")
    box.write_settings(running)
    assert answer.returncode == 1, answer.stdout
    assert "video9" in answer.stdout


@pytest.mark.thorough
def test_replay_and_bench_are_for_everybody(box: Box, clip: str) -> None:
    replayed = box.by(VISITOR, f"tensormask replay {clip} --json", check=True, timeout_s=120)
    states = [json.loads(line).get("state") for line in replayed.stdout.splitlines()]
    assert states.count("confirmed") == 1
    measured = box.by(VISITOR, f"tensormask bench {clip} --frames 20 --json", timeout_s=180)
    assert measured.returncode == 0, measured.stderr
    assert json.loads(measured.stdout)


def test_watch_shows_devices_and_alerts(box: Box) -> None:
    lines = "mosquitto_pub -h localhost -t ignored -n; timeout 20 tensormask watch --json"
    box.camera.show("bare")
    seen = box.by(OWNER, f"{lines} --broker localhost | grep -m 1 violation", timeout_s=60)
    assert json.loads(seen.stdout)["topic"].endswith(f"{DEVICE}/violation"), seen.stderr
    answer = box.by(VISITOR, "timeout 10 tensormask watch </dev/null")
    assert answer.returncode not in {0, 1, 124}
    assert "--broker" in answer.stderr or "sudo" in answer.stderr


@pytest.fixture
def away(box: Box) -> Iterator[Box]:
    """The box while its broker is down and two messages are queued."""
    box.machine.run("systemctl", "stop", "mosquitto.service")
    box.camera.show("bare")
    wait_until(lambda: box.telemetry()["outbox"]["rows"] == 1, 30, "one waits")
    box.camera.show("nobody")
    wait_until(lambda: box.telemetry()["outbox"]["rows"] == 2, 30, "both wait")
    yield box
    box.machine.run("systemctl", "start", "mosquitto.service", UNIT)
    box.until_well(90)


def test_the_outbox_is_listed_exported_and_dropped_by_root(away: Box) -> None:
    listed = away.by(OWNER, "sudo tensormask outbox list --json", check=True).stdout.splitlines()
    # And none that the broker has: what other tests had delivered is still in the file.
    waiting = [json.loads(line) for line in listed]
    assert [each["topic"] for each in waiting] == [f"tensormask/{DEVICE}/violation"] * 2
    exported = away.by(OWNER, "sudo tensormask outbox export", check=True).stdout.splitlines()
    documents = [json.loads(line)["document"] for line in exported]
    assert [each["state"] for each in documents] == ["confirmed", "ended"]
    for user in (VISITOR, OWNER):
        refused = away.by(user, "tensormask outbox list")
        assert refused.returncode != 0
        assert "sudo" in refused.stderr
    running = away.by("root", "tensormask outbox drop --all --yes")
    assert running.returncode != 0
    assert "systemctl stop tensormask" in running.stderr
    away.machine.run("systemctl", "stop", UNIT)
    absent = away.by("root", "tensormask outbox drop 999999 --yes")
    assert absent.returncode == 1
    assert "there is no message 999999; there are " in absent.stderr
    away.by("root", "tensormask outbox drop --all --yes", check=True)
    assert away.by("root", "tensormask outbox list --json", check=True).stdout == ""


@pytest.mark.thorough
def test_models_are_listed_shown_installed_used_and_left(box: Box) -> None:
    for user in EVERYBODY:
        assert box.by(user, "tensormask models list", check=True).stdout.strip()
        assert json.loads(box.by(user, "tensormask models show", check=True).stdout)["labels"]
    own = "/opt/tensormask/current/edge/classify/bundle"
    pack = f"python3 -m zipfile -c /srv/model.zip {own}/model.tflite {own}/model.json"
    digest = box.by("root", f"{pack} && sha256sum /srv/model.zip", check=True).stdout.split()[0]
    said = box.by(
        OWNER, f"umask 077; sudo tensormask models install /srv/model.zip --sha256 {digest}"
    )
    assert said.returncode == 0, said.stderr
    name = said.stdout.split()[-1]
    for words in (f"install /srv/model.zip --sha256 {digest}", f"activate {name}", "activate none"):
        refused = box.by(VISITOR, f"tensormask models {words}")
        assert refused.returncode == 78, refused.stderr
        assert refused.stderr.endswith(f"run: sudo tensormask models {words}\n")
    box.by(OWNER, f"sudo tensormask models activate {name}", check=True)
    box.by(OWNER, "sudo tensormask release wait", check=True, timeout_s=180)
    assert json.loads(box.by(VISITOR, "tensormask release --json").stdout)["current"]["bundle"] == (
        name
    )
    box.by(OWNER, "sudo tensormask models rollback bundle", check=True)
    box.until_well()


def test_models_that_cannot_be_fetched_are_said_in_a_line(box: Box) -> None:
    answer = box.by(OWNER, "sudo tensormask models fetch yunet")
    assert answer.returncode not in {0, 70}
    said = [line for line in answer.stderr.splitlines() if line.startswith("tensormask: ")]
    assert len(said) == 1, answer.stderr
    assert "Traceback" not in answer.stderr


def test_forget_clears_what_the_broker_retains(box: Box) -> None:
    assert box.retained("availability")["state"] == "online"
    running = box.by(OWNER, "sudo tensormask forget")
    assert running.returncode == 1, running.stdout
    assert "stop the service first: sudo systemctl stop tensormask" in running.stderr
    assert box.retained("availability")["state"] == "online"
    box.machine.run("systemctl", "stop", UNIT)
    assert box.by(VISITOR, "tensormask forget").returncode == 78
    box.by(OWNER, "sudo tensormask forget", check=True)
    left = "timeout 5 mosquitto_sub -h localhost -t 'tensormask/#' --retained-only -W 2"
    assert box.by("root", left).stdout == ""


def test_a_hash_in_place_of_the_pages_password_is_taken(box: Box) -> None:
    made = box.by(VISITOR, "echo open sesame | tensormask password", check=True).stdout
    assert made.startswith("$scrypt$")
    file = "/etc/tensormask/page-hash"
    box.machine.write(file, made)
    box.machine.run("chown", "tensormask:", file)
    box.machine.run("chmod", "600", file)
    box.write_settings(settings_text(page={"address": "0.0.0.0", "password_file": file}))
    checked = box.by("root", "tensormask check --only configuration")
    assert checked.returncode == 0, checked.stdout
    box.machine.run("rm", file)


def test_the_manual_page_and_the_completions_are_there(box: Box) -> None:
    assert "tensormask" in box.by(VISITOR, "man -w tensormask", check=True).stdout
    assert ".TH" in box.by(VISITOR, "tensormask man", check=True).stdout
    for shell in ("bash", "zsh"):
        assert "doctor" in box.by(VISITOR, f"tensormask completion {shell}", check=True).stdout
    completions = Path("/usr/local/share/bash-completion/completions/tensormask")
    assert box.machine.run("test", "-s", str(completions), check=False).returncode == 0


def test_run_refuses_to_be_root_in_the_services_place(box: Box) -> None:
    box.machine.run("systemctl", "stop", UNIT)
    answer = box.by("root", "timeout 20 tensormask run")
    assert answer.returncode not in {0, 124}
    assert "systemctl start tensormask" in answer.stderr or "root" in answer.stderr
