"""What root does before the service starts: the units beside it, as the settings say.

The trouble of one is not that of another, and none of it keeps the service from starting. It
reports what it finds here, and itself what is wrong with the settings.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from edge.config import DEFAULT_PATH, load_settings
from edge.errors import TensorMaskError
from edge.page import activation as page
from edge.signal import activation as lamps


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m edge.daemon.activation", description=__doc__)
    parser.add_argument("--config", type=Path, default=DEFAULT_PATH)
    try:
        settings = load_settings(parser.parse_args().config)
    except TensorMaskError as error:
        page.say_failure(error)
        return 0
    try:
        page.activate(settings.page)
    except (TensorMaskError, OSError, KeyError) as error:
        page.say_failure(error)
    try:
        lamps.activate(settings.signal)
    except (TensorMaskError, OSError, KeyError) as error:
        print(f"no lamps: {error}", file=sys.stderr)  # noqa: T201 - the unit's log
    return 0


if __name__ == "__main__":
    sys.exit(main())
