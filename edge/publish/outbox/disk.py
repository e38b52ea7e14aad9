"""What stands between the outbox and its file: damage, and a disk that refuses.

A damaged file is renamed to `<name>.damaged-<time>`, and what is legible in it is taken over into a
new one. So that no sequence is ever used for two documents, even then, there are the numbers of
`edge.publish.outbox.sequence`.
"""

from __future__ import annotations

import errno
import logging
import os
import pwd
import sqlite3
from collections.abc import Callable, Collection, Sequence
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from edge.clock import Moment
from edge.errors import ConfigError, OutboxError
from edge.publish.outbox.file import SpoolFile
from edge.publish.outbox.rows import Refused, StoredDocument
from edge.publish.outbox.salvage import (
    aside_at,
    complete,
    files_aside,
    files_under_way,
    keep,
    legible,
    quarantine,
)
from edge.publish.outbox.sequence import MOST, DocumentNumbers, SequenceReserve, is_counted
from edge.publish.outbox.trouble import DamagedError, is_damage, is_open_elsewhere
from edge.publish.outbox.unended import Unended
from edge.telemetry import Dropped

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

_DISK_REFUSES = (errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO)


class SpoolDisk:
    """The file as long as there is one. For one thread at a time.

    Its methods raise OutboxError where another process has the file open, and nothing else.
    """

    def __init__(self, path: Path, now: Callable[[], Moment]) -> None:
        """Raises OutboxError where nobody may have the file. A disk that refuses is let pass."""
        self._path = path
        self._now = now
        self._reserve = SequenceReserve(path.with_name(path.name + ".sequence"))
        self.numbers = DocumentNumbers(self._reserve)
        self._damaged: dict[Path, str] = {}
        """The files that were quarantined, and why, until their documents are taken over."""
        self.file: SpoolFile | None = None
        self.returns = 0
        """How often documents may have come to light that could not be read before."""
        self.left_open: dict[str, Unended] = {}
        """Events that earlier runs have begun and not ended, by their ids."""
        self._knows_left_open = False
        self.dropped = Dropped()
        """What the ledger says, or is to say next."""
        self._refused_s: float | None = None
        """Since when the disk refuses documents, on the clock of `Moment.run_s`; None: it doesn't.
        """
        self._aside: list[Path] = []
        """The damaged files that are kept, oldest first."""
        make_file(path)
        with suppress(OSError):
            self._aside = files_aside(path)
            self._damaged = dict.fromkeys(files_under_way(path), "and then the program was ended")
        self.attempt(lambda file: None, None, opening=True)

    @property
    def is_refused(self) -> bool:
        """Whether the disk refuses documents."""
        return self._refused_s is not None

    def attempt(
        self, work: Callable[[SpoolFile], _T], otherwise: _T, *, opening: bool = False
    ) -> _T:
        """Do `work`; where the file turns out to be damaged, a second time on a new one.

        Return `otherwise` where the disk refuses, or where the file is not open and is not to be
        opened.
        """
        if self.file is None and not opening:
            return otherwise
        try:
            try:
                return work(self._opened())
            except (DamagedError, sqlite3.DatabaseError) as error:
                if not is_damage(error):
                    raise
                damage = " ".join(str(error).split())
            # Only here: while the error lives, so do its frames' cursors, and with them the lock.
            self.close()
            self._damaged[quarantine(self._path, self._now().at)] = damage
            return work(self._opened())
        except (DamagedError, OSError, sqlite3.Error) as error:
            if is_open_elsewhere(error):
                raise OutboxError(
                    f"the outbox {self._path}: another process has it open; stop that one"
                ) from error
            self._tell_refused(error)
            return otherwise

    def store(
        self,
        documents: Sequence[StoredDocument],
        change: Callable[[SpoolFile], Dropped],
    ) -> bool:
        """Write documents in one transaction with `change`.

        That returns what is dropped in all by then. False: the disk refuses.
        """

        counted = [each.sequence for each in documents if is_counted(each.sequence)]
        last = max(self.numbers.last, *counted, 0)

        def write(file: SpoolFile) -> bool:
            self._reserve.cover(last, live=self._reserve.is_live)
            with file.transaction():
                file.insert(documents)
                dropped = change(file)
                file.settle(last, dropped)
            self.dropped = dropped
            # After the commit: from here on the rows or the ledger say how far it has come; and
            # the reserve does, where that transaction had several documents and is damaged later.
            with suppress(OSError):
                self._reserve.cover(last + 1, live=False)
            return True

        if not self.attempt(write, False, opening=True):
            return False
        self._tell_well()
        return True

    def quarantined(self) -> tuple[int, datetime | None]:
        """Return how many damaged files are kept, and when the newest of them was quarantined."""
        return len(self._aside), aside_at(self._aside[-1]) if self._aside else None

    def close(self) -> None:
        if self.file is not None:
            self.file.close()
            self.file = None

    def _opened(self) -> SpoolFile:
        if self.file is None:
            self._reserve.load()
            if self._reserve.limit and not _has_content(self._path):
                # The new file will stand for one that was lost, and know nothing of its numbers.
                self._reserve.cover(self._reserve.limit, live=True)
            file = SpoolFile(self._path)
            try:
                self._take_on(file)
            except BaseException:
                file.close()
                raise
            self.file = file
            self.returns += 1
            # Now: the ledger is to know it too, and the reserve to have its block in good time.
            with suppress(OSError, sqlite3.Error):
                with file.transaction():
                    file.settle(self.numbers.last, self.dropped)
                self._reserve.cover(self.numbers.last + 1, live=False)
        return self.file

    def _take_on(self, file: SpoolFile) -> None:
        """Learn what a file says, and bring what is legible in damaged ones into it."""
        limit = self._reserve.limit
        if limit and file.last_sequence > limit:
            raise DamagedError(f"its last sequence is {file.last_sequence}, beyond {limit}")
        if file.newest() >= MOST:
            raise DamagedError(f"document {file.newest()} is beyond {MOST}")
        self.numbers.resume(file.last_sequence, replaces=bool(self._aside or self._damaged))
        if not self._damaged:
            self.dropped = file.ledger.dropped
        self.numbers.pass_over(complete(file))
        for aside in list(self._damaged):
            self._take_over(file, aside)
        if not self._knows_left_open:
            self.left_open = {each.event_id: each for each in file.unended.read()}
            self._knows_left_open = True

    def _take_over(self, file: SpoolFile, aside: Path) -> None:
        """Bring what is legible in a file that was quarantined into the new one."""
        saved = 0
        with file.transaction():
            for each in legible(aside):
                if isinstance(each, Unended):
                    file.unended.write([each])
                elif isinstance(each, Refused):
                    file.refuse([each])
                elif not file.among([each.sequence]):
                    file.insert([each])
                    saved += 1
            file.settle(self.numbers.last, self.dropped)
        self.numbers.pass_over(file.last_sequence)
        keep(self._path, aside)
        self._aside = files_aside(self._path)
        _log.error(
            "the outbox was damaged (%s): quarantined as %s; messages recovered: %d",
            self._damaged.pop(aside),
            self._aside[-1],
            saved,
        )

    def _tell_refused(self, error: Exception) -> None:
        if self._refused_s is None:
            self._refused_s = self._now().run_s
            _log.error(
                "the outbox %s: %s; make room or repair the disk: until then messages are "
                "published from memory",
                self._path,
                error.strerror if isinstance(error, OSError) else error,
            )

    def _tell_well(self) -> None:
        if self._refused_s is not None:
            _log.info(
                "the outbox is on disk again after %.0f s", self._now().run_s - self._refused_s
            )
            self._refused_s = None
            self.returns += 1


def drop(path: Path, sequences: Collection[int]) -> None:
    """Delete documents that wait or were refused. Raises sqlite3.Error: locked by a service."""
    with closing(SpoolFile(path)) as file:
        last = complete(file)
        with file.transaction():
            file.delete(sequences)
            file.forget_refused(sequences)
            file.settle(last, file.ledger.dropped)


def make_file(path: Path) -> None:
    """Make the file, and its folder, where they are missing.

    Raises ConfigError, OutboxError where nobody may have it there. A disk that refuses is let pass.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _refuse_foreign_folder(path)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644))
    except PermissionError as error:
        raise ConfigError(_whose(path)) from error
    except OSError as error:
        if error.errno not in _DISK_REFUSES:
            raise OutboxError(
                f"the outbox {path} can't be made: {error.strerror}; see [outbox] path"
            ) from error


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _refuse_foreign_folder(path: Path) -> None:
    """Raise ConfigError where root would leave files that the folder's owner cannot write."""
    owner = path.parent.stat().st_uid
    if os.geteuid() == 0 and owner != 0:
        raise ConfigError(
            f"{path.parent} belongs to {_name_of(owner)}, who could not write files that root "
            "leaves there; start the service: sudo systemctl start tensormask; or run it as that "
            f"user: sudo runuser -u {_name_of(owner)} -- tensormask run"
        )


def _whose(path: Path) -> str:
    """Say to whom an outbox belongs that we may not write, and what to do."""
    there = path if os.access(path.parent, os.X_OK) and path.exists() else path.parent
    own = _name_of(os.geteuid())
    return (
        f"the outbox {path} may not be written by {own}: {there} belongs to "
        f"{_name_of(there.stat().st_uid)}; sudo chown -R {own}: {path.parent}, or another [outbox] "
        "path"
    )


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
