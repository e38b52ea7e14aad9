"""The lamps, sounds and the relay at the door: do they work?"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

from edge.commands.doctor.finding import Finding, well, wrong
from edge.conditions import Code
from edge.config import SignalSettings
from edge.config.signal import OUTPUTS
from edge.signal.pins import LGPIO
from edge.signal.sound import sound_trouble
from edge.telemetry import Telemetry


def lamps(settings: SignalSettings | None, telemetry: Telemetry | None) -> Iterator[Finding]:
    """Return how they do, where they are enabled.

    The running service says so; without one, what they need is looked for.
    """
    state = None if telemetry is None else telemetry.signal
    if state is not None and state.trouble:
        yield wrong("signal", Code.SIGNAL_FAILING, trouble=state.trouble)
    elif state is not None:
        yield well("signal", state.in_words)
    elif telemetry is None and settings is not None and settings.enabled:
        yield from _needs(settings)


def _needs(settings: SignalSettings) -> Iterator[Finding]:
    has_pins = settings.button_pin or any(settings.pin(each) for each in OUTPUTS)
    lacking = [
        *([LGPIO] if has_pins and importlib.util.find_spec("lgpio") is None else []),
        sound_trouble(settings.sound),
    ]
    lacking = [each for each in lacking if each]
    for each in lacking:
        yield wrong("signal", Code.SIGNAL_FAILING, "", trouble=each)
    if not lacking:
        yield well("signal", "what the lamps need is installed")
