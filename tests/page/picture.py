"""Make docs/page.png: the page in a real browser, before the real service and drawn people."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from deploy.demo.__main__ import embedded_broker
from tests.edge.capture.fakes import write_clip
from tests.page.conftest import Daemon
from tests.page.people import frames

FILE = Path(__file__).resolve().parents[2] / "docs" / "page.png"
FPS = 10
LENGTH_S = 4
VIEW = {"width": 1180, "height": 700}


def main() -> int:
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("no browser here; get: sudo apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        clip = write_clip(Path(folder) / "people.avi", [*frames(LENGTH_S * FPS, FPS)], FPS)
        daemon = Daemon(Path(folder), source=clip, broker_port=embedded_broker().broker_port)
        try:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport=VIEW, color_scheme="light")  # type: ignore[arg-type]
            page.set_default_timeout(30_000)
            page.goto(daemon.url)
            expect(page.locator(".box")).to_have_count(3, timeout=30_000)
            expect(page.locator("#told li")).to_contain_text("no mask", timeout=30_000)
            expect(page.locator("#verdict")).to_have_text("all is well", timeout=30_000)
            page.screenshot(path=FILE)
            browser.close()
        finally:
            daemon.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())
