"""What the service says to systemd: ready, alive, stopping, its status line, and its log.

Outside systemd there is nobody to tell, so everything here is harmless on a developer's machine.
"""

from __future__ import annotations

import importlib
import logging
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TextIO

IDENTIFIER = "tensormask"
"""Names us in the journal: `journalctl -t tensormask`."""


@dataclass(frozen=True, slots=True)
class Notifier:
    """The sd_notify protocol: one datagram of `KEY=value` lines to a UNIX socket."""

    address: str = ""
    """A path, or `@name` for an abstract socket. Empty: nobody listens, nothing is sent."""
    watchdog_s: float | None = None
    """How often `alive` must be called; None: no watchdog waits."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Notifier:
        return cls(environment.get("NOTIFY_SOCKET", ""), watchdog_interval_s(environment))

    def starting(self, status: str, more_s: float) -> None:
        """Tell that the start goes on: it may take `more_s` from now, whatever the unit says."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(1e6 * more_s)}", _status_line(status))

    def ready(self, status: str) -> None:
        """Tell that the start is over; `systemctl start` returns at this."""
        self._send("READY=1", _status_line(status))

    def alive(self, status: str) -> None:
        """Feed the watchdog: work has been done since the last time."""
        self._send("WATCHDOG=1", _status_line(status))

    def stopping(self, status: str) -> None:
        self._send("STOPPING=1", _status_line(status))

    def _send(self, *lines: str) -> None:
        if not self.address:
            return
        # A leading @ stands for the NUL byte that begins an abstract address.
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as peer:
            try:
                peer.sendto("\n".join(lines).encode(), address)
            except OSError as error:
                # Not worth dying for: if it lasts, the watchdog decides.
                logging.getLogger(__name__).warning("systemd could not be notified: %s", error)


def _status_line(text: str) -> str:
    return "STATUS=" + " ".join(text.split())


def watchdog_interval_s(
    environment: Mapping[str, str] = os.environ, pid: int | None = None
) -> float | None:
    """Return how often to call `Notifier.alive`; None where no watchdog waits for this process.

    Half of WatchdogSec=, as sd_watchdog_enabled(3) recommends.
    """
    limit_us = environment.get("WATCHDOG_USEC", "")
    meant_for = environment.get("WATCHDOG_PID") or str(pid or os.getpid())
    if not limit_us.isdecimal() or int(limit_us) == 0 or meant_for != str(pid or os.getpid()):
        return None
    return int(limit_us) / 2e6


def configure_logging(
    level: str, environment: Mapping[str, str] = os.environ, stream: TextIO | None = None
) -> None:
    """Send the root logger's records where a reader looks for them.

    Under systemd to the journal, by systemd-python where it is installed (with priority, source
    line and the fields given as `extra=`), else by lines that begin with `<priority>`, which
    journald understands. Anywhere else to `stream` (standard error unless given), for people.
    """
    stream = stream or sys.stderr
    journal = _is_journal(stream, environment)
    logging.root.handlers[:] = [_handler(stream, journal)]
    logging.root.setLevel(level.upper())
    if journal:
        sys.excepthook = _log_crash


def complain(
    text: str, environment: Mapping[str, str] = os.environ, stream: TextIO | None = None
) -> None:
    """Write why the program ends to `stream` (standard error unless given).

    Under systemd it is an error in the journal, also before `configure_logging`.
    """
    stream = stream or sys.stderr
    prefix = f"<{syslog_priority(logging.ERROR)}>" if _is_journal(stream, environment) else ""
    stream.write(f"{prefix}{IDENTIFIER}: {text}\n")
    stream.flush()


def _log_crash(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """Python itself would write the traceback of a bug as lines of no priority."""
    logging.getLogger(__name__).critical("crashed", exc_info=(kind, error, traceback))


def _handler(stream: TextIO, journal: bool) -> logging.Handler:
    handler: logging.Handler = logging.StreamHandler(stream)
    if not journal:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
        return handler
    try:
        handler = importlib.import_module("systemd.journal").JournalHandler(
            SYSLOG_IDENTIFIER=IDENTIFIER
        )
    except ImportError:
        handler.setFormatter(PriorityFormatter("%(message)s"))
    return handler


def _is_journal(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Return whether `stream` goes to journald, which gives its socket's `device:inode`.

    The variable alone is not enough: our children inherit it, and may be redirected.
    """
    try:
        here = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environment.get("JOURNAL_STREAM") == f"{here.st_dev}:{here.st_ino}"


class PriorityFormatter(logging.Formatter):
    """Begins each line with its syslog priority, see sd-daemon(3).

    Each line, since journald makes an entry of each: a traceback stays an error to its end.
    """

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{syslog_priority(record.levelno)}>"
        return "\n".join(prefix + line for line in super().format(record).splitlines())


def syslog_priority(level: int) -> int:
    """Return the syslog priority, 2 (critical) to 7 (debug), of a level of `logging`."""
    for threshold, priority in (
        (logging.CRITICAL, 2),
        (logging.ERROR, 3),
        (logging.WARNING, 4),
        (logging.INFO, 6),
    ):
        if level >= threshold:
            return priority
    return 7
