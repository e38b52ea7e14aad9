"""Whether anybody has written to a history."""

from __future__ import annotations

import os
import time
from pathlib import Path

from edge.history.stamp import SETTLED_S, are_settled, stamps_of


def test_a_write_to_the_file_or_to_its_log_changes_the_stamps(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    assert stamps_of(path) == ()
    path.write_bytes(b"1")
    first = stamps_of(path)
    path.with_name("history.sqlite-wal").write_bytes(b"1")
    assert stamps_of(path)[:1] == first != stamps_of(path)


def test_what_was_written_just_now_is_not_settled(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    path.write_bytes(b"1")
    now = time.time()
    os.utime(path, (now + 60, now + 60))
    assert not are_settled(stamps_of(path))
    os.utime(path, (now - 2 * SETTLED_S, now - 2 * SETTLED_S))
    assert are_settled(stamps_of(path))
