"""The page's connection to the daemon, by a real listener and its thread."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.decide.policy import Decision
from edge.page.hub import Hub
from edge.page.window import Window
from edge.page.wire import PageReport, Requests, framed_answer, socket_path
from edge.pipeline import FrameOutcome
from tests import loops
from tests.edge.page.test_listener import connected, started, window_of
from tests.fakes import frame_at
from tests.waiting import DEADLINE_S


class Counted:
    """A window that remembers what it was asked."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self.asked: list[Requests] = []

    def answer(self, request: Requests) -> tuple[bytes, bytes]:
        self.asked.append(request)
        return self._window.answer(request)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._window, name)


def test_a_daemon_that_was_started_again_answers_the_first_question(tmp_path: Path) -> None:
    async def asked_before_and_after() -> bytes:
        listener = started(tmp_path)
        async with connected(tmp_path) as hub:
            await hub.report()
            former = hub._link
            await asyncio.to_thread(listener.close)
            listener = await asyncio.to_thread(started, tmp_path)
            async with asyncio.timeout(DEADLINE_S):
                while hub._link in (None, former):  # nobody asks meanwhile
                    await asyncio.sleep(0.01)
            document, _ = await hub.ask(PageReport())
        listener.close()
        return document

    assert msgspec.json.decode(loops.run(asked_before_and_after()))["device"] == "door-1"


@pytest.mark.parametrize("served_before", [False, True])
def test_a_daemon_that_speaks_another_form_is_another_release_s(
    tmp_path: Path, served_before: bool
) -> None:
    """The page's process ends then, and the next one is of that release."""

    async def greets_otherwise(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(framed_answer(b'{"in": "another form"}'))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def served_until_then() -> None:
        hub = Hub(socket_path(tmp_path))
        until = asyncio.create_task(hub.keep_connected())
        if served_before:
            listener = started(tmp_path)
            await hub.front
            await asyncio.to_thread(listener.close)
        async with await asyncio.start_unix_server(greets_otherwise, socket_path(tmp_path)):
            await asyncio.wait_for(until, 10)

    loops.run(served_until_then())


def test_the_looking_ends_with_the_last_viewer_however_he_has_left(tmp_path: Path) -> None:
    listener = started(tmp_path)
    window = window_of(listener)
    nobody = FrameOutcome((), Decision())

    async def looked_once() -> bytes:
        async with connected(tmp_path) as hub, asyncio.timeout(DEADLINE_S):
            asked = asyncio.create_task(hub.scene(0))
            number = 0
            while not asked.done():
                window.observers.show(frame_at(number / 50), nobody)
                number += 1
                await asyncio.sleep(0.02)
            assert window.is_looking
            while hub.is_streaming or window.is_looking:
                await asyncio.sleep(0.02)
            return asked.result()

    assert loops.run(looked_once()).endswith(b"jpeg")
    listener.close()


def test_many_who_want_a_report_at_once_are_one_question(tmp_path: Path) -> None:
    listener = started(tmp_path)
    window = Counted(window_of(listener))
    listener.window = window  # type: ignore[assignment]

    async def at_once() -> list[bytes]:
        async with connected(tmp_path) as hub:
            return await asyncio.gather(*(hub.report() for _ in range(64)))

    reports = loops.run(at_once())
    listener.close()
    assert len(set(reports)) == 1
    assert window.asked == [PageReport()]


def test_who_leaves_takes_no_report_along(tmp_path: Path) -> None:
    async def first_leaves() -> bytes:
        async with connected(tmp_path) as hub:
            first = asyncio.create_task(hub.report())
            await asyncio.sleep(0)
            second = asyncio.create_task(hub.report())
            await asyncio.sleep(0)
            first.cancel()
            return await second

    listener = started(tmp_path)
    assert msgspec.json.decode(loops.run(first_leaves()))["device"] == "door-1"
    listener.close()
