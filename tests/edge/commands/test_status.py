from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from edge.commands.status import how_to_start, lines, status_of
from edge.conditions import Code, Severity
from edge.telemetry import PageState
from tests.broker.conftest import free_port
from tests.edge.samples import TELEMETRY

NO_SETTINGS = Path("/nowhere/tensormask.toml")


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        content = b'{"status":"ok"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def page() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_page_that_answers_is_named(page: str) -> None:
    status = status_of(replace(TELEMETRY, page=PageState(page)), NO_SETTINGS)
    assert f"page     {page}" in [*lines(status)]
    assert Code.PAGE_DOWN not in [each.code for each in status.troubles]


def test_a_page_that_does_not_answer_is_a_fault_with_the_command_that_says_more() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    status = status_of(replace(TELEMETRY, page=PageState(url)), NO_SETTINGS)
    (fault,) = (each for each in status.troubles if each.code is Code.PAGE_DOWN)
    assert fault.text == f"the page is not served: {url} does not answer: Connection refused"
    assert "         fix: journalctl -u tensormask-page -n 30; journalctl -u tensormask -n 30" in [
        *lines(status)
    ]
    assert not status.is_well
    assert not [line for line in lines(status) if line.startswith("page")]


def test_a_service_that_has_just_started_is_not_called_well_yet() -> None:
    status = status_of(replace(TELEMETRY, uptime_s=0.4, frames=1), NO_SETTINGS)
    (hint,) = status.troubles
    assert (hint.code, hint.severity) == (Code.JUST_STARTED, Severity.HINT)
    assert hint.text.startswith("started 0 s ago: ")
    assert status.is_well  # nothing is wrong, and so the exit status is 0
    assert "all is well" not in [*lines(status)]
    assert [*lines(status_of(replace(TELEMETRY, uptime_s=10.0), NO_SETTINGS))][-1] == "all is well"


def test_what_the_daemon_knows_of_its_page_is_said_once() -> None:
    state = PageState("http://127.0.0.1:1", "the password is too short")
    status = status_of(replace(TELEMETRY, page=state), NO_SETTINGS)
    (fault,) = (each for each in status.troubles if each.code is Code.PAGE_DOWN)
    assert fault.text == "the page is not served: the password is too short"


def test_a_service_that_lacks_something_is_not_just_to_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = "start it: sudo systemctl start tensormask"
    file = tmp_path / "door.toml"
    file.write_text('[mqtt]\nhost = "broker"\n')
    assert how_to_start(file) == f"does not run; {start}"
    file.write_text('[mqtt]\nhost = ""\n')
    reason = f"{file}: [mqtt] host: must not be empty; name the broker"
    assert how_to_start(file) == f"does not run: {reason}; then {start}"

    def forbidden(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)  # root may read whatever there is
    lacks = "see what it lacks: sudo tensormask check"
    assert how_to_start(file) == f"does not run; {lacks}; then {start}"
