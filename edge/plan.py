"""How closely the pipeline looks: the plans between which a box chooses by what it can afford.

A plan is a value: the same frames under the same plan give the same decisions on any machine. Which
one a running service follows is said in `health`; `edge.daemon.budget` chooses it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class SeeingPlan:
    """How often and how closely frames are scanned, and how many faces are classified.

    `[detector] every_s` and `[classifier] looks_per_frame` go before it: frames are never scanned
    more often than the one, nor more faces classified in a frame than the other.
    """

    name: str
    every_s: float
    """Where something moves, frames are scanned no more often than this."""
    search_pace: int
    """So many times as long pass between two scans while nobody is in sight: quick scans only
    follow, so searching costs more."""
    always_whole: bool
    """Each scanned frame is scanned as a whole, too; otherwise a close-up takes its place."""
    always_close: bool
    """Where close-ups are worth it, each scanned frame has one; otherwise every other."""
    has_quick: bool
    """Faces that are large enough are followed in a small picture between scans in full size."""
    looks_per_frame: int
    """How many faces are classified in one frame."""


SPARING = SeeingPlan(
    "sparing", 0.24, 2, always_whole=False, always_close=False, has_quick=True, looks_per_frame=2
)
USUAL = replace(SPARING, name="usual", every_s=0.0, looks_per_frame=4)
THOROUGH = replace(USUAL, name="thorough", search_pace=1, always_whole=True)
FULL = replace(THOROUGH, name="full", always_close=True, has_quick=False, looks_per_frame=8)
PLANS = {plan.name: plan for plan in (SPARING, USUAL, THOROUGH, FULL)}
"""By name, the one that costs least first."""

QUICK_COST = 0.25
"""What a quick scan costs beside one in full size: half as wide and high."""


@dataclass(frozen=True, slots=True)
class Work:
    """How much was scanned and classified, since the start or in some time."""

    frames: int = 0
    """In which something was scanned."""
    full: int = 0
    close_ups: int = 0
    quick: int = 0
    looks: int = 0
    searches: int = 0
    """Of the frames, those in which nobody was in sight."""

    @property
    def scans(self) -> float:
        """How many scans in full size cost as much."""
        return self.full + self.close_ups + QUICK_COST * self.quick

    def since(self, before: Work) -> Work:
        """Return what came on top."""
        return Work(
            self.frames - before.frames,
            self.full - before.full,
            self.close_ups - before.close_ups,
            self.quick - before.quick,
            self.looks - before.looks,
            self.searches - before.searches,
        )


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a plan would come to, where another was followed: at most, rather than exactly."""

    frames: float
    """Scanned, if each of them came in time."""
    scans: float
    looks: float


def forecast(work: Work, followed: SeeingPlan, plan: SeeingPlan, ratio: float) -> Forecast:
    """Return what the scene that gave `work` under `followed` would ask for under `plan`.

    `ratio` is how many times as often `plan` scans somebody in sight.
    """
    # Where close-ups are worth it: each frame of these has one, or every other.
    far = work.close_ups * (1 if followed.always_close else 2)
    near = max(0, work.frames - work.quick - far)
    more_searches = work.searches * (followed.search_pace / plan.search_pace - 1)
    far_frames = ratio * max(0, far + more_searches)
    near_frames, quick_frames = ratio * near, ratio * work.quick
    frames = far_frames + near_frames + quick_frames
    scans = (
        far_frames * (2 + plan.always_whole + plan.always_close) / 2
        + near_frames
        + quick_frames * (QUICK_COST if plan.has_quick else 1)
    )
    each = work.looks / work.frames
    # The nearer they were to what was allowed, the more waited for their turn.
    waiting = each / followed.looks_per_frame
    each *= 1 + waiting * (plan.looks_per_frame / followed.looks_per_frame - 1)
    return Forecast(frames, scans, frames * min(each, plan.looks_per_frame))
