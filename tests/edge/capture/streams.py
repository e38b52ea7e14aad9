"""Clips and streams made for a test, and servers that send them as others' cameras do."""

from __future__ import annotations

import http.server
import io
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame

from edge.records import Pixels

TICK = Fraction(1, 1000)


def write_video(
    file: Path | io.BytesIO,
    pictures: Sequence[Pixels],
    times_s: Sequence[float],
    kind: str,
    codec: str = "mpeg4",
    *,
    options: dict[str, str] | None = None,
    stretch: Fraction | None = None,
    sound_s: float = 0.0,
    key_every: int = 12,
) -> None:
    """Encode pictures of one size, each with its time; `kind` is FFmpeg's name of the container.

    `stretch`: how wide a pixel is for a height of 1. `sound_s`: so long is the silent sound track.
    """
    height, width = pictures[0].shape[:2]
    target: Any = str(file) if isinstance(file, Path) else file
    with _scheduled_as_before(), av.open(target, "w", format=kind) as container:
        stream: Any = container.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height, stream.gop_size = width, height, key_every
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.time_base = TICK
        if stretch is not None:
            stream.codec_context.sample_aspect_ratio = stretch
        sound: Any = container.add_stream("pcm_s16le", rate=8000) if sound_s else None
        for picture, time_s in zip(pictures, times_s, strict=True):
            frame = VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = round(time_s / TICK), TICK
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        for number in range(round(sound_s * 10)):
            silence = av.AudioFrame.from_ndarray(
                np.zeros((1, 800), np.int16), format="s16", layout="mono"
            )
            silence.sample_rate, silence.pts = 8000, 800 * number
            silence.time_base = Fraction(1, 8000)
            container.mux(sound.encode(silence))


@contextmanager
def _scheduled_as_before() -> Iterator[None]:
    """SVT-AV1's encoder makes root's process, and all that it starts later, a real-time one."""
    policy, parameter = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameter)


def video(pictures: Sequence[Pixels], times_s: Sequence[float], kind: str, **more: Any) -> bytes:
    """Return what `write_video` writes."""
    file = io.BytesIO()
    write_video(file, pictures, times_s, kind, **more)
    return file.getvalue()


def evenly(count: int, fps: float = 25.0, start_s: float = 0.0) -> list[float]:
    return [start_s + number / fps for number in range(count)]


def jpeg(picture: Pixels) -> bytes:
    return bytes(cv2.imencode(".jpg", picture)[1])


def undecodable(picture: bytes) -> bytes:
    """Return a JPEG whose header has no size."""
    size = picture.index(b"\xff\xc0") + 5
    return picture[:size] + bytes(4) + picture[size + 4 :]


Send = Callable[[bytes], object]


@contextmanager
def web(answer: Callable[[str, Send], None], kind: str = "video/mp2t") -> Iterator[str]:
    """Serve HTTP on this machine; `answer` gets the path, and what sends the body.

    A path that it raises KeyError for is answered by 404.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            """Nobody reads it."""

        def do_GET(self) -> None:
            has_begun = False

            def send(content: bytes) -> None:
                nonlocal has_begun
                if not has_begun:
                    self.send_response(200)
                    self.send_header("Content-Type", kind)
                    self.end_headers()
                has_begun = True
                self.wfile.write(content)

            try:
                answer(self.path, send)
            except KeyError:
                self.send_error(404)
            except OSError:
                """The client has disconnected."""

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join(5)


def in_bursts(content: bytes, allowed_s: Callable[[float], float]) -> Callable[[str, Send], None]:
    """Send a transport stream as far as its own time is `allowed_s` after this many seconds."""
    with av.open(io.BytesIO(content), "r") as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
    zero = packets[0].pts or 0
    places = [
        (float(((packet.pts or 0) - zero) * packet.time_base), packet.pos or 0)
        for packet in packets
    ]

    def answer(path: str, send: Send) -> None:
        begun_s, sent = time.monotonic(), 0
        while sent < len(content):
            until_s = allowed_s(time.monotonic() - begun_s)
            end = next((place for at_s, place in places if at_s > until_s), len(content))
            if end > sent:
                send(content[sent:end])
                sent = end
            time.sleep(0.01)

    return answer


class LivePlaylist:
    """HLS as a camera's bridge serves it: a segment is there once it is over, the last three."""

    def __init__(self, segments: Sequence[bytes], segment_s: float) -> None:
        self._segments = segments
        self._segment_s = segment_s
        self._begun_s = time.monotonic() - 3 * segment_s

    def answer(self, path: str, send: Send) -> None:
        ready = int((time.monotonic() - self._begun_s) / self._segment_s)
        if path.endswith(".ts"):
            send(self._segments[int(path[1:-3])])
            return
        first = max(0, ready - 3)
        lines = [
            "#EXTM3U",
            "#EXT-X-VERSION:3",
            f"#EXT-X-TARGETDURATION:{round(self._segment_s)}",
            f"#EXT-X-MEDIA-SEQUENCE:{first}",
        ]
        for number in range(first, min(ready, len(self._segments))):
            lines += [f"#EXTINF:{self._segment_s:.3f},", f"{number}.ts"]
        send("\n".join([*lines, ""]).encode())
