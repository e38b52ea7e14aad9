"""What it costs to reach people and their systems: the service with nothing of it, each, and all.

    python -m tools.extras [SECONDS]

A clip of a man without a mask, repeated, a broker and a server for webhooks; the page is enabled in
each row. All rows run on one machine, in turns of SECONDS each, so compare them with one another.
"""

# A measurement speaks on standard output.
# ruff: noqa: T201

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import Request, urlopen

from tests.broker.conftest import Mosquitto
from tests.page.conftest import Daemon
from tools.fleet.simulation import cpu_s, rss_mb

TURNS = 3
SETTLE_S = 4.0
SCRAPE_EVERY_S = 5.0
TOKEN = "0123456789abcdef0123"
SECTIONS = {
    "home assistant": "[home_assistant]\nenabled = true\n",
    "metrics": '[metrics]\nenabled = true\ntoken_file = "{token}"\n',
    "notifications": (
        '[[notify]]\nname = "hook"\nkind = "webhook"\npause_s = 0.0\n'
        'url = "http://127.0.0.1:{hook}/"\n'
    ),
    "station and sign": (
        '[station]\nenabled = true\n[sign]\nenabled = true\ntoken_file = "{token}"\n'
    ),
    "lamps": "[signal]\nenabled = true\nred_pin = 17\n",
}
ROWS = {"nothing": (), **{name: (name,) for name in SECTIONS}, "all": tuple(SECTIONS)}


class Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


class Scraper(threading.Thread):
    """Asks for the metrics, as a Prometheus does."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._request = Request(
            f"http://127.0.0.1:{port}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}
        )
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(SCRAPE_EVERY_S):
            with urlopen(self._request, timeout=20) as answer:
                answer.read()


def measured(folder: Path, broker: Mosquitto, text: str, seconds: float) -> tuple[float, ...]:
    """Return the daemon's share of a core in %, its memory in MB, and judged frames a second."""
    daemon = Daemon(folder, text, broker_port=broker.port)
    scraper = Scraper(daemon.port) if "[metrics]" in text else None
    try:
        if scraper is not None:
            scraper.start()
        time.sleep(SETTLE_S)
        begun_s, before_s = time.monotonic(), cpu_s(daemon.process.pid)
        time.sleep(seconds)
        passed_s = time.monotonic() - begun_s
        share = 100 * (cpu_s(daemon.process.pid) - before_s) / passed_s
        with urlopen(f"{daemon.url}/report", timeout=20) as answer:
            judged = float(json.load(answer)["fps"])
        return share, rss_mb(daemon.process.pid), judged
    finally:
        if scraper is not None:
            scraper.over.set()
            scraper.join()
        daemon.kill()


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    hook = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in ROWS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        token = folder / "token"
        token.touch(0o600)
        token.write_text(f"{TOKEN}\n")
        broker = Mosquitto("/usr/sbin/mosquitto", folder)
        try:
            for turn in range(TURNS):
                for row, parts in ROWS.items():
                    text = "".join(SECTIONS[part] for part in parts)
                    text = text.replace("{token}", str(token))
                    text = text.replace("{hook}", str(hook.server_port))
                    place = folder / f"{turn}-{row.replace(' ', '-')}"
                    place.mkdir()
                    found[row].append(measured(place, broker, text, seconds))
        finally:
            broker.stop()
    print(f"{'':18}{'% of a core':>14}{'MB':>8}{'judged/s':>10}   medians of {TURNS} turns")
    for row, turns in found.items():
        share, memory, judged = (statistics.median(each) for each in zip(*turns, strict=True))
        print(f"{row:18}{share:14.1f}{memory:8.0f}{judged:10.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
