"""The page's program as a process: how it ends, is started again, and what its sockets are."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable
from contextlib import ExitStack
from http.client import HTTPSConnection
from pathlib import Path

from edge.host.web import trouble_with
from edge.page.__main__ import BUSY
from tests.edge.page.program import Program
from tests.waiting import DEADLINE_S

MOST_BYTES = 100e6


def test_one_that_was_killed_can_be_started_again(start: Callable[..., Program]) -> None:
    page = start()
    page.kill()
    assert trouble_with(page.url) != ""
    page.start()
    assert page.ask("GET", "/report")[0] == 200


def test_it_ends_for_a_daemon_that_wants_it_served_otherwise(
    start: Callable[..., Program], tmp_path: Path
) -> None:
    page = start()
    page.listener.close()
    another = Program(tmp_path)  # of another port
    assert page.process.wait(DEADLINE_S) == 0
    another.close()


def test_a_port_that_is_taken_is_said(page: Program) -> None:
    assert page.another().wait(DEADLINE_S) == BUSY
    line = f"[page] 127.0.0.1 port {page.port}: Address already in use"
    assert line in page.log.splitlines()


def test_it_speaks_tls_and_handshakes_that_do_not_end_shut_nobody_out(
    start: Callable[..., Program], certificate: tuple[Path, Path]
) -> None:
    own, key = certificate
    page = start(certificate_file=str(own), key_file=str(key))
    trusting = ssl.create_default_context(cafile=str(own))
    connection = HTTPSConnection("localhost", page.port, context=trusting)
    connection.request("GET", "/report")
    answer = connection.getresponse()
    assert answer.status == 200
    assert "max-age" in (answer.getheader("Strict-Transport-Security") or "")
    connection.close()
    with ExitStack() as stack:
        for _ in range(1000):  # ten times as many as there may be
            stack.enter_context(socket.create_connection(("127.0.0.1", page.port)))
        assert trouble_with(page.url) == ""
        assert _rss_bytes(page) < MOST_BYTES


def _rss_bytes(page: Program) -> int:
    pages = Path(f"/proc/{page.process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
