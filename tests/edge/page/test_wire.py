from __future__ import annotations

import socket
import struct

import msgspec
import pytest
from msgspec.inspect import IntType, StructType, UnionType, type_info

from edge.config import ShiftSettings
from edge.page.wire import (
    ANSWER_HEAD_BYTES,
    MAX_ANSWER_BYTES,
    Draw,
    NextScene,
    PageReport,
    ReadReport,
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


def test_every_whole_number_that_may_be_asked_for_has_bounds() -> None:
    """Others may be too large to be passed on."""
    union = type_info(Requests)
    assert isinstance(union, UnionType)
    unbounded = [
        f"{each.cls.__name__}.{field.name}"
        for each in union.types
        if isinstance(each, StructType)
        for field in each.fields
        if isinstance(field.type, IntType) and None in (field.type.ge, field.type.le)
    ]
    assert unbounded == []


def test_an_answer_says_how_long_it_is() -> None:
    framed = framed_answer(b"{}", b"jpeg")
    assert answer_sizes(framed[:ANSWER_HEAD_BYTES]) == (2, 4)
    assert framed[ANSWER_HEAD_BYTES:] == b"{}jpeg"
    with pytest.raises(ValueError, match="bytes"):
        answer_sizes(struct.pack(">II", MAX_ANSWER_BYTES, 1))


@pytest.mark.parametrize(
    ("name", "is_right"),
    [
        ("early", True),
        ("früh.1_a-b", True),
        ("x" * 40, True),
        ("x" * 41, False),
        ("-late", False),
        ("--config=x", False),
        ("early\n", False),
        ("an early one", False),
    ],
)
def test_the_page_asks_for_each_shift_that_the_settings_allow_and_no_other(
    name: str, is_right: bool
) -> None:
    found = []
    for asked, kind in (
        ({"name": name, "hours": ["06:00-14:00"]}, ShiftSettings),
        ({"type": "ReadReport", "kind": "shift", "shift": name}, ReadReport),
    ):
        try:
            msgspec.convert(asked, kind)
            found.append(True)
        except msgspec.ValidationError:
            found.append(False)
    assert found == [is_right, is_right]
