"""The file as the service keeps it: opened again when the disk is back, quarantined when it is
damaged, and never with more than it may keep."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from edge.history.database import INDEX, LOG
from edge.history.store import DamagedHistoryError, HistoryBatch, HistoryError, HistoryWriter

_log = logging.getLogger(__name__)

KEPT_QUARANTINED = 2
"""Damaged files; then the oldest of them goes."""
AHEAD = timedelta(days=2)
"""What bears a later date than this after now was dated by a wrong clock."""
REBUILT_PARTS = 12
"""The file is rebuilt when this part of the days has passed, see `HistoryWriter.forget`;"""
REBUILT_DAYS = 1, 30
"""and between these."""
_QUARANTINED = ".damaged-"
_QUARANTINED_TIME = "%Y%m%dT%H%M%SZ"


class HistoryKeeper:
    """Has the file open, or tries to. For one thread. Each method raises HistoryError, after which
    the same may be tried again."""

    def __init__(self, path: Path, days: int) -> None:
        self._path = path
        self._days = timedelta(days=days)
        least, most = REBUILT_DAYS
        self._rebuilt_every = timedelta(days=min(most, max(least, days / REBUILT_PARTS)))
        self._writer: HistoryWriter | None = None

    def open(self) -> None:
        """Open the file, or make it; a damaged one is quarantined. Nothing where it is open."""
        if self._writer is not None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HistoryError(f"{self._path.parent}: {error.strerror}") from error
        try:
            self._open()
        except DamagedHistoryError as error:
            self._quarantine(error)
            self._open()

    def write(self, batch: HistoryBatch) -> None:
        """Write all of it, or nothing."""
        self._guarded(lambda writer: writer.write(batch))

    def close_left_open(self, now: datetime) -> None:
        """See `HistoryWriter`."""
        self._guarded(lambda writer: writer.close_left_open(now))

    def forget(self, now: datetime, *, clock_is_right: bool, for_s: float) -> None:
        """Delete what is too old; `for_s` is how long ago that was done last, in this run.

        A clock that may be wrong is not believed that more time has passed than this: it could
        delete all there is. What a wrong clock has dated ahead goes when the clock is right again.
        """
        before = now - self._days

        def forget(writer: HistoryWriter) -> None:
            until = before
            if not clock_is_right:
                known = writer.kept_from or writer.oldest or before
                until = min(before, known + timedelta(seconds=for_s))
            writer.forget(until, self._rebuilt_every)
            if clock_is_right:
                writer.forget_dated_ahead(now + AHEAD)

        self._guarded(forget)
        if clock_is_right:
            for aside in quarantined_files(self._path):
                if quarantined_at(aside) < before:
                    _remove(aside)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None

    def _open(self) -> None:
        writer = HistoryWriter(self._path)
        try:
            writer.check()
        except BaseException:
            writer.close()
            raise
        self._writer = writer

    def _guarded(self, work: Callable[[HistoryWriter], None]) -> None:
        """Do it; where that shows damage, do it in a new file. After any failure it is closed."""
        for _ in range(2):
            self.open()
            assert self._writer is not None, "it is open, or that was raised"
            try:
                work(self._writer)
            except DamagedHistoryError as error:
                self.close()
                self._quarantine(error)
            except HistoryError:
                self.close()
                raise
            else:
                return
        raise HistoryError(f"{self._path}: damaged again at once")

    def _quarantine(self, error: DamagedHistoryError) -> None:
        aside = self._path.with_name(
            f"{self._path.name}{_QUARANTINED}{datetime.now(UTC).strftime(_QUARANTINED_TIME)}"
        )
        try:
            # The log first: without its file it would be taken for another's.
            for suffix in (LOG, ""):
                with suppress(FileNotFoundError):
                    _beside(self._path, suffix).replace(_beside(aside, suffix))
            _beside(self._path, INDEX).unlink(missing_ok=True)
            for old in quarantined_files(self._path)[:-KEPT_QUARANTINED]:
                _remove(old)
        except OSError as refusal:
            raise HistoryError(f"{self._path}: damaged; {refusal.strerror}") from refusal
        _log.error("%s; quarantined as %s, and a new one is begun", error, aside.name)


def quarantined_files(path: Path) -> list[Path]:
    """Return the damaged files that were quarantined, oldest first."""
    return sorted(path.parent.glob(f"{path.name}{_QUARANTINED}*Z"))


def quarantined_at(aside: Path) -> datetime:
    """Return when a file was quarantined."""
    stamp = aside.name.rpartition(_QUARANTINED)[2]
    with suppress(ValueError):
        return datetime.strptime(stamp, _QUARANTINED_TIME).replace(tzinfo=UTC)
    return datetime.fromtimestamp(aside.stat().st_mtime, UTC)


def files_of(path: Path) -> Iterator[Path]:
    """Give a database's files that are there."""
    for suffix in ("", LOG, INDEX):
        if (file := _beside(path, suffix)).exists():
            yield file


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _remove(aside: Path) -> None:
    for file in files_of(aside):
        with suppress(OSError):
            file.unlink()
