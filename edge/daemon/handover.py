"""What several cameras bring, on its way from the threads that judge to the loop.

Judging does not wait: turns that decided nothing become one, and only where the loop has not come
round for a whole row of decisions does the next one wait, since none may be lost.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from edge.daemon.lookout import Glance

ROOM = 4
"""Decisions of one camera that may wait, each with the frame that its picture is made of."""


class Handover:
    """Each camera's glances in their order, and the cameras in turn."""

    def __init__(self, names: Iterable[str], room: int = ROOM) -> None:
        self._room = room
        self._waiting: dict[str, deque[Glance]] = {name: deque() for name in names}
        self._turns: deque[str] = deque()
        """Whose turn it is: the names of those that have something."""
        self._change = threading.Condition()
        self._is_closed = False

    def put(self, glance: Glance) -> None:
        """Leave what a turn of the camera has brought."""
        with self._change:
            waiting = self._waiting[glance.camera]
            if waiting and _may_be_one(waiting[-1], glance):
                waiting[-1] = _together(waiting[-1], glance)
            else:
                self._change.wait_for(lambda: len(waiting) < self._room or self._is_closed)
                if not waiting:
                    self._turns.append(glance.camera)
                waiting.append(glance)
            self._change.notify_all()

    def take(self, timeout_s: float) -> Glance | None:
        """Return the next, of the camera whose turn it is; None: none came in time."""
        with self._change:
            self._change.wait_for(lambda: bool(self._turns), timeout_s)
            if not self._turns:
                return None
            name = self._turns.popleft()
            waiting = self._waiting[name]
            glance = waiting.popleft()
            if waiting:
                self._turns.append(name)
            self._change.notify_all()
            return glance

    def close(self) -> None:
        """Let nobody wait any more: the service stops, and takes what there is."""
        with self._change:
            self._is_closed = True
            self._change.notify_all()


def _may_be_one(before: Glance, glance: Glance) -> bool:
    """Return whether the first of the two decided nothing, and the camera has gone on as it did."""
    has_decided = before.decision.visits or before.decision.violations
    return not has_decided and before.watch is glance.watch


def _together(before: Glance, glance: Glance) -> Glance:
    """Return both as one, of which the first decided nothing."""
    return replace(
        glance,
        frame=glance.frame or before.frame,
        watched_s=before.watched_s + glance.watched_s,
        turn_s=before.turn_s + glance.turn_s,
    )
