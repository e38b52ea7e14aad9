"""From one release or model to another, and back. Whatever is cut off in the middle goes on later.

Each step is written into the ledger before it is done, and doing it twice does no harm: after a
power cut `resume` finds out how far it had come.
"""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from edge.clock import SYSTEM_CLOCK, Clock
from edge.errors import ConfigError
from edge.installed import Slot
from edge.release.judge import Fault, ServiceState
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
    proof: Callable[[Slot, str], str | None] = lambda slot, name: None
    """Says why it is not worth a trial; None: nothing speaks against it."""
    clock: Clock = SYSTEM_CLOCK

    @property
    def ledger(self) -> Ledger:
        return read_ledger(self.ledger_file)

    def activate(self, slot: Slot, name: str, baseline: Baseline, *, again: bool = False) -> bool:
        """Have `name` used, on trial where something ran before that can be gone back to.

        Returns whether it is on trial: while the service is stopped there is nothing to compare,
        and it stays stopped. Raises ActivationError when another trial is under way, it failed one
        before, or now fails the proof (neither counts with `again`); ConfigError when it is not
        installed.
        """
        with self._alone():
            self._finish()
            return self._activate(slot, name, baseline, again=again)

    def _activate(self, slot: Slot, name: str, baseline: Baseline, *, again: bool) -> bool:
        self.store.require(slot, name)
        ledger, former = self.ledger, self.store.current(slot)
        refused = ledger.refused(slot, name)
        if refused is not None and not again:
            raise ActivationError(
                f"the {slot} {called(name)} was tried and undone ({refused.reason}); to try it "
                "again all the same, give --again"
            )
        trial = ledger.trial
        if trial is not None:
            if (trial.slot, trial.name) == (slot, name):
                return self._go_on(ledger, trial)
            _refuse_two(trial, slot)
            former, baseline = trial.former, trial.baseline
        elif name == former:
            if name != OWN and ledger.last(slot, name) is None:
                first = self._entry(slot, name, Outcome.ACTIVATED, "the first")
                self._write(ledger.with_entry(first))
            return False
        if slot is Slot.RELEASE and former == OWN:
            raise ActivationError("there is no release yet to go back to; run deploy/install.sh")
        if name != former and not again:
            self._prove(slot, name)
        if trial is not None:
            # Another takes its place. What both are measured by, and go back to, is the same.
            self.service.unwatch()
            reason = f"another took its place: {called(name)}"
            if name == former:
                self._leave(trial, reason)
                return False
            ledger = ledger.with_entry(self._entry(slot, trial.name, Outcome.INTERRUPTED, reason))
        trial = Trial(slot, name, former, self._now(), baseline)
        self._write(ledger.with_trial(trial))
        return self._go_on(ledger, trial)

    def _prove(self, slot: Slot, name: str) -> None:
        """Raise ActivationError, and remember why, where it does not judge what is known."""
        reason = self.proof(slot, name)
        if reason is not None:
            self._write(self.ledger.noting(self._entry(slot, name, Outcome.REFUSED, reason)))
            raise ActivationError(
                f"the {slot} {called(name)} is refused, and nothing was switched: {reason}"
            )

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
            if not self.service.runs():
                entry = self._entry(trial.slot, trial.name, Outcome.ACTIVATED, "without a trial")
                self._write(ledger.with_entry(entry))
                return False
            self.service.begin()
            self._write(ledger.with_trial(replace(trial, stage=Stage.RUNNING)))
        self.service.watch()
        return True

    def roll_back(self, slot: Slot, reason: str = "on command") -> str:
        """Go back to what ran before, at once; return its name. Raises ConfigError: to nothing.

        A service that is stopped stays so.
        """
        with self._alone():
            if self._finish(slot):
                return self.store.current(slot)
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
            if trial is not None:
                self.service.unwatch()
            self._leave(trial or Trial(slot, present, former, self._now()), reason)
            return former

    def _leave(self, trial: Trial, reason: str) -> None:
        """Go back to the former because somebody says so: nobody looks whether that does better."""
        self.note(replace(trial, stage=Stage.UNDOING, fault=Fault.ON_COMMAND, reason=reason))
        self._finish()

    def _finish(self, slot: Slot | None = None) -> bool:
        """Do what is left of a `_leave`; tell whether that was one of `slot`."""
        ledger = self.ledger
        trial = ledger.trial
        if trial is None or trial.stage is not Stage.UNDOING or trial.fault != Fault.ON_COMMAND:
            return False
        self.store.point(trial.slot, trial.former)
        if self.service.runs():
            self.service.begin()
        left = self._entry(trial.slot, trial.name, Outcome.ROLLED_BACK, trial.reason)
        back = self._entry(trial.slot, trial.former, Outcome.ACTIVATED, trial.reason)
        self._write(ledger.with_entry(left).with_entry(back))
        return trial.slot is slot

    def resume(self) -> Trial | None:
        """Return the trial to go on with, having done what a power cut has left undone."""
        self._finish()
        trial = self.ledger.trial
        if trial is None:
            return None
        present = self.store.current(trial.slot)
        if trial.stage is Stage.SWITCHING and present not in (trial.former, trial.name):
            # It was to take the place of another on trial, which nobody looks after any more.
            self._go_on(self.ledger, trial)
            return self.ledger.trial
        elsewhere = {
            Stage.SWITCHING: "cut off before the switch",
            Stage.RUNNING: "somebody has switched to another",
        }
        if trial.stage in elsewhere and present != trial.name:
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
        with self._alone(waits=True):
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

    @contextmanager
    def _alone(self, *, waits: bool = False) -> Iterator[None]:
        """Exclude every other switch. Raises ActivationError where it does not wait for its end."""
        self.ledger_file.parent.mkdir(parents=True, exist_ok=True)
        with self.ledger_file.with_name("lock").open("wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
            except BlockingIOError:
                raise ActivationError(
                    "another activation or rollback is under way, and nothing is changed by this "
                    "one; see what comes of that: tensormask release wait"
                ) from None
            yield

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
