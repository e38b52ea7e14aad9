"""The service's side of the lamps at the door: says what the loop sees, as long as it goes round.

The loop itself sends, in each turn: were it a thread's work, a loop that hangs would keep a gate
open. Nothing here waits for the process at the pins (`edge.signal`).
"""

from __future__ import annotations

import logging
import math
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from edge.clock import SYSTEM_CLOCK, Clock
from edge.config import SignalSettings
from edge.daemon.lookout import Glance
from edge.daemon.station import StationOutlet
from edge.host.local_socket import listening_at
from edge.observers import Observers
from edge.records import Advice, MaskState, ViolationState
from edge.signal.keeper import in_words
from edge.signal.rules import SAFE, Seen
from edge.signal.wire import Hear, Line, Mute, PinReport, socket_path
from edge.station import hindrance
from edge.telemetry import CameraState, SignalState, Telemetry

_log = logging.getLogger(__name__)

SAY_EVERY_S = 0.25
SILENT_S = 5.0
"""Without a report for so long it does not answer; it reports once a second."""
START_S = 15.0
"""It may take so long to be there when the service starts."""
MOST = 4
"""Connections at once: one, and for a moment the next one."""
NO_ANSWER = "the process at the pins does not answer"


class SignalOutlet:
    """Speaks to the process at the pins. For the loop's thread; `state` and `mute` for any."""

    def __init__(
        self,
        settings: SignalSettings,
        path: Path,
        observers: Observers,
        advice: Callable[[], Advice | None] = lambda: None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """`path` is the socket's; `advice` is what is advised now; None: without a station."""
        self._settings = settings
        self._path = path
        self._observers = observers
        self._observer = observers.join()
        self._advice = advice
        self._clock = clock
        self._listener: socket.socket | None = None
        self._lines: tuple[Line[PinReport], ...] = ()
        self._mute_for_s: float | None = None
        self._open: set[str] = set()
        self._alarms = 0
        self._is_masked = False
        self._judged_s = self._said_s = self._heard_s = -math.inf
        self._said: Seen | None = None
        self._report = PinReport()
        self._trouble = ""
        self._started_s = clock.monotonic_s()

    @property
    def state(self) -> SignalState:
        report, now_s = self._report, self._clock.monotonic_s()
        is_silent = now_s - max(self._heard_s, self._started_s + START_S - SILENT_S) > SILENT_S
        if self._trouble or report.trouble or not is_silent:
            return SignalState(
                in_words(report.levels), report.muted_for_s, self._trouble or report.trouble
            )
        return SignalState(in_words(SAFE), None, NO_ANSWER)

    def mute(self, for_s: float | None = None) -> str:
        """Make no sound for so long, by default as the settings say; 0: make sounds again.

        Return why that cannot be; empty: it will be, in the loop's next turn.
        """
        if not any(each.is_open for each in self._lines):
            return self._trouble or self._report.trouble or NO_ANSWER
        self._mute_for_s = self._settings.mute_s if for_s is None else for_s
        return ""

    def start(self) -> None:
        """Listen; where that cannot be, it is a condition."""
        self._started_s = self._clock.monotonic_s()
        try:
            self._listener = listening_at(self._path, socket.SOCK_SEQPACKET, MOST)
            self._listener.setblocking(False)
        except OSError as error:
            self._trouble = f"{self._path}: {error.strerror or error}"
            _log.error("no lamps: %s", self._trouble)

    def take(self, glance: Glance, telemetry: Telemetry) -> None:
        self._note(glance)
        self._welcome()
        self._hear()
        now_s = self._clock.monotonic_s()
        if (mute_s := self._mute_for_s) is not None:
            self._mute_for_s = None
            self._say(Mute(mute_s))
        seen = self._seen(telemetry, now_s)
        is_news = self._said is None or seen != msgspec.structs.replace(self._said, at_s=now_s)
        if is_news or now_s - self._said_s >= SAY_EVERY_S:
            self._said, self._said_s = seen, now_s
            self._say(Hear(seen))

    def close(self) -> None:
        self._observers.leave(self._observer)
        for line in self._lines:
            line.close()
        self._lines = ()
        if self._listener is not None:
            self._listener.close()
            with suppress(OSError):
                self._path.unlink()

    def _note(self, glance: Glance) -> None:
        """Take note of what was judged and decided."""
        for violation in glance.decision.violations:
            if violation.state is ViolationState.CONFIRMED:
                self._open.add(violation.event_id)
                self._alarms += 1
            else:
                self._open.discard(violation.event_id)
        judged = self._observer.take(0)
        if judged is not None:
            self._judged_s = self._clock.monotonic_s()
            standings = judged.outcome.standings
            self._is_masked = any(
                each.state is MaskState.MASKED and not each.is_lifeless for each in standings
            )

    def _seen(self, telemetry: Telemetry, now_s: float) -> Seen:
        sees = (
            telemetry.camera.state is CameraState.RUNNING
            and hindrance(telemetry) is None
            and now_s - self._judged_s < self._settings.safe_after_s
        )
        advice = self._advice()
        is_masked = sees and self._is_masked
        return Seen(now_s, sees, self._alarms, len(self._open), is_masked, advice)

    def _welcome(self) -> None:
        if self._listener is None:
            return
        try:
            theirs, _ = self._listener.accept()
        except OSError:  # nobody, or gone again
            return
        line: Line[PinReport] = Line(theirs, PinReport)
        if len(self._lines) >= MOST:
            line.close()
        else:
            self._lines = (*self._lines, line)
            self._said = None  # it has heard nothing yet

    def _hear(self) -> None:
        for line in self._lines:
            for report in line.take():
                self._report, self._heard_s = report, self._clock.monotonic_s()
        self._lines = tuple(each for each in self._lines if each.is_open)
        if not self._lines:
            # All is off without it; why it has ended is still to be known.
            self._report = PinReport(trouble=self._report.trouble)

    def _say(self, message: Hear | Mute) -> None:
        for line in self._lines:
            line.say(message)


def open_signal(
    settings: SignalSettings, observers: Observers, folder: Path, station: StationOutlet | None
) -> SignalOutlet:
    """Return it; `folder` is the device's state. With a `station`, its advice is followed."""
    path = socket_path(folder)
    if station is None:
        return SignalOutlet(settings, path, observers)
    return SignalOutlet(settings, path, observers, lambda: station.board.now().advice)
