"""`python -m edge` is `tensormask`."""

from __future__ import annotations

import signal
import sys


def main() -> int:
    """Load the commands, which takes a while on a Pi, and run one; return its exit status.

    An interrupt until then ends the process at once, without a traceback.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from edge.cli import main as obey

    signal.signal(signal.SIGINT, before)
    return obey()


if __name__ == "__main__":
    sys.exit(main())
