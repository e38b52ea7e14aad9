"""How closely the pipeline looks: the plans between which a box chooses by what it can afford.

A plan is a value: the same frames under the same plan give the same decisions on any machine. Which
one a running service follows is said in `health`.
"""

from __future__ import annotations

from dataclasses import dataclass


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
    """So many times as long pass between two scans while nobody is in sight."""
    has_both: bool
    """Close-ups are scanned beside the whole picture, in the same frame; otherwise by turns."""
    has_quick: bool
    """Faces that are large enough are followed in a small picture between scans in full size."""
    looks_per_frame: int
    """How many faces are classified in one frame."""


SPARING = SeeingPlan("sparing", 0.24, 2, has_both=False, has_quick=True, looks_per_frame=2)
USUAL = SeeingPlan("usual", 0.0, 2, has_both=False, has_quick=True, looks_per_frame=4)
THOROUGH = SeeingPlan("thorough", 0.2, 1, has_both=True, has_quick=True, looks_per_frame=8)
FULL = SeeingPlan("full", 0.0, 1, has_both=True, has_quick=False, looks_per_frame=8)
PLANS = {plan.name: plan for plan in (SPARING, USUAL, THOROUGH, FULL)}
"""By name, the one that costs least first."""
