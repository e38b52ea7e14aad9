import functools
import http.server
import socket
import threading
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.capture.camera import Camera, frames_of, patience_with
from edge.capture.rtsp import NetworkStream
from edge.capture.sources import open_source
from edge.clock import SYSTEM_CLOCK, Clock
from edge.config import CameraSettings
from edge.errors import CameraError, CameraLoginError, CameraRefusalError
from tests.edge.capture.cameras import web_camera
from tests.edge.capture.fakes import NOON, TurnedClock, scene, write_clip
from tests.edge.capture.rtsp_server import encoded_frames, serving
from tests.waiting import DEADLINE_S, Stopwatch, until


def stream(
    address: str, timeout_s: float = 5, clock: Clock = SYSTEM_CLOCK, **settings: Any
) -> NetworkStream:
    camera = CameraSettings(source=address, open_timeout_s=timeout_s, **settings)
    source = open_source(camera, clock)
    assert isinstance(source, NetworkStream)
    return source


def read_on(source: NetworkStream) -> None:
    """Read more frames than there are."""
    for _ in range(100):
        source.read()


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    path = tmp_path_factory.mktemp("rtsp") / "clip.avi"
    return encoded_frames(write_clip(path, [scene()] * 40, codec="XVID"))


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """The address of a web server that has `clip.avi`."""
    write_clip(tmp_path / "clip.avi", [scene()] * 3)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            """Nobody reads it."""

    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join(5)


def test_frames_come_from_a_real_rtsp_server_that_asks_for_a_password(frames: list[bytes]) -> None:
    with serving(frames, user="door:open sesame") as server:
        source = stream(
            f"rtsp://door:open%20sesame@127.0.0.1:{server.port}/live?token=secret",
            clock=TurnedClock(),
        )
        shots = [source.read() for _ in range(5)]
        source.close()
    assert [shot.number for shot in shots] == [0, 1, 2, 3, 4]
    assert float(np.abs(shots[-1].pixels.astype(int) - scene()).mean()) < 4
    assert shots[0].pixels.flags.c_contiguous
    assert (shots[0].captured_at, shots[0].monotonic_s) == (NOON, 1000)
    assert source.name == f"rtsp://127.0.0.1:{server.port}"


@pytest.mark.parametrize("password", ["ab#cd", "ab/cd", "ab?cd", "ab%cd", "100%", "ä b@:[1]", "%"])
@pytest.mark.parametrize("digest", [True, False])
def test_a_password_is_written_with_its_signs_as_they_are(
    frames: list[bytes], password: str, digest: bool
) -> None:
    with serving(frames, user=f"door:{password}") as server:
        server.digest = digest
        source = stream(f"rtsp://door:{password}@127.0.0.1:{server.port}/live")
        source.read()
        source.close()


def test_a_stream_that_ends_is_an_error(frames: list[bytes]) -> None:
    with serving(frames) as server:
        source = stream(f"rtsp://127.0.0.1:{server.port}/live")
        with pytest.raises(CameraError, match="the stream ended"):
            read_on(source)
        source.close()


def test_a_stream_that_falls_silent_is_an_error_in_time(frames: list[bytes]) -> None:
    with serving(frames, falls_silent=True) as server:
        source = stream(f"rtsp://127.0.0.1:{server.port}/live", stall_s=1)
        stopwatch = Stopwatch()
        with pytest.raises(CameraError, match="gave no frame for 1 s"):
            read_on(source)
        assert stopwatch.elapsed_s < 10
        source.close()


def test_a_wrong_password_is_said_without_naming_it(frames: list[bytes]) -> None:
    with (
        serving(frames, user="door:right") as server,
        pytest.raises(CameraError, match="rejects the user and password") as refusal,
    ):
        stream(f"rtsp://door:wr@/ong@127.0.0.1:{server.port}/live")
    assert "ong" not in str(refusal.value).replace("wrong", "")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("401 Unauthorized", CameraLoginError),
        ("403 Forbidden", CameraLoginError),
        ("404 Not Found", CameraRefusalError),
        ("454 Session Not Found", CameraRefusalError),
        ("503 Service Unavailable", CameraError),
    ],
)
def test_what_a_camera_refuses_is_an_error_of_its_own(
    frames: list[bytes], status: str, kind: type[CameraError]
) -> None:
    with serving(frames) as server:
        server.status = status
        settings = CameraSettings(source=f"rtsp://127.0.0.1:{server.port}/live")
        camera = Camera(lambda: frames_of(settings), patience_with(settings))
        with pytest.raises(CameraError) as refusal:
            open_source(settings)
        until(lambda: camera.read(0.2) or camera.status().trouble, "it is lost")
        camera.close(DEADLINE_S)
    assert type(refusal.value) is kind
    assert camera.status().trouble == str(refusal.value)
    assert camera.status().refuses == isinstance(refusal.value, CameraRefusalError)


def test_a_host_that_refuses_is_told_apart() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with pytest.raises(CameraError, match=f"^rtsp://127.0.0.1:{port}: Connection refused; is"):
            stream(f"rtsp://door:secret@127.0.0.1:{port}/live")


def test_a_host_that_says_nothing_does_not_hold_us() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        stopwatch = Stopwatch()
        with pytest.raises(CameraError, match="gave no video within"):
            stream(f"rtsp://127.0.0.1:{silent.getsockname()[1]}/live", timeout_s=0.5)
        assert stopwatch.elapsed_s < 5


def test_a_camera_without_rtp_over_tcp_is_watched_over_udp(frames: list[bytes]) -> None:
    with serving(frames * 10) as server:
        server.udp_only = True
        source = stream(f"rtsp://127.0.0.1:{server.port}/live")
        assert source.read().pixels.shape == (240, 320, 3)
        source.close()


@pytest.mark.parametrize("login", ["", "door:sesame@"])
def test_a_camera_with_room_for_one_viewer_gets_one_connection(login: str) -> None:
    authorization = f"Basic {b64encode(b'door:sesame').decode()}" if login else None
    with web_camera(authorization=authorization) as camera:
        source = stream(f"http://{login}{camera.place}/video")
        source.read()
        source.close()
        assert camera.connections == (2 if login else 1)  # the first is asked for the password


def test_video_over_http_is_a_stream_too(web: str) -> None:
    source = stream(f"{web}/clip.avi", rotation_deg=180)
    shot = source.read()
    assert float(np.abs(shot.pixels.astype(int) - np.rot90(scene(), 2)).mean()) < 4
    with pytest.raises(CameraError, match="the stream ended"):
        read_on(source)
    source.close()


def test_a_password_over_http_is_written_with_its_signs_as_they_are_too() -> None:
    login = "door:a#b/c?d%e@f"
    with web_camera(authorization=f"Basic {b64encode(login.encode()).decode()}") as camera:
        source = stream(f"http://{login}@{camera.place}/video")
        source.read()
        source.close()


def test_a_host_that_is_not_there_is_told_from_one_that_hangs() -> None:
    """A backlog that is full drops what comes, as a firewall and a host without power do."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = [socket.socket() for _ in range(4)]
        for peer in waiting:
            peer.setblocking(False)
            peer.connect_ex(full.getsockname())
        stopwatch = Stopwatch()
        with pytest.raises(CameraError, match="no answer for 1 s; is the camera on"):
            stream(f"rtsp://127.0.0.1:{full.getsockname()[1]}/live", timeout_s=1)
        assert stopwatch.elapsed_s < 4
        for peer in waiting:
            peer.close()


def test_a_name_that_nobody_has_is_told_apart() -> None:
    with pytest.raises(CameraError, match=r"^rtsp://camera\.invalid:554: .*is its name right"):
        stream("rtsp://door:secret@camera.invalid/live")
