"""The service as systemd has it: its state, and its restart."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from edge.errors import TensorMaskError
from edge.release.observed import ServiceState

UNIT = "tensormask.service"
TRIAL_UNIT = "tensormask-trial.service"
PAGE_SOCKET, PAGE_UNIT = "tensormask-page.socket", "tensormask-page.service"
SIGNAL_UNIT = "tensormask-signal.service"
RUNNING = ("active", "activating", "reloading")
"""Its states while it runs, or is about to: between two attempts, too."""
TIMEOUT_S = 60.0


class SystemdError(TensorMaskError):
    """Look at systemd: it did not do what it was asked for."""


class Unit:
    """The service. Raises SystemdError where systemd does not answer or refuses."""

    def runs(self) -> bool:
        """Return whether it runs, or is about to."""
        return is_booted() and self.state().active in RUNNING

    def state(self) -> ServiceState:
        names = "ActiveState,SubState,Result,ExecMainStatus,NRestarts,InvocationID,MainPID,Job"
        return state_of(systemctl("show", f"--property={names}", UNIT))

    def begin(self) -> None:
        """Start it with whatever is linked now; return at once, as a bad one may never be ready."""
        systemctl("daemon-reload")
        # A page ends by itself where the release is another, and systemd listens all the while. But
        # the port of a release that knows no page is free.
        if systemctl("show", "--value", "--property=LoadState", PAGE_UNIT).strip() != "loaded":
            systemctl("stop", PAGE_SOCKET, PAGE_UNIT, may_fail=True)
        # The lamps of a release that knows none are off, and nothing switches them: the process
        # does so itself when it is stopped.
        if systemctl("show", "--value", "--property=LoadState", SIGNAL_UNIT).strip() != "loaded":
            systemctl("stop", SIGNAL_UNIT, may_fail=True)
        # A former failure, or too many starts, must not stand in the way.
        systemctl("reset-failed", UNIT, may_fail=True)
        systemctl("--no-block", "restart", UNIT)

    def watch(self) -> None:
        """Start what watches the trial."""
        systemctl("daemon-reload")
        systemctl("--no-block", "start", TRIAL_UNIT)

    def unwatch(self) -> None:
        """Stop looking after a trial: somebody has decided."""
        systemctl("stop", TRIAL_UNIT, may_fail=True)


def is_booted() -> bool:
    """Return whether systemd is this machine's."""
    return Path("/run/systemd/system").is_dir()


def state_of(text: str) -> ServiceState:
    """Read what `systemctl show` says."""
    lines = (line.partition("=") for line in text.splitlines())
    shown: Mapping[str, str] = {key: value for key, _, value in lines}
    return ServiceState(
        active=shown.get("ActiveState", ""),
        sub=shown.get("SubState", ""),
        result=shown.get("Result", ""),
        status=int(shown.get("ExecMainStatus") or 0),
        restarts=int(shown.get("NRestarts") or 0),
        invocation=shown.get("InvocationID", ""),
        pid=int(shown.get("MainPID") or 0),
        has_job=shown.get("Job", "") not in ("", "0"),
    )


def systemctl(*words: str, may_fail: bool = False) -> str:
    """Return what it prints. Raises SystemdError where it does not answer, or refuses.

    Where it `may_fail`, that is nothing.
    """
    try:
        answer = subprocess.run(
            ["systemctl", *words], capture_output=True, text=True, check=False, timeout=TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        if may_fail:
            return ""
        raise SystemdError(f"systemctl {words[0]}: {error}") from error
    if answer.returncode and not may_fail:
        raise SystemdError(f"systemctl {' '.join(words)}: {answer.stderr.strip()}")
    return answer.stdout
