# ruff: noqa: T201 - a command line module
"""Who is reported in a crowd, and what that costs: `make crowd BOXED=folder:folder`.

People cut out of boxed pictures that training has not seen come and go before a wall, each at a
place of their own where they sway. The whole road from detect to decide runs in the time of the
frames, so the table is the same on any machine. Its cost is counted, not timed.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from edge.classify.card import BARE, MASKED, load_bundle
from edge.config import Settings, parse_settings
from edge.decide.identity import EventIds
from edge.errors import ConfigError
from edge.pipeline import Pipeline, open_pipeline
from edge.plan import PLANS, USUAL, SeeingPlan
from edge.records import Box, Frame, ViolationState
from tools.cost import multiply_adds
from tools.crowd.people import Guest, cutouts_of, frames_of, guests_of, walkers_of

HELD_OUT = Path("convert/report/figures/held-out.json")
FPS = 15.0
CROWDS = (10, 20, 40)
STAYS_S = (3.0, 8.0)
"""How long the people of a crowd stay."""
VISITS_S = (0.8, 1.0, 1.5, 2.0, 3.0)
"""The lengths of visits that are compared, of VISITORS at a time."""
VISITORS = 5
MIN_IOU = 0.3
LATE_S = 1.5
"""An alert is in time if it comes this long after `confirm_s` at most."""
WALKERS = 6
Arrivals = Callable[[np.random.Generator], list[Guest]]
"""Who comes into a scene."""
COLUMNS = (
    *("masked", "followed", "alerts", "bare", "followed", "alerted", "in time", "median s"),
    *("nobody", "twice", "M/s", "cpu"),
)
"""Of the table: `alerts` are those for masked people, `nobody` those for no labeled face, `cpu` the
share of one core."""


@dataclass(slots=True)
class Crowd:
    """What became of all who came, under one plan."""

    guests: list[Guest]
    nobody: int = 0
    """Alerts for nobody's face."""
    multiply_adds: float = 0.0
    """Millions in a second."""
    processor: float = 0.0
    """Seconds of processor time in a second."""

    def add(self, other: Crowd, share: float) -> None:
        """Take in another scene; of its costs this share."""
        self.guests += other.guests
        self.nobody += other.nobody
        self.multiply_adds += share * other.multiply_adds
        self.processor += share * other.processor


@dataclass(slots=True)
class Watch:
    """The road over one scene, and what it makes of each guest."""

    crowd: Crowd
    pipeline: Pipeline
    spent_s: float = 0.0
    whose: dict[int, Guest | None] = field(default_factory=dict)

    def process(self, frame: Frame) -> None:
        now_s = frame.monotonic_s
        begun_s = time.process_time()
        outcome = self.pipeline.process(frame)
        self.spent_s += time.process_time() - begun_s
        here = [each for each in self.crowd.guests if each.is_here(now_s)]
        for sighting in outcome.sightings:
            guest = _guest_at(here, sighting.reading.face.box, now_s)
            self.whose[sighting.track_id] = guest
            if guest is not None:
                guest.found += 1
        for violation in outcome.decision.violations:
            if violation.state is ViolationState.CONFIRMED:
                guest = self.whose[violation.track_id]
                if guest is None:
                    self.crowd.nobody += 1
                else:
                    guest.reported_s.append(now_s)

    def close(self, seconds: float) -> Crowd:
        """Return what it came to in so long."""
        self.crowd.processor = self.spent_s / seconds
        self.crowd.multiply_adds = multiply_adds(self.pipeline.work) / seconds
        return self.crowd


def watch(
    settings: Settings,
    guests: Sequence[Guest],
    seconds: float,
    fps: float,
    plans: Sequence[SeeingPlan] = (USUAL,),
) -> list[Crowd]:
    """Run the road over the guests' visits, under each of `plans` over the same frames."""
    bundle = load_bundle()
    watches = []
    for plan in plans:
        pipeline = open_pipeline(settings, bundle, EventIds())
        pipeline.follow(plan)
        watches.append(Watch(Crowd([replace(each, reported_s=[]) for each in guests]), pipeline))
    for frame in frames_of(guests, seconds, fps, np.random.default_rng(0)):
        for each in watches:
            each.process(frame)
    return [each.close(seconds) for each in watches]


def _guest_at(here: Sequence[Guest], box: Box, now_s: float) -> Guest | None:
    best = max(here, key=lambda guest: guest.face_at(now_s).iou(box), default=None)
    return best if best and best.face_at(now_s).iou(box) >= MIN_IOU else None


def row_of(crowd: Crowd, confirm_s: float, seconds: float) -> list[str]:
    """Return the figures of a row; only who came and left within the time is counted."""
    whole = [each for each in crowd.guests if each.from_s >= 0 and each.until_s <= seconds]
    masked, bare = (
        [each for each in whole if each.cutout.label == label] for label in (MASKED, BARE)
    )
    delays = [each.reported_s[0] - each.from_s for each in bare if each.reported_s]
    followed = [_share(sum(g.found > 0 for g in group), len(group)) for group in (masked, bare)]
    return [
        str(len(masked)),
        followed[0],
        str(sum(bool(each.reported_s) for each in masked)),
        str(len(bare)),
        followed[1],
        _share(len(delays), len(bare)),
        _share(sum(delay <= confirm_s + LATE_S for delay in delays), len(bare)),
        f"{statistics.median(delays) if delays else math.nan:.2f}",
        str(crowd.nobody),
        str(sum(len(each.reported_s) > 1 for each in bare)),
        f"{crowd.multiply_adds:.0f}",
        f"{crowd.processor:.2f}",
    ]


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.2f}" if whole else "-"


def print_table(
    scenes: Sequence[tuple[str, Arrivals]], settings: Settings, options: argparse.Namespace
) -> None:
    """Print a row for each scene and plan."""
    plans = [PLANS[name] for name in options.plan]
    print(f"{'':16} {'plan':8}", *(f"{name:>8}" for name in COLUMNS))
    for name, guests_by in scenes:
        totals = [Crowd([]) for _ in plans]
        for seed in range(options.seeds):
            guests = guests_by(np.random.default_rng(seed))
            crowds = watch(settings, guests, options.seconds, options.fps, plans)
            for total, crowd in zip(totals, crowds, strict=True):
                total.add(crowd, 1 / options.seeds)
        for plan, total in zip(plans, totals, strict=True):
            row = row_of(total, settings.policy.confirm_s, options.seconds)
            print(f"{name:16} {plan.name:8}", *(f"{each:>8}" for each in row), flush=True)


def parse_changes(changes: Sequence[str]) -> Settings:
    """Return the settings with `section.key=value` changed, each value as in JSON.

    Raises ConfigError.
    """
    sections: dict[str, dict[str, object]] = {
        "mqtt": {"host": "none"},
        "camera": {"source": "none"},
    }
    for change in changes:
        name, _, value = change.partition("=")
        section, _, key = name.partition(".")
        try:
            sections.setdefault(section, {})[key] = json.loads(value)
        except json.JSONDecodeError as error:
            raise ConfigError(f"--set {change}: not section.key=value: {error}") from error
    return parse_settings(sections, "--set")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boxed", type=Path, action="append", required=True)
    parser.add_argument("--split", type=Path, default=HELD_OUT, help="what training has not seen")
    parser.add_argument("--people", type=int, nargs="*", default=CROWDS, help="in sight at a time")
    parser.add_argument("--visits", type=float, nargs="*", default=VISITS_S, help="their seconds")
    parser.add_argument("--walkers", type=int, nargs="*", default=[WALKERS], help="who walk by")
    parser.add_argument("--seconds", type=float, default=30.0, help="of a scene")
    parser.add_argument("--seeds", type=int, default=2, help="scenes for a row")
    parser.add_argument("--fps", type=float, default=FPS)
    parser.add_argument("--plan", nargs="*", choices=PLANS, default=list(PLANS))
    parser.add_argument("--set", nargs="*", default=[], metavar="SECTION.KEY=VALUE")
    options = parser.parse_args()
    try:
        settings = parse_changes(options.set)
        cutouts = cutouts_of(options.boxed, options.split)
    except ConfigError as error:
        parser.error(str(error))
    counts = [sum(each.label == label for each in cutouts) for label in (MASKED, BARE)]
    print(f"{counts[0]} masked and {counts[1]} bare faces; {options.fps:g} frames a second")
    groups = [(f"{number} people", number, STAYS_S) for number in options.people]
    groups += [(f"visits of {each:g} s", VISITORS, (each, each)) for each in options.visits]
    scenes: list[tuple[str, Arrivals]] = [
        (name, partial(guests_of, cutouts, number, stay_s, options.seconds))
        for name, number, stay_s in groups
    ]
    scenes += [
        (f"{number} walk by", partial(walkers_of, cutouts, number, options.seconds))
        for number in options.walkers
    ]
    print_table(scenes, settings, options)


if __name__ == "__main__":
    main()
