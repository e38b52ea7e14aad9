"""What the service reports about releases and models: the ledger, read again after changes."""

from __future__ import annotations

import logging
from pathlib import Path

from edge.errors import ConfigError
from edge.installed import Slot, installation
from edge.release.ledger import FILE, Ledger, read_ledger
from edge.release.store import ReleaseStore
from edge.software import OnTrial, Settled, Software

_log = logging.getLogger(__name__)

MOST_SETTLED = 5


class SoftwareNotice:
    """Looks at the ledger of an installation."""

    def __init__(self, store: ReleaseStore, ledger_file: Path = FILE) -> None:
        self.software = Software({}, None, ())
        """As it was when it was last looked at."""
        self._store = store
        self._file = ledger_file
        self._seen: tuple[int, int] | None = None

    @classmethod
    def of_this_program(cls) -> SoftwareNotice | None:
        """Return that of the installation that this program belongs to; None: of none."""
        prefix = installation()
        return None if prefix is None else cls(ReleaseStore(prefix))

    def has_changed(self) -> bool:
        """Look again; tell whether there is anything new."""
        seen = _stamp(self._file)
        if seen == self._seen:
            return False
        self._seen = seen
        try:
            ledger = read_ledger(self._file)
        except ConfigError as error:
            _log.warning("%s", error)
            return False
        self.software = self._of(ledger)
        return True

    def _of(self, ledger: Ledger) -> Software:
        trial = ledger.trial
        return Software(
            {slot.value: self._store.current(slot) for slot in Slot},
            None
            if trial is None
            else OnTrial(trial.slot, trial.name, trial.former, trial.begun_at, trial.watched_s),
            tuple(
                Settled(each.slot, each.name, each.outcome, each.reason, each.at)
                for each in ledger.entries[-MOST_SETTLED:]
            ),
        )


def _stamp(file: Path) -> tuple[int, int]:
    """Return what differs when the file is another one."""
    try:
        status = file.stat()
    except OSError:
        return (0, 0)
    return (status.st_ino, status.st_mtime_ns)
