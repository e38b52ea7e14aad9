"""What the looks at one face say together.

Each look at a face gives log-odds of each state that the network tells apart. A person's evidence
is their mean over the last seconds, each look weighted by the time that it stands for, so neither a
fast camera nor one odd frame decides. A small weight for "not known yet" keeps the first looks from
counting for more than they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from edge.records import MaskState

MEMORY_S = 2.0
"""Looks fade with this time constant: long enough to bridge a gesture, short enough to notice that
a mask is put on."""
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
    weighted_log_odds: dict[MaskState, float] = field(default_factory=dict)
    """Of each state against all others."""
    last_look_s: float | None = None

    def probability(self, state: MaskState) -> float:
        """Return how likely the state is; 0 where the network does not tell it apart."""
        if state not in self.weighted_log_odds:
            return 0.0
        return 1 / (1 + math.exp(-self.weighted_log_odds[state] / (self.weight_s + PRIOR_S)))

    @property
    def bare_probability(self) -> float:
        return self.probability(MaskState.BARE)

    @property
    def unmasked_probability(self) -> float:
        """How likely all states but a mask are together; of two, the bare one alone."""
        return sum(self.probability(state) for state in MaskState if state != MaskState.MASKED)

    def add(self, probabilities: Mapping[MaskState, float], now_s: float) -> float:
        """Take in a look; return the seconds that it stands for."""
        since_s = FIRST_LOOK_S if self.last_look_s is None else now_s - self.last_look_s
        self.last_look_s = now_s
        look_s = min(since_s, MAX_LOOK_S)
        kept = math.exp(-since_s / MEMORY_S)
        self.weight_s = self.weight_s * kept + look_s
        for state, probability in probabilities.items():
            before = self.weighted_log_odds.get(state, 0.0)
            self.weighted_log_odds[state] = before * kept + look_s * log_odds(probability)
        return look_s


def log_odds(probability: float) -> float:
    """Return ln(p / (1 - p)), bounded to what one look can know."""
    limit = 1 / (1 + math.exp(MAX_LOG_ODDS))
    inside = min(max(probability, limit), 1 - limit)
    return math.log(inside / (1 - inside))
