"""What all viewers share: one stream of scenes, which stops with the last of them."""

from __future__ import annotations

import asyncio
import struct
import time

from edge.page.wire import (
    ANSWER_HEAD_BYTES,
    NextScene,
    Report,
    Requests,
    answer_sizes,
    framed_request,
)

PATIENCE_S = 3.0
"""So long after the last viewer has asked, scenes are still asked for."""
LONGEST_S = 10.0
"""So long a viewer waits for a newer scene, and asks again then."""
REPORT_EVERY_S = 1.0
_LENGTH = struct.Struct(">I")


class Hub:
    """The connection to the daemon; one question at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.has_ended = asyncio.Event()
        self._turn = asyncio.Lock()
        self._fresh = asyncio.Condition()
        self._number = 0
        self._scene = b""
        self._asked_s = 0.0
        self._stream: asyncio.Task[None] | None = None
        self._report = b""
        self._report_s = float("-inf")

    @property
    def is_streaming(self) -> bool:
        return self._stream is not None and not self._stream.done()

    async def ask(self, request: Requests) -> tuple[bytes, bytes]:
        """Return document and picture. Raises ConnectionError when the daemon has gone."""
        # A viewer who leaves in the middle must not take the answer along.
        return await asyncio.shield(asyncio.ensure_future(self._exchange(request)))

    async def _exchange(self, request: Requests) -> tuple[bytes, bytes]:
        async with self._turn:
            try:
                self._writer.write(framed_request(request))
                await self._writer.drain()
                sizes = answer_sizes(await self._reader.readexactly(ANSWER_HEAD_BYTES))
                document, picture = [await self._reader.readexactly(size) for size in sizes]
            except (asyncio.IncompleteReadError, OSError, ValueError) as error:
                self.has_ended.set()
                raise ConnectionError("the daemon has gone") from error
            return document, picture

    async def scene(self, after: int) -> bytes:
        """Return the newest scene, once it is another than `after`; empty: none came in time.

        That is the length of a JSON document, four bytes, the document, and a JPEG.
        """
        self._asked_s = time.monotonic()
        if not self.is_streaming:
            self._stream = asyncio.create_task(self._run())
        async with self._fresh:
            try:
                await asyncio.wait_for(
                    self._fresh.wait_for(lambda: self._number not in (0, after)), LONGEST_S
                )
            except TimeoutError:
                return b""
            return self._scene

    async def report(self) -> bytes:
        """Return how the device does, no older than a second."""
        now_s = time.monotonic()
        if now_s - self._report_s >= REPORT_EVERY_S:
            self._report_s = now_s
            self._report, _ = await self.ask(Report())
        return self._report

    def renew(self) -> None:
        """Have the next report be a new one."""
        self._report_s = float("-inf")

    async def _run(self) -> None:
        while time.monotonic() - self._asked_s < PATIENCE_S:
            try:
                document, picture = await self.ask(NextScene(self._number))
            except ConnectionError:
                return
            if not picture:
                continue
            async with self._fresh:
                self._number += 1
                self._scene = _LENGTH.pack(len(document)) + document + picture
                self._fresh.notify_all()
