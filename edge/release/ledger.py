"""What the device remembers of its releases and models: what is on trial, what became of others."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec

from edge.durable import replace_file
from edge.errors import ConfigError
from edge.files import DamagedFileError, decoded, read_file
from edge.installed import Slot

FILE = Path("/var/lib/tensormask-releases/ledger.json")
MAX_BYTES = 256 * 1024
MOST_ENTRIES = 50

NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=0)]


class Baseline(msgspec.Struct, frozen=True):
    """How the device was before a switch: what was not so then, nothing new is blamed for."""

    camera_runs: bool = False
    broker_connected: bool = False
    disk_takes: bool = False
    scan_ms: float | None = None
    """This and the next as in `edge.release.judge.Report`."""
    frame_ms: float | None = None
    fps: float | None = None
    camera_fps: float | None = None
    page_answers: bool = False
    settings: str = ""
    """The digest of the settings; empty: not known."""


class Stage(StrEnum):
    """How far a trial has come. Each is written before what it names is done."""

    SWITCHING = "switching"
    RUNNING = "running"
    UNDOING = "undoing"
    VERIFYING = "verifying"
    """The former runs again; whether it does better says whether the new one was to blame."""


class RunningTrial(msgspec.Struct, frozen=True):
    slot: Slot
    name: str
    """Of what is on trial."""
    former: str
    """Of what ran before, and runs again if this fails."""
    begun_at: datetime
    baseline: Baseline = Baseline()
    stage: Stage = Stage.SWITCHING
    watched_s: NotNegative = 0.0
    """How long it has done well, over all boots."""
    ran_s: NotNegative = 0.0
    """How long it has run, well or not to be judged."""
    crashes: Count = 0
    hangs: Count = 0
    restarts: Count = 0
    trouble: str = ""
    """What is being tolerated now; empty: it does well."""
    boot: str = ""
    """The machine's present run, by the kernel's name for it."""
    boots: Count = 0
    """How many runs of the machine it has been on trial in."""
    reason: str = ""
    """Why it is undone."""
    fault: str = ""
    """The name of that, see `edge.release.judge.Fault`."""


class TrialOutcome(StrEnum):
    KEPT = "kept"
    REFUSED = "refused"
    """Undone, and not tried again by itself."""
    UNDONE = "undone"
    """But it may not have been to blame: it may be tried again."""
    INTERRUPTED = "interrupted"
    """The switch never took place."""
    ACTIVATED = "activated"
    """Without a trial."""
    ROLLED_BACK = "rolled_back"
    """Left on command."""


class TrialEntry(msgspec.Struct, frozen=True):
    """What became of one."""

    slot: Slot
    name: str
    outcome: TrialOutcome
    reason: str
    at: datetime


class Ledger(msgspec.Struct, frozen=True):
    """What the file holds."""

    trial: RunningTrial | None = None
    entries: tuple[TrialEntry, ...] = ()
    """The newest last."""

    def refused(self, slot: Slot, name: str) -> TrialEntry | None:
        """Return why it is not to be tried again; None: it may be."""
        last = self.last(slot, name)
        return last if last is not None and last.outcome is TrialOutcome.REFUSED else None

    def last(self, slot: Slot, name: str) -> TrialEntry | None:
        """Return what became of it the last time."""
        return self._last(slot).get(name)

    def former(self, slot: Slot, present: str, installed: Collection[str]) -> str | None:
        """Return which of these ran before `present` and was not given up; None: none of them.

        The model that comes with the release is always there.
        """
        there = {*installed} if slot is Slot.RELEASE else {*installed, ""}
        good = [
            name
            for name, entry in self._last(slot).items()
            if entry.outcome in (TrialOutcome.KEPT, TrialOutcome.ACTIVATED)
            and name != present
            and name in there
        ]
        return good[-1] if good else None

    def needed(self, slot: Slot, present: str, installed: Collection[str]) -> set[str]:
        """Return what is in use, on trial, or gone back to: none of it may be removed."""
        needed = {present, self.former(slot, present, installed) or present}
        if self.trial is not None and self.trial.slot is slot:
            needed |= {self.trial.name, self.trial.former}
        return needed

    def _last(self, slot: Slot) -> dict[str, TrialEntry]:
        """Return the last entry of each name, in the order of these."""
        last: dict[str, TrialEntry] = {}
        for entry in self.entries:
            if entry.slot is slot:
                last.pop(entry.name, None)
                last[entry.name] = entry
        return last

    def with_entry(self, entry: TrialEntry) -> Ledger:
        """Return the ledger after the trial, or without one, with one entry more."""
        return Ledger(None, (*self.entries, entry)[-MOST_ENTRIES:])

    def noting(self, entry: TrialEntry) -> Ledger:
        """Return it with one entry more; what is on trial stays so."""
        return Ledger(self.trial, self.with_entry(entry).entries)

    def with_trial(self, trial: RunningTrial) -> Ledger:
        return Ledger(trial, self.entries)


class LedgerFile:
    """The file, as several processes change it: commands, and what watches a trial."""

    def __init__(self, path: Path = FILE) -> None:
        self._path = path

    def read(self) -> Ledger:
        """Return what is in it. Raises as `read_ledger` does."""
        return read_ledger(self._path)

    def write(self, ledger: Ledger) -> None:
        write_ledger(ledger, self._path)

    def change(self, change: Callable[[Ledger], Ledger]) -> Ledger:
        """Read the ledger, and write what becomes of it; nobody else writes in between.

        What watches a trial writes while another switch is under way: this lock is held for a
        moment only, and `change` goes by nothing that was read before.
        """
        with self._locked("ledger.lock", waits=True):
            before = self.read()
            ledger = change(before)
            if ledger != before:
                self.write(ledger)
        return ledger

    @contextmanager
    def alone(self, *, waits: bool) -> Iterator[None]:
        """Exclude every other switch. Raises BlockingIOError where it does not wait for its end."""
        with self._locked("lock", waits=waits):
            yield

    @contextmanager
    def _locked(self, name: str, *, waits: bool) -> Iterator[None]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_name(name).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
            yield


def read_ledger(path: Path = FILE) -> Ledger:
    """Return what is remembered; nothing before the first time. Raises ConfigError when damaged."""
    try:
        return decoded(read_file(path, MAX_BYTES), Ledger)
    except FileNotFoundError:
        return Ledger()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except DamagedFileError as error:
        raise ConfigError(f"{path}: damaged ({error}); remove it: trials are forgotten") from error


def write_ledger(ledger: Ledger, path: Path = FILE) -> None:
    """Replace what is remembered: after a power cut it is the old or the new. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, msgspec.json.format(msgspec.json.encode(ledger), indent=1), 0o644)
