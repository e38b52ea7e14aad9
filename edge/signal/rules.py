"""What is on at the door: from what the service sees, the button and the time.

Pure: time comes from outside. All that it takes to switch the relay on has to be said again within
`safe_after_s`; what is silent, old or from the future switches it off.
"""

from __future__ import annotations

import math
from datetime import datetime

import msgspec

from edge.config import SignalSettings
from edge.records import Advice

_CLOCK_SLACK_S = 0.1


class Seen(msgspec.Struct, frozen=True):
    """What the service's loop knows at one moment."""

    at_s: float
    """By CLOCK_MONOTONIC, which all processes of a machine share."""
    sees: bool = False
    """Somebody who stood there would be judged."""
    alarms: int = 0
    """Violations that were confirmed since the service's start."""
    are_wrong: int = 0
    """Of these, those that are not over."""
    is_masked: bool = False
    """Somebody in sight certainly wears a mask."""
    advice: Advice | None = None
    """In station mode: what the person before the camera is to do. None: it is off."""


class Levels(msgspec.Struct, frozen=True):
    """What is on."""

    green: bool = False
    red: bool = False
    buzzer: bool = False
    relay: bool = False
    sounds: int = 0
    """How many sounds were begun since the start; one more begins the next."""


SAFE = Levels()
"""All off: what holds while no program runs, too."""
_STOP = (Advice.NO_MASK, Advice.WORN_WRONGLY)


class Rules:
    """Tells what is on; `levels` is to be asked whenever something came, and often."""

    def __init__(self, settings: SignalSettings) -> None:
        self._settings = settings
        self._quiet = settings.quiet_hours
        self._seen: Seen | None = None
        self._alarms: int | None = None
        """How many of the service's are known; None: it has just come."""
        self._was_stop = False
        self._is_due = False
        """A tone: its reason is new, and it was neither given nor withheld."""
        self._green_until_s = self._red_until_s = -math.inf
        self._tone_until_s = self._tone_after_s = self._muted_until_s = -math.inf
        self._sounds = 0

    def hear(self, seen: Seen) -> None:
        """Take in what the service says."""
        before = self._seen
        if before is not None and seen.at_s < before.at_s:
            return  # it has waited on the way
        if before is None or seen.at_s - before.at_s >= self._settings.safe_after_s:
            self._forget()
        is_stop = seen.sees and seen.advice in _STOP
        if seen.advice is None and self._alarms is not None and seen.alarms > self._alarms:
            self._is_due = True
            self._red_until_s = seen.at_s + self._settings.hold_s
        self._is_due |= is_stop and not self._was_stop
        self._alarms, self._was_stop, self._seen = seen.alarms, is_stop, seen
        if not seen.sees or seen.advice is Advice.CLOSED:
            self._forget()
        elif seen.advice is None:
            self._hear_of_all(seen)
        else:
            self._forget_lamps()  # at a gate the advice is all that counts

    def _hear_of_all(self, seen: Seen) -> None:
        """Without a gate: all who are in sight count."""
        until_s = seen.at_s + self._settings.hold_s
        if seen.are_wrong:
            self._red_until_s = until_s
        if seen.at_s < self._red_until_s:
            self._green_until_s = -math.inf
        elif seen.is_masked and self._settings.green == "masked":
            self._green_until_s = until_s

    def lost(self) -> None:
        """The service has gone: nothing holds that it said."""
        self._seen = self._alarms = None
        self._was_stop = False
        self._forget()

    def mute(self, for_s: float, now_s: float) -> None:
        """Make no sound for so long; 0: from now on again."""
        self._muted_until_s = now_s + for_s

    def muted_for_s(self, now_s: float) -> float | None:
        """Return how long no sound is made; None: sounds are made."""
        left_s = self._muted_until_s - now_s
        return left_s if left_s > 0 else None

    def levels(self, now_s: float, local: datetime) -> Levels:
        """Return what is on; `local` is what a clock on the wall shows."""
        seen = self._fresh(now_s)
        if seen is None or not seen.sees or seen.advice is Advice.CLOSED:
            self._forget()
            return Levels(red=self._settings.when_closed == "red", sounds=self._sounds)
        may_go = seen.advice is Advice.GO
        is_red = seen.advice in _STOP or now_s < self._red_until_s
        is_green = not is_red and (may_go or now_s < self._green_until_s)
        buzzer = self._tone(now_s, is_silent=self._is_silent(now_s, local))
        return Levels(is_green, is_red, buzzer, may_go, self._sounds)

    def _fresh(self, now_s: float) -> Seen | None:
        if self._seen is None:
            return None
        age_s = now_s - self._seen.at_s
        return self._seen if -_CLOCK_SLACK_S <= age_s < self._settings.safe_after_s else None

    def _forget(self) -> None:
        self._forget_lamps()
        self._is_due = False
        self._tone_until_s = -math.inf

    def _forget_lamps(self) -> None:
        self._green_until_s = self._red_until_s = -math.inf

    def _is_silent(self, now_s: float, local: datetime) -> bool:
        return self.muted_for_s(now_s) is not None or self._quiet.contain(local)

    def _tone(self, now_s: float, *, is_silent: bool) -> bool:
        if is_silent:
            self._tone_until_s = -math.inf
        elif self._is_due and now_s >= self._tone_after_s:
            self._sounds += 1
            self._tone_until_s = now_s + self._settings.tone_s
            self._tone_after_s = now_s + self._settings.pause_s
        self._is_due = False
        return now_s < self._tone_until_s
