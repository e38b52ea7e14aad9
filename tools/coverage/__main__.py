# ruff: noqa: T201 - a command line module
"""Whether the interval of a corrected rate covers the truth in 95 % of the cases: `make coverage`.

2,000 months for each true rate and number of people, at doors whose eyes are as the bundle's
`eyes.json` says, and measured again for each month with as many people as those there. Fails if a
cell is below 95 % by more than chance.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from edge.classify.card import DEFAULT_BUNDLE, load_bundle
from edge.detect.card import read_card
from edge.eyes import NetworkPair, eyes_of_bundle
from tools.coverage.months import Entrance, MonthCell, entrance_of, few, simulate, table

RATES = (0.5, 0.7, 0.9, 0.95, 0.99)
PEOPLE = (10, 100, 1000, 5000)
MONTHS = 2000
NEAR = {64: 0.3, 96: 0.4, 128: 0.3}
"""A camera above a door."""
FAR = {24: 0.25, 32: 0.35, 48: 0.25, 64: 0.15}
"""A camera at the end of a hall."""
FEW = 20


def doors() -> list[Entrance]:
    """Return the doors of the table."""
    networks = NetworkPair(load_bundle(DEFAULT_BUNDLE).card.model_sha256, read_card().sha256)
    eyes = eyes_of_bundle(DEFAULT_BUNDLE, networks)
    if eyes is None:
        raise SystemExit("the bundle has no eyes.json of its networks: make street EYES=file")
    far = entrance_of(eyes, "far", FAR)
    return [entrance_of(eyes, "near", NEAR), far, few(far, "far, measured with few", FEW)]


def cell(job: tuple[Entrance, float, int, int]) -> MonthCell:
    door, rate, people, months = job
    seed = (round(1000 * rate), people)
    return simulate(door, rate, people, months, np.random.default_rng(seed))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--months", type=int, default=MONTHS)
    options = parser.parse_args()
    bad = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for door in doors():
            jobs = [(door, rate, number, options.months) for rate in RATES for number in PEOPLE]
            cells = list(pool.map(cell, jobs))
            print(f"\n{door.name}\n", *table(cells), sep="\n", flush=True)
            bad += [(door.name, each) for each in cells if not each.is_good]
    for name, each in bad:
        print(f"{name}: {each}", file=sys.stderr)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
