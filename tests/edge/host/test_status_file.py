from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from edge.files import DamagedFileError
from edge.host.status_file import StaleError, StatusFile, fresh_telemetry, read_telemetry
from edge.telemetry import BrokerState
from tests.edge.samples import IN_USE, TELEMETRY


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "telemetry.json"


def test_everybody_may_read_it_whatever_the_unit_s_mask(file: Path) -> None:
    before = os.umask(0o077)
    try:
        StatusFile(file.parent).write(replace(TELEMETRY, in_use=IN_USE))
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert read_telemetry(file) == replace(TELEMETRY, in_use=IN_USE)


def test_that_of_an_older_version_says_less_and_is_read(file: Path) -> None:
    said = msgspec.to_builtins(TELEMETRY)
    del said["in_use"]
    file.write_bytes(msgspec.json.encode(said))
    assert read_telemetry(file) == TELEMETRY


@pytest.mark.parametrize("damage", [b"", b"{", b"{}", b"[" * 5000, b"x" * 100_000, b"latin"])
def test_a_damaged_one_is_told_from_one_that_is_old_or_not_there(file: Path, damage: bytes) -> None:
    said = msgspec.json.encode(replace(TELEMETRY, broker=BrokerState(False, 0, "", "latin")))
    file.write_bytes(said.replace(b"latin", b"caf\xe9") if damage == b"latin" else damage)
    with pytest.raises(DamagedFileError):
        fresh_telemetry(file)
    assert read_telemetry(file) is None
    os.utime(file, (1, 1))
    with pytest.raises(StaleError, match="nothing new for"):
        fresh_telemetry(file)
    file.unlink()
    with pytest.raises(FileNotFoundError):
        fresh_telemetry(file)
    assert read_telemetry(file) is None
