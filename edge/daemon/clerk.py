"""The clerk: writes down what people say of alerts and of the mask rule, and publishes it.

All of it happens in a thread of its own: the loop and the page only leave requests. What another
process has written, the command line for one, is found by the file's stamps and published, too.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from edge.clock import SYSTEM_CLOCK, Clock, clock_synchronised
from edge.config import Settings
from edge.control.desk import Noted
from edge.daemon.lookout import Glance
from edge.daemon.side_thread import SideThread
from edge.daemon.violations import EventStore
from edge.history.alert_book import AlertBook
from edge.history.database import FILE, HistoryError
from edge.history.notary import (
    OPEN_FOR,
    AlreadySoError,
    NotNotedError,
    acknowledge,
    by_commands,
    set_rule,
)
from edge.history.records import AlertAcknowledgement, Entry
from edge.history.requests import Acknowledge, HistoryRequest
from edge.history.stamp import Stamp, are_settled, stamps_of
from edge.publish.messages import (
    ACKNOWLEDGEMENT,
    Origin,
    acknowledgement_message,
    encode,
    topic,
)
from edge.records import ViolationState
from edge.telemetry import RuleState, Telemetry

_log = logging.getLogger(__name__)

ROOM = 16
"""Requests that wait for the disk."""
RECENT = 100
"""Alerts that are known before the history has them."""
MOST_SAID = 1000
"""What the page may ask for; it lists fewer alerts."""
LOOK_EVERY_S = 2.0
WAIT_S = 5.0
"""How long the page waits for an answer."""
CLOSING_S = 0.4
BUSY = "too much is waiting to be written down: try again in a minute"
SLOW = "the disk is slow: look again in a minute whether it was written down"
STOPPING = "the service is stopping"


class Clerk:
    """An `Outlet`. `note` and `note_now` are for any thread."""

    def __init__(
        self,
        path: Path,
        outbox: EventStore,
        wake: Callable[[], None],
        origin: Origin,
        topic_prefix: str,
        clock: Clock = SYSTEM_CLOCK,
        clock_is_right: Callable[[], bool] = clock_synchronised,
    ) -> None:
        """`path` is the history's file; `wake` has the publisher look into the outbox."""
        self.on_rule: Callable[[], None] = lambda: None
        """Is called when an entry about the mask rule was written."""
        self.rule_at: Callable[[Sequence[Entry], datetime], RuleState] = lambda entries, _: (
            by_commands(entries)
        )
        """Says what holds at a time, by the entries about the rule, and by seasons if there are."""
        self._path = path
        self._outbox = outbox
        self._wake = wake
        self._origin = origin
        self._topic = topic(topic_prefix, origin.device_id, ACKNOWLEDGEMENT)
        self._clock = clock
        self._clock_is_right = clock_is_right
        self._queue: queue.Queue[tuple[HistoryRequest, Noted]] = queue.Queue(ROOM)
        self._recent: dict[str, datetime] = {}
        self._said: Mapping[str, AlertAcknowledgement] = {}
        """What was said last, of each alert of the last weeks; replaced as a whole."""
        self._stamps: tuple[Stamp, ...] = ()
        """Of the file when nothing in it was left to be published."""
        self._trouble = ""
        self._thread = SideThread("clerk", self._run)

    def note(self, request: HistoryRequest, noted: Noted) -> None:
        """Have something written down; `noted` is called when it is, in another thread."""
        if self._thread.is_ending():
            noted(STOPPING)
            return
        try:
            self._queue.put_nowait((request, noted))
        except queue.Full:
            noted(BUSY)
            return
        if self._thread.is_ending():  # meanwhile: the thread may have looked for the last time
            self._turn_away()

    def note_now(self, request: HistoryRequest) -> str:
        """Have something written down, and wait for it; return why it was not."""
        done = threading.Event()
        answers: list[str] = []

        def noted(why_not: str) -> None:
            answers.append(why_not)
            done.set()

        self.note(request, noted)
        return answers[0] if done.wait(WAIT_S) else SLOW

    def said_of(self, events: Collection[str]) -> Mapping[str, AlertAcknowledgement]:
        """Return what was said last of those of these alerts of which anything was said."""
        said = self._said
        return {each: said[each] for each in events if each in said}

    def start(self) -> None:
        self._thread.start()

    def take(self, glance: Glance, telemetry: Telemetry) -> None:
        for violation in glance.decision.violations:
            if violation.state is ViolationState.CONFIRMED:
                self._recent[violation.event_id] = violation.confirmed_at
                if len(self._recent) > RECENT:
                    del self._recent[next(iter(self._recent))]

    def close(self) -> None:
        self._thread.end(CLOSING_S)

    def _run(self) -> None:
        while not self._thread.is_ending():
            try:
                request, noted = self._queue.get(timeout=LOOK_EVERY_S)
            except queue.Empty:
                pass
            else:
                noted(STOPPING if self._thread.is_ending() else self._written(request))
            self._publish_what_is_new()
        self._turn_away()

    def _turn_away(self) -> None:
        """Answer whatever waits still; what comes from now on is answered by `note`."""
        with suppress(queue.Empty):
            while True:
                _, noted = self._queue.get_nowait()
                noted(STOPPING)

    def _written(self, request: HistoryRequest) -> str:
        """Write it down; return why that was not done."""
        now = self._clock.utc()
        try:
            if isinstance(request, Acknowledge):
                said = acknowledge(self._path, request, now, self._recent.copy())
                _log.info(
                    "alert %s acknowledged by %s: %s, %s",
                    *(said.event_id, said.by or "somebody", said.reason, said.remedy),
                )
            else:
                entry = set_rule(
                    self._path, request, now, lambda entries: self.rule_at(entries, now)
                )
                _log.info("the mask rule is %s, by %s", entry.text, entry.by or "somebody")
                self.on_rule()
        except AlreadySoError as error:
            _log.info("%s", error)
        except (NotNotedError, HistoryError) as error:
            return str(error)
        return ""

    def _publish_what_is_new(self) -> None:
        """Put into the outbox what it has not had yet, of this process and of others.

        It is marked only then: what is cut off between the two is published twice, and not never.
        """
        stamps = stamps_of(self._path)
        if not stamps or stamps == self._stamps:
            return
        try:
            with AlertBook(self._path) as book:
                new = book.unpublished()
                for said in new:
                    if self._thread.is_ending():  # the outbox is about to be closed
                        return
                    known = self._recent.get(said.event_id)
                    self._publish(said, known or book.confirmed_at(said.event_id))
                book.mark_published(new)
                self._said = self._last_said(book)
        except HistoryError as error:
            if str(error) != self._trouble:
                _log.warning("acknowledgements are not published: %s", error)
            self._trouble = str(error)
        else:
            self._trouble = ""
            # Of what was written just now, the next write may have the same time.
            if not new and are_settled(stamps):
                self._stamps = stamps

    def _last_said(self, book: AlertBook) -> dict[str, AlertAcknowledgement]:
        said = book.said_since(self._clock.utc() - OPEN_FOR, MOST_SAID)
        for event in self._recent.copy():  # the history may not have them yet
            said += book.said_of(event)
        return {each.event_id: each for each in said}

    def _publish(self, said: AlertAcknowledgement, confirmed_at: datetime | None) -> None:
        is_right = self._clock_is_right()

        def encoded(sequence: int) -> bytes:
            return encode(
                acknowledgement_message(self._origin, said, confirmed_at, sequence, is_right)
            )

        self._outbox.append(self._topic, encoded)
        self._wake()


def open_clerk(
    settings: Settings, outbox: EventStore, wake: Callable[[], None], origin: Origin
) -> Clerk | None:
    """Return the outlet; None where nothing is written down."""
    if not settings.history.enabled:
        return None
    path = settings.outbox.file.with_name(FILE)
    return Clerk(path, outbox, wake, origin, settings.mqtt.topic_prefix)
