"""Make docs/page.png: the page in a real browser, before the real service and drawn people."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import cv2
from playwright.sync_api import expect, sync_playwright

from deploy.demo.__main__ import embedded_broker
from tests.page.conftest import Daemon
from tests.page.people import HEIGHT_PX, WIDTH_PX, frames

FILE = Path(__file__).resolve().parents[2] / "docs" / "page.png"
FPS = 10
LENGTH_S = 4
VIEW = {"width": 1180, "height": 700}


def write_clip(path: Path) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (WIDTH_PX, HEIGHT_PX))
    for pixels in frames(LENGTH_S * FPS, FPS):
        writer.write(pixels)
    writer.release()


def main() -> int:
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("no browser here; get: sudo apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        clip = Path(folder) / "people.avi"
        write_clip(clip)
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
