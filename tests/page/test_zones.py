"""Zones on the page, in a real browser, before the real daemon."""

from __future__ import annotations

import json
import re

from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.page.conftest import Daemon, Start
from tests.screenshots import assert_good_for_everybody, shoot

Corners = tuple[tuple[float, float], ...]
ALL_OF_IT: Corners = ((0.02, 0.02), (0.98, 0.02), (0.98, 0.98), (0.02, 0.98), (0.02, 0.02))
IN_SETTINGS = """
[[zone]]
name = "Whole car"
polygon = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
"""


def set_up(context: BrowserContext, daemon: Daemon) -> tuple[Page, list[str]]:
    """Return the page at Set up, and what goes wrong in it."""
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
    page.goto(daemon.url)
    expect(page.locator(".tag.person:not(.outside)")).to_have_count(1)
    page.get_by_role("link", name="Set up").click()
    return page, wrong


def draw(page: Page, corners: Corners) -> None:
    page.get_by_role("button", name="Add a zone").click()
    box = page.locator("#overlay").bounding_box()
    assert box is not None
    for x, y in corners:
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])


def save(page: Page) -> None:
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#hint")).to_contain_text("Saved")


def edit(page: Page, name: str, to: str, policy: str) -> None:
    page.get_by_role("button", name=f"Edit {name}").click()
    page.get_by_label("Name", exact=True).fill(to)
    page.get_by_label("People without a mask there").select_option(policy)
    page.get_by_role("button", name="Done").click()


def test_a_zone_is_drawn_named_and_given_a_policy_and_outlives_a_restart(
    start: Start, context: BrowserContext
) -> None:
    daemon = start()
    page, wrong = set_up(context, daemon)
    draw(page, ALL_OF_IT)
    expect(page.locator("#parts li")).to_contain_text("Zone 1 reported")
    edit(page, "Zone 1", "Driver", "count")
    expect(page.locator(".tag.zone")).to_have_text("Driver · only counted")
    shoot(page, "zone-drawn")
    save(page)
    expect(page.locator("#area-text")).to_contain_text("1 zone has its own rules.")
    kept = json.loads((daemon.state / "zones.json").read_text())["present"]
    assert [(each["name"], each["policy"], len(each["polygon"])) for each in kept] == [
        ("Driver", "count", 4)
    ]
    page.get_by_role("link", name="Live", exact=True).click()
    expect(page.locator(".tag.zone")).to_have_text("Driver")
    shoot(page, "zone-live")
    expect(page.locator(".tag.person")).to_contain_text("Driver")
    daemon.stop()
    daemon.start()
    expect(page.locator(".tag.zone")).to_have_text("Driver", timeout=60_000)
    # He is only counted: nothing is awaited.
    tag = page.locator(".tag.person")
    expect(tag).to_contain_text(re.compile(r"No mask \d+\s% · Driver$"))
    assert wrong == [] or all("Failed to load" in each for each in wrong)


def test_ignored_people_are_said_to_be_and_a_change_is_undone(
    start: Start, context: BrowserContext
) -> None:
    daemon = start()
    page, _ = set_up(context, daemon)
    draw(page, ALL_OF_IT)
    edit(page, "Zone 1", "Table", "ignore")
    save(page)
    page.get_by_role("link", name="Live", exact=True).click()
    expect(page.locator(".tag.person")).to_contain_text("Not judged here · Table")
    page.get_by_role("link", name="Set up").click()
    edit(page, "Table", "Gate", "violation")
    save(page)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".tag.zone")).to_have_text("Table · ignored")


def test_two_zones_have_two_names(unchanged: Daemon, context: BrowserContext) -> None:
    page, _ = set_up(context, unchanged)
    draw(page, ALL_OF_IT)
    draw(page, ((0.1, 0.1), (0.3, 0.1), (0.3, 0.4), (0.1, 0.1)))
    expect(page.locator("#area-text")).to_contain_text("the smaller one applies")
    page.get_by_role("button", name="Edit Zone 2").click()
    for name, said in (("zone 1", "Another zone has this name."), (" ", "A zone needs a name.")):
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_role("button", name="Done").click()
        expect(page.locator("#hint")).to_have_text(said)
    page.get_by_role("button", name="Cancel").click()
    page.locator("#discard").click()
    page.locator("#question").get_by_role("button", name="Discard").click()
    expect(page.locator("#parts li")).to_have_count(0)


def test_zones_of_the_settings_are_shown_and_not_drawn(
    start: Start, context: BrowserContext
) -> None:
    daemon = start(IN_SETTINGS)
    page, _ = set_up(context, daemon)
    expect(page.locator("#area-text")).to_contain_text("The settings file defines the zones.")
    expect(page.get_by_role("button", name="Add a zone")).to_be_disabled()
    expect(page.get_by_role("button", name="Edit Whole car")).to_be_disabled()
    expect(page.get_by_role("button", name="Add a region")).to_be_enabled()
    expect(page.locator(".tag.zone")).to_have_text("Whole car · reported")
    page.get_by_role("link", name="Alerts").click()
    expect(page.locator("#alerts")).to_contain_text("sure · Whole car")


def test_everybody_can_edit_a_zone_on_a_small_screen(unchanged: Daemon, browser: Browser) -> None:
    width = 360
    context = browser.new_context(viewport={"width": width, "height": 800}, bypass_csp=True)
    page, _ = set_up(context, unchanged)
    draw(page, ALL_OF_IT)
    page.get_by_role("button", name="Edit Zone 1").click()
    assert_good_for_everybody(page, width)
    shoot(page, "zone-edited-360")
    context.close()


def test_damaged_zones_are_said_until_others_are_drawn(
    start: Start, context: BrowserContext
) -> None:
    daemon = start()
    daemon.stop()
    (daemon.state / "zones.json").write_text('{"present": [{"name": 1}]}')
    daemon.start()
    page, _ = set_up(context, daemon)
    page.get_by_role("link", name="Device").click()
    expect(page.locator("#problems")).to_contain_text("The zones that were drawn cannot be read")
    page.get_by_role("link", name="Set up").click()
    draw(page, ALL_OF_IT)
    save(page)
    page.get_by_role("link", name="Device").click()
    expect(page.locator("#problems")).not_to_contain_text("zones")
