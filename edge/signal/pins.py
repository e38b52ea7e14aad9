"""The pins, by gpiozero: outputs that are off until they are switched on, and one button.

Nothing is left to gpiozero's way out: it would leave the lines floating. What is left behind is an
output that is off, see `leave`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Protocol

from edge.config import SignalSettings
from edge.config.signal import OUTPUTS
from edge.errors import MissingPackageError, TensorMaskError
from edge.packages import as_missing
from edge.signal.rules import SAFE, Levels

FACTORY = "GPIOZERO_PIN_FACTORY"
"""gpiozero's own variable: another kind of pins, for who has no Raspberry Pi."""
LGPIO = (
    "the package python3-lgpio is missing, which switches the pins; install it: "
    "sudo apt-get install python3-lgpio, then: sudo systemctl restart tensormask-signal"
)
_ALLOWED = "is this user in the group gpio? ls -l /dev/gpiochip*; journalctl -u tensormask-signal"


class PinError(TensorMaskError):
    """Look at the pins: they are not there, not ours to switch, or another program's."""


class DrivenPin(Protocol):
    """One output, as gpiozero has it."""

    def on(self) -> None: ...
    def off(self) -> None: ...


class Pins:
    """The outputs that are connected, all off at first, and the button."""

    def __init__(self, outputs: Mapping[str, DrivenPin], button: Any | None) -> None:
        """`button`: has `is_active`; None: there is none."""
        self._outputs = outputs
        self._button = button
        self._shown: Levels | None = None
        self.show(SAFE)

    def show(self, levels: Levels) -> None:
        """Switch; the relay first where it goes off, and last where it goes on."""
        if levels == self._shown:
            return
        order = OUTPUTS if levels.relay else reversed(OUTPUTS)
        for name in order:
            if (output := self._outputs.get(name)) is not None:
                output.on() if getattr(levels, name) else output.off()
        self._shown = levels

    @property
    def is_pressed(self) -> bool:
        return self._button is not None and bool(self._button.is_active)


def open_pins(settings: SignalSettings, environment: Mapping[str, str] = os.environ) -> Pins:
    """Take the pins, all outputs off. Raises MissingPackageError and PinError."""
    if not any((settings.button_pin, *(settings.pin(each) for each in OUTPUTS))):
        return Pins({}, None)  # a loudspeaker alone needs no Raspberry Pi
    try:
        import gpiozero
    except ImportError as error:
        raise as_missing(error) or error from None
    try:
        # Named, for gpiozero would try others, of which some write to the processor's registers
        # and leave the lines as they are when the process ends.
        factory = None if FACTORY in environment else _lgpio()
        outputs: dict[str, DrivenPin] = {
            each: gpiozero.OutputDevice(
                settings.pin(each),
                active_high=each not in settings.active_low,
                initial_value=False,
                pin_factory=factory,
            )
            for each in OUTPUTS
            if settings.pin(each)
        }
        button = settings.button_pin and gpiozero.InputDevice(
            settings.button_pin, pull_up=True, pin_factory=factory
        )
    except MissingPackageError:
        raise
    # lgpio raises an Exception of its own, gpiozero RuntimeErrors.
    except Exception as error:
        raise PinError(f"the pins cannot be used: {_in_words(error)}") from error
    return Pins(outputs, button or None)


def _lgpio() -> Any:
    try:
        from gpiozero.pins.lgpio import LGPIOFactory
    except ImportError as error:
        if getattr(error, "name", "") == "lgpio":
            raise MissingPackageError(LGPIO) from None
        raise
    return LGPIOFactory()


def _in_words(error: Exception) -> str:
    said = " ".join(str(error).split()) or type(error).__name__
    if "Pi revision" in said:
        return "this is no Raspberry Pi"
    if "busy" in said.lower():
        return "another program has one of them (GPIO busy); see: sudo gpioinfo"
    if "gpiochip" in said or isinstance(error, PermissionError):
        return f"{said}; {_ALLOWED}"
    return said


def leave(pins: Pins) -> None:
    """Switch everything off, and leave it so.

    The process is to end by `os._exit`: gpiozero would make inputs of the outputs, which float.
    """
    pins.show(SAFE)
