"""What the looks at one face say together.

Each look at a face gives log-odds that mouth and nose are not covered. A person's evidence is their
mean over the last seconds, each look weighted by the time that it stands for, so neither a fast
camera nor one odd frame decides. A small weight for "not known yet" keeps the first looks from
counting for more than they are.

Whether mouth and nose are covered is one question, how they are not is another: a beard that every
other look takes for a mask below the chin is surely no mask in its place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from edge.records import MaskState, uncovered

MEMORY_S = 2.0
"""Looks fade with this time constant: long enough to bridge a gesture, short enough to notice that
a mask is put on."""
KIND_MEMORY_S = 4.0
"""The same for whether there is no mask or one that is worn wrongly: the kind seldom changes, and
over a long visit a few odd looks in a row must not turn the one into the other."""
KIND_LIMIT = 3.0
"""No look says more about the kind than this, in log-odds: one that is sure and wrong must not
outweigh many that are right and less sure."""
PRIOR_S = 0.2
"""The weight of "not known yet"."""
FIRST_LOOK_S = 0.1
MAX_LOOK_S = 0.5
"""A look stands for the time since the look before it, but for no more than this."""
MAX_LOG_ODDS = 5.0
"""One look is never surer: int8 outputs come in steps of 1/256, whose log-odds end at 5.5."""


@dataclass(slots=True)
class Evidence:
    """What the looks at one face say together."""

    weight_s: float = 0.0
    weighted_uncovered: float = 0.0
    """Log-odds that mouth and nose are not covered."""
    weighted_bare: float = 0.0
    """Of no mask against all else."""
    bare_over_worn: float = 0.0
    """Of no mask, less those of one that is worn wrongly; looks at a covered face weigh little."""
    last_look_s: float | None = None

    @property
    def uncovered_probability(self) -> float:
        """How likely mouth and nose are not covered, without a mask or with one worn wrongly."""
        return self._probability(self.weighted_uncovered)

    @property
    def bare_probability(self) -> float:
        """How likely there is no mask."""
        return self._probability(self.weighted_bare)

    @property
    def kind(self) -> MaskState:
        """What mouth and nose are, if they are not covered: bare or worn wrongly, which is
        likelier. Bare where the network does not tell them apart."""
        return MaskState.BARE if self.bare_over_worn >= 0 else MaskState.WORN_WRONGLY

    def add(self, probabilities: Mapping[MaskState, float], now_s: float) -> float:
        """Take in a look; return the seconds that it stands for."""
        since_s = FIRST_LOOK_S if self.last_look_s is None else now_s - self.last_look_s
        self.last_look_s = now_s
        look_s = min(since_s, MAX_LOOK_S)
        kept, kind_kept = math.exp(-since_s / MEMORY_S), math.exp(-since_s / KIND_MEMORY_S)
        either, bare = uncovered(probabilities), log_odds(probabilities[MaskState.BARE])
        worn = log_odds(probabilities.get(MaskState.WORN_WRONGLY, 0.0))
        self.weight_s = self.weight_s * kept + look_s
        self.weighted_uncovered = self.weighted_uncovered * kept + look_s * log_odds(either)
        self.weighted_bare = self.weighted_bare * kept + look_s * bare
        kind = max(-KIND_LIMIT, min(KIND_LIMIT, bare - worn))
        self.bare_over_worn = self.bare_over_worn * kind_kept + look_s * either * kind
        return look_s

    def _probability(self, weighted_log_odds: float) -> float:
        return 1 / (1 + math.exp(-weighted_log_odds / (self.weight_s + PRIOR_S)))


def log_odds(probability: float) -> float:
    """Return ln(p / (1 - p)), bounded to what one look can know."""
    limit = 1 / (1 + math.exp(MAX_LOG_ODDS))
    inside = min(max(probability, limit), 1 - limit)
    return math.log(inside / (1 - inside))
