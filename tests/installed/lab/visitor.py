"""What somebody does with the page, and sees on it: all that these tests know of its looks."""

from __future__ import annotations

import re
from collections.abc import Sequence

from playwright.sync_api import Locator, Page, expect

LIVE_S = 30
"""The first browser starts the page; on a busy machine that takes seconds."""
Corners = Sequence[tuple[float, float]]
"""Fractions of the picture."""


def open_page(page: Page, url: str) -> None:
    page.goto(url, timeout=1000 * LIVE_S)


def picture(page: Page) -> Locator:
    return page.locator("#picture")


def people(page: Page) -> Locator:
    """The tags of people in view who count; those outside the area have gray ones."""
    return page.locator(".tag.person:not(.outside)")


def expect_live(page: Page, count: int) -> None:
    """Expect a picture that is renewed, with this many people who count."""
    expect(people(page)).to_have_count(count, timeout=1000 * LIVE_S)
    shown = picture(page).get_attribute("src")
    expect(picture(page)).not_to_have_attribute("src", shown or "")


def expect_alerts_there(page: Page, count: int) -> None:
    """Expect alerts of this many people who are still there; who stood still, for 10 s more."""
    there = page.locator("#recent").get_by_text("Still there")
    expect(there).to_have_count(count, timeout=30_000)


def expect_said(page: Page, pattern: str, within_s: float = 20) -> None:
    """Expect the page to say something, wherever it says it."""
    said = page.get_by_text(re.compile(pattern, re.IGNORECASE)).filter(visible=True)
    expect(said.first).to_be_visible(timeout=1000 * within_s)


def log_in(page: Page, password: str) -> None:
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def draw_region(page: Page, corners: Corners) -> None:
    """Draw a region and save it."""
    _draw(page, "Add a region", corners)
    _save(page)


def draw_zone(page: Page, corners: Corners, name: str, policy: str) -> None:
    """Draw a zone, choose what happens there, and save it."""
    _draw(page, "Add a zone", corners)
    page.get_by_role("button", name="Edit Zone 1").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("People without a mask there").select_option(policy)
    page.get_by_role("button", name="Done").click()
    _save(page)


def _draw(page: Page, button: str, corners: Corners) -> None:
    page.get_by_role("link", name="Set up").click()
    page.get_by_role("button", name=button).click()
    stage = page.locator("#overlay").bounding_box()
    assert stage is not None
    for x, y in (*corners, corners[0]):
        page.mouse.click(stage["x"] + x * stage["width"], stage["y"] + y * stage["height"])


def _save(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#hint")).to_have_text("Saved: the device watches this area now.")


def undo(page: Page) -> None:
    """Go back to the area before."""
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.locator("#hint")).to_have_text(
        "Undone: the device watches the previous area again."
    )
