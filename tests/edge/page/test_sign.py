"""The sign over HTTP: who sees it, and how old what it says may be."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from edge.config import SignSettings
from edge.page.sign import COOKIE_S, FRESH_S, LONGEST_S
from edge.page.signpost import BEAT_S, MOST, Signpost
from edge.page.wire import SIGN_SOCKET
from edge.records import Advice
from tests.edge.page.program import PASSWORD, Sign, password_file
from tests.waiting import Stopwatch, until

TOKEN = "0123456789abcdef0123456789abcdef"
Start = Callable[..., Sign]


def token_file(folder: Path, token: str = TOKEN) -> str:
    path = folder / "sign-token"
    path.touch(0o600)
    path.write_text(f"{token}\n")
    return str(path)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a sign with a token, of a page with a password unless it is told otherwise."""
    started: list[Sign] = []

    def begin(has_token: bool = True, **settings: Any) -> Sign:
        sign = SignSettings(enabled=True, token_file=token_file(tmp_path) if has_token else "")
        if "password_file" not in settings:
            settings["password_file"] = password_file(tmp_path)
        started.append(Sign(tmp_path, sign, **settings))
        return started[-1]

    yield begin
    for sign in started:
        sign.close()


def enter(sign: Sign, token: str = TOKEN) -> tuple[int, dict[str, str]]:
    status, headers, _ = sign.program.ask("GET", f"/sign?token={quote(token)}")
    return status, headers


def cookie(sign: Sign) -> str:
    return enter(sign)[1]["set-cookie"].partition(";")[0]


def state(sign: Sign, after: str = "", **headers: Any) -> tuple[int, dict[str, Any]]:
    status, _, content = sign.program.ask("GET", f"/sign/state?after={after}", **headers)
    return status, json.loads(content)


def says(sign: Sign, notice: str) -> bool:
    return bool(state(sign)[1].get("notice") == notice)


def test_the_token_becomes_a_cookie_and_leaves_the_address(start: Start) -> None:
    sign = start()
    status, headers = enter(sign)
    assert (status, headers["location"]) == (303, "sign")
    given = headers["set-cookie"]
    assert TOKEN not in given
    for part in ("Path=/sign;", "HttpOnly", "SameSite=lax", f"Max-Age={COOKIE_S}"):
        assert part in given
    assert sign.program.ask("GET", "/sign", Cookie=cookie(sign))[0] == 200
    assert TOKEN not in sign.program.log


def test_the_cookie_is_good_for_the_sign_and_for_nothing_else(start: Start) -> None:
    sign = start()
    own = cookie(sign)
    assert sign.program.ask("GET", "/sign/state", Cookie=own)[0] in (200, 503)
    for method, path in (
        ("GET", "/scene"),
        ("GET", "/report"),
        ("GET", "/index.html"),
        ("GET", "/page.js"),
        ("POST", "/area"),
        ("POST", "/logout"),
        ("GET", "/sign/../report"),
        ("GET", "/signs"),
    ):
        headers: dict[str, Any] = {"Cookie": own, "Sec-Fetch-Site": "same-origin"}
        assert sign.program.ask(method, path, **headers)[0] == 401, path
    # Under the name of a session it opens nothing either.
    session = own.replace("-sign=", "=")
    assert sign.program.ask("GET", "/report", Cookie=session)[0] == 401


@pytest.mark.parametrize("token", ["", TOKEN[:-1], TOKEN + "x", PASSWORD, "ä" * 32, "\udce4" * 3])
def test_another_token_opens_nothing(start: Start, token: str) -> None:
    sign = start()
    asked = quote(token, errors="surrogateescape")
    status, headers, _ = sign.program.ask("GET", f"/sign?token={asked}")
    assert status == 401
    assert "set-cookie" not in headers


def test_without_token_and_login_there_is_no_sign(start: Start) -> None:
    sign = start()
    assert sign.program.ask("GET", "/sign")[0] == 401
    assert state(sign)[0] == 401
    assert state(sign, Cookie="tensormask-x-sign=1; tensormask-sign=\xe4")[0] == 401


def test_who_has_logged_in_sees_the_sign_too(start: Start) -> None:
    sign = start()
    origin: dict[str, Any] = {"Sec-Fetch-Site": "same-origin"}
    login = sign.program.ask("POST", "/login", json.dumps(PASSWORD).encode(), **origin)
    session = login[1]["set-cookie"].partition(";")[0]
    assert sign.program.ask("GET", "/sign", Cookie=session)[0] == 200


def test_where_the_page_needs_no_password_neither_does_the_sign(start: Start) -> None:
    sign = start(has_token=False, password_file="")
    assert sign.program.ask("GET", "/sign")[0] == 200
    assert enter(sign)[0] == 200  # it is not looked at, where there is none


def test_a_page_without_a_sign_has_none(page: Any) -> None:
    assert page.ask("GET", "/sign")[0] == 404
    assert page.ask("GET", "/sign/state")[0] == 404


def test_a_new_token_ends_the_cookies_of_the_old_one(start: Start, tmp_path: Path) -> None:
    own = cookie(start())
    other = tmp_path / "other"
    other.mkdir()
    settings = SignSettings(enabled=True, token_file=token_file(other, TOKEN[::-1]))
    (other / "page.key").write_bytes((tmp_path / "page.key").read_bytes())
    sign = Sign(other, settings, password_file=password_file(other))
    try:
        assert sign.program.ask("GET", "/sign", Cookie=own)[0] == 401
    finally:
        sign.close()


def test_a_change_is_answered_at_once(start: Start) -> None:
    sign = start(password_file="", has_token=False)
    sign.say(Advice.WAIT)
    until(partial(says, sign, "wait"), "it waits")
    tag = state(sign)[1]["tag"]
    sign.say(Advice.GO)
    watch = Stopwatch()
    status, shown = state(sign, tag)
    assert watch.elapsed_s < 0.3
    assert (status, shown["notice"]) == (200, "go")
    assert shown["lines"] == [
        {"language": "en", "direction": "ltr", "text": "Please go ahead"},
    ]
    assert shown["age_ms"] < 1000 * (BEAT_S + 0.5)


def test_without_a_change_it_answers_once_a_second(start: Start) -> None:
    sign = start(password_file="", has_token=False)
    sign.say(Advice.EMPTY)
    until(partial(says, sign, "empty"), "nobody is there")
    first = state(sign)[1]
    begun_s = time.monotonic()
    second = state(sign, first["tag"])[1]
    assert time.monotonic() - begun_s >= LONGEST_S - 0.05
    assert second["tag"] == first["tag"]
    assert second["waited_ms"] >= 1000 * (LONGEST_S - 0.05)


def test_a_loop_that_hangs_closes_the_sign(start: Start) -> None:
    sign = start(password_file="", has_token=False)
    sign.say(Advice.GO)
    until(partial(says, sign, "go"), "go")
    sign.hang()
    watch = Stopwatch()
    until(partial(says, sign, "closed"), "closed")
    assert watch.elapsed_s < 2.5


def test_a_daemon_that_says_nothing_more_is_away_at_once(start: Start) -> None:
    sign = start(password_file="", has_token=False)
    sign.say(Advice.GO)
    until(partial(says, sign, "go"), "go")
    sign.post.close()
    assert state(sign)[0] == 503


def test_a_daemon_that_is_silent_is_away_soon(start: Start, tmp_path: Path) -> None:
    """As when it is stopped by a signal: its sockets stay open."""
    sign = start(password_file="", has_token=False)
    until(lambda: state(sign)[0] == 200, "it speaks")
    silent = socket.socket(socket.AF_UNIX)
    sign.post.close()
    silent.bind(str(tmp_path / SIGN_SOCKET))
    silent.listen()
    watch = Stopwatch()
    until(lambda: state(sign)[0] == 503, "away")
    assert watch.elapsed_s < FRESH_S + 0.5
    silent.close()


def test_garbage_from_the_socket_is_no_state(start: Start, tmp_path: Path) -> None:
    sign = start(password_file="", has_token=False)
    sign.post.close()
    garbage = socket.socket(socket.AF_UNIX)
    garbage.bind(str(tmp_path / SIGN_SOCKET))
    garbage.listen()
    page, _ = garbage.accept()
    page.sendall(b"\0\0\0\2\0\0\0\0{}" + b"\xff" * 64)
    assert state(sign)[0] == 503
    page.close()
    garbage.close()
    (tmp_path / SIGN_SOCKET).unlink()
    sign.post = Signpost(
        SignSettings(enabled=True), sign.board, tmp_path / SIGN_SOCKET, is_station=True
    )
    sign.post.start()
    sign.say(Advice.GO)
    until(partial(says, sign, Advice.GO), "the next service is heard")


def test_pages_that_do_not_read_hold_up_nobody(start: Start, tmp_path: Path) -> None:
    sign = start(password_file="", has_token=False)
    deaf = []
    for _ in range(2 * MOST):
        page = socket.socket(socket.AF_UNIX)
        page.connect(str(tmp_path / SIGN_SOCKET))
        deaf.append(page)
    for advice in (Advice.WAIT, Advice.GO):
        sign.say(advice)
        until(partial(says, sign, advice), advice)
    for page in deaf:
        page.close()


def test_the_page_ends_in_order_while_signs_wait(start: Start) -> None:
    sign = start(password_file="", has_token=False)
    until(lambda: state(sign)[0] == 200, "it speaks")
    sign.program.process.send_signal(signal.SIGINT)
    assert sign.program.process.wait(10) == 0
    assert "Traceback" not in sign.program.log


def test_over_tls_the_cookie_is_for_tls_only(start: Start, certificate: tuple[Path, Path]) -> None:
    own, key = certificate
    sign = start(certificate_file=str(own), key_file=str(key))
    trusting = ssl.create_default_context(cafile=str(own))
    connection = HTTPSConnection("localhost", sign.program.port, context=trusting)
    connection.request("GET", f"/sign?token={TOKEN}")
    assert "Secure" in (connection.getresponse().getheader("Set-Cookie") or "")
    connection.close()


def test_below_the_path_of_a_proxy_the_cookie_is_for_that_path(start: Start) -> None:
    sign = start(external_url="https://museum.example/door-1/", proxies=["127.0.0.1"])
    assert "Path=/door-1/sign;" in enter(sign)[1]["set-cookie"]
    assert sign.program.ask("GET", "/door-1/sign", Cookie=cookie(sign))[0] == 200
    assert sign.program.ask("GET", "/door-1/report", Cookie=cookie(sign))[0] == 401
