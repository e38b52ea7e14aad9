"""What is damaged costs itself: every document that is legible comes out."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge.clock import this_moment
from edge.config import OutboxSettings
from edge.publish.outbox.disk import drop
from edge.publish.outbox.file import PAGE_BYTES, SpoolFile
from edge.publish.outbox.outbox import RETRY_S, Outbox
from edge.publish.outbox.rows import StoredDocument
from edge.publish.outbox.salvage import legible, quarantine
from edge.publish.outbox.unended import Unended
from tests.edge.publish.outbox.faulty import Disk, Faults

COUNT = 201
NAME = "outbox.sqlite"
Damage = Callable[[bytearray, int], None]


def payload(sequence: int) -> bytes:
    """Of the usual size; every twentieth is larger than a page, every third small."""
    size = 5000 if sequence % 20 == 0 else 60 if sequence % 3 == 0 else 640
    return random.Random(sequence).randbytes(size)


def overwrite(content: bytearray, at: int) -> None:
    content[at : at + PAGE_BYTES] = random.Random(at).randbytes(PAGE_BYTES)


def empty(content: bytearray, at: int) -> None:
    content[at : at + PAGE_BYTES] = bytes(PAGE_BYTES)


def flip(content: bytearray, at: int) -> None:
    content[at] ^= 0x40


def recount(content: bytearray, at: int) -> None:
    content[at + 3] ^= 0x40


def lead_away(content: bytearray, at: int) -> None:
    """Let the frame in the log say that it is of a page far beyond the file."""
    content[at - 24] ^= 0x40


def made(folder: Path, acknowledged: int = 0) -> Path:
    outbox = Outbox(folder / NAME)
    for sequence in range(1, COUNT + 1):
        outbox.append("t/violation", payload)
        outbox.acknowledge([sequence] if sequence <= acknowledged else [])
    outbox.close()
    return folder / NAME


def torn(outbox: Outbox, state: Path, at: int, damage: Damage) -> Path:
    """Close the outbox; return its file as a crash before that leaves it.

    The log has the damage at that place, counted from its end.
    """
    cut = state.with_name("cut")
    shutil.copytree(state, cut)
    outbox.close()
    log = cut / f"{NAME}-wal"
    content = bytearray(log.read_bytes())
    damage(content, len(content) - at)
    log.write_bytes(content)
    return cut / NAME


def pending(outbox: Outbox) -> dict[int, bytes]:
    return {document.sequence: document.payload for document in outbox.pending(1000)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return made(tmp_path_factory.mktemp("whole")).read_bytes()


@pytest.fixture(scope="module")
def residents(whole: bytes) -> dict[int, set[int]]:
    """Which documents have something on the page that begins there."""
    pieces = [
        (sequence, payload(sequence)[at : at + 50])
        for sequence in range(1, COUNT + 1)
        for at in range(0, len(payload(sequence)) - 49, 10)
    ]
    return {
        at: {sequence for sequence, piece in pieces if piece in whole[at : at + PAGE_BYTES]}
        for at in range(0, len(whole), PAGE_BYTES)
    }


@pytest.mark.parametrize(("damage", "every"), [(overwrite, 1), (empty, 4), (flip, 4), (recount, 4)])
def test_a_damaged_page_costs_its_own_documents_only(
    tmp_path: Path, whole: bytes, residents: dict[int, set[int]], damage: Damage, every: int
) -> None:
    is_legible = damage in (flip, recount)
    for at in range(0, len(whole), PAGE_BYTES * every):
        content = bytearray(whole)
        damage(content, at)
        (tmp_path / NAME).write_bytes(content)
        aside = quarantine(tmp_path / NAME, this_moment().at)
        found = {each.sequence: each for each in legible(aside) if isinstance(each, StoredDocument)}
        assert all(each.payload == payload(each.sequence) for each in found.values())
        missing = set(range(1, COUNT + 1)) - found.keys()
        assert missing <= residents[at], f"page {at // PAGE_BYTES}"
        # Of a page with a damaged head only what is larger than the page is not found again.
        assert not is_legible or len(missing) <= 1, f"page {at // PAGE_BYTES}"


def test_the_outbox_goes_on_with_what_is_legible_and_keeps_the_damaged_file(
    tmp_path: Path, whole: bytes
) -> None:
    content = bytearray(whole)
    overwrite(content, PAGE_BYTES)  # the root of the documents: SQLite finds none of them
    (tmp_path / NAME).write_bytes(content)
    outbox = Outbox(tmp_path / NAME)
    assert pending(outbox) == {n: payload(n) for n in range(1, COUNT + 1)}
    outbox.close()
    (aside,) = tmp_path.glob("*.damaged-*")
    assert aside.read_bytes()[PAGE_BYTES:] == content[PAGE_BYTES:]


def test_what_was_acknowledged_does_not_come_again(tmp_path: Path) -> None:
    path = made(tmp_path, acknowledged=150)
    content = bytearray(path.read_bytes())
    overwrite(content, PAGE_BYTES)
    path.write_bytes(content)
    outbox = Outbox(path)
    assert set(pending(outbox)) == set(range(151, COUNT + 1))
    outbox.close()


def test_a_damaged_log_costs_the_documents_of_its_page_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = Outbox(tmp_path / "state" / NAME)
    for _ in range(30):
        outbox.append("t/violation", payload)
    shutil.copytree(tmp_path / "state", tmp_path / "cut")
    outbox.close()
    log = tmp_path / "cut" / f"{NAME}-wal"
    content = bytearray(log.read_bytes())
    frame = PAGE_BYTES + 24
    at = 32 + 12 * frame
    assert len(content) > at + 10 * frame
    content[at + 24 : at + frame] = random.Random(1).randbytes(PAGE_BYTES)
    log.write_bytes(content)
    # It is kept without being written again: the disk may be full.
    monkeypatch.setattr(Path, "write_bytes", lambda *_: pytest.fail("it takes room"))
    outbox = Outbox(tmp_path / "cut" / NAME)
    found = pending(outbox)
    assert found.keys() == set(range(1, 31)), "later frames have that page again"
    assert all(payload(n) == found[n] for n in found)
    assert outbox.state().set_aside == 1
    outbox.close()


def test_a_log_with_a_damaged_head_is_read_all_the_same(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "state" / NAME)
    for _ in range(10):
        outbox.append("t/violation", payload)
    shutil.copytree(tmp_path / "state", tmp_path / "cut")
    outbox.close()
    log = tmp_path / "cut" / f"{NAME}-wal"
    log.write_bytes(b"\xe9" * 32 + log.read_bytes()[32:])
    outbox = Outbox(tmp_path / "cut" / NAME)
    assert pending(outbox) == {n: payload(n) for n in range(1, 11)}
    outbox.close()


def test_refused_and_open_ones_are_taken_over(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / NAME
    path.write_bytes(whole)
    outbox = Outbox(path)
    outbox.refuse(7, "packet too large")
    begun = Unended("event", "t/violation", b"its end")
    outbox.append("t/violation", payload, begins=begun)
    outbox.close()
    content = bytearray(path.read_bytes())
    overwrite(content, 0)
    path.write_bytes(content)
    outbox = Outbox(path)
    assert set(pending(outbox)) == set(range(1, COUNT + 2)) - {7}
    assert outbox.state().refused == 1
    assert outbox.left_open() == [begun]
    outbox.close()


def test_a_salvage_that_was_cut_off_is_made_up_for(tmp_path: Path, whole: bytes) -> None:
    (tmp_path / NAME).write_bytes(whole)
    quarantine(tmp_path / NAME, this_moment().at)
    SpoolFile(tmp_path / NAME).close()  # a new one, but killed before anything was taken over
    outbox = Outbox(tmp_path / NAME)
    assert pending(outbox) == {n: payload(n) for n in range(1, COUNT + 1)}
    assert outbox.state().rows == COUNT
    assert outbox.state().set_aside == 1
    outbox.close()


def test_a_clock_that_goes_back_takes_no_document_with_it(tmp_path: Path) -> None:
    for start in range(8):
        outbox = Outbox(tmp_path / NAME, OutboxSettings(), this_moment)
        number = outbox.append("t/violation", payload)
        outbox.close()
        content = bytearray((tmp_path / NAME).read_bytes())
        overwrite(content, 0)
        (tmp_path / NAME).write_bytes(content)
        for aside in tmp_path.glob("*.damaged-*"):
            if start == 3:  # all that is there is from the future
                aside.rename(aside.with_name(aside.name.replace("damaged-20", "damaged-21")))
        outbox = Outbox(tmp_path / NAME)
        assert number in pending(outbox)
        outbox.close()


def test_what_is_legible_of_a_write_that_was_cut_off_comes_out_and_nothing_is_quarantined(
    tmp_path: Path,
) -> None:
    outbox = Outbox(tmp_path / "state" / NAME)
    begun = Unended("event", "t/violation", b"its end")
    for begins in (None, None, begun):
        outbox.append("t/violation", lambda sequence: b"event confirmed", begins=begins)
    shutil.copytree(tmp_path / "state", tmp_path / "cut")
    outbox.close()
    log = tmp_path / "cut" / f"{NAME}-wal"
    content = bytearray(log.read_bytes())
    content[-PAGE_BYTES + 20] ^= 1  # in the last page, between the list of its rows and the rows
    log.write_bytes(content)
    outbox = Outbox(tmp_path / "cut" / NAME)
    assert set(pending(outbox)) == {1, 2, 3}
    assert outbox.left_open() == [begun]
    assert outbox.state().set_aside == 0
    assert outbox.append("t/violation", payload) == 4
    outbox.close()


@pytest.mark.parametrize("damage", [overwrite, empty, flip, lead_away])
def test_wherever_the_log_is_damaged_the_rest_comes_out_and_no_number_is_given_again(
    tmp_path: Path, damage: Damage
) -> None:
    whole = tmp_path / "whole"
    outbox = Outbox(whole / NAME)
    for _ in range(30):
        outbox.append("t/violation", payload)
    shutil.copytree(whole, tmp_path / "cut")
    outbox.close()
    log = (tmp_path / "cut" / f"{NAME}-wal").read_bytes()
    frame_bytes = PAGE_BYTES + 24
    for at in range(32 + 24, len(log), frame_bytes):
        content = bytearray(log)
        damage(content, at)
        folder = tmp_path / str(at)
        shutil.copytree(tmp_path / "cut", folder)
        (folder / f"{NAME}-wal").write_bytes(content)
        outbox = Outbox(folder / NAME)
        found = pending(outbox)
        assert all(payload(number) == found[number] for number in found)
        missing = set(range(1, 31)) - found.keys()
        assert len(missing) <= 1, f"{missing} of {at}"
        assert outbox.append("t/violation", payload) > 30
        outbox.close()


def test_an_end_that_was_cut_off_is_reported_once_where_its_message_is_legible(
    tmp_path: Path,
) -> None:
    state = tmp_path / "state"
    outbox = Outbox(state / NAME)
    for event in ("one", "other"):
        begun = Unended(f"event {event}", "t/violation", b"its end after a kill")
        outbox.append("t/violation", lambda sequence: b"confirmed", begins=begun)
    outbox.append("t/violation", lambda sequence: b"event one has ended", ends="event one")
    path = torn(outbox, state, PAGE_BYTES - 20, flip)  # the page of those that have not ended
    outbox = Outbox(path)
    assert set(pending(outbox)) == {1, 2, 3}
    assert [each.event_id for each in outbox.left_open()] == ["event other"]
    outbox.close()


def test_what_is_legible_of_a_write_that_was_cut_off_is_counted_once(tmp_path: Path) -> None:
    state = tmp_path / "state"
    outbox = Outbox(state / NAME)
    for _ in range(4):
        outbox.append("t/violation", lambda sequence: bytes(300))
    path = torn(
        outbox,
        state,
        PAGE_BYTES - 960,
        lambda content, at: content.__setitem__(slice(at, None), bytes(len(content) - at)),
    )
    outbox = Outbox(path)
    assert set(pending(outbox)) == {1, 2, 3, 4}
    assert (outbox.state().rows, outbox.state().bytes) == (4, 1200)
    outbox.acknowledge([1, 2, 3, 4])
    assert outbox.state().rows == 0
    outbox.close()


def test_no_number_of_several_in_the_last_write_is_given_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead_s = 0.0
    faults = Faults(monkeypatch)
    state = tmp_path / "state"
    outbox = Outbox(
        state / NAME, now=lambda: replace(this_moment(), run_s=this_moment().run_s + ahead_s)
    )
    outbox.append("t/violation", payload)
    faults.disk = Disk.FULL
    assert [outbox.append("t/violation", lambda _: bytes(900)) for _ in range(6)][-1] == 7
    faults.disk = Disk.WORKS
    ahead_s = RETRY_S + 1
    assert outbox.state().in_memory == 0
    path = torn(outbox, state, PAGE_BYTES, overwrite)
    outbox = Outbox(path)
    assert set(pending(outbox)) == {1, 2, 3, 4, 5, 6}
    assert outbox.append("t/violation", payload) == 8
    outbox.close()


@pytest.mark.parametrize("damage", [flip, overwrite])
def test_a_drop_behind_a_write_that_was_cut_off_gives_no_number_again(
    tmp_path: Path, damage: Damage
) -> None:
    state = tmp_path / "state"
    outbox = Outbox(state / NAME)
    for _ in range(4):
        outbox.append("t/violation", lambda sequence: bytes(100))
    path = torn(outbox, state, PAGE_BYTES - (60 if damage is flip else 0), damage)
    drop(path, [1])
    outbox = Outbox(path)
    assert set(pending(outbox)) == ({2, 3, 4} if damage is flip else {2, 3})
    assert outbox.append("t/violation", payload) == 5
    outbox.close()


@pytest.mark.parametrize("disk", [Disk.WORKS, Disk.FULL])
def test_the_log_says_what_became_of_a_write_that_was_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, disk: Disk
) -> None:
    faults = Faults(monkeypatch)
    state = tmp_path / "state"
    outbox = Outbox(state / NAME)
    for _ in range(3):
        outbox.append("t/violation", lambda sequence: bytes(100))
    path = torn(outbox, state, PAGE_BYTES - 60, flip)
    faults.disk = disk
    outbox = Outbox(path)
    kept = 1 if disk is Disk.WORKS else 0
    assert f"cut off; messages recovered: {kept}; numbers go on after 3" in caplog.text
    assert len(pending(outbox)) == 2 + kept
    assert outbox.append("t/violation", payload) == 4
    outbox.close()
