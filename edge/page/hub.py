"""What all viewers share: the connection to the daemon, and one stream of scenes.

The stream ends with the last viewer, and no scene is shown that is not of this moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from edge.files import DamagedFileError, decoded
from edge.page.wire import (
    ANSWER_HEAD_BYTES,
    Front,
    NextScene,
    PageReport,
    ReadMetrics,
    Requests,
    answer_sizes,
    framed_request,
)

PATIENCE_S = 3.0
"""How long after the last viewer has asked, scenes are still asked for."""
LONGEST_S = 10.0
"""How long a viewer waits for a newer scene, and asks again then."""
FRESH_S = 2.5
"""A scene that is older is shown to nobody."""
ANSWER_S = 15.0
"""How long the daemon may take for an answer."""
AGAIN_S = 0.25
"""How long after it has gone the daemon is tried again; and how often it is looked for."""
REPORT_EVERY_S = 1.0
_LENGTH = struct.Struct(">I")


@dataclass(slots=True)
class _Kept:
    """The last answer to a question that everybody asks."""

    request: Requests
    document: bytes = b""
    taken_s: float = -math.inf
    taking: asyncio.Task[None] | None = None


class _Stream:
    """The scenes of one camera, while somebody looks at it."""

    def __init__(self, camera: str) -> None:
        self.camera = camera
        self.fresh = asyncio.Condition()
        self.number = 0
        self.scene = b""
        self.scene_s = 0.0
        self.asked_s = 0.0
        self.task: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        return self.task is not None and not self.task.done()

    def is_new(self, after: int) -> bool:
        is_fresh = time.monotonic() - self.scene_s < FRESH_S
        return bool(self.scene) and is_fresh and self.number != after


class Hub:
    """Asks the daemon, one question at a time, and connects again whenever it was away."""

    def __init__(self, daemon: Path) -> None:
        """`daemon` is its socket."""
        self._daemon = daemon
        self.front: asyncio.Future[Front] = asyncio.get_running_loop().create_future()
        """The first that the daemon gave."""
        self._link: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._turn = asyncio.Lock()
        self._streams: dict[str, _Stream] = {}
        self._reports: dict[str, _Kept] = {}
        """By camera, whose names the daemon has given: no others are asked for."""
        self._metrics = {each: _Kept(ReadMetrics(each)) for each in (False, True)}

    @property
    def is_streaming(self) -> bool:
        return any(each.is_running for each in self._streams.values())

    async def keep_connected(self) -> None:
        """Return when the daemon wants the page served otherwise than it said at first."""
        is_same = True
        while is_same:
            with contextlib.suppress(OSError, ValueError, EOFError, TimeoutError):
                is_same = await self._connected_once()
            await asyncio.sleep(AGAIN_S)

    async def _connected_once(self) -> bool:
        """Be connected until the daemon goes; return False at once where it is to be otherwise."""
        reader, writer = await asyncio.open_unix_connection(self._daemon)
        try:
            async with asyncio.timeout(ANSWER_S):
                document, _ = await read_answer(reader)
            try:
                front = decoded(document, Front)
            except DamagedFileError:  # another release's, whose page it is then
                return False
            if not self.front.done():
                self.front.set_result(front)
            elif front != self.front.result():
                return False
            self._link = reader, writer
            # Looked at though nobody asks: the next daemon may want the page served otherwise.
            while self._link is not None and not reader.at_eof():
                await asyncio.sleep(AGAIN_S)
            return True
        finally:
            self._link = None
            writer.close()

    async def ask(self, request: Requests) -> tuple[bytes, bytes]:
        """Return document and picture. Raises ConnectionError while the daemon is away."""
        # A viewer who leaves in the middle must not take the answer along.
        return await asyncio.shield(asyncio.ensure_future(self._exchange(request)))

    async def _exchange(self, request: Requests) -> tuple[bytes, bytes]:
        async with self._turn:
            if self._link is None:
                raise ConnectionError("the service is not running")
            reader, writer = self._link
            try:
                async with asyncio.timeout(ANSWER_S):
                    writer.write(framed_request(request))
                    await writer.drain()
                    return await read_answer(reader)
            except (OSError, ValueError, EOFError, TimeoutError) as error:
                self._link = None
                raise ConnectionError("the service has ended, or does not respond") from error

    async def scene(self, after: int, camera: str = "") -> bytes:
        """Return the newest scene, once it is another than `after`; empty: none came in time.

        That is the length of a JSON document, four bytes, the document, and a JPEG. Raises
        ConnectionError while the daemon is away.
        """
        if self._link is None:
            raise ConnectionError("the service is not running")
        name = self._known(camera)
        stream = self._streams.setdefault(name, _Stream(name))
        stream.asked_s = time.monotonic()
        if not stream.is_running:
            stream.task = asyncio.create_task(self._run(stream))
        async with stream.fresh:
            try:
                async with asyncio.timeout(LONGEST_S):
                    await stream.fresh.wait_for(lambda: stream.is_new(after))
            except TimeoutError:
                return b""
            return stream.scene

    def _known(self, camera: str) -> str:
        """Return the name if the daemon has such a camera; else the empty one: the first."""
        return camera if self.front.done() and camera in self.front.result().cameras else ""

    async def report(self, camera: str = "") -> bytes:
        """Return how the device does, no older than a second.

        All who want it at the same time wait for one answer: strangers want it, too. Raises
        ConnectionError while the daemon is away.
        """
        name = self._known(camera)
        return await self._recent(self._reports.setdefault(name, _Kept(PageReport(name))))

    async def metrics(self, *, is_open_metrics: bool) -> bytes:
        """Return the metrics, no older than a second. Raises as `report` does."""
        return await self._recent(self._metrics[is_open_metrics])

    async def _recent(self, kept: _Kept) -> bytes:
        if time.monotonic() - kept.taken_s >= REPORT_EVERY_S or self._link is None:
            if kept.taking is None or kept.taking.done():
                kept.taking = asyncio.create_task(self._take(kept))
            await asyncio.shield(kept.taking)
        return kept.document

    async def _take(self, kept: _Kept) -> None:
        kept.document, _ = await self._exchange(kept.request)
        kept.taken_s = time.monotonic()

    def renew(self) -> None:
        """Have the next reports be new ones."""
        for kept in self._reports.values():
            kept.taken_s = -math.inf

    async def _run(self, stream: _Stream) -> None:
        try:
            while time.monotonic() - stream.asked_s < PATIENCE_S:
                try:
                    document, picture = await self.ask(NextScene(stream.number, stream.camera))
                except ConnectionError:
                    return
                if not picture:
                    continue
                async with stream.fresh:
                    stream.number += 1
                    stream.scene = _LENGTH.pack(len(document)) + document + picture
                    stream.scene_s = time.monotonic()
                    stream.fresh.notify_all()
        finally:
            stream.scene = b""


async def read_answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Return document and picture. Raises OSError, ValueError, EOFError."""
    sizes = answer_sizes(await reader.readexactly(ANSWER_HEAD_BYTES))
    document, picture = [await reader.readexactly(size) for size in sizes]
    return document, picture
