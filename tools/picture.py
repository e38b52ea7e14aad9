"""Make docs/page.png and docs/page-reports.png: the page in a real browser, with the real service
and drawn people."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Route, expect, sync_playwright

from edge.conditions import Code
from tools.views import SHIFTS, daemon, reported

DOCS = Path(__file__).resolve().parents[1] / "docs"
CLOCK = Code.CLOCK_UNSYNCHRONISED
VIEW = {"width": 1280, "height": 1030}


def main() -> int:
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("no browser here; install it: sudo apt-get install chromium")
    expect.set_options(timeout=60_000)
    with daemon(page=SHIFTS, has_area=True) as running, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport=VIEW, color_scheme="light")  # type: ignore[arg-type]
        page.route(re.compile(r"/report(\?.*)?$"), _with_a_clock)
        page.goto(running.url)
        expect(page.locator(".tag.person")).to_have_count(3)
        expect(page.locator(".tag.outside")).to_have_count(1)
        expect(page.locator("#recent li").first).to_contain_text("Still there")
        expect(page.locator("#verdict")).to_have_text("Watching")
        expect(page.locator("#caption")).to_be_empty()
        page.screenshot(path=DOCS / "page.png")
        page.get_by_role("link", name="Reports").click()
        reported(page)
        page.screenshot(path=DOCS / "page-reports.png")
        page.unroute_all(behavior="ignoreErrors")
        browser.close()
    return 0


def _with_a_clock(route: Route) -> None:
    """Leave out that the machine on which the picture is made follows no time server."""
    answer = route.fetch()
    account = answer.json()
    account["troubles"] = [each for each in account["troubles"] if each["code"] != CLOCK]
    route.fulfill(response=answer, json=account)


if __name__ == "__main__":
    sys.exit(main())
