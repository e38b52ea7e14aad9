"""The command line: runs what was asked for, and turns errors into a line and an exit status."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from types import FrameType
from typing import TextIO, cast

from edge.address import did_you_mean
from edge.commands.output import Output, OutputError, write_everything
from edge.commands.parser import Run, build_parser
from edge.errors import NotAllowedError, TensorMaskError
from edge.host.systemd import complain

INTERRUPTED = 130
"""The exit status that shells give to what SIGINT has ended."""
_ASKED_BY_EXTENSIONS = {"__del__", "__eq__", "__getattr__", "__hash__"}
"""What extensions and the interpreter call and pass over whatever is raised there."""
_LATER_S = 0.01


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
        signal.signal(signal.SIGALRM, _interrupt)
    for stream in (sys.stdout, sys.stderr):
        write_everything(stream)
    try:
        with redirect_stdout(cast("TextIO", Output(sys.stdout or StringIO()))):
            return _obey(arguments)
    except TensorMaskError as error:
        if isinstance(error, NotAllowedError):
            complain(f"{error}; {_with_sudo(arguments)}")
        elif str(error):
            complain(str(error))
        if isinstance(error, OutputError):
            sys.stdout = None  # Python would try again at exit, and complain
        return error.exit_status
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        if before is signal.default_int_handler:
            signal.signal(signal.SIGINT, before)


def _with_sudo(arguments: Sequence[str] | None) -> str:
    """Return the same command as somebody may give it who is allowed to."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["run"]:
        return "the service is started by: sudo systemctl start tensormask"
    hint = "give the broker: --broker HOST; or " if words[:1] == ["watch"] else ""
    return f"{hint}run: {shlex.join(['sudo', 'tensormask', *words])}"


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt; or end at once, while modules are being loaded.

    Nothing is open then, and an extension would print a traceback and raise ImportError instead.
    Where it would be lost, it is raised a moment later.
    """
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            os._exit(INTERRUPTED)
        if frame.f_code.co_name in _ASKED_BY_EXTENSIONS:
            signal.setitimer(signal.ITIMER_REAL, _LATER_S)
            return
        frame = frame.f_back
    raise KeyboardInterrupt


def _obey(arguments: Sequence[str] | None) -> int:
    try:
        words = sys.argv[1:] if arguments is None else arguments
        options, unknown = build_parser(words[:1]).parse_known_args(words)
        if unknown:
            _refuse(options.parser, unknown)
        run: Run = options.run
        return run(options)
    finally:
        sys.stdout.flush()


def _refuse(parser: argparse.ArgumentParser, unknown: Sequence[str]) -> None:
    """End with the usage of the command that does not know these words."""
    options = [word for action in parser._actions for word in action.option_strings]
    near = did_you_mean(unknown[0], options) if unknown[0].startswith("-") else ""
    parser.error(f"unrecognized arguments: {' '.join(unknown)}{near}")
