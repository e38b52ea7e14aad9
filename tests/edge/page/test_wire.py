from __future__ import annotations

import socket
import struct

import pytest

from edge.page.wire import (
    ANSWER_HEAD_BYTES,
    MAX_ANSWER_BYTES,
    Draw,
    NextScene,
    PageReport,
    Requests,
    Undo,
    answer_sizes,
    framed_answer,
    framed_request,
    read_request,
)

TRIANGLE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))


@pytest.mark.parametrize("request_", [NextScene(7), PageReport(), Draw((TRIANGLE,), ()), Undo()])
def test_a_request_arrives_as_it_was_sent(request_: Requests) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(framed_request(request_))
        assert read_request(ours) == request_


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\0\0",
        struct.pack(">I", 10) + b"short",
        struct.pack(">I", 3) + b"\xc1\xc1\xc1",
        struct.pack(">I", 1 << 30),
        framed_request(Draw((TRIANGLE,), ())).replace(b"Draw", b"Burn"),
    ],
)
def test_what_is_no_request_ends_the_conversation(sent: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(sent)
        theirs.shutdown(socket.SHUT_WR)
        assert read_request(ours) is None


def test_an_answer_says_how_long_it_is() -> None:
    framed = framed_answer(b"{}", b"jpeg")
    assert answer_sizes(framed[:ANSWER_HEAD_BYTES]) == (2, 4)
    assert framed[ANSWER_HEAD_BYTES:] == b"{}jpeg"
    with pytest.raises(ValueError, match="bytes"):
        answer_sizes(struct.pack(">II", MAX_ANSWER_BYTES, 1))
