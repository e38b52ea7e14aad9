from __future__ import annotations

import random
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.errors import OutboxError
from edge.spool import Outbox

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
OpenOutbox = Callable[..., Outbox]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "outbox.sqlite"


@pytest.fixture
def open_outbox(path: Path) -> Iterator[OpenOutbox]:
    opened: list[Outbox] = []

    def open_one(**settings: object) -> Outbox:
        opened.append(Outbox(path, **settings))  # type: ignore[arg-type]
        return opened[-1]

    yield open_one
    for outbox in opened:
        outbox.close()


def payload(sequence: int) -> bytes:
    return b'{"sequence": %d, "filler": "%s"}' % (sequence, b"x" * 300)


def fill(outbox: Outbox, count: int) -> list[int]:
    return [outbox.append("t/violation", payload) for _ in range(count)]


def sequences(outbox: Outbox) -> list[int]:
    return [document.sequence for document in outbox.pending(1_000_000)]


def test_documents_come_out_as_they_went_in_oldest_first(open_outbox: OpenOutbox) -> None:
    outbox = open_outbox(now=lambda: NOON)
    assert fill(outbox, 3) == [1, 2, 3]
    found = [(d.sequence, d.accepted_at, d.topic, d.payload) for d in outbox.pending(2)]
    assert found == [(n, NOON, "t/violation", payload(n)) for n in (1, 2)]
    assert [d.sequence for d in outbox.pending(9, after=2)] == [3]


def test_a_document_leaves_by_its_acknowledgement_only(open_outbox: OpenOutbox) -> None:
    outbox = open_outbox()
    fill(outbox, 4)
    outbox.acknowledge([3, 1, 77])
    outbox.acknowledge([3])
    assert sequences(outbox) == [2, 4]
    assert outbox.state().rows == 2


def test_documents_and_sequence_survive_a_restart(open_outbox: OpenOutbox) -> None:
    outbox = open_outbox()
    fill(outbox, 3)
    outbox.acknowledge([1, 2])
    outbox.close()
    outbox = open_outbox()
    assert sequences(outbox) == [3]
    outbox.acknowledge([3])
    outbox.close()
    assert fill(open_outbox(), 1) == [4]


def test_what_was_accepted_survives_a_kill(path: Path) -> None:
    program = (
        "import sys, pathlib; from edge.spool import Outbox\n"
        "outbox = Outbox(pathlib.Path(sys.argv[1]))\n"
        "while True: print(outbox.append('t', lambda n: b'%d' % n), flush=True)"
    )
    accepted: list[int] = []
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        accepted += [int(process.stdout.readline()) for _ in range(50)]
        process.kill()
        accepted += [int(line) for line in process.communicate()[0].split()]
    outbox = Outbox(path)
    kept = [(document.sequence, document.payload) for document in outbox.pending(1_000_000)]
    outbox.close()
    assert accepted == sorted(set(accepted))
    # The last one may have been accepted without a word, so there can be more than we know of.
    assert {n for n, _ in kept} >= set(accepted)
    assert all(content == b"%d" % n for n, content in kept)


def test_the_oldest_are_dropped_and_counted_when_it_is_full(open_outbox: OpenOutbox) -> None:
    outbox = open_outbox(max_rows=10)
    fill(outbox, 13)
    assert sequences(outbox) == list(range(4, 14))
    assert (outbox.state().rows, outbox.state().dropped) == (10, 3)
    outbox.close()
    smaller = open_outbox(max_rows=5)
    fill(smaller, 1)
    assert sequences(smaller) == [10, 11, 12, 13, 14]
    assert (smaller.state().rows, smaller.state().dropped) == (5, 9)


def test_the_age_is_that_of_the_oldest_and_never_negative(open_outbox: OpenOutbox) -> None:
    hands = [NOON]
    outbox = open_outbox(now=lambda: hands[0])
    assert outbox.state().oldest_age_s is None
    fill(outbox, 1)
    hands[0] = NOON + timedelta(seconds=90)
    fill(outbox, 1)
    assert outbox.state().oldest_age_s == 90.0
    hands[0] = NOON - timedelta(days=1)
    assert outbox.state().oldest_age_s == 0.0


def test_an_encoder_that_fails_leaves_no_trace(open_outbox: OpenOutbox) -> None:
    outbox = open_outbox()

    def fail(sequence: int) -> bytes:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        outbox.append("t", fail)
    assert fill(outbox, 1) == [1]


def test_a_full_disk_is_refused_and_then_recovered_from(open_outbox: OpenOutbox) -> None:
    outbox = open_outbox()
    fill(outbox, 5)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # every file: writing further fails
    try:
        with pytest.raises(OutboxError, match="make room or mend the disk"):
            fill(outbox, 1000)
        accepted = sequences(outbox)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert fill(outbox, 1) == [accepted[-1] + 1]
    assert sequences(outbox) == [*accepted, accepted[-1] + 1]
    assert outbox.state().set_aside == 0


def test_a_second_process_is_refused(open_outbox: OpenOutbox, path: Path) -> None:
    fill(open_outbox(), 1)
    with pytest.raises(OutboxError, match="another process has it open"):
        Outbox(path)


def test_a_file_that_is_no_outbox_is_set_aside_and_said(
    open_outbox: OpenOutbox, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database" * 1000)
    outbox = open_outbox(now=lambda: NOON)
    fill(outbox, 1)
    state = outbox.state()
    assert (state.set_aside, state.set_aside_at) == (1, NOON)
    aside = path.with_name("outbox.sqlite.damaged-20261123T120000000000Z")
    assert aside.read_bytes() == b"no database" * 1000
    assert "the outbox was damaged" in caplog.text


def test_the_sequence_never_goes_back_even_when_the_file_is_lost(
    open_outbox: OpenOutbox, path: Path
) -> None:
    outbox = open_outbox()
    last = fill(outbox, 1203)[-1]
    outbox.acknowledge(range(1, 1204))
    outbox.close()
    path.write_bytes(b"\0" * 5000)
    outbox = open_outbox()
    second = fill(outbox, 1)[0]
    outbox.close()
    path.unlink()
    outbox = open_outbox()
    third = fill(outbox, 1)[0]
    outbox.close()
    path.with_name("outbox.sqlite.sequence").write_text("rubbish")
    path.write_bytes(b"rubbish" * 1000)
    assert last < second < third < fill(open_outbox(), 1)[0]


def test_only_the_newest_damaged_files_are_kept(open_outbox: OpenOutbox, path: Path) -> None:
    for day in range(7):
        outbox = open_outbox(now=lambda day=day: NOON + timedelta(days=day))
        fill(outbox, 1)
        outbox.close()
        path.write_bytes(b"rubbish" * 1000)
    state = open_outbox(now=lambda: NOON + timedelta(days=7)).state()
    assert (state.set_aside, state.set_aside_at) == (5, NOON + timedelta(days=7))
    kept = sorted(file.name.rpartition("-")[2][:8] for file in path.parent.glob("*.damaged*Z"))
    assert kept == [f"202611{day}" for day in (26, 27, 28, 29, 30)]


def test_one_altered_document_costs_only_itself(open_outbox: OpenOutbox, path: Path) -> None:
    outbox = open_outbox()
    fill(outbox, 30)
    outbox.close()
    path.write_bytes(path.read_bytes().replace(b'"sequence": 17,', b'"sequence": 71,'))
    assert sequences(open_outbox()) == [*range(1, 17), *range(18, 31)]


def test_flipped_bytes_never_alter_a_document_nor_stop_us(
    open_outbox: OpenOutbox, path: Path
) -> None:
    chance = random.Random(20261123)
    for _ in range(60):
        for file in path.parent.glob("*"):
            file.unlink()
        outbox = open_outbox()
        fill(outbox, 30)
        outbox.acknowledge(range(1, 6))
        outbox.close()
        content = bytearray(path.read_bytes())
        for _ in range(chance.choice((1, 3, 30))):
            place = (
                chance.randrange(200) if chance.random() < 0.5 else chance.randrange(len(content))
            )
            content[place] ^= 1 << chance.randrange(8)
        if chance.random() < 0.2:
            del content[chance.randrange(len(content)) :]
        path.write_bytes(content)
        outbox = open_outbox()
        found = outbox.pending(1000)
        assert all(document.payload == payload(document.sequence) for document in found)
        assert fill(outbox, 1)[0] > 30
        outbox.close()


def test_threads_share_it(open_outbox: OpenOutbox) -> None:
    outbox = open_outbox()
    threads = [threading.Thread(target=fill, args=(outbox, 50)) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        outbox.acknowledge([document.sequence for document in outbox.pending(10)])
    taken = 200 - len(sequences(outbox))
    assert outbox.state().rows == 200 - taken
    assert fill(outbox, 1) == [201]


def test_the_log_beside_the_file_stays_small(open_outbox: OpenOutbox, path: Path) -> None:
    outbox = open_outbox()
    largest = 0
    for _ in range(25):
        fill(outbox, 50)
        outbox.acknowledge(sequences(outbox))
        largest = max(largest, path.with_name("outbox.sqlite-wal").stat().st_size)
    assert largest < 2 * 1024 * 1024
    assert path.stat().st_size < 200_000
