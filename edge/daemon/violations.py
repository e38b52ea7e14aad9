"""Violations as documents for the broker: what was begun is ended, by this run or by the next."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

from edge.privacy.picture import Photographer
from edge.publish.messages import (
    VIOLATION,
    Origin,
    encode,
    topic,
    violation_message,
    with_sequence,
)
from edge.publish.outbox.unended import Unended
from edge.records import Frame, Violation, ViolationState
from edge.telemetry import OutboxState

_log = logging.getLogger(__name__)


class EventStore(Protocol):
    """What keeps events until they are delivered: `Outbox`."""

    def append(
        self,
        topic: str,
        encode: Callable[[int], bytes],
        *,
        begins: Unended | None = ...,
        ends: str | None = ...,
    ) -> int: ...
    def left_open(self) -> Sequence[Unended]: ...
    def state(self) -> OutboxState: ...
    def close(self) -> None: ...


class ViolationReporter:
    """Puts into the outbox what was decided, and says so in the log."""

    def __init__(
        self,
        outbox: EventStore,
        wake: Callable[[], None],
        origin: Origin,
        topic_prefix: str,
        photographers: Mapping[str, Photographer],
        clock_is_right: Callable[[], bool],
        cameras: Mapping[str, str],
    ) -> None:
        """`wake` has the publisher look into the outbox. `photographers` are by camera; without one
        no picture goes. `cameras` have their zones, which are empty where it is the device's."""
        self._outbox = outbox
        self._wake = wake
        self._origin = origin
        self._topic = topic(topic_prefix, origin.device_id, VIOLATION)
        self._photographers = photographers
        self._origins = {
            name: replace(origin, zone=zone or origin.zone) for name, zone in cameras.items()
        }
        self._clock_is_right = clock_is_right
        self._misdated: set[str] = set()
        """Events confirmed by a clock that was not right, until they have ended."""

    def take(
        self, violations: Sequence[Violation], frame: Frame | None, camera: str = ""
    ) -> bytes | None:
        """Pass on what was decided at a camera; `frame` is the one that confirmed it.

        Returns the snapshot that went along, for others to use: covering heads takes a while.
        """
        snapshot, photographer = None, self._photographers.get(camera)
        if (
            frame is not None
            and photographer is not None
            and any(violation.state is ViolationState.CONFIRMED for violation in violations)
        ):
            snapshot = photographer.take(frame)
        for violation in violations:
            is_new = violation.state is ViolationState.CONFIRMED
            self._accept(violation, snapshot if is_new else None, camera)
        return snapshot

    def end_left_open(self) -> None:
        """Report the end of what the last run has begun and was cut off from."""
        for event in self._outbox.left_open():
            numbered = partial(with_sequence, event.payload)
            sequence = self._outbox.append(event.topic, numbered, ends=event.event_id)
            _log.warning(
                "violation ended: the program was cut off before it saw the end; message %d of "
                "event %s%s",
                sequence,
                event.event_id,
                self._place(),
            )
            self._wake()

    def _accept(self, violation: Violation, snapshot: bytes | None, camera: str) -> None:
        # All times of an event are those of the clock as it was when the event was confirmed.
        if violation.state is ViolationState.CONFIRMED and not self._clock_is_right():
            self._misdated.add(violation.event_id)
        dated_right = violation.event_id not in self._misdated
        if violation.state is ViolationState.ENDED:
            self._misdated.discard(violation.event_id)

        origin = self._origins.get(camera, self._origin)

        def encoded(sequence: int) -> bytes:
            message = violation_message(
                origin, violation, sequence, dated_right, snapshot, camera=camera
            )
            return encode(message)

        if violation.state is ViolationState.CONFIRMED:
            end = self._end_if_cut_off(origin, violation, dated_right, camera)
            begun = Unended(violation.event_id, self._topic, end)
            sequence = self._outbox.append(self._topic, encoded, begins=begun)
        else:
            sequence = self._outbox.append(self._topic, encoded, ends=violation.event_id)
        # Only now: what the log names without "in memory", no crash can take any more.
        _log.info(
            "%sviolation %s: person %d, %.1f s, %.0f %% sure; message %d of event %s%s",
            f"camera {camera}: " if camera else "",
            violation.state,
            violation.track_id,
            violation.duration_s,
            100 * violation.probability,
            sequence,
            violation.event_id,
            self._place(),
        )
        self._wake()

    def _end_if_cut_off(
        self, origin: Origin, violation: Violation, dated_right: bool, camera: str
    ) -> bytes:
        """Return the document that the next run tells, should this one not come to the end.

        The last sight that is certain then is that of the confirmation: a later one would have to
        be written down all the time.
        """
        ended = replace(violation, state=ViolationState.ENDED, ended_at=violation.confirmed_at)
        return encode(
            violation_message(origin, ended, 1, dated_right, interrupted=True, camera=camera)
        )

    def _place(self) -> str:
        """Say of the document that was just accepted where it is, unless that is the disk."""
        return ", in memory" if self._outbox.state().is_refused else ""
