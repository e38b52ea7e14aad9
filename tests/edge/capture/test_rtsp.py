import functools
import http.server
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.capture.rtsp import NetworkStream, _endpoint
from edge.config import CameraSettings
from edge.errors import CameraError, ConfigError
from tests.edge.capture.fakes import NOON, TurnedClock, scene, write_clip
from tests.edge.capture.rtsp_server import encoded_frames, serving


def stream(address: str, timeout_s: float = 5, **settings: Any) -> NetworkStream:
    camera = CameraSettings(source=address, open_timeout_s=timeout_s, **settings)
    return NetworkStream(address, camera, TurnedClock())


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
        source = stream(f"rtsp://door:open%20sesame@127.0.0.1:{server.port}/live?token=secret")
        shots = [source.read() for _ in range(5)]
        source.close()
    assert [shot.number for shot in shots] == [0, 1, 2, 3, 4]
    assert float(np.abs(shots[-1].pixels.astype(int) - scene()).mean()) < 4
    assert shots[0].pixels.flags.c_contiguous
    assert (shots[0].captured_at, shots[0].monotonic_s) == (NOON, 1000)
    assert source.name == f"rtsp://127.0.0.1:{server.port}"


def test_a_stream_that_ends_is_an_error(frames: list[bytes]) -> None:
    with serving(frames) as server:
        source = stream(f"rtsp://127.0.0.1:{server.port}/live")
        with pytest.raises(CameraError, match="the stream ended"):
            read_on(source)
        source.close()


def test_a_stream_that_falls_silent_is_an_error_in_time(frames: list[bytes]) -> None:
    with serving(frames, falls_silent=True) as server:
        source = stream(f"rtsp://127.0.0.1:{server.port}/live", timeout_s=1)
        before_s = time.monotonic()
        with pytest.raises(CameraError, match="gave no frame for 1 s"):
            read_on(source)
        assert time.monotonic() - before_s < 10
        source.close()


def test_a_wrong_password_is_guessed_at_without_naming_it(frames: list[bytes]) -> None:
    with (
        serving(frames, user="door:right") as server,
        pytest.raises(CameraError, match="user name and password right") as refusal,
    ):
        stream(f"rtsp://door:wr@/ong@127.0.0.1:{server.port}/live")
    assert "ong" not in str(refusal.value).replace("wrong", "")


def test_a_host_that_refuses_is_told_apart() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with pytest.raises(CameraError, match=f"^rtsp://127.0.0.1:{port}: Connection refused"):
            stream(f"rtsp://door:secret@127.0.0.1:{port}/live")


def test_a_host_that_says_nothing_does_not_hold_us() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        before_s = time.monotonic()
        with pytest.raises(CameraError, match="gives no video"):
            stream(f"rtsp://127.0.0.1:{silent.getsockname()[1]}/live", timeout_s=0.5)
        assert time.monotonic() - before_s < 5


def test_video_over_http_is_a_stream_too(web: str) -> None:
    source = stream(f"{web}/clip.avi", rotation_deg=180)
    shot = source.read()
    assert float(np.abs(shot.pixels.astype(int) - np.rot90(scene(), 2)).mean()) < 4
    with pytest.raises(CameraError, match="the stream ended"):
        read_on(source)
    source.close()


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("rtsp://camera/live", "rtsp://camera:554"),
        ("rtsp://user:pass@camera:8554/live?a=b", "rtsp://camera:8554"),
        ("rtsp://user:p/a?s#s@camera/live", "rtsp://camera:554"),
        ("rtsp://camera/user=admin&password=secret", "rtsp://camera:554"),
        ("https://[fe80::1]/live", "https://[fe80::1]:443"),
    ],
)
def test_names_hold_host_and_port_only(address: str, name: str) -> None:
    scheme, host, port = _endpoint(address)
    assert f"{scheme}://{host}:{port}" == name


@pytest.mark.parametrize(
    "address", ["rtsp://", "rtsp://user:secret@", "rtsp://user:secret@cam:99x/"]
)
def test_an_address_without_a_host_is_refused_without_naming_it(address: str) -> None:
    with pytest.raises(ConfigError, match="no host and port in the rtsp:// address") as refusal:
        stream(address)
    assert "secret" not in str(refusal.value)
