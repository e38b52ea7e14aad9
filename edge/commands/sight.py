"""`tensormask sight`: what size of drawn heads is seen in this light, through this lens."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta

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
from edge.telemetry import Telemetry
from edge.words import count, percent

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
    now = add_action(actions, "now", _now, text, "sudo tensormask sight now")
    text = (
        "Forget what was normal here, and learn it again: the camera or the scene was changed on "
        "purpose."
    )
    learn = add_action(actions, "learn", _learn, text, "sudo tensormask sight learn")
    text = "What was seen on each of the last 30 days, from the history."
    trend = add_action(actions, "trend", _trend, text, "sudo tensormask sight trend")
    for each in (now, learn, trend):
        add_json(each)
        each.add_argument(
            "--camera", default="", help="one of several (default: all)", metavar="NAME"
        )
    add_configs(actions)


def _last(options: argparse.Namespace) -> int:
    return _shown(sights_of(ask_service(options.config)), options)


def _now(options: argparse.Namespace) -> int:
    return _shown(requested(options, SightRequest.NOW), options)


def _learn(options: argparse.Namespace) -> int:
    states = requested(options, SightRequest.LEARN)
    if not options.json:
        say("what was normal is forgotten; it is learned again from the next proofs")
    return _shown(states, options)


def _trend(options: argparse.Namespace) -> int:
    settings = load_settings(options.config)
    path = settings.outbox.file.parent / FILE
    now = SYSTEM_CLOCK.utc()
    rows: list[SightProof] = []
    try:
        is_there = path.exists()
    except PermissionError as error:
        raise NotAllowedError(f"{path}: {error.strerror}") from error
    if is_there:
        with HistoryReader(path) as reader:
            rows = reader.sight(now - TREND, now)
    days = trend(row for row in rows if options.camera in ("", row.camera))
    if options.json:
        print_document({"days": days})
        return 0
    for each in days:
        say(each.in_words)
    if not days:
        say("nothing was proved in the last 30 days; a new proof is here within ten minutes")
    return 0


@dataclass(frozen=True, slots=True)
class DrawnHeads:
    """Drawn heads of one day, and what became of them."""

    shown: int
    found: int
    right: int
    """Of those found, judged as what they wore."""

    @classmethod
    def of(cls, rows: Iterable[SightProof]) -> DrawnHeads:
        counts = [(row.shown, row.found, row.right) for row in rows]
        return cls(*(sum(each) for each in zip(*counts, strict=True))) if counts else cls(0, 0, 0)

    @property
    def in_words(self) -> str:
        return percent(self.right / self.shown) if self.shown else "none"


@dataclass(frozen=True, slots=True)
class SightDay:
    """What one camera saw on one day, in UTC."""

    day: date
    camera: str
    """Empty: the only one."""
    proofs: int
    masked: DrawnHeads
    bare: DrawnHeads

    @property
    def in_words(self) -> str:
        seen = f"{self.masked.in_words} with a mask, {self.bare.in_words} without"
        camera = f"{self.camera}  " if self.camera else ""
        return f"{self.day}  {camera}{count(self.proofs, 'proof'):>9}: {seen}"


def trend(rows: Iterable[SightProof]) -> list[SightDay]:
    """Return what each camera saw on each day, the oldest first."""
    days: dict[tuple[date, str], list[SightProof]] = defaultdict(list)
    for row in rows:
        days[row.at.date(), row.camera].append(row)
    return [
        SightDay(
            day,
            camera,
            len({row.at for row in of_day}),
            DrawnHeads.of(row for row in of_day if row.verdict is Verdict.MASKED),
            DrawnHeads.of(row for row in of_day if row.verdict is Verdict.BARE),
        )
        for (day, camera), of_day in sorted(days.items())
    ]


def sights_of(telemetry: Telemetry) -> dict[str, SightState]:
    """Return what is known of each camera's sight, by its name. Raises ConfigError."""
    states = {name: telemetry.of(name).sight for name, _ in telemetry.each_camera}
    there = {name: state for name, state in states.items() if state is not None}
    if not there:
        raise ConfigError("the proof of sight is not enabled; set [sight] enabled = true")
    return there


def requested(
    options: argparse.Namespace, request: SightRequest, clock: Clock = SYSTEM_CLOCK
) -> dict[str, SightState]:
    """Have the service do it, and return what came of it, by camera.

    Raises ConfigError, NotAllowedError, UnprovedError.
    """
    camera = options.camera
    before = _asked(sights_of(ask_service(options.config)), camera)
    try:
        leave_request(DIRECTORY, request, camera)
    except PermissionError as error:
        raise NotAllowedError(f"{DIRECTORY}: {error.strerror}") from error
    except OSError as error:
        raise NotRunningError(f"{DIRECTORY}: {error.strerror}") from error
    wait_s = WAIT_S * len(before)
    until_s = clock.monotonic_s() + wait_s
    late: NotRunningError | None = None
    while clock.monotonic_s() < until_s:
        clock.sleep(POLL_S)
        try:
            states = _asked(sights_of(ask_service(options.config)), camera)
        except NotRunningError as error:
            late = error  # of a box that is busy, a report may be late
            continue
        late = None
        if all(state.answered != before[name].answered for name, state in states.items()):
            if all(state.waits for state in states.values()):
                why = "; ".join(f"{_label(name)}{each.waits}" for name, each in states.items())
                raise UnprovedError(f"not proved: {why}")
            return states
    if late is not None:
        raise late
    raise UnprovedError(f"no answer within {wait_s:.0f} s; is the box busy? tensormask status")


def _asked(states: dict[str, SightState], camera: str) -> dict[str, SightState]:
    if not camera:
        return states
    if camera not in states:
        known = ", ".join(each for each in states if each) or "one, which needs no name"
        raise ConfigError(f"--camera: there is no camera {camera}; there is {known}")
    return {camera: states[camera]}


def _shown(states: Mapping[str, SightState], options: argparse.Namespace) -> int:
    if options.json:
        first = next(iter(states.values()))
        print_document({**asdict(first), **({"cameras": states} if "" not in states else {})})
    else:
        for name, state in states.items():
            say(f"{_label(name)}{state.in_words}")
            if state.trouble:
                say(f"{_label(name)}worse than is normal here: {state.trouble}")
                say(f"fix: {state.fix}")
    return 1 if any(state.trouble for state in states.values()) else 0


def _label(camera: str) -> str:
    return f"{camera}: " if camera else ""
