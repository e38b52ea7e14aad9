"""`tensormask doctor`: looks at a box, one part after the other."""

from __future__ import annotations

import argparse
import sys

from edge.commands.doctor.doctor import columns, examine
from edge.commands.doctor.finding import exit_status, lines
from edge.commands.options import add_config, add_json
from edge.commands.output import colored, print_document, say, takes_color
from edge.commands.parser import Parser


def add_arguments(parser: Parser) -> None:
    parser.runs(run, "sudo tensormask doctor")
    add_config(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    findings = []
    for finding in examine(options.config):
        findings.append(finding)
        if not options.json:
            for line in lines([finding], columns()):
                say(colored(line) if takes_color(sys.stdout) else line)
    if options.json:
        print_document(findings)
    return exit_status(findings)
