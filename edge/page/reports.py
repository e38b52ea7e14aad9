"""Reports for the page, each made by a process of its own: neither judging nor the live view waits.

What is run is `tensormask report`, so that the page and the command line never differ.
"""

from __future__ import annotations

import logging
import math
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from edge.clock import SYSTEM_CLOCK, Clock
from edge.page.wire import MAX_ANSWER_BYTES, PROGRAM, ReadReport, SignReport

Wanted = ReadReport | SignReport

_log = logging.getLogger(__name__)

LIMIT_S = 90.0
"""A month takes a few seconds, on a busy Raspberry Pi half a minute."""
KEPT_S = 60.0
"""How long a report waits to be fetched."""
MOST_KEPT = 2
MAX_BYTES = MAX_ANSWER_BYTES - 100_000
COMMAND: Final = (sys.executable, "-m", "edge", "report")
_NOT_PASSED_ON = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
"""The process is not the service."""


class ShiftChoice(msgspec.Struct, frozen=True):
    """A shift that a report may be of."""

    name: str
    weekdays: tuple[int, ...]
    """On which it begins, 0 is Monday."""


class ReportChoices(msgspec.Struct, frozen=True):
    """What reports may be of beside days, weeks and months of everything."""

    shifts: tuple[ShiftChoice, ...] = ()
    zones: tuple[str, ...] = ()
    """Those that there are now; the history may have others."""


@dataclass(frozen=True, slots=True)
class MadeReport:
    """What became of one that was asked for."""

    content: bytes = b""
    error: str = ""
    """Why there is none, in a line."""
    at_s: float = math.inf


class ReportMaker:
    """Makes one at a time, and keeps it until it is fetched. `ask` and `tick` are for one thread,
    `close` for any."""

    def __init__(
        self,
        settings: Path,
        folder: Path | None,
        clock: Clock = SYSTEM_CLOCK,
        command: Sequence[str] = COMMAND,
    ) -> None:
        """`settings` is the file that the program was started with; `folder` is best in memory."""
        self._settings = settings
        self._folder = folder
        self._clock = clock
        self._command = tuple(command)
        self._made: dict[Wanted, MadeReport] = {}
        self._making: Wanted | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._is_over = False
        self._lock = threading.Lock()

    def ask(self, wanted: Wanted) -> MadeReport | None:
        """Return the report, once; None: it is being made, or another one is: ask again soon."""
        with self._lock:
            if (made := self._made.pop(wanted, None)) is not None:
                return made
            if self._is_over:
                return MadeReport(error="the service is stopping")
            if self._making is not None:
                return None
            self._making = wanted
        threading.Thread(target=self._make, args=(wanted,), name="report", daemon=True).start()
        return None

    def tick(self) -> None:
        """Forget what nobody fetches."""
        with self._lock:
            oldest_s = self._clock.monotonic_s() - KEPT_S
            self._made = {key: each for key, each in self._made.items() if each.at_s > oldest_s}

    def close(self) -> None:
        with self._lock:
            self._is_over = True
            if self._process is not None:
                self._process.kill()

    def _make(self, wanted: Wanted) -> None:
        try:
            with tempfile.TemporaryDirectory(prefix="report-", dir=self._folder) as folder:
                content, error = self._run(wanted, Path(folder, "report"))
        except OSError as failure:
            content, error = b"", str(failure)
        _note(wanted, error)
        with self._lock:
            self._making = self._process = None
            self._made[wanted] = MadeReport(content, error, self._clock.monotonic_s())
            while len(self._made) > MOST_KEPT:
                del self._made[next(iter(self._made))]

    def _run(self, wanted: Wanted, output: Path) -> tuple[bytes, str]:
        """Return the report, or why there is none."""
        words = [*words_of(wanted), f"--output={output}", f"--config={self._settings}"]
        with self._lock:
            if self._is_over:
                return b"", "the service is stopping"
            self._process = process = subprocess.Popen(
                [*self._command, *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=_environment(),
            )
        try:
            _, said = process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return b"", f"it took longer than {LIMIT_S:.0f} s; on the device: tensormask report"
        if process.returncode:
            lines = said.decode(errors="replace").strip().splitlines() or ["it failed"]
            return b"", lines[-1].removeprefix("tensormask: ")[:500]
        with output.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            return b"", "it is too large for the page; on the device: tensormask report"
        return content, ""


def words_of(wanted: Wanted) -> list[str]:
    """Return what is asked for as `tensormask report` understands it. What others have typed stands
    behind a `=`: there it is no option."""
    report = wanted.report if isinstance(wanted, SignReport) else wanted
    period = (f"--{report.kind}", report.shift if report.kind == "shift" else "", report.day)
    words = [*filter(None, period), f"--format={report.form}"]
    words += [f"--zone={report.zone}"] if report.zone else []
    words += [f"--camera={report.camera}"] if report.camera else []
    if isinstance(wanted, SignReport):
        words += [f"--sign-off={wanted.by}", f"--note={wanted.note}", f"--sha256={wanted.digest}"]
    return words


def _note(wanted: Wanted, error: str) -> None:
    """Log what others than the one who asked may want to know."""
    report = wanted.report if isinstance(wanted, SignReport) else wanted
    parts = (report.kind, report.day, report.shift, report.camera, report.zone)
    name = " ".join(filter(None, parts))
    if error:
        _log.warning("no report %s: %s", name, error)
    elif isinstance(wanted, SignReport):
        _log.info("report %s signed off by %s, sha256 %s", name, wanted.by, wanted.digest)


def _environment() -> dict[str, str]:
    passed_on = {key: each for key, each in os.environ.items() if key not in _NOT_PASSED_ON}
    return passed_on | {"PYTHONPATH": PROGRAM, "PYTHONDONTWRITEBYTECODE": "1"}
