from __future__ import annotations

import asyncio

import pytest

from edge.page.guard import (
    FORGOTTEN_S,
    FREE_TRIES,
    LONGEST_S,
    MOST_GUESSERS,
    MOST_SESSIONS,
    SESSION_S,
    Admission,
    Guard,
    TooManyError,
    Visitor,
    network_of,
)
from edge.page.password import hashed
from tests import loops
from tests.fakes import TurnedClock

PASSWORD = "open sesame"
HASH = hashed(PASSWORD, b"0123456789abcdef")


class Door:
    """A guard, asked as one request after the other would ask it."""

    def __init__(self, password: str = HASH) -> None:
        self.clock = TurnedClock()
        self.guard = Guard(password, b"key", self.clock)

    def knock(
        self, password: str, address: str = "192.0.2.1", browser: str = ""
    ) -> Admission | None:
        return loops.run(self.guard.admit(Visitor(address, browser=browser), password))


def test_the_password_opens_a_session_that_ends() -> None:
    door = Door()
    admission = door.knock(PASSWORD)
    assert admission is not None
    assert door.guard.knows(admission.session)
    door.clock.now_s = SESSION_S + 1
    assert not door.guard.knows(admission.session)


def test_what_is_no_password_or_session_opens_nothing() -> None:
    for wrong in ("", "Open sesame", f"{PASSWORD} ", "geheim\N{SNOWMAN}", "\udcff", HASH):
        assert Door().knock(wrong) is None
    assert not Door().guard.knows("")
    assert not Door().guard.knows("made up")


def test_a_session_that_was_ended_is_not_known_any_more() -> None:
    door = Door()
    admission = door.knock(PASSWORD)
    assert admission is not None
    door.guard.end(admission.session)
    assert not door.guard.knows(admission.session)


def test_guessing_becomes_slow_and_others_are_not_slowed_down() -> None:
    door = Door()
    tries = 0
    while door.clock.now_s < 3600:
        try:
            assert door.knock("wrong", "192.0.2.66") is None
            tries += 1
        except TooManyError as late:
            door.clock.sleep(late.wait_s)
    assert tries < FREE_TRIES + 10 + 3600 / LONGEST_S
    assert door.knock(PASSWORD, "192.0.2.1") is not None


def test_who_guesses_for_a_day_waits_for_a_minute_each_time() -> None:
    door = Door("no hash: it costs nothing to compare with")
    for _ in range(24 * 60):
        assert door.knock("wrong") is None
        door.clock.now_s += LONGEST_S
    door.knock("wrong")
    with pytest.raises(TooManyError) as late:
        door.knock("wrong")
    assert late.value.wait_s == LONGEST_S


def test_wrong_passwords_are_forgotten_after_an_hour() -> None:
    door = Door()
    for _ in range(2):
        for _ in range(FREE_TRIES + 1):
            assert door.knock("wrong") is None
        with pytest.raises(TooManyError):
            door.knock(PASSWORD)
        door.clock.now_s += FORGOTTEN_S + LONGEST_S


def test_one_ipv6_network_is_one_guesser() -> None:
    door = Door()
    refused = 0
    for number in range(20):
        try:
            door.knock("wrong", f"2001:db8:1:2::{number:x}")
        except TooManyError:
            refused += 1
    assert refused == 20 - FREE_TRIES - 1
    assert door.knock(PASSWORD, "2001:db8:1:3::1") is not None


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unix", "unix"),
    ],
)
def test_a_source_is_an_address_or_a_64(address: str, network: str) -> None:
    assert network_of(address) == network


def test_a_known_browser_gets_in_while_its_network_is_slowed_down() -> None:
    door = Door()
    admission = door.knock(PASSWORD)
    assert admission is not None
    for _ in range(FREE_TRIES + 1):
        door.knock("wrong")
    with pytest.raises(TooManyError):
        door.knock(PASSWORD)
    assert door.knock(PASSWORD, browser=admission.browser) is not None


def test_a_known_browser_that_guesses_is_slowed_down_too() -> None:
    door = Door()
    admission = door.knock(PASSWORD)
    assert admission is not None
    for _ in range(FREE_TRIES + 1):
        door.knock("wrong", browser=admission.browser)
    with pytest.raises(TooManyError):
        door.knock(PASSWORD, browser=admission.browser)


def test_no_browser_is_known_by_a_cookie_of_its_own_or_of_another_password() -> None:
    door = Door()
    for made_up in ("", ".", "name.", "name.0123", "\udcff.\udcff"):
        assert not door.guard.knows_browser(made_up)
    admission = door.knock(PASSWORD)
    assert admission is not None
    assert door.guard.knows_browser(admission.browser)
    assert not Door(hashed("another one", b"salt")).guard.knows_browser(admission.browser)


def test_guesses_at_the_same_moment_are_counted_before_they_are_looked_at() -> None:
    door = Door()

    async def all_at_once() -> list[object]:
        knocks = [door.guard.admit(Visitor("192.0.2.66"), "wrong") for _ in range(100)]
        return await asyncio.gather(*knocks, return_exceptions=True)

    answers = loops.run(all_at_once())
    assert answers.count(None) <= FREE_TRIES + 1
    assert all(each is None or isinstance(each, TooManyError) for each in answers)


def test_sessions_and_guessers_do_not_grow_without_a_bound() -> None:
    door = Door()
    sessions = [door.guard._new_session() for _ in range(MOST_SESSIONS + 5)]
    assert [each for each in sessions if door.guard.knows(each)] == sessions[5:]
    for number in range(MOST_GUESSERS + 5):
        door.guard._counted(f"192.0.2.{number}", is_busy=False)
    assert len(door.guard._guessers) == MOST_GUESSERS


def test_without_a_password_everybody_is_let_in() -> None:
    assert Guard("", b"key", TurnedClock()).knows("")
