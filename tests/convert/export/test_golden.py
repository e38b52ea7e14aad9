from __future__ import annotations

from convert.export.golden import CHOSEN, choose_golden
from edge.classify.card import load_bundle
from edge.classify.golden import TOLERANCE_STEPS, self_test
from edge.classify.runtime import Int8Network


def test_the_patterns_chosen_pass_and_would_tell_swapped_colours() -> None:
    network = Int8Network(load_bundle().model)
    said: list[str] = []
    golden = choose_golden(network, said.append)
    assert len(set(golden.patterns)) == CHOSEN
    self_test(network, golden)
    (line,) = said
    off_steps = int(line.split("off by ")[1].split()[0])
    assert off_steps > 2 * TOLERANCE_STEPS
