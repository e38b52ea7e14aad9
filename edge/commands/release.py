"""`tensormask release`: what is installed and on trial, and the ways from one to another."""

from __future__ import annotations

import argparse
import os

from edge.commands.options import add_again, add_config, add_configs, add_json
from edge.commands.output import print_document
from edge.commands.parser import Parser, add_action
from edge.commands.releases import (
    activate,
    count,
    installed,
    known_window_s,
    lines,
    roll_back,
    said_in_use,
    watch,
)
from edge.commands.waiting import TrialProgress, wait
from edge.host.systemd import configure_logging
from edge.installed import PREFIX, Slot

# ruff: noqa: T201 - a command's output


def add_arguments(parser: Parser) -> None:
    parser.runs(_show, "tensormask release --json")
    add_config(parser)
    add_json(parser)
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    text = "Use another release. The device undoes one that does worse than the one before."
    example = "sudo tensormask release activate 0.3.0-1a2b3c4d"
    activating = add_action(actions, "activate", _activate, text, example)
    activating.add_argument("name", metavar="RELEASE")
    add_again(activating)
    text = "Go back at once to the release before."
    example = "sudo tensormask release rollback"
    add_action(actions, "rollback", _rollback, text, example)
    text = "Wait for the end of the trial, and show its progress; exit 1 if the release was undone."
    waiting = add_action(actions, "wait", _wait, text, "sudo tensormask release wait")
    waiting.add_argument(
        "name", nargs="?", default="", metavar="NAME", help="exit 1 unless this one is in use then"
    )
    text = "Judge a clip of drawn people: the test of a release or model before it is used."
    proving = add_action(actions, "prove", _prove, text, "tensormask release prove")
    proving.add_argument(
        "--models", metavar="FOLDER", help="with links bundle and detector to those to be used"
    )
    text, example = "Watch the trial: what its unit runs.", "sudo tensormask release watch"
    add_action(actions, "watch", _watch, text, example)
    text = "Count a start of the machine: what the unit runs first."
    add_action(actions, "count", _count, text, "sudo tensormask release count")
    add_configs(actions)


def _show(options: argparse.Namespace) -> int:
    state = installed()
    if options.json:
        print_document(state)
        return 0
    for line in lines(state, known_window_s(options.config)):
        print(line)
    return 0


def _activate(options: argparse.Namespace) -> int:
    on_trial = activate(options.config, Slot.RELEASE, options.name, again=options.again)
    print(said_in_use(options.config, options.name, on_trial=on_trial))
    return 0


def _rollback(options: argparse.Namespace) -> int:
    print(f"{roll_back(options.config, Slot.RELEASE)} is in use")
    return 0


def _wait(options: argparse.Namespace) -> int:
    progress = TrialProgress(known_window_s(options.config))
    try:
        said = wait(options.name, progress.show)
    finally:
        progress.close()
    print(said)
    return 0


def _prove(options: argparse.Namespace) -> int:
    if options.models is not None:
        os.environ[PREFIX] = options.models
    from edge.commands.proof import (
        prove,  # the models' runtime, which the trial's unit does without
    )

    print(prove())
    return 0


def _watch(options: argparse.Namespace) -> int:
    configure_logging("info")
    watch(options.config)
    return 0


def _count(options: argparse.Namespace) -> int:
    configure_logging("info")
    count(options.config)
    return 0
