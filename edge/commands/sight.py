"""`tensormask sight`: what size of drawn heads is seen in this light, through this lens."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

from edge.acuity import SightState
from edge.clock import SYSTEM_CLOCK, Clock
from edge.commands.options import add_config, add_configs, add_json
from edge.commands.output import print_document, say
from edge.commands.parser import Parser, add_action
from edge.commands.status import NotRunningError, ask_service
from edge.config import load_settings
from edge.errors import ConfigError, NotAllowedError, TensorMaskError
from edge.history.records import SightProof
from edge.history.store import FILE, HistoryReader
from edge.host.status_file import DIRECTORY
from edge.records import Verdict
from edge.sight.request import SightRequest, leave_request
from edge.words import percent

WAIT_S = 120.0
"""Two proofs take some seconds each on a fast box, and half a minute on a slow one."""
POLL_S = 1.0
TREND = timedelta(days=30)


class UnprovedError(TensorMaskError):
    """Do what the text says, and ask again."""


def add_arguments(parser: Parser) -> None:
    parser.runs(_last, "tensormask sight", "tensormask sight --json")
    add_config(parser)
    add_json(parser)
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    text = "Have the service prove it now, and wait for the result."
    add_json(add_action(actions, "now", _now, text, "sudo tensormask sight now"))
    text = (
        "Forget what was normal here, and learn it again: the camera or the scene was changed on "
        "purpose."
    )
    add_json(add_action(actions, "learn", _learn, text, "sudo tensormask sight learn"))
    text = "What was seen on each of the last 30 days, from the history."
    add_action(actions, "trend", _trend, text, "sudo tensormask sight trend")
    add_configs(actions)


def _last(options: argparse.Namespace) -> int:
    return _shown(_state(options), options)


def _now(options: argparse.Namespace) -> int:
    return _shown(requested(options, SightRequest.NOW), options)


def _learn(options: argparse.Namespace) -> int:
    state = requested(options, SightRequest.LEARN)
    if not options.json:
        say("what was normal is forgotten; it is learned again from the next proofs")
    return _shown(state, options)


def _trend(options: argparse.Namespace) -> int:
    settings = load_settings(options.config)
    path = settings.outbox.file.parent / FILE
    now = SYSTEM_CLOCK.utc()
    rows = []
    try:
        is_there = path.exists()
    except PermissionError as error:
        raise NotAllowedError(f"{path}: {error.strerror}") from error
    if is_there:
        with HistoryReader(path) as reader:
            rows = reader.sight(now - TREND, now)
    for line in trend(rows):
        say(line)
    if not rows:
        say("nothing was proved in the last 30 days; a new proof is here within ten minutes")
    return 0


def trend(rows: Iterable[SightProof]) -> Iterator[str]:
    """Return a line for each day: how many proofs, and the share of the heads that was seen."""
    days: dict[date, list[SightProof]] = defaultdict(list)
    for row in rows:
        days[row.at.date()].append(row)
    for day, of_day in sorted(days.items()):
        proofs: set[datetime] = {row.at for row in of_day}
        seen = ", ".join(
            f"{percent(_share(of_day, verdict))} {what}"
            for verdict, what in ((Verdict.MASKED, "with a mask"), (Verdict.BARE, "without"))
        )
        yield f"{day}  {len(proofs):3} proofs: {seen}"


def _share(rows: Iterable[SightProof], verdict: Verdict) -> float:
    alike = [row for row in rows if row.verdict is verdict]
    return sum(row.right for row in alike) / max(1, sum(row.shown for row in alike))


def _state(options: argparse.Namespace) -> SightState:
    state = ask_service(options.config).sight
    if state is None:
        raise ConfigError("the proof of sight is not enabled; set [sight] enabled = true")
    return state


def requested(
    options: argparse.Namespace, request: SightRequest, clock: Clock = SYSTEM_CLOCK
) -> SightState:
    """Have the service do it, and return what came of it. Raises NotAllowedError, UnprovedError."""
    before = _state(options).answered
    try:
        leave_request(DIRECTORY, request)
    except PermissionError as error:
        raise NotAllowedError(f"{DIRECTORY}: {error.strerror}") from error
    except OSError as error:
        raise NotRunningError(f"{DIRECTORY}: {error.strerror}") from error
    until_s = clock.monotonic_s() + WAIT_S
    while clock.monotonic_s() < until_s:
        clock.sleep(POLL_S)
        state = _state(options)
        if state.answered != before:
            if state.waits:
                raise UnprovedError(f"not proved: {state.waits}")
            return state
    raise UnprovedError(f"no answer within {WAIT_S:.0f} s; is the box busy? tensormask status")


def _shown(state: SightState, options: argparse.Namespace) -> int:
    if options.json:
        print_document(state)
    else:
        say(state.in_words)
        if state.trouble:
            say(f"worse than is normal here: {state.trouble}")
            say(f"fix: {state.fix}")
    return 1 if state.trouble else 0
