"""What viewers of the page cost: processor, memory and judged frames, with 0, 1, 5 and 20 of them.

    python -m tools.viewers [SECONDS]

Each viewer asks as the page's script does: for the next scene as soon as it has one, for the report
every two seconds. All run on one machine, so compare the rows of one run.
"""

# A measurement speaks on standard output.
# ruff: noqa: T201

from __future__ import annotations

import http.client
import json
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.page.conftest import Daemon
from tools.fleet.simulation import cpu_s, rss_mb

VIEWERS = (0, 1, 5, 20)
SETTLE_S = 3.0
REPORT_EVERY_S = 2.0


class Viewer(threading.Thread):
    def __init__(self, port: int, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._stop_wanted = stop
        self.scenes = 0

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        report_s = 0.0
        number = 0
        while not self._stop_wanted.is_set():
            if time.monotonic() - report_s > REPORT_EVERY_S:
                report_s = time.monotonic()
                self._get(connection, "/report")
            content = self._get(connection, f"/scene?after={number}")
            if content:
                size = int.from_bytes(content[:4], "big")
                number = json.loads(content[4 : 4 + size])["number"]
                self.scenes += 1
        connection.close()

    @staticmethod
    def _get(connection: http.client.HTTPConnection, path: str) -> bytes:
        connection.request("GET", path)
        return connection.getresponse().read()


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(Path(folder))
        assert daemon.server is not None
        pids = {"daemon": daemon.process.pid, "page": daemon.server.pid}
        print(
            "viewers   daemon % of a core   page %   daemon MB   page MB   judged/s   scenes/s each"
        )
        try:
            for count in VIEWERS:
                stop = threading.Event()
                viewers = [Viewer(daemon.port, stop) for _ in range(count)]
                for viewer in viewers:
                    viewer.start()
                time.sleep(SETTLE_S)
                begun_s, before = time.monotonic(), {name: cpu_s(pid) for name, pid in pids.items()}
                scenes = sum(viewer.scenes for viewer in viewers)
                time.sleep(seconds)
                passed_s = time.monotonic() - begun_s
                shares = {
                    name: 100 * (cpu_s(pid) - before[name]) / passed_s for name, pid in pids.items()
                }
                scenes = sum(viewer.scenes for viewer in viewers) - scenes
                connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=20)
                fps = json.loads(Viewer._get(connection, "/report"))["fps"]
                connection.close()
                print(
                    f"{count:7}   {shares['daemon']:18.1f}   {shares['page']:6.1f}   "
                    f"{rss_mb(pids['daemon']):9.0f}   {rss_mb(pids['page']):7.0f}   {fps:8.1f}   "
                    f"{scenes / passed_s / max(1, count):13.1f}",
                    flush=True,
                )
                stop.set()
                for viewer in viewers:
                    viewer.join()
        finally:
            daemon.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())
