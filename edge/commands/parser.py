"""The parser of the command line, and what each command's arguments are made with."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Iterator
from importlib import import_module
from typing import Any

from edge.address import did_you_mean
from edge.commands import COMMANDS
from edge.commands.output import wrapped
from edge.version import version

EXAMPLES = "examples:"
NARROW, NARROW_INDENT = 60, 6
"""Columns."""

Run = Callable[[argparse.Namespace], int]
"""Does what was asked for; returns the exit status."""


class Parser(argparse.ArgumentParser):
    """Suggests the nearest word that can stand where a wrong one does; so do its commands'."""

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            near = did_you_mean(str(value), map(str, action.choices or ()))
            raise argparse.ArgumentError(action, f"{error.message}{near}") from None

    def runs(self, run: Run, *examples: str) -> None:
        """Say what is run, and give examples."""
        self.set_defaults(run=run, parser=self)
        self.epilog = _listed(*examples)


class Help(argparse.HelpFormatter):
    """Wraps what is text between its words, and leaves examples as they are."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog)
        # On a narrow terminal the column of the options would leave no room for words.
        if self._width < NARROW:
            self._max_help_position = NARROW_INDENT

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith(EXAMPLES):
            return text
        return "\n".join(indent + line for line in self._split_lines(text, width))

    def _split_lines(self, text: str, width: int) -> list[str]:
        return wrapped(" ".join(text.split()), width)


def build_parser(loaded: Collection[str] = tuple(COMMANDS)) -> Parser:
    """Return the parser, which knows the arguments of these commands."""
    parser = Parser(
        prog="tensormask",
        description="Watches a camera and reports over MQTT when somebody wears no mask.",
        epilog=_listed("tensormask status", "tensormask COMMAND --help"),
        formatter_class=Help,
    )
    parser.set_defaults(json=False)
    parser.add_argument("--version", action="version", version=f"tensormask {version()}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        command = _added(commands, name, text)
        if name in loaded:
            import_module(f"edge.commands.{name}").add_arguments(command)
    return parser


def add_action(actions: Any, name: str, run: Run, text: str, *examples: str) -> Parser:
    """Add `tensormask COMMAND name`."""
    action = _added(actions, name, text)
    action.runs(run, *examples)
    return action


def parsers_of(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield the parser and those of its commands, and of their actions."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from parsers_of(command)


def _added(parsers: Any, name: str, text: str) -> Parser:
    added: Parser = parsers.add_parser(name, help=text, description=text, formatter_class=Help)
    return added


def _listed(*examples: str) -> str:
    return "\n".join([EXAMPLES, *(f"  {line}" for line in examples)])
