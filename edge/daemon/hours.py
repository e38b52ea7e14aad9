"""The hours of the history as an outlet: each is sent when it is over, until the broker has it.

The history is the queue: an outage of any length delays its hours, and what is sent needs no disk
of its own. They have no sequence of violations, whose gaps mean something else.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from edge.clock import SYSTEM_CLOCK, Clock, clock_synchronised
from edge.config import Settings
from edge.daemon.lookout import Glance
from edge.daemon.side_thread import SideThread
from edge.errors import TensorMaskError
from edge.history.hours import GRACE, HOUR, LOOK_BACK, HourBook, HourOfHistory
from edge.history.store import FILE, HistoryError
from edge.publish.mailbox import Entrusted, Mailbox
from edge.publish.messages import HOUR as KIND
from edge.publish.messages import Origin, encode, hour_message, topic
from edge.publish.publisher import MqttPublisher
from edge.rates import Eyes
from edge.telemetry import Telemetry

TURN_S = 20.0
RETRY_S = 600.0
"""After so long without an answer, an hour is sent again, as it is by then."""
_WAIT_S = 0.4
_CLOSING_S = 0.5


class HourSender:
    """An `Outlet`: a thread of its own reads the history, and waits for the broker."""

    def __init__(
        self,
        history: Path,
        origin: Origin,
        prefix: str,
        mailbox: Mailbox,
        wake: Callable[[], None],
        clock: Clock = SYSTEM_CLOCK,
        clock_is_right: Callable[[], bool] = clock_synchronised,
        eyes: Callable[[], Eyes | None] = lambda: None,
    ) -> None:
        """`wake` has the publisher look into the mailbox. `eyes` returns by what reports of this
        box are corrected; where it raises TensorMaskError, that is not known."""
        self._history = history
        self._origin = origin
        self._topic = topic(prefix, origin.device_id, KIND)
        self._mailbox = mailbox
        self._wake = wake
        self._clock = clock
        self._clock_is_right = clock_is_right
        self._find_eyes = eyes
        self._eyes: Eyes | None = None
        self._done: datetime | None = None
        """The hour in which all was sent last."""
        self._since: datetime | None = None
        """Hours before that were sent, and have not grown; None: that is not known."""
        self._thread = SideThread("hours", self._run)

    def start(self) -> None:
        self._thread.start()

    def take(self, glance: Glance, telemetry: Telemetry) -> None:
        """What was seen comes by the history."""

    def close(self) -> None:
        self._thread.end(_CLOSING_S)

    def send_due(self) -> bool:
        """Send all hours that are due; return whether the broker has taken them.

        Waits for the broker until `close`. Raises HistoryError.
        """
        now = self._clock.utc()
        settled = _hour_of(now - GRACE)
        if settled == self._done:
            return True
        if self._since is not None and now - LOOK_BACK < self._since:
            self._since = None  # the clock was set back: hours before that may have grown
        self._eyes = None
        with suppress(TensorMaskError):  # the doctor says what is wrong with the model
            self._eyes = self._find_eyes()
        while hours := self._due(now):
            for began_at in hours:
                if not self._send(began_at):
                    return False
        with HourBook(self._history) as book:
            first = book.first()
            if first is not None:
                book.forget_sent(first)
        self._done, self._since = settled, now - LOOK_BACK
        return True

    def _due(self, now: datetime) -> list[datetime]:
        with HourBook(self._history) as book:
            return book.due(now, self._since)

    def _send(self, began_at: datetime) -> bool:
        # The history is closed while the broker is awaited: by then its file may be another one.
        while not self._thread.is_ending():
            with HourBook(self._history) as book:
                hour = book.read(began_at)
            if self._is_taken(hour):
                with HourBook(self._history) as book:
                    book.sent(hour)
                return True
        return False

    def _is_taken(self, hour: HourOfHistory) -> bool:
        """Send an hour; return whether the broker has taken it in time."""
        at, is_right = self._clock.utc(), self._clock_is_right()
        content = hour_message(self._origin, hour, at, is_right, self._eyes)
        message = Entrusted(self._topic, encode(content))
        self._mailbox.entrust(message)
        self._wake()
        for _ in range(int(RETRY_S / _WAIT_S)):
            if self._mailbox.await_taken(message, _WAIT_S):
                return True
            if self._thread.is_ending():
                break
        return False

    def _run(self) -> None:
        wait_s = 0.0
        while not self._thread.rest(wait_s):
            wait_s = TURN_S
            with suppress(HistoryError):  # a condition says so where it is written
                self.send_due()


def open_hours(
    settings: Settings,
    publisher: MqttPublisher,
    origin: Origin,
    eyes: Callable[[], Eyes | None],
) -> HourSender:
    """Return the outlet. `eyes` is by what the box's own reports are corrected."""
    return HourSender(
        settings.outbox.file.with_name(FILE),
        origin,
        settings.mqtt.topic_prefix,
        publisher.mailbox,
        publisher.wake,
        eyes=eyes,
    )


def _hour_of(at: datetime) -> datetime:
    return at - (at - datetime.min.replace(tzinfo=at.tzinfo)) % HOUR
