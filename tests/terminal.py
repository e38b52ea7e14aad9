"""A terminal for a process."""

from __future__ import annotations

import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
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
        until_s = time.monotonic() + DEADLINE_S
        while text not in self.shown:
            is_open = self._read(text, until_s - time.monotonic())
            assert is_open, f"ended without {text!r}: {self.shown[-2000:]}"

    def end(self) -> int:
        """Read to the end, as long as something comes; return the exit status."""
        while self._read("its end", DEADLINE_S):
            pass
        return self.process.wait(DEADLINE_S)

    def press(self, key: str) -> None:
        os.write(self._master, key.encode())

    def _read(self, what: str, within_s: float) -> bool:
        """Read what is shown next; return False where nobody has the terminal open any more."""
        ready, _, _ = select.select([self._master], [], [], max(0.0, within_s))
        assert ready, f"waited in vain for {what!r}: {self.shown[-2000:]}"
        try:
            self.shown += os.read(self._master, 65_536).decode(errors="replace")
        except OSError:
            return False
        return True

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)
