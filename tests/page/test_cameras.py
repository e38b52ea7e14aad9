"""The page of a device with two cameras, in a real browser, before the real daemon."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.request import urlopen

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from edge.people import PEOPLE, frames
from tests.edge.capture.fakes import write_clip
from tests.page.conftest import Daemon
from tests.screenshots import assert_good_for_everybody, shoot

FPS = 10
AREA = "[[0.1, 0.1], [0.5, 0.1], [0.5, 0.9]]"


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One person without a mask at the door, three in the hall."""
    folder = tmp_path_factory.mktemp("two")
    sections = ""
    for name, people in (("door", PEOPLE[-1:]), ("hall", PEOPLE)):
        clip = write_clip(folder / f"{name}.avi", [*frames(4 * FPS, FPS, people)], FPS)
        sections += f'[[camera]]\nname = "{name}"\nsource = "{clip}"\nloop = true\n'
    daemon = Daemon(folder, cameras=sections)
    yield daemon
    daemon.kill()


def shows(page: Page, people: int) -> None:
    expect(page.locator(".tag.person:not(.outside)")).to_have_count(people)
    expect(page.locator("#stage")).not_to_have_class("stale")


def test_each_camera_has_its_picture_and_its_area(two: Daemon, context: BrowserContext) -> None:
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(two.url)
    shows(page, 1)
    door, hall = (page.get_by_role("button", name=name, exact=True) for name in ("door", "hall"))
    expect(door).to_have_attribute("aria-pressed", "true")
    hall.click()
    expect(hall).to_have_attribute("aria-pressed", "true")
    shows(page, 3)
    for heading in ("Live view: hall", "Wearing rate: hall", "Visits by hour: hall"):
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
    shoot(page, "cameras")
    assert_good_for_everybody(page, 1280)
    # Drawn in the hall, by what the page itself sends.
    page.evaluate(
        f"""() => fetch("area", {{method: "POST", body: JSON.stringify(
            {{type: "Draw", camera: "hall", regions: [{AREA}], excluded: []}})}})"""
    )
    page.get_by_role("link", name="Set up").click()
    expect(page.locator("#area-text")).to_contain_text("1 region")
    door.click()
    expect(page.locator("#area-text")).to_contain_text("the whole picture")
    shows(page, 1)
    assert (two.state / "areas/hall/area.json").exists()
    assert not (two.state / "area.json").exists()
    assert wrong == []


def test_alerts_say_which_camera_saw_whom_and_are_listed_by_place(
    two: Daemon, context: BrowserContext
) -> None:
    page = context.new_page()
    page.goto(f"{two.url}#alerts")
    where = page.get_by_label("Where")
    expect(where.get_by_role("option")).to_have_text(["everywhere", "door", "hall"])
    alerts = page.locator("#alerts .alert")
    expect(alerts.filter(has_text="sure · hall").first).to_be_visible()
    where.select_option("door")
    expect(alerts.filter(has_text="sure · door").first).to_be_visible()
    expect(alerts.filter(has_text="sure · hall")).to_have_count(0)
    page.get_by_role("button", name="Acknowledge: No mask").first.click()
    expect(page.locator("#acknowledge-what")).to_contain_text(", door")
    page.keyboard.press("Escape")
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 850})
        assert_good_for_everybody(page, width)
        shoot(page, f"cameras-alerts-{width}")


def test_a_report_names_the_cameras_and_is_of_the_one_that_is_asked_for(two: Daemon) -> None:
    asked = {}
    for name in ("door", "hall", "yard"):
        with urlopen(f"{two.url}/report?camera={name}", timeout=20) as answer:
            asked[name] = json.load(answer)
    assert {each["camera_name"] for each in asked.values()} == {"door", "hall"}
    assert asked["yard"]["camera_name"] == "door", "of a name that there is not, the first"
    assert asked["hall"]["cameras"] == ["door", "hall"]
