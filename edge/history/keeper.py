"""The file as the service keeps it: opened again when the disk is back or another file is in its
place, quarantined when it is damaged, and never with more than it may keep."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from edge.history.database import (
    INDEX,
    LOG,
    DamagedHistoryError,
    HistoryError,
    LostHistoryError,
    files_of,
    refuse_read_only,
)
from edge.history.stamp import FileIdentity, identities_of
from edge.history.store import HistoryBatch, HistoryWriter

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
    the same may be tried again: LostHistoryError says that it goes on in another file then."""

    def __init__(self, path: Path, days: int) -> None:
        self._path = path
        self._days = timedelta(days=days)
        least, most = REBUILT_DAYS
        self._rebuilt_every = timedelta(days=min(most, max(least, days / REBUILT_PARTS)))
        self._writer: HistoryWriter | None = None
        self._opened: tuple[FileIdentity | None, ...] = ()
        """Which files it writes."""

    def open(self) -> None:
        """Open the file, or make it. Nothing where it is open. A damaged one is quarantined, and
        that is raised: the next try begins a new one."""
        if self._writer is not None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HistoryError(f"{self._path.parent}: {error.strerror}") from error
        try:
            self._open()
        except DamagedHistoryError as error:
            raise self._quarantined(error) from error

    def verify(self) -> None:
        """Nothing as long as the files that are open are those of that name, and may be written.

        Else they are closed, and that is raised: what is written to a file without a name, nobody
        finds. It reads no file.
        """
        if self._writer is None:
            return
        try:
            self._refuse_others(self._writer)
            refuse_read_only(self._path)
        except HistoryError:
            self.close()
            raise

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
        self._writer, self._opened = writer, identities_of(self._path)

    def _refuse_others(self, writer: HistoryWriter) -> None:
        """Raise LostHistoryError where the names are of other files than those that are open."""
        there = identities_of(self._path)
        if there == self._opened:
            return
        (file, log), (opened, _) = there, self._opened
        what, now = ("it", file) if file != opened else ("its log", log)
        if file == opened and log is None:  # nobody else has written since: nothing is lost
            with suppress(HistoryError):
                writer.fold_log()
        change = "removed" if now is None else "replaced"
        raise LostHistoryError(f"{self._path}: {what} was {change} while it was written")

    def _guarded(self, work: Callable[[HistoryWriter], None]) -> None:
        """Do it. After any failure the file is closed; a damaged one is quarantined."""
        self.open()
        self.verify()
        assert self._writer is not None, "it is open, or that was raised"
        try:
            work(self._writer)
        except DamagedHistoryError as error:
            self.verify()  # with the log of another file, any file looks damaged
            self.close()
            raise self._quarantined(error) from error
        except HistoryError:
            self.close()
            raise

    def _quarantined(self, error: DamagedHistoryError) -> LostHistoryError:
        """Set the damaged file aside; return what is to be said. Raises HistoryError."""
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
        return LostHistoryError(f"{error}; it is quarantined as {aside.name}")


def quarantined_files(path: Path) -> list[Path]:
    """Return the damaged files that were quarantined, oldest first."""
    return sorted(path.parent.glob(f"{path.name}{_QUARANTINED}*Z"))


def quarantined_at(aside: Path) -> datetime:
    """Return when a file was quarantined."""
    stamp = aside.name.rpartition(_QUARANTINED)[2]
    with suppress(ValueError):
        return datetime.strptime(stamp, _QUARANTINED_TIME).replace(tzinfo=UTC)
    return datetime.fromtimestamp(aside.stat().st_mtime, UTC)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _remove(aside: Path) -> None:
    for file in files_of(aside):
        with suppress(OSError):
            file.unlink()
