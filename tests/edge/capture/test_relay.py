"""What FFmpeg does over the relay: playlists, redirects, ends."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import av
import pytest

from edge.address import StreamSource, source_in
from edge.capture.relay import MAX_CONNECTIONS, Link, link_to
from edge.config import CameraSettings
from tests.edge.capture.cameras import BASIC, LOGIN, web_camera
from tests.edge.capture.fakes import scene, write_clip
from tests.edge.capture.pki import Authority, Identity
from tests.edge.capture.rtsp_server import encoded_frames, serving
from tests.waiting import until

FRAMES = 40


@pytest.fixture(scope="module")
def stranger(authority: Authority) -> Identity:
    return authority.self_signed("stranger", alt="IP:127.0.0.1")


@pytest.fixture(scope="module")
def playlist(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A playlist of four segments, by path."""
    folder = tmp_path_factory.mktemp("hls")
    options = {"hls_time": "1", "hls_list_size": "0"}
    with av.open(str(folder / "live.m3u8"), "w", format="hls", options=options) as written:
        track = written.add_stream("libx264", rate=10)
        track.width, track.height, track.gop_size = 320, 240, 10
        for _ in range(FRAMES):
            written.mux(track.encode(av.VideoFrame.from_ndarray(scene(), format="bgr24")))
        written.mux(track.encode(None))
    return {f"/{each.name}": each.read_bytes() for each in folder.iterdir()}


@contextmanager
def linked(address: str, authority: Authority | None = None) -> Iterator[Link]:
    ca_file = str(authority.certificate) if authority else ""
    settings = CameraSettings(source=address, ca_file=ca_file, open_timeout_s=5)
    place = source_in(address)
    assert isinstance(place, StreamSource)
    link = link_to(place, settings, 5)
    yield link
    link.close()
    until(lambda: not _relaying(), "every connection is closed")


def _relaying() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name == "camera TLS"]


def decoded(link: Link, frames: int) -> int:
    """Return how many of so many frames FFmpeg gets."""
    got = 0
    with av.open(link.address, options=dict(link.options), timeout=5) as container:
        for _ in container.decode(video=0):
            got += 1
            if got == frames:
                break
    return got


def test_every_segment_of_a_playlist_comes_over_a_verified_connection(
    authority: Authority, camera: Identity, playlist: dict[str, bytes]
) -> None:
    with (
        web_camera(camera, authorization=BASIC, files=playlist) as web,
        linked(f"https://{LOGIN}@{web.place}/live.m3u8", authority) as link,
    ):
        assert decoded(link, FRAMES) == FRAMES
    assert {host for _, host, _ in web.requests} == {web.place}
    assert {path for path, _, _ in web.requests} == set(playlist)


def test_a_segment_at_an_https_address_of_its_own_is_never_asked_for(
    authority: Authority, camera: Identity, stranger: Identity, playlist: dict[str, bytes]
) -> None:
    """FFmpeg would not verify who answers there."""
    with web_camera(stranger, files=playlist) as other:
        listed = playlist["/live.m3u8"].replace(b"live0", f"https://{other.place}/live0".encode())
        files = playlist | {"/live.m3u8": listed}
        for identity, scheme in ((camera, "https"), (None, "http")):
            with (
                web_camera(identity, files=files) as web,
                linked(
                    f"{scheme}://{LOGIN}@{web.place}/live.m3u8", authority if identity else None
                ) as link,
            ):
                assert decoded(link, FRAMES) == FRAMES - 10
    assert other.requests == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_redirect_to_https_elsewhere_is_not_followed(
    authority: Authority, camera: Identity, stranger: Identity, scheme: str
) -> None:
    encrypted = scheme == "https"
    with web_camera(stranger) as other:
        redirects = {"/moved": f"https://{LOGIN}@{other.place}/video"}
        with (
            web_camera(camera if encrypted else None, redirects=redirects) as web,
            linked(
                f"{scheme}://{LOGIN}@{web.place}/moved", authority if encrypted else None
            ) as link,
            pytest.raises(av.ArgumentError),
        ):
            decoded(link, 1)
    assert other.requests == []


def test_a_redirect_on_the_same_camera_is_followed(authority: Authority, camera: Identity) -> None:
    with (
        web_camera(camera, authorization=BASIC, redirects={"/moved": "/video"}) as web,
        linked(f"https://{LOGIN}@{web.place}/moved", authority) as link,
    ):
        assert decoded(link, 3) == 3


def test_the_password_does_not_follow_a_redirect_out_of_tls(
    authority: Authority, camera: Identity
) -> None:
    frames: list[bytes] = []
    with serving(frames, LOGIN) as plain, serving(frames, LOGIN, identity=camera) as server:
        server.status = f"302 Found\r\nLocation: rtsp://127.0.0.1:{plain.port}/live"
        with (
            linked(f"rtsps://{LOGIN}@127.0.0.1:{server.port}/live", authority) as link,
            pytest.raises(av.FFmpegError),
        ):
            decoded(link, 1)
    assert plain.requests == []
    with web_camera() as web, web_camera(camera, authorization=BASIC) as secure:
        secure.redirects = {"/moved": f"http://{web.place}/video"}
        with linked(f"https://{LOGIN}@{secure.place}/moved", authority) as link:
            decoded(link, 1)
    assert [authorization for _, _, authorization in web.requests] == [None]


def test_more_than_a_playlist_takes_is_refused_and_everything_ends_with_the_link(
    authority: Authority, camera: Identity
) -> None:
    with (
        web_camera(camera) as web,
        linked(f"https://{web.place}/video", authority) as link,
    ):
        place: Any = ("127.0.0.1", urlsplit(link.address).port)
        crowd = [socket.create_connection(place, 5) for _ in range(MAX_CONNECTIONS + 1)]
        assert crowd[-1].recv(1) == b""
    for each in crowd:
        each.close()


def test_a_camera_that_falls_silent_holds_nothing_that_is_closed(
    authority: Authority, camera: Identity, tmp_path: Path
) -> None:
    frames = encoded_frames(write_clip(tmp_path / "clip.avi", [scene()] * FRAMES, codec="XVID"))
    with (
        serving(frames, falls_silent=True, identity=camera) as server,
        linked(f"rtsps://127.0.0.1:{server.port}/live", authority) as link,
        pytest.raises(av.FFmpegError),
        av.open(link.address, options=dict(link.options), timeout=1) as container,
    ):
        list(container.decode(video=0))
