"""Notifications as an outlet: a thread that notes what happened, and a courier for each target."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edge.clock import SYSTEM_CLOCK, Clock
from edge.conditions import conditions
from edge.config import Settings
from edge.config.notify import ENDED
from edge.daemon.lookout import Glance
from edge.daemon.side_thread import SideThread
from edge.host.bucket import TokenBucket
from edge.notify.courier import Courier, file_name
from edge.notify.event import BEGUN, NotedEvent, of_violation
from edge.notify.notification import Sender
from edge.notify.watch import ConditionWatch
from edge.telemetry import NotifierState, Telemetry

_log = logging.getLogger(__name__)

ROOM = 200
"""Events that wait for the disk."""
TURN_S = 0.5
CLOSING_S = 0.4
"""Of the half second that an outlet has, for the couriers."""
WRITING_S = 2.0
"""For what the disk has not taken yet: mostly nothing, but a slow card is no reason to lose it."""
TESTS_PER_S = 0.2
"""From the page, for all targets at once."""


@dataclass(frozen=True, slots=True)
class _Route:
    """A target, and what it wants to know."""

    courier: Courier
    watch: ConditionWatch

    def take(self, event: NotedEvent) -> None:
        wanted = self.courier.target.on
        if event.what in wanted and (event.state == BEGUN or ENDED in wanted):
            self.courier.accept(event)


class Notifications:
    """An `Outlet`: judging waits for neither disk nor network here."""

    def __init__(self, couriers: Sequence[Courier], clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._routes = [
            _Route(each, ConditionWatch(each.target.on, each.target.after_s)) for each in couriers
        ]
        self._queue: queue.Queue[NotedEvent] = queue.Queue(ROOM)
        self._telemetry: Telemetry | None = None
        self._has_overflown = False
        self._states = tuple(each.courier.state() for each in self._routes)
        self._tests = TokenBucket(TESTS_PER_S, 1)
        self._is_over = threading.Event()
        """The time to end is over: what is not on disk by now is lost."""
        self._thread = SideThread("notify", self._run)

    def start(self) -> None:
        for route in self._routes:
            route.courier.start()
        self._thread.start()

    def take(self, glance: Glance, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        for violation in glance.decision.violations:
            try:
                self._queue.put_nowait(of_violation(violation, glance.snapshot, glance.camera))
            except queue.Full:
                if not self._has_overflown:
                    _log.error("notifications: the disk is too slow, events are left out")
                self._has_overflown = True

    def close(self) -> None:
        """Bring to disk what has come, and end; what waits there stays for the next run."""
        self._thread.ask_to_end()
        for route in self._routes:
            route.courier.ask_to_stop()
        self._thread.end(WRITING_S)
        until_s = self._clock.monotonic_s() + CLOSING_S
        self._is_over.set()
        if left := self._queue.qsize():
            _log.error("notifications: %d lost; the disk is too slow", left)
        for route in self._routes:
            route.courier.close(max(0.0, until_s - self._clock.monotonic_s()))

    def states(self) -> tuple[NotifierState, ...]:
        """Return how the targets do, as of the last half second."""
        return self._states

    def test(self) -> str:
        """Have a test sent to each target; return why not, or nothing. For one thread."""
        if not self._tests.ready(self._clock.monotonic_s()):
            return f"a test was sent just now; wait {1 / TESTS_PER_S:.0f} s"
        self._tests.spend(1)
        for route in self._routes:
            route.courier.test()
        return ""

    def _run(self) -> None:
        seen: Telemetry | None = None
        while not self._is_over.is_set() and not (self._thread.is_ending() and self._queue.empty()):
            with suppress(queue.Empty):
                event = self._queue.get(timeout=0 if self._thread.is_ending() else TURN_S)
                for route in self._routes:
                    route.take(event)
            telemetry = self._telemetry
            if telemetry is not None and telemetry is not seen and not self._thread.is_ending():
                seen = telemetry
                self._look(telemetry)
            self._states = tuple(each.courier.state() for each in self._routes)

    def _look(self, telemetry: Telemetry) -> None:
        found, now_s, at = conditions(telemetry), self._clock.monotonic_s(), self._clock.utc()
        for route in self._routes:
            for event in route.watch.note(found, now_s, at):
                route.take(event)


def open_notifications(settings: Settings, folder: Path) -> Notifications | None:
    """Return the outlet; None where no target is set. Files of former targets are deleted.

    Raises OutboxError where another process has a target's file.
    """
    forget_others(folder, [target.name for target in settings.notify])
    if not settings.notify:
        return None
    sender = Sender.of(settings.device)
    return Notifications([Courier(target, sender, folder) for target in settings.notify])


def forget_others(folder: Path, names: Sequence[str]) -> None:
    """Delete what was kept for targets that are no longer set: it may have pictures."""
    kept = tuple(file_name(name) for name in names)
    with suppress(OSError):
        for file in folder.glob(file_name("*") + "*"):
            if not file.name.startswith(kept):
                file.unlink(missing_ok=True)
