"""The page behind a real nginx, as docs/operating.md has it, and as a proxy without settings is."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, expect

from edge.host.web import trouble_with
from tests.broker.conftest import free_port, until
from tests.needs import lacking
from tests.page.conftest import Daemon, Start

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "operating.md"
WHOLE = """
daemon off; pid {folder}/pid; error_log stderr; {user}
events {{}}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port}; {location} }}
}}
"""
PLAIN = "location / { proxy_pass http://127.0.0.1:8080; }"
PASSWORD = "open sesame"

Nginx = Callable[[str, int], str]


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    """Starts a proxy before a port, with a location; returns its address."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(program).exists():
        lacking("no nginx", "sudo apt-get install nginx-light")
    started: list[subprocess.Popen[bytes]] = []

    def start(location: str, port: int) -> str:
        folder = tmp_path / f"nginx-{len(started)}"
        folder.mkdir()
        own = free_port()
        text = WHOLE.format(
            folder=folder,
            port=own,
            location=location.replace("127.0.0.1:8080", f"127.0.0.1:{port}"),
            user="user root;",
        )
        (folder / "nginx.conf").write_text(text)
        started.append(
            subprocess.Popen([program, "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"])
        )
        return f"http://127.0.0.1:{own}"

    yield start
    for process in started:
        process.terminate()
        process.wait(10)


@pytest.fixture
def secret(tmp_path: Path) -> str:
    path = tmp_path / "password"
    path.touch(0o600)
    path.write_text(f"{PASSWORD}\n")
    return f'password_file = "{path}"'


def documented() -> str:
    """Return the location that the documents give to nginx."""
    (block,) = re.findall(r"```nginx\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    return str(block)


def log_in(context: BrowserContext, address: str) -> None:
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(address)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.locator(".box").first).to_be_visible()
    assert page.url.startswith(address)
    assert wrong == []


def test_below_a_path_as_the_documents_have_it(
    start: Start, nginx: Nginx, secret: str, context: BrowserContext
) -> None:
    port = free_port()
    proxies = 'proxies = ["127.0.0.1"]'
    external = f'external_url = "http://127.0.0.1:{port}/door-1/"'
    daemon = start(f"{secret}\n{proxies}\n{external}")
    address = nginx(documented(), daemon.port)
    until(lambda: trouble_with(f"{address}/door-1/") == "", "nginx is there")
    log_in(context, f"{address}/door-1/")
    (session, browser) = sorted(context.cookies(), key=lambda each: len(each["name"]))
    assert session["path"] == browser["path"] == "/door-1/"


def test_the_address_of_the_guesser_is_that_before_the_proxy(
    start: Start, nginx: Nginx, secret: str
) -> None:
    daemon = start(f'{secret}\nproxies = ["127.0.0.1"]')
    address = nginx(documented(), daemon.port)
    until(lambda: trouble_with(f"{address}/door-1/") == "", "nginx is there")
    guesser = HTTPConnection(urlsplit(address).netloc, source_address=("127.0.0.2", 0), timeout=20)
    headers = {"Origin": address, "X-Forwarded-For": "192.0.2.66"}
    guesser.request("POST", "/door-1/login", b'"wrong password"', headers)
    assert guesser.getresponse().status == 403
    guesser.close()
    # What nginx has added is believed, what a guesser made up is not.
    assert "failed login from 127.0.0.2" in daemon.log.read_text()


def test_a_stranger_behind_the_proxy_shuts_out_nobody(
    start: Start, nginx: Nginx, secret: str
) -> None:
    daemon = start(f'{secret}\nproxies = ["127.0.0.1"]')
    address = nginx(documented(), daemon.port)
    until(lambda: trouble_with(f"{address}/door-1/") == "", "nginx is there")
    host, _, port = urlsplit(address).netloc.partition(":")
    with ExitStack() as stack:
        for _ in range(100):
            stranger = stack.enter_context(
                socket.create_connection((host, int(port)), 20, source_address=("127.0.0.2", 0))
            )
            stranger.sendall(b"GET /door-1/health HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
        for _ in range(20):
            owner = HTTPConnection(
                urlsplit(address).netloc, source_address=("127.0.0.3", 0), timeout=20
            )
            owner.request("GET", "/door-1/login")
            assert owner.getresponse().status == 200
            owner.close()


def test_a_proxy_without_settings_works_in_a_browser_or_says_what_is_missing(
    start: Start, nginx: Nginx, secret: str, context: BrowserContext
) -> None:
    daemon = start(secret)
    address = nginx(PLAIN, daemon.port)
    until(lambda: trouble_with(address) == "", "nginx is there")
    log_in(context, f"{address}/")
    answer = context.request.post(
        f"{address}/login", data=f'"{PASSWORD}"', headers={"Origin": address}
    )
    assert answer.status == 403
    assert "[page] external_url" in answer.json()["error"]


def test_with_the_address_in_the_browser_a_plain_proxy_will_do(
    nginx: Nginx, secret: str, tmp_path: Path, context: BrowserContext
) -> None:
    daemon = Daemon(tmp_path, secret)
    try:
        address = nginx(PLAIN, daemon.port)
        daemon.stop()
        text = daemon.settings.read_text() + f'external_url = "{address}"\n'
        daemon.settings.write_text(text)
        daemon.start()
        until(lambda: trouble_with(address) == "", "nginx is there")
        answer = context.request.post(
            f"{address}/login", data=f'"{PASSWORD}"', headers={"Origin": address}
        )
        assert answer.status == 204
    finally:
        daemon.kill()
