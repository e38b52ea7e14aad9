"""What real servers make PyAV raise, in words."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import av
import av.error
import pytest

from edge.capture.reasons import reason_of
from edge.capture.relay import PROTOCOLS
from tests.edge.capture.cameras import WebCamera, web_camera
from tests.edge.capture.fakes import scene, write_clip
from tests.edge.capture.rtsp_server import RtspServer, encoded_frames, serving

PASSWORD = "sesame"
OPTIONS = {"rtsp_transport": "tcp", "protocol_whitelist": PROTOCOLS}


def reason_at(address: str) -> str:
    with pytest.raises(av.error.FFmpegError) as raised:
        av.open(address, options=OPTIONS, timeout=1)
    reason = reason_of(raised.value)
    assert PASSWORD not in reason
    assert "127.0.0.1" not in reason
    return reason


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    path = tmp_path_factory.mktemp("rtsp") / "clip.avi"
    return encoded_frames(write_clip(path, [scene()] * 40, codec="XVID"))


@pytest.fixture
def rtsp(frames: list[bytes]) -> Iterator[RtspServer]:
    with serving(frames, user=f"door:{PASSWORD}") as server:
        yield server


@pytest.fixture
def web() -> Iterator[WebCamera]:
    files = {"/page": b"<html>welcome</html>"}
    redirects = {"/moved": "https://127.0.0.1:1/video", "/round": "/round"}
    with web_camera(files=files, redirects=redirects) as camera:
        yield camera


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("401 Unauthorized", "rejects the user and password in the address, or needs them (401)"),
        ("403 Forbidden", "this user may not watch it (403)"),
        ("404 Not Found", "no video at this path (404)"),
        ("454 Session Not Found", "it rejects the request (4xx)"),
        ("503 Service Unavailable", "it fails (5xx)"),
    ],
)
def test_what_an_rtsp_camera_answers_is_told_apart(
    rtsp: RtspServer, status: str, said: str
) -> None:
    rtsp.status = status
    assert said in reason_at(f"rtsp://door:{PASSWORD}@127.0.0.1:{rtsp.port}/live")


@pytest.mark.parametrize("login", ["", f"door:not-{PASSWORD}@"])
def test_a_password_that_is_wrong_or_missing_is_said_to_be(
    rtsp: RtspServer, web: WebCamera, login: str
) -> None:
    web.authorization = "Basic another"
    for address in (
        f"rtsp://{login}127.0.0.1:{rtsp.port}/live",
        f"http://{login}{web.place}/video",
    ):
        assert "rejects the user and password in the address" in reason_at(address)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/none", "no video at this path (404)"),
        ("/page", "without a known video format"),
        ("/round", "it gives no video"),
        ("/moved", "it redirects to another address"),
    ],
)
def test_what_a_web_server_has_is_told_apart(web: WebCamera, path: str, said: str) -> None:
    assert said in reason_at(f"http://door:{PASSWORD}@{web.place}{path}")


def test_the_wrong_scheme_and_silence_are_told_apart(rtsp: RtspServer) -> None:
    assert "do scheme and port match" in reason_at(f"http://127.0.0.1:{rtsp.port}/live")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert reason_at(f"http://127.0.0.1:{silent.getsockname()[1]}/x") == "nothing came in time"
