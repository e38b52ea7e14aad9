"""The page in a real browser, before the real daemon."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from edge.config import PageSettings, load_settings
from edge.doctor import page as doctor
from edge.doctor.finding import Level
from edge.host.web import trouble_with
from edge.page.__main__ import BUSY
from edge.page.door import REQUEST_S
from tests.broker.conftest import until
from tests.page.conftest import Daemon, Start
from tests.screenshots import assert_good_for_everybody, shoot


def _open(context: BrowserContext, daemon: Daemon) -> tuple[Page, list[str]]:
    """Return the page, and what goes wrong in it."""
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
    page.goto(daemon.url)
    return page, wrong


def test_it_shows_who_is_there_and_what_is_wrong(start: Start, context: BrowserContext) -> None:
    daemon = start()
    page, wrong = _open(context, daemon)
    expect(page.locator("#device")).to_have_text("door-1")
    expect(page.locator(".box")).to_have_count(1)
    expect(page.locator("#people li")).to_contain_text("no mask")
    expect(page.locator("#people li")).to_contain_text("told")
    expect(page.locator("#verdict")).to_contain_text("it refuses the connection")
    expect(page.locator("#told li")).to_contain_text("no mask")
    expect(page.locator("#leave")).to_be_hidden()
    expect(page.locator("#missed")).to_contain_text(
        "found more than 9 of 10 with a mask and 9 of 10 without"
    )
    shown = page.locator("#picture").get_attribute("src")
    expect(page.locator("#picture")).not_to_have_attribute("src", shown or "")
    shoot(page, "wide")
    assert wrong == []
    found = doctor.page(PageSettings(enabled=True, port=daemon.port), is_running=True)
    assert [each.level for each in found] == [Level.OK]


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (360, "dark"), (1920, "dark")])
def test_it_fits_every_screen_and_everybody_can_use_it(
    start: Start, browser: Browser, width: int, scheme: str
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 800},
        color_scheme=scheme,  # type: ignore[arg-type]
        bypass_csp=True,  # or the check itself could not be loaded
    )
    page, wrong = _open(context, start())
    expect(page.locator(".box")).to_have_count(1)
    expect(page.locator("#verdict")).not_to_have_text("connecting")
    assert_good_for_everybody(page, width)
    shoot(page, f"{width}-{scheme}")
    assert wrong == []
    context.close()


def test_a_region_is_drawn_with_the_pointer_and_left_out_with_the_keys(
    start: Start, context: BrowserContext
) -> None:
    daemon = start()
    page, wrong = _open(context, daemon)
    expect(page.locator(".box")).to_have_count(1)
    # To the right of the man: nobody is there.
    page.get_by_role("button", name="Draw a region").click()
    _click(page, ((0.8, 0.1), (0.98, 0.1), (0.98, 0.9), (0.8, 0.9), (0.8, 0.1)))
    expect(page.locator("#area-text")).to_contain_text("one region (not saved yet)")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#hint")).to_contain_text("saved")
    expect(page.locator(".box")).to_have_count(0)
    drawn = json.loads((daemon.folder / "state" / "area.json").read_text())
    assert [len(each) for each in drawn["regions"]] == [4]
    page.get_by_role("button", name="Go back to the area before").click()
    expect(page.locator(".box")).to_have_count(1)
    # The keyboard: a triangle around the middle of the picture.
    page.get_by_role("button", name="Leave a part out").click()
    for keys in (["ArrowUp"] * 20, ["ArrowLeft"] * 25 + ["ArrowDown"] * 40, ["ArrowRight"] * 45):
        for key in keys:
            page.keyboard.press(key)
        page.keyboard.press("Enter")
    page.keyboard.press("c")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#hint")).to_contain_text("saved")
    expect(page.locator("#area-text")).to_contain_text("one part is left out")
    expect(page.locator(".box")).to_have_count(0)
    shoot(page, "drawn")
    assert wrong == []


def test_an_area_in_which_nothing_is_left_is_refused(start: Start, context: BrowserContext) -> None:
    page, _ = _open(context, start())
    expect(page.locator(".box")).to_have_count(1)
    for button, corners in (
        ("Draw a region", ((0.8, 0.2), (0.9, 0.2), (0.85, 0.5))),
        ("Leave a part out", ((0.7, 0.1), (0.95, 0.1), (0.95, 0.9), (0.7, 0.9))),
    ):
        page.get_by_role("button", name=button).click()
        _click(page, corners)
        page.keyboard.press("c")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#hint")).to_contain_text("nothing would be watched")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#area-text")).to_contain_text("the whole picture")
    expect(page.locator(".box")).to_have_count(1)


def _click(page: Page, corners: Sequence[tuple[float, float]]) -> None:
    """Click on the picture, at fractions of it."""
    box = page.locator("#overlay").bounding_box()
    assert box is not None
    for x, y in corners:
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])


def test_it_waits_for_a_daemon_that_starts_anew(start: Start, context: BrowserContext) -> None:
    daemon = start()
    page, _ = _open(context, daemon)
    expect(page.locator(".box")).to_have_count(1)
    daemon.stop()
    expect(page.locator("#verdict")).to_contain_text("connection lost")
    daemon.log.write_text("")
    daemon.start()
    expect(page.locator("#verdict")).not_to_contain_text("connection lost")
    expect(page.locator(".box")).to_have_count(1)


def test_only_the_password_opens_it_and_guessing_is_slow(
    start: Start, context: BrowserContext, tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    secret.touch(0o600)
    secret.write_text("open sesame\n")
    daemon = start(f'password_file = "{secret}"')
    for path in ("/scene", "/report", "/page.js"):
        assert _ask(daemon, "GET", path)[0] == 401
    page, _ = _open(context, daemon)
    expect(page).to_have_url(re.compile("/login$"))
    for _ in range(4):
        page.get_by_label("Password").fill("sesame")
        page.get_by_role("button", name="Log in").click()
        expect(page.locator("#error")).to_have_text("this is not the password")
        page.get_by_label("Password").fill("")
        page.locator("#error").evaluate("element => { element.textContent = '' }")
    page.get_by_role("button", name="Log in")
    page.get_by_label("Password").fill("open sesame")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#error")).to_contain_text("too many attempts; wait")
    shoot(page, "login")
    time.sleep(2.1)
    page.get_by_role("button", name="Log in").click()
    expect(page.locator(".box")).to_have_count(1)
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(re.compile("/login$"))
    assert context.request.get(f"{daemon.url}/report").status == 401


def test_no_other_site_is_obeyed_or_shown_anything(start: Start) -> None:
    daemon = start()
    here = f"127.0.0.1:{daemon.port}"
    assert _ask(daemon, "GET", "/report")[0] == 200
    assert _ask(daemon, "GET", "/report", Host=f"evil.example:{daemon.port}")[0] == 421
    undo = ("POST", "/area/undo")
    assert _ask(daemon, *undo)[0] == 403
    assert _ask(daemon, *undo, Origin="http://evil.example")[0] == 403
    assert _ask(daemon, *undo, Origin=f"http://{here}")[0] == 200
    status, headers, _ = _ask(daemon, "GET", "/")
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
def test_what_is_no_wish_is_refused(start: Start, path: str, body: bytes, status: int) -> None:
    daemon = start()
    origin = f"http://127.0.0.1:{daemon.port}"
    assert _ask(daemon, "POST", path, body, Origin=origin)[0] == status
    assert _ask(daemon, "GET", "/report")[0] == 200


def test_a_viewer_who_vanishes_ends_the_looking_and_one_who_is_slow_holds_up_nobody(
    start: Start, context: BrowserContext
) -> None:
    daemon = start()
    slow = socket.create_connection(("127.0.0.1", daemon.port))
    for number in range(50):
        slow.sendall(f"GET /scene?after={number} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    page, _ = _open(context, daemon)
    expect(page.locator(".box")).to_have_count(1)
    until(lambda: json.loads(_ask(daemon, "GET", "/report")[2])["fps"] > 10, "it judges on")
    page.close()
    slow.close()
    cpu_s = _cpu_s(daemon)
    time.sleep(5)
    before_s = _cpu_s(daemon)
    time.sleep(3)
    assert _cpu_s(daemon) - before_s < 0.2, (cpu_s, before_s)


def test_a_page_that_is_killed_can_be_started_again_and_judging_goes_on(start: Start) -> None:
    daemon = start()
    assert daemon.server is not None
    daemon.server.kill()
    daemon.server.wait()
    assert daemon.process.poll() is None
    with daemon.log.open("ab") as log:
        daemon.server = daemon.serve(log)
    until(lambda: trouble_with(daemon.url) == "", "it answers", 20)
    until(lambda: json.loads(_ask(daemon, "GET", "/report")[2])["fps"] > 0, "it judges")


def test_a_port_that_is_taken_is_said(start: Start) -> None:
    daemon = start()
    with daemon.log.open("ab") as log:
        assert daemon.serve(log).wait(20) == BUSY
    line = f"[page] 127.0.0.1 port {daemon.port}: Address already in use"
    assert line in daemon.log.read_text().splitlines()


def test_a_password_that_is_too_short_leaves_the_page_out_and_stops_nothing(
    tmp_path: Path, context: BrowserContext
) -> None:
    secret = tmp_path / "password"
    secret.touch(0o600)
    secret.write_text("1234567\n")
    daemon = Daemon(tmp_path, f'password_file = "{secret}"', waits=False)
    try:
        line = "no page: [page] password_file: the page's password has 7 characters, and needs 8"
        until(lambda: line in daemon.log.read_text(), "it is said", 20)
        assert daemon.process.poll() is None
    finally:
        daemon.kill()


def test_connections_that_do_nothing_shut_nobody_out(start: Start, tmp_path: Path) -> None:
    daemon = start(_secret(tmp_path))
    idle = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(300)]
    slow = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(100)]
    for each in slow:
        with contextlib.suppress(OSError):  # it made room for another
            each.sendall(b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1")
    for _ in range(20):
        begun_s = time.monotonic()
        assert trouble_with(daemon.url) == ""
        assert time.monotonic() - begun_s < 1
    for each in (*idle, *slow):
        each.close()


def test_a_request_that_does_not_end_is_given_up(start: Start) -> None:
    daemon = start()
    with socket.create_connection(("127.0.0.1", daemon.port)) as slow:
        slow.sendall(b"GET /report HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        slow.settimeout(REQUEST_S + 5)
        assert slow.recv(1) == b""


@pytest.mark.parametrize("body", [b'"\xff"', b"\xff" * 40, b"[" * 50_000, b'"x', b"", b"7"])
def test_what_is_no_password_is_refused_and_stops_nothing(
    start: Start, tmp_path: Path, body: bytes
) -> None:
    daemon = start(_secret(tmp_path))
    origin = f"http://127.0.0.1:{daemon.port}"
    for _ in range(30):
        assert _ask(daemon, "POST", "/login", body, Origin=origin)[0] == 400
    with socket.create_connection(("127.0.0.1", daemon.port)) as rude:
        rude.sendall(b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n" + body)
    for junk in (b"\x16\x03\x01\x00", b"GET\r\n\r\n", b"\0" * 100, b"GET / HTTP/9.9\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", daemon.port)) as rude:
            rude.sendall(junk)
    assert trouble_with(daemon.url) == ""
    assert "Traceback" not in daemon.log.read_text()


def test_a_guesser_does_not_lock_out_a_browser_that_is_known(start: Start, tmp_path: Path) -> None:
    daemon = start(_secret(tmp_path))
    here = {"Origin": f"http://127.0.0.1:{daemon.port}"}
    status, headers, _ = _ask(daemon, "POST", "/login", b'"open sesame"', **here)
    assert status == 204
    known = {"Cookie": re.findall(r"tensormask-\w+-browser=[^;]+", headers["set-cookie"])[0]}
    tries = [_ask(daemon, "POST", "/login", b'"open sesam"', **here)[0] for _ in range(8)]
    assert tries.count(403) == 4
    assert tries[-1] == 429
    assert _ask(daemon, "POST", "/login", b'"open sesame"', **here)[0] == 429
    assert _ask(daemon, "POST", "/login", b'"open sesame"', **here, **known)[0] == 204
    log = daemon.log.read_text()
    assert "failed login from 127.0.0.1, attempt 1" in log
    assert "sesam" not in log


def _secret(folder: Path) -> str:
    secret = folder / "password"
    secret.touch(0o600)
    secret.write_text("open sesame\n")
    return f'password_file = "{secret}"'


def test_it_speaks_tls(
    start: Start, tmp_path: Path, certificate: Callable[[Path], tuple[Path, Path]]
) -> None:
    own, key = certificate(tmp_path)
    daemon = start(f'certificate_file = "{own}"\nkey_file = "{key}"')
    trusting = ssl.create_default_context(cafile=str(own))
    connection = http.client.HTTPSConnection("localhost", daemon.port, context=trusting)
    connection.request("GET", "/report")
    answer = connection.getresponse()
    assert answer.status == 200
    assert "max-age" in (answer.getheader("Strict-Transport-Security") or "")
    connection.close()
    # Handshakes that do not end, ten times as many as there may be.
    idle = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(1000)]
    begun_s = time.monotonic()
    assert trouble_with(load_settings(daemon.settings).page.url) == ""
    assert time.monotonic() - begun_s < 1
    assert _rss_bytes(daemon) < 100e6
    for each in idle:
        each.close()


def _ask(
    daemon: Daemon, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=20)
    connection.request(method, path, body or None, headers)
    answer = connection.getresponse()
    told: dict[str, str] = {}
    for name, value in answer.getheaders():
        told[name.lower()] = f"{told[name.lower()]}; {value}" if name.lower() in told else value
    content = answer.read()
    connection.close()
    return answer.status, told, content


def _rss_bytes(daemon: Daemon) -> int:
    assert daemon.server is not None
    pages = Path(f"/proc/{daemon.server.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _cpu_s(daemon: Daemon) -> float:
    assert daemon.server is not None
    words = Path(f"/proc/{daemon.server.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
