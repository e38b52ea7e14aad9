"""`tensormask completion`: what a shell needs to complete commands, made from the parser itself."""

from __future__ import annotations

import argparse
import re

import shtab

from edge.commands.parser import Parser, build_parser, parsers_of

_PATHS = re.compile("FILE|FOLDER")


def add_arguments(parser: Parser) -> None:
    parser.runs(run, "tensormask completion bash >~/.tensormask-completion")
    parser.add_argument("shell", choices=["bash", "zsh"])


def run(options: argparse.Namespace) -> int:
    print(completion(build_parser(), options.shell), end="")  # noqa: T201 - a command's output
    return 0


def completion(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the script that completes commands and options in `shell`, bash or zsh."""
    for command in parsers_of(parser):
        for action in command._actions:
            if isinstance(action.metavar, str) and _PATHS.search(action.metavar):
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    return shtab.complete(parser, shell=shell)
