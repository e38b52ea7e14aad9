"""What several cameras bring, on its way from the threads that judge to the loop.

Judging does not wait: turns that decided nothing become one, and only where the loop has not come
round for a whole row of decisions does the next one wait, since none may be lost. The loop does not
come round for every frame, either: it would take Python's lock from those who judge.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from edge.daemon.lookout import Glance

ROOM = 4
"""Decisions of one camera that may wait, each with the frame that its picture is made of."""
GATHER_S = 0.1
"""So long, turns that decided nothing are waited for, until they are taken as one."""


class Handover:
    """Each camera's glances in their order, and the cameras in turn."""

    def __init__(self, names: Iterable[str], room: int = ROOM) -> None:
        self._room = room
        self._waiting: dict[str, deque[Glance]] = {name: deque() for name in names}
        self._turns: deque[str] = deque()
        """Whose turn it is: the names of those that have something."""
        self._decided = 0
        """How many of those that wait have decided something."""
        self._in_round = 0
        """How many may still be taken until turns are waited for again."""
        self._change = threading.Condition()
        self._is_closed = False

    def put(self, glance: Glance) -> None:
        """Leave what a turn of the camera has brought."""
        with self._change:
            waiting = self._waiting[glance.camera]
            if waiting and _may_be_one(waiting[-1], glance):
                waiting[-1] = _together(waiting[-1], glance)
                is_first = False
            else:
                self._change.wait_for(lambda: len(waiting) < self._room or self._is_closed)
                is_first = not self._turns
                if not waiting:
                    self._turns.append(glance.camera)
                waiting.append(glance)
            self._decided += _has_decided(glance)
            if is_first or _has_decided(glance):
                self._change.notify_all()

    def take(self, timeout_s: float) -> Glance | None:
        """Return the next, of the camera whose turn it is; None: none came in time.

        What has decided something is returned at once, and anything where `timeout_s` is 0.
        """
        with self._change:
            self._change.wait_for(lambda: bool(self._turns), timeout_s)
            if not self._turns:
                return None
            if not self._in_round:
                self._change.wait_for(
                    lambda: self._decided > 0 or self._is_closed, min(timeout_s, GATHER_S)
                )
                self._in_round = len(self._turns)
            self._in_round -= 1
            name = self._turns.popleft()
            waiting = self._waiting[name]
            glance = waiting.popleft()
            self._decided -= _has_decided(glance)
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
    return not _has_decided(before) and before.watch is glance.watch


def _has_decided(glance: Glance) -> bool:
    return bool(glance.decision.visits or glance.decision.violations)


def _together(before: Glance, glance: Glance) -> Glance:
    """Return both as one, of which the first decided nothing."""
    return replace(
        glance,
        frame=glance.frame or before.frame,
        watched_s=before.watched_s + glance.watched_s,
        turn_s=before.turn_s + glance.turn_s,
    )
