"""`python -m edge` is `tensormask`."""

from __future__ import annotations

import sys


def main() -> int:
    """Load the commands, which takes a while on a Pi, and run one; return its exit status."""
    try:
        from edge.cli import main as obey
    except KeyboardInterrupt:
        return 130
    return obey()


if __name__ == "__main__":
    sys.exit(main())
