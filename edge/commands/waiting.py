"""`tensormask release wait`: until a trial is over, and how far it has come meanwhile."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from edge.clock import SYSTEM_CLOCK, Clock
from edge.commands.releases import UndoneError, in_words, store
from edge.installed import Slot
from edge.release.judge import GIVEN_UP
from edge.release.ledger import FILE, RunningTrial, Stage, TrialOutcome, read_ledger
from edge.release.store import called
from edge.release.watch import VERIFY_WITHIN_S

POLL_S = 2.0
SAID_EVERY_S = 60.0

Show = Callable[[RunningTrial], None]


def wait(name: str, show: Show, clock: Clock = SYSTEM_CLOCK, ledger_file: Path = FILE) -> str:
    """Wait for the end of the trial; return what became of it. `show` gets it every `POLL_S`.

    Raises UndoneError where it was undone; with a `name` also where that is not what is in use,
    whenever its trial has ended.
    """
    ledger = read_ledger(ledger_file)
    was_on_trial = ledger.trial is not None
    while ledger.trial is not None:
        show(ledger.trial)
        clock.sleep(POLL_S)
        ledger = read_ledger(ledger_file)
    if not was_on_trial and not name:
        return "nothing is on trial"
    about = [each for each in ledger.entries if name in ("", each.name)]
    text = in_words(about[-1]) if about else f"{name} was never on trial"
    is_kept = bool(about) and about[-1].outcome is TrialOutcome.KEPT
    in_use = {store().current(slot) for slot in Slot}
    if (name and name not in in_use) or (was_on_trial and not is_kept):
        raise UndoneError(text)
    return text


def progress_of(trial: RunningTrial, window_s: float | None) -> str:
    """Return in a line how far a trial has come, and, as far as it is known, how long it takes."""
    what = f"{trial.slot} {called(trial.name)}"
    if trial.stage is Stage.UNDOING:
        return f"{what}: going back to {called(trial.former)}: {trial.reason}"
    if trial.stage is Stage.VERIFYING:
        return (
            f"{what}: undone: {trial.reason}; {minutes(VERIFY_WITHIN_S)} at most to see whether "
            f"{called(trial.former)} does better"
        )
    how = f"but now {trial.trouble}" if trial.trouble else "doing well"
    well = f"{what} on trial: well for {minutes(trial.watched_s)}"
    if window_s is None:
        return f"{well}, {how}"
    left = max(0.0, GIVEN_UP * window_s - trial.ran_s)
    most = f"; {minutes(left)} more at most" if trial.trouble else ""
    return f"{well} of {minutes(window_s)}, {how}{most}"


def minutes(seconds: float) -> str:
    """Return a time to wait for: `40 s`, `3 min 20 s`, `10 min`, `1 h 5 min`."""
    hours, rest = divmod(round(seconds), 3600)
    parts = [(hours, "h"), (rest // 60, "min"), (0 if hours else rest % 60, "s")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"


class TrialProgress:
    """Says on standard error how far a trial has come: in place on a terminal, else line by line.

    A line comes once a minute, and at once where there is something else to say.
    """

    def __init__(
        self, window_s: float | None, stream: TextIO | None = None, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._window_s = window_s
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._said_s: float | None = None
        self._about: tuple[str, Stage, str] | None = None

    def show(self, trial: RunningTrial) -> None:
        text = progress_of(trial, self._window_s)
        if self._stream.isatty():
            columns = shutil.get_terminal_size().columns
            self._write(f"\r\x1b[K{text[: columns - 1]}")
            return
        now_s, about = self._clock.monotonic_s(), (trial.name, trial.stage, trial.trouble)
        if about != self._about or self._said_s is None or now_s >= self._said_s + SAID_EVERY_S:
            self._said_s, self._about = now_s, about
            self._write(f"{text}\n")

    def close(self) -> None:
        """Take the line away that is in place."""
        if self._stream.isatty():
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
