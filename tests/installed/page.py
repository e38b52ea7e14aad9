"""The page of an installed box, in a browser: on the box, and in the street."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from edge.commands.status import JUST_STARTED_S
from tests.installed.lab.box import PAGE_UNIT, UNIT, Box
from tests.installed.lab.camera import MASKED_AT
from tests.installed.lab.street import BOX
from tests.installed.lab.visitor import (
    draw_region,
    expect_live,
    expect_said,
    log_in,
    open_page,
    people,
    undo,
)
from tests.systemd.machine import wait_until

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "operating.md"
HERE = "http://localhost:8080"
FROM_STREET = f"http://{BOX}:8080"
PASSWORD_FILE = "/etc/tensormask/page-password"
PASSWORD = "a stone in the shoe"
OPEN_TO_OTHERS = {"enabled": True, "address": "0.0.0.0", "password_file": PASSWORD_FILE}


@pytest.fixture(autouse=True)
def _empty(box: Box) -> None:
    box.empty()


def write_password(box: Box) -> None:
    """By the commands of docs/operating.md, with an editor that types it."""
    editor = f"#!/bin/sh\necho '{PASSWORD}' >\"$1\"\n"
    box.machine.write("/usr/local/bin/types-the-password", editor)
    box.machine.run("chmod", "755", "/usr/local/bin/types-the-password")
    commands = re.findall(rf"^    (sudo.* {PASSWORD_FILE})$", DOCUMENT.read_text(), re.MULTILINE)
    assert [each.split()[0] for each in commands] == ["sudo", "sudoedit"]
    for command in commands:
        box.by("owner", f"SUDO_EDITOR=types-the-password {command}", check=True)


def test_it_opens_on_the_box_itself(box: Box, page: Page) -> None:
    box.camera.show("both")
    open_page(page, HERE)
    expect_live(page, 2)
    expect(page.locator("body")).to_contain_text("door-1")
    expect(page.locator("body")).to_contain_text("Museum")
    assert ":8080" in box.by("root", "tensormask status").stdout


def test_without_a_password_nobody_in_the_street_gets_an_answer(box: Box) -> None:
    asked = ("curl", "--silent", "--max-time", "3", f"{FROM_STREET}/health")
    answer = subprocess.run(
        [*box.street.within(box.street.street), *asked], capture_output=True, check=False
    )
    assert (answer.returncode, answer.stdout) == (7, b"")


def test_only_the_password_opens_it_to_the_street(box: Box, phone: Page) -> None:
    write_password(box)
    box.configure(page=OPEN_TO_OTHERS)
    box.camera.show("both")
    since = box.now()
    open_page(phone, FROM_STREET)
    log_in(phone, "sesame, open")
    expect_said(phone, "not the password|wrong password")
    log_in(phone, PASSWORD)
    expect_live(phone, 2)
    journal = box.journal("--since", since)
    assert re.search("failed login from 10.79.0", journal)
    assert PASSWORD not in journal
    assert "sesame" not in journal
    phone.get_by_role("button", name="Log out").click()
    expect(phone.get_by_label("Password")).to_be_visible()


@pytest.mark.thorough
def test_a_drawn_region_is_applied_and_outlives_a_restart(box: Box, page: Page) -> None:
    box.camera.show("both")
    open_page(page, HERE)
    expect_live(page, 2)
    x, y = MASKED_AT
    draw_region(page, ((x - 0.1, y - 0.25), (x + 0.1, y - 0.25), (x + 0.1, 0.9), (x - 0.1, 0.9)))
    expect(people(page)).to_have_count(1)
    try:
        box.empty()
        box.expect_no_report("both")
        box.machine.run("systemctl", "restart", UNIT)
        box.until_well()
        box.empty()
        box.expect_no_report("both")
    finally:
        undo(page)
    box.until_reported("confirmed")
    expect(people(page)).to_have_count(2)


def test_a_page_that_is_killed_comes_back_and_judging_goes_on(box: Box, page: Page) -> None:
    box.camera.show("both")
    open_page(page, HERE)
    expect_live(page, 2)
    served, watched = box.show("MainPID", PAGE_UNIT), box.show("MainPID")
    assert served not in {"", "0"}
    box.machine.run("kill", "-KILL", served)
    wait_until(lambda: box.show("MainPID", PAGE_UNIT) not in {served, "0", ""}, 20, "another page")
    expect_live(page, 2)
    assert box.show("MainPID") == watched


def test_a_lost_camera_is_said_everywhere_until_it_is_back(box: Box, page: Page) -> None:
    box.camera.show("both")
    open_page(page, HERE)
    expect_live(page, 2)
    box.camera.stop()
    try:
        expect_said(page, "no picture since|camera (is )?lost|camera gives no picture", 30)
        expect(people(page)).to_have_count(0)
        wait_until(lambda: _camera_of_health(box) == "lost", 20, "health says so")
        assert "camera-lost" in box.retained("health")["conditions"]
        assert "camera-lost: the camera gives no picture" in box.journal()
        assert box.by("root", "tensormask status").returncode == 1
        assert "camera" in box.by("root", "tensormask status | grep ^FAULT").stdout
        # Reported less often than health is, in this lab.
        wait_until(lambda: "camera lost" in box.show("StatusText"), 20, "the unit's status says so")
    finally:
        box.camera.start()
    box.until_well()
    expect_live(page, 2)
    wait_until(lambda: _camera_of_health(box) == "running", 20, "health says that it is back")
    assert "camera-lost" not in box.retained("health")["conditions"]
    assert box.by("root", "tensormask status").returncode == 0


def _camera_of_health(box: Box) -> str:
    return str(box.retained("health")["camera"]["state"])


@pytest.mark.thorough
def test_a_stopped_service_is_said_and_shows_nobody(box: Box, page: Page) -> None:
    box.camera.show("both")
    open_page(page, HERE)
    expect_live(page, 2)
    box.machine.run("systemctl", "stop", UNIT)
    expect_said(page, "no picture since|service.*not running|connection lost")
    expect(people(page)).to_have_count(0)
    answer = box.by("root", "tensormask status")
    assert answer.returncode == 3
    box.machine.run("systemctl", "start", UNIT)
    expect_live(page, 2)


def test_the_unit_has_no_device_no_state_and_no_user_of_the_service(box: Box, page: Page) -> None:
    open_page(page, HERE)
    expect_live(page, 0)
    pid = box.show("MainPID", PAGE_UNIT)
    owner = box.machine.output("stat", "--format=%U", f"/proc/{pid}")
    assert owner not in {"root", "tensormask"}
    inside = ("nsenter", "-t", pid, "-m", "--")
    for path in ("/etc/tensormask/tensormask.toml", "/var/lib/tensormask/outbox.sqlite"):
        asked = box.machine.run(*inside, "cat", path, check=False)
        assert asked.returncode == 1, asked.stdout[:80]
    assert int(box.show("MemoryMax", PAGE_UNIT)) <= 256 * 2**20


def _has_run_for(box: Box, duration_s: float) -> bool:
    return bool(box.telemetry().get("uptime_s", 0) > duration_s)


def test_a_port_that_is_taken_is_said_and_stops_nothing(box: Box) -> None:
    box.machine.run("systemctl", "stop", UNIT)
    box.machine.run(
        *("systemd-run", "--unit=other", "/usr/bin/python3", "-m", "http.server", "8088"),
        *("--bind", "127.0.0.1"),
    )
    try:
        asked = ("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8088")  # not every box has curl
        wait_until(lambda: box.machine.run(*asked, check=False).returncode == 0, 20, "it listens")
        box.configure(page={"enabled": True, "port": 8088})
        # Until then the page waits for the service.
        wait_until(lambda: _has_run_for(box, JUST_STARTED_S), 60, "what the page does is known")
        answer = box.by("root", "tensormask doctor")
        assert answer.returncode == 1, answer.stdout
        assert re.search("FAULT +page: .*8088", answer.stdout)
    finally:
        box.machine.run("systemctl", "stop", "other")
