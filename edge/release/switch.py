"""From one release or model to another, and back. Whatever is cut off in the middle goes on later.

Each step is written into the ledger before it is done, and doing it twice does no harm: after a
power cut `resume` finds out how far it had come.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from msgspec.structs import replace

from edge.clock import SYSTEM_CLOCK, Clock
from edge.installed import Slot
from edge.release.judge import Fault
from edge.release.ledger import (
    Baseline,
    Ledger,
    LedgerFile,
    RunningTrial,
    Stage,
    TrialEntry,
    TrialOutcome,
)
from edge.release.observed import ServiceState
from edge.release.stages import (
    ActivationError,
    beginning,
    ended,
    going_back,
    refuse_again,
    refuse_two,
    refuse_undone,
    unless_overtaken,
)
from edge.release.store import OWN, ReleaseStore, called

_log = logging.getLogger(__name__)


class ServiceControl(Protocol):
    """The service under systemd: `Unit`."""

    def runs(self) -> bool: ...
    def state(self) -> ServiceState: ...
    def begin(self) -> None: ...
    def watch(self) -> None: ...
    def unwatch(self) -> None: ...


@dataclass(slots=True)
class Switch:
    """Changes what an installation runs."""

    store: ReleaseStore
    service: ServiceControl
    ledger_file: LedgerFile = field(default_factory=LedgerFile)
    keep: int = 3
    """How many releases, and models of a kind, stay installed."""
    proof: Callable[[Slot, str], str | None] = lambda slot, name: None
    """Says why it is not worth a trial; None: nothing speaks against it."""
    clock: Clock = SYSTEM_CLOCK

    @property
    def ledger(self) -> Ledger:
        return self.ledger_file.read()

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
        trial = ledger.trial
        if not again:
            refuse_again(ledger, slot, name)
        if trial is not None:
            refuse_two(trial, slot)
            refuse_undone(trial)
            if trial.name == name:
                return self._go_on(trial)
        elif name == present:
            if name != OWN and ledger.last(slot, name) is None:
                first = self._entry(slot, name, TrialOutcome.ACTIVATED, "the first")
                self.ledger_file.change(lambda now: now.with_entry(first))
            return False
        if slot is Slot.RELEASE and present == OWN:
            raise ActivationError("there is no release to go back to yet; run deploy/install.sh")
        if name != (present if trial is None else trial.former) and not again:
            self._prove(slot, name)
        # That took its time: what is on trial may be kept by now, or undone.
        trial = self.ledger_file.change(
            lambda now: beginning(
                now, RunningTrial(slot, name, self.store.current(slot), self._now(), baseline)
            )
        ).trial
        self.service.unwatch()
        if trial is None or self._finish():
            return False
        return self._go_on(trial)

    def _prove(self, slot: Slot, name: str) -> None:
        """Raise ActivationError, and remember why, where it does not judge what is known."""
        reason = self.proof(slot, name)
        if reason is not None:
            refused = self._entry(slot, name, TrialOutcome.REFUSED, reason)
            self.ledger_file.change(lambda now: now.noting(refused))
            raise ActivationError(
                f"the {slot} {called(name)} failed its test, and nothing was switched: {reason}"
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
                refuse_two(trial, slot)
            installed = self.store.installed(slot)
            former = ledger.former(slot, present, installed) if trial is None else trial.former
            if former is None and slot is not Slot.RELEASE and present != OWN:
                former = OWN
            if former is None:
                raise ActivationError(f"there is no {slot} to go back to: none ran before")
            self.store.require(slot, former)
            left = trial or RunningTrial(slot, present, former, self._now())
            ledger = self.ledger_file.change(lambda now: going_back(now, left, reason))
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
            # It was to take the place of another on trial, which nobody watches any more.
            self._go_on(trial)
            return self.ledger.trial
        elsewhere = {
            Stage.SWITCHING: "cut off before the switch",
            Stage.RUNNING: "another one was activated",
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
        self.ledger_file.change(lambda now: unless_overtaken(now, before).with_trial(trial))
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
        self.ledger_file.change(lambda now: ended(now, trial, entries))

    def prune(self, new: Collection[str] = ()) -> None:
        """Remove what is neither needed to go back to nor `new`."""
        ledger = self.ledger
        for slot in Slot:
            present, installed = self.store.current(slot), self.store.installed(slot)
            needed = {*ledger.needed(slot, present, installed), *new}
            if slot is Slot.RELEASE:
                needed.add(self.store.watcher())
            for name in self.store.prune(slot, self.keep, needed):
                _log.info("removed the %s %s", slot, name)

    @contextmanager
    def _alone(self, *, waits: bool = False) -> Iterator[None]:
        """Exclude every other switch. Raises ActivationError where it does not wait for its end."""
        try:
            with self.ledger_file.alone(waits=waits):
                yield
        except BlockingIOError:
            raise ActivationError(
                "another activation or rollback is in progress, and nothing was changed; wait for "
                "its end: tensormask release wait"
            ) from None

    def _entry(self, slot: Slot, name: str, outcome: TrialOutcome, reason: str) -> TrialEntry:
        return TrialEntry(slot, name, outcome, reason, self._now())

    def _now(self) -> datetime:
        return self.clock.utc().replace(microsecond=0)
