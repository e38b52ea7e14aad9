"""A terminal for a process."""

from __future__ import annotations

import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Sequence
from fcntl import ioctl

from tests.waiting import DEADLINE_S


class Terminal:
    """A process on a terminal of its own."""

    def __init__(
        self,
        command: Sequence[str],
        columns: int = 80,
        lines: int = 24,
        environment: dict[str, str] | None = None,
        output: int | None = None,
    ) -> None:
        """`output`: where standard output goes instead."""
        self._master, slave = pty.openpty()
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        kept = {
            key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "COLUMNS")
        }
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave if output is None else output,
            stderr=slave,
            env={**kept, "TERM": "xterm-256color", **(environment or {})},
            # Its controlling terminal, so that ^C is a signal.
            start_new_session=True,
            preexec_fn=lambda: ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self.shown = ""

    def wait_for(self, text: str) -> None:
        """Read until `text` has been shown."""
        self._read_until(lambda: text in self.shown, text)

    def end(self) -> int:
        """Read to the end; return the exit status."""
        self._read_until(lambda: False, "")
        return self.process.wait(DEADLINE_S)

    def press(self, key: str) -> None:
        os.write(self._master, key.encode())

    def _read_until(self, is_done: Callable[[], bool], what: str) -> None:
        until_s = time.monotonic() + DEADLINE_S
        while not is_done():
            left_s = until_s - time.monotonic()
            ready, _, _ = (
                select.select([self._master], [], [], left_s) if left_s > 0 else ([], [], [])
            )
            assert ready, f"waited in vain for {what!r}: {self.shown[-2000:]}"
            try:
                self.shown += os.read(self._master, 65_536).decode(errors="replace")
            except OSError:  # nobody has it open any more
                assert not what, f"ended without {what!r}: {self.shown[-2000:]}"
                return

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)
