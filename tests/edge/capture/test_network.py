"""Streams as others' cameras and networks send them, over real sockets."""

import io
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import count, pairwise
from typing import Any

import av
import numpy as np
import pytest

from edge.capture.camera import Camera, frames_of, patience_with
from edge.capture.rtsp import NetworkStream
from edge.capture.source import FrameSource
from edge.capture.sources import open_source
from edge.capture.stills import Stills
from edge.config import CameraSettings
from edge.errors import CameraError, CameraLoginError
from edge.records import Frame
from tests.edge.capture.cameras import web_camera
from tests.edge.capture.fakes import number_shown, numbered, scene
from tests.edge.capture.streams import (
    LivePlaylist,
    Send,
    evenly,
    in_bursts,
    jpeg,
    undecodable,
    video,
    web,
)
from tests.waiting import DEADLINE_S, until

FPS = 25.0
PICTURE = jpeg(scene())


def moving(count: int) -> list[Any]:
    return [np.roll(scene(96, 64), 2 * number, 1) for number in range(count)]


def seconds(length_s: float, start_s: float = 0.0) -> bytes:
    """A transport stream so long."""
    number = round(length_s * FPS)
    return video(moving(number), evenly(number, FPS, start_s), "mpegts")


def watched(address: str, for_s: float, **settings: Any) -> tuple[list[Frame], list[float], int]:
    """The frames of so long a look, when each came, and how many were dropped."""
    frames = frames_of(CameraSettings(source=address, **settings))
    until_s = time.monotonic() + for_s
    seen: list[Frame] = []
    came_s: list[float] = []
    while time.monotonic() < until_s:
        if (frame := frames.read(0.2)) is not None:
            seen.append(frame)
            came_s.append(time.monotonic())
    dropped = frames.dropped
    frames.close(5)
    return seen, came_s, dropped


def until_lost(source: FrameSource) -> list[Frame]:
    """The frames until the source says what is wrong, which comes after them."""
    seen: list[Frame] = []
    with suppress(CameraError):
        while (frame := source.read()) is not None:
            seen.append(frame)
    return seen


def longest_step_s(values: list[float]) -> float:
    return max(later - sooner for sooner, later in pairwise(values))


def assert_even(seen: list[Frame], came_s: list[float], for_s: float) -> None:
    """A busy machine may drop a few and give some late, but no whole burst."""
    stamps_s = [frame.monotonic_s for frame in seen]
    assert len(seen) > 0.7 * for_s * FPS
    assert longest_step_s(stamps_s) < 0.5
    assert longest_step_s(came_s) < 0.8
    assert all(stamp <= came for stamp, came in zip(stamps_s, came_s, strict=True))


def test_every_picture_of_a_live_playlist_is_seen() -> None:
    segments = [seconds(1, number) for number in range(20)]
    playlist = LivePlaylist(segments, 1)
    with web(playlist.answer) as address:
        seen, came_s, _ = watched(f"{address}/live.m3u8", 6)
    assert_even(seen, came_s, 5)


def test_bursts_are_played_at_their_own_pace() -> None:
    answer = in_bursts(seconds(20), lambda at_s: (at_s // 1.5 + 1) * 1.5)
    with web(answer) as address:
        seen, came_s, _ = watched(f"{address}/live", 6)
    assert_even(seen, came_s, 5)


def test_what_came_late_after_a_stall_is_seen_with_its_own_times() -> None:
    answer = in_bursts(seconds(20), lambda at_s: 3 if 3 <= at_s < 6 else at_s)
    with web(answer) as address:
        seen, came_s, dropped = watched(f"{address}/live", 10)
    assert longest_step_s(came_s) > 1, "the stall did not reach us"
    assert longest_step_s([frame.monotonic_s for frame in seen]) < 0.5
    assert dropped < 20


def test_a_slow_look_still_gets_the_newest() -> None:
    with web(in_bursts(seconds(20), lambda at_s: at_s)) as address:
        frames = frames_of(CameraSettings(source=f"{address}/live"))
        late_s = []
        for _ in range(15):
            if (frame := frames.read(5)) is not None:
                late_s.append(time.monotonic() - frame.monotonic_s)
            time.sleep(0.2)
        assert frames.dropped > 20
        assert max(late_s) < 1
        frames.close(5)


def motion_jpeg(pictures: Callable[[int], bytes], every_s: float = 0.05) -> Callable[..., None]:
    def answer(path: str, send: Send) -> None:
        for number in count():
            content = pictures(number)
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(content)}\r\n\r\n"
            send(head.encode() + content + b"\r\n")
            time.sleep(every_s)

    return answer


MULTIPART = "multipart/x-mixed-replace; boundary=frame"


def test_a_picture_that_cannot_be_decoded_is_one_frame_lost() -> None:
    good = jpeg(scene())
    answer = motion_jpeg(lambda number: undecodable(good) if number % 10 == 5 else good)
    with web(answer, MULTIPART) as address:
        source = open_source(CameraSettings(source=f"{address}/video"))
        numbers = [frame.number for _ in range(40) if (frame := source.read()) is not None]
        source.close()
    left_out = set(range(numbers[-1] + 1)) - set(numbers)
    assert len(left_out) in (4, 5)
    assert {later - sooner for sooner, later in pairwise(sorted(left_out))} == {10}


def test_pictures_of_which_none_can_be_decoded_are_a_lost_camera_that_says_why() -> None:
    good = jpeg(scene())
    answer = motion_jpeg(lambda number: good if number < 60 else undecodable(good))
    with web(answer, MULTIPART) as address:
        source = open_source(CameraSettings(source=f"{address}/video", stall_s=1))
        until_lost(source)
        with pytest.raises(CameraError, match=r"no frame can be decoded \(\d+ in a row\): Invalid"):
            source.read()
        source.close()


def test_motion_jpeg_that_begins_without_a_boundary_is_watched() -> None:
    head = b"Content-Type: image/jpeg\r\n\r\n"
    sent_s: list[float] = []

    def answer(path: str, send: Send) -> None:
        while True:
            send(head + jpeg(scene()) + b"\r\n--frame\r\n")
            sent_s.append(time.monotonic())
            time.sleep(0.05)

    with web(answer, MULTIPART) as address:
        source = open_source(CameraSettings(source=f"{address}/video"))
        frames = [frame for _ in range(20) if (frame := source.read()) is not None]
        source.close()
    assert frames[-1].pixels.shape == scene().shape
    assert step_s(frame.monotonic_s for frame in frames) == pytest.approx(step_s(sent_s), abs=0.03)


def step_s(times_s: Iterable[float]) -> float:
    """Return how far apart times are, in the middle of them: a busy machine sends more slowly."""
    return float(np.median(np.diff([*times_s])))


def test_a_page_is_no_motion_jpeg_without_a_boundary() -> None:
    def answer(path: str, send: Send) -> None:
        send(b"<html>login</html>" * 99)

    with (
        web(answer, "text/html") as address,
        pytest.raises(CameraError, match="it gives no video; is the path"),
    ):
        open_source(CameraSettings(source=f"{address}/video"))


def test_picture_after_picture_in_one_answer_is_a_stream() -> None:
    sent_s: list[float] = []

    def answer(path: str, send: Send) -> None:
        while True:
            send(jpeg(scene(640, 480)))
            sent_s.append(time.monotonic())
            time.sleep(0.1)

    with web(answer, "image/jpeg") as address:
        source = open_source(CameraSettings(source=f"{address}/video"))
        assert isinstance(source, NetworkStream)
        frames = [frame for _ in range(60) if (frame := source.read()) is not None]
        source.close()
    assert frames[-1].pixels.shape == (480, 640, 3)
    last_s = step_s(frame.monotonic_s for frame in frames[-15:])
    assert last_s == pytest.approx(step_s(sent_s[-15:]), abs=0.03)


def test_a_stream_without_a_key_picture_says_so() -> None:
    content = video(
        moving(250),
        evenly(250),
        "mpegts",
        codec="libx264",
        key_every=250,
        options={"preset": "ultrafast"},
    )
    with av.open(io.BytesIO(content), "r") as container:
        places = [packet.pos for packet in container.demux(video=0) if packet.pos]
    with web(in_bursts(content[places[1] :], lambda at_s: at_s)) as address:
        source = open_source(CameraSettings(source=f"{address}/live", open_timeout_s=5))
        with pytest.raises(CameraError, match=r"no key frame for 5 s.*I-frame interval"):
            source.read()
        source.close()


def test_times_that_a_server_does_not_give_are_those_of_arrival() -> None:
    """FFmpeg would invent 25 a second."""
    sent_s: list[float] = []

    def picture(number: int) -> bytes:
        sent_s.append(time.monotonic())
        return jpeg(scene())

    with web(motion_jpeg(picture, 0.1), MULTIPART) as address:
        seen, _, _ = watched(f"{address}/video", 3)
    assert step_s(frame.monotonic_s for frame in seen) == pytest.approx(step_s(sent_s), abs=0.03)


def test_a_picture_that_changes_its_size_comes_as_it_is() -> None:
    small = video([scene(96, 64)] * 25, evenly(25), "mpegts")
    large = video([scene(192, 128)] * 25, evenly(25, start_s=1), "mpegts")

    def answer(path: str, send: Send) -> None:
        send(small + large)

    with web(answer) as address:
        source = open_source(CameraSettings(source=f"{address}/live"))
        shapes = [frame.pixels.shape for frame in until_lost(source)]
        with pytest.raises(CameraError, match="the stream ended"):
            source.read()
        source.close()
    assert sorted(set(shapes)) == [(64, 96, 3), (128, 192, 3)]
    assert shapes.count((128, 192, 3)) > 20


def test_a_clock_that_jumps_in_the_stream_holds_nothing_up() -> None:
    content = seconds(2) + seconds(2, 4000) + seconds(2, 100)

    def answer(path: str, send: Send) -> None:
        step = len(content) // 120 // 188 * 188 + 188
        for start in range(0, len(content), step):
            send(content[start : start + step])
            time.sleep(0.05)

    with web(answer) as address:
        source = open_source(CameraSettings(source=f"{address}/live"))
        stamps_s = [frame.monotonic_s for frame in until_lost(source)]
        source.close()
    assert len(stamps_s) > 140
    assert 0 < stamps_s[-1] - stamps_s[0] < 12
    assert min(np.diff(stamps_s)) > 0


def test_a_single_picture_is_asked_for_again_and_that_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    asked = count()

    def answer(path: str, send: Send) -> None:
        number = next(asked)
        if number == 3:
            raise KeyError
        send(undecodable(jpeg(scene())) if number == 5 else jpeg(numbered(number)))

    with web(answer, "image/jpeg") as address:
        source = open_source(CameraSettings(source=f"{address}/snap.jpg"))
        assert isinstance(source, Stills)
        frames = [frame for _ in range(8) if (frame := source.read()) is not None]
        source.close()
    shown = [number_shown(frame.pixels) for frame in frames]
    assert shown == sorted(set(shown))
    assert frames[-1].number - frames[0].number == 9
    assert np.median(np.diff([frame.monotonic_s for frame in frames])) > 0.15
    assert len(caplog.records) == 1
    assert "a single picture and no video" in caplog.text


def test_a_single_picture_that_is_gone_is_a_lost_camera() -> None:
    asked = count()

    def answer(path: str, send: Send) -> None:
        if next(asked) > 5:
            raise KeyError
        send(jpeg(scene()))

    with web(answer, "image/jpeg") as address:
        source = open_source(CameraSettings(source=f"{address}/snap.jpg", stall_s=1))
        assert 2 <= len(until_lost(source)) <= 5
        with pytest.raises(CameraError, match=r"no picture for 1 s: .*404 Not Found"):
            source.read()


def test_a_single_picture_that_wants_another_password_is_not_asked_for_again() -> None:
    with web_camera() as camera:
        source = open_source(CameraSettings(source=f"http://door:sesame@{camera.place}/picture"))
        source.read()
        camera.authorization = "Basic another"
        before = len(camera.requests)
        with pytest.raises(CameraLoginError, match="rejects the user and password"):
            source.read()
        assert len(camera.requests) - before <= 2
        source.close()


def test_neither_errors_nor_the_log_nor_stderr_have_the_password() -> None:
    program = (
        "import logging, sys\n"
        "logging.basicConfig(level=logging.DEBUG)\n"
        "from edge.capture.sources import open_source\n"
        "from edge.config import CameraSettings\n"
        "from edge.errors import CameraError\n"
        "for source in sys.argv[1:]:\n"
        "    try:\n"
        "        open_source(CameraSettings(source=source, open_timeout_s=2)).read()\n"
        "    except CameraError:\n"
        "        logging.exception('refused')\n"
    )
    good = jpeg(scene())

    def answer(path: str, send: Send) -> None:
        if "missing" in path:
            raise KeyError
        send(b"<html>no video</html>" * 50 if "page" in path else undecodable(good))

    with web(answer, "image/jpeg") as address:
        place = address.removeprefix("http://")
        sources = [
            f"{scheme}://door:sesame@{place}/{path}?password=sesame"
            for scheme in ("http", "rtsp", "https")
            for path in ("missing", "page", "snap.jpg")
        ]
        command = [sys.executable, "-c", program, *sources]
        said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert said.stderr.count("refused") == len(sources)
    assert "sesame" not in said.stdout + said.stderr


def test_a_stream_that_falls_silent_is_asked_for_again_long_before_its_read_returns() -> None:
    """A visit outlives ten seconds without a picture: what is there again by then is the same."""
    silent_s: list[float] = []
    again_s: list[float] = []
    over = threading.Event()

    def answer(path: str, send: Send) -> None:
        part = b"--next\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(PICTURE)
        if silent_s:
            again_s.append(time.monotonic())
        for _ in range(20) if not silent_s else count():
            send(part + PICTURE + b"\r\n")
            time.sleep(0.05)
        silent_s.append(time.monotonic())
        over.wait(DEADLINE_S)

    with web(answer, MULTIPART) as address:
        settings = CameraSettings(source=f"{address}/x", stall_s=2)
        seen = Camera(lambda: frames_of(settings), patience_with(settings))
        until(lambda: seen.read(0.2) is not None and again_s, "it is watched again")
        over.set()
        seen.close(5)
    # Two seconds of patience, two of grace and a pause; FFmpeg's read returns after ten.
    assert again_s[0] - silent_s[0] < 9


@pytest.mark.parametrize("catches_up", [True, False])
def test_motion_jpeg_that_stalls_and_catches_up_is_shown_at_its_pace(catches_up: bool) -> None:
    """What was left out meanwhile makes nothing wait."""
    every_s, stalled = 0.05, range(40, 70)

    def answer(path: str, send: Send) -> None:
        part = b"--next\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(PICTURE)
        begun_s, held = time.monotonic(), b""
        for number in range(150):
            time.sleep(max(0.0, begun_s + number * every_s - time.monotonic()))
            held += part + PICTURE + b"\r\n"
            if number in stalled:
                held = held if catches_up else b""
            else:
                send(held)
                held = b""

    with web(answer, "multipart/x-mixed-replace; boundary=next") as address:
        frames, came_s, _ = watched(f"{address}/x", 6)
    steps_s = [later.monotonic_s - frame.monotonic_s for frame, later in pairwise(frames)]
    late_s = [at_s - frame.monotonic_s for frame, at_s in zip(frames, came_s, strict=True)]
    assert (max(steps_s) < 0.5) == catches_up
    assert (max(late_s[-20:]) > 1) == catches_up
