"""The Reports view, in a real browser, of a history that the real daemon reads."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from edge.history.alert_book import AlertBook
from edge.history.records import (
    Alert,
    AlertAcknowledgement,
    People,
    Place,
    WatchedTime,
    WatchState,
    minute_of,
)
from edge.history.store import FILE, HistoryBatch, HistoryWriter
from edge.records import Verdict, ViolationKind
from tests.page.conftest import Start
from tests.screenshots import assert_good_for_everybody, shoot
from tests.waiting import Stopwatch

YESTERDAY = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(1)
EVENTS = ("019ab11c-92d2-7f3a-8d1e-000000000001", "019ab11c-92d2-7f3a-8d1e-000000000002")
ZONE = '\n[calendar]\ntime_zone = "UTC"\n'


@pytest.fixture
def lived(tmp_path: Path) -> None:
    """A history of yesterday: an hour with 9 of 12 people masked, one in the dark, two alerts."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    noon = minute_of(YESTERDAY)
    batch = HistoryBatch(
        people=[
            People(noon, Place(), Verdict.MASKED, 48, True, 9),
            People(noon, Place(), Verdict.BARE, 48, True, 3),
        ],
        watched=[
            *(WatchedTime(noon + n, "", WatchState.WATCHED, 60, True) for n in range(60)),
            *(WatchedTime(noon + n, "", WatchState.DARK, 60, True) for n in range(60, 120)),
        ],
    )
    for event in EVENTS:
        at = YESTERDAY + timedelta(minutes=5)
        later = at + timedelta(seconds=30)
        batch.alerts.append(Alert(event, Place(), ViolationKind.BARE, at, at, later, 30, 0.9))
    said_at = YESTERDAY + timedelta(minutes=15)
    said = AlertAcknowledgement(EVENTS[0], said_at, "page", "forgotten", "mask-put-on")
    with closing(HistoryWriter(state / FILE)) as writer, AlertBook(state / FILE) as book:
        writer.write(batch)
        book.write(said)


def opened(context: BrowserContext, url: str) -> Page:
    page = context.new_page()
    page.goto(f"{url}#reports")
    expect(page.locator("#report-content")).to_be_visible()
    return page


@pytest.mark.usefixtures("lived")
def test_a_day_is_reported_drawn_and_kept(start: Start, context: BrowserContext) -> None:
    page = opened(context, start(ZONE).url)
    expect(page.get_by_role("button", name="Later")).to_be_disabled()
    page.get_by_role("button", name="Earlier").click()
    verdict = page.locator("#report-verdict")
    expect(verdict).to_contain_text("of 12 people; 2 alerts, 1 open")
    expect(page.locator("#r-masked")).to_have_text("9")
    expect(page.locator("#r-bare")).to_have_text("3")
    expect(page.locator("#ra-closed")).to_have_text("1")
    expect(page.locator("#ra-remedy")).to_have_text("30\N{NO-BREAK SPACE}s")
    expect(page.locator("#ra-close")).to_have_text("10\N{NO-BREAK SPACE}min")
    expect(page.locator("#report-watched")).to_contain_text("too dark 60\N{NO-BREAK SPACE}min")
    # All hours but the one at noon were not watched, and are not in the rate.
    expect(page.locator("#report-chart .unwatched")).to_have_count(23)
    expect(page.locator("#report-chart .mark")).to_have_count(23)
    expect(page.locator("#report-chart .open-alert")).to_have_count(1)
    page.locator("#report").get_by_text("Show as a table").click()
    expect(page.locator("#report-rows tr")).to_have_count(24)

    begins = {"HTML": b"<!doctype html>", "PDF": b"%PDF-", "CSV": b"begin,", "JSON": b"{"}
    for name, begin in begins.items():
        with page.expect_download() as waiting:
            page.locator("#report-files").get_by_role("link", name=name).click()
        file = waiting.value
        day = f"{YESTERDAY:%Y-%m-%d}"
        assert file.suggested_filename == f"tensormask-day-{day}.{name.lower()}"
        assert Path(file.path()).read_bytes().startswith(begin)
    document = json.loads(Path(file.path()).read_bytes())
    assert document["schema"].startswith("tensormask/full-report/")


@pytest.mark.usefixtures("lived")
def test_a_month_is_made_while_the_live_view_goes_on(start: Start, context: BrowserContext) -> None:
    daemon = start(ZONE)
    page = opened(context, daemon.url)
    live = context.new_page()
    live.goto(daemon.url)
    expect(live.locator("#stage")).not_to_have_class("stale")
    stopwatch = Stopwatch()
    page.get_by_role("button", name="Month").click()
    expect(page.locator("#report-chart-title")).to_have_text("People by day")
    assert stopwatch.elapsed_s < 20
    expect(live.locator("#stage")).not_to_have_class("stale")
    page.get_by_role("button", name="Week").click()
    expect(page.locator("#report-title")).to_contain_text("Week")


def test_what_cannot_be_reported_is_said(start: Start, context: BrowserContext) -> None:
    daemon = start(ZONE)
    page = context.new_page()
    page.route(
        "**/document*", lambda route: route.fulfill(status=409, json={"error": "the disk is full"})
    )
    page.goto(f"{daemon.url}#reports")
    expect(page.locator("#report-said")).to_have_text("No report: the disk is full")
    answer = context.request.get(f"{daemon.url}/document?kind=year")
    assert answer.status == 400
    answer = context.request.get(f"{daemon.url}/document?kind=day&day=2199-01-01")
    assert answer.status == 409
    assert "has not begun yet" in answer.json()["error"]


@pytest.mark.usefixtures("lived")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_every_screen_and_everybody_can_use_it(
    start: Start, browser: Browser, scheme: str
) -> None:
    context = browser.new_context(
        color_scheme=scheme,  # type: ignore[arg-type]
        bypass_csp=True,  # or the check itself could not be loaded
    )
    page = opened(context, start(ZONE).url)
    page.get_by_role("button", name="Earlier").click()
    expect(page.locator("#r-masked")).to_have_text("9")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 850})
        assert_good_for_everybody(page, width)
        shoot(page, f"reports-{width}-{scheme}")
    context.close()
