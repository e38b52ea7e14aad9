"""What one target is to know, on disk until it knows it; and the thread that delivers it.

An event is a row of an outbox of the target's own. A notification is made of the rows that wait, at
the moment when it is sent: what came in a pause or in quiet hours is therefore in the next one, and
in no file but that one. Rows are deleted when the target has answered; a program that ends between
the two sends again, with the same id unless more has happened meanwhile.
"""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from edge.clock import SYSTEM_CLOCK, Clock, Moment, clock_synchronised, this_moment
from edge.config import NotifyTarget, OutboxSettings
from edge.errors import ConfigError
from edge.notify.channel import Channel, UndeliveredError
from edge.notify.channels import open_channel
from edge.notify.event import NotedEvent, read, stored
from edge.notify.notification import Notification, Sender, notification, trial_event
from edge.publish.broker import Backoff
from edge.publish.outbox.outbox import Outbox
from edge.publish.outbox.rows import StoredDocument
from edge.telemetry import NotifierState

_log = logging.getLogger(__name__)

FIRST_S, LONGEST_S = 2.0, 300.0
"""Of the pauses between attempts, which grow."""
FINAL_S = 300.0
"""What somebody has to fix is tried again within so long, and not before half of it."""
PACE_S = 0.2
"""Between two notifications of a backlog, where each event has its own."""
REST_S = 60.0
"""How long nothing is looked for, unless somebody wakes us."""
QUIET_LOOK_S = 10.0
"""How often the wall clock is looked at in quiet hours."""
MAX_BYTES = 5_000_000
"""Of the events of a target."""
PAGE = 20
"""Rows that are read at once; each may have a picture."""
FAILS_AFTER = 2
"""So many failures in a row are worth a word; what is final is at once."""


def _moment() -> Moment:
    return this_moment(clock_is_right=clock_synchronised())


class Courier:
    """Delivers to one target. `accept`, `state` and `close` are for one other thread."""

    def __init__(
        self,
        target: NotifyTarget,
        sender: Sender,
        folder: Path,
        *,
        channel: Callable[[NotifyTarget], Channel] = open_channel,
        clock: Clock = SYSTEM_CLOCK,
        backoff: Backoff | None = None,
        moment: Callable[[], Moment] = _moment,
    ) -> None:
        """Raises OutboxError where another process has the target's file."""
        self.target = target
        self._sender = sender
        self._open = channel
        self._channel: Channel | None = None
        self._clock = clock
        self._backoff = backoff or Backoff(first_s=FIRST_S, longest_s=LONGEST_S)
        self._slow = Backoff(longest_s=FINAL_S)
        self._hours = target.hours
        settings = OutboxSettings(
            max_rows=target.max_rows, max_bytes=MAX_BYTES, max_age_s=target.max_age_s
        )
        self._outbox = Outbox(folder / file_name(target.name), settings, moment)
        self._due_s = -math.inf
        """When the next attempt may be made."""
        self._failures = 0
        """In a row."""
        self._trouble = ""
        self._tested: tuple[datetime, str] | None = None
        self._test_wanted = threading.Event()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"notify-{target.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def accept(self, event: NotedEvent) -> None:
        """Keep an event; it is on disk when this returns, if the disk takes it."""
        if not self.target.snapshot:
            event = msgspec.structs.replace(event, snapshot=None)
        with suppress(RuntimeError):  # closed meanwhile, since its time was over
            self._outbox.append(self.target.name, lambda _: stored(event))
        self._wake.set()

    def test(self) -> None:
        """Send a test as soon as may be, in pauses and quiet hours too; `state` says what came."""
        self._test_wanted.set()
        self._wake.set()

    def state(self) -> NotifierState:
        queue, tested = self._outbox.state(), self._tested
        return NotifierState(
            name=self.target.name,
            kind=self.target.kind,
            waiting=queue.rows,
            oldest_age_s=queue.oldest_age_s,
            dropped=queue.dropped.total,
            trouble=self._trouble,
            tested_at=None if tested is None else tested[0],
            test="" if tested is None else tested[1],
            is_quiet=self._is_quiet(),
        )

    def ask_to_stop(self) -> None:
        """Begin no other attempt."""
        self._stop.set()
        self._wake.set()

    def close(self, timeout_s: float) -> None:
        """End within that time; what waits stays. An attempt that hangs ends with the process."""
        self.ask_to_stop()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        self._outbox.close()

    def _is_quiet(self) -> bool:
        return self._hours.contain(self._clock.utc().astimezone())

    # From here on: for the courier's thread.

    def _run(self) -> None:
        wait_s = 0.0
        while not self._stop.is_set():
            self._wake.wait(wait_s)
            self._wake.clear()
            try:
                if self._test_wanted.is_set():
                    self._test_wanted.clear()
                    self._try_test()
                wait_s = self.turn()
            except Exception as error:  # noqa: BLE001 - see below
                # A fault of ours with one notification must not end all others, nor be a secret.
                _log.exception("a notification to %s cannot be made", self.target.name)
                wait_s = self._note_failure(f"a fault of the program: {error!r}"[:200], True, None)

    def turn(self) -> float:
        """Send what is due; return how long to wait for more, unless somebody wakes us."""
        now_s = self._clock.monotonic_s()
        if self._stop.is_set():
            return 0.0
        if now_s < self._due_s:
            return self._due_s - now_s
        if self._is_quiet():
            return QUIET_LOOK_S
        sequences, events = self._batch()
        if not events:
            if sequences:
                self._outbox.acknowledge(sequences, at_once=True)
            if self._failures:  # what did not arrive is too old by now: nothing is left that fails
                self._note_success("")
            return REST_S
        message = notification(events, self._sender, self._clock.utc())
        try:
            note = self._send(message)
        except UndeliveredError as error:
            return self._note_failure(str(error), error.is_final, error.wait_s)
        except ConfigError as error:
            return self._note_failure(str(error), True, None)
        self._outbox.acknowledge(sequences, at_once=True)
        self._note_success(note)
        wait_s = self.target.pause_s or PACE_S
        self._due_s = self._clock.monotonic_s() + wait_s
        return wait_s

    def _batch(self) -> tuple[list[int], list[NotedEvent]]:
        """Return what the next notification is made of, oldest first, and its rows.

        Only the newest picture is kept: the others would fill the memory.
        """
        sequences: list[int] = []
        events: list[NotedEvent] = []
        rows = self._outbox.pending(PAGE)
        while rows:
            for row in rows:
                event = self._read(row)
                if events and (event is None or not self._goes_along(event, events[0])):
                    return sequences, events
                sequences.append(row.sequence)
                if event is None:
                    continue
                if event.snapshot is not None:
                    events = [msgspec.structs.replace(each, snapshot=None) for each in events]
                events.append(event)
            rows = self._outbox.pending(PAGE, after=sequences[-1])
        return sequences, events

    def _read(self, row: StoredDocument) -> NotedEvent | None:
        event = read(row.payload)
        if event is None:
            _log.warning(
                "notifications to %s: event %d is of another release, and left out",
                self.target.name, row.sequence,
            )  # fmt: skip
        return event

    def _goes_along(self, event: NotedEvent, first: NotedEvent) -> bool:
        """Return whether an event is told with the one before it: of a pause, or of quiet hours."""
        return self.target.pause_s > 0 or all(
            self._hours.contain(each.at.astimezone()) for each in (first, event)
        )

    def _send(self, message: Notification) -> str:
        """Send it, without its picture where it is refused with it. Return what is to be said."""
        if self._channel is None:
            self._channel = self._open(self.target)
        try:
            return self._channel.send(message)
        except UndeliveredError as error:
            if not error.may_be_picture or message.snapshot is None:
                raise
            self._channel.send(message.without_picture())
            return f"it takes no picture: {error}"

    def _try_test(self) -> None:
        now = self._clock.utc()
        message = notification([trial_event(os.urandom(6).hex(), now)], self._sender, now)
        try:
            self._channel = self._open(self.target)  # its files may have been corrected
            said = self._channel.send(message)
        except (UndeliveredError, ConfigError) as error:
            said = str(error)
        else:
            if self._failures:  # and not the end of a pause
                self._due_s = self._clock.monotonic_s()
            self._note_success("")
        self._tested = (self._clock.utc(), said)

    def _note_success(self, note: str) -> None:
        self._failures = 0
        self._backoff.reset()
        self._trouble = note

    def _note_failure(self, text: str, is_final: bool, asked_s: float | None) -> float:
        """Return how long to wait until the next attempt."""
        self._failures += 1
        if is_final or self._failures >= FAILS_AFTER:
            self._trouble = text
        if is_final:
            self._channel = None  # what is wrong may be a file, which is read again then
        wait_s = self._slow.slow_s() if is_final else self._backoff.next_s()
        wait_s = max(wait_s, asked_s or 0.0)
        self._due_s = self._clock.monotonic_s() + wait_s
        return wait_s


def file_name(name: str) -> str:
    """Return the name of a target's file in the state directory."""
    return f"notify-{name}.sqlite"
