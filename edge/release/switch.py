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
    Ledger,
    RunningTrial,
    Stage,
    TrialEntry,
    TrialOutcome,
    read_ledger,
    write_ledger,
)
from edge.release.store import OWN, ReleaseStore, called

_log = logging.getLogger(__name__)

UNDONE = (Stage.UNDOING, Stage.VERIFYING)
"""What is on trial is being gone back from."""


class ServiceControl(Protocol):
    """The service under systemd: `Unit`."""

    def runs(self) -> bool: ...
    def state(self) -> ServiceState: ...
    def begin(self) -> None: ...
    def watch(self) -> None: ...
    def unwatch(self) -> None: ...


class ActivationError(ConfigError):
    """Nothing was switched; the message says why."""


class OvertakenError(ActivationError):
    """Leave the trial alone: somebody has decided otherwise since it was looked at."""


@dataclass(slots=True)
class Switch:
    """Changes what an installation runs."""

    store: ReleaseStore
    service: ServiceControl
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
        ledger, present = self.ledger, self.store.current(slot)
        refused, trial = ledger.refused(slot, name), ledger.trial
        if refused is not None and not again:
            raise ActivationError(
                f"the {slot} {called(name)} was tried and undone ({refused.reason}); to try it "
                "again all the same, give --again"
            )
        if trial is not None:
            _refuse_two(trial, slot)
            _refuse_undone(trial)
            if trial.name == name:
                return self._go_on(trial)
        elif name == present:
            if name != OWN and ledger.last(slot, name) is None:
                first = self._entry(slot, name, TrialOutcome.ACTIVATED, "the first")
                self._change(lambda now: now.with_entry(first))
            return False
        if slot is Slot.RELEASE and present == OWN:
            raise ActivationError("there is no release yet to go back to; run deploy/install.sh")
        if name != (present if trial is None else trial.former) and not again:
            self._prove(slot, name)
        # That took its time: what is on trial may be kept by now, or undone.
        trial = self._change(lambda now: self._beginning(now, slot, name, baseline)).trial
        self.service.unwatch()
        if trial is None or self._finish():
            return False
        return self._go_on(trial)

    def _beginning(self, now: Ledger, slot: Slot, name: str, baseline: Baseline) -> Ledger:
        """Return the ledger with which `name` is tried instead of what is used, or on trial, now.

        Raises ActivationError where that is being undone.
        """
        present, left = self.store.current(slot), now.trial
        if left is None:
            trial = RunningTrial(slot, name, present, self._now(), baseline)
            return now if name == present else now.with_trial(trial)
        _refuse_two(left, slot)
        _refuse_undone(left)
        reason = f"another took its place: {called(name)}"
        if name == left.former:
            return now.with_trial(_leaving(left, reason))
        # What both are measured by, and go back to, is the same.
        trial = RunningTrial(slot, name, left.former, self._now(), left.baseline)
        interrupted = self._entry(slot, left.name, TrialOutcome.INTERRUPTED, reason)
        return now.with_entry(interrupted).with_trial(trial)

    def _prove(self, slot: Slot, name: str) -> None:
        """Raise ActivationError, and remember why, where it does not judge what is known."""
        reason = self.proof(slot, name)
        if reason is not None:
            refused = self._entry(slot, name, TrialOutcome.REFUSED, reason)
            self._change(lambda now: now.noting(refused))
            raise ActivationError(
                f"the {slot} {called(name)} is refused, and nothing was switched: {reason}"
            )

    def _go_on(self, trial: RunningTrial) -> bool:
        """Begin the trial, or go on with what was cut off in the middle of that."""
        if trial.stage is Stage.SWITCHING:
            present = self.store.current(Slot.RELEASE)
            self.store.point_to_watcher(trial.former if trial.slot is Slot.RELEASE else present)
            self.store.point(trial.slot, trial.name)
            if not self.service.runs():
                entry = self._entry(
                    trial.slot, trial.name, TrialOutcome.ACTIVATED, "without a trial"
                )
                self._end(trial, entry)
                return False
            self.service.begin()
            self.note(trial, replace(trial, stage=Stage.RUNNING))
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
            left = trial or RunningTrial(slot, present, former, self._now())
            ledger = self._change(lambda now: _going_back(now, left, reason))
            if ledger.trial is not None and ledger.trial.fault != Fault.ON_COMMAND:
                self.service.watch()
                return former
            if trial is not None:
                self.service.unwatch()
            self._finish()
            return former

    def _finish(self, slot: Slot | None = None) -> bool:
        """Do what is left of going back on command; tell whether that was in `slot`, or any."""
        trial = self.ledger.trial
        if trial is None or trial.stage is not Stage.UNDOING or trial.fault != Fault.ON_COMMAND:
            return False
        self.store.point(trial.slot, trial.former)
        if self.service.runs():
            self.service.begin()
        left = self._entry(trial.slot, trial.name, TrialOutcome.ROLLED_BACK, trial.reason)
        back = self._entry(trial.slot, trial.former, TrialOutcome.ACTIVATED, trial.reason)
        self._end(trial, left, back)
        return slot in (None, trial.slot)

    def resume(self) -> RunningTrial | None:
        """Return the trial to go on with, having done what a power cut has left undone."""
        self._finish()
        trial = self.ledger.trial
        if trial is None:
            return None
        present = self.store.current(trial.slot)
        if trial.stage is Stage.SWITCHING and present not in (trial.former, trial.name):
            # It was to take the place of another on trial, which nobody looks after any more.
            self._go_on(trial)
            return self.ledger.trial
        elsewhere = {
            Stage.SWITCHING: "cut off before the switch",
            Stage.RUNNING: "somebody has switched to another",
        }
        if trial.stage in elsewhere and present != trial.name:
            self.close(trial, TrialOutcome.INTERRUPTED, elsewhere[trial.stage])
            return None
        if trial.stage is Stage.UNDOING:
            return self.undo(trial, trial.fault, trial.reason)
        if trial.stage is Stage.SWITCHING:
            return self.note(trial, replace(trial, stage=Stage.RUNNING))
        return trial

    def note(self, before: RunningTrial, trial: RunningTrial) -> RunningTrial:
        """Write down how far it has come, and return that.

        Raises OvertakenError where it is not as it was `before`.
        """
        self._change(lambda now: _unless_overtaken(now, before).with_trial(trial))
        return trial

    def undo(self, trial: RunningTrial, fault: str, reason: str) -> RunningTrial:
        """Go back to the former; return the trial, in which that is now looked at.

        Raises OvertakenError where somebody has decided otherwise.
        """
        undoing = replace(trial, stage=Stage.UNDOING, fault=fault, reason=reason)
        self.note(trial, undoing)
        _log.error(
            "the %s %s is undone: %s; back to %s",
            *(trial.slot, called(trial.name), reason, called(trial.former)),
        )
        self.store.point(trial.slot, trial.former)
        self.service.begin()
        return self.note(undoing, replace(undoing, stage=Stage.VERIFYING))

    def close(self, trial: RunningTrial, outcome: TrialOutcome, reason: str) -> None:
        """Write down what became of it, and make room. Raises OvertakenError as `note` does."""
        self._end(trial, self._entry(trial.slot, trial.name, outcome, reason))
        _log.info("the %s %s: %s, %s", trial.slot, called(trial.name), outcome, reason)
        with self._alone(waits=True):
            self.prune()

    def _end(self, trial: RunningTrial, *entries: TrialEntry) -> None:
        """Write down what became of it and, perhaps, of the former."""

        def ended(now: Ledger) -> Ledger:
            now = _unless_overtaken(now, trial)
            for entry in entries:
                now = now.with_entry(entry)
            return now

        self._change(ended)

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
        try:
            with self._locked("lock", waits=waits):
                yield
        except BlockingIOError:
            raise ActivationError(
                "another activation or rollback is under way, and nothing is changed by this "
                "one; see what comes of that: tensormask release wait"
            ) from None

    @contextmanager
    def _locked(self, name: str, *, waits: bool) -> Iterator[None]:
        self.ledger_file.parent.mkdir(parents=True, exist_ok=True)
        with self.ledger_file.with_name(name).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
            yield

    def _change(self, change: Callable[[Ledger], Ledger]) -> Ledger:
        """Read the ledger, and write what becomes of it; nobody else writes in between.

        What looks after a trial writes while another switch is under way: this lock is held for a
        moment only, and `change` goes by nothing that was read before.
        """
        with self._locked("ledger.lock", waits=True):
            before = self.ledger
            ledger = change(before)
            if ledger != before:
                self._write(ledger)
        return ledger

    def _entry(self, slot: Slot, name: str, outcome: TrialOutcome, reason: str) -> TrialEntry:
        return TrialEntry(slot, name, outcome, reason, self._now())

    def _now(self) -> datetime:
        return self.clock.utc().replace(microsecond=0)

    def _write(self, ledger: Ledger) -> None:
        write_ledger(ledger, self.ledger_file)


def _unless_overtaken(now: Ledger, trial: RunningTrial) -> Ledger:
    if now.trial != trial:
        raise OvertakenError("the trial has gone on meanwhile; see: tensormask release")
    return now


def _going_back(now: Ledger, left: RunningTrial, reason: str) -> Ledger:
    """Return the ledger with which what is on trial, or `left`, is left because somebody says so:
    nobody looks whether the former does better. What the device is undoing itself, it goes on to.
    """
    left = now.trial or left
    return now if left.stage in UNDONE else now.with_trial(_leaving(left, reason))


def _leaving(trial: RunningTrial, reason: str) -> RunningTrial:
    return replace(trial, stage=Stage.UNDOING, fault=Fault.ON_COMMAND, reason=reason)


def _refuse_undone(trial: RunningTrial) -> None:
    """Raise ActivationError where the device goes back from it by itself, and says so soon."""
    if trial.stage in UNDONE:
        raise ActivationError(
            f"the {trial.slot} {called(trial.name)} is being undone: {trial.reason}; wait for the "
            "end of that: tensormask release wait"
        )


def _refuse_two(trial: RunningTrial, slot: Slot) -> None:
    """Raise ActivationError where what is on trial is of another kind."""
    if trial.slot is not slot:
        raise ActivationError(
            f"the {trial.slot} {called(trial.name)} is on trial; wait for its end: "
            "tensormask release wait, or go back from that first"
        )
