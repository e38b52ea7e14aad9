"""Cameras with TLS: whom the password and the pictures go to and come from."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.capture.source import FrameSource
from edge.capture.sources import open_source
from edge.config import CameraSettings
from edge.errors import CameraError, ConfigError
from tests.edge.capture.cameras import BASIC, LOGIN, web_camera
from tests.edge.capture.fakes import scene, write_clip
from tests.edge.capture.pki import FUTURE, PAST, Authority, Identity
from tests.edge.capture.rtsp_server import encoded_frames, serving


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki") / "other")


@pytest.fixture(scope="module")
def self_signed(authority: Authority) -> Identity:
    return authority.self_signed("self-signed")


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    path = tmp_path_factory.mktemp("rtsp") / "clip.avi"
    return encoded_frames(write_clip(path, [scene()] * 40, codec="XVID"))


def opened(address: str, **settings: Any) -> FrameSource:
    return open_source(CameraSettings(source=address, **({"open_timeout_s": 5} | settings)))


def watch(address: str, **settings: Any) -> None:
    """Take some frames of a camera. Raises what it raises."""
    source = opened(address, **settings)
    try:
        for _ in range(3):
            source.read()
    finally:
        source.close()


@contextmanager
def served(scheme: str, frames: list[bytes], identity: Identity | None = None) -> Iterator[str]:
    """Serve RTSP or HTTP; give host and port."""
    if scheme == "http":
        with web_camera(identity) as web:
            yield web.place
    else:
        with serving(frames, identity=identity) as server:
            yield f"127.0.0.1:{server.port}"


def test_a_camera_with_rtsps_is_watched_where_its_authority_is_known(
    frames: list[bytes], authority: Authority, camera: Identity
) -> None:
    with serving(frames, LOGIN, identity=camera) as server:
        server.digest = True
        address = f"rtsps://{LOGIN}@127.0.0.1:{server.port}/live"
        watch(address, ca_file=str(authority.certificate))
    assert "PLAY" in [method for method, _ in server.requests]


def test_a_camera_with_https_is_watched_and_asked_for_by_its_own_name(
    authority: Authority, camera: Identity
) -> None:
    with web_camera(camera, authorization=BASIC) as server:
        watch(f"https://{LOGIN}@{server.place}/video", ca_file=str(authority.certificate))
    assert server.requests[-1][::2] == ("/video", BASIC)


def test_a_camera_whose_authority_the_system_trusts_needs_no_setting(
    authority: Authority, camera: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    with web_camera(camera) as server:
        watch(f"https://{server.place}/video")


def test_a_certificate_that_nobody_known_has_signed_gets_no_request_at_all(
    frames: list[bytes], stranger: Authority, camera: Identity
) -> None:
    untrusted = f'not signed by .*write in \\[camera\\] fingerprint = "{camera.fingerprint}"'
    for trusted in ({}, {"ca_file": str(stranger.certificate)}):
        with (
            serving(frames, LOGIN, identity=camera) as server,
            pytest.raises(CameraError, match=untrusted) as refusal,
        ):
            watch(f"rtsps://{LOGIN}@127.0.0.1:{server.port}/live", **trusted)
        assert server.requests == []
        with (
            web_camera(camera, authorization=BASIC) as web,
            pytest.raises(CameraError, match=untrusted),
        ):
            watch(f"https://{LOGIN}@{web.place}/video", **trusted)
        assert web.requests == []
        assert "sesame" not in str(refusal.value)


def test_a_camera_s_own_certificate_is_trusted_by_its_fingerprint_whatever_else_it_says(
    frames: list[bytes], self_signed: Identity
) -> None:
    for written in (self_signed.fingerprint, self_signed.fingerprint.replace(":", "").lower()):
        with serving(frames, LOGIN, identity=self_signed) as server:
            watch(f"rtsps://{LOGIN}@127.0.0.1:{server.port}/live", fingerprint=written)
    with web_camera(self_signed) as web:
        watch(f"https://{web.place}/video", fingerprint=self_signed.fingerprint)


def test_another_certificate_than_that_of_the_fingerprint_gets_no_request_at_all(
    frames: list[bytes], camera: Identity, self_signed: Identity
) -> None:
    said = f"not that of .* fingerprint.*whose fingerprint is {camera.fingerprint}"
    with serving(frames, LOGIN, identity=camera) as server:
        address = f"rtsps://{LOGIN}@127.0.0.1:{server.port}/live"
        with pytest.raises(CameraError, match=said):
            watch(address, fingerprint=self_signed.fingerprint)
    assert server.requests == []


def test_a_certificate_may_be_its_own_authority(authority: Authority) -> None:
    own = authority.self_signed("own", alt="IP:127.0.0.1")
    with web_camera(own) as server:
        watch(f"https://{server.place}/video", ca_file=str(own.certificate))


def test_what_the_owner_calls_insecure_is_not_verified(
    frames: list[bytes], self_signed: Identity, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(frames, LOGIN, identity=self_signed) as server:
        watch(f"rtsps://{LOGIN}@127.0.0.1:{server.port}/live", insecure=True)
    assert "its certificate is not verified: insecure = true" in caplog.text


def test_tls_of_long_ago_takes_the_word_of_the_owner(
    frames: list[bytes], self_signed: Identity
) -> None:
    with serving(frames, LOGIN, identity=self_signed) as server:
        server.newest = ssl.TLSVersion.TLSv1_1
        address = f"rtsps://{LOGIN}@127.0.0.1:{server.port}/live"
        with pytest.raises(CameraError, match=r"its TLS is too old .*insecure = true"):
            watch(address, fingerprint=self_signed.fingerprint)
        assert server.requests == []
        watch(address, insecure=True)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"alt": "DNS:camera.example"}, "is for another name than 127.0.0.1; .*fingerprint = "),
        ({"valid": PAST}, "has expired by this machine's clock, 20.*; .*fingerprint = "),
        ({"valid": FUTURE}, "is not valid yet by this machine's clock, 20.*see timedatectl$"),
    ],
)
def test_what_is_wrong_with_a_certificate_is_told_apart(
    authority: Authority, made: dict[str, Any], said: str
) -> None:
    identity = authority.signed("wrong", **made)
    with web_camera(identity) as server:
        with pytest.raises(CameraError, match=f"its certificate {said}"):
            watch(f"https://{server.place}/video", ca_file=str(authority.certificate))
        assert server.requests == []
        watch(f"https://{server.place}/video", fingerprint=identity.fingerprint)


def test_a_port_without_tls_is_reported_with_the_address_to_write(frames: list[bytes]) -> None:
    for scheme in ("rtsp", "http"):
        with served(scheme, frames) as place:
            said = f"port does not speak TLS: write the port that does, or {scheme}://{place}, "
            with pytest.raises(CameraError, match=said) as refusal:
                watch(f"{scheme}s://{LOGIN}@{place}/video")
        assert "sesame" not in str(refusal.value)


def test_a_port_of_the_other_protocol_is_reported_with_the_address_to_write(
    frames: list[bytes],
) -> None:
    for scheme, written in (("rtsp", "http"), ("http", "rtsp")):
        with served(scheme, frames) as place:
            said = (
                f"port speaks {scheme.upper()}, not {written.upper()}: write {scheme}://{place}, "
            )
            with pytest.raises(CameraError, match=said):
                watch(f"{written}://{LOGIN}@{place}/video")
            said = f"port does not speak TLS: write the port that does, or {scheme}://{place}, "
            with pytest.raises(CameraError, match=said):
                watch(f"{written}s://{LOGIN}@{place}/video")


def test_a_port_with_tls_is_reported_with_the_address_to_write(
    frames: list[bytes], camera: Identity
) -> None:
    for scheme in ("rtsp", "http"):
        with served(scheme, frames, camera) as place:
            said = f"this port speaks TLS: write {scheme}s://{place}$"
            with pytest.raises(CameraError, match=said):
                watch(f"{scheme}://{LOGIN}@{place}/video")


def test_a_port_with_tls_that_answers_in_clear_is_reported_too(camera: Identity) -> None:
    """As nginx and Go do, where the first byte is not TLS's."""
    with web_camera(camera) as server:
        server.refuses_plain = True
        with pytest.raises(CameraError, match=f"speaks TLS: write https://{server.place}$"):
            watch(f"http://{LOGIN}@{server.place}/video")


def test_what_a_camera_without_tls_says_itself_is_not_asked_for_again() -> None:
    with web_camera() as server:
        with pytest.raises(CameraError, match="no video at this path"):
            watch(f"http://{server.place}/none")
        assert server.connections == 1


@pytest.mark.parametrize("scheme", ["rtsp", "http", "https"])
def test_what_a_port_speaks_is_asked_once_in_an_outage(scheme: str) -> None:
    """A camera with room for one viewer keeps it for seconds after the last one has gone."""
    with web_camera() as server:
        server.hangs_up = True
        for connections in (3, 4, 5):
            with pytest.raises(CameraError):
                watch(f"{scheme}://{server.place}/video")
            assert server.connections == connections
        server.hangs_up = False
        watch(f"http://{server.place}/video")
        server.hangs_up = True
        before = server.connections
        with pytest.raises(CameraError):
            watch(f"{scheme}://{server.place}/video")
        assert server.connections == before + 3


@pytest.mark.parametrize("content", [b"<html>log in</html>", b""])
def test_a_page_over_http_is_not_asked_for_tls(content: bytes) -> None:
    with web_camera(files={"/page": content}) as server:
        with pytest.raises(CameraError, match="is the path that of a video"):
            watch(f"http://{server.place}/page")
        asked = [path for path, _, _ in server.requests]
        assert server.connections == len(asked)


def test_a_camera_that_says_nothing_is_sent_no_tls() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(CameraError, match="it answers, but gave no video within 1 s"):
            watch(f"rtsp://127.0.0.1:{silent.getsockname()[1]}/live", open_timeout_s=1)
        first, second = (silent.accept()[0] for _ in range(2))
        with first, second:
            assert (first.recv(4), second.recv(4)) == (b"OPTI", b"")


def test_a_port_that_says_nothing_to_tls_does_not_hold_us() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(CameraError, match=r"no TLS handshake within 0\.5 s"):
            opened(f"rtsps://127.0.0.1:{port}/live", open_timeout_s=1)


def test_an_authority_that_is_no_use_is_named(tmp_path: Path, camera: Identity) -> None:
    (tmp_path / "no.pem").write_text("no certificate")
    with web_camera(camera) as server:
        for name, said in (("no.pem", "no certificate"), ("absent.pem", "No such file")):
            with pytest.raises(CameraError, match=rf"\[camera\] ca_file: .*{name}: .*{said}"):
                watch(f"https://{server.place}/video", ca_file=str(tmp_path / name))
        with pytest.raises(ConfigError, match="systemd gives no credential camera-ca"):
            watch(f"https://{server.place}/video", ca_file="credential:camera-ca")
