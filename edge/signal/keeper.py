"""The process at the pins, turn by turn: hear, decide, switch, report.

A turn waits a tenth of a second at most, so whatever is to be off is off that soon.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from edge.config import SignalSettings
from edge.host.systemd import Notifier
from edge.signal.pins import Pins, leave
from edge.signal.rules import Levels, Rules
from edge.signal.sound import Speaker
from edge.signal.wire import FromDaemon, Hear, Line, PinReport, connected

TICK_S = 0.1
REPORT_EVERY_S = 1.0
AGAIN_S = 0.25
"""How often a service that is away is looked for."""
LOOK_S = 1.0
"""How often it is looked whether another release is in use."""


class Keeper:
    """Holds the pins until it is asked to stop."""

    def __init__(
        self,
        settings: SignalSettings,
        pins: Pins,
        speaker: Speaker,
        daemon: Path,
        notifier: Notifier,
        is_superseded: Callable[[], bool] = lambda: False,
    ) -> None:
        """`daemon` is the service's socket; `is_superseded`: another release is to take over."""
        self._settings = settings
        self._rules = Rules(settings)
        self._pins = pins
        self._speaker = speaker
        self._daemon = daemon
        self._notifier = notifier
        self._is_superseded = is_superseded
        self._line: Line[FromDaemon] | None = None
        self._stop = threading.Event()
        self._levels: Levels | None = None
        self._was_pressed = False
        self._sounds = 0
        self._reported = PinReport()
        self._connect_due_s = self._report_due_s = self._look_due_s = self._alive_due_s = 0.0

    def stop(self) -> None:
        """End soon, all off. Safe in a signal handler."""
        self._stop.set()

    def run(self) -> None:
        """Run until `stop`, or until another release takes over; whatever happens, all is off."""
        try:
            self._notifier.ready("waiting for the service")
            while not self._stop.is_set() and not self._is_over():
                self.run_once()
        finally:
            leave(self._pins)
            self._speaker.close()
            if self._line is not None:
                self._line.close()

    def run_once(self) -> None:
        self._connect()
        if self._line is not None:
            select.select([self._line], [], [], TICK_S)
            self._hear(self._line)
        else:
            time.sleep(TICK_S)
        now_s = time.monotonic()
        self._feel_button(now_s)
        levels = self._rules.levels(now_s, datetime.now())  # noqa: DTZ005 - quiet hours are local
        self._pins.show(levels)
        if levels.sounds > self._sounds:
            self._speaker.play(now_s)
        self._sounds = levels.sounds
        if self._rules.muted_for_s(now_s) is not None:
            self._speaker.hush()
        self._speaker.tend(now_s)
        self._report(levels, now_s)
        self._tell_systemd(levels, now_s)

    def _is_over(self) -> bool:
        now_s = time.monotonic()
        if now_s < self._look_due_s:
            return False
        self._look_due_s = now_s + LOOK_S
        return self._is_superseded()

    def _connect(self) -> None:
        if self._line is not None and self._line.is_open:
            return
        if self._line is not None:
            self._line = None
            self._rules.lost()
        now_s = time.monotonic()
        if now_s >= self._connect_due_s:
            self._connect_due_s = now_s + AGAIN_S
            self._line = connected(self._daemon)
            self._report_due_s = now_s

    def _hear(self, line: Line[FromDaemon]) -> None:
        for message in line.take():
            if isinstance(message, Hear):
                self._rules.hear(message.seen)
            else:
                self._rules.mute(message.for_s, time.monotonic())
        if not line.is_open:
            self._rules.lost()

    def _feel_button(self, now_s: float) -> None:
        """A press mutes; a press while it is muted ends that."""
        is_pressed = self._pins.is_pressed
        if is_pressed and not self._was_pressed:
            is_muted = self._rules.muted_for_s(now_s) is not None
            self._rules.mute(0.0 if is_muted else self._settings.mute_s, now_s)
        self._was_pressed = is_pressed

    def _report(self, levels: Levels, now_s: float) -> None:
        if self._line is None:
            return
        report = PinReport(levels, self._rules.muted_for_s(now_s), self._speaker.trouble)
        is_news = (report.levels, report.muted_for_s is None, report.trouble) != (
            self._reported.levels,
            self._reported.muted_for_s is None,
            self._reported.trouble,
        )
        if is_news or now_s >= self._report_due_s:
            self._reported = report
            self._report_due_s = now_s + REPORT_EVERY_S
            self._line.say(report)

    def _tell_systemd(self, levels: Levels, now_s: float) -> None:
        """Feed the watchdog: a turn has ended, with the pins as they are to be."""
        if levels != self._levels or now_s >= self._alive_due_s:
            self._alive_due_s = now_s + min(self._notifier.watchdog_s or 1.0, 1.0)
            self._notifier.alive(in_words(levels, is_connected=self._line is not None))
        self._levels = levels


def in_words(levels: Levels, *, is_connected: bool = True) -> str:
    """Return what is on, for people: `red, buzzer`."""
    names = [each for each in ("green", "red", "buzzer", "relay") if getattr(levels, each)]
    return ("" if is_connected else "no word from the service; ") + (", ".join(names) or "all off")
