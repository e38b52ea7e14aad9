"""Alerts are acknowledged on the page, in a real browser, and written down by the real daemon."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from edge.history.alert_book import AlertBook
from edge.history.records import Alert, AlertAcknowledgement, EntryKind, Place
from edge.history.store import FILE, HistoryBatch, HistoryReader, HistoryWriter
from edge.people import frames
from edge.records import ViolationKind
from tests.edge.capture.fakes import write_clip
from tests.page.conftest import Daemon, Start
from tests.screenshots import assert_good_for_everybody, shoot

EVENTS = tuple(f"019ab11c-92d2-7f3a-8d1e-00000000000{number}" for number in range(4))
NOON = datetime.now().astimezone().replace(hour=12, minute=0, second=0, microsecond=0)
YESTERDAY = NOON - timedelta(days=1)
FPS = 4
"""The alerts are of the past: the picture is only there to go on meanwhile."""


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One with four alerts of yesterday, number n at 12:0n; each test changes only its own."""
    folder = tmp_path_factory.mktemp("lived")
    (folder / "state").mkdir(mode=0o700)
    alerts = []
    for number, event in enumerate(EVENTS):
        at = YESTERDAY + timedelta(minutes=number)
        alerts.append(Alert(event, Place(), ViolationKind.BARE, at, at, at, 30, 0.9))
    with closing(HistoryWriter(folder / "state" / FILE)) as writer:
        writer.write(HistoryBatch(alerts=alerts))
    daemon = Daemon(folder, source=write_clip(folder / "nobody.avi", [*frames(8, FPS, ())], FPS))
    yield daemon
    daemon.kill()


def opened(context: BrowserContext, daemon: Daemon) -> Page:
    page = context.new_page()
    page.goto(f"{daemon.url}#alerts")
    return page


def acknowledge_button(page: Page, number: int | None = None) -> Locator:
    """Return that of one of EVENTS; None: of the only alert."""
    name = "Acknowledge: No mask" + ("" if number is None else f", 12:0{number}")
    button = page.locator("#alerts").get_by_role("button", name=name)
    expect(button).to_be_visible()
    return button


def fill_in(page: Page, reason: str, remedy: str, note: str = "", by: str = "") -> None:
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Why there was no mask").select_option(label=reason)
    dialog.get_by_label("What was done", exact=True).select_option(label=remedy)
    dialog.get_by_label("Note").fill(note)
    dialog.get_by_label("Your name or role").fill(by)


def written(state: Path, event: str | None = None) -> list[AlertAcknowledgement]:
    with AlertBook(state / FILE) as book:
        said = book._said("ORDER BY at")
    return [each for each in said if event in (None, each.event_id)]


def test_an_alert_is_acknowledged_listed_so_and_corrected(
    start: Start, context: BrowserContext
) -> None:
    daemon = start()
    page = opened(context, daemon)
    here = page.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone")
    for times in ("#alerts-zone", "#recent-zone"):
        expect(page.locator(times)).to_have_text(f"Times: {here}, as in this browser.")
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
    expect(dialog.get_by_label("Note")).to_have_value("at the door")
    expect(page.get_by_label("Your name or role")).to_have_value("reception")
    fill_in(page, "Exempt", "Nothing", "", "reception")
    page.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#alerts .said")).to_contain_text("✓ Exempt · Nothing")
    assert [each.reason for each in written(daemon.state)] == ["forgotten", "exempt"]


def test_it_is_done_with_the_keys_alone_and_the_focus_stays(
    lived: Daemon, context: BrowserContext
) -> None:
    page = opened(context, lived)
    acknowledge_button(page, 0).focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="What was done?")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(acknowledge_button(page, 0)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#reason")).to_be_focused()
    page.keyboard.type("Ref")
    page.keyboard.press("Tab")
    page.keyboard.type("Sent")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("button", name="Acknowledge: No mask, 12:00")).to_have_count(0)
    expect(page.locator("#alerts-title")).to_be_focused()
    expect(page.get_by_role("status").filter(has_text="Acknowledged: No mask")).to_have_count(1)
    (said,) = written(lived.state, EVENTS[0])
    assert (said.reason, said.remedy, said.by) == ("refused", "sent-away", "page")


def test_what_was_not_written_down_is_said(lived: Daemon, context: BrowserContext) -> None:
    page = opened(context, lived)
    acknowledge_button(page, 1).click()
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
    lived: Daemon, context: BrowserContext
) -> None:
    where = f"{lived.url}/acknowledge"
    for headers in ({"Origin": "https://evil.example"}, {}):
        assert context.request.post(where, data={"reason": "exempt"}, headers=headers).status == 403
    ours = {"Origin": lived.url}
    for data in ({"reason": "lost"}, {"note": "x" * 201}, {"note": "\x1b"}, {"more": 1}):
        assert context.request.post(where, data=data, headers=ours).status == 400
    assert context.request.post(f"{lived.url}/rule", data={}, headers=ours).status == 400


@pytest.mark.parametrize(("scheme", "number"), [("light", 2), ("dark", 3)])
def test_it_fits_every_screen_and_everybody_can_use_it(
    lived: Daemon, browser: Browser, scheme: str, number: int
) -> None:
    context = browser.new_context(
        color_scheme=scheme,  # type: ignore[arg-type]
        bypass_csp=True,  # or the check itself could not be loaded
    )
    page = opened(context, lived)
    button = acknowledge_button(page, number)
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 850})
        assert_good_for_everybody(page, width)
        shoot(page, f"alerts-open-{width}-{scheme}")
        button.click()
        assert_good_for_everybody(page, width)
        shoot(page, f"acknowledge-{width}-{scheme}")
        page.keyboard.press("Escape")
    button.click()
    fill_in(page, "No violation: a false alert", "Something else", "a beard " * 20, "reception")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="All").click()
    expect(page.locator("#alerts .said").first).to_be_visible()
    assert_good_for_everybody(page, 360)
    shoot(page, f"alerts-said-360-{scheme}")
    # In the column at the side of the live view, buttons leave the words their room.
    page.set_viewport_size({"width": 1280, "height": 850})
    page.get_by_role("link", name="Live").click()
    words = page.locator("#recent .alert div").first.bounding_box()
    assert words is not None
    assert words["width"] > 150
    context.close()


def test_the_mask_rule_is_switched_with_who_says_so(lived: Daemon, context: BrowserContext) -> None:
    page = opened(context, lived)
    page.get_by_role("link", name="Set up").click()
    expect(page.locator("#rule-state")).to_contain_text("On: who wears no mask is reported.")
    page.get_by_role("button", name="Switch the rule off").click()
    page.get_by_label("Who says so").fill("ward manager")
    page.get_by_role("button", name="Switch", exact=True).click()
    expect(page.locator("#rule-state")).to_contain_text(
        ", by page ward manager: people are counted"
    )
    expect(page.get_by_role("button", name="Switch the rule on")).to_be_enabled()
    with HistoryReader(lived.state / FILE) as reader:
        now = datetime.now(UTC)
        day = reader.journal(now - timedelta(days=1), now + timedelta(days=1))
    rule = [each for each in day if each.kind is EntryKind.RULE]
    assert [(each.by, each.text) for each in rule] == [("page ward manager", "off")]
