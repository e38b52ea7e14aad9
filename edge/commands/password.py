"""`tensormask password`: the hash of a password for the page, of which no file need hold more."""

from __future__ import annotations

import argparse
import getpass
import os
import sys

from edge.commands.parser import Parser
from edge.page.password import SALT_BYTES, hashed


def add_arguments(parser: Parser) -> None:
    install = "sudo install -m 640 -g tensormask /dev/stdin"
    parser.runs(run, f"tensormask password | {install} /etc/tensormask/page-password")


def run(options: argparse.Namespace) -> int:
    """Ask for the password on a terminal, else read it from a line of standard input."""
    is_terminal = sys.stdin.isatty()
    password = getpass.getpass() if is_terminal else sys.stdin.readline().removesuffix("\n")
    print(hashed(password, os.urandom(SALT_BYTES)))  # noqa: T201 - a command's output
    return 0
