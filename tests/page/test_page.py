"""The page in a real browser, before the real daemon."""

from __future__ import annotations

import http.client
import json
import random
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from edge.commands.doctor import page as doctor
from edge.conditions import Severity
from edge.config import PageSettings
from edge.outline import crosses_itself
from edge.page.server import FILES
from edge.people import frames
from tests.edge.capture.fakes import write_clip
from tests.edge.capture.rtsp_server import encoded_frames, serving
from tests.edge.samples import TELEMETRY
from tests.page.conftest import Daemon, Start
from tests.screenshots import assert_good_for_everybody, shoot
from tests.waiting import until

APART_FROM_UNIT = """() => {
  const texts = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  const found = [];
  while (texts.nextNode()) found.push(texts.currentNode.data);
  return found.filter((each) => /\\d (%|px|s|min|h|°C|frames)(?!\\w)/.test(each));
}"""
"""Returns the texts that may end a line between a figure and its unit."""


def _open(context: BrowserContext, daemon: Daemon) -> tuple[Page, list[str]]:
    """Return the page, and what goes wrong in it."""
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
    page.goto(daemon.url)
    return page, wrong


def _is_live(page: Page, people: int = 1) -> None:
    expect(page.locator(".tag.person:not(.outside)")).to_have_count(people)
    expect(page.locator("#stage")).not_to_have_class("stale")


def test_it_shows_who_is_there_and_what_is_wrong(start: Start, context: BrowserContext) -> None:
    daemon = start()
    page, wrong = _open(context, daemon)
    expect(page.locator("#device")).to_have_text("door-1")
    _is_live(page)
    expect(page.locator(".tag.person")).to_contain_text("No mask")
    expect(page.locator(".tag.person")).to_contain_text("reported")
    expect(page.locator("#verdict")).to_have_text("1 problem")
    expect(page.locator("#banner")).to_contain_text(re.compile("refuses the connection.*since"))
    expect(page.locator("#banner")).to_contain_text("Nothing is lost")
    expect(page.locator("#recent li")).to_contain_text("No mask")
    # How long they will have been there nobody knows.
    since = re.compile(r"^since \d\d:\d\d · \d+\s% sure$")
    expect(page.locator("#recent li small")).to_have_text(since)
    expect(page.locator("#recent .badge")).to_have_text("Still there")
    expect(page.locator("#leave")).to_be_hidden()
    shown = page.locator("#picture").get_attribute("src")
    expect(page.locator("#picture")).not_to_have_attribute("src", shown or "")
    shoot(page, "wide")
    page.get_by_role("link", name="Device").click()
    # What the list says in full, no banner repeats.
    expect(page.locator("#banner")).to_be_hidden()
    expect(page.locator("#problems li").first).to_contain_text("it refuses the connection")
    expect(page.locator("#health")).to_contain_text("frames/s, usual")
    expect(page.locator("#missed")).to_contain_text(
        re.compile("detector finds more than 9 of 10 faces .* with a mask, and 9 of 10 without")
    )
    assert wrong == []
    settings = PageSettings(enabled=True, port=daemon.port)
    found = doctor.page(settings, replace(TELEMETRY, uptime_s=60.0))
    assert [each.severity for each in found] == [Severity.OK]


# What fits does not depend on the colors, nor what can be read on the width.
@pytest.mark.parametrize(
    ("width", "scheme"), [(360, "light"), (360, "dark"), (800, "light"), (1920, "dark")]
)
def test_every_view_fits_every_screen_and_everybody_can_use_it(
    unchanged: Daemon, browser: Browser, width: int, scheme: str
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 800},
        color_scheme=scheme,  # type: ignore[arg-type]
        bypass_csp=True,  # or the check itself could not be loaded
    )
    page, wrong = _open(context, unchanged)
    _is_live(page)
    for view in ("Live", "Alerts", "Reports", "Set up", "Device"):
        page.get_by_role("link", name=view, exact=True).click()
        expect(page.locator("nav [aria-current]")).to_have_text(view)
        expect(page.locator("#verdict")).not_to_have_text("Connecting")
        assert page.evaluate(APART_FROM_UNIT) == []
        assert_good_for_everybody(page, width)
        shoot(page, f"{view.lower().replace(' ', '-')}-{width}-{scheme}")
    assert wrong == []
    context.close()


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that sees three people."""
    folder = tmp_path_factory.mktemp("crowded")
    daemon = Daemon(folder, source=write_clip(folder / "people.avi", [*frames(20, 5)], 5))
    yield daemon
    daemon.kill()


@pytest.mark.parametrize("width", [360, 1280])
def test_labels_stay_inside_the_picture_and_apart(
    crowded: Daemon, browser: Browser, width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.goto(crowded.url)
    expect(page.locator(".tag.person")).to_have_count(3)
    inside, apart = page.evaluate(
        """() => {
          const stage = document.getElementById("stage").getBoundingClientRect();
          const tags = [...document.querySelectorAll(".tag")].map((e) => e.getBoundingClientRect());
          const inside = tags.every((e) => e.left >= stage.left && e.right <= stage.right + 0.5
            && e.top >= stage.top && e.bottom <= stage.bottom + 0.5);
          const meets = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom
            && b.top < a.bottom;
          return [inside, tags.every((a, i) => tags.slice(i + 1).every((b) => !meets(a, b)))];
        }"""
    )
    assert (inside, apart) == (True, True)
    page.close()


def _set_up(page: Page) -> None:
    page.get_by_role("link", name="Set up").click()
    expect(page.get_by_role("button", name="Add a region")).to_be_enabled()


def test_a_region_is_drawn_with_the_pointer_and_an_area_excluded_with_the_keys(
    start: Start, context: BrowserContext
) -> None:
    daemon = start()
    page, wrong = _open(context, daemon)
    _is_live(page)
    _set_up(page)
    # To the right of the man: nobody is there.
    page.get_by_role("button", name="Add a region").click()
    _click(page, ((0.8, 0.1), (0.98, 0.1), (0.98, 0.9), (0.8, 0.9), (0.8, 0.1)))
    expect(page.locator("#instruction")).to_contain_text("Not saved yet")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#hint")).to_contain_text("Saved")
    expect(page.locator("#area-text")).to_have_text("Faces are judged in 1 region.")
    drawn = json.loads((daemon.folder / "state" / "area.json").read_text())
    assert [len(each) for each in drawn["regions"]] == [4]
    # He is shown, but not judged.
    _is_live(page, people=0)
    expect(page.locator(".tag.outside")).to_have_text("Outside the area")
    page.get_by_role("button", name="Undo").click()
    _is_live(page)
    expect(page.locator(".tag.outside")).to_have_count(0)
    # The keyboard: a triangle around the middle of the picture.
    page.get_by_role("button", name="Exclude an area").click()
    for keys in (["ArrowUp"] * 20, ["ArrowLeft"] * 25 + ["ArrowDown"] * 40, ["ArrowRight"] * 45):
        for key in keys:
            page.keyboard.press(key)
        page.keyboard.press("Enter")
    page.keyboard.press("c")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#hint")).to_contain_text("Saved")
    expect(page.locator("#area-text")).to_contain_text("except in 1 excluded area")
    _is_live(page, people=0)
    assert wrong == []


def test_an_area_is_named_moved_and_deleted(start: Start, context: BrowserContext) -> None:
    daemon = start()
    page, wrong = _open(context, daemon)
    _is_live(page)
    _set_up(page)
    page.get_by_role("button", name="Add a region").click()
    _click(page, ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9), (0.1, 0.1)))
    page.get_by_role("button", name="Edit Region 1").click()
    page.get_by_label("Name", exact=True).fill("Main door")
    corner = page.get_by_role("button", name="Corner 1 of 4")
    corner.focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Corner 3 of 4").hover()
    page.mouse.down()
    box = page.locator("#overlay").bounding_box()  # a banner may have come until now
    assert box is not None
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.8 * box["height"], steps=4)
    page.mouse.up()
    page.get_by_role("button", name="Done").click()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#hint")).to_contain_text("Saved")
    expect(page.locator(".tag.in")).to_have_text("Main door")
    state = daemon.folder / "state"
    ((first, _, third, _),) = json.loads((state / "area.json").read_text())["regions"]
    assert (first, third) == ([0.11, 0.1], pytest.approx([0.7, 0.8], abs=0.01))
    (named,) = json.loads((state / "area.names.json").read_text())["present"]
    assert named["name"] == "Main door"
    page.get_by_role("button", name="Delete Main door").click()
    expect(page.locator("#hint"), "it is not true any more").to_be_empty()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#area-text")).to_contain_text("the whole picture")
    expect(page.locator("#hint")).to_contain_text("Saved")
    expect(page.locator("#hint")).to_be_empty(timeout=20_000)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".tag.in")).to_have_text("Main door")
    assert wrong == []


def test_an_area_in_which_nothing_is_left_is_refused(
    unchanged: Daemon, context: BrowserContext
) -> None:
    page, _ = _open(context, unchanged)
    _is_live(page)
    _set_up(page)
    for button, corners in (
        ("Add a region", ((0.8, 0.2), (0.9, 0.2), (0.85, 0.5))),
        ("Exclude an area", ((0.7, 0.1), (0.95, 0.1), (0.95, 0.9), (0.7, 0.9))),
    ):
        page.get_by_role("button", name=button).click()
        _click(page, corners)
        page.keyboard.press("c")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#hint")).to_contain_text("nothing would be watched")
    page.locator("#discard").click()
    page.locator("#question").get_by_role("button", name="Discard").click()
    expect(page.locator("#area-text")).to_contain_text("the whole picture")
    _is_live(page)


def test_an_outline_that_crosses_itself_is_refused(
    unchanged: Daemon, context: BrowserContext
) -> None:
    page, _ = _open(context, unchanged)
    _is_live(page)
    _set_up(page)
    page.get_by_role("button", name="Add a region").click()
    _click(page, ((0.1, 0.1), (0.9, 0.9), (0.9, 0.1), (0.1, 0.9)))
    page.get_by_role("button", name="Close the outline").click()
    expect(page.locator("#hint")).to_contain_text("The outline crosses itself")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#parts li")).to_have_count(0)


def test_browser_and_daemon_agree_on_what_crosses_itself(
    unchanged: Daemon, context: BrowserContext
) -> None:
    draw = random.Random(1)
    polygons = [
        [[draw.randint(0, 5) / 5, draw.randint(0, 5) / 5] for _ in range(draw.randint(3, 6))]
        for _ in range(500)
    ]
    page, _ = _open(context, unchanged)
    judged = page.evaluate(
        """async (polygons) => {
          const { crossesItself } = await import("./outline.js");
          return polygons.map(crossesItself);
        }""",
        polygons,
    )
    ours = [crosses_itself([(x, y) for x, y in each]) for each in polygons]
    assert judged == ours
    assert 100 < sum(ours) < 400


def test_what_is_not_saved_is_asked_for_before_it_is_lost(
    unchanged: Daemon, context: BrowserContext
) -> None:
    page, _ = _open(context, unchanged)
    _is_live(page)
    _set_up(page)
    page.get_by_role("button", name="Add a region").click()
    _click(page, ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9), (0.1, 0.1)))
    question = page.locator("#question")
    page.get_by_role("link", name="Alerts").click()
    question.get_by_role("button", name="Keep editing").click()
    expect(page.locator("nav [aria-current]")).to_have_text("Set up")
    expect(page.locator("#parts li")).to_have_count(1)
    with page.expect_event("dialog") as asked:
        page.close(run_before_unload=True)
    assert asked.value.type == "beforeunload"
    asked.value.dismiss()
    page.get_by_role("link", name="Alerts").click()
    question.get_by_role("button", name="Discard").click()
    expect(page.locator("nav [aria-current]")).to_have_text("Alerts")
    page.get_by_role("link", name="Set up").click()
    expect(page.locator("#parts li")).to_have_count(0)


@pytest.mark.parametrize(
    ("path", "is_lost_before", "said", "is_saved"),
    [
        ("report", True, "Saved", True),
        ("area", True, "Possibly not saved: ", False),
        ("area", False, "Possibly not saved: ", True),
    ],
)
def test_what_is_saved_is_said_whatever_is_lost_on_the_way(
    start: Start,
    context: BrowserContext,
    path: str,
    is_lost_before: bool,
    said: str,
    is_saved: bool,
) -> None:
    daemon = start()
    page, _ = _open(context, daemon)
    _is_live(page)
    _set_up(page)
    page.get_by_role("button", name="Add a region").click()
    _click(page, ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9), (0.1, 0.1)))

    def lose(route: Route) -> None:
        if not is_lost_before:
            route.fetch()
        route.abort()

    page.route(f"**/{path}", lose)
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#hint")).to_contain_text(said)
    page.unroute_all(behavior="ignoreErrors")
    assert (daemon.folder / "state" / "area.json").exists() == is_saved


CAMERA = {
    "code": "camera-lost",
    "text": "The camera gives no picture: no frame for 5 s",
    "fix": "Check its power.",
    "since": "2026-11-28T08:38:00Z",
    "severity": "fault",
}
POWER = CAMERA | {"code": "power-weak", "text": "Weak power", "severity": "hint"}


@pytest.mark.parametrize(
    ("known", "level", "pill", "banner"),
    [
        ({"account": None}, "unknown", "Connecting", ""),
        ({}, "well", "Watching", ""),
        ({"troubles": [POWER]}, "hint", "Watching", r"Weak power \(since"),
        ({"troubles": [POWER], "paused_for_s": 60}, "hint", "Paused", r"Weak power \(since"),
        (
            {"troubles": [CAMERA | {"code": "page-down"}, POWER]},
            "fault",
            "1 problem",
            "since",
        ),
        (
            {"troubles": [POWER, CAMERA], "camera": {"state": "lost"}, "isStale": True},
            "fault",
            "No picture",
            "No picture since .*: no frame for 5 s. Check its power.",
        ),
        (
            {
                "troubles": [CAMERA | {"code": "camera-refused"}],
                "camera": {"state": "lost"},
                "isStale": True,
            },
            "fault",
            "No picture",
            "no frame for 5 s. Check its power.",
        ),
        ({"isStale": True}, "fault", "No picture", "No picture since .* sends no picture"),
        ({"isStale": True, "lastAt": None}, "well", "Watching", ""),
        ({"isStale": True, "paused_for_s": 60}, "well", "Watching", ""),
        (
            {"lost": {"kind": "network"}, "isStale": True},
            "fault",
            "No connection",
            "No picture since .*: this page cannot reach the device.*Check the power",
        ),
        (
            {"lost": {"kind": "service"}, "account": None, "isStale": True},
            "fault",
            "No connection",
            "the service is not responding.*systemctl status tensormask",
        ),
    ],
)
def test_the_verdict_has_its_cause_and_fix(
    context: BrowserContext, known: dict[str, object], level: str, pill: str, banner: str
) -> None:
    account: dict[str, object] = {
        "troubles": [],
        "camera": {"state": "running"},
        "paused_for_s": None,
    }
    account |= {key: known[key] for key in account if key in known}
    state: dict[str, object] = {
        "account": account,
        "lost": None,
        "isStale": False,
        "lastAt": "2026-11-28T08:38Z",
    }
    state |= {key: known[key] for key in state if key in known}
    context.route("**/*", lambda route: route.fulfill(path=FILES / _file_of(route.request.url)))
    page = context.new_page()
    page.goto("http://localhost/login.html")
    found = page.evaluate("async (known) => (await import('/verdict.js')).verdict(known)", state)
    said = f"{found.get('headline', '')} {found.get('detail', '')}"
    assert (found["level"], found["pill"]) == (level, pill)
    assert re.search(banner, said) if banner else "headline" not in found


def _file_of(url: str) -> str:
    return url.rpartition("/")[2]


def test_the_ruler_lies_over_nobodys_face_and_only_while_setting_up(
    unchanged: Daemon, context: BrowserContext
) -> None:
    page, _ = _open(context, unchanged)
    _is_live(page)
    expect(page.locator(".tag.ruler")).to_have_count(0)
    _set_up(page)
    expect(page.locator(".tag.ruler")).to_have_text("A face of 24 px")
    for px in (8, 40, 80):
        page.locator("#ruler").fill(str(px))
        expect(page.locator(".tag.ruler")).to_have_text(f"A face of {px} px")
        is_clear = page.evaluate(
            """() => {
              const [ruler, ...faces] = ["ruler", "box"].flatMap((name) =>
                [...document.querySelectorAll(`#overlay .casing.${name}`)].map((e) => e.getBBox()));
              return faces.every((face) => ruler.x + ruler.width < face.x
                || face.x + face.width < ruler.x || ruler.y + ruler.height < face.y
                || face.y + face.height < ruler.y);
            }"""
        )
        assert is_clear


def _click(page: Page, corners: Sequence[tuple[float, float]]) -> None:
    """Click on the picture, at fractions of it, once nothing moves it any more."""
    page.wait_for_function(
        """() => {
            const overlay = document.querySelector("#overlay");
            const place = JSON.stringify(overlay.getBoundingClientRect());
            const is_still = place === window.place_before;
            window.place_before = place;
            return is_still;
        }""",
        polling=200,
    )
    for x, y in corners:
        box = page.locator("#overlay").bounding_box()  # a banner may come between two of them
        assert box is not None
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])


def _is_gray(page: Page) -> None:
    """Assert that nothing on the page looks live."""
    expect(page.locator("#banner")).to_contain_text("No picture since")
    expect(page.locator("#stage")).to_have_class("stale")
    expect(page.locator(".tag.person")).to_have_count(0)
    expect(page.locator("#overlay .box")).to_have_count(0)
    expect(page.locator("#count")).to_have_text("–")
    expect(page.locator("#health")).not_to_contain_text("frames/s")


def test_without_the_daemon_no_picture_looks_live_until_it_is_back(
    start: Start, context: BrowserContext
) -> None:
    daemon = start()
    page, _ = _open(context, daemon)
    _is_live(page)
    daemon.stop()
    _is_gray(page)
    expect(page.locator("#verdict")).to_have_text("No connection")
    expect(page.locator("#caption")).to_contain_text("Last picture, ")
    daemon.log.write_text("")
    daemon.start()
    expect(page.locator("#banner")).not_to_contain_text("No picture")
    _is_live(page)


def test_a_lost_camera_is_gray_for_this_viewer_and_the_next(
    start: Start, context: BrowserContext, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "people.avi", [*frames(20, 5)], 5, codec="XVID")
    with serving(encoded_frames(clip) * 2, falls_silent=True, every_s=0.2) as camera:
        daemon = start(source=f"rtsp://127.0.0.1:{camera.port}/door")
        page, _ = _open(context, daemon)
        _is_live(page, people=3)
        camera.shutdown()
        camera.server_close()
        camera.over.set()
        for viewer in (page, _open(context, daemon)[0]):
            _is_gray(viewer)
            expect(viewer.locator("#verdict")).to_have_text("No picture")
            expect(viewer.locator("#banner")).to_contain_text(f"rtsp://127.0.0.1:{camera.port}")
            expect(viewer.locator("#banner")).to_contain_text("Check its power and its cable")


def test_a_camera_that_is_back_is_shown_before_another_report_is_due(
    start: Start, context: BrowserContext
) -> None:
    def says_lost(route: Route) -> None:
        answer = route.fetch()
        account = answer.json()
        account["camera"]["state"] = "lost"
        route.fulfill(response=answer, json=account)

    # The first report says that it is lost, and no further one is ever due.
    context.route("**/report", says_lost, times=1)
    context.add_init_script(
        "const later = setTimeout;"
        "setTimeout = (run, ms, ...rest) => (ms === 2000 ? 0 : later(run, ms, ...rest));"
    )
    page, _ = _open(context, start())
    expect(page.locator("#device")).to_have_text("door-1")
    _is_live(page)


def test_a_covered_camera_is_not_called_sharp(
    start: Start, context: BrowserContext, tmp_path: Path
) -> None:
    noise = np.random.default_rng(1).integers(38, 44, (20, 360, 640, 3), np.uint8)
    page, _ = _open(context, start(source=write_clip(tmp_path / "covered.avi", [*noise], 10)))
    expect(page.locator("#banner")).to_contain_text("covered")
    expect(page.locator("#view")).to_have_text("covered")
    page.get_by_role("link", name="Set up").click()
    expect(page.locator("#sharpness")).to_have_text("unknown: covered")
    expect(page.locator("#light")).to_contain_text("covered")


def test_the_chart_says_its_days_and_shows_what_was_not_watched(
    start: Start, context: BrowserContext, tmp_path: Path
) -> None:
    (tmp_path / "state").mkdir()
    present = int(time.time()) // 3600
    hour = {"began": present - 1, "watched_s": 3600, "masked": 8, "bare": 1, "worn_wrongly": 1}
    (tmp_path / "state" / "history.json").write_text(json.dumps({"hours": [hour]}))
    page, _ = _open(context, start())
    # As over MQTT: 8 of 9, not of 10.
    expect(page.locator("#rate")).to_have_text("89 %")
    expect(page.locator("#interval")).to_contain_text("of 9 with or without a mask; 95 % interval")
    # All hours but the one before this one were not watched, or not yet.
    expect(page.locator("#chart .unwatched")).to_have_count(23)
    labels = page.locator("#chart text").all_text_contents()
    assert [each for each in labels if re.fullmatch(r"\d\d:00", each)]
    assert [each for each in labels if re.fullmatch(r"\w{3} \d{1,2} \w{3,4}", each)]
    page.get_by_role("button", name="30 days").click()
    expect(page.locator("#visits-title")).to_have_text("Visits by day")
    labels = page.locator("#chart text").all_text_contents()
    assert [each for each in labels if re.fullmatch(r"\d{1,2} \w{3,4}", each)]
    expect(page.locator("#rate")).to_have_text("89 %")


def test_where_nothing_is_recorded_counts_begin_with_the_start(
    start: Start, context: BrowserContext
) -> None:
    page, _ = _open(context, start("\n[history]\nenabled = false\n"))
    expect(page.locator("#watched")).to_contain_text("Counts begin with the start")
    page.get_by_role("link", name="Alerts").click()
    expect(page.locator("#alerts-title")).to_have_text("Alerts since the start")


def test_it_is_served_below_a_path_by_a_proxy(start: Start, context: BrowserContext) -> None:
    daemon = start()
    elsewhere: list[str] = []

    def forward(route: Route) -> None:
        path = route.request.url.partition("/door-1/")[2]
        if f"{daemon.url}/door-1/" not in route.request.url:
            elsewhere.append(route.request.url)
        route.fulfill(response=route.fetch(url=f"{daemon.url}/{path}"))

    context.route("**/*", forward)
    page = context.new_page()
    page.goto(f"{daemon.url}/door-1/#setup")
    expect(page.locator("#device")).to_have_text("door-1")
    _is_live(page)
    page.get_by_role("link", name="Live").click()
    expect(page.locator(".mark")).to_be_visible()
    assert elsewhere == []
    context.unroute_all(behavior="ignoreErrors")


@pytest.mark.parametrize(
    ("host", "warns"), [("http://door.example", True), ("https://door.example", False)]
)
def test_a_password_that_others_could_read_is_warned_of(
    start: Start, context: BrowserContext, tmp_path: Path, host: str, warns: bool
) -> None:
    secret = tmp_path / "password"
    secret.touch(0o600)
    secret.write_text("open sesame\n")
    daemon = start(f'password_file = "{secret}"')
    page, _ = _open(context, daemon)
    expect(page.get_by_label("Password")).to_be_visible()
    expect(page.locator("#insecure")).to_be_hidden()

    def forward(route: Route) -> None:
        path = route.request.url.removeprefix(f"{host}/")
        route.fulfill(response=route.fetch(url=f"{daemon.url}/{path}"))

    context.route(f"{host}/**", forward)
    page.goto(f"{host}/login")
    expect(page.locator("#insecure")).to_be_visible(visible=warns)
    context.unroute_all(behavior="ignoreErrors")


def test_only_the_password_opens_it_and_guessing_is_slow(
    start: Start, context: BrowserContext, tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    secret.touch(0o600)
    secret.write_text("open sesame\n")
    daemon = start(f'password_file = "{secret}"')
    page, _ = _open(context, daemon)
    expect(page).to_have_url(re.compile("/login$"))
    for _ in range(4):
        page.get_by_label("Password").fill("sesame")
        page.get_by_role("button", name="Log in").click()
        expect(page.locator("#error")).to_have_text("this is not the password")
        page.get_by_label("Password").fill("")
        page.locator("#error").evaluate("element => { element.textContent = '' }")
    page.get_by_role("button", name="Log in")
    page.get_by_label("Password").fill("open sesame")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#error")).to_contain_text("too many attempts; wait")
    shoot(page, "login")
    # The right password ends the wait of its address, as soon as it is looked at.
    until(lambda: _enter(daemon, "open sesame") == 204, "the wait is over")
    page.get_by_role("button", name="Log in").click()
    _is_live(page)
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(re.compile("/login$"))
    assert context.request.get(f"{daemon.url}/report").status == 401


def _enter(daemon: Daemon, password: str) -> int:
    """Return the status of the answer to a password that no browser has sent."""
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=20)
    connection.request("POST", "/login", json.dumps(password), {"Origin": daemon.url})
    status = connection.getresponse().status
    connection.close()
    return status
