"""`python -m edge` is `tensormask`."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading

from edge.errors import MissingPackageError
from edge.host.systemd import complain
from edge.packages import as_missing, refuse_damaged


def main() -> int:
    """Load the commands, which takes a while on a Pi, and run one; return its exit status.

    An interrupt until then ends the process at once, without a traceback. A package that cannot be
    loaded, then or later, is one line and 72.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        refuse_damaged()
        from edge.cli import main as obey

        signal.signal(signal.SIGINT, before)
        return _leave(obey())
    except Exception as error:
        missing = error if isinstance(error, MissingPackageError) else as_missing(error)
        if missing is None:
            raise
        complain(str(missing))
        return missing.exit_status


def _leave(status: int) -> int:
    """Return `status`, or end with it at once where a call of another thread hangs.

    A camera's library that waits while Python takes itself down may crash, and the status be lost.
    """
    if any(each.daemon for each in threading.enumerate()):
        logging.shutdown()
        for stream in filter(None, (sys.stdout, sys.stderr)):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(status)
    return status


if __name__ == "__main__":
    sys.exit(main())
