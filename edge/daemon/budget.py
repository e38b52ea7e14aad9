"""The budget: as closely as frames can be looked at with the share of the processor that is given.

Once a minute, if enough was scanned in it, what scans and classifications cost here says which
plans would fit: into the share of all cores, and into the time from one scanned frame to the next
(or a fifth of a second, where that is longer). The scene has its say by what it asked for in that
minute: a quiet door is looked at more closely than a crowd. A plan that does not fit is left at
once; the next one is taken after several minutes, and after more of them each time that this was
undone. So plans change rarely.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from edge.config import Settings
from edge.host.health import Spent, Stopwatch
from edge.plan import PLANS, SeeingPlan, Work, forecast
from edge.telemetry import CLASSIFY, SCAN, Pace

_log = logging.getLogger(__name__)

EVERY_S = 60.0
FEWEST_FRAMES = 20
"""A minute in which fewer were scanned says nothing."""
MARGIN = 0.9
"""A plan that is not followed yet has to fit into so much of what there is."""
KEEPS_UP_S = 0.2
"""A scanned frame may take so long, even if the next is due: who walks is followed as well."""
PATIENCE, MOST_PATIENCE = 2, 60
"""Minutes in a row in which the next plan would have fit, until it is followed."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What was done, and what it took, since the start or in some time."""

    work: Work = field(default_factory=Work)
    scans: Spent = field(default_factory=Spent)
    """Of those in full size."""
    looks: Spent = field(default_factory=Spent)

    @classmethod
    def of(cls, work: Work, stopwatch: Stopwatch) -> Usage:
        return cls(work, stopwatch.spent(SCAN), stopwatch.spent(CLASSIFY))

    def since(self, before: Usage) -> Usage:
        return Usage(
            self.work.since(before.work),
            self.scans.since(before.scans),
            self.looks.since(before.looks),
        )


class Budget:
    """Chooses the plan. Pure: usage, pace and time come from outside."""

    def __init__(self, settings: Settings, cores: float, now_s: float) -> None:
        """`cores` is how many the program may keep busy."""
        self.plan = settings.detector.first_plan
        self._settings = settings
        self._cores = cores
        self._before = Usage()
        self._before_s = now_s
        self._fitting, self._patience = 0, PATIENCE

    def is_due(self, now_s: float) -> bool:
        is_free = self._settings.detector.plan == "auto"
        return is_free and now_s - self._before_s >= EVERY_S

    def start_over(self, usage: Usage, now_s: float) -> None:
        """Begin another minute: nothing was to be seen, so what it cost says nothing."""
        self._before, self._before_s = usage, now_s

    def choose(self, usage: Usage, fps: float | None, pace: Pace, now_s: float) -> SeeingPlan:
        """Return the plan for the time to come; `usage` is the whole since the start."""
        minute, elapsed_s = usage.since(self._before), now_s - self._before_s
        self.start_over(usage, now_s)
        in_full = minute.work.full + minute.work.close_ups
        if minute.work.frames < FEWEST_FRAMES or not in_full:
            return self.plan
        frame_s = max(1 / fps if fps else 0.0, pace.interval_s)
        ladder = self._ladder(frame_s)
        at = ladder.index(self.plan)
        if at > 0 and not self._fits(self.plan, minute, elapsed_s, frame_s, pace.share, 1.0):
            self._fitting, self._patience = 0, min(MOST_PATIENCE, 2 * self._patience)
            self._follow(ladder[at - 1])
        elif at + 1 < len(ladder) and self._fits(
            ladder[at + 1], minute, elapsed_s, frame_s, pace.share, MARGIN
        ):
            self._fitting += 1
            if self._fitting >= self._patience:
                self._fitting = 0
                self._follow(ladder[at + 1])
        else:
            self._fitting = 0
        return self.plan

    def _ladder(self, frame_s: float) -> list[SeeingPlan]:
        """Return the plans that lose nobody between two scans, the one that costs least first."""
        detector, tracker = self._settings.detector, self._settings.tracker
        return [
            plan
            for plan in PLANS.values()
            if plan is self.plan or detector.gap_under(plan, frame_s) < tracker.bridged_s(frame_s)
        ]

    def _fits(
        self,
        plan: SeeingPlan,
        minute: Usage,
        elapsed_s: float,
        frame_s: float,
        share: float,
        margin: float,
    ) -> bool:
        """Return whether `plan` keeps up, within this `share` of what seeing may take."""
        detector, work = self._settings.detector, minute.work
        gap_s = detector.gap_under(plan, frame_s) or elapsed_s / work.frames
        ratio = (detector.gap_under(self.plan, frame_s) or gap_s) / gap_s
        expected = forecast(work, self.plan, plan, ratio)
        scans = expected.scans / (work.full + work.close_ups)
        looks = expected.looks / max(1, work.looks)
        wall_s = (scans * minute.scans.wall_s + looks * minute.looks.wall_s) / expected.frames
        if wall_s > margin * max(gap_s, KEEPS_UP_S):
            return False
        cpu_s = (scans * minute.scans.cpu_s + looks * minute.looks.cpu_s) / expected.frames
        frames = min(expected.frames, elapsed_s / max(gap_s, wall_s))
        return frames * cpu_s <= margin * share * detector.cpu_share * self._cores * elapsed_s

    def _follow(self, plan: SeeingPlan) -> None:
        _log.info("plan %s instead of %s: see [detector] cpu_share", plan.name, self.plan.name)
        self.plan = plan
