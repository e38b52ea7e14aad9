"""The greeting: what a sign at a door says where there is no station, and people just pass.

All who pass are asked for a mask, in general. Somebody is asked in person only when it is certain:
a violation was confirmed, as it is reported over MQTT. Thanks go to people who are all known to
wear one. Both stay for a few seconds, for people who read them while they walk on.
"""

from __future__ import annotations

import math

from edge.pipeline import FrameOutcome
from edge.records import Advice, Frame, MaskState
from edge.station import hindrance
from edge.telemetry import Telemetry

HOLD_S = 3.0
SURE = 0.9
"""How sure the evidence of a mask must be for thanks."""
ASKED = {MaskState.BARE: Advice.NO_MASK, MaskState.WORN_WRONGLY: Advice.WORN_WRONGLY}


class Greeting:
    """Follows who passes. One thread only."""

    def __init__(self) -> None:
        self._said = Advice.EMPTY
        self._until_s = -math.inf

    def take(self, frame: Frame, outcome: FrameOutcome, telemetry: Telemetry | None) -> Advice:
        """Return `no_mask` and `worn_wrongly` to ask people in sight, `go` to thank them."""
        now_s = frame.monotonic_s
        if hindrance(telemetry) is not None:
            self._said, self._until_s = Advice.EMPTY, -math.inf
            return Advice.CLOSED
        advice = _of(outcome)
        asks = advice in ASKED.values()
        if asks or advice is Advice.GO:
            # Thanks do not take the place of a request that somebody else still reads.
            if asks or self._said not in ASKED.values() or now_s >= self._until_s:
                self._said, self._until_s = advice, now_s + HOLD_S
        elif advice is Advice.WAIT and self._said is Advice.GO:
            self._until_s = -math.inf  # somebody of whom it is not known: no thanks
        if not now_s < self._until_s <= now_s + HOLD_S:
            self._said = Advice.EMPTY
        return self._said


def _of(outcome: FrameOutcome) -> Advice:
    standings = [each for each in outcome.standings if not each.is_lifeless]
    for each in standings:
        if each.is_reported and each.state in ASKED:
            return ASKED[each.state]
    if not standings:
        return Advice.EMPTY
    thanked = (each.state is MaskState.MASKED and each.probability >= SURE for each in standings)
    return Advice.GO if all(thanked) else Advice.WAIT
