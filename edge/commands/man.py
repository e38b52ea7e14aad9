"""`tensormask man`: the manual page, made from the parser itself."""

from __future__ import annotations

import argparse
from typing import Any

from edge.commands.parser import Parser, build_parser, parsers_of
from edge.version import version


def add_arguments(parser: Parser) -> None:
    parser.runs(run, "tensormask man | man -l -")


def run(options: argparse.Namespace) -> int:
    print(manual(build_parser(), version()), end="")  # noqa: T201 - a command's output
    return 0


def manual(parser: argparse.ArgumentParser, version: str) -> str:
    """Return the page of section 1, in the language of man(7)."""
    about = (parser.description or "").rstrip(".")
    page = [
        f'.TH {parser.prog.upper()} 1 "" "{parser.prog} {_plain(version)}" "User commands"',
        ".SH NAME",
        f"{parser.prog} \\- {_plain(about[:1].lower() + about[1:])}",
        ".SH SYNOPSIS",
        f".B {parser.prog}",
        _plain(_usage(parser)),
        ".SH COMMANDS",
    ]
    for command in parsers_of(parser):
        if command is parser:
            continue
        page += [f".SS {_plain(command.prog)} {_plain(_usage(command))}"]
        page += [_plain(command.description)] if command.description else []
        page += _verbatim(command.epilog) if command.epilog else []
        for action in command._actions:
            if action.help and action.dest != "help" and action.nargs != argparse.PARSER:
                page += [".TP", f"\\fB{_plain(_invocation(action))}\\fR", _plain(action.help)]
    return "\n".join(page) + "\n"


def _verbatim(text: str) -> list[str]:
    """Return lines that are not to be filled."""
    return [".PP", ".nf", *(_plain(line) for line in text.splitlines()), ".fi"]


def _usage(parser: argparse.ArgumentParser) -> str:
    """Return the arguments of a usage on one line: `[-h] [--config FILE]`."""
    words = parser.format_usage().split(":", 1)[1].split()
    return " ".join(words[len(parser.prog.split()) :])


def _invocation(action: argparse.Action) -> str:
    value: Any = action.metavar or (action.dest.upper() if action.nargs != 0 else "")
    if action.choices and not action.metavar:
        value = "{" + ",".join(action.choices) + "}"
    if isinstance(value, tuple):  # the first is needed, the others may follow
        value = " ".join([value[0], *(f"[{each}]" for each in value[1:])])
    elif action.nargs == "?" and action.option_strings:
        value = f"[{value}]"
    return " ".join(filter(None, [", ".join(action.option_strings), value]))


def _plain(text: str) -> str:
    """Return the text with nothing in it that the language of man(7) would obey."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("%%", "%")
    return "\\&" + escaped if escaped.startswith((".", "'")) else escaped
