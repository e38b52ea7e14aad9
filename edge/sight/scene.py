"""What a scene looks like, in small numbers: how strong its edges are, of each fineness, by cell.

Of two pictures of a scene, what both show is the scene, and what differs is the sensor's noise and
what moves. So the power of a band is the mean product of both pictures' bands, in which noise is
nothing. No picture can be made of it: 48 cells across, none of which is smaller than a face.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.pixels import scaled
from edge.records import Pixels

BANDS: Final = 5
"""Octaves of the Laplacian pyramid (Burt and Adelson, 1983), the finest first."""
ACROSS: Final = 48
MEASURED_PX: Final = 640
"""Wider pictures are measured as they are in this width: the detector sees no more of them."""
MIDDLE: Final = slice(1, 4)
"""Bands that neither noise nor light decides."""
NOTHING: Final = 0.1
"""Of the power of edges."""
LEAST_EDGES: Final = 25.0
"""Power: weaker ones are of a blank wall, and go with the light."""
BURNT: Final = 230.0
"""Gray levels, on average: in brighter cells light has burnt the edges out."""
BLACK: Final = 4.0
"""Gray levels: what a camera makes of darkness."""
COVERED: Final = 0.5
"""Less than this is left of a cell's brightness, beside what the light explains."""
FITS: Final = 12
LEAST_SPREAD: Final = 0.02
"""Of the logarithms of brightness."""
Map = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SceneLook:
    """What one pair of pictures says."""

    power: Map
    level: Map
    edges: Map
    """(3, rows, ACROSS): the structure tensor of each cell (xx, yy, xy)."""
    noise: float
    """Standard deviation of the noise in a picture, in gray levels, whatever moves."""

    @classmethod
    def of(cls, first: Pixels, second: Pixels) -> SceneLook:
        """Measure two pictures of a scene, a second or so apart."""
        ratio = min(1.0, MEASURED_PX / first.shape[1])
        first, second = (scaled(each, ratio) for each in (first, second))
        height, width = first.shape[:2]
        size = (ACROSS, max(1, round(ACROSS * height / width)))

        def by_cell(values: Map) -> Map:
            return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)

        shades = [cv2.cvtColor(each, cv2.COLOR_BGR2YCrCb) for each in (first, second)]
        luma = [each[..., 0].astype(np.float32) for each in shades]
        one, other = (pyramid(each) for each in luma)
        power = [by_cell(a * b) for a, b in zip(one[:BANDS], other[:BANDS], strict=True)]
        (x, y), (across, down) = (_slopes(each) for each in luma)
        edges = [by_cell(x * across), by_cell(y * down), by_cell((x * down + y * across) / 2)]
        level = by_cell(shades[0].astype(np.float32))
        apart = _median(np.abs(luma[1][::4, ::4] - luma[0][::4, ::4]))
        return cls(np.asarray(power), level, np.asarray(edges), 1.4826 * apart / math.sqrt(2))


@dataclass(frozen=True, slots=True)
class SceneFigures:
    """Of a scene, as it was for a while."""

    power: Map
    """(BANDS, rows, ACROSS), gray levels squared: how strong the edges of each band are. Below 0
    where there is nothing but noise: the mean of many such cells is nothing, too."""
    level: Map
    """(rows, ACROSS, 3): the mean of Y, Cr and Cb."""
    order: float
    """How straight its edges are: the coherence of their directions, 0 to 1."""
    noise: float
    """In gray levels."""

    @property
    def color(self) -> float:
        """How far from gray it is on average, in levels."""
        return float(np.abs(self.level[..., 1:] - 128).mean())


def figures_of(looks: Sequence[SceneLook]) -> SceneFigures:
    """Return of each cell the median of all looks, so that somebody who passes changes little."""
    xx, yy, xy = np.median([each.edges for each in looks], axis=0)
    straight = np.sqrt((xx - yy) ** 2 + 4 * xy**2).sum()
    return SceneFigures(
        np.median([each.power for each in looks], axis=0).astype(np.float32),
        np.median([each.level for each in looks], axis=0).astype(np.float32),
        float(straight / max(1e-6, (xx + yy).sum())),
        float(np.median([each.noise for each in looks])),
    )


def hidden(reference: SceneFigures, now: SceneFigures) -> float:
    """Return the share of the cells with edges, 0 to 1, in which next to nothing is left of them
    while the others are as they were: something lies on the lens there, or stands before it."""
    before, after = (each.power[MIDDLE].sum(axis=0) for each in (reference, now))
    is_lit = np.maximum(reference.level[..., 0], now.level[..., 0]) < BURNT
    has_edges = is_lit & (before >= max(LEAST_EDGES, float(np.median(before))))
    if not has_edges.any():
        return 0.0
    left = after[has_edges] / before[has_edges]
    return float((left < NOTHING * np.median(left)).mean())


def covered(reference: SceneFigures, now: SceneFigures) -> float:
    """Return the share of the cells, 0 to 1, that are much darker than another light explains: one
    that changes slowly over the picture, or by an exponent.

    Fitted by iteratively reweighted least squares (Holland and Welsch, 1977), so that what is
    covered does not count as light.
    """
    before, after = (np.log(each.level[..., 0] + BLACK) for each in (reference, now))
    rows, columns = before.shape
    down, across = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    slopes = (np.ones_like(across), across, down, across**2, down**2, across * down, before)
    shapes = np.stack(slopes, axis=-1).reshape(-1, len(slopes)).astype(np.float64)
    fell = (after - before).ravel().astype(np.float64)
    weight, left = np.ones_like(fell), fell
    for _ in range(FITS):
        weighted = shapes * weight[:, None]
        normal = weighted.T @ shapes + 1e-3 * np.eye(len(slopes))
        left = fell - shapes @ np.linalg.solve(normal, weighted.T @ fell)
        spread = 1.4826 * float(np.median(np.abs(left))) + LEAST_SPREAD
        weight = 1 / (1 + (left / (2 * spread)) ** 2)
    return float((left < math.log(COVERED)).mean())


def middle_of(figures: Sequence[SceneFigures]) -> SceneFigures:
    """Return the median of several times."""
    return SceneFigures(
        np.median([each.power for each in figures], axis=0).astype(np.float32),
        np.median([each.level for each in figures], axis=0).astype(np.float32),
        float(np.median([each.order for each in figures])),
        float(np.median([each.noise for each in figures])),
    )


def pyramid(values: Map) -> list[Map]:
    """Return BANDS octaves of `values`, each half as large as the one before, and what is left."""
    bands = []
    for _ in range(BANDS):
        smaller = cv2.pyrDown(values)
        bands.append(values - cv2.pyrUp(smaller, dstsize=values.shape[1::-1]))
        values = np.asarray(smaller, np.float32)
    return [np.asarray(each, np.float32) for each in (*bands, values)]


def _slopes(luma: Map) -> tuple[Map, Map]:
    x, y = (cv2.Sobel(luma, cv2.CV_32F, dx, 1 - dx, ksize=3, scale=1 / 8) for dx in (1, 0))
    return np.asarray(x, np.float32), np.asarray(y, np.float32)


def _median(levels: Map) -> float:
    """Return the median of whole levels from 0 on, between them as if each were spread evenly over
    what is rounded to it."""
    counts = np.bincount(levels.astype(np.int64).ravel())
    up_to, half = np.cumsum(counts), levels.size / 2
    level = int(np.searchsorted(up_to, half))
    inside = (half - (up_to[level] - counts[level])) / counts[level]
    return float(0.5 * inside if level == 0 else level - 0.5 + inside)
