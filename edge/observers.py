"""Who else looks at what was judged: through a bounded queue, so that judging waits for nobody."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from edge.pipeline import FrameOutcome
from edge.records import Frame


@dataclass(frozen=True, slots=True)
class Judged:
    """A frame, and what became of it. The pixels are everybody's: nobody writes into them."""

    frame: Frame
    outcome: FrameOutcome


class Observer:
    """One reader's queue: what it does not take in time is replaced by what is newer."""

    def __init__(self, room: int) -> None:
        self.missed = 0
        """How many were replaced before they were taken."""
        self._waiting: deque[Judged] = deque(maxlen=room)
        self._arrived = threading.Condition()

    def take(self, timeout_s: float) -> Judged | None:
        """Return the oldest that waits, or wait for one; None: none came in time."""
        with self._arrived:
            self._arrived.wait_for(lambda: bool(self._waiting), timeout_s)
            return self._waiting.popleft() if self._waiting else None

    def put(self, judged: Judged) -> None:
        """Leave it for the reader, at once."""
        with self._arrived:
            self.missed += len(self._waiting) == self._waiting.maxlen
            self._waiting.append(judged)
            self._arrived.notify()


class Observers:
    """The readers there are; any thread may join and leave."""

    def __init__(self) -> None:
        self._observers: tuple[Observer, ...] = ()
        self._change = threading.Lock()

    def join(self, room: int = 1) -> Observer:
        """Return a new reader's queue, with room for this many frames: each holds its pixels."""
        observer = Observer(room)
        with self._change:
            self._observers = (*self._observers, observer)
        return observer

    def leave(self, observer: Observer) -> None:
        """Nothing more comes there; a second time it does nothing."""
        with self._change:
            self._observers = tuple(each for each in self._observers if each is not observer)

    def show(self, frame: Frame, outcome: FrameOutcome) -> None:
        """Pass on what was judged. Without readers this costs nothing."""
        for observer in self._observers:
            observer.put(Judged(frame, outcome))
