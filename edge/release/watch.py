"""Look after a trial until it is over, from wherever a power cut has left it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from msgspec.structs import replace

from edge.release.judge import MOST_BOOTS, OF_SETTINGS, PATIENCE_S, SPEED, Fault, TrialJudge
from edge.release.ledger import Baseline, RunningTrial, Stage, TrialOutcome
from edge.release.observed import Look, ServiceReport, ServiceState
from edge.release.stages import OvertakenError
from edge.release.switch import Switch
from edge.release.unit import SystemdError

_log = logging.getLogger(__name__)

POLL_S = 2.0
NOTED_EVERY_S = 15.0
"""How far a trial has come is written down so often: what a power cut takes away at most."""
VERIFIED_S = 30.0
"""The former must do well for so long, within `VERIFY_WITHIN_S`, for the new one to be to blame."""
VERIFY_WITHIN_S = 2 * PATIENCE_S


class Around(Protocol):
    """What is around the service: `Surroundings`."""

    def broker_answers(self) -> bool: ...
    def page_answers(self) -> bool: ...
    def settings(self) -> str: ...
    def settings_refused(self) -> bool: ...
    def is_starved(self, pid: int) -> bool: ...


@dataclass(slots=True)
class Watcher:
    switch: Switch
    report: Callable[[], ServiceReport | None]
    around: Around
    window_s: float
    boot: str
    """Names the machine's present run."""
    _asked: tuple[str, int] = ("", 0)
    _is_refused: bool = False

    def run(self) -> TrialOutcome | None:
        """Return what became of the trial; None: there was none, or somebody has ended it."""
        try:
            return self._run()
        except OvertakenError:
            return None

    def _run(self) -> TrialOutcome | None:
        trial = self.switch.resume()
        if trial is None:
            return None
        if trial.stage is Stage.RUNNING:
            judged = self._try(trial)
            if judged.stage is Stage.RUNNING:
                self.switch.close(judged, TrialOutcome.KEPT, judged.reason)
                return TrialOutcome.KEPT
            trial = judged
        outcome = self._blame(trial)
        self.switch.close(trial, outcome, trial.reason)
        return outcome

    def count(self) -> None:
        """Count this start of the machine, and leave what may have brought it down too often.

        It comes before the service: what hangs the machine as it starts is looked after by nobody.
        """
        trial = self.switch.ledger.trial
        if trial is not None and trial.stage is Stage.UNDOING:
            # It was cut off on the way back: what is left must not be started again.
            self.switch.store.point(trial.slot, trial.former)
        if trial is None or trial.stage not in (Stage.SWITCHING, Stage.RUNNING):
            return
        trial = self._counted(trial)
        if trial.boots > MOST_BOOTS and self.switch.store.current(trial.slot) == trial.name:
            self._leave(trial)

    def _counted(self, trial: RunningTrial) -> RunningTrial:
        if trial.boot == self.boot:
            return trial
        return self.switch.note(trial, replace(trial, boot=self.boot, boots=trial.boots + 1))

    def _leave(self, trial: RunningTrial) -> RunningTrial:
        reason = f"the machine restarted {trial.boots - 1} times while it was on trial"
        return self.switch.undo(trial, Fault.REBOOTS, reason)

    def _try(self, trial: RunningTrial) -> RunningTrial:
        """Watch it; return it with the reason to keep it, or undone. Raises OvertakenError."""
        _log.info("the %s %s is on trial for %g s", trial.slot, trial.name, self.window_s)
        trial = self._counted(trial)
        if trial.boots > MOST_BOOTS:
            return self._leave(trial)
        judge = TrialJudge(
            self.window_s,
            trial.baseline,
            trial.watched_s,
            trial.ran_s,
            trial.crashes,
            trial.hangs,
            trial.restarts,
        )
        noted_s = self.switch.clock.monotonic_s()
        while True:
            look = self._look(trial.baseline)
            verdict = None if look is None else judge.look(look)
            if self.switch.ledger.trial != trial:
                raise OvertakenError
            now_s = self.switch.clock.monotonic_s()
            is_news = (judge.crashes, judge.hangs) != (trial.crashes, trial.hangs)
            if verdict or is_news or now_s - noted_s > NOTED_EVERY_S:
                noted_s = now_s
                so_far = replace(
                    trial,
                    watched_s=judge.watched_s,
                    ran_s=judge.ran_s,
                    crashes=judge.crashes,
                    hangs=judge.hangs,
                    restarts=judge.restarts,
                    trouble=judge.trouble,
                )
                trial = self.switch.note(trial, so_far)
            if verdict is not None and verdict.keep:
                return self.switch.note(trial, replace(trial, reason=verdict.reason))
            if verdict is not None:
                return self.switch.undo(trial, verdict.fault or "", verdict.reason)
            self.switch.clock.sleep(POLL_S)

    def _blame(self, trial: RunningTrial) -> TrialOutcome:
        """See whether the former does better; if it does not, the new one was not to blame."""
        if trial.fault == Fault.REBOOTS:
            # Nobody can tell it from a bad power supply or a hand on the plug.
            return TrialOutcome.UNDONE
        before = trial.baseline
        asks_speed = trial.fault in SPEED
        if not asks_speed:
            # Nor does it matter then whether other programs take the processor.
            before = replace(before, scan_ms=None, frame_ms=None, fps=None, camera_fps=None)
        judge = TrialJudge(VERIFIED_S, before)
        begun_s = self.switch.clock.monotonic_s()
        while self.switch.clock.monotonic_s() - begun_s < VERIFY_WITHIN_S:
            look = self._look(before, asks_speed=asks_speed)
            verdict = None if look is None else judge.look(look)
            if verdict is not None:
                return TrialOutcome.REFUSED if verdict.keep else TrialOutcome.UNDONE
            self.switch.clock.sleep(POLL_S)
        return TrialOutcome.UNDONE

    def _look(self, before: Baseline, *, asks_speed: bool = True) -> Look | None:
        try:
            state = self.switch.service.state()
        except SystemdError as error:
            _log.warning("%s", error)
            return None
        report = self.report() if state.is_up else None
        is_away = before.broker_connected and report is not None and not report.broker_connected
        has_page = before.page_answers and report is not None
        page_answers = not has_page or self.around.page_answers()
        may_be_settings = not page_answers or (
            state.has_ended and state.result == "exit-code" and state.status in OF_SETTINGS
        )
        return Look(
            self.switch.clock.monotonic_s(),
            state,
            report,
            broker_answers=not is_away or self.around.broker_answers(),
            page_answers=page_answers,
            is_starved=asks_speed and report is not None and self.around.is_starved(state.pid),
            settings_changed=before.settings not in ("", self.around.settings()),
            settings_refused=may_be_settings and self._settings_refused(state),
        )

    def _settings_refused(self, state: ServiceState) -> bool:
        """Ask once for each run of the service: settings count from its start on."""
        run = (state.invocation, state.restarts)
        if run != self._asked:
            self._asked, self._is_refused = run, self.around.settings_refused()
        return self._is_refused
