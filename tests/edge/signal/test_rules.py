from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config import SignalSettings
from edge.records import Advice
from edge.signal.rules import SAFE, Levels, Rules, Seen

NOON = datetime(2026, 6, 1, 12)  # noqa: DTZ001 - what a clock on the wall shows
STOP = {Advice.NO_MASK, Advice.WORN_WRONGLY}


@dataclass
class Door:
    """The rules, and what has been on."""

    settings: SignalSettings = field(default_factory=SignalSettings)

    def __post_init__(self) -> None:
        self.rules = Rules(self.settings)

    def says(self, at_s: float, **seen: object) -> Levels:
        self.rules.hear(Seen(at_s, sees=True, **seen))  # type: ignore[arg-type]
        return self.at(at_s)

    def at(self, now_s: float, local: datetime = NOON) -> Levels:
        return self.rules.levels(now_s, local)

    def says_until(self, end_s: float, begin_s: float, **seen: object) -> Levels:
        """Have the same said four times a second."""
        levels = SAFE
        for quarter in range(round(4 * begin_s), round(4 * end_s) + 1):
            levels = self.says(quarter / 4, **seen)
        return levels


def test_before_anything_is_said_all_is_off() -> None:
    assert Door().at(100.0) == SAFE


def test_an_alarm_is_red_and_a_tone_and_red_lasts_as_long_as_the_violation() -> None:
    door = Door()
    door.says(0.0)
    assert door.says(0.1, alarms=1, are_wrong=1) == Levels(red=True, buzzer=True, sounds=1)
    assert door.says_until(60, 1.25, alarms=1, are_wrong=1) == Levels(red=True, sounds=1)
    assert door.says(62.9 - 1, alarms=1).red
    assert not door.says(63.1, alarms=1).red, "it is held for three seconds"


def test_what_was_an_alarm_before_the_connection_is_no_new_one() -> None:
    assert Door().says(0.0, alarms=7, are_wrong=1) == Levels(red=True)


def test_a_tone_is_not_given_again_within_the_pause_and_the_lamp_does_not_wait() -> None:
    door = Door(SignalSettings(pause_s=10))
    door.says(0.0)
    assert door.says(1.0, alarms=1, are_wrong=1).sounds == 1
    assert door.says_until(6.0, 1.25, alarms=1).red is False
    assert door.says(6.25, alarms=2, are_wrong=1) == Levels(red=True, sounds=1)
    assert door.says_until(10.75, 6.5, alarms=2).sounds == 1, "it is not made up for later"
    assert door.says(11.0, alarms=3, are_wrong=1) == Levels(red=True, buzzer=True, sounds=2)


def test_somebody_with_a_mask_is_green_unless_somebody_lacks_one() -> None:
    door = Door()
    assert door.says(0.0, is_masked=True) == Levels(green=True)
    assert door.says(0.5, is_masked=True, are_wrong=1) == Levels(red=True)
    assert door.says_until(3.25, 0.75, is_masked=True).green is False, "red is still held"
    assert door.says(3.75, is_masked=True) == Levels(green=True)
    assert door.says_until(6.5, 4.0) == Levels(green=True)
    assert door.says(6.75) == SAFE
    assert Door(SignalSettings(green="never")).says(0.0, is_masked=True) == SAFE


@pytest.mark.parametrize(
    ("advice", "levels"),
    [
        (Advice.EMPTY, SAFE),
        (Advice.WAIT, SAFE),
        (Advice.GO, Levels(green=True, relay=True)),
        (Advice.NO_MASK, Levels(red=True, buzzer=True, sounds=1)),
        (Advice.WORN_WRONGLY, Levels(red=True, buzzer=True, sounds=1)),
        (Advice.CLOSER, SAFE),
        (Advice.LIGHT, SAFE),
        (Advice.CLOSED, SAFE),
    ],
)
def test_at_a_gate_the_advice_is_followed(advice: Advice, levels: Levels) -> None:
    assert Door().says(0.0, advice=advice) == levels


@pytest.mark.parametrize("other", sorted(set(Advice) - {Advice.GO}))
def test_the_relay_is_off_as_soon_as_anything_else_is_advised(other: Advice) -> None:
    door = Door(SignalSettings(hold_s=30))
    assert door.says(0.0, advice=Advice.GO).relay
    levels = door.says(0.1, advice=other)
    assert (levels.relay, levels.green) == (False, False)


def test_an_alarm_of_somebody_in_the_background_leaves_the_gate_its_lamps() -> None:
    door = Door()
    door.says(0.0, advice=Advice.GO)
    levels = door.says(0.1, advice=Advice.GO, alarms=1, are_wrong=1)
    assert (levels.green, levels.red, levels.relay) == (True, False, True)


@pytest.mark.parametrize("closed", ["dark", "red"])
def test_silence_is_safe_and_stays_so_until_it_is_said_again(closed: str) -> None:
    door = Door(SignalSettings(when_closed=closed, hold_s=30))  # type: ignore[arg-type]
    assert door.says(0.0, advice=Advice.GO).relay
    assert door.at(1.99).relay
    assert door.at(2.0) == Levels(red=closed == "red")
    assert not door.says(9.0, advice=Advice.EMPTY).relay, "a former word does not come back"


def test_silence_that_nobody_looked_at_is_safe_too() -> None:
    door = Door(SignalSettings(hold_s=30))
    assert door.says(0.0, advice=Advice.GO).relay
    assert not door.says(9.0, advice=Advice.EMPTY).relay


def test_a_service_that_has_gone_takes_all_along() -> None:
    door = Door()
    assert door.says(0.0, advice=Advice.GO).relay
    door.rules.lost()
    assert door.at(0.1) == SAFE


def test_what_has_waited_on_the_way_does_not_count_as_said_now() -> None:
    door = Door()
    door.rules.hear(Seen(10.0, sees=True, advice=Advice.GO))
    assert door.at(13.0) == SAFE
    assert door.at(5.0) == SAFE, "nor what comes from another clock"


def test_while_it_is_muted_or_quiet_lamps_are_on_without_a_tone() -> None:
    door = Door(SignalSettings(quiet=("22:00-06:00",)))
    door.says(0.0)
    door.rules.mute(5.0, 0.0)
    assert door.says(1.0, alarms=1, are_wrong=1) == Levels(red=True)
    assert door.rules.muted_for_s(1.0) == 4.0
    assert door.says(5.5, alarms=1, are_wrong=1) == Levels(red=True), "not when it ends either"
    door.rules.hear(Seen(6.0, sees=True, alarms=2, are_wrong=1))
    assert door.at(6.0, NOON.replace(hour=23)) == Levels(red=True)
    assert door.says(7.0, alarms=3, are_wrong=1).buzzer


def test_a_mute_ends_a_tone_and_is_ended_by_another() -> None:
    door = Door()
    door.says(0.0)
    assert door.says(0.1, alarms=1).buzzer
    door.rules.mute(60.0, 0.2)
    assert not door.at(0.2).buzzer
    door.rules.mute(0.0, 0.3)
    assert door.rules.muted_for_s(0.3) is None


STEPS = st.lists(
    st.tuples(
        st.floats(0.01, 4),  # how much later
        st.sampled_from(["says", "looks", "gone", "muted"]),
        st.sampled_from([None, *Advice]),
        st.booleans(),  # it sees
        st.integers(0, 1),  # more alarms
        st.booleans(),  # masked
        st.booleans(),  # wrong
    ),
    max_size=60,
)
SETTINGS = st.builds(
    SignalSettings,
    hold_s=st.floats(0.5, 30),
    pause_s=st.floats(0, 60),
    tone_s=st.floats(0.1, 10),
    safe_after_s=st.floats(1, 5),
    when_closed=st.sampled_from(["dark", "red"]),
)


@given(SETTINGS, STEPS)
def test_whatever_happens_the_relay_is_on_only_for_one_who_may_go(
    settings: SignalSettings,
    steps: Iterable[tuple[float, str, Advice | None, bool, int, bool, bool]],
) -> None:
    rules, now_s, alarms = Rules(settings), 0.0, 0
    last: Seen | None = None
    muted_until_s = float("-inf")
    tones: list[float] = []
    sounds = 0
    for later_s, what, advice, sees, more, masked, wrong in steps:
        now_s += later_s
        if what == "says":
            alarms += more
            last = Seen(now_s, sees, alarms, int(wrong), masked, advice)
            rules.hear(last)
        elif what == "gone":
            rules.lost()
            last = None
        elif what == "muted":
            rules.mute(5.0, now_s)
            muted_until_s = now_s + 5.0
        levels = rules.levels(now_s, NOON)
        is_fresh = last is not None and now_s - last.at_s < settings.safe_after_s
        assert not (levels.green and levels.red)
        if last is None or not is_fresh or not last.sees or last.advice is Advice.CLOSED:
            assert levels == Levels(red=settings.when_closed == "red", sounds=levels.sounds)
        if levels.relay:
            assert last is not None
            assert last.advice is Advice.GO
        if last is not None and is_fresh and last.sees and last.advice in STOP:
            assert levels.red
        if levels.sounds > sounds:
            tones.append(now_s)
        sounds = levels.sounds
        if now_s < muted_until_s:
            assert not levels.buzzer
            assert now_s not in tones
    # The sums of floating point numbers may be off in the last digit.
    assert all(b - a >= settings.pause_s - 1e-6 for a, b in pairwise(tones))
