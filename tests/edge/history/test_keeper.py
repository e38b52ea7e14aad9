"""The file as the service keeps it: damage, disks that refuse, and what is too old."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.history.database import LostHistoryError
from edge.history.keeper import KEPT_QUARANTINED, HistoryKeeper, quarantined_files
from edge.history.records import People, Place, WatchedTime, WatchState, at_minute, minute_of
from edge.history.store import FILE, HistoryBatch, HistoryError, HistoryReader
from edge.records import Verdict
from tests.disk import SmallDisk

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def at(when: datetime, visits: int = 1) -> HistoryBatch:
    minute = minute_of(when)
    return HistoryBatch(
        [People(minute, Place(), Verdict.MASKED, 32, True, visits)],
        [WatchedTime(minute, "", WatchState.WATCHED, 60, True)],
    )


def days_in(path: Path) -> list[datetime]:
    with HistoryReader(path) as reader:
        rows = reader.people(datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
        return [at_minute(each.minute) for each in rows]


def keeper_in(folder: Path, days: int = 400) -> HistoryKeeper:
    keeper = HistoryKeeper(folder / FILE, days)
    keeper.open()
    return keeper


def damage(path: Path) -> None:
    """Have its pages but the first be garbage, which only reading them shows."""
    content = bytearray(path.read_bytes())
    content[2048 * 2 :] = b"\xa5" * (len(content) - 2048 * 2)
    path.write_bytes(content)


def test_a_damaged_file_is_quarantine_and_a_new_one_begun(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = keeper_in(tmp_path)
    keeper.write(at(NOON))
    keeper.close()
    damage(tmp_path / FILE)
    with pytest.raises(LostHistoryError, match=r"quarantined as history.sqlite.damaged-"):
        keeper.write(at(NOON + DAY))
    keeper.write(at(NOON + DAY))
    assert days_in(tmp_path / FILE) == [NOON + DAY]
    (aside,) = quarantined_files(tmp_path / FILE)
    assert f"quarantined as {aside.name}, and a new one is begun" in caplog.text
    assert len(caplog.messages) == 1


def test_damage_under_an_open_file_is_survived_too(tmp_path: Path) -> None:
    keeper = keeper_in(tmp_path)
    keeper.write(at(NOON))
    keeper.close()
    keeper.open()
    damage(tmp_path / FILE)
    assert keeper._writer is not None
    keeper._writer._database.executescript("PRAGMA cache_size = 0; PRAGMA shrink_memory")
    with pytest.raises(LostHistoryError, match="quarantined"):
        keeper.write(at(NOON + DAY))
    keeper.write(at(NOON + DAY))
    assert days_in(tmp_path / FILE) == [NOON + DAY]
    assert len(quarantined_files(tmp_path / FILE)) == 1


def test_of_damaged_files_the_last_are_kept_and_none_for_longer_than_the_history(
    tmp_path: Path,
) -> None:
    for second in range(KEPT_QUARANTINED + 2):
        (tmp_path / f"{FILE}.damaged-2026010{second + 1}T000000Z").touch()
    (tmp_path / FILE).write_bytes(b"garbage" * 1000)
    keeper = HistoryKeeper(tmp_path / FILE, 400)
    with pytest.raises(LostHistoryError):
        keeper.open()
    assert len(quarantined_files(tmp_path / FILE)) == KEPT_QUARANTINED
    keeper.forget(datetime.now(UTC) + 500 * DAY, clock_is_right=True, for_s=0)
    assert quarantined_files(tmp_path / FILE) == []


def test_a_disk_that_refuses_is_an_error_and_then_it_goes_on(small_disk: SmallDisk) -> None:
    keeper = keeper_in(small_disk.folder / "state")
    keeper.write(at(NOON))
    small_disk.fill()
    minutes = [People(n, Place(), Verdict.BARE, 16, True, 1) for n in range(20_000)]
    with pytest.raises(HistoryError, match="full"):
        keeper.write(HistoryBatch(minutes))
    small_disk.make_room()
    keeper.write(at(NOON + DAY))
    assert days_in(small_disk.folder / "state" / FILE) == [NOON, NOON + DAY]


def test_a_disk_that_is_read_only_is_an_error_and_no_damage(small_disk: SmallDisk) -> None:
    keeper = keeper_in(small_disk.folder)
    keeper.write(at(NOON))
    keeper.close()
    small_disk.remount("ro")
    for _ in range(2):
        with pytest.raises(HistoryError):
            keeper.write(at(NOON + DAY))
    small_disk.remount("rw")
    keeper.write(at(NOON + DAY))
    assert days_in(small_disk.folder / FILE) == [NOON, NOON + DAY]
    assert quarantined_files(small_disk.folder / FILE) == []


def test_a_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(HistoryError, match="state"):
        HistoryKeeper(tmp_path / "state" / FILE, 400).open()


def test_what_is_older_than_the_days_is_deleted(tmp_path: Path) -> None:
    keeper = keeper_in(tmp_path, days=7)
    for day in range(20):
        keeper.write(at(NOON + day * DAY))
    keeper.forget(NOON + 19 * DAY, clock_is_right=True, for_s=0)
    assert days_in(tmp_path / FILE) == [NOON + day * DAY for day in range(12, 20)]


def test_a_clock_that_may_be_wrong_deletes_no_more_than_the_time_that_passed(
    tmp_path: Path,
) -> None:
    keeper = keeper_in(tmp_path, days=7)
    for hour in range(10 * 24):
        keeper.write(at(NOON + timedelta(hours=hour)))
    far = NOON + 3650 * DAY
    keeper.forget(far, clock_is_right=False, for_s=0)
    assert len(days_in(tmp_path / FILE)) == 240, "a wrong year"
    keeper.forget(far, clock_is_right=False, for_s=7200)
    assert len(days_in(tmp_path / FILE)) == 238
    keeper.forget(NOON + 9 * DAY, clock_is_right=True, for_s=0)
    assert days_in(tmp_path / FILE)[0] == NOON + 2 * DAY


def test_what_a_wrong_clock_dated_ahead_goes_when_the_clock_is_right(tmp_path: Path) -> None:
    keeper = keeper_in(tmp_path)
    keeper.write(at(NOON))
    keeper.write(at(NOON + 3650 * DAY))
    keeper.forget(NOON + DAY, clock_is_right=False, for_s=0)
    assert len(days_in(tmp_path / FILE)) == 2
    keeper.forget(NOON + DAY, clock_is_right=True, for_s=0)
    assert days_in(tmp_path / FILE) == [NOON]
