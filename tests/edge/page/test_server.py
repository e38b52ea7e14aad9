"""The page's routes over HTTP, without a browser: the real program before a real listener."""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from edge.decide.policy import Decision
from edge.host.web import trouble_with
from edge.pipeline import FrameOutcome
from tests.edge.page.program import PASSWORD, Program
from tests.edge.page.test_listener import window_of
from tests.fakes import frame_at

NOBODY = FrameOutcome((), Decision())


def test_it_serves_its_files_and_the_daemons_report(page: Program) -> None:
    for path, kind in (
        ("/", "text/html"),
        ("/page.js", "text/javascript"),
        ("/page.css", "text/css"),
        ("/icon.svg", "image/svg+xml"),
        ("/health", "application/json"),
    ):
        status, headers, content = page.ask("GET", path)
        assert (status, headers["content-type"].partition(";")[0]) == (200, kind)
        assert content
    status, headers, content = page.ask("GET", "/report")
    assert (status, headers["session"]) == (200, "none")
    assert json.loads(content)["device"] == "door-1"


def test_an_area_is_drawn_and_undone(start: Callable[..., Program]) -> None:
    page = start()
    here = {"Origin": page.url}
    area = b'{"type": "Draw", "regions": [[[0, 0], [1, 0], [0.5, 1]]], "excluded": []}'
    for path, body, regions in (("/area", area, 1), ("/area/undo", b"", 0)):
        status, _, content = page.ask("POST", path, body, **here)
        assert (status, json.loads(content)["error"]) == (200, "")
        # Although the last report is not a second old.
        assert len(json.loads(page.ask("GET", "/report")[2])["area"]["regions"]) == regions


def test_a_test_of_notifications_is_for_the_page_only(page: Program) -> None:
    test = ("POST", "/notify/test")
    assert page.ask(*test)[0] == 403
    assert page.ask(*test, Origin="http://evil.example")[0] == 403
    status, _, content = page.ask(*test, Origin=page.url)
    assert (status, json.loads(content)["error"][:16]) == (200, "no notifications")


@pytest.mark.parametrize("visit", ["-1", "1001", "9" * 23])
def test_a_number_that_no_visit_has_is_refused(page: Program, visit: str) -> None:
    deed = f'{{"deed": {{"type": "LabelVisit", "visit": {visit}, "label": "bare"}}}}'
    status, _, content = page.ask("POST", "/labels", deed.encode(), Origin=page.url)
    assert (status, json.loads(content)["error"][:12]) == (400, "this is none")
    assert page.ask("GET", f"/labels/picture?visit={visit}&number={visit}")[0] == 404
    assert page.ask("GET", "/report")[0] == 200


def test_no_other_site_is_obeyed_or_shown_anything(page: Program) -> None:
    assert page.ask("GET", "/report")[0] == 200
    assert page.ask("GET", "/report", Host=f"evil.example:{page.port}")[0] == 421
    undo = ("POST", "/area/undo")
    assert page.ask(*undo)[0] == 403
    assert page.ask(*undo, Origin="http://evil.example")[0] == 403
    assert page.ask(*undo, Origin=page.url)[0] == 200
    status, headers, _ = page.ask("GET", "/")
    assert status == 200
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/area", b"", 400),
        ("/area", b"[" * 50_000, 400),
        ("/area", b"x" * 200_000, 400),
        ("/area", b'{"type": "Draw", "regions": [[[0, 0], [2, 2], [1, 0]]], "excluded": []}', 400),
        ("/scene/../../etc/passwd", b"", 404),
        ("/page.js", b"", 405),
    ],
)
def test_what_is_no_wish_is_refused(page: Program, path: str, body: bytes, status: int) -> None:
    assert page.ask("POST", path, body, Origin=page.url)[0] == status
    assert page.ask("GET", "/report")[0] == 200


def test_an_outline_that_crosses_itself_is_refused_by_the_daemon_too(page: Program) -> None:
    bow = b'{"type": "Draw", "regions": [[[0, 0], [1, 1], [1, 0], [0, 1]]], "excluded": []}'
    _, _, answer = page.ask("POST", "/area", bow, Origin=page.url)
    assert "region 1 crosses itself" in json.loads(answer)["error"]


@contextmanager
def _judging(page: Program) -> Iterator[None]:
    """Have the daemon judge frames, in which nobody is."""
    is_over = threading.Event()

    def judge() -> None:
        number = 0
        while not is_over.wait(0.02):
            window_of(page.listener).observers.show(frame_at(number / 50), NOBODY)
            number += 1

    judging = threading.Thread(target=judge)
    judging.start()
    yield
    is_over.set()
    judging.join()


def test_a_viewer_who_does_not_read_holds_up_nobody(
    page: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = b"a picture" * 20_000
    monkeypatch.setattr(page.listener.window, "take_picture", lambda frame, boxes: picture)
    with _judging(page), socket.create_connection(("127.0.0.1", page.port)) as slow:
        for number in range(50):
            slow.sendall(f"GET /scene?after={number} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        after = 0
        for _ in range(3):
            status, _, content = page.ask("GET", f"/scene?after={after}")
            (size,) = struct.unpack(">I", content[:4])
            scene = json.loads(content[4 : 4 + size])
            assert (status, content[4 + size :]) == (200, picture)
            assert scene["number"] > after
            after = scene["number"]


def test_only_the_password_opens_it_until_the_session_ends(guarded: Program) -> None:
    for path in ("/scene", "/report", "/page.js"):
        assert guarded.ask("GET", path)[0] == 401
    status, headers, _ = guarded.ask("GET", "/")
    assert (status, headers["location"]) == (303, "login")
    assert guarded.ask("GET", "/login")[0] == 200
    here = {"Origin": guarded.url}
    assert guarded.ask("POST", "/login", b'"sesame"', **here)[0] == 403
    status, headers, _ = guarded.ask("POST", "/login", f'"{PASSWORD}"'.encode(), **here)
    assert (status, headers["set-cookie"].count("HttpOnly")) == (204, 2)
    session = {"Cookie": re.findall(r"tensormask-\w+=[^;]+", headers["set-cookie"])[0]}
    status, headers, _ = guarded.ask("GET", "/report", b"", **session)
    assert (status, headers["session"]) == (200, "open")
    assert guarded.ask("POST", "/logout", b"", **here, **session)[0] == 204
    assert guarded.ask("GET", "/report", b"", **session)[0] == 401


@pytest.mark.parametrize("body", [b'"\xff"', b"\xff" * 40, b"[" * 50_000, b'"x', b"", b"7"])
def test_what_is_no_password_is_refused_and_stops_nothing(guarded: Program, body: bytes) -> None:
    for _ in range(30):
        assert guarded.ask("POST", "/login", body, Origin=guarded.url)[0] == 400
    with socket.create_connection(("127.0.0.1", guarded.port)) as rude:
        rude.sendall(b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n" + body)
    for junk in (b"\x16\x03\x01\x00", b"GET\r\n\r\n", b"\0" * 100, b"GET / HTTP/9.9\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", guarded.port)) as rude:
            rude.sendall(junk)
    assert trouble_with(guarded.url) == ""
    assert "Traceback" not in guarded.log


def test_a_guesser_does_not_lock_out_a_browser_that_is_known(guarded: Program) -> None:
    here = {"Origin": guarded.url}
    right, wrong = (f'"{text}"'.encode() for text in (PASSWORD, PASSWORD[:-1]))
    status, headers, _ = guarded.ask("POST", "/login", right, **here)
    assert status == 204
    known = {"Cookie": re.findall(r"tensormask-\w+-browser=[^;]+", headers["set-cookie"])[0]}
    tries = [guarded.ask("POST", "/login", wrong, **here)[0] for _ in range(8)]
    assert tries.count(403) == 4
    assert tries[-1] == 429
    status, headers, _ = guarded.ask("POST", "/login", right, **here)
    assert status == 429
    assert 0 < int(headers["retry-after"]) <= 2
    assert guarded.ask("POST", "/login", right, **here, **known)[0] == 204
    assert "failed login from 127.0.0.1, attempt 1" in guarded.log
    assert "sesam" not in guarded.log
