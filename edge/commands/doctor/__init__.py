"""`tensormask doctor`: looks at a box, one part after the other."""

from __future__ import annotations

import argparse
import sys

from edge.commands.doctor.doctor import columns, examine, sight
from edge.commands.doctor.finding import complete, exit_status, lines
from edge.commands.options import add_config, add_json
from edge.commands.output import colored, print_document, say, takes_color
from edge.commands.parser import Parser
from edge.commands.sandbox import add_here, whose_sight
from edge.host.status_file import read_telemetry


def add_arguments(parser: Parser) -> None:
    parser.runs(run, "sudo tensormask doctor")
    add_config(parser)
    add_json(parser)
    add_here(parser)
    parser.add_argument(
        "--settings-only",
        action="store_true",
        help="look at the settings only, and at models, camera and broker that they name",
    )


def run(options: argparse.Namespace) -> int:
    place, whose = whose_sight(options.here, "doctor")
    if whose and not options.json:
        say(whose)
    if options.settings_only:
        examined = sight(options.config, read_telemetry(), place)
    else:
        examined = examine(options.config, place)
    findings = []
    for finding in map(complete, examined):
        findings.append(finding)
        if not options.json:
            for line in lines([finding], columns()):
                say(colored(line) if takes_color(sys.stdout) else line)
    if options.json:
        print_document(findings)
    return exit_status(findings)
