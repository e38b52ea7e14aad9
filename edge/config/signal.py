"""The section about lamps, sounds and a relay at the door."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from edge.config.hours import Hours, HourTexts
from edge.config.section import Section
from edge.installed import hiding

Pin = Annotated[int, msgspec.Meta(ge=0, le=27)]
"""The number of a GPIO as the processor counts them (BCM), not that of the header; 0: none."""
Output = Literal["green", "red", "buzzer", "relay"]
OUTPUTS: tuple[Output, ...] = ("green", "red", "buzzer", "relay")
TONE = "tone"
EEPROM_PIN = 1
"""This one and 0 are for the EEPROM of an add-on board."""
PULLED_UP = range(9)
"""These are pulled up, weakly, from power-on until a program takes them; all others are pulled
down: BCM2835 ARM Peripherals, Alternative Function Assignments; RP1 Peripherals, GPIO functions."""
_WITH_RESISTOR = (2, 3)
"""And these have a resistor of 1.8 kOhm to 3.3 V, for I2C."""


class SignalSettings(Section, frozen=True):
    """What is switched at the door."""

    enabled: bool = False
    green_pin: Pin = 0
    red_pin: Pin = 0
    buzzer_pin: Pin = 0
    relay_pin: Pin = 0
    """Of a gate; on in station mode only, and then for a person who may go."""
    button_pin: Pin = 0
    """Mutes the sound; connects to ground while it is pressed."""
    active_low: tuple[Output, ...] = ()
    """Outputs that are switched on by 0 V."""
    green: Literal["masked", "never"] = "masked"
    """`masked`: on while somebody wears a mask and nobody lacks one."""
    when_closed: Literal["dark", "red"] = "dark"
    """The lamps while nobody can be judged."""
    hold_s: Annotated[float, msgspec.Meta(ge=0.5, le=30)] = 3.0
    """A lamp stays on for so long after its reason has gone; in station mode `[station] hold_s`."""
    tone_s: Annotated[float, msgspec.Meta(ge=0.1, le=10)] = 1.0
    """How long the buzzer sounds."""
    sound: Annotated[str, msgspec.Meta(max_length=200)] = ""
    """A WAV file, or `tone`, for a loudspeaker; empty: none."""
    sound_device: Annotated[str, msgspec.Meta(pattern=r"^[\w:,=.\-]*$", max_length=80)] = ""
    """Of ALSA, as `aplay -L` lists them; empty: its default."""
    pause_s: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 10.0
    """From one tone to the next, at least. The lamps do not wait."""
    mute_s: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 300.0
    """How long the button and the page mute the sound."""
    quiet: HourTexts = ()
    """Hours without sound, in the box's local time."""
    safe_after_s: Annotated[float, msgspec.Meta(ge=1, le=5)] = 2.0
    """Without a word from the service for so long: relay and sound off, lamps as `when_closed`."""

    def pin(self, output: Output) -> int:
        """Return an output's pin; 0: it is not connected."""
        return int(getattr(self, f"{output}_pin"))

    @property
    def quiet_hours(self) -> Hours:
        return Hours.parsed(self.quiet, "quiet")

    def __post_init__(self) -> None:
        taken: dict[int, str] = {}
        for key, pin in self._pins():
            if pin == EEPROM_PIN:
                raise ValueError(f"{key}: GPIO 1 is for add-on boards; choose one of 4 to 27")
            if pin in taken:
                raise ValueError(f"{key}: GPIO {pin} is {taken[pin]} already; each has its own pin")
            taken[pin] = key
            if pin in _WITH_RESISTOR and key != "button_pin":
                raise ValueError(
                    f"{key}: GPIO {pin} has a resistor to 3.3 V, which would switch it on before "
                    "the program starts; choose one of 4 to 27"
                )
        self._refuse_relay_that_closes_by_itself()
        _ = self.quiet_hours
        if self.sound not in ("", TONE):
            self._refuse_sound()
        outputs = (each for each in OUTPUTS if self.pin(each))
        if self.enabled and not (next(outputs, None) or self.sound):
            raise ValueError("enabled: neither a pin nor a sound is set; set red_pin, say")

    def _pins(self) -> Iterator[tuple[str, int]]:
        for each in (*OUTPUTS, "button"):
            key = f"{each}_pin"
            if pin := int(getattr(self, key)):
                yield key, pin

    def _refuse_relay_that_closes_by_itself(self) -> None:
        pin, is_low = self.relay_pin, "relay" in self.active_low
        if pin and (pin in PULLED_UP) is not is_low:
            pulled, wanted = ("up", "9 to 27") if pin in PULLED_UP else ("down", "4 to 8")
            raise ValueError(
                f"relay_pin: GPIO {pin} is pulled {pulled} while no program runs, which would open "
                f"the gate; choose one of {wanted}"
            )

    def _refuse_sound(self) -> None:
        path = Path(self.sound)
        if not path.is_absolute() or path.suffix.lower() != ".wav":
            raise ValueError('sound: "tone", or the whole path of a file .wav: "/srv/bell.wav"')
        if (folder := hiding(path)) is not None:
            raise ValueError(f"sound: the program does not see {folder}; put the file into /srv")
