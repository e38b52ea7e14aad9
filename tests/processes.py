"""The processes that tests start: they begin as on a terminal, and none outlives its run.

Run as a program, `python -m tests.processes MARK`, it is the guardian of a run: it waits until its
standard input is closed, which a kill of the run does too, and kills what carries the run's mark.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parents[1]
MARK = "TENSORMASK_TEST_RUN"
"""In the environment of all that a run starts, however far down, with a value of that run.

What is mounted for a run has that value as its source, and a folder outside of pytest's begins with
it: the guardian takes them away, too.
"""
WHOLE = "TENSORMASK_TEST_WHOLE_RUN"
"""In the environment, too: the value of the whole run's mark, where each of several processes that
share the tests has a mark of its own."""
GRACE_S = 30.0
"""So long a process may take to end: an ssh that has lost its peer needs 20 s."""
_TURN_S = 0.02
_MAY_BE_IGNORED = (signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM)
"""A shell, nohup or a supervisor has a job ignore them, and so all that the job starts."""


class Running(subprocess.Popen[bytes]):
    """A process that is killed when its block is left by an error.

    A plain Popen waits then, without a limit, for a process that nobody has ended.
    """

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            self.kill()
        super().__exit__(kind, value, traceback)


def restore_signals() -> None:
    """Let no child inherit that a signal is ignored: exec(2) keeps that, but no handler.

    SIGINT raises KeyboardInterrupt, as on a terminal. What else is ignored does nothing here still,
    so that `nohup` keeps its promise.
    """
    for number in _MAY_BE_IGNORED:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Guardian:
    """Marks what this process starts from now on, and has it killed when this process is gone."""

    def __init__(self) -> None:
        environment = {name: value for name, value in os.environ.items() if name != MARK}
        self._mark = f"{MARK}={uuid.uuid4()}"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.processes", self._mark],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        os.environ[MARK] = self._mark.partition("=")[2]
        os.environ.setdefault(WHOLE, os.environ[MARK])

    def left_behind(self) -> list[str]:
        """Return what still runs after a grace, a command line each."""
        until_s = time.monotonic() + GRACE_S
        while (left := [command for _, command in _marked(self._mark)]) and (
            time.monotonic() < until_s
        ):
            time.sleep(_TURN_S)
        return left

    def end(self) -> None:
        """Have all killed that is left; return when it is."""
        self._process.communicate()


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder that `make` has filled, once for all processes of the whole run.

    The process that needs it first makes it, and the others wait. The guardian takes it away.
    """
    run = Path(tempfile.gettempdir()) / f"{os.environ[WHOLE]}-shared"
    run.mkdir(exist_ok=True)
    folder, begun = run / name, run / f"{name}.begun"
    with (run / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            shutil.rmtree(begun, ignore_errors=True)
            begun.mkdir()
            make(begun)
            begun.rename(folder)
    return folder


def _marked(mark: str) -> Iterator[tuple[int, str]]:
    """Yield the id and the command of each process with `mark`; of other users as root only."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):  # it has ended, or is not ours to look at
                if mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    words = (folder / "cmdline").read_bytes().split(b"\0")
                    yield int(folder.name), b" ".join(words).decode(errors="replace").strip()


def _kill_marked(mark: str) -> None:
    until_s = time.monotonic() + GRACE_S
    while time.monotonic() < until_s:
        left = [number for number, _ in _marked(mark)]
        if not left:
            return
        for number in left:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        time.sleep(_TURN_S)


def _clear(value: str) -> None:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        source, place, *_ = line.split()
        if source == value:
            subprocess.run(["umount", "--lazy", place], check=False)
    for folder in Path(tempfile.gettempdir()).glob(f"{value}-*"):
        shutil.rmtree(folder, ignore_errors=True)


def main(mark: str) -> None:
    sys.stdin.buffer.read()
    _kill_marked(mark)
    _clear(mark.partition("=")[2])


if __name__ == "__main__":
    main(sys.argv[1])
