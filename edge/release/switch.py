"""From one release or model to another, and back. Whatever is cut off in the middle goes on later.

Each step is written into the ledger before it is done, and doing it twice does no harm: after a
power cut `resume` finds out how far it had come.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from edge.clock import SYSTEM_CLOCK, Clock
from edge.errors import ConfigError
from edge.installed import Slot
from edge.release.judge import ServiceState
from edge.release.ledger import (
    FILE,
    Baseline,
    Entry,
    Ledger,
    Outcome,
    Stage,
    Trial,
    read_ledger,
    write_ledger,
)
from edge.release.store import OWN, Store, called

_log = logging.getLogger(__name__)


class Service(Protocol):
    """The service under systemd: `Unit`."""

    def runs(self) -> bool: ...
    def state(self) -> ServiceState: ...
    def begin(self) -> None: ...
    def watch(self) -> None: ...
    def unwatch(self) -> None: ...


class ActivationError(ConfigError):
    """Nothing was switched; the message says why."""


@dataclass(slots=True)
class Switch:
    """Changes what an installation runs."""

    store: Store
    service: Service
    ledger_file: Path = FILE
    keep: int = 3
    """So many releases, and models of a kind, stay installed."""
    clock: Clock = SYSTEM_CLOCK

    @property
    def ledger(self) -> Ledger:
        return read_ledger(self.ledger_file)

    def activate(self, slot: Slot, name: str, baseline: Baseline, *, again: bool = False) -> bool:
        """Have `name` used, on trial where something ran before that can be gone back to.

        Returns whether it is on trial: while the service is stopped there is nothing to compare,
        and it stays stopped. Raises ActivationError when another trial is under way, or it failed
        one before and `again` is not given; ConfigError when it is not installed.
        """
        self.store.require(slot, name)
        ledger, former = self.ledger, self.store.current(slot)
        refused = ledger.refused(slot, name)
        if refused is not None and not again:
            raise ActivationError(
                f"the {slot} {called(name)} was tried and undone ({refused.reason}); to try it "
                "again all the same, give --again"
            )
        if (trial := ledger.trial) is not None:
            if (trial.slot, trial.name) == (slot, name):
                return self._go_on(ledger, trial)
            _refuse_two(trial, slot)
            # Another takes its place. What both are measured by, and go back to, is the same.
            self.service.unwatch()
            reason = f"another took its place: {called(name)}"
            ledger = ledger.with_entry(self._entry(slot, trial.name, Outcome.INTERRUPTED, reason))
            former, baseline = trial.former, trial.baseline
        if name == former:
            if trial is not None:
                return self._begin(slot, name, ledger)
            if name != OWN and ledger.last(slot, name) is None:
                first = self._entry(slot, name, Outcome.ACTIVATED, "the first")
                self._write(ledger.with_entry(first))
            return False
        if slot is Slot.RELEASE and former == OWN:
            raise ActivationError("there is no release yet to go back to; run deploy/install.sh")
        if not self.service.runs():
            return self._begin(slot, name, ledger)
        trial = Trial(slot, name, former, self._now(), baseline)
        self._write(ledger.with_trial(trial))
        return self._go_on(ledger, trial)

    def _go_on(self, ledger: Ledger, trial: Trial) -> bool:
        """Begin the trial, or go on with what was cut off in the middle of that."""
        if trial.stage in (Stage.UNDOING, Stage.VERIFYING):
            raise ActivationError(
                f"the {trial.slot} {called(trial.name)} is being undone: {trial.reason}"
            )
        if trial.stage is Stage.SWITCHING:
            present = self.store.current(Slot.RELEASE)
            self.store.point_to_watcher(trial.former if trial.slot is Slot.RELEASE else present)
            self.store.point(trial.slot, trial.name)
            self.service.begin()
            self._write(ledger.with_trial(replace(trial, stage=Stage.RUNNING)))
        self.service.watch()
        return True

    def _begin(self, slot: Slot, name: str, ledger: Ledger) -> bool:
        """Use it without a trial."""
        self._write(
            ledger.with_entry(self._entry(slot, name, Outcome.ACTIVATED, "without a trial"))
        )
        self.store.point(slot, name)
        if self.service.runs():
            self.service.begin()
        return False

    def roll_back(self, slot: Slot, reason: str = "on command") -> str:
        """Go back to what ran before, at once; return its name. Raises ConfigError: to nothing.

        A service that is stopped stays so.
        """
        ledger, present = self.ledger, self.store.current(slot)
        trial = ledger.trial
        if trial is not None:
            _refuse_two(trial, slot)
        installed = self.store.installed(slot)
        former = ledger.former(slot, present, installed) if trial is None else trial.former
        if former is None and slot is not Slot.RELEASE and present != OWN:
            former = OWN
        if former is None:
            raise ActivationError(f"there is no {slot} to go back to: none ran before")
        self.store.require(slot, former)
        runs = self.service.runs()
        if runs:
            self.service.unwatch()
        left_name = present if trial is None else trial.name
        left = ledger.with_entry(self._entry(slot, left_name, Outcome.ROLLED_BACK, reason))
        self._write(left.with_entry(self._entry(slot, former, Outcome.ACTIVATED, reason)))
        self.store.point(slot, former)
        if runs:
            self.service.begin()
        return former

    def resume(self) -> Trial | None:
        """Return the trial to go on with, having done what a power cut has left undone."""
        trial = self.ledger.trial
        if trial is None:
            return None
        elsewhere = {
            Stage.SWITCHING: "cut off before the switch",
            Stage.RUNNING: "somebody has switched to another",
        }
        if trial.stage in elsewhere and self.store.current(trial.slot) != trial.name:
            self.close(trial, Outcome.INTERRUPTED, elsewhere[trial.stage])
            return None
        if trial.stage is Stage.UNDOING:
            return self.undo(trial, trial.fault, trial.reason)
        if trial.stage is Stage.SWITCHING:
            trial = replace(trial, stage=Stage.RUNNING)
            self.note(trial)
        return trial

    def note(self, trial: Trial) -> None:
        """Write down how far it has come."""
        self._write(self.ledger.with_trial(trial))

    def undo(self, trial: Trial, fault: str, reason: str) -> Trial:
        """Go back to the former; return the trial, in which that is now looked at."""
        undoing = replace(trial, stage=Stage.UNDOING, fault=fault, reason=reason)
        self.note(undoing)
        _log.error(
            "the %s %s is undone: %s; back to %s",
            *(trial.slot, called(trial.name), reason, called(trial.former)),
        )
        self.store.point(trial.slot, trial.former)
        self.service.begin()
        verifying = replace(undoing, stage=Stage.VERIFYING)
        self.note(verifying)
        return verifying

    def close(self, trial: Trial, outcome: Outcome, reason: str) -> None:
        """Write down what became of it, and make room."""
        _log.info("the %s %s: %s, %s", trial.slot, called(trial.name), outcome, reason)
        entry = self._entry(trial.slot, trial.name, outcome, reason)
        self._write(self.ledger.with_entry(entry))
        self.prune()

    def prune(self, new: Collection[str] = ()) -> None:
        """Remove what is neither needed to go back to nor `new`."""
        ledger = self.ledger
        for slot in Slot:
            present = self.store.current(slot)
            former = ledger.former(slot, present, self.store.installed(slot))
            needed = {present, former or present, *new}
            if ledger.trial is not None and ledger.trial.slot is slot:
                needed |= {ledger.trial.name, ledger.trial.former}
            if slot is Slot.RELEASE:
                needed.add(self.store.watcher())
            for name in self.store.prune(slot, self.keep, needed):
                _log.info("removed the %s %s", slot, name)

    def _entry(self, slot: Slot, name: str, outcome: Outcome, reason: str) -> Entry:
        return Entry(slot, name, outcome, reason, self._now())

    def _now(self) -> datetime:
        return self.clock.utc().replace(microsecond=0)

    def _write(self, ledger: Ledger) -> None:
        write_ledger(ledger, self.ledger_file)


def _refuse_two(trial: Trial, slot: Slot) -> None:
    """Raise ActivationError where what is on trial is of another kind."""
    if trial.slot is not slot:
        raise ActivationError(
            f"the {trial.slot} {called(trial.name)} is on trial; wait for its end: "
            "tensormask release wait, or go back from that first"
        )
