"""Pictures of every view and state of the page, for review: build/screenshots/page-*.png.

.venv-dev/bin/python -m tools.views [STATE...]
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page, expect, sync_playwright

from deploy.demo.__main__ import embedded_broker
from edge.config import SignSettings
from edge.page.sentences import AT_A_DOOR, notice_of
from edge.people import HEIGHT_PX, PEOPLE, WIDTH_PX, frames
from edge.records import Advice, Pixels
from tests.clips import QUICK, come_and_gone
from tests.edge.capture.fakes import write_clip
from tests.edge.capture.rtsp_server import encoded_frames, serving
from tests.edge.page.program import Sign
from tests.page.conftest import Daemon
from tests.screenshots import SHOTS, assert_good_for_everybody, shoot
from tools.past import write_area, write_past

FPS = 10
LOOKS = [
    (width, height, scheme)
    for width, height in ((360, 740), (800, 1000), (1920, 1080))
    for scheme in ("light", "dark")
]


def main(chosen: list[str]) -> int:
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("no browser here; install it: sudo apt-get install chromium")
    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for state in chosen or STATES:
            STATES[state](browser)
        browser.close()
    return 0


@contextmanager
def daemon(
    source: Path | str | None = None,
    page: str = "",
    *,
    has_past: bool = True,
    has_area: bool = False,
) -> Iterator[Daemon]:
    """A daemon before drawn people, or `source`, and what happened and was drawn before."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state"
        state.mkdir()
        if has_past:
            write_past(state)
        if has_area:
            write_area(state)
        clip = source or write_clip(Path(folder) / "people.avi", people(), FPS)
        running = Daemon(Path(folder), page, clip, embedded_broker().broker_port)
        try:
            yield running
        finally:
            running.kill()


def people(length_s: int = 4) -> list[Pixels]:
    return [*frames(length_s * FPS, FPS)]


def each_look(
    browser: Browser, url: str, name: str, act: Callable[[Page], None], view: str = "live"
) -> None:
    """Do `act` in every width and scheme, take a picture, and have it checked for everybody."""
    for width, height, scheme in LOOKS:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,  # type: ignore[arg-type]
            bypass_csp=True,  # or the check itself could not be loaded
            has_touch=width < 600,
        )
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.goto(f"{url}/#{view}")
        act(page)
        shoot(page, f"page-{name}-{width}-{scheme}")
        assert_good_for_everybody(page, width)
        context.close()


def live(page: Page) -> None:
    expect(page.locator(".tag.person").first).to_be_visible()
    expect(page.locator("#verdict")).to_have_text("Watching")
    expect(page.locator("#caption")).to_be_empty()


def healthy(browser: Browser) -> None:
    with daemon() as running:
        each_look(browser, running.url, "live", live)
        each_look(browser, running.url, "alerts", known, "alerts")
        each_look(browser, running.url, "device", known, "device")

        def table(page: Page) -> None:
            live(page)
            page.get_by_text("Show as a table").click()

        each_look(browser, running.url, "table", table)

        def by_day(page: Page) -> None:
            live(page)
            page.get_by_role("button", name="30 days").click()

        each_look(browser, running.url, "month", by_day)


def known(page: Page) -> None:
    expect(page.locator("#device")).to_have_text("door-1")


def setup(browser: Browser) -> None:
    with daemon(has_area=True) as running:
        each_look(browser, running.url, "area-live", live)
        each_look(browser, running.url, "setup", live, "setup")

        def drawing(page: Page) -> None:
            live(page)
            page.get_by_role("button", name="Exclude an area").click()
            for x, y in ((0.75, 0.2), (0.95, 0.2), (0.9, 0.5)):
                box = page.locator("#overlay").bounding_box()
                assert box is not None
                page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])

        each_look(browser, running.url, "drawing", drawing, "setup")

        def editing(page: Page) -> None:
            live(page)
            page.get_by_role("button", name="Edit Door").click()

        each_look(browser, running.url, "editing", editing, "setup")

        def asked(page: Page) -> None:
            live(page)
            page.get_by_role("button", name="Delete Poster").click()
            page.get_by_role("link", name="Alerts").click()
            expect(page.locator("#question")).to_be_visible()

        each_look(browser, running.url, "question", asked, "setup")


def troubled(browser: Browser) -> None:
    """Many alerts, no broker."""
    with daemon() as running:
        running.stop()
        text = running.settings.read_text().replace(f"port = {running.broker_port}", "port = 1")
        running.settings.write_text(text)
        running.log.write_text("")
        running.start()

        def wrong(page: Page) -> None:
            expect(page.locator("#banner")).to_contain_text("refuses the connection")
            expect(page.locator(".tag.person").first).to_be_visible()

        each_look(browser, running.url, "no-broker", wrong)
        each_look(browser, running.url, "no-broker-device", known, "device")


def covered(browser: Browser) -> None:
    noise = np.random.default_rng(1)
    shape = (40, HEIGHT_PX, WIDTH_PX, 3)
    grey = (40 + noise.normal(0, 2, shape)).clip(0, 255).astype(np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        clip = write_clip(Path(folder) / "covered.avi", [*grey], FPS)
        with daemon(clip) as running:

            def shown(page: Page) -> None:
                expect(page.locator("#banner")).to_contain_text("covered")
                expect(page.locator("#caption")).to_be_empty()

            each_look(browser, running.url, "covered", shown)
            each_look(browser, running.url, "covered-setup", shown, "setup")


def lost(browser: Browser) -> None:
    with tempfile.TemporaryDirectory() as folder:
        clip = write_clip(Path(folder) / "people.avi", people(), FPS, codec="XVID")
        with (
            serving(encoded_frames(clip) * 5, falls_silent=True, every_s=1 / FPS) as camera,
            daemon(f"rtsp://127.0.0.1:{camera.port}/door") as running,
        ):
            page = browser.new_page()
            page.goto(running.url)
            expect(page.locator(".tag.person").first).to_be_visible(timeout=30_000)
            camera.shutdown()
            camera.server_close()
            camera.over.set()

            def gone(page: Page) -> None:
                expect(page.locator("#banner")).to_contain_text("No picture since")

            gone(page)
            shoot(page, "page-lost-viewer")
            each_look(browser, running.url, "lost", gone)
            each_look(browser, running.url, "lost-device", known, "device")


def stopped(browser: Browser) -> None:
    with daemon() as running:
        for width, height, scheme in LOOKS:
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme=scheme,  # type: ignore[arg-type]
            )
            page = context.new_page()
            page.goto(running.url)
            expect(page.locator(".tag.person").first).to_be_visible(timeout=30_000)
            running.stop()
            expect(page.locator("#banner")).to_contain_text("No picture since", timeout=20_000)
            expect(page.locator("#stage")).to_have_class("stale")
            shoot(page, f"page-stopped-{width}-{scheme}")
            context.close()
            running.log.write_text("")
            running.start()


def first(browser: Browser) -> None:
    """Nothing has happened yet."""
    with daemon(has_past=False) as running:
        each_look(browser, running.url, "first", live)
        each_look(browser, running.url, "first-alerts", known, "alerts")


def labels(browser: Browser) -> None:
    """Somebody labels people who pass: at the door, and from pictures."""
    with tempfile.TemporaryDirectory() as folder:
        clip = come_and_gone(Path(folder) / "passing.avi", (PEOPLE[1], PEOPLE[2], PEOPLE[1]))
        for way in ("door", "pictures"):
            with daemon(clip, f'heads = "faces"\nmay_show_faces = true\n{QUICK}') as running:
                _label_each(browser, running, way)


def _label_each(browser: Browser, running: Daemon, way: str) -> None:
    page = browser.new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{running.url}/#label")
    each_look(browser, running.url, f"label-{way}-form", known, "label")
    page.locator(f"input[value={way}]").check()
    page.get_by_label("Who labels").fill("Ada")
    page.get_by_role("button", name="Start recording").click()

    def person(other: Page) -> None:
        expect(other.locator("#label-images img")).not_to_have_count(0)
        if way == "pictures":
            other.get_by_role("button", name="Show the face").click()
            expect(other.get_by_alt_text("face shown").first).to_be_visible()

    each_look(browser, running.url, f"label-{way}", person, "label")
    page.get_by_role("button", name="End the recording").click()
    while (page.locator("#label-who").text_content() or "").startswith("Person"):
        page.locator("#label-choices").get_by_role("button", name="Mask").first.click()
        page.wait_for_timeout(300)
    each_look(browser, running.url, f"label-{way}-over", known, "label")
    page.get_by_role("button", name="Show the result").click()

    def result(other: Page) -> None:
        expect(other.locator("#label-rows tr")).not_to_have_count(0)

    each_look(browser, running.url, f"label-{way}-done", result, "label")
    page.close()


def login(browser: Browser) -> None:
    with tempfile.TemporaryDirectory() as folder:
        secret = Path(folder) / "password"
        secret.touch(0o600)
        secret.write_text("open sesame\n")
        with daemon(page=f'password_file = "{secret}"') as running:

            def asked(page: Page) -> None:
                expect(page.get_by_label("Password")).to_be_visible()

            def warned(page: Page) -> None:
                asked(page)
                page.evaluate("document.getElementById('insecure').hidden = false")

            each_look(browser, running.url, "login", asked)
            each_look(browser, running.url, "login-insecure", warned)


SIGNS = ((800, 480), (480, 800), (1920, 1080), (3840, 2160))
"""From a Pi's own display, lying and upright, to 4K."""


def sign(browser: Browser) -> None:
    """Everything that the sign says, in one language and in three, at a station and at a door."""
    for languages in (("en",), ("de", "en"), ("fr", "ar", "uk")):
        for is_station in (True, False):
            with tempfile.TemporaryDirectory() as folder:
                settings = SignSettings(enabled=True, languages=languages)
                running = Sign(Path(folder), settings, is_station=is_station)
                try:
                    _each_notice(browser, running, languages, is_station=is_station)
                finally:
                    running.close()


def _each_notice(
    browser: Browser, running: Sign, languages: tuple[str, ...], *, is_station: bool
) -> None:
    for width, height in SIGNS:
        for scheme in ("light", "dark"):
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme=scheme,
                bypass_csp=True,
            )
            page = context.new_page()
            page.goto(running.url)
            for advice in Advice:
                notice = notice_of(advice, is_station=is_station)
                is_amber = notice in ("worn_wrongly", "closer", "light")
                if scheme == "dark" and not is_amber:
                    continue
                if not is_station and advice not in AT_A_DOOR and advice is not Advice.EMPTY:
                    continue
                running.say(advice)
                expect(page.locator("body")).to_have_attribute("data-notice", notice)
                name = f"sign-{notice}-{'-'.join(languages)}-{width}-{scheme}"
                shoot(page, name)
                assert_good_for_everybody(page, width)
            context.close()


SHIFTS = """
[calendar]
time_zone = "UTC"
shifts = [
  { name = "early", hours = ["06:00-14:00"] },
  { name = "late", hours = ["14:00-22:00"] },
]
"""


def reported(page: Page) -> None:
    """Show the report of yesterday."""
    expect(page.locator("#report-content")).to_be_visible()
    page.get_by_role("button", name="Earlier").click()
    expect(page.get_by_role("button", name="Sign off")).to_be_visible()


def reports(browser: Browser) -> None:
    with daemon(page=SHIFTS) as running:
        each_look(browser, running.url, "reports", reported, "reports")

        def month(page: Page) -> None:
            reported(page)
            page.get_by_role("button", name="Month").click()
            expect(page.locator("#report-chart-title")).to_have_text("People by day")
            page.locator("#report").get_by_text("Show as a table").click()

        each_look(browser, running.url, "reports-month", month, "reports")
        page = browser.new_page()
        page.goto(f"{running.url}/#reports")
        reported(page)
        page.pdf(path=SHOTS / "page-reports.pdf", format="A4")


STATES: dict[str, Callable[[Browser], None]] = {
    each.__name__: each
    for each in (
        healthy,
        reports,
        setup,
        troubled,
        covered,
        lost,
        stopped,
        first,
        labels,
        login,
        sign,
    )
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
