from __future__ import annotations

from edge.page.guard import FREE_TRIES, LONGEST_S, MOST_SESSIONS, SESSION_S, Guard
from tests.fakes import TurnedClock


def test_the_password_opens_a_session_that_ends() -> None:
    clock = TurnedClock()
    guard = Guard("secret", clock)
    session = guard.let_in("192.0.2.1", "secret")
    assert session is not None
    assert guard.knows(session)
    clock.now_s = SESSION_S + 1
    assert not guard.knows(session)


def test_what_is_no_password_or_session_opens_nothing() -> None:
    guard = Guard("secret", TurnedClock())
    for wrong in ("", "Secret", "secret ", "geheim\N{SNOWMAN}"):
        assert guard.let_in("192.0.2.1", wrong) is None
    assert not guard.knows("")
    assert not guard.knows("made up")


def test_whoever_leaves_is_not_known_any_more() -> None:
    guard = Guard("secret", TurnedClock())
    session = guard.let_in("192.0.2.1", "secret")
    assert session is not None
    guard.end(session)
    assert not guard.knows(session)


def test_guessing_becomes_slow_and_the_others_are_not_shut_out() -> None:
    clock = TurnedClock()
    guard = Guard("secret", clock)
    tries = 0
    while clock.now_s < 3600:
        clock.sleep(guard.wait_s("192.0.2.66"))
        guard.let_in("192.0.2.66", "wrong")
        tries += 1
        clock.sleep(0.01)
    assert tries < FREE_TRIES + 10 + 3600 / LONGEST_S
    assert guard.wait_s("192.0.2.1") == 0


def test_whoever_has_many_addresses_is_slow_too() -> None:
    clock = TurnedClock()
    guard = Guard("secret", clock)
    tries = 0
    while clock.now_s < 600:
        address = f"2001:db8::{tries:x}"
        clock.sleep(guard.wait_s(address))
        guard.let_in(address, "wrong")
        tries += 1
    assert tries < 400


def test_sessions_and_guessers_do_not_grow_without_a_bound() -> None:
    guard = Guard("secret", TurnedClock())
    sessions = [guard.let_in("192.0.2.1", "secret") for _ in range(MOST_SESSIONS + 5)]
    known = [session for session in sessions if session is not None and guard.knows(session)]
    assert known == sessions[5:]


def test_without_a_password_everybody_is_let_in() -> None:
    assert Guard("", TurnedClock()).knows("")
