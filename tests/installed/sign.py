"""The sign of an installed box: a kiosk on it, and one in the street, while things go wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.installed.lab.box import PAGE_UNIT, UNIT, Box
from tests.installed.lab.street import BOX
from tests.installed.page import OPEN_TO_OTHERS, write_password
from tests.waiting import Stopwatch

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "sign.md"
TOKEN_FILE = "/etc/tensormask/sign-token"
STATION = {"enabled": True, "min_face_px": 24}
"""The people of this lab are far away."""
SIGN = {"enabled": True, "token_file": TOKEN_FILE, "languages": ["de", "en"]}
LIVE_S = 60
STALE_S = 2.0


@pytest.fixture(autouse=True)
def _empty(box: Box) -> None:
    box.empty()


@pytest.fixture
def token(box: Box) -> Iterator[str]:
    """The token, made by the commands of docs/sign.md; the page has a password."""
    commands = re.findall(rf"^    (.*sudo .* {TOKEN_FILE})$", DOCUMENT.read_text(), re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        box.by("owner", command, check=True)
    write_password(box)
    box.configure(page=OPEN_TO_OTHERS, station=STATION, sign=SIGN)
    token = box.machine.output("cat", TOKEN_FILE)
    yield token
    assert token not in box.journal("-u", UNIT, "-u", PAGE_UNIT)


def expect_notice(page: Page, notice: str, within_s: float = LIVE_S) -> None:
    expect(page.locator("body")).to_have_attribute("data-notice", notice, timeout=1000 * within_s)


def open_kiosk(page: Page, host: str, token: str) -> None:
    page.goto(f"http://{host}:8080/sign?token={token}", timeout=1000 * LIVE_S)
    expect(page).to_have_url(f"http://{host}:8080/sign")


def test_a_kiosk_on_the_box_shows_the_station(box: Box, page: Page, token: str) -> None:
    open_kiosk(page, "127.0.0.1", token)
    expect_notice(page, "empty")
    for scene, notice, text in (
        ("masked", "go", "Bitte gehen Sie weiter"),
        ("both", "no_mask", "Bitte Maske aufsetzen"),
        ("bare", "no_mask", "Bitte Maske aufsetzen"),
        ("nobody", "empty", "Bitte in die Kamera schauen"),
    ):
        box.camera.show(scene)
        expect_notice(page, notice)
        expect(page.get_by_role("status").locator("[lang=de]")).to_have_text(text)


@pytest.mark.thorough
def test_from_the_street_the_token_opens_the_sign_and_nothing_else(
    box: Box, phone: Page, token: str
) -> None:
    answer = phone.goto(f"http://{BOX}:8080/sign", timeout=1000 * LIVE_S)
    assert answer is not None
    assert answer.status == 401
    answer = phone.goto(f"http://{BOX}:8080/sign?token={token[::-1]}")
    assert answer is not None
    assert answer.status == 401
    open_kiosk(phone, BOX, token)
    expect_notice(phone, "empty")
    assert phone.evaluate("fetch('report').then((answer) => answer.status)") == 401
    phone.goto(f"http://{BOX}:8080/")
    expect(phone.get_by_label("Password")).to_be_visible()


def test_a_stopped_service_closes_the_sign_within_seconds(box: Box, page: Page, token: str) -> None:
    box.camera.show("masked")
    open_kiosk(page, "127.0.0.1", token)
    expect_notice(page, "go")
    served = box.show("MainPID")
    watch = Stopwatch()
    box.machine.run("kill", "-STOP", served)
    expect_notice(page, "closed", 20)
    assert watch.elapsed_s < STALE_S + 1
    box.machine.run("kill", "-CONT", served)
    expect_notice(page, "go")
    box.machine.run("systemctl", "stop", UNIT)
    expect_notice(page, "closed", 20)
    box.start()
    expect_notice(page, "go")


@pytest.mark.thorough
def test_a_lost_camera_closes_the_sign(box: Box, page: Page, token: str) -> None:
    box.camera.show("masked")
    open_kiosk(page, "127.0.0.1", token)
    expect_notice(page, "go")
    watch = Stopwatch()
    box.camera.stop()
    try:
        expect_notice(page, "closed", 20)
        assert watch.elapsed_s < STALE_S + 1.5
    finally:
        box.camera.start()
    box.until_well()
    expect_notice(page, "go")
