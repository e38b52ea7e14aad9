"""The share of people with a mask, corrected for what the eyes are known to miss.

Somebody is judged right with a probability that was measured on people whose state is known, and
people without a mask may be lost to the detector more often than others. With

    q    the share of `masked` among the people who were judged,
    Se   of the people with a mask who are judged, the share that is judged as masked,
    Sp   of those without who are judged, the share that is judged as bare,
    r, s the shares of the people with a mask, and without, who are judged at all,

the share p of people with a mask among all who came solves

    q = (p r Se + (1 - p) s (1 - Sp)) / (p r + (1 - p) s)

    p = s (q - (1 - Sp)) / (s (q - (1 - Sp)) + r (Se - q))

which is the estimator of Rogan and Gladen (1978, doi 10.1093/oxfordjournals.aje.a112510) where
r = s. Each of the five was measured with a finite number of people. The interval carries all of
that: melded confidence intervals (Fay, Proschan and Brittain 2015, doi 10.1111/biom.12231; for a
prevalence Bayer, Fay and Graubard 2022, arXiv 2205.13494, whose R code is `asht::WprevSeSp`). p
rises with q, Sp and s and falls with Se and r; so its lower limit is the 2.5 % quantile of p where
q, Sp and s are drawn from the beta distributions of their own lower limits by Clopper and Pearson
(1934), and Se and r from those of their upper limits, and the other way round.

The draws are a fixed sequence of points, so the same counts give the same interval on any machine.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
"""Of each interval here."""
_SQUARE = 1.959963984540054**2
"""The squared quantile of the normal distribution for LEVEL."""

_POINTS = 2048
_GRID = 256
_REACH = 8.0
"""Standard deviations to each side of the middle that a grid spans."""
_DIMENSIONS = 5

Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Counted:
    """What was made of people of one state and size, whose state is known."""

    right: int
    """Judged as what they are."""
    of: int
    """Judged as with or without a mask."""
    shown: int | None = None
    """How many there were; the others were missed, not judged or judged as wearing it wrongly.
    None: not known."""

    def __post_init__(self) -> None:
        """Raises ValueError when these counts cannot be."""
        if not 0 <= self.right <= self.of <= (self.of if self.shown is None else self.shown):
            raise ValueError(f"right <= of <= shown does not hold for {self}")


@dataclass(frozen=True, slots=True)
class Eyes:
    """How well the eyes judge, as measured: by where a class of face size begins, in pixels.

    A class without a measurement is taken to be as the next smaller one that has one (a larger
    face is not harder to judge); below all, as the smallest.
    """

    masked: Mapping[int, Counted]
    bare: Mapping[int, Counted]
    source: str
    """What it was measured on, for the reader of a report."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of people with a mask, and between which limits it lies with 95 % certainty."""

    naive: float
    """Of the people who were judged as with or without a mask, as if each were judged right."""
    naive_low: float
    naive_high: float
    """By Wilson (1927)."""
    corrected: float | None
    """Of all people with or without a mask who came, corrected for what the eyes miss; None:
    nothing is known of the eyes, or they see no difference."""
    low: float | None
    high: float | None
    counted_width: float | None = None
    """How far apart `low` and `high` would be if the eyes were known exactly: what is left when
    only more people can make the rate surer."""


def rate_of(counts: Mapping[int, tuple[int, int]], eyes: Eyes | None) -> Rate | None:
    """Return the rate of these people: judged masked and judged bare, by class of size.

    None: nobody was judged. Raises ValueError where a count is negative.

    People of all sizes are taken together before the correction, and the eyes are averaged by the
    same mix: corrected one by one, a class of three people would be cut off at 0 or 1, and the sum
    of what is cut off is wrong. This assumes that the same share of people wears a mask in each
    class.
    """
    if any(min(pair) < 0 for pair in counts.values()):
        raise ValueError(f"counts below 0: {dict(counts)}")
    masked = sum(pair[0] for pair in counts.values())
    people = sum(map(sum, counts.values()))
    if not people:
        return None
    naive = masked / people
    low, high = wilson_interval(masked, people)
    mixed = eyes and _mixed(counts, eyes, naive)
    if not mixed:
        return Rate(naive, low, high, None, None, None)
    seen = _Share(masked, people)
    corrected = mixed.solved(naive)
    if corrected is None:
        return Rate(naive, low, high, None, None, None)
    lower, upper = mixed.limits(seen)
    width = mixed.width(masked, people)
    return Rate(naive, low, high, corrected, min(lower, corrected), max(upper, corrected), width)


def class_of(measured: Mapping[int, Counted], size_px: int) -> int:
    """Return the class whose measurement is taken for people of a size."""
    known = [each for each, counted in measured.items() if counted.of]
    return max((each for each in known if each <= size_px), default=min(known))


def wilson_interval(right: int, of: int) -> tuple[float, float]:
    """Return between which limits a share lies, by Wilson (1927); of nobody: between 0 and 1.

    Right on average over all shares; for a single share its coverage may be below LEVEL.
    """
    if not of:
        return 0.0, 1.0
    square = _SQUARE / of
    share = right / of
    middle = share + square / 2
    half = math.sqrt(square * share * (1 - share) + square**2 / 4)
    return max(0.0, (middle - half) / (1 + square)), min(1.0, (middle + half) / (1 + square))


def exact_interval(right: int, of: int) -> tuple[float, float]:
    """Return between which limits a share lies, by Clopper and Pearson (1934): whatever the share
    is, its coverage is LEVEL at least. Of nobody: between 0 and 1."""
    outside = (1 - LEVEL) / 2
    share = _Share(right, of)
    low, high = share.lower(np.array([outside])), share.upper(np.array([1 - outside]))
    return float(low[0]), float(high[0])


@dataclass(frozen=True, slots=True)
class _Share:
    """A share that was measured: so many of so many; those of several classes may be no integers.

    Its lower and upper limit of Clopper and Pearson at each level make two beta distributions,
    below and above what is known.
    """

    right: float
    of: float

    @property
    def value(self) -> float:
        return self.right / self.of

    def lower(self, levels: Reals) -> Reals:
        """Return the quantiles of the lower distribution."""
        if self.right < 1:
            return np.zeros_like(levels)
        return beta_quantiles(self.right, self.of - self.right + 1, levels)

    def upper(self, levels: Reals) -> Reals:
        """Return the quantiles of the upper one."""
        if self.of - self.right < 1:
            return np.ones_like(levels)
        return beta_quantiles(self.right + 1, self.of - self.right, levels)


_ALL = _Share(1, 1)


@dataclass(frozen=True, slots=True)
class _MixedEyes:
    """Eyes for one mix of sizes; the letters of the module's formula."""

    sensitivity: _Share
    specificity: _Share
    judged_masked: _Share | None
    """r; None: neither of the two was measured."""
    judged_bare: _Share | None
    """s"""

    def solved(self, seen: float) -> float | None:
        """Return p for a share of `masked` that was seen; None: the eyes see no difference."""
        if self.sensitivity.value + self.specificity.value <= 1:
            return None
        r, s = (each.value if each else 1.0 for each in (self.judged_masked, self.judged_bare))
        wrong = 1 - self.specificity.value
        if r <= 0 or s <= 0:
            return None
        known = (np.array([each]) for each in (seen, self.sensitivity.value, wrong, r, s))
        return float(_solved(*known, unknown=0.0)[0])

    def width(self, masked: int, people: int) -> float | None:
        """Return how wide the interval of p is with these eyes, as if all were known of them."""
        low, high = map(self.solved, exact_interval(masked, people))
        return None if low is None or high is None else high - low

    def limits(self, seen: _Share) -> tuple[float, float]:
        """Return the limits of p."""
        q, se, sp, r, s = _LEVELS
        one = np.ones(_POINTS)
        judged_masked, judged_bare = self.judged_masked, self.judged_bare
        lower = _solved(
            seen.lower(q),
            self.sensitivity.upper(se),
            1 - self.specificity.lower(sp),
            judged_masked.upper(r) if judged_masked else one,
            judged_bare.lower(s) if judged_bare else one,
            unknown=0.0,
        )
        upper = _solved(
            seen.upper(q),
            self.sensitivity.lower(se),
            1 - self.specificity.upper(sp),
            judged_masked.lower(r) if judged_masked else one,
            judged_bare.upper(s) if judged_bare else one,
            unknown=1.0,
        )
        outside = (1 - LEVEL) / 2
        return float(np.quantile(lower, outside)), float(np.quantile(upper, 1 - outside))


def _solved(q: Reals, se: Reals, wrong: Reals, r: Reals, s: Reals, *, unknown: float) -> Reals:
    """Return p, between 0 and 1; `unknown` where the eyes see no difference. `wrong` is 1 - Sp."""
    with np.errstate(divide="ignore", invalid="ignore"):
        masked = s * np.clip(q - wrong, 0, None)
        bare = r * np.clip(se - q, 0, None)
        share = masked / (masked + bare)
    return np.where((se > wrong) & np.isfinite(share), share, unknown)


def _mixed(counts: Mapping[int, tuple[int, int]], eyes: Eyes, seen: float) -> _MixedEyes | None:
    """Return the eyes for the mix of sizes in `counts`; None: a state was not measured."""
    if not any(each.of for each in eyes.masked.values()):
        return None
    if not any(each.of for each in eyes.bare.values()):
        return None
    of_all: Counter[tuple[int, int]] = Counter()
    for size_px, pair in counts.items():
        of_all[class_of(eyes.masked, size_px), class_of(eyes.bare, size_px)] += sum(pair)
    # How many of each class came, judged or not. How they divide into the two states is not known
    # yet; what was seen is near enough, since it only weighs r and s, which are close.
    came = {
        each: number
        / (seen * _judged(eyes.masked[each[0]]) + (1 - seen) * _judged(eyes.bare[each[1]]))
        for each, number in of_all.items()
    }
    masked, bare = Counter[int](), Counter[int]()
    for (of_masked, of_bare), number in came.items():
        masked[of_masked] += number  # type: ignore[assignment]
        bare[of_bare] += number  # type: ignore[assignment]
    is_counted = all(
        of_state[each].shown is not None
        for of_state, mix in ((eyes.masked, masked), (eyes.bare, bare))
        for each in mix
    )
    return _MixedEyes(
        _right_among(eyes.masked, masked),
        _right_among(eyes.bare, bare),
        _judged_among(eyes.masked, masked) if is_counted else None,
        _judged_among(eyes.bare, bare) if is_counted else None,
    )


def _judged(counted: Counted) -> float:
    return 1.0 if counted.shown is None else counted.of / counted.shown


def _right_among(measured: Mapping[int, Counted], came: Mapping[int, float]) -> _Share:
    """Return Se or Sp of a mix: classes count by how many of their people are judged."""
    return _averaged(
        (number * _judged(measured[each]), measured[each].right, measured[each].of)
        for each, number in came.items()
    )


def _judged_among(measured: Mapping[int, Counted], came: Mapping[int, float]) -> _Share:
    return _averaged(
        (number, measured[each].of, measured[each].shown or 0) for each, number in came.items()
    )


def _averaged(classes: Iterable[tuple[float, int, int]]) -> _Share:
    """Return the weighted mean of shares, as one share of a number of people.

    The number is that which gives the mean its variance if the classes are alike: 1 / sum(w^2 / n),
    for weights w that sum to 1. A class that counts for much and was measured with few people so
    makes the interval wide; weights as at the measurement give the sum of all people.
    """
    rows = list(classes)
    total = sum(weight for weight, _, _ in rows)
    share = sum(weight / total * right / of for weight, right, of in rows)
    people = 1 / sum((weight / total) ** 2 / of for weight, _, of in rows)
    return _Share(share * people, people)


def beta_quantiles(a: float, b: float, levels: Reals) -> Reals:
    """Return the quantiles of the beta distribution at each level, for a and b from 1 on.

    Its density is summed over the angle whose squared sine is the share. On that scale the spread
    hardly depends on a : b, and the density is 0 at both ends. Right to 0.02 standard deviations
    between the levels 0.001 and 0.999.
    """
    middle = math.asin(math.sqrt(a / (a + b)))
    spread = _REACH / (2 * math.sqrt(a + b))
    angles = np.linspace(max(0.0, middle - spread), min(math.pi / 2, middle + spread), _GRID + 2)
    angles = angles[1:-1]
    logs = (2 * a - 1) * np.log(np.sin(angles)) + (2 * b - 1) * np.log(np.cos(angles))
    density = np.exp(logs - logs.max())
    below = np.cumsum(density) - density / 2
    return np.asarray(np.sin(np.interp(levels * density.sum(), below, angles)) ** 2)


def _even_points(number: int, dimensions: int) -> Reals:
    """Return points that fill a cube of sides 1 evenly, shape (dimensions, number).

    The additive recurrence of Roberts (2018), "The unreasonable effectiveness of quasirandom
    sequences": multiples of the powers of the root of x^(d+1) = x + 1.
    """
    root = 2.0
    for _ in range(64):
        root = (1 + root) ** (1 / (dimensions + 1))
    steps = root ** -np.arange(1.0, dimensions + 1)
    return np.asarray((0.5 + np.outer(steps, np.arange(1, number + 1))) % 1)


_LEVELS = _even_points(_POINTS, _DIMENSIONS)
