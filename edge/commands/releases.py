"""What is installed, what is on trial, and the ways from one to another."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from edge.commands.refusal import refusal
from edge.config import ReleaseSettings, load_settings
from edge.errors import ConfigError, NotAllowedError, TensorMaskError
from edge.installed import Slot, installation
from edge.release.ledger import RunningTrial, TrialEntry, TrialOutcome, read_ledger
from edge.release.observed import baseline_of
from edge.release.proof import Proof
from edge.release.report import Reports
from edge.release.store import ReleaseStore, called
from edge.release.surroundings import Surroundings
from edge.release.switch import Switch
from edge.release.unit import Unit
from edge.release.watch import Watcher

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_IN_WORDS = {
    TrialOutcome.REFUSED: "undone and not tried again",
    TrialOutcome.ROLLED_BACK: "rolled back",
}
"""Outcomes whose names are for programs."""


class UndoneError(TensorMaskError):
    """Look at the reason: what was on trial does not run."""


class Installed(msgspec.Struct, frozen=True):
    """What `tensormask release --json` says."""

    current: dict[Slot, str]
    """An empty name: the model that comes with the release."""
    installed: dict[Slot, list[str]]
    trial: RunningTrial | None
    entries: tuple[TrialEntry, ...]


def store() -> ReleaseStore:
    """Return the installation that this program belongs to. Raises ConfigError: to none."""
    prefix = installation()
    if prefix is None:
        raise ConfigError(
            "this program is not installed, so it has no releases; see deploy/install.sh, and "
            "use /usr/local/bin/tensormask"
        )
    return ReleaseStore(prefix)


def installed() -> Installed:
    """Return what is there. Raises ConfigError."""
    here, ledger = store(), read_ledger()
    return Installed(
        current={slot: here.current(slot) for slot in Slot},
        installed={slot: here.installed(slot) for slot in Slot},
        trial=ledger.trial,
        entries=ledger.entries,
    )


def lines(state: Installed, window_s: float | None) -> Iterator[str]:
    """Return the same for people; `window_s`: see `known_window_s`."""
    for slot in Slot:
        name = state.current[slot] or "the one included in the release"
        others = [each for each in state.installed[slot] if each != state.current[slot]]
        beside = f"; beside it: {', '.join(others)}" if others else ""
        yield f"{slot:<9} {name}{beside}"
    if state.trial is not None:
        trial, trouble = state.trial, state.trial.trouble
        yield (
            f"on trial  {trial.slot} {called(trial.name)}, {trial.stage}: "
            f"well for {trial.watched_s:.0f}{'' if window_s is None else f' of {window_s:.0f}'} s"
            f"{f'; {trouble}' if trouble else ''}"
        )
    for entry in state.entries[-5:]:
        yield f"{entry.at:%Y-%m-%d %H:%M} {in_words(entry)}"


def activate(config: Path, slot: Slot, name: str, *, again: bool) -> bool:
    """Have another one used; return whether it is on trial. Raises ConfigError, OSError."""
    around, switch = Surroundings(config, refusal), open_switch(config)
    # It would be started with settings that every release refuses.
    if switch.service.runs() and (reason := refusal(config)):
        raise ConfigError(f"nothing was switched: {reason}")
    baseline = baseline_of(
        Reports().read(), page_answers=around.page_answers(), settings=around.settings()
    )
    proof = Proof(switch.store)

    def proven(slot: Slot, name: str) -> str | None:
        sys.stderr.write(
            f"{called(name)} judges a clip of drawn people first; that takes a while\n"
        )
        return proof(slot, name)

    switch.proof = proven
    return switch.activate(slot, name, baseline, again=again)


def said_in_use(config: Path, name: str, *, on_trial: bool) -> str:
    """Return what became of `activate`, for people."""
    return f"{name} is in use{f'; on trial for {window_s(config):.0f} s' if on_trial else ''}"


def roll_back(config: Path, slot: Slot) -> str:
    """Go back at once to what ran before; return its name. Raises ConfigError."""
    return open_switch(config).roll_back(slot)


def in_words(entry: TrialEntry) -> str:
    """Return what became of one in a line."""
    outcome = _IN_WORDS.get(entry.outcome, entry.outcome)
    return f"{entry.slot} {called(entry.name)}: {outcome}, {entry.reason}"


def watch(config: Path) -> TrialOutcome | None:
    """Look after the trial, if there is one: what the trial's unit runs."""
    return _watcher(config).run()


def count(config: Path) -> None:
    """Count this start of the machine: what the trial's unit runs first."""
    _watcher(config).count()


def _watcher(config: Path) -> Watcher:
    return Watcher(
        open_switch(config),
        Reports().read,
        Surroundings(config, refusal),
        window_s(config),
        BOOT_ID.read_text().strip(),
    )


def window_s(config: Path) -> float:
    return _settings(config).trial_s


def known_window_s(config: Path) -> float | None:
    """Return how long the trial takes; None: this user may not read the settings."""
    try:
        return load_settings(config).release.trial_s
    except NotAllowedError:
        return None
    except ConfigError:
        return window_s(config)


def open_switch(config: Path) -> Switch:
    """Return what changes the installation. Raises ConfigError for anybody but root."""
    if os.geteuid() != 0:
        raise NotAllowedError("only root may change what the service runs")
    return Switch(store(), Unit(), keep=_settings(config).keep)


def _settings(config: Path) -> ReleaseSettings:
    """Return what the file says; a trial must not depend on a file that somebody is writing."""
    try:
        return load_settings(config).release
    except ConfigError:
        return ReleaseSettings()
