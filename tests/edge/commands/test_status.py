from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from edge.commands.status import how_to_start, in_words, lines, status_of
from edge.conditions import Code, Severity
from edge.errors import ConfigError
from edge.release.observed import ServiceState
from edge.telemetry import PageState
from tests.broker.conftest import free_port
from tests.edge.samples import IN_USE, TELEMETRY

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


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (ServiceState("activating", "start-pre", "success", 0, 0, ""), "is starting"),
        (ServiceState("activating", "auto-restart", "signal", 9, 1, ""), "about to be restarted"),
        (ServiceState("inactive", "dead", "success", 0, 0, "", has_job=True), "is starting"),
        (ServiceState("failed", "failed", "signal", 9, 0, "", has_job=True), "is starting"),
        (ServiceState("deactivating", "stop-sigterm", "success", 0, 0, ""), "stopped or restarted"),
        (ServiceState("reloading", "reload", "success", 0, 0, ""), "is reloading; ask again"),
        (ServiceState("failed", "failed", "exit-code", 78, 0, ""), "has failed"),
        (ServiceState("inactive", "dead", "success", 0, 0, ""), "is not running; start it"),
    ],
)
def test_what_systemd_does_with_a_service_that_reports_nothing(
    tmp_path: Path, state: ServiceState, said: str
) -> None:
    config = tmp_path / "door.toml"
    config.write_text('[mqtt]\nhost = "broker"\n')
    assert said in in_words(state, config)


def test_a_page_that_does_not_answer_is_a_fault_with_the_command_that_says_more() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    status = status_of(replace(TELEMETRY, page=PageState(url)), NO_SETTINGS)
    (fault,) = (each for each in status.troubles if each.code is Code.PAGE_DOWN)
    assert fault.text == f"the page is not served: {url} does not answer: Connection refused"
    said = (
        f"sudo ss -ltnp 'sport = :{url.rpartition(':')[2]}'; another [page] port; "
        "journalctl -u tensormask -u tensormask-page -n 30"
    )
    assert f"         fix: {said}" in [*lines(status)]
    assert not status.is_well
    assert not [line for line in lines(status) if line.startswith("page")]


def test_a_page_that_waits_for_the_service_at_its_start_is_no_fault() -> None:
    page = PageState(f"http://127.0.0.1:{free_port()}")
    status = status_of(replace(TELEMETRY, uptime_s=4.0, page=page), NO_SETTINGS)
    assert [each.code for each in status.troubles] == [Code.JUST_STARTED]
    assert status.is_well


def test_settings_that_others_may_not_see_are_said_not_to_be_looked_at(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(0o700)
    config = closed / "tensormask.toml"
    config.touch()
    used = replace(IN_USE, settings=str(config))
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    else:
        closed.chmod(0)
    try:
        status = status_of(replace(TELEMETRY, in_use=used), config)
    finally:
        os.seteuid(before)
        closed.chmod(0o700)
    assert status.is_well
    assert [*lines(status)][-3:] == [
        f"unknown  {config} cannot be read: Permission denied",
        "         fix: see whether it was changed since the start: sudo tensormask status",
        "all is well",
    ]


def test_settings_that_are_not_the_services_are_not_passed_over(tmp_path: Path) -> None:
    own, other = tmp_path / "own.toml", tmp_path / "other.toml"
    now = replace(TELEMETRY, in_use=replace(IN_USE, settings=str(own)))
    with pytest.raises(ConfigError, match=f"other.toml: No such file.* was started with {own}"):
        status_of(now, other)
    (gone,) = status_of(now, own).troubles
    assert gone.text == f"{own} is missing: the service cannot be started again without it"
    other.touch()
    (hint,) = status_of(now, other).troubles
    assert hint.text == f"the service was started with {own}, not with {other}"
    assert hint.severity is Severity.HINT


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
    assert how_to_start(file) == f"is not running; {start}"
    file.write_text('[mqtt]\nhost = ""\n')
    reason = f"{file}: [mqtt] host: must not be empty; name the broker"
    assert how_to_start(file) == f"is not running: {reason}; then {start}"

    def forbidden(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)  # root may read whatever there is
    lacks = "see what it lacks: sudo tensormask check"
    assert how_to_start(file) == f"is not running; {lacks}; then {start}"


def test_the_plan_is_named_where_the_service_says_it() -> None:
    for plan, said in (("full", ", plan full"), ("", "")):
        status = status_of(replace(TELEMETRY, plan=plan), NO_SETTINGS)
        (camera,) = (line for line in lines(status) if line.startswith("camera"))
        assert camera.endswith(f"judged a second{said}")
