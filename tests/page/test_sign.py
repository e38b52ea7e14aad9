"""The sign in a real browser: before the page alone, and before the real daemon."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from edge.config import SignSettings
from edge.page.sentences import built_in
from edge.page.sign import FILE
from edge.people import PEOPLE, frames
from edge.records import Advice
from tests.edge.capture.fakes import write_clip
from tests.edge.page.program import Sign, password_file
from tests.edge.page.test_sign import TOKEN, token_file
from tests.page.conftest import Daemon
from tests.page.conftest import Start as StartDaemon
from tests.screenshots import assert_good_for_everybody
from tests.waiting import Stopwatch

Start = Callable[..., Sign]
STALE_S = 2.0
AT_ONCE_S = 0.3
NOTED = """() => {
  window.noted = [];
  new MutationObserver(() => noted.push([Date.now(), document.body.dataset.notice]))
    .observe(document.body, { attributes: true, attributeFilter: ["data-notice"] });
}"""
"""Has the browser note each notice with its time."""
HELD_UP = """() => {
  const ask = window.fetch;
  window.fetch = async (...asked) => {
    const answer = await ask(...asked);
    await new Promise((done) => setTimeout(done, 2100));
    return answer;
  };
}"""
"""Has each answer take more than two seconds on its way."""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Sign] = []

    def begin(*, is_station: bool = True, sign: SignSettings | None = None, **page: Any) -> Sign:
        chosen = sign or SignSettings(enabled=True, languages=("de", "en"))
        started.append(Sign(tmp_path, chosen, is_station=is_station, **page))
        return started[-1]

    yield begin
    for each in started:
        each.close()


def opened(context: BrowserContext, url: str) -> tuple[Page, list[str]]:
    """Return the page, and what goes wrong in it."""
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(url)
    return page, wrong


def expect_notice(page: Page, notice: str, within_s: float = 60) -> None:
    expect(page.locator("body")).to_have_attribute("data-notice", notice, timeout=1000 * within_s)


def test_it_says_in_all_languages_what_is_on_the_board(
    start: Start, context: BrowserContext
) -> None:
    sign = start()
    page, wrong = opened(context, sign.url)
    for advice in Advice:
        sign.say(advice)
        expect_notice(page, advice)
        status = page.get_by_role("status")
        expect(status.locator("[lang=de]")).to_have_text(built_in()["de"][advice.value])
        expect(status.locator("[lang=en]")).to_have_text(built_in()["en"][advice.value])
        expect(page.locator("#picture > svg:not(#badge)").filter(visible=True)).to_have_count(1)
    assert wrong == []


def test_a_change_is_seen_at_once(start: Start, context: BrowserContext) -> None:
    sign = start()
    page, _ = opened(context, sign.url)
    sign.say(Advice.EMPTY)
    expect_notice(page, "empty")
    page.evaluate(NOTED)
    took = []
    for advice in (Advice.WAIT, Advice.GO, Advice.NO_MASK, Advice.EMPTY) * 3:
        said_ms = 1000 * time.time()
        sign.say(advice)
        expect_notice(page, advice)
        seen_ms, notice = page.evaluate("noted.at(-1)")
        assert notice == advice
        took.append((seen_ms - said_ms) / 1000)
    assert sorted(took)[len(took) // 2] < AT_ONCE_S, took


@pytest.mark.parametrize(
    ("width", "height"), [(800, 480), (480, 800), (1280, 720), (3840, 2160), (320, 480)]
)
@pytest.mark.parametrize("languages", [("en",), ("de", "uk"), ("nl", "ar", "ru")])
def test_every_sentence_fits_on_every_screen(
    start: Start, browser: Browser, width: int, height: int, languages: tuple[str, ...]
) -> None:
    sign = start(sign=SignSettings(enabled=True, languages=languages))
    context = browser.new_context(viewport={"width": width, "height": height}, bypass_csp=True)
    page, _ = opened(context, sign.url)
    for advice in Advice:
        sign.say(advice)
        expect_notice(page, advice)
        text, picture = (
            page.locator("#text").bounding_box(),
            page.locator("#picture").bounding_box(),
        )
        assert text is not None
        assert picture is not None
        for box in (text, picture):
            assert box["x"] >= 0
            assert box["y"] >= 0
            assert box["x"] + box["width"] <= width
            assert box["y"] + box["height"] <= height
        assert page.evaluate("text.scrollWidth <= text.clientWidth")
        # Beside or below the picture, and never over it.
        beside = text["x"] >= picture["x"] + picture["width"]
        assert beside or text["y"] >= picture["y"] + picture["height"]
        letters = page.evaluate("parseFloat(getComputedStyle(text.firstChild).fontSize)")
        assert letters >= (0.1 if len(languages) == 1 else 0.06) * min(width, height), advice
        assert_good_for_everybody(page, width)
    context.close()


def test_nothing_moves_and_nobody_is_shown(start: Start, browser: Browser) -> None:
    sign = start()
    context = browser.new_context(reduced_motion="reduce")
    page, _ = opened(context, sign.url)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    sign.say(Advice.GO)
    expect_notice(page, "go")
    assert page.evaluate("document.getAnimations().length") == 0
    assert page.locator("img, video, canvas").count() == 0
    for _ in range(3):
        with page.expect_response("**/sign/state*"):
            pass
    icon = (
        f"{sign.url.removesuffix('/sign')}/icon.svg"  # when a browser asks for it is its own affair
    )
    assert {each.partition("?")[0] for each in asked} - {icon} == {f"{sign.url}/state"}
    context.close()


def test_a_kiosk_comes_in_by_its_token_once(start: Start, browser: Browser, tmp_path: Path) -> None:
    settings = SignSettings(enabled=True, token_file=token_file(tmp_path))
    sign = start(sign=settings, password_file=password_file(tmp_path))
    context = browser.new_context()
    page, _ = opened(context, f"{sign.url}?token={TOKEN}")
    expect_notice(page, "closed")
    assert page.url == sign.url
    assert page.evaluate("history.length") <= 2
    assert TOKEN not in page.content()
    page.goto(sign.url)
    expect_notice(page, "closed")
    page.goto(sign.program.url)
    expect(page.get_by_label("Password")).to_be_visible()
    context.close()


def test_a_kiosk_that_starts_before_the_device_comes_in_later(
    start: Start, browser: Browser, tmp_path: Path
) -> None:
    settings = SignSettings(enabled=True, token_file=token_file(tmp_path))
    sign = start(sign=settings, password_file=password_file(tmp_path))
    sign.say(Advice.EMPTY)
    context = browser.new_context()
    page = context.new_page()
    page.route("**/sign?token=*", lambda route: route.fulfill(path=FILE))
    page.route("**/sign/state*", lambda route: route.fulfill(status=503))
    page.goto(f"{sign.url}?token={TOKEN}")
    expect_notice(page, "closed")
    page.unroute("**/sign?token=*")
    page.unroute("**/sign/state*")
    expect_notice(page, "empty")
    assert page.url == sign.url
    context.close()


def test_an_answer_that_the_network_held_up_is_not_believed(
    start: Start, context: BrowserContext
) -> None:
    sign = start()
    page, _ = opened(context, sign.url)
    sign.say(Advice.EMPTY)
    expect_notice(page, "empty")
    page.evaluate(HELD_UP)
    expect_notice(page, "closed")
    page.evaluate(NOTED)
    sign.say(Advice.GO)
    for _ in range(2):
        with page.expect_response("**/sign/state*"):
            pass
    assert "go" not in [notice for _, notice in page.evaluate("noted")]


@pytest.fixture
def masked(tmp_path: Path) -> Path:
    """A clip of one masked person, who is near."""
    person = PEOPLE[1]
    return write_clip(tmp_path / "masked.avi", [*frames(40, 10, (person,))], 10)


STATION = """
[station]
enabled = true
[sign]
enabled = true
"""


def test_go_ends_within_two_seconds_when_the_daemon_is_stopped_by_a_signal(
    start_daemon: StartDaemon, context: BrowserContext, masked: Path
) -> None:
    daemon = start_daemon(STATION, masked)
    page, wrong = opened(context, f"{daemon.url}/sign")
    expect_notice(page, "go")
    for process in (daemon.process, daemon.server):
        assert process is not None
        watch = Stopwatch()
        process.send_signal(signal.SIGSTOP)
        expect_notice(page, "closed", within_s=10)
        assert watch.elapsed_s < STALE_S + 0.3
        process.send_signal(signal.SIGCONT)
        expect_notice(page, "go")
    assert wrong == []


def test_the_sign_comes_back_after_a_restart_of_the_service(
    start_daemon: StartDaemon, context: BrowserContext, masked: Path
) -> None:
    daemon = start_daemon(STATION, masked)
    page, wrong = opened(context, f"{daemon.url}/sign")
    expect_notice(page, "go")
    watch = Stopwatch()
    daemon.stop()
    expect_notice(page, "closed")
    assert watch.elapsed_s < 5
    daemon.start()
    expect_notice(page, "go")
    assert wrong == []


def test_at_a_door_without_a_station_people_are_asked_and_thanked(
    start_daemon: StartDaemon, context: BrowserContext, masked: Path
) -> None:
    daemon = start_daemon("[sign]\nenabled = true\n", masked)
    page, _ = opened(context, f"{daemon.url}/sign")
    expect_notice(page, "thanks")
    daemon.process.send_signal(signal.SIGSTOP)
    expect_notice(page, "please", within_s=10)
    os.kill(daemon.process.pid, signal.SIGCONT)


@pytest.fixture
def start_daemon(tmp_path: Path) -> Iterator[StartDaemon]:
    started: list[Daemon] = []

    def begin(page: str = "", source: Path | str | None = None) -> Daemon:
        started.append(Daemon(tmp_path, page, source or ""))
        return started[-1]

    yield begin
    for daemon in started:
        daemon.kill()
