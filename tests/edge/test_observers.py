from __future__ import annotations

import threading

from edge.decide.policy import Decision
from edge.observers import Judged, Observers
from edge.pipeline import FrameOutcome
from tests.fakes import frame_at

OUTCOME = FrameOutcome((), Decision())


def test_an_observer_that_is_slow_gets_the_newest_and_holds_up_nobody() -> None:
    observers = Observers()
    slow, fast = observers.join(), observers.join(room=3)
    frames = [frame_at(number) for number in range(3)]
    for frame in frames:
        observers.show(frame, OUTCOME)
    assert slow.take(0) == Judged(frames[-1], OUTCOME)
    assert slow.take(0) is None
    assert slow.missed == 2
    assert [fast.take(0) for _ in frames] == [Judged(frame, OUTCOME) for frame in frames]
    assert fast.missed == 0


def test_who_has_left_gets_nothing_more() -> None:
    observers = Observers()
    gone, here = observers.join(), observers.join()
    observers.leave(gone)
    observers.leave(gone)
    observers.show(frame_at(0), OUTCOME)
    assert gone.take(0) is None
    assert here.take(0) is not None


def test_a_reader_that_waits_is_woken() -> None:
    observers = Observers()
    observer = observers.join()
    taken = []
    reader = threading.Thread(target=lambda: taken.append(observer.take(60)))
    reader.start()
    observers.show(frame_at(0), OUTCOME)
    reader.join(60)
    assert [judged.frame.number for judged in taken if judged] == [0]
