"""`tensormask run`: the service."""

from __future__ import annotations

import argparse
import logging
import signal

from edge.commands.options import add_config
from edge.commands.parser import Parser
from edge.config import load_settings
from edge.daemon.assembly import open_service
from edge.host.heap import keep_memory
from edge.host.in_use import in_use, written_at
from edge.host.systemd import configure_logging
from edge.version import version


def add_arguments(parser: Parser) -> None:
    parser.runs(run, "tensormask run --config door.toml")
    add_config(parser)


def run(options: argparse.Namespace) -> int:
    written_ns = written_at(options.config)
    settings = load_settings(options.config)
    configure_logging(settings.log.level)
    logging.getLogger(__name__).info("tensormask %s, %s", version(), options.config)
    keep_memory()
    service = open_service(settings, in_use(settings, options.config, written_ns))
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # ignored: a job in the background
        signal.signal(signal.SIGINT, lambda *_: service.stop())
    signal.signal(signal.SIGTERM, lambda *_: service.stop())
    service.run()
    return 0
