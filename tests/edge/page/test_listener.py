from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.config import (
    ClassifierSettings,
    DetectorSettings,
    MetricsSettings,
    PageSettings,
    SignSettings,
)
from edge.observers import Observers
from edge.page.drawn import AreaBook
from edge.page.drawn_zones import ZoneBook
from edge.page.history import PageHistory
from edge.page.hub import Hub
from edge.page.listener import MOST, PageListener
from edge.page.window import About, Window
from edge.page.wire import FAILURE, SOCKET, Front, NextScene, PageReport, socket_path
from tests import loops
from tests.broker.conftest import until


def listener_in(
    folder: Path,
    metrics: MetricsSettings | None = None,
    sign: SignSettings | None = None,
    **settings: Any,
) -> PageListener:
    window = Window(
        About("door-1", "", "", "0", {}),
        Observers(),
        lambda frame, boxes: b"jpeg",
        ClassifierSettings(),
        lambda: None,
        PageHistory(),
        AreaBook(DetectorSettings(), folder),
        ZoneBook((), folder),
        fps=4.0,
        metrics=lambda is_open_metrics: b"the metrics, %d" % is_open_metrics,
    )
    page = msgspec.convert({"enabled": True} | settings, PageSettings)
    return PageListener(
        page,
        window,
        folder / SOCKET,
        folder,
        metrics or MetricsSettings(),
        sign or SignSettings(),
    )


def started(
    folder: Path,
    metrics: MetricsSettings | None = None,
    sign: SignSettings | None = None,
    **settings: Any,
) -> PageListener:
    """Return one that listens."""

    def listens() -> bool:
        with socket.socket(socket.AF_UNIX) as page:
            return page.connect_ex(str(folder / SOCKET)) == 0

    listener = listener_in(folder, metrics, sign, **settings)
    listener.start()
    until(listens, "it listens")
    return listener


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[PageListener]:
    listener = started(tmp_path)
    yield listener
    listener.close()


def window_of(listener: PageListener) -> Window:
    """Return the window of its only camera."""
    assert isinstance(listener.window, Window)
    return listener.window


def connect(folder: Path) -> socket.socket:
    page = socket.socket(socket.AF_UNIX)
    page.connect(str(folder / SOCKET))
    page.settimeout(10)
    return page


def read_to_the_end(page: socket.socket) -> None:
    with suppress(ConnectionResetError):
        while page.recv(4096):
            pass


@asynccontextmanager
async def connected(folder: Path) -> AsyncIterator[Hub]:
    hub = Hub(folder / SOCKET)
    connecting = asyncio.create_task(hub.keep_connected())
    await asyncio.wait_for(asyncio.shield(hub.front), 10)
    yield hub
    connecting.cancel()
    await asyncio.wait([connecting])


async def ask(folder: Path) -> Front:
    async with connected(folder) as hub:
        document, picture = await hub.ask(PageReport())
        assert msgspec.json.decode(document)["device"] == "door-1"
        assert picture == b""
        return hub.front.result()


def test_a_page_is_told_how_to_serve_and_answered(listener: PageListener, tmp_path: Path) -> None:
    front = loops.run(ask(tmp_path))
    assert (front.address, front.port, front.password) == ("127.0.0.1", 8080, "")
    assert listener.telemetry.trouble == ""


@pytest.mark.parametrize("junk", [b"", b"\0\0\0\3\xff\xff\xff", b"\xff" * 100, b"\0\0\xf0\0"])
def test_what_is_no_request_ends_that_page_and_no_other(
    listener: PageListener, tmp_path: Path, junk: bytes
) -> None:
    with connect(tmp_path) as rude:
        rude.sendall(junk)
        rude.shutdown(socket.SHUT_WR)
        read_to_the_end(rude)
    loops.run(ask(tmp_path))


def test_a_request_that_cannot_be_answered_ends_that_page_and_no_other(
    listener: PageListener, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise RuntimeError("a fault of our own")

    window_of(listener).telemetry = broken

    async def first() -> None:
        async with connected(tmp_path) as hub:
            with pytest.raises(ConnectionError):
                await hub.ask(PageReport())

    loops.run(first())
    assert "a fault of our own" in caplog.text
    window_of(listener).telemetry = lambda: None
    loops.run(ask(tmp_path))


def test_pages_beyond_a_few_are_sent_away(listener: PageListener, tmp_path: Path) -> None:
    pages = [connect(tmp_path) for _ in range(MOST + 3)]
    for page in pages[MOST:]:
        read_to_the_end(page)
    for page in pages:
        page.close()

    def answers() -> bool:
        with suppress(ConnectionError):  # it has not noticed yet that they have left
            loops.run(ask(tmp_path))
            return True
        return False

    until(answers, "room for a page")


def test_a_socket_that_was_left_behind_is_replaced(tmp_path: Path) -> None:
    (tmp_path / SOCKET).touch()
    listener = listener_in(tmp_path)
    listener.start()
    until((tmp_path / SOCKET).is_socket, "it listens")
    loops.run(ask(tmp_path))
    listener.close()
    assert not (tmp_path / SOCKET).exists()


def test_a_token_that_cannot_be_read_is_in_the_telemetry_and_serves_nothing(tmp_path: Path) -> None:
    metrics = MetricsSettings(enabled=True, token_file="/nowhere")
    listener = listener_in(tmp_path, metrics)
    listener.start()
    said = "[metrics] token_file: /nowhere: No such file"
    until(lambda: said in listener.telemetry.trouble, "it is said")
    assert not (tmp_path / SOCKET).exists()
    listener.close()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"password_file": "/nowhere"}, r"[page] password_file: /nowhere: No such file"),
        ({}, "systemd cannot listen"),
    ],
)
def test_what_keeps_the_page_from_being_served_is_in_the_telemetry(
    tmp_path: Path, settings: dict[str, Any], said: str
) -> None:
    (tmp_path / FAILURE).write_bytes(b"systemd cannot listen \xff\n")
    listener = listener_in(tmp_path, None, **settings)
    listener.start()
    until(lambda: said in listener.telemetry.trouble, "it is said")
    listener.close()


def test_a_password_that_is_too_short_leaves_the_page_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = tmp_path / "password"
    secret.touch(0o600)
    secret.write_text("1234567\n")
    listener = listener_in(tmp_path, password_file=str(secret))
    listener.start()
    until(lambda: bool(listener.telemetry.trouble), "it is said")
    listener.close()
    line = "no page: [page] password_file: the page's password has 7 characters, and needs 8"
    assert line in caplog.text
    assert not (tmp_path / SOCKET).exists()


def test_a_path_that_is_too_long_is_said(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    listener = listener_in(folder)
    listener.start()
    until(lambda: bool(listener.telemetry.trouble), "it is said")
    listener.close()
    assert listener.telemetry.trouble == f"{folder / SOCKET}: AF_UNIX path too long"


@pytest.mark.parametrize(("is_a_service", "mode"), [(True, 0o660), (False, 0o600)])
def test_beside_its_state_nobody_else_may_ask_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_a_service: bool, mode: int
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path if is_a_service else tmp_path / "other"))
    listener = started(tmp_path)
    assert (tmp_path / SOCKET).stat().st_mode & 0o777 == mode
    listener.close()


def test_a_viewer_is_reported_at_once_that_the_daemon_is_away(tmp_path: Path) -> None:
    async def alone() -> None:
        hub = Hub(tmp_path / SOCKET)
        with pytest.raises(ConnectionError):
            await hub.scene(0)
        with pytest.raises(ConnectionError):
            await hub.ask(NextScene(0))

    loops.run(alone())


def test_the_socket_is_in_memory_under_systemd(tmp_path: Path) -> None:
    assert socket_path(tmp_path, {"RUNTIME_DIRECTORY": "/run/tensormask"}) == Path(
        "/run/tensormask/page/daemon.sock"
    )
    assert socket_path(tmp_path, {}) == tmp_path / SOCKET
