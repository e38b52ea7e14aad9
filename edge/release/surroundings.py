"""What is around the service: the broker, the page's port, the settings, other programs."""

from __future__ import annotations

import hashlib
import logging
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from edge.config import Settings, load_settings
from edge.errors import ConfigError
from edge.files import read_file
from edge.host.web import trouble_with

_log = logging.getLogger(__name__)

REACH_S = 3.0
STARVED = 0.3
"""Of the time its first thread waits for a processor, and does not run. 10 % is usual on a Pi."""
OWN_DOING = 0.5
"""Of all processors: what takes more of them starves by itself."""
MAX_BYTES = 1024 * 1024


@dataclass(slots=True)
class Surroundings:
    """The real ones of this machine. The settings are read again each time: they may be edited."""

    config: Path
    refusal: Callable[[Path], str]
    """Says why this release would refuse the settings; empty: it would not."""
    proc: Path = Path("/proc")
    _before: dict[int, tuple[float, float, float]] = field(default_factory=dict)
    """By process: the time, how long it had waited for a processor, and how long it had run."""

    def broker_answers(self) -> bool:
        """Return whether somebody listens at the broker's address; true where none can be read."""
        settings = self._settings()
        if settings is None:
            return True
        try:
            address = (settings.mqtt.host, settings.mqtt.broker_port)
            with socket.create_connection(address, REACH_S):
                return True
        except OSError:
            return False

    def page_answers(self) -> bool:
        """Return whether the page is wanted, and answers."""
        settings = self._settings()
        if settings is None or not settings.page.enabled:
            return False
        return not trouble_with(settings.page.url, REACH_S)

    def settings(self) -> str:
        """Return the digest of the file; empty: it cannot be read."""
        try:
            return hashlib.sha256(read_file(self.config.resolve(), MAX_BYTES)).hexdigest()
        except OSError:
            return ""

    def settings_refused(self) -> bool:
        """Return whether this release would refuse them too."""
        reason = self.refusal(self.config)
        if reason:
            _log.warning("the settings are refused by this release too: %s", reason)
        return bool(reason)

    def is_starved(self, pid: int) -> bool:
        """Return whether other programs kept this process from running since the last question."""
        try:
            # See proc(5) and the kernel's sched-stats: ns that it ran and waited, of its first
            # thread; and of all its threads the processor time in ticks.
            waited_ns = int((self.proc / f"{pid}/schedstat").read_text().split()[1])
            fields = (self.proc / f"{pid}/stat").read_text().rpartition(")")[2].split()
        except (OSError, ValueError, IndexError):
            return False
        ran_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        now = (time.monotonic(), waited_ns / 1e9, ran_s)
        before, self._before = self._before.get(pid), {pid: now}
        if before is None or now[0] <= before[0]:
            return False
        elapsed_s, waits_s, runs_s = (after - then for after, then in zip(now, before, strict=True))
        is_own = runs_s > OWN_DOING * elapsed_s * (os.cpu_count() or 1)
        return waits_s > STARVED * elapsed_s and not is_own

    def _settings(self) -> Settings | None:
        """Return what the file says now; None: it is refused."""
        try:
            return load_settings(self.config)
        except ConfigError:
            return None
