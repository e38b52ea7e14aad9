"""The process at the pins. On a device it is the unit tensormask-signal.service.

Exit status 78: the settings are wrong; 72: a package is missing; both are not started again.
With `--off` it only switches everything off: the unit does so after whatever has ended it.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import time
from pathlib import Path

import msgspec

from edge.config import SignalSettings, load_settings
from edge.errors import ConfigError, MissingPackageError, TensorMaskError
from edge.files import DamagedFileError, read_json
from edge.host.status_file import DIRECTORY
from edge.host.systemd import Notifier
from edge.packages import as_missing
from edge.signal.keeper import TICK_S, Keeper
from edge.signal.pins import leave, open_pins
from edge.signal.sound import Speaker
from edge.signal.wire import FOLDER, SOCKET, PinReport, connected

FILE = Path("/run/tensormask-signal/settings.json")
"""The section [signal], which the service's activation writes: nothing else of the settings is for
this process."""
DAEMON = DIRECTORY / FOLDER / SOCKET
MAX_BYTES = 20_000
FAREWELL_S = 60.0
"""A service that is starting gets to know for so long why this process ends."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m edge.signal", description=__doc__)
    parser.add_argument("--config", type=Path, help="a file of settings, to try it by hand")
    parser.add_argument("--daemon", type=Path, default=DAEMON, help="the service's socket")
    parser.add_argument("--off", action="store_true", help="switch everything off, and end")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    notifier = Notifier.from_environment()
    try:
        settings = settings_in(options.config)
        pins = open_pins(settings)
    except TensorMaskError as error:
        if not options.off:
            notifier.ready(str(error))
            _say_farewell(str(error), options.daemon, notifier)
        print(error, file=sys.stderr)  # noqa: T201 - the unit's log
        return error.exit_status
    if options.off:
        leave(pins)
        return _ended()
    speaker = Speaker(settings)
    keeper = Keeper(settings, pins, speaker, options.daemon, notifier, is_superseded)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: keeper.stop())
    keeper.run()
    return _ended()


def settings_in(config: Path | None, file: Path = FILE) -> SignalSettings:
    """Return the section, of a whole file of settings where one is given. Raises ConfigError."""
    if config is not None:
        return load_settings(config).signal
    try:
        return read_json(file, SignalSettings, MAX_BYTES)
    except (OSError, DamagedFileError, msgspec.ValidationError) as error:
        raise ConfigError(
            f"{file} cannot be read ({error}); sudo systemctl restart tensormask writes it"
        ) from None


def is_superseded() -> bool:
    """Return whether the release in use is another than this program's."""
    program = Path(__file__).resolve().parents[2]
    link = program.parent.parent / "current"
    return link.is_symlink() and link.resolve() != program


def _say_farewell(trouble: str, daemon: Path, notifier: Notifier) -> None:
    """Have the service know why there are no lamps."""
    until_s = time.monotonic() + FAREWELL_S
    while time.monotonic() < until_s:
        if (line := connected(daemon)) is not None:
            line.say(PinReport(trouble=trouble))
            time.sleep(TICK_S)
            line.close()
            return
        notifier.alive(trouble)
        time.sleep(0.5)


def _ended() -> int:
    """End now: at its orderly end gpiozero would make inputs of the outputs, which float."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ImportError as problem:
        missing = as_missing(problem)
        if missing is None:
            raise
        print(missing, file=sys.stderr)  # noqa: T201
        sys.exit(MissingPackageError.exit_status)
