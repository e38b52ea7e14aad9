"""The Reports view, in a real browser, of a history that the real daemon reads.

All tests share one daemon: each has a day of its own where it changes something.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from edge.history.alert_book import AlertBook
from edge.history.records import (
    Alert,
    AlertAcknowledgement,
    EntryKind,
    People,
    Place,
    WatchedTime,
    WatchState,
    minute_of,
)
from edge.history.store import FILE, HistoryBatch, HistoryReader, HistoryWriter
from edge.people import frames
from edge.records import Verdict, ViolationKind
from tests.edge.capture.fakes import write_clip
from tests.page.conftest import Daemon
from tests.screenshots import assert_good_for_everybody, shoot
from tests.waiting import Stopwatch

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
YESTERDAY, EMPTY, OF_CAMERAS, SIGNED, SIGNED_TOO, HOLIDAY = (
    NOON - timedelta(days) for days in range(1, 7)
)
EVENTS = ("019ab11c-92d2-7f3a-8d1e-000000000001", "019ab11c-92d2-7f3a-8d1e-000000000002")
SETTINGS = """
[calendar]
time_zone = "UTC"
shifts = [
  { name = "early", hours = ["06:00-12:00"] },
  { name = "late", hours = ["12:00-22:00"] },
]
holidays = ["{holiday}"]
[[zone]]
name = "north entrance"
polygon = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]
"""
UNIT = "\N{NO-BREAK SPACE}"
FPS = 4
"""The reports are of the past: the picture is only there to go on meanwhile."""


def what_happened() -> HistoryBatch:
    """Yesterday: an hour with 9 of 12 people masked, one in the dark, two alerts. Before that: a
    day with nobody, one with two cameras, two that are to be signed, and a holiday."""
    noon = minute_of(YESTERDAY)
    batch = HistoryBatch(
        people=[
            People(noon, Place(zone="north entrance"), Verdict.MASKED, 48, True, 8),
            People(noon, Place(), Verdict.MASKED, 48, True, 1),
            People(noon, Place(), Verdict.BARE, 48, True, 3),
            People(minute_of(HOLIDAY), Place(), Verdict.MASKED, 48, True, 2),
            *(
                People(minute_of(OF_CAMERAS), Place(camera), Verdict.MASKED, 48, True, people)
                for camera, people in (("door", 4), ("hall", 7))
            ),
            *(
                People(minute_of(day), Place(zone="north entrance"), Verdict.MASKED, 48, True, 5)
                for day in (SIGNED, SIGNED_TOO)
            ),
        ],
        watched=[
            *(WatchedTime(noon + n, "", WatchState.WATCHED, 60, True) for n in range(60)),
            *(WatchedTime(noon + n, "", WatchState.DARK, 60, True) for n in range(60, 120)),
            *(
                WatchedTime(minute_of(EMPTY) + n, "", WatchState.WATCHED, 60, True)
                for n in range(120)
            ),
        ],
    )
    for event in EVENTS:
        at = YESTERDAY + timedelta(minutes=5)
        later = at + timedelta(seconds=30)
        batch.alerts.append(Alert(event, Place(), ViolationKind.BARE, at, at, later, 30, 0.9))
    return batch


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("lived")
    (folder / "state").mkdir(mode=0o700)
    file = folder / "state" / FILE
    said_at = YESTERDAY + timedelta(minutes=15)
    with closing(HistoryWriter(file)) as writer, AlertBook(file) as book:
        writer.write(what_happened())
        book.write(AlertAcknowledgement(EVENTS[0], said_at, "page", "forgotten", "mask-put-on"))
    clip = write_clip(folder / "nobody.avi", [*frames(8, FPS, ())], FPS)
    daemon = Daemon(folder, SETTINGS.replace("{holiday}", f"{HOLIDAY:%Y-%m-%d}"), clip)
    yield daemon
    daemon.kill()


def opened(context: BrowserContext, daemon: Daemon, day: datetime) -> Page:
    """Return the page with the report of a day."""
    page = context.new_page()
    page.goto(f"{daemon.url}#reports")
    expect(page.locator("#report-content")).to_be_visible()
    choose(page, day)
    return page


def choose(page: Page, day: datetime) -> None:
    page.get_by_label("A day in the period").fill(f"{day:%Y-%m-%d}")
    expect(page.locator("#report-title")).to_contain_text(f"{day.day} {day:%b}")


def test_a_day_is_reported_drawn_and_kept(lived: Daemon, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"{lived.url}#reports")
    expect(page.locator("#report-content")).to_be_visible()
    expect(page.get_by_role("button", name="Later")).to_be_disabled()
    page.get_by_role("button", name="Earlier").click()
    verdict = page.locator("#report-verdict")
    expect(verdict).to_contain_text("of 12 people; 2 alerts, 1 open")
    expect(page.get_by_role("button", name="Later")).to_be_enabled()
    expect(page.locator("#r-masked")).to_have_text("9")
    expect(page.locator("#r-bare")).to_have_text("3")
    expect(page.locator("#ra-closed")).to_have_text("1")
    expect(page.locator("#ra-remedy")).to_have_text(f"30{UNIT}s")
    expect(page.locator("#ra-close")).to_have_text(f"10{UNIT}min")
    expect(page.locator("#report-watched")).to_contain_text(f"too dark 60{UNIT}min")
    # All hours but the one at noon were not watched, and are not in the rate.
    expect(page.locator("#report-chart .unwatched")).to_have_count(23)
    expect(page.locator("#report-chart .mark")).to_have_count(23)
    expect(page.locator("#report-chart .open-alert")).to_have_count(1)
    page.locator("#report").get_by_text("Show as a table").click()
    # Hours with nobody that are alike are one row: before noon, noon, the dark one, after it.
    names = page.locator("#report-rows th").all_text_contents()
    assert names == ["00:00 to 12:00", "12:00", "13:00 to 00:00"]

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


def test_a_shift_and_a_zone_are_chosen_and_kept_so(lived: Daemon, context: BrowserContext) -> None:
    page = opened(context, lived, YESTERDAY)
    page.get_by_label("Zone", exact=True).select_option("north entrance")
    expect(page.locator("#r-masked")).to_have_text("8")
    expect(page.locator("#report-where")).to_have_text("zone north entrance")
    page.get_by_role("button", name="Shift", exact=True).click()
    page.get_by_label("Shift", exact=True).select_option("late")
    expect(page.locator("#report-title")).to_contain_text("Shift late: ")
    expect(page.locator("#report-title")).to_contain_text("12:00 to 22:00")
    expect(page.locator("#r-masked")).to_have_text("8")
    with page.expect_download() as waiting:
        page.locator("#report-files").get_by_role("link", name="CSV").click()
    name = f"tensormask-shift-late-{YESTERDAY:%Y-%m-%d}-north-entrance.csv"
    assert waiting.value.suggested_filename == name
    page.get_by_role("button", name="Earlier").click()
    expect(page.locator("#report-title")).to_contain_text(f"{EMPTY.day} {EMPTY:%b}")
    page.get_by_role("button", name="Day", exact=True).click()
    page.get_by_label("Zone", exact=True).select_option("all")
    choose(page, YESTERDAY)
    expect(page.locator("#r-masked")).to_have_text("9")
    expect(page.locator("#report-shift-field")).to_be_hidden()


def test_a_camera_is_chosen_where_there_were_several(
    lived: Daemon, context: BrowserContext
) -> None:
    page = opened(context, lived, YESTERDAY)
    expect(page.locator("#report").get_by_label("Camera")).to_be_hidden()
    choose(page, OF_CAMERAS)
    expect(page.locator("#r-masked")).to_have_text("11")
    page.locator("#report").get_by_label("Camera").select_option("hall")
    expect(page.locator("#r-masked")).to_have_text("7")
    expect(page.locator("#report-where")).to_have_text("camera hall")


def test_a_day_with_nobody_is_one_sentence(lived: Daemon, context: BrowserContext) -> None:
    page = opened(context, lived, EMPTY)
    said = f"Nobody was counted in this day; 22{UNIT}h of 24{UNIT}h were not watched"
    expect(page.locator("#report-verdict")).to_contain_text(said)
    expect(page.locator("#report-chart")).to_be_hidden()
    expect(page.locator("#report-rows")).to_be_hidden()
    expect(page.locator("#r-masked")).to_be_hidden()
    choose(page, YESTERDAY)
    expect(page.locator("#report-chart")).to_be_visible()


def test_what_was_closed_is_dotted_and_the_last_report_is_dim_meanwhile(
    lived: Daemon, context: BrowserContext
) -> None:
    page = opened(context, lived, HOLIDAY)
    closed = page.locator("#report-chart .apart")
    expect(closed).to_have_count(24)
    expect(page.locator("#report-chart .unwatched")).to_have_count(0)
    expect(page.locator("#report .legend")).to_contain_text("closed, or rule off")
    held: list[Route] = []
    page.route("**/document*", lambda route: held.append(route))
    page.get_by_role("button", name="Month").click()
    expect(page.locator("#report-said")).to_have_text("Making the report …")
    expect(page.locator("#report-content")).to_have_css("opacity", "0.4")
    shoot(page, "reports-busy")
    held[0].continue_()
    expect(page.locator("#report-chart-title")).to_have_text("People by day")
    expect(page.locator("#report-content")).to_have_css("opacity", "1")
    expect(closed).to_have_count(1)
    shoot(page, "reports-holiday")


def test_without_the_service_the_reports_say_what_is_wrong_and_come_when_it_is_back(
    lived: Daemon, context: BrowserContext
) -> None:
    page = context.new_page()
    away = {"error": "the service is not running"}
    page.route(
        re.compile("/(report|document)([?]|$)"), lambda route: route.fulfill(status=503, json=away)
    )
    page.goto(f"{lived.url}#reports")
    said = page.locator("#report-said")
    expect(said).to_contain_text("No report can be made: the service is not responding. It may be")
    expect(page.locator("#report-title")).to_have_text("No report")
    shoot(page, "reports-away")
    page.unroute_all()
    expect(page.locator("#report-content")).to_be_visible()
    expect(said).to_be_empty()


def test_a_report_is_signed_with_its_zone_and_the_signature_corrected(
    lived: Daemon, context: BrowserContext
) -> None:
    page = opened(context, lived, SIGNED)
    page.get_by_label("Zone", exact=True).select_option("north entrance")
    lines = page.locator("#report-signed li")
    expect(lines).to_have_text("Zone north entrance: nobody has signed this report.")
    sign = page.get_by_role("button", name="Sign off")
    sign.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Sign off this report?")
    expect(dialog).to_contain_text(f"{SIGNED.day} {SIGNED:%b} {SIGNED.year}, zone north entrance")
    page.keyboard.press("Enter")  # the browser itself asks for a name
    expect(dialog).to_be_visible()
    page.keyboard.type("A. Example")
    page.keyboard.press("Tab")
    page.keyboard.type("checked")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(lines).to_have_count(1)
    expect(lines).to_contain_text("✓ Zone north entrance: page A. Example, ")
    expect(lines).to_contain_text(" · checked")
    expect(page.locator("#report-signed-title")).to_be_focused()
    page.get_by_role("button", name="Sign again").click()
    expect(page.get_by_label("Your name", exact=True)).to_have_value("A. Example")
    dialog.get_by_label("Note").fill("one hour was dark")
    dialog.get_by_role("button", name="Sign off").click()
    expect(lines).to_have_count(2)
    expect(lines.last).to_contain_text("one hour was dark")

    with HistoryReader(lived.state / FILE) as reader:
        now = datetime.now(UTC)
        written = reader.journal(now - timedelta(hours=1), now + timedelta(hours=1))
    texts = [each.text for each in written if each.kind is EntryKind.SIGNED_OFF]
    assert [each.split(" ")[0] for each in texts] == ["day", "day"]
    assert all(f"day {SIGNED:%Y-%m-%d} zone=north entrance " in each for each in texts)
    assert "signed off by page A. Example" in lived.log.read_text()


def test_what_has_changed_since_it_was_shown_is_not_signed(
    lived: Daemon, context: BrowserContext
) -> None:
    page = opened(context, lived, SIGNED_TOO)
    with closing(HistoryWriter(lived.state / FILE)) as writer:
        late = People(minute_of(SIGNED_TOO) + 1, Place(), Verdict.BARE, 48, True, 1)
        writer.write(HistoryBatch(people=[late]))
    page.get_by_role("button", name="Sign off").click()
    page.get_by_label("Your name", exact=True).fill("A. Example")
    page.get_by_role("dialog").get_by_role("button", name="Sign off").click()
    expect(page.locator("#sign-said")).to_contain_text("Not signed: the figures have changed")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#r-bare")).to_have_text("1")
    expect(page.locator("#report-signed")).to_have_text("Nobody has signed this report.")


def test_a_month_is_made_while_the_live_view_goes_on(
    lived: Daemon, context: BrowserContext
) -> None:
    page = opened(context, lived, YESTERDAY)
    live = context.new_page()
    live.goto(lived.url)
    expect(live.locator("#stage")).not_to_have_class("stale")
    stopwatch = Stopwatch()
    page.get_by_role("button", name="Month").click()
    expect(page.locator("#report-chart-title")).to_have_text("People by day")
    assert stopwatch.elapsed_s < 20
    expect(live.locator("#stage")).not_to_have_class("stale")
    page.get_by_role("button", name="Week").click()
    expect(page.locator("#report-title")).to_contain_text("Week")


def test_what_cannot_be_reported_is_said_and_asked_for_again(
    lived: Daemon, context: BrowserContext
) -> None:
    page = context.new_page()
    answers = [(503, "the report is being made"), (409, "the disk is full")]

    def answer(route: Route) -> None:
        if answers:
            status, said = answers.pop(0)
            route.fulfill(status=status, json={"error": said})
        else:
            route.continue_()

    page.route("**/document*", answer)
    page.goto(f"{lived.url}#reports")
    expect(page.locator("#report-said")).to_have_text("The disk is full.")
    assert answers == []
    page.get_by_role("button", name="Day", exact=True).click()
    expect(page.locator("#report-content")).to_be_visible()
    expect(page.locator("#report-sign-said")).to_have_text("It can be signed when the day is over.")
    page.get_by_label("A day in the period").fill("2099-01-01")
    expect(page.locator("#report-said")).to_contain_text("has not begun yet")
    expect(page.locator("#report-content")).to_be_hidden()


def test_it_fits_every_screen_and_everybody_can_use_it(lived: Daemon, browser: Browser) -> None:
    context = browser.new_context(bypass_csp=True)  # or the check itself could not be loaded
    page = opened(context, lived, YESTERDAY)
    page.get_by_role("button", name="Shift", exact=True).click()
    expect(page.locator("#report-title")).to_contain_text("Shift")
    page.get_by_label("Shift", exact=True).select_option("late")
    page.locator("#report").get_by_text("Show as a table").click()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in (1280, 360):
            page.set_viewport_size({"width": width, "height": 850})
            assert_good_for_everybody(page, width)
            shoot(page, f"reports-{width}-{scheme}")
        page.get_by_role("button", name="Sign off").click()
        assert_good_for_everybody(page, 360)
        shoot(page, f"sign-off-360-{scheme}")
        page.keyboard.press("Escape")
    page.emulate_media(media="print")
    for on_paper in ("#device", "#report-verdict", "#report-signed"):
        expect(page.locator(on_paper)).to_be_visible()
    for on_screen in ("nav", "#pill", "#report-at", "#report-sign", "#report-files"):
        expect(page.locator(on_screen)).to_be_hidden()
    context.close()
