from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.clock import Moment
from edge.config import OutboxSettings
from edge.errors import ConfigError, OutboxError
from edge.publish.outbox.delivered import DELIVERED_REPORTED
from edge.publish.outbox.memory import MEMORY_ROWS
from edge.publish.outbox.outbox import DELETE_AFTER_S, DELETE_ROWS, RETRY_S, Outbox
from edge.publish.outbox.sequence import MOST, UNRECORDED
from tests.disk import SmallDisk
from tests.edge.publish.outbox.faulty import Disk, Faults
from tests.needs import lacking

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY_S = 86_400.0
OpenOutbox = Callable[..., Outbox]


class Hands:
    """A clock that the test turns; called, it tells the moment."""

    def __init__(self, at: datetime = NOON, *, is_right: bool = True) -> None:
        self.at, self.is_right = at, is_right
        self.run, self.run_s = "first", 0.0

    def __call__(self) -> Moment:
        return Moment(self.at, self.is_right, self.run, self.run_s)

    def pass_by(self, duration_s: float) -> None:
        self.at += timedelta(seconds=duration_s)
        self.run_s += duration_s

    def restart(self) -> None:
        self.run, self.run_s = self.run + "+", 0.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "outbox.sqlite"


@pytest.fixture
def open_outbox(path: Path) -> Iterator[OpenOutbox]:
    opened: list[Outbox] = []

    def open_one(**settings: object) -> Outbox:
        now = settings.pop("now", Hands())
        opened.append(Outbox(path, OutboxSettings(**settings), now))  # type: ignore[arg-type]
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


def after_a_power_cut(path: Path) -> Outbox:
    """Open what is on the disk this moment."""
    shutil.copytree(path.parent, copy := path.parent.with_name("after"))
    return Outbox(copy / path.name)


def test_documents_come_out_as_they_went_in_oldest_first(open_outbox: OpenOutbox) -> None:
    hands = Hands()
    outbox = open_outbox(now=hands)
    assert fill(outbox, 3) == [1, 2, 3]
    found = [(d.sequence, d.accepted, d.topic, d.payload) for d in outbox.pending(2)]
    assert found == [(n, hands(), "t/violation", payload(n)) for n in (1, 2)]
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
        "import sys, pathlib; from edge.publish.outbox.outbox import Outbox\n"
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


def test_deletions_wait_for_the_next_document_or_for_others_and_a_kill_repeats_them(
    open_outbox: OpenOutbox, path: Path
) -> None:
    outbox = open_outbox(now=(hands := Hands()))
    fill(outbox, 3)
    outbox.acknowledge([1, 2])
    assert sequences(outbox) == [3]
    cut = after_a_power_cut(path)
    assert [(d.sequence, d.payload) for d in cut.pending(9)] == [(n, payload(n)) for n in (1, 2, 3)]
    cut.close()
    shutil.rmtree(path.parent.with_name("after"))
    fill(outbox, 1)
    cut = after_a_power_cut(path)
    assert sequences(cut) == [3, 4]
    cut.close()
    shutil.rmtree(path.parent.with_name("after"))
    outbox.acknowledge([3])
    hands.pass_by(DELETE_AFTER_S)
    assert outbox.state().rows == 1
    cut = after_a_power_cut(path)
    assert sequences(cut) == [4]
    cut.close()
    shutil.rmtree(path.parent.with_name("after"))
    many = fill(outbox, DELETE_ROWS)
    outbox.acknowledge([4, *many])
    cut = after_a_power_cut(path)
    assert sequences(cut) == []
    assert fill(cut, 1) == [many[-1] + 1]
    cut.close()


def test_the_oldest_are_dropped_and_counted_when_there_are_too_many(
    open_outbox: OpenOutbox,
) -> None:
    outbox = open_outbox(max_rows=10)
    fill(outbox, 13)
    assert sequences(outbox) == list(range(4, 14))
    assert (outbox.state().rows, outbox.state().dropped.rows) == (10, 3)
    outbox.close()
    smaller = open_outbox(max_rows=10)
    outbox.acknowledge([4])
    fill(smaller, 2)
    assert sequences(smaller) == list(range(6, 16))
    assert (smaller.state().dropped.rows, smaller.state().dropped.total) == (5, 5)


def test_the_oldest_are_dropped_and_counted_when_they_are_too_large(
    open_outbox: OpenOutbox,
) -> None:
    outbox = open_outbox(max_bytes=1_000_000)
    fill(outbox, 10)
    for _ in range(9):
        outbox.append("t/violation", lambda sequence: bytes(120_000))
    assert sequences(outbox) == list(range(12, 20))
    assert outbox.state().bytes == 960_000
    assert (outbox.state().dropped.bytes, outbox.state().dropped.total) == (11, 11)


def test_what_is_too_old_is_dropped_and_counted_even_when_nothing_new_comes(
    open_outbox: OpenOutbox,
) -> None:
    outbox = open_outbox(now=(hands := Hands()), max_age_s=DAY_S)
    fill(outbox, 150)
    hands.pass_by(DAY_S / 2)
    fill(outbox, 1)
    hands.pass_by(DAY_S / 2 + 61)
    assert sequences(outbox) == [151]
    assert (outbox.state().dropped.age, outbox.state().dropped.total) == (150, 150)


def test_a_clock_that_is_set_makes_no_document_old(open_outbox: OpenOutbox) -> None:
    hands = Hands(datetime(1970, 1, 1, tzinfo=UTC), is_right=False)
    outbox = open_outbox(now=hands, max_age_s=DAY_S)
    fill(outbox, 2)
    hands.pass_by(600)
    hands.at, hands.is_right = NOON, True
    assert outbox.state().oldest_age_s == 600
    fill(outbox, 1)
    outbox.close()
    hands.restart()
    hands.pass_by(2 * 3600)
    outbox = open_outbox(now=hands, max_age_s=DAY_S)
    assert sequences(outbox) == [1, 2, 3]
    assert outbox.state().oldest_age_s == 2 * 3600, "at least: how long we were off is not known"
    hands.pass_by(DAY_S - 3600)
    assert sequences(outbox) == [], "the third is certainly too old, and the others are older"
    assert outbox.state().dropped.age == 3


def test_what_is_dropped_is_said_once_until_the_outbox_was_empty(
    open_outbox: OpenOutbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    outbox = open_outbox(max_rows=10)
    fill(outbox, 15)
    assert caplog.text.count("beyond its limit of rows") == 1
    outbox.acknowledge(sequences(outbox))
    assert caplog.text.count("the outbox is empty again; dropped so far: Dropped(rows=5") == 1
    fill(outbox, 15)
    assert caplog.text.count("beyond its limit of rows") == 2


def test_the_age_is_that_of_the_oldest_and_never_negative(open_outbox: OpenOutbox) -> None:
    outbox = open_outbox(now=(hands := Hands()))
    assert outbox.state().oldest_age_s is None
    fill(outbox, 1)
    hands.pass_by(90)
    fill(outbox, 1)
    assert outbox.state().oldest_age_s == 90.0
    hands.restart()
    hands.at = NOON - timedelta(days=1)
    assert outbox.state().oldest_age_s == 0.0


def test_an_encoder_that_fails_leaves_no_trace(open_outbox: OpenOutbox) -> None:
    outbox = open_outbox()

    def fail(sequence: int) -> bytes:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        outbox.append("t", fail)
    assert fill(outbox, 1) == [1]


def test_of_what_was_delivered_and_cannot_be_deleted_the_newest_are_named(
    open_outbox: OpenOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults, count = Faults(monkeypatch), DELIVERED_REPORTED + 5
    outbox = open_outbox()
    fill(outbox, count)
    faults.disk = Disk.READ_ONLY
    fill(outbox, 1)
    outbox.acknowledge(range(1, count + 1))
    delivered = outbox.state().delivered
    assert (len(delivered), delivered[0]) == (DELIVERED_REPORTED, count)


class TestOnADiskThatRefuses:
    @pytest.fixture
    def path(self, small_disk: SmallDisk) -> Path:
        return small_disk.folder / "state" / "outbox.sqlite"

    def test_documents_wait_in_memory_and_go_to_the_disk_when_there_is_room(
        self,
        small_disk: SmallDisk,
        open_outbox: OpenOutbox,
        path: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level("INFO")
        outbox = open_outbox(now=(hands := Hands()))
        fill(outbox, 5)
        small_disk.fill()
        assert fill(outbox, 20) == list(range(6, 26))
        state = outbox.state()
        assert (state.is_refused, state.in_memory, state.rows) == (True, 20, 25)
        assert sequences(outbox) == list(range(1, 26))
        outbox.acknowledge([1, 25])
        assert (outbox.state().live, outbox.state().rows) == (1, 23)
        small_disk.make_room()
        assert outbox.state().is_refused, "not tried yet"
        hands.pass_by(RETRY_S)
        state = outbox.state()
        assert (state.is_refused, state.in_memory, state.rows) == (False, 0, 23)
        cut = after_a_power_cut(path)
        assert sequences(cut) == list(range(2, 25))
        assert fill(cut, 1) == [26], "no gap"
        cut.close()
        assert caplog.text.count("make room or repair the disk") == 1, "said once"
        assert "the outbox is on disk again after 5 s" in caplog.text

    def test_no_number_is_used_again_after_a_power_cut_in_the_meantime(
        self, small_disk: SmallDisk, open_outbox: OpenOutbox, path: Path, tmp_path: Path
    ) -> None:
        outbox = open_outbox()
        fill(outbox, 1)
        small_disk.fill()
        live = fill(outbox, 30)
        assert outbox.state().is_refused
        shutil.copytree(path.parent, tmp_path / "state")
        for _ in range(3):
            cut = Outbox(tmp_path / "state" / path.name)
            cut.close()
        cut = Outbox(tmp_path / "state" / path.name)
        assert fill(cut, 1) == [live[-1] + 1], "only what was given is skipped"
        cut.close()

    def test_the_memory_is_bounded_and_what_is_dropped_there_is_counted(
        self, small_disk: SmallDisk, open_outbox: OpenOutbox
    ) -> None:
        outbox = open_outbox(now=(hands := Hands()))
        small_disk.fill()
        sent = fill(outbox, MEMORY_ROWS + 300)
        assert sent == list(range(1, MEMORY_ROWS + 301))
        assert outbox.state().in_memory == MEMORY_ROWS
        dropped = outbox.state().dropped
        assert dropped.memory == dropped.total == 300
        small_disk.make_room()
        hands.pass_by(RETRY_S)
        assert outbox.state().in_memory == 0
        outbox.close()
        assert open_outbox().state().dropped == dropped

    def test_a_read_only_disk_is_started_on_and_no_number_is_used_twice(
        self, small_disk: SmallDisk, open_outbox: OpenOutbox
    ) -> None:
        outbox = open_outbox(now=Hands())
        fill(outbox, 3)
        outbox.close()
        small_disk.remount("ro")
        given: list[int] = []
        for start in range(20):
            hands = Hands()  # a clock without a battery: the same time with each boot
            outbox = open_outbox(now=hands)
            given += fill(outbox, 2)
            assert sequences(outbox) == given[-2:]
            assert UNRECORDED <= given[-2] == given[-1] - 1 < MOST
            if start < 19:
                outbox.close()
        assert len(set(given)) == 40
        small_disk.remount("rw")
        hands.pass_by(RETRY_S)
        assert sequences(outbox) == [1, 2, 3, *given[-2:]], "the older ones come back, too"
        given += fill(outbox, 1)
        outbox.close()
        outbox = open_outbox()
        assert fill(outbox, 1)[0] > given[-1], "behind what waits"
        outbox.acknowledge(sequences(outbox))
        assert fill(outbox, 1) == [4], "and the count goes on"
        outbox.close()
        assert fill(open_outbox(), 1) == [5]

    def test_a_full_disk_is_started_on(
        self, small_disk: SmallDisk, open_outbox: OpenOutbox
    ) -> None:
        small_disk.fill()
        outbox = open_outbox(now=(hands := Hands()))
        given = fill(outbox, 3)
        assert sequences(outbox) == given
        small_disk.make_room()
        hands.pass_by(RETRY_S)
        assert outbox.state().in_memory == 0
        assert sequences(outbox) == given


def test_a_folder_that_is_no_folder_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutboxError, match=r"can't be made: File exists; see \[outbox\] path"):
        Outbox(tmp_path / "file" / "outbox.sqlite")


def test_a_second_process_is_refused(open_outbox: OpenOutbox, path: Path) -> None:
    fill(open_outbox(), 1)
    with pytest.raises(OutboxError, match="another process has it open"):
        Outbox(path)


def test_a_file_that_is_no_outbox_is_quarantined_and_reported(
    open_outbox: OpenOutbox, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database" * 1000)
    outbox = open_outbox()
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
    outbox = open_outbox()
    fourth = fill(outbox, 1)[0]
    outbox.close()
    assert last < second < third < fourth < 10_000, "its copy knows"
    for file in path.parent.glob("outbox.sqlite.sequence*"):
        file.write_bytes(b"rubbish\xe9")
    path.write_bytes(b"rubbish" * 1000)
    assert fourth < fill(open_outbox(), 1)[0] < UNRECORDED


def test_only_the_newest_damaged_files_are_kept(open_outbox: OpenOutbox, path: Path) -> None:
    for day in range(7):
        outbox = open_outbox(now=Hands(NOON + timedelta(days=day)))
        fill(outbox, 1)
        outbox.close()
        path.write_bytes(b"rubbish" * 1000)
    state = open_outbox(now=Hands(NOON + timedelta(days=7))).state()
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


def test_a_document_costs_the_card_little_more_than_a_page(
    open_outbox: OpenOutbox, path: Path
) -> None:
    outbox = open_outbox()
    log = path.with_name("outbox.sqlite-wal")
    before = log.stat().st_size
    for _ in range(60):
        outbox.acknowledge(fill(outbox, 1))
    frame_bytes = 2048 + 24
    assert (log.stat().st_size - before) / frame_bytes < 60 * 1.5


def test_the_log_beside_the_file_stays_small(open_outbox: OpenOutbox, path: Path) -> None:
    outbox = open_outbox()
    largest = 0
    for _ in range(25):
        fill(outbox, 50)
        outbox.acknowledge(sequences(outbox))
        largest = max(largest, path.with_name("outbox.sqlite-wal").stat().st_size)
    assert largest < 2 * 1024 * 1024
    assert path.stat().st_size < 200_000


def test_root_leaves_nothing_in_the_folder_of_another_user(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        lacking("not root", "sudo make test")
    folder = tmp_path / "state"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    with pytest.raises(ConfigError, match="sudo systemctl start tensormask"):
        Outbox(folder / "outbox.sqlite")
    assert list(folder.iterdir()) == []


def test_an_outbox_of_another_user_is_reported_with_the_command_that_fixes_it(
    tmp_path: Path,
) -> None:
    if os.geteuid() != 0:
        lacking("not root", "sudo make test")
    folder = tmp_path / "state"
    folder.mkdir()
    Outbox(folder / "outbox.sqlite").close()
    for place in (folder, tmp_path, *tmp_path.parents):
        place.chmod(place.stat().st_mode | 0o755)
    os.chown(folder, 65534, 65534)
    os.seteuid(65534)
    try:
        with pytest.raises(ConfigError, match=r"belongs to root; sudo chown -R nobody: "):
            Outbox(folder / "outbox.sqlite")
    finally:
        os.seteuid(0)


def test_the_health_report_reads_no_payload(open_outbox: OpenOutbox) -> None:
    outbox = open_outbox()
    fill(outbox, 3)
    outbox.acknowledge([1])
    read: list[str] = []
    file = outbox._disk.file
    assert file is not None
    file._database.set_trace_callback(read.append)
    assert outbox.state().rows == 2
    assert not [sql for sql in read if "payload" in sql.replace("length(payload)", "")]


def test_each_delivered_document_is_counted_once(open_outbox: OpenOutbox) -> None:
    hands = Hands()
    outbox = open_outbox(now=hands)
    first, second, third = fill(outbox, 3)
    outbox.acknowledge([first])
    outbox.acknowledge([first, second, third + 1])
    assert outbox.state().acknowledged == 2
    hands.pass_by(DELETE_AFTER_S + 1)
    outbox.pending(1)  # deleted meanwhile
    outbox.acknowledge([first, second])
    outbox.refuse(third, "too large")
    assert outbox.state().acknowledged == 2
