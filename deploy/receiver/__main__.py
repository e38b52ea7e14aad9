"""Stores what TensorMask devices say in PostgreSQL: every violation once, and how each device is.

    python -m receiver BROKER[:PORT]
    python -m receiver report --from DAY --to DAY

The database is where libpq's variables say (PGHOST, PGDATABASE, PGSERVICE, …). A message is
acknowledged when its row is committed, so this can be killed at any moment: what the broker has not
seen acknowledged comes again, and is stored once.
"""

from __future__ import annotations

import argparse
import logging
import random
import signal
import ssl
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from .documents import read
from .session import Broker, Session, SessionError
from .store import DocumentStore

FIRST_WAIT_S, MAX_WAIT_S = 1.0, 30.0

_log = logging.getLogger("receiver")


def main() -> None:
    if sys.argv[1:2] == ["report"]:
        try:
            from . import report  # what it needs beside, storing does not
        except ModuleNotFoundError as error:
            sys.exit(f"receiver report: {error.name} is missing: see README.md, Update")
        return report.main(sys.argv[2:])
    return receive()


def receive() -> None:
    """Store what comes, for ever."""
    parser = _parser()
    options = parser.parse_args()
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        broker = _broker(options)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    trouble = None
    wait_s = FIRST_WAIT_S
    while True:
        try:
            with DocumentStore() as store, Session(broker) as session:
                if trouble is None:
                    _log.info("receiving from %s", broker.host)
                while True:
                    batch = session.batch()
                    store.write([(each, read(each, pictures=options.pictures)) for each in batch])
                    session.acknowledge(batch)
                    if trouble:
                        _log.info("storing again")
                    trouble, wait_s = "", FIRST_WAIT_S
        except (SessionError, psycopg.Error) as error:
            # Whichever is away, the other one is left: what comes meanwhile waits at the broker.
            reason = str(error).strip()
            if reason != trouble:
                _log.warning("waiting: %s", reason)
            trouble = reason
        time.sleep(random.uniform(0.1, wait_s))
        wait_s = min(2 * wait_s, MAX_WAIT_S)


def _broker(options: argparse.Namespace) -> Broker:
    if options.certificate and not options.ca:
        raise ValueError("--certificate needs --ca: nothing is encrypted without it")
    tls = None
    if options.ca:
        tls = ssl.create_default_context(cafile=options.ca)
        if options.certificate:
            tls.load_cert_chain(options.certificate, options.key)
    where = urlsplit(f"//{options.broker}")
    password = None
    if options.password_file:
        password = options.password_file.read_text().partition("\n")[0]
    return Broker(
        where.hostname or "",
        where.port or (8883 if tls else 1883),
        options.client_id,
        options.username,
        password,
        tls,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="receiver",
        description="From MQTT to PostgreSQL; `receiver report --help`: a report of what came.",
    )
    parser.add_argument("broker", metavar="BROKER[:PORT]")
    parser.add_argument("--ca", metavar="FILE", help="the authority of its certificate: use TLS")
    parser.add_argument("--certificate", metavar="FILE", help="the client certificate and its key")
    parser.add_argument("--key", metavar="FILE")
    parser.add_argument("--username", metavar="NAME")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="on its first line")
    parser.add_argument(
        "--client-id",
        default="tensormask-receiver",
        metavar="NAME",
        help="the client id whose session the broker keeps; one for each receiver (%(default)s)",
    )
    parser.add_argument("--pictures", action="store_true", help="keep them; else they are dropped")
    return parser


if __name__ == "__main__":
    main()
