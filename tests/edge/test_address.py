from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.address import (
    DeviceSource,
    FileSource,
    PiSource,
    Source,
    StreamSource,
    did_you_mean,
    host_in,
    is_this_machine,
    source_in,
)
from edge.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("picamera2", PiSource(0)),
        ("picamera2:1", PiSource(1)),
        ("/dev/video2", DeviceSource(Path("/dev/video2"))),
        ("2", DeviceSource(Path("/dev/video2"))),
        ("/srv/clip.mp4", FileSource("/srv/clip.mp4")),
        ("picamera3", FileSource("picamera3")),
    ],
)
def test_a_source_is_told_by_how_it_is_written(text: str, source: Source) -> None:
    assert source_in(text) == source


def stream_in(address: str) -> StreamSource:
    source = source_in(address)
    assert isinstance(source, StreamSource)
    return source


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("rtsp://camera/live", "rtsp://camera:554"),
        ("rtsp://user:pass@camera:8554/live?a=b", "rtsp://camera:8554"),
        ("rtsp://camera/user=admin&password=secret", "rtsp://camera:554"),
        ("https://[fe80::1]/live", "https://[fe80::1]:443"),
    ],
)
def test_names_hold_host_and_port_only_and_the_address_stays_whole(address: str, name: str) -> None:
    assert stream_in(address).name == name
    assert stream_in(address).address == address


@pytest.mark.parametrize(
    ("copied", "address"),
    [
        (" rtsp://camera/live\n", "rtsp://camera/live"),
        ("RTSP://camera/Live", "rtsp://camera/Live"),
        ("rtspx://camera:7441/live", "rtsps://camera:7441/live"),
    ],
)
def test_an_address_is_taken_as_it_is_copied_from_elsewhere(copied: str, address: str) -> None:
    assert stream_in(copied).address == address


def test_a_name_that_is_not_ascii_is_spelt_as_resolvers_know_it() -> None:
    stream = stream_in("rtsp://tür:ö@kamera.bücher.example:8554/tür?ö")
    assert stream.host == "kamera.xn--bcher-kva.example"
    assert stream.address == "rtsp://t%C3%BCr:%C3%B6@kamera.xn--bcher-kva.example:8554/tür?ö"


@pytest.mark.parametrize(
    ("written", "login"),
    [
        ("admin:p/a?s#s@w", "admin:p%2Fa%3Fs%23s%40w"),
        ("admin:p%23s%40w", "admin:p%23s%40w"),
        ("admin:100%", "admin:100%25"),
        ("admin:50%off", "admin:50%25off"),
        ("admin:ab%cd", "admin:ab%25cd"),
        ("admin:ab%25cd", "admin:ab%25cd"),
        ("admin:ab%41", "admin:abA"),
        ("admin:a:b c[1]+2", "admin:a%3Ab%20c%5B1%5D+2"),
        ("user%3Aname:pw", "user%3Aname:pw"),
        ("admin:", "admin:"),
        ("admin", "admin"),
    ],
)
def test_signs_in_user_and_password_are_written_as_they_are_or_as_in_a_url(
    written: str, login: str
) -> None:
    stream = stream_in(f"rtsp://{written}@camera/live")
    assert (stream.host, stream.login, stream.path) == ("camera", login, "/live")
    assert stream.address == f"rtsp://{login}@camera/live"


@given(st.text(st.characters(exclude_characters="%", exclude_categories=["Cs"])))
def test_every_password_without_a_percent_sign_is_taken_as_it_is(password: str) -> None:
    stream = stream_in(f"rtsp://door:{password}@camera/live")
    assert (unquote(stream.login), stream.host) == (f"door:{password}", "camera")


def test_a_stream_s_repr_shows_neither_password_nor_path() -> None:
    assert "secret" not in repr(stream_in("rtsp://user:secret@camera/secret"))


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("rtsp://", "no host and port in the rtsp:// address"),
        ("rtsp://user:secret@", "no host and port in the rtsp:// address"),
        ("rtsp://user:secret@cam:99x/", "no host and port in the rtsp:// address"),
        ("rtsp://user:secret@cam:99999/", "no host and port in the rtsp:// address"),
        ("rtsp://user:secret@cam..example/", "host of the rtsp:// address: .*each dot"),
        (f"rtsp://secret@{64 * 'c'}.example/", "a part of a name has 63 characters at most"),
        (f"rtsp://secret@{40 * 'ü'}ab.{64 * 'ü'}/", "63 characters"),
        ("rtsp://secret@" + ".".join(["c" * 60] * 5), "253 characters at most"),
        ("rtps://user:secret@cam/", r"rtps:// is not known; known are .*; did you mean rtsp\?"),
        ("secret?://cam/", "what stands before :// is not known"),
    ],
)
def test_an_address_that_is_none_is_refused_without_naming_it(address: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as refusal:
        source_in(address)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("broker", "broker"),
        ("broker_1.example.", "broker_1.example"),
        ("10.0.0.7", "10.0.0.7"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_a_host_is_a_name_or_an_address(text: str, host: str) -> None:
    assert host_in(text) == host


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("broker:1883", "the port has a key of its own, port"),
        ("mqtt://broker", "without a scheme"),
        ("[::1]", "without brackets"),
        ("", "before and after each dot"),
        (".", "before and after each dot"),
        ("a b", "letters, digits, hyphens and dots only"),
        ("user@broker", "letters, digits, hyphens and dots only"),
        ("10.0.0.300", "four numbers from 0 to 255"),
        ("10.0.1", "four numbers from 0 to 255"),
    ],
)
def test_what_is_no_host_is_refused_with_what_is_meant(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        host_in(text)


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("rtps", ["rtsps", "rtsp", "https", "http"], "rtsp"),  # its letters in another order
        ("htps", ["rtsps", "rtsp", "https", "http"], "https"),
        ("prot", ["port", "protocol", "path"], "port"),
        ("actviate", ["wait", "rollback", "activate"], "activate"),
        ("list", ["wait", "rollback", "activate", "watch", "count"], None),
        ("height", ["width_px", "height_px"], "height_px"),
        ("warn", ["debug", "info", "warning", "error"], "warning"),
        ("xyz", ["port"], None),
    ],
)
def test_what_is_suggested_is_what_was_probably_meant(
    word: str, known: list[str], meant: str | None
) -> None:
    assert did_you_mean(word, known) == (f"; did you mean {meant}?" if meant else "")


@pytest.mark.parametrize(
    ("host", "is_it"),
    [
        *[
            (host, True)
            for host in ("localhost", "LocalHost.", "door.localhost", "127.0.1.1", "::1")
        ],
        *[(host, False) for host in ("broker", "mylocalhost", "192.0.2.7", "::", "localhost.lan")],
    ],
)
def test_this_machine_is_known_by_its_own_names(host: str, is_it: bool) -> None:
    assert is_this_machine(host) is is_it
