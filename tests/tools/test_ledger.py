"""The judge of the soak is itself judged: every kind of loss that it looks for is shown to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from edge.publish.messages import encode, violation_message
from edge.publish.outbox.outbox import Outbox
from tests.broker.samples import ORIGIN, a_violation
from tools.soak.ledger import Accepted, Said, compare, said_in, waiting_documents


def document(sequence: int, event: int | None = None) -> bytes:
    number = sequence if event is None else event
    return encode(violation_message(ORIGIN, a_violation(number), sequence, True))


def accepted(*sequences: int) -> Said:
    return Said(tuple(Accepted(n, a_violation(n).event_id, "confirmed") for n in sequences))


def test_what_arrived_as_it_was_accepted_is_no_problem() -> None:
    received = [document(n) for n in (1, 2, 3)]
    found = compare(accepted(1, 2), {2: document(2), 3: document(3)}, received)
    assert found.problems == ()
    assert (found.accepted, found.received, found.repeats, found.compared) == (3, 3, 0, 2)


def test_repeats_are_allowed_byte_for_byte() -> None:
    found = compare(accepted(1, 2), {}, [document(n) for n in (1, 2, 1, 2, 2)])
    assert found.problems == ()
    assert (found.received, found.repeats) == (2, 3)


def test_a_document_that_was_written_but_not_said_any_more_may_arrive() -> None:
    found = compare(accepted(1, 3), {}, [document(n) for n in (1, 2, 3)])
    assert found.problems == ()
    assert found.unlogged == 1


@pytest.mark.parametrize(
    ("on_disk", "received", "problems"),
    [
        ({}, [document(1), document(3)], ["lost: document 2"]),
        ({}, [document(1), document(2)], ["lost: document 3"]),
        (
            {4: document(4)},
            [document(1), document(2), document(3)],
            ["lost: document 4"],
        ),
        (
            {},
            [document(1), document(3), document(2)],
            ["reordered: document 2 came after 3"],
        ),
        (
            {},
            [document(1), document(2), document(3), document(5)],
            ["gap: the log does not mention document 4"],
        ),
        (
            {},
            [document(1), document(2, event=7), document(3)],
            ["altered: document 2 is not the one that was accepted"],
        ),
        (
            {2: document(2)},
            [document(1), document(2).replace(b"Museum", b"Musuem"), document(3)],
            ["altered: document 2 was other bytes on the disk"],
        ),
        (
            {},
            [document(1), document(2), document(3), document(2).replace(b"Museum", b"Musuem")],
            ["altered: document 2 came again with other bytes"],
        ),
        (
            {},
            [document(1), document(2), document(3), document(4, event=2)],
            ["repeated: document 4 reports the same as 2"],
        ),
        (
            {2: document(2, event=9)},
            [document(1), document(2), document(3)],
            [
                "document 2 was accepted twice, for different events",
                "altered: document 2 was other bytes on the disk",
            ],
        ),
    ],
    ids=[
        "lost",
        "lost at the end",
        "lost from the disk",
        "reordered",
        "gap",
        "another event",
        "other bytes than on the disk",
        "other bytes when repeated",
        "repeated under another number",
        "two events of one number",
    ],
)
def test_every_broken_promise_is_found(
    on_disk: dict[int, bytes], received: Sequence[bytes], problems: list[str]
) -> None:
    assert list(compare(accepted(1, 2, 3), on_disk, received).problems) == problems


def test_what_is_no_document_is_an_alteration() -> None:
    (problem,) = compare(Said(()), {}, [document(1)[:-1]]).problems
    assert problem.startswith("altered: what was received is no document")


def test_what_the_disk_refused_may_arrive_or_not_and_its_numbers_be_skipped() -> None:
    said = replace(accepted(1, 7), in_memory=frozenset({2, 3}), after_refusal=frozenset({7}))
    found = compare(said, {}, [document(n) for n in (1, 3, 7)])
    assert found.problems == ()
    assert (found.from_memory, found.unlogged, found.skipped) == (1, 0, 4)


def test_a_number_that_was_told_from_memory_and_then_put_on_disk_may_follow_a_gap() -> None:
    said = replace(accepted(1, 9), in_memory=frozenset({2, 6, 7}), after_refusal=frozenset({9}))
    on_disk = {6: document(6), 7: document(7)}
    received = [document(n) for n in (1, 2, 6, 7, 9)]
    found = compare(said, on_disk, received)
    assert found.problems == ()
    assert found.skipped == 4
    lost = compare(said, on_disk, [document(n) for n in (1, 2, 6, 9)])
    assert lost.problems == ("lost: document 7",)


def test_the_log_s_lines_are_read() -> None:
    event = "01a2077b-d3e8-772f-a6df-c66801bca1ce"
    lines = [
        f"INFO    violation confirmed: person 2, 0.1 s, 90 % sure; message 134 of event {event}",
        "ERROR   the outbox /o: disk is full; make room or repair the disk: until then",
        f"INFO    violation ended: person 2, 1 s; message 135 of event {event}, in memory",
        f"INFO    violation ended: person 2, 2 s, 90 % sure; message 140 of event {event}",
        f"ERROR   violation {event} is lost: the outbox",
        f"INFO    violation ended: person 2, 3 s, 90 % sure; message 141 of event {event}",
        "WARNING the outbox: its last write was cut off; messages recovered: 0; "
        "numbers go on after 142",
        f"INFO    violation ended: person 2, 3 s, 90 % sure; message 143 of event {event}",
    ]
    said = said_in("\n".join(lines))
    assert said.accepted == (
        Accepted(134, event, "confirmed"),
        Accepted(140, event, "ended"),
        Accepted(141, event, "ended"),
        Accepted(143, event, "ended"),
    )
    assert said.in_memory == {135}
    assert said.after_refusal == {140, 143}


def test_the_disk_of_a_killed_device_is_read_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    outbox = Outbox(path)
    for _ in range(3):
        outbox.append("topic", document)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert waiting_documents(path) == {n: document(n) for n in (1, 2, 3)}
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    outbox.close()


def test_a_disk_on_which_nothing_was_begun_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    path.touch()
    assert waiting_documents(path) == {}
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
    assert waiting_documents(path) == {}


_START = "INFO    tensormask 0.3.0, /c.toml"
_REFUSAL = "ERROR   the outbox /o: disk is full; make room or repair the disk: until then"


def line_of(sequence: int, where: str = "") -> str:
    event = a_violation(sequence).event_id
    return f"INFO    violation confirmed: person 2, 1 s; message {sequence} of event {event}{where}"


def test_what_waits_in_an_outbox_that_could_not_be_opened_may_come_later() -> None:
    lines = [_START, line_of(1), line_of(2), _START, _REFUSAL, line_of(9, ", in memory")]
    said = said_in("\n".join([*lines, "INFO    the outbox is on disk again after 5 s"]))
    assert said.overtaking == {9: 2}
    received = [document(n) for n in (1, 9, 2)]
    assert compare(said, {}, received).problems == ()
    refused_later = said_in("\n".join([_START, line_of(1), line_of(2), *lines[4:]]))
    assert refused_later.overtaking == {}
    assert compare(refused_later, {}, received).problems == ("reordered: document 2 came after 9",)


def test_a_count_that_goes_on_after_drawn_numbers_may_skip_once() -> None:
    drawn = 10**15 + 7
    lines = [_START, line_of(1), _REFUSAL, line_of(drawn), line_of(9), line_of(12)]
    said = said_in("\n".join(lines))
    assert said.after_refusal == {9}
    received = [document(n) for n in (1, drawn, 9, 12)]
    assert compare(said, {}, received).problems == (
        "gap: the log does not mention document 10",
        "gap: the log does not mention document 11",
    )


def test_what_a_run_told_from_memory_and_brought_to_the_disk_may_be_overtaken_by_a_later_run() -> (
    None
):
    again = "INFO    the outbox is on disk again after 5 s"
    one = [_START, _REFUSAL, line_of(1, ", in memory"), line_of(2, ", in memory"), again]
    other = [_START, _REFUSAL, line_of(9, ", in memory"), again]
    said = said_in("\n".join([*one, *other]))
    assert compare(said, {}, [document(n) for n in (1, 9, 2)]).problems == ()
    within = compare(said, {}, [document(n) for n in (2, 1, 9)])
    assert within.problems == ("reordered: document 1 came after 2",)
