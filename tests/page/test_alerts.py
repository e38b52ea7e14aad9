"""Alerts are acknowledged on the page, in a real browser, and written down by the real daemon."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from edge.history.alert_book import AlertBook
from edge.history.records import AlertAcknowledgement, EntryKind
from edge.history.store import FILE, HistoryReader
from tests.page.conftest import Daemon, Start
from tests.screenshots import assert_good_for_everybody, shoot


def opened(context: BrowserContext, daemon: Daemon) -> Page:
    page = context.new_page()
    page.goto(f"{daemon.url}#alerts")
    return page


def acknowledge_button(page: Page) -> Locator:
    button = page.locator("#alerts").get_by_role("button", name="Acknowledge: No mask")
    expect(button).to_be_visible()
    return button


def fill_in(page: Page, reason: str, remedy: str, note: str = "", by: str = "") -> None:
    page.get_by_label("Why there was no mask").select_option(label=reason)
    page.get_by_label("What was done", exact=True).select_option(label=remedy)
    page.get_by_label("Note").fill(note)
    page.get_by_label("Your name or role").fill(by)


def written(state: Path) -> list[AlertAcknowledgement]:
    with AlertBook(state / FILE) as book:
        return book._said("ORDER BY at")


def test_an_alert_is_acknowledged_listed_so_and_corrected(
    start: Start, context: BrowserContext
) -> None:
    daemon = start()
    page = opened(context, daemon)
    acknowledge_button(page).click()
    dialog = page.get_by_role("dialog", name="What was done?")
    expect(dialog).to_contain_text("No mask")
    page.get_by_role("button", name="Save").click()
    expect(dialog).to_be_visible()  # the browser itself asks for a reason
    fill_in(page, "Forgotten", "Mask handed out", "at the door", "reception")
    before = datetime.now(UTC)
    page.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    (said,) = written(daemon.state)
    assert (said.reason, said.remedy, said.note) == ("forgotten", "mask-handed-out", "at the door")
    assert said.by == "page reception"
    assert before - timedelta(seconds=1) < said.at < datetime.now(UTC)
    expect(page.locator("#show-open")).to_have_text("Open (0)")
    expect(page.locator("#alerts")).to_contain_text("No open alerts")
    page.get_by_role("button", name="All (1)").click()
    expect(page.locator("#alerts .said")).to_contain_text("✓ Forgotten · Mask handed out · ")
    expect(page.locator("#alerts .said")).to_contain_text("by page reception, after ")

    page.get_by_role("button", name="Correct: No mask").click()
    expect(page.get_by_label("Note")).to_have_value("at the door")
    expect(page.get_by_label("Your name or role")).to_have_value("reception")
    fill_in(page, "Exempt", "Nothing", "", "reception")
    page.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#alerts .said")).to_contain_text("✓ Exempt · Nothing")
    assert [each.reason for each in written(daemon.state)] == ["forgotten", "exempt"]


def test_it_is_done_with_the_keys_alone_and_the_focus_stays(
    start: Start, context: BrowserContext
) -> None:
    daemon = start()
    page = opened(context, daemon)
    acknowledge_button(page).focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="What was done?")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(acknowledge_button(page)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#reason")).to_be_focused()
    page.keyboard.type("Ref")
    page.keyboard.press("Tab")
    page.keyboard.type("Sent")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(page.locator("#show-open")).to_have_text("Open (0)")
    expect(page.locator("#alerts-title")).to_be_focused()
    expect(page.get_by_role("status").filter(has_text="Acknowledged: No mask")).to_have_count(1)
    (said,) = written(daemon.state)
    assert (said.reason, said.remedy, said.by) == ("refused", "sent-away", "page")


def test_what_was_not_written_down_is_said(start: Start, context: BrowserContext) -> None:
    daemon = start()
    page = opened(context, daemon)
    acknowledge_button(page).click()
    page.route("**/acknowledge", lambda route: route.abort())
    fill_in(page, "Forgotten", "Nothing")
    page.get_by_role("button", name="Save").click()
    said = page.locator("#acknowledge-said")
    expect(said).to_contain_text("Not written down: ")
    page.unroute("**/acknowledge")
    page.route("**/acknowledge", lambda route: route.fulfill(json={"error": "the disk is full"}))
    page.get_by_role("button", name="Save").click()
    expect(said).to_have_text("Not written down: the disk is full.")
    expect(page.get_by_label("Why there was no mask")).to_have_value("forgotten")


def test_another_site_acknowledges_nothing_and_wrong_words_are_refused(
    start: Start, context: BrowserContext
) -> None:
    daemon = start()
    where = f"{daemon.url}/acknowledge"
    for headers in ({"Origin": "https://evil.example"}, {}):
        assert context.request.post(where, data={"reason": "exempt"}, headers=headers).status == 403
    ours = {"Origin": daemon.url}
    for data in ({"reason": "lost"}, {"note": "x" * 201}, {"note": "\x1b"}, {"more": 1}):
        assert context.request.post(where, data=data, headers=ours).status == 400
    assert context.request.post(f"{daemon.url}/rule", data={}, headers=ours).status == 400


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_every_screen_and_everybody_can_use_it(
    start: Start, browser: Browser, scheme: str
) -> None:
    context = browser.new_context(
        color_scheme=scheme,  # type: ignore[arg-type]
        bypass_csp=True,  # or the check itself could not be loaded
    )
    page = opened(context, start())
    acknowledge_button(page)
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 850})
        assert_good_for_everybody(page, width)
        shoot(page, f"alerts-open-{width}-{scheme}")
        acknowledge_button(page).click()
        assert_good_for_everybody(page, width)
        shoot(page, f"acknowledge-{width}-{scheme}")
        page.keyboard.press("Escape")
    acknowledge_button(page).click()
    fill_in(page, "No violation: a false alert", "Something else", "a beard " * 20, "reception")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="All").click()
    expect(page.locator("#alerts .said")).to_be_visible()
    assert_good_for_everybody(page, 390)
    shoot(page, f"alerts-said-390-{scheme}")
    context.close()


def test_the_mask_rule_is_switched_with_who_says_so(start: Start, context: BrowserContext) -> None:
    daemon = start()
    page = opened(context, daemon)
    page.get_by_role("link", name="Set up").click()
    expect(page.locator("#rule-state")).to_contain_text("On: who wears no mask is reported.")
    page.get_by_role("button", name="Switch the rule off").click()
    page.get_by_label("Who says so").fill("ward manager")
    page.get_by_role("button", name="Switch", exact=True).click()
    expect(page.locator("#rule-state")).to_contain_text(
        ", by page ward manager: people are counted"
    )
    expect(page.get_by_role("button", name="Switch the rule on")).to_be_enabled()
    with HistoryReader(daemon.state / FILE) as reader:
        now = datetime.now(UTC)
        day = reader.journal(now - timedelta(days=1), now + timedelta(days=1))
    rule = [each for each in day if each.kind is EntryKind.RULE]
    assert [(each.by, each.text) for each in rule] == [("page ward manager", "off")]
