"""Something that may bring its process down is tried in another process first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from edge.errors import ModelError

TIMEOUT_S = 60.0
_PASSED_ON = ("PATH", "TENSORMASK_PREFIX", "TENSORMASK_MODELS", "STATE_DIRECTORY", "HOME", "LANG")


def attempt(module: str, *arguments: str) -> None:
    """Run `python -m module arguments`. Raises ModelError, which says how it failed."""
    here = Path(__file__).resolve().parents[1]
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    try:
        tried = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=passed_on | {"PYTHONPATH": str(here), "PYTHONDONTWRITEBYTECODE": "1"},
            check=False,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"it hangs: no answer within {TIMEOUT_S:.0f} s") from error
    if tried.returncode:
        raise ModelError(ending_of(tried))


def ending_of(process: subprocess.CompletedProcess[str]) -> str:
    """Return why a process has failed: what it printed last, or the signal that ended it."""
    if process.returncode < 0:
        return f"it brings down the process that uses it ({_name(-process.returncode)})"
    last = process.stderr.strip().splitlines()[-1:] or process.stdout.strip().splitlines()[-1:]
    return last[0] if last else f"exit status {process.returncode}"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
