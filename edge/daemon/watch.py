"""The watch: one camera, judged in the loop's own thread, or several, each judged in its own.

Nothing of a lookout may be read by another thread than its own, so each says once a second how it
does (`LookoutState`).
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Iterator, Sequence
from typing import Protocol

from edge.clock import SYSTEM_CLOCK, Clock
from edge.daemon.handover import Handover
from edge.daemon.lookout import Glance, Lookout, LookoutState
from edge.errors import CameraLostError
from edge.telemetry import CameraState, Pace

_log = logging.getLogger(__name__)

POLL_S = 0.5
"""How long the loop waits for a frame before it does everything else."""
STATE_EVERY_S = 1.0
STUCK_S = 10.0
"""A thread that has not come round for so long does not go on."""
RETRY_S = 30.0
"""One of several cameras that only another process gets back is tried again this often."""
ENDING_S = 2.0
"""How long the last turns of all threads may take when the service stops."""


class Orders(Protocol):
    """What the loop has decided for those who judge: `Device`. For any thread."""

    @property
    def pace(self) -> Pace: ...
    def is_paused_at(self, camera: str) -> bool: ...


class CameraWatch(Protocol):
    """The lookouts of all cameras, as the loop sees them."""

    @property
    def ended(self) -> bool:
        """Whether all sources are over, as clips are at their end."""

    @property
    def camera_states(self) -> tuple[CameraState, ...]:
        """Of each camera, in the order of the settings."""

    @property
    def is_going(self) -> bool:
        """Whether all frames are being judged, or an outage is in hand."""

    def start(self, orders: Orders) -> None: ...

    def look(self, orders: Orders) -> Glance:
        """Return what the next turn of a camera has brought; within half a second, be it nothing.

        Raises what `Camera.read` raises, where no other camera can go on.
        """

    def states(self) -> Sequence[LookoutState]:
        """Return how each camera does, in the order of the settings."""

    def end_visits(self) -> Iterator[Glance]:
        """Nobody is in sight any more: the service stops. Yield what that decides."""

    def close(self, timeout_s: float = 0.0) -> None:
        """Have the cameras given back."""


class SingleWatch:
    """One camera: frames are judged in the loop's own thread."""

    def __init__(self, lookout: Lookout) -> None:
        self.lookout = lookout

    @property
    def ended(self) -> bool:
        return self.lookout.ended

    @property
    def camera_states(self) -> tuple[CameraState, ...]:
        return (self.lookout.camera_state,)

    is_going = True
    """As long as the loop itself goes round."""

    def start(self, orders: Orders) -> None:
        """There is no thread."""

    def look(self, orders: Orders) -> Glance:
        lookout = self.lookout
        is_paused = lambda: orders.is_paused_at(lookout.name)  # noqa: E731
        return lookout.turn(POLL_S, orders.pace, is_paused)

    def states(self) -> Sequence[LookoutState]:
        return (self.lookout.state(),)

    def end_visits(self) -> Iterator[Glance]:
        yield self.lookout.end_visits()

    def close(self, timeout_s: float = 0.0) -> None:
        self.lookout.close(timeout_s)


class ParallelWatch:
    """Several cameras, each judged in a thread of its own. One that is lost stops no other."""

    def __init__(self, lookouts: Sequence[Lookout], clock: Clock = SYSTEM_CLOCK) -> None:
        self._handover = Handover(each.name for each in lookouts)
        self._clock = clock
        self._threads = [JudgingThread(each, self._handover, clock) for each in lookouts]

    @property
    def ended(self) -> bool:
        return all(each.is_over and each.failure is None for each in self._threads)

    @property
    def camera_states(self) -> tuple[CameraState, ...]:
        return tuple(each.state().status.state for each in self._threads)

    @property
    def is_going(self) -> bool:
        return not any(each.is_stuck for each in self._threads)

    def start(self, orders: Orders) -> None:
        for each in self._threads:
            each.start(orders)

    def look(self, orders: Orders) -> Glance:
        glance = self._handover.take(POLL_S)
        self._raise_failures()
        self._end_where_blind()
        return Glance() if glance is None else glance

    def states(self) -> Sequence[LookoutState]:
        return [each.state() for each in self._threads]

    def end_visits(self) -> Iterator[Glance]:
        until_s = self._clock.monotonic_s() + ENDING_S
        for each in self._threads:
            each.stop()
        self._handover.close()
        for each in self._threads:
            each.join(max(0.0, until_s - self._clock.monotonic_s()))
        while (glance := self._handover.take(0)) is not None:
            yield glance
        self._raise_failures()

    def close(self, timeout_s: float = 0.0) -> None:
        until_s = self._clock.monotonic_s() + timeout_s
        for each in self._threads:
            each.stop()
        for each in self._threads:
            each.close(max(0.0, until_s - self._clock.monotonic_s()))

    def _raise_failures(self) -> None:
        for each in self._threads:
            failure, each.failure = each.failure, None
            if failure is not None:
                raise failure

    def _end_where_blind(self) -> None:
        """Raise what wants another process for a camera, where none of the others sees anything."""
        running = [each for each in self._threads if not each.is_over]
        if all(each.is_lost for each in running):
            for each in running:
                if each.given_up is not None:
                    raise each.given_up


class JudgingThread:
    """Judges the frames of one of several cameras. Whatever fails in it ends the service."""

    def __init__(self, lookout: Lookout, handover: Handover, clock: Clock) -> None:
        self.failure: BaseException | None = None
        self.given_up: CameraLostError | None = None
        """Why only another process gets the camera back; None: it gives frames, or this one may."""
        self._lookout = lookout
        self._handover = handover
        self._clock = clock
        self._stop = threading.Event()
        self._turned_s = self._clock.monotonic_s()
        self._retry_s = self._state_due_s = -math.inf
        self._state = lookout.state()
        self._thread: threading.Thread | None = None

    @property
    def is_over(self) -> bool:
        """Whether it has judged its last frame."""
        return self._thread is not None and not self._thread.is_alive()

    @property
    def is_stuck(self) -> bool:
        """Whether it has not come round for long."""
        return not self.is_over and self._clock.monotonic_s() - self._turned_s > STUCK_S

    @property
    def is_lost(self) -> bool:
        return self._state.status.state is CameraState.LOST

    def start(self, orders: Orders) -> None:
        self._turned_s = self._clock.monotonic_s()
        name = f"judge-{self._lookout.name}"
        self._thread = threading.Thread(target=self._run, args=(orders,), name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def join(self, timeout_s: float) -> None:
        if self._thread is not None:
            self._thread.join(timeout_s)

    def close(self, timeout_s: float) -> None:
        """Have the camera given back; not while the thread reads from it."""
        if self._thread is None or not self._thread.is_alive():
            self._lookout.close(timeout_s)

    def state(self) -> LookoutState:
        """Return how the camera does, as of the last second, and whether the thread goes on."""
        return self._state.stuck() if self.is_stuck else self._state

    def _run(self, orders: Orders) -> None:
        try:
            while not (self._stop.is_set() or self._lookout.ended):
                glance = self._turn(orders)
                self._say_state(glance)
                self._handover.put(glance)
                self._turned_s = self._clock.monotonic_s()
            self._handover.put(self._lookout.end_visits())
            self._state = self._lookout.state()
            self._lookout.close()
        except BaseException as error:  # noqa: BLE001 - the loop raises it
            self.failure = error

    def _turn(self, orders: Orders) -> Glance:
        if self._clock.monotonic_s() < self._retry_s:
            self._stop.wait(POLL_S)
            return self._lookout.rest()
        name = self._lookout.name
        try:
            glance = self._lookout.turn(POLL_S, orders.pace, lambda: orders.is_paused_at(name))
        except CameraLostError as error:
            if self.given_up is None:
                _log.warning("camera %s: %s; not while another camera sees", name, error)
            self.given_up = error
            self._retry_s = self._clock.monotonic_s() + RETRY_S
            return self._lookout.rest()
        if glance.frame is not None:
            self.given_up = None
        return glance

    def _say_state(self, glance: Glance) -> None:
        now_s = self._clock.monotonic_s()
        has_changed = self._lookout.camera_state is not self._state.status.state
        if has_changed or now_s >= self._state_due_s or glance.decision.visits:
            self._state = self._lookout.state()
            self._state_due_s = now_s + STATE_EVERY_S
