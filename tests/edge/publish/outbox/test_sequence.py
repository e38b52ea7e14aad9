"""The promise of the numbers, over whatever disk, clock and kills do together."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from edge.clock import Moment
from edge.publish.outbox.outbox import RETRY_S, Outbox
from edge.publish.outbox.sequence import MOST, UNRECORDED, SequenceReserve
from tests.edge.publish.outbox.faulty import Disk, Faults, Killed

_BOOT = datetime(2026, 11, 23, 12, tzinfo=UTC)
"""Where a clock without a battery begins with each boot."""
_TIMES = (
    _BOOT,
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2026, 11, 28, tzinfo=UTC),
    datetime(2099, 1, 1, tzinfo=UTC),
)
_FILES = ("", ".sequence", ".sequence-copy")


class Life(RuleBasedStateMachine):
    """An outbox through runs of a program. Each document says the how manyeth it is."""

    def __init__(self) -> None:
        super().__init__()
        self._patch = pytest.MonkeyPatch()
        self._faults = Faults(self._patch)
        self._folder = Path(tempfile.mkdtemp())
        self._path = self._folder / "outbox.sqlite"
        self._outbox: Outbox | None = None
        self._at = _BOOT
        self._runs = 0
        self._run_s = 0.0
        self._made = 0
        self._number_of: dict[int, bytes] = {}
        """What each number that anybody has seen stands for."""
        self._counted = 0
        """The newest number of the count that was seen."""
        self._gap_is_excused = False
        """The disk has refused, or was spoiled, since the last counted number."""
        self._order_is_excused = False
        """Documents with drawn numbers may wait in a file that could not be opened at a start."""

    def teardown(self) -> None:
        self._crash(False)
        self._patch.undo()
        shutil.rmtree(self._folder)

    @precondition(lambda self: self._outbox is None)
    @rule()
    def start(self) -> None:
        self._runs += 1
        self._run_s = 0.0
        self._attempt(self._open)

    @precondition(lambda self: self._outbox is not None)
    @rule(count=st.integers(1, 3))
    def append(self, count: int) -> None:
        for _ in range(count):
            self._attempt(self._append_one)

    @precondition(lambda self: self._outbox is not None)
    @rule(share=st.sampled_from((0.0, 0.5, 1.0)))
    def deliver(self, share: float) -> None:
        self._attempt(lambda: self._deliver(share))

    @precondition(lambda self: self._outbox is not None)
    @rule()
    def wait(self) -> None:
        self._run_s += RETRY_S
        self._at += timedelta(seconds=RETRY_S)

    @precondition(lambda self: self._outbox is not None)
    @rule(ghost_appears=st.booleans())
    def kill(self, ghost_appears: bool) -> None:
        self._crash(ghost_appears)

    @precondition(lambda self: self._outbox is not None)
    @rule()
    def stop(self) -> None:
        self._attempt(lambda: self._outbox.close() if self._outbox else None)
        self._crash(False)

    @rule(calls=st.integers(0, 25))
    def kill_soon(self, calls: int) -> None:
        self._faults.calls_left = calls

    @rule(disk=st.sampled_from(Disk))
    def turn_disk(self, disk: Disk) -> None:
        self._faults.disk = disk
        self._gap_is_excused |= disk is not Disk.WORKS

    @rule(at=st.sampled_from(_TIMES))
    def turn_clock(self, at: datetime) -> None:
        self._at = at

    @precondition(lambda self: self._outbox is None)
    @rule(suffix=st.sampled_from(_FILES), content=st.sampled_from((b"", b"\xe9" * 5000)))
    def spoil(self, suffix: str, content: bytes) -> None:
        file = self._path.with_name(self._path.name + suffix)
        if file.exists():
            file.write_bytes(content)
            self._gap_is_excused = True

    def _attempt(self, work: Callable[[], object]) -> None:
        if self._outbox is None and work != self._open:
            return
        try:
            work()
        except Killed:
            self._crash(True)

    def _open(self) -> None:
        # A clock without a battery, unless somebody has set it.
        if self._at < _TIMES[1] + timedelta(days=1) or self._runs % 2:
            self._at = _BOOT
        has_drawn = any(number >= UNRECORDED for number in self._number_of)
        self._order_is_excused |= has_drawn and self._faults.disk is not Disk.WORKS
        self._outbox = Outbox(self._path, now=self._moment)

    def _moment(self) -> Moment:
        return Moment(self._at, False, str(self._runs), self._run_s)

    def _append_one(self) -> None:
        assert self._outbox is not None
        self._made += 1
        content = b"%d" % self._made
        before = self._counted
        number = self._outbox.append("t", lambda sequence: content)
        self._see(number, content)
        if number < UNRECORDED:
            assert number > before, "a counted number went back"
            assert self._gap_is_excused or number == before + 1, "a gap on a disk that works"
            refused = self._outbox.state().is_refused  # it may not have tried the disk again yet
            self._gap_is_excused = refused or self._faults.disk is not Disk.WORKS
        else:
            assert self._gap_is_excused

    def _deliver(self, share: float) -> None:
        assert self._outbox is not None
        documents = self._outbox.pending(1000)
        contents = [int(document.payload) for document in documents]
        assert self._order_is_excused or contents == sorted(contents), "out of order"
        for document in documents:
            self._see(document.sequence, document.payload)
        some = documents[: round(share * len(documents))]
        self._outbox.acknowledge(document.sequence for document in some)
        if len(some) == len(documents) and self._faults.disk is Disk.WORKS:
            self._order_is_excused &= self._outbox.state().is_refused

    def _see(self, number: int, content: bytes) -> None:
        assert self._number_of.setdefault(number, content) == content, f"{number} was given twice"
        assert 0 < number < MOST
        if number < UNRECORDED:
            self._counted = max(self._counted, number)

    def _crash(self, ghost_appears: bool) -> None:
        self._outbox = None
        self._faults.crash(str(self._path), ghost_appears=ghost_appears)


Life.TestCase.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestLife = Life.TestCase


def test_a_reserve_that_was_spoiled_is_legible_once_it_is_written_again(tmp_path: Path) -> None:
    """What lay behind the record before is no part of it."""
    path = tmp_path / "numbers"
    SequenceReserve(path).cover(1, live=False)
    for each in tmp_path.iterdir():
        each.write_bytes(b"\xe9" * 5000)
    SequenceReserve(path).cover(7, live=True)
    after = SequenceReserve(path)
    after.load()
    assert (after.limit, after.is_live) == (7, True)
