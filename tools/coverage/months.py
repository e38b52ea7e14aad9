"""Simulated months: people of known state pass eyes whose true strength is known, too."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge.rates import Counted, Eyes, Rate, class_of, rate_of

Table = Mapping[int, tuple[float, float, float]]
"""By class of size: of the people there, the share that is judged as they are, judged as the
contrary, and lost."""


@dataclass(frozen=True, slots=True)
class Entrance:
    """What is true at a door, which nobody knows there."""

    name: str
    mix: Mapping[int, float]
    """The share of each class of size among all who come."""
    masked: Table
    bare: Table
    measured_with: Mapping[int, tuple[int, int]]
    """With how many people the eyes were measured, with a mask and without, by class."""


@dataclass(frozen=True, slots=True)
class MonthCell:
    """What became of the months of one true rate and one number of people."""

    true_rate: float
    people: int
    months: int
    silent: int
    """Months of which no corrected rate could be said: nobody was judged."""
    covered: int
    """Of the others: the corrected interval has the true rate in it."""
    realized: int
    """And the share among the people who really came."""
    naive: int
    """The naive interval has the true rate in it."""
    width: float
    """The mean width of the corrected interval."""
    bias: float
    """The mean of the naive rate, less the true one."""

    @property
    def said(self) -> int:
        return self.months - self.silent

    @property
    def is_good(self) -> bool:
        """Whether 95 % are covered, or fewer by chance: not below by more than what happens once
        in 1,000 times (3.09 standard deviations) to an interval that covers 95 %."""
        return self.covered >= 0.95 * self.said - 3.09 * math.sqrt(0.95 * 0.05 * self.said)


def entrance_of(eyes: Eyes, name: str, mix: Mapping[int, float]) -> Entrance:
    """Return a door where the eyes are just as they were measured, and measured with as many."""

    sizes = sorted({*mix, *eyes.masked, *eyes.bare})

    def table(measured: Mapping[int, Counted]) -> Table:
        return {size: _smoothed(measured[class_of(measured, size)]) for size in sizes}

    def shown(measured: Mapping[int, Counted], size_px: int) -> int:
        counted = measured.get(size_px)
        return 0 if counted is None else counted.shown or counted.of

    numbers = {each: (shown(eyes.masked, each), shown(eyes.bare, each)) for each in sizes}
    return Entrance(name, mix, table(eyes.masked), table(eyes.bare), numbers)


def few(door: Entrance, name: str, number: int) -> Entrance:
    """Return the same door, its eyes measured with so many people of each state and class."""
    return replace(door, name=name, measured_with=dict.fromkeys(door.mix, (number, number)))


def simulate(
    door: Entrance, true_rate: float, people: int, months: int, rng: np.random.Generator
) -> MonthCell:
    """Return what becomes of the rates of these months; the eyes are measured again for each."""
    rates: list[tuple[Rate, float]] = []
    for _ in range(months):
        eyes = _measured(door, rng)
        counts, realized = _counted(door, true_rate, people, rng)
        rate = rate_of(counts, eyes)
        if rate is not None and rate.corrected is not None:
            rates.append((rate, realized))
    return MonthCell(
        true_rate,
        people,
        months,
        silent=months - len(rates),
        covered=sum(_holds(each.low, true_rate, each.high) for each, _ in rates),
        realized=sum(_holds(each.low, realized, each.high) for each, realized in rates),
        naive=sum(_holds(each.naive_low, true_rate, each.naive_high) for each, _ in rates),
        width=float(np.mean([(each.high or 0.0) - (each.low or 0.0) for each, _ in rates])),
        bias=float(np.mean([each.naive for each, _ in rates])) - true_rate,
    )


def _holds(low: float | None, share: float, high: float | None) -> bool:
    # A limit that is the share itself but for rounding holds it.
    return low is not None and high is not None and low - 1e-9 <= share <= high + 1e-9


def _smoothed(counted: Counted) -> tuple[float, float, float]:
    """Return shares that are never quite 0: what was measured without an error has some, too."""
    shown = counted.shown or counted.of
    parts = (counted.right, counted.of - counted.right, shown - counted.of)
    right, wrong, lost = ((part + 0.5) / (shown + 1.5) for part in parts)
    return right, wrong, lost


def _measured(door: Entrance, rng: np.random.Generator) -> Eyes:
    masked, bare = (
        {
            size: _drawn(rng, numbers[state], truth[size])
            for size, numbers in door.measured_with.items()
            if numbers[state]
        }
        for state, truth in enumerate((door.masked, door.bare))
    )
    return Eyes(masked, bare, door.name)


def _drawn(rng: np.random.Generator, number: int, truth: tuple[float, float, float]) -> Counted:
    right, wrong, _lost = map(int, rng.multinomial(number, truth))
    return Counted(right, right + wrong, number)


def _counted(
    door: Entrance, true_rate: float, people: int, rng: np.random.Generator
) -> tuple[dict[int, tuple[int, int]], float]:
    """Return what is counted in a month, and the share with a mask among those who came."""
    sizes: NDArray[np.int64] = rng.multinomial(people, tuple(door.mix.values()))
    counts: dict[int, tuple[int, int]] = {}
    masked_people = 0
    for size, number in zip(door.mix, sizes, strict=True):
        masked = int(rng.binomial(number, true_rate))
        masked_people += masked
        right, wrong, _ = rng.multinomial(masked, door.masked[size])
        no, yes, _ = rng.multinomial(number - masked, door.bare[size])
        counts[size] = (int(right + yes), int(wrong + no))
    return counts, masked_people / people


def table(cells: Sequence[MonthCell]) -> list[str]:
    """Return the rows of a table in Markdown."""
    rows = [
        "| true rate | people | corrected covers | of those who came | width | naive covers "
        "| naive is off by |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in cells:
        said = max(1, each.said)
        naive = f"{each.naive / said:.3f}"
        rows.append(
            f"| {each.true_rate:g} | {each.people:,} | {each.covered / said:.3f} "
            f"| {each.realized / said:.3f} | {each.width:.3f} "
            f"| {naive if each.naive >= 0.93 * said else f'**{naive}**'} | {each.bias:+.3f} |"
        )
    return rows
