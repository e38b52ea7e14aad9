from __future__ import annotations

import http.server
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.commands.refusal import refusal
from edge.release import surroundings
from edge.release.surroundings import Surroundings

SETTINGS = """
[mqtt]
host = "127.0.0.1"
port = {broker}
[page]
enabled = {enabled}
port = {page}
"""


class Page(http.server.BaseHTTPRequestHandler):
    """Answers the one question that nobody needs a password for."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 401)
        self.end_headers()
        self.wfile.write(b'{"state":"ok"}')

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def written(path: Path, *, broker: int = 1, page: int = 8080, enabled: bool = True) -> Surroundings:
    text = SETTINGS.format(broker=broker, page=page, enabled=str(enabled).lower())
    path.write_text(text)
    return Surroundings(path, refusal)


def test_a_page_answers_and_one_that_has_ended_does_not(tmp_path: Path) -> None:
    with serving() as port:
        around = written(tmp_path / "settings.toml", broker=port, page=port)
        assert around.page_answers()
        assert around.broker_answers()
        assert not written(tmp_path / "off.toml", page=port, enabled=False).page_answers()
    assert not around.page_answers()
    assert not around.broker_answers()


def test_a_page_that_listens_and_says_nothing_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surroundings, "REACH_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        around = written(tmp_path / "settings.toml", page=silent.getsockname()[1])
        assert not around.page_answers()


def test_settings_are_looked_at_again_each_time(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    around = written(path)
    before = around.settings()
    assert before != ""
    assert not around.settings_refused()
    path.write_text("[mqtt]\nhots = 1\n")
    assert around.settings() not in ("", before)
    assert around.settings_refused()
    path.unlink()
    assert around.settings() == ""
    assert around.settings_refused()


def process(proc: Path, *, ran_ticks: int, waited_ns: int) -> None:
    (proc / "7").mkdir(exist_ok=True)
    (proc / "7/schedstat").write_text(f"123 {waited_ns} 4\n")
    fields = ["S", *["0"] * 10, str(ran_ticks), "0", *["0"] * 30]
    (proc / "7/stat").write_text(f"7 (a) b) {' '.join(fields)}\n")


def test_who_waits_for_the_processor_is_starved_unless_it_takes_it_all_itself(
    tmp_path: Path,
) -> None:
    around = Surroundings(tmp_path / "settings.toml", refusal, tmp_path)
    assert not around.is_starved(7)
    process(tmp_path, ran_ticks=0, waited_ns=0)
    assert not around.is_starved(7)
    process(tmp_path, ran_ticks=0, waited_ns=10**15)
    assert around.is_starved(7)
    process(tmp_path, ran_ticks=0, waited_ns=10**15)
    assert not around.is_starved(7)
    process(tmp_path, ran_ticks=10**9, waited_ns=2 * 10**15)
    assert not around.is_starved(7)


def test_a_real_process_is_read(tmp_path: Path) -> None:
    around = Surroundings(tmp_path / "settings.toml", refusal)
    assert not around.is_starved(os.getpid())
    assert os.getpid() in around._before
