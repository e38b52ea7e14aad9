from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.signal.rules import Seen
from edge.signal.wire import FromDaemon, Hear, Line, Mute, PinReport, connected


def pair() -> tuple[Line[PinReport], Line[FromDaemon]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Line(ours, PinReport), Line(theirs, FromDaemon)


def test_what_is_said_arrives_as_it_was_said() -> None:
    daemon, pins = pair()
    said: list[Hear | Mute] = [Hear(Seen(1.5, sees=True, alarms=2)), Mute(60.0)]
    for each in said:
        assert daemon.say(each)
    assert [*pins.take()] == said
    assert pins.say(PinReport(trouble="none"))
    assert [*daemon.take()] == [PinReport(trouble="none")]
    daemon.close()
    assert [*pins.take()] == []
    assert not pins.is_open
    pins.close()


def test_an_end_that_does_not_read_is_not_waited_for() -> None:
    daemon, pins = pair()
    begun_s = time.monotonic()
    while daemon.say(Hear(Seen(0.0))):
        assert time.monotonic() - begun_s < 20
    assert daemon.is_open
    daemon.close()
    pins.close()


@given(st.binary(min_size=1, max_size=200))
def test_whatever_comes_is_a_message_or_the_end(content: bytes) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    line: Line[FromDaemon] = Line(ours, FromDaemon)
    with theirs:
        theirs.send(content)
        for message in line.take():
            assert isinstance(message, Hear | Mute)
        line.close()


@pytest.mark.parametrize("there", ["nothing", "a file", "a socket that is not listened to"])
def test_where_nobody_listens_there_is_no_connection(tmp_path: Path, there: str) -> None:
    path = tmp_path / "daemon.sock"
    if there == "a file":
        path.touch()
    elif there != "nothing":
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as unused:
            unused.bind(str(path))
    assert connected(path) is None
