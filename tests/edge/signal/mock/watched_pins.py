"""A pin of gpiozero's mock that others can watch: what is written to it is a line in a file.

gpiozero finds it by its own entry point, so nothing of this is in the program. Like a Raspberry
Pi's kernel, the file keeps the last level when the process ends, whatever has ended it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from gpiozero.pins.mock import MockPin

FOLDER = Path(os.environ.get("WATCHED_PINS", "/srv/pins"))
"""Has a file `levels`; a file `pressed` stands for the finger at the button."""


class WatchedPin(MockPin):  # type: ignore[misc] # without types
    def _set_state(self, value: float) -> None:
        super()._set_state(value)
        with (FOLDER / "levels").open("a") as file:
            file.write(f"{time.monotonic():.3f} {self.info.name} {int(value)}\n")

    def _get_state(self) -> bool:
        if self.function == "input":
            return not (FOLDER / "pressed").exists()
        return bool(super()._get_state())
