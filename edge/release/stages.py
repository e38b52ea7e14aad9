"""How a trial begins, is left, and is overtaken: changes of the ledger, without I/O.

There is one trial at a time. Another of the same kind takes its place, and what both go back to
stays the same. What the device goes back from by itself is not changed by a command.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from edge.errors import ConfigError
from edge.installed import Slot
from edge.release.judge import Fault
from edge.release.ledger import Ledger, RunningTrial, Stage, TrialEntry, TrialOutcome
from edge.release.store import called

UNDONE = (Stage.UNDOING, Stage.VERIFYING)
"""What is on trial is being gone back from."""


class ActivationError(ConfigError):
    """Nothing was switched; the message says why."""


class OvertakenError(ActivationError):
    """Leave the trial alone: somebody has decided otherwise since it was looked at."""


def beginning(now: Ledger, wanted: RunningTrial) -> Ledger:
    """Return the ledger with which `wanted` is tried instead of what is used, or on trial, now.

    Raises ActivationError where that is being undone, or of another kind.
    """
    left = now.trial
    if left is None:
        return now if wanted.name == wanted.former else now.with_trial(wanted)
    refuse_two(left, wanted.slot)
    refuse_undone(left)
    reason = f"another took its place: {called(wanted.name)}"
    if wanted.name == left.former:
        return now.with_trial(_leaving(left, reason))
    # What both are measured by, and go back to, is the same.
    trial = replace(wanted, former=left.former, baseline=left.baseline)
    interrupted = TrialEntry(
        left.slot, left.name, TrialOutcome.INTERRUPTED, reason, wanted.begun_at
    )
    return now.with_entry(interrupted).with_trial(trial)


def going_back(now: Ledger, left: RunningTrial, reason: str) -> Ledger:
    """Return the ledger with which what is on trial, or `left`, is left because somebody says so:
    nobody looks whether the former does better. What the device is undoing itself, it goes on to.
    """
    left = now.trial or left
    return now if left.stage in UNDONE else now.with_trial(_leaving(left, reason))


def unless_overtaken(now: Ledger, trial: RunningTrial) -> Ledger:
    """Return the ledger. Raises OvertakenError where another, or another stage, is in it."""
    if now.trial != trial:
        raise OvertakenError("the trial has moved on meanwhile; see: tensormask release")
    return now


def ended(now: Ledger, trial: RunningTrial, entries: Iterable[TrialEntry]) -> Ledger:
    """Return the ledger without the trial, and with what became of it. Raises OvertakenError."""
    now = unless_overtaken(now, trial)
    for entry in entries:
        now = now.with_entry(entry)
    return now


def refuse_again(now: Ledger, slot: Slot, name: str) -> None:
    """Raise ActivationError where it failed a trial, or the proof, before."""
    if (refused := now.refused(slot, name)) is not None:
        raise ActivationError(
            f"the {slot} {called(name)} was tried and undone ({refused.reason}); to try "
            "it again, add --again"
        )


def refuse_undone(trial: RunningTrial) -> None:
    """Raise ActivationError where the device goes back from it by itself, and says so soon."""
    if trial.stage in UNDONE:
        raise ActivationError(
            f"the {trial.slot} {called(trial.name)} is being undone: {trial.reason}; wait for the "
            "end of that: tensormask release wait"
        )


def refuse_two(trial: RunningTrial, slot: Slot) -> None:
    """Raise ActivationError where what is on trial is of another kind."""
    if trial.slot is not slot:
        raise ActivationError(
            f"the {trial.slot} {called(trial.name)} is on trial; wait for its end: "
            "tensormask release wait, or roll that back first"
        )


def _leaving(trial: RunningTrial, reason: str) -> RunningTrial:
    return replace(trial, stage=Stage.UNDOING, fault=Fault.ON_COMMAND, reason=reason)
