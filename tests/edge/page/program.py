"""The page's program itself, as systemd starts it, before a daemon's listener without a camera."""

from __future__ import annotations

import subprocess
import sys
import threading
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from edge.advice import AdviceBoard
from edge.config import MetricsSettings, SignSettings
from edge.host.web import trouble_with
from edge.page.signpost import Signpost
from edge.page.wire import SIGN_SOCKET, SOCKET
from edge.records import Advice
from tests.broker.conftest import free_port
from tests.edge.page.test_listener import started
from tests.waiting import DEADLINE_S, until

PASSWORD = "open sesame"


class Program:
    """`python -m edge.page`, and whom it asks."""

    def __init__(
        self,
        folder: Path,
        metrics: MetricsSettings | None = None,
        sign: SignSettings | None = None,
        **settings: Any,
    ) -> None:
        """`settings` are those of the section [page]."""
        self.port = free_port()
        self.listener = started(folder, metrics, sign, port=self.port, **settings)
        scheme = "https" if "certificate_file" in settings else "http"
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self._folder = folder
        self._log = folder / "log"
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.process = self.another()
        until(lambda: trouble_with(self.url) == "", f"it answers: {self.log}")

    def another(self) -> subprocess.Popen[bytes]:
        """Return one more for the same daemon."""
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "edge.page", "--daemon", self._folder / SOCKET],
                stdout=log,
                stderr=log,
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def ask(
        self, method: str, path: str, body: bytes = b"", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and content of the answer; of headers of one name, all in one."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        told: dict[str, str] = {}
        for name, value in answer.getheaders():
            name = name.lower()
            told[name] = f"{told[name]}; {value}" if name in told else value
        content = answer.read()
        connection.close()
        return answer.status, told, content

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.kill()
        self.listener.close()


def password_file(folder: Path) -> str:
    """Return the path of one with PASSWORD."""
    path = folder / "password"
    path.touch(0o600)
    path.write_text(f"{PASSWORD}\n")
    return str(path)


class Sign:
    """A page with a sign, and the board of a station that the test writes on."""

    def __init__(
        self,
        folder: Path,
        sign: SignSettings,
        *,
        is_station: bool = True,
        **settings: Any,
    ) -> None:
        """`settings` are those of the section [page]."""
        self.board = AdviceBoard()
        self._advice = Advice.CLOSED
        self.post = Signpost(sign, self.board, folder / SIGN_SOCKET, is_station=is_station)
        self.post.start()
        self.program = Program(folder, sign=sign, **settings)
        self.url = f"{self.program.url}/sign"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._judge, daemon=True)
        self._thread.start()

    def say(self, advice: Advice) -> None:
        """Have it judged so from now on."""
        self._advice = advice
        self.board.post(advice)

    def _judge(self) -> None:
        """Confirm the advice, as each judged frame does."""
        while not self._stop.wait(0.1):
            self.board.post(self._advice)

    def hang(self) -> None:
        """Judge nothing more."""
        self._stop.set()

    def close(self) -> None:
        self.hang()
        self.program.close()
        self.post.close()
