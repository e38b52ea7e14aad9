"""What was begun goes on, unless it would be another measurement."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.eyes import NetworkPair
from edge.qualify.store import (
    FILE,
    MAX_AGE_S,
    SCHEMA,
    NotKeptError,
    drop_progress,
    keep_progress,
    read_progress,
)
from edge.qualify.walks import Progress

NETWORKS = NetworkPair("a", "b")
BEGUN_S = 1e9
PROGRESS = Progress(SCHEMA, BEGUN_S, NETWORKS, is_alone=True)


def test_what_was_begun_goes_on(tmp_path: Path) -> None:
    assert read_progress(tmp_path, NETWORKS, BEGUN_S) == (None, "")
    keep_progress(tmp_path, PROGRESS)
    assert read_progress(tmp_path, NETWORKS, BEGUN_S + 100) == (PROGRESS, "")
    drop_progress(tmp_path)
    drop_progress(tmp_path)
    assert read_progress(tmp_path, NETWORKS, BEGUN_S) == (None, "")


def test_what_would_be_another_measurement_begins_again_and_says_why(tmp_path: Path) -> None:
    keep_progress(tmp_path, PROGRESS)
    found, why = read_progress(tmp_path, NetworkPair("c", "b"), BEGUN_S)
    assert (found, "the networks have changed" in why) == (None, True)
    found, why = read_progress(tmp_path, NETWORKS, BEGUN_S, "door")
    assert (found, "at another camera" in why) == (None, True)
    for now_s in (BEGUN_S + MAX_AGE_S + 1, BEGUN_S - 1):
        found, why = read_progress(tmp_path, NETWORKS, now_s)
        assert (found, "older than a day" in why) == (None, True)


def test_what_was_begun_at_a_camera_goes_on_there_only(tmp_path: Path) -> None:
    at_door = Progress(SCHEMA, BEGUN_S, NETWORKS, is_alone=True, camera="door")
    keep_progress(tmp_path, at_door)
    assert read_progress(tmp_path, NETWORKS, BEGUN_S, "door") == (at_door, "")
    assert read_progress(tmp_path, NETWORKS, BEGUN_S, "hall")[0] is None


@pytest.mark.parametrize("content", [b"", b"{", b'{"schema": 2}', b"\xff" * 10])
def test_a_damaged_file_begins_again(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    found, why = read_progress(tmp_path, NETWORKS, BEGUN_S)
    assert found is None
    assert why.endswith("so it begins again")


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotKeptError, match="No such file"):
        keep_progress(tmp_path / "gone", PROGRESS)
