"""The process at the pins as systemd starts it, on mock pins, and loops that speak to it."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from edge.clock import SYSTEM_CLOCK
from edge.config import SignalSettings
from edge.daemon.lamp import SignalOutlet
from edge.daemon.lookout import Glance
from edge.decide.policy import Decision
from edge.observers import Observers
from edge.pipeline import FrameOutcome
from edge.records import Advice
from edge.telemetry import Telemetry
from tests.edge.samples import TELEMETRY
from tests.fakes import frame_at
from tests.processes import Running
from tests.waiting import until

MOCK = Path(__file__).with_name("mock")
PINS = {"green": 17, "red": 27, "buzzer": 22, "relay": 10}
BUTTON = 23
WIRED = {f"{name}_pin": pin for name, pin in PINS.items()} | {"button_pin": BUTTON}
SLACK_S = 0.6
"""For a turn of the process, one of the loop, and a busy machine."""


@dataclass(frozen=True)
class Written:
    """One level that was written to a pin."""

    at_s: float
    name: str
    is_on: bool


class Pins:
    """What an observer with a meter sees."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def written(self) -> list[Written]:
        try:
            lines = (self._folder / "levels").read_text().splitlines()
        except FileNotFoundError:
            return []
        names = {f"GPIO{pin}": name for name, pin in PINS.items()}
        words = (line.split() for line in lines)
        return [Written(float(at), names[pin], level == "1") for at, pin, level in words]

    def on(self) -> set[str]:
        """Return which outputs are on now, whether or not a process holds them."""
        levels = {each.name: each.is_on for each in self.written()}
        return {name for name, is_on in levels.items() if is_on}

    def since_when(self, name: str) -> float:
        """Return since when an output is as it is."""
        of_it = [each for each in self.written() if each.name == name]
        changes = [a for a, b in zip(of_it[1:], of_it, strict=False) if a.is_on != b.is_on]
        return (changes or of_it)[-1].at_s

    def press(self) -> None:
        (self._folder / "pressed").touch()

    def let_go(self) -> None:
        (self._folder / "pressed").unlink()


@dataclass
class Door:
    """The process, its pins, and where the loop listens."""

    folder: Path
    settings: dict[str, object] = field(default_factory=lambda: dict(WIRED))

    def __post_init__(self) -> None:
        self.pins = Pins(self.folder)
        self.socket = self.folder / "signal" / "daemon.sock"
        self.config = self.folder / "tensormask.toml"
        keys = "".join(f"{key} = {_toml(value)}\n" for key, value in self.settings.items())
        self.config.write_text(
            f'[mqtt]\nhost = "h"\n[station]\nenabled = true\n[signal]\nenabled = true\n{keys}'
        )
        self.config.chmod(0o600)

    @property
    def signal(self) -> SignalSettings:
        return SignalSettings(enabled=True, **self.settings)  # type: ignore[arg-type]

    def words(self, *options: str) -> list[str]:
        config, daemon = ("--config", str(self.config)), ("--daemon", str(self.socket))
        return [sys.executable, "-m", "edge.signal", *config, *daemon, *options]

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "GPIOZERO_PIN_FACTORY": "mock",
            "GPIOZERO_MOCK_PIN_CLASS": "watchedpin",
            "PYTHONPATH": f"{MOCK}:{Path.cwd()}",
            "WATCHED_PINS": str(self.folder),
        }

    @contextmanager
    def process(self) -> Iterator[Running]:
        """Start it, and wait until it holds the pins."""
        before = len(self.pins.written())
        with Running(self.words(), env=self.environment) as process:
            until(lambda: len(self.pins.written()) >= before + 4, "it holds the pins")
            yield process
            process.kill()

    @contextmanager
    def loop(self) -> Iterator[Loop]:
        """Run a loop in this process."""
        loop = Loop(self.socket, self.signal)
        thread = threading.Thread(target=loop.run, daemon=True)
        thread.start()
        try:
            yield loop
        finally:
            loop.is_over = True
            thread.join()


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(list(value)) if isinstance(value, tuple) else repr(value).replace("'", '"')


class Loop:
    """The service's loop as far as the outlet sees it: a turn every 100 ms, each with a frame."""

    def __init__(self, path: Path, settings: SignalSettings) -> None:
        self.observers = Observers()
        self.advice: Advice | None = None
        self.telemetry: Telemetry = TELEMETRY
        self.decisions: list[Decision] = []
        self.has_frames = True
        self.is_over = False
        self.outlet = SignalOutlet(settings, path, self.observers, lambda: self.advice)

    def run(self) -> None:
        self.outlet.start()
        while not self.is_over:
            self.turn()
            time.sleep(0.1)
        self.outlet.close()

    def turn(self) -> None:
        decision = self.decisions.pop(0) if self.decisions else Decision()
        frame = frame_at(SYSTEM_CLOCK.monotonic_s()) if self.has_frames else None
        if frame is not None:
            self.observers.show(frame, FrameOutcome((), decision))
        self.outlet.take(Glance(frame, decision), replace(self.telemetry))


def main(folder: str) -> None:
    """A loop of its own process, that opens the gate and can be stopped and killed."""
    door = Door(Path(folder))
    loop = Loop(door.socket, door.signal)
    loop.advice = Advice.GO
    loop.run()


if __name__ == "__main__":
    main(sys.argv[1])
