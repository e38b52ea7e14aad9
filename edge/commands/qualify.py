"""`tensormask qualify`: how well this door judges, measured by walking past."""

from __future__ import annotations

import argparse
import getpass
import os
import select
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from edge.commands.new_file import refuse_existing
from edge.commands.options import add_config, add_json
from edge.commands.output import print_document, say
from edge.commands.parser import Parser
from edge.commands.status import ask_service
from edge.config import DEFAULT_PATH, Settings, load_settings
from edge.errors import ConfigError, NotAllowedError, TensorMaskError
from edge.eyes import Qualification
from edge.history.store import FILE as HISTORY
from edge.history.store import HistoryError
from edge.host.status_file import DIRECTORY
from edge.host.visits import SOCKET, VisitReader, socket_of
from edge.qualify.conclusion import keep_qualification, sheet_of
from edge.qualify.criteria import Criterion, criteria, faults_of
from edge.qualify.dialog import TICK_S, Dialog, StoppedError
from edge.qualify.known import networks_of
from edge.qualify.sheet import Sheet, SheetAbout
from edge.qualify.store import SCHEMA, drop_progress, keep_progress, read_progress
from edge.qualify.walks import Progress, people_of
from edge.version import version

PROTOCOL = """\
This measures how well the service at this door judges, with people whose mask is known: you.
  {walks} walks past the camera, about {minutes} minutes{pair}.
  Before each walk press Enter, out of the picture; then walk past as people do here.
  After it, say whether it was done as asked, before you see what was counted.
Other people have to stay out of the picture meanwhile. What is counted now is in the counts and
alerts of the day, too. Stop at any time with q or Ctrl-C, and go on later with the same command."""
MINUTES_A_WALK = 0.4
STOPPED = 75
"""`EX_TEMPFAIL`: go on later. 1 is a door that is not qualified, or an error."""


class SheetError(TensorMaskError):
    """Say where the sheet may be written: --output."""


def add_arguments(parser: Parser) -> None:
    parser.runs(
        _run,
        "sudo tensormask qualify",
        "sudo tensormask qualify --alone --output door.html",
    )
    add_config(parser)
    parser.add_argument(
        "--alone", action="store_true", help="there is nobody to walk beside you: more walks"
    )
    parser.add_argument("--restart", action="store_true", help="drop the walks done so far")
    parser.add_argument(
        "--camera", default="", metavar="NAME", help="which of several you walk past"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="the sheet (default: qualification-DEVICE-DATE.html in this folder)",
    )
    add_json(parser, "the result as one JSON document at the end")


class Keyboard:
    """The terminal, or a file of answers."""

    def __init__(self, *, is_quiet: bool) -> None:
        """`is_quiet`: standard output is for the document; the dialog is on standard error."""
        self._is_quiet = is_quiet
        self._pending = b""

    def say(self, text: str) -> None:
        if self._is_quiet:
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()
        else:
            say(text)

    def ask(self, text: str, meanwhile: Callable[[], None]) -> str:
        self.say(text.rstrip())
        while b"\n" not in self._pending:
            ready, _, _ = select.select([0], [], [], TICK_S)
            meanwhile()
            if ready:
                content = os.read(0, 4096)
                if not content:
                    raise StoppedError
                self._pending += content
        line, _, self._pending = self._pending.partition(b"\n")
        return line.decode(errors="replace").strip().lower()


def _run(options: argparse.Namespace) -> int:
    settings = load_settings(options.config)
    camera = _camera(settings, options.camera)
    if options.output is not None:
        refuse_existing(options.output, "--output")  # before anybody has walked
    folder = settings.outbox.file.parent
    if not os.access(folder, os.W_OK):
        raise NotAllowedError(f"{folder}: only root and the service may write there")
    networks = networks_of(settings)
    keyboard = Keyboard(is_quiet=options.json)
    if options.restart:
        drop_progress(folder)
    progress, why = read_progress(folder, networks, time.time(), camera)
    if why:
        keyboard.say(why)
    if progress is None:
        progress = Progress(SCHEMA, time.time(), networks, options.alone, camera=camera)
    done, asked = len(progress.done), len(progress.walks)
    if done:
        keyboard.say(f"going on after walk {done} of {asked}; from the start: --restart")
    else:
        pair = "" if progress.is_alone else ", some of them by two people (alone: --alone)"
        minutes = f"{MINUTES_A_WALK * asked:.0f}"
        keyboard.say(PROTOCOL.format(walks=asked, minutes=minutes, pair=pair))
    if options.config == DEFAULT_PATH:
        ask_service(options.config)  # says why it does not run
    try:
        with closing(VisitReader(_socket(options.config, folder))) as ears:
            keep = lambda new: keep_progress(folder, new)  # noqa: E731
            progress = Dialog(keyboard, ears, keep, camera).run(progress)
    except (StoppedError, KeyboardInterrupt) as error:
        keyboard.say("\nstopped; the walks so far are kept for a day: run the same command again")
        if isinstance(error, KeyboardInterrupt):
            raise
        return STOPPED
    return _finish(settings, options, progress, keyboard)


def _camera(settings: Settings, asked: str) -> str:
    """Return the name of the camera that is walked past; empty: the only one, which has none.

    Raises ConfigError.
    """
    names = [each.name for each in settings.each_camera]
    known = ", ".join(filter(None, names)) or "only one, without a name"
    if asked and asked not in names:
        raise ConfigError(f"--camera: there is no camera {asked}; known are {known}")
    if not asked and len(names) > 1:
        raise ConfigError(
            "there are several cameras: say which one you walk past: "
            f"{' or '.join(f'--camera {each}' for each in names)}"
        )
    return asked or names[0]


def _socket(config: Path, folder: Path) -> Path:
    return DIRECTORY / SOCKET if config == DEFAULT_PATH else socket_of(folder, {})


def _finish(
    settings: Settings, options: argparse.Namespace, progress: Progress, keyboard: Keyboard
) -> int:
    """Judge, keep and print what was measured."""
    people = people_of(progress.done)
    walks, asked = len(progress.done), len(progress.walks)
    repeated = sum(each.repeated for each in progress.done)
    found = criteria(people, walks, asked, repeated)
    now = datetime.now(UTC)
    qualification = Qualification(
        1, now, progress.camera, progress.networks, people, walks, repeated, faults_of(found)
    )
    history = settings.outbox.file.parent / HISTORY
    by = os.environ.get("SUDO_USER") or getpass.getuser()
    place = ", ".join(each for each in (settings.device.site, settings.device.zone) if each)
    about = SheetAbout(settings.device.id, place, f"tensormask {version()}")
    try:
        sheet = sheet_of(about, qualification, found, progress.done, by, history)
    except HistoryError as error:
        raise HistoryError(f"{error}; all walks are kept") from error
    output = options.output or Path(
        f"qualification-{settings.device.id}-{now.astimezone():%Y-%m-%d-%H%M}.html"
    )
    try:
        with output.open("x") as file:
            file.write(sheet.html())
    except OSError as error:
        raise SheetError(
            f"{output}: {error.strerror or error}; all walks are kept: run it again with --output"
        ) from error
    keep_qualification(history, qualification, by)
    drop_progress(settings.outbox.file.parent)
    for each in _summary(found, sheet):
        keyboard.say(each)
    keyboard.say(f"the sheet: {output}")
    if options.json:
        print_document(qualification)
    return 0 if qualification.is_qualified else 1


def _summary(found: tuple[Criterion, ...], sheet: Sheet) -> list[str]:
    lines = [
        "",
        *(f"{'met' if e.is_met else 'NOT MET':8} {e.required}: {e.measured}" for e in found),
    ]
    changed = [each.what for each in sheet.comparisons if each.is_different]
    if sheet.former is None:
        lines.append("measure again on another day: only then is it known whether this holds")
    elif changed:
        lines.append(f"differs from {sheet.former_when}: {', '.join(changed)}")
    else:
        lines.append(f"nothing contradicts the measurement of {sheet.former_when}")
    lines.append("QUALIFIED" if sheet.qualification.is_qualified else "NOT QUALIFIED")
    return lines
