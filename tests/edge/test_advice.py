from __future__ import annotations

import threading
import time

from edge.advice import STALE_S, AdviceBoard
from edge.records import Advice
from tests.fakes import TurnedClock


def test_it_is_closed_until_something_is_posted() -> None:
    clock = TurnedClock()
    board = AdviceBoard(clock)
    assert board.now().advice is Advice.CLOSED
    clock.now_s = 1
    board.post(Advice.GO)
    assert (board.now().advice, board.now().since_s) == (Advice.GO, 1)


def test_what_is_confirmed_stays_since_it_was_posted_first() -> None:
    clock = TurnedClock()
    board = AdviceBoard(clock)
    board.post(Advice.WAIT)
    first = board.now()
    for clock.now_s in (1.9, 3.8, 5.7):
        board.post(Advice.WAIT)
        assert board.now() == first


def test_an_advice_that_nobody_confirms_is_closed_in_time() -> None:
    clock = TurnedClock()
    board = AdviceBoard(clock)
    board.post(Advice.GO)
    clock.now_s = STALE_S - 0.01
    assert board.now().advice is Advice.GO
    clock.now_s = STALE_S
    closed = board.now()
    assert closed.advice is Advice.CLOSED
    assert closed.number > 1


def test_a_reader_that_waits_gets_each_change_at_once() -> None:
    board = AdviceBoard()
    number = board.now().number
    read = []
    reader = threading.Thread(target=lambda: read.append(board.wait(number, 60)))
    reader.start()
    board.post(Advice.GO)
    reader.join(60)
    assert [each.advice for each in read] == [Advice.GO]
    assert board.wait(number, 0).advice is Advice.GO


def test_a_reader_that_waits_learns_that_the_loop_hangs() -> None:
    board = AdviceBoard()
    board.post(Advice.GO)
    begun_s = time.monotonic()
    assert board.wait(board.now().number, 60).advice is Advice.CLOSED
    assert time.monotonic() - begun_s >= STALE_S - 0.1


def test_waiting_ends_without_a_change() -> None:
    board = AdviceBoard()
    assert board.wait(board.now().number, 0.01) == board.now()
