"""Find pictures that show the same thing: copies that were mirrored, scaled, cropped or turned.

Three measures, each blind where another sees. Thumbnails catch copies with other brightness,
sharpness or a slight turn; ImageNet features catch other crops and shots of one session; matched
keypoints catch large turns and a logo or pattern on another background. The limits were set by
looking at pairs of the TensorMask set, band by band; too low a limit only makes groups larger, too
high a one leaks. File names play no part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from edge.pixels import resize, scaled_size
from edge.records import Pixels

Matrix = NDArray[np.float32]

THUMBNAIL_LIMIT = 0.90
"""Correlation of thumbnails. Above 0.96 all pairs seen were copies, at 0.92 to 0.96 about half, at
0.88 to 0.92 shots of one session among strangers in like masks."""
FEATURE_LIMIT = 0.88
"""Cosine of features. Above 0.92 all pairs seen were copies; at 0.88 to 0.92 shots of one person
and look-alikes, at 0.85 nearly all strangers."""
JOINT_LIMIT = 0.80
"""Both measures at once: pairs at 0.80 to 0.85 were one in four a copy."""
KEYPOINT_LIMIT = 13
"""Keypoints that agree on one shift, turn and scale. Strangers reach 11; copies have 20 to 80; in
between lie shots of one session and shop pictures of one model."""
CANDIDATES = 8
"""Keypoints are compared with this many nearest pictures by each of the other two measures."""

PERSON_LIMIT = 0.60
"""Cosine of the features of two portraits' heads, in pictures of one size to the pixel: one camera
and one session. In the street set this joins two men in 182 portraits, with and without masks."""

_THUMBNAIL_PX = 24
_WORK_PX = 96
_KEYPOINT_PX = 160
_ZOOMS = (1.0, 0.9, 0.8)
_TURNS_DEG = (0, -8, 8, -15, 15)

Keypoints = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Positions (n, 2) in pixels and descriptors (n, 128) of unit length."""


def thumbnail_correlation(pictures: Sequence[Pixels]) -> Matrix:
    """Return (n, n): how alike any two pictures are as gray thumbnails, -1 to 1.

    The best over mirroring, three zooms and five turns of one of the two.
    """
    greys = [
        cv2.resize(
            cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY),
            (_WORK_PX, _WORK_PX),
            interpolation=cv2.INTER_AREA,
        )
        for picture in pictures
    ]
    plain = _unit_thumbnails(greys)
    best = np.full((len(greys), len(greys)), -1, np.float32)
    centre = ((_WORK_PX - 1) / 2, (_WORK_PX - 1) / 2)
    for mirrored in (False, True):
        sources = [np.ascontiguousarray(grey[:, ::-1]) if mirrored else grey for grey in greys]
        for zoom in _ZOOMS:
            for turn_deg in _TURNS_DEG:
                matrix = cv2.getRotationMatrix2D(centre, turn_deg, 1 / zoom)
                turned = [
                    cv2.warpAffine(
                        grey, matrix, (_WORK_PX, _WORK_PX), borderMode=cv2.BORDER_REPLICATE
                    )
                    for grey in sources
                ]
                np.maximum(best, _unit_thumbnails(turned) @ plain.T, out=best)
    return np.maximum(best, best.T)


def _unit_thumbnails(greys: Sequence[NDArray[Any]]) -> Matrix:
    side = (_THUMBNAIL_PX, _THUMBNAIL_PX)
    small = np.stack([cv2.resize(grey, side, interpolation=cv2.INTER_AREA) for grey in greys])
    return _unit_rows(small.reshape(len(greys), -1).astype(np.float32), centred=True)


def _unit_rows(rows: Matrix, *, centred: bool = False) -> Matrix:
    """Scale each row to length 1; a row without content becomes zero and is like nothing."""
    if centred:
        rows = rows - rows.mean(1, keepdims=True)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.where(length > 1e-3, rows / np.maximum(length, 1e-3), 0).astype(np.float32)


def feature_similarity(features: Matrix, mirrored: Matrix) -> Matrix:
    """Return (n, n): the cosine of two pictures' features, the better of plain and mirrored.

    Both are (n, channels), of the pictures and of their mirror images.
    """
    plain = _unit_rows(features)
    best = np.maximum(plain @ plain.T, plain @ _unit_rows(mirrored).T)
    return np.asarray(np.maximum(best, best.T), np.float32)


def find_keypoints(picture: Pixels, *, mirrored: bool = False) -> Keypoints:
    """Return the SIFT keypoints (Lowe, 2004) of a picture, RootSIFT descriptors (Arandjelović)."""
    grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
    ratio = _KEYPOINT_PX / max(grey.shape)
    grey = resize(grey, scaled_size(grey, ratio))
    if mirrored:
        grey = np.ascontiguousarray(grey[:, ::-1])
    # The types of OpenCV 4.11 know no call without a mask.
    sift: Any = cv2.SIFT.create(nfeatures=200)
    points, descriptors = sift.detectAndCompute(grey, None)
    if descriptors is None or not points:
        return np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32)
    shares = descriptors / np.maximum(descriptors.sum(1, keepdims=True), 1e-6)
    return np.array([point.pt for point in points], np.float32), np.sqrt(shares).astype(np.float32)


def agreeing_keypoints(one: Keypoints, other: Keypoints) -> int:
    """Return how many keypoints of `one` lie in `other` too, after one shift, turn and scale."""
    (places, descriptors), (other_places, other_descriptors) = one, other
    if len(places) < 8 or len(other_places) < 8:
        return 0
    likeness = descriptors @ other_descriptors.T
    nearest = np.argpartition(-likeness, 1, axis=1)[:, :2]
    pair = np.sort(np.take_along_axis(likeness, nearest, 1), axis=1)
    # Lowe's ratio test at 0.8, on squared distances.
    clear = (2 - 2 * pair[:, 1]) < 0.64 * (2 - 2 * pair[:, 0])
    if clear.sum() < 5:
        return 0
    match = likeness.argmax(1)
    _, inliers = cv2.estimateAffinePartial2D(
        places[clear], other_places[match[clear]], ransacReprojThreshold=3
    )
    return 0 if inliers is None else int(inliers.sum())


def find_groups(
    pictures: Sequence[Pixels],
    features: tuple[Matrix, Matrix] | None,
    known: Iterable[tuple[int, int]] = (),
    bar: Callable[[Iterable[Any], str], Iterable[Any]] = lambda items, name: items,
) -> NDArray[np.int64]:
    """Return (n,): the number of each picture's group of near-duplicates, counted from 0.

    `features` are those of the pictures and of their mirror images; None leaves that measure out.
    `known` are pairs that belong together anyway.
    """
    thumbnails = thumbnail_correlation(pictures)
    measures = [thumbnails]
    same = thumbnails >= THUMBNAIL_LIMIT
    if features is not None:
        alike = feature_similarity(*features)
        same |= (alike >= FEATURE_LIMIT) | ((thumbnails >= JOINT_LIMIT) & (alike >= JOINT_LIMIT))
        measures.append(alike)
    for one, other in known:
        same[one, other] = True
    groups = _connected(same)
    candidates = _nearest_pairs(measures, CANDIDATES)
    pending = [(one, other) for one, other in candidates if groups[one] != groups[other]]
    with ThreadPoolExecutor() as pool:
        found_plain = pool.map(find_keypoints, pictures)
        plain = [next(found_plain) for _ in bar(pictures, "keypoints")]
        found_mirrored = pool.map(lambda each: find_keypoints(each, mirrored=True), pictures)
        mirrored = [next(found_mirrored) for _ in bar(pictures, "mirrored keypoints")]
    for one, other in bar(pending, "likely pairs"):
        found = max(
            agreeing_keypoints(plain[one], plain[other]),
            agreeing_keypoints(mirrored[one], plain[other]),
        )
        same[one, other] = found >= KEYPOINT_LIMIT
    return _connected(same)


def _connected(same: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return each member's set, numbered from 0 in order of the first member."""
    _, groups = connected_components(csr_array(same), directed=False)
    return np.asarray(groups, np.int64)


def same_persons(heads: Sequence[tuple[int, int]], alike: Matrix) -> list[tuple[int, int]]:
    """Return the pairs of portraits that may show one person: too many rather than too few.

    `heads` has the (width, height) of each portrait's picture, `alike` (n, n) their similarity.
    """
    sizes = np.array(heads)
    one_size = (sizes[:, None] == sizes[None, :]).all(-1)
    pairs = np.argwhere(np.triu(one_size & (alike >= PERSON_LIMIT), 1))
    return [(int(one), int(other)) for one, other in pairs]


def _nearest_pairs(measures: Iterable[Matrix], count: int) -> list[tuple[int, int]]:
    pairs: set[tuple[int, int]] = set()
    for measure in measures:
        others = measure.copy()
        np.fill_diagonal(others, -np.inf)
        kept = min(count, len(others) - 1)
        if kept < 1:
            continue
        for one, row in enumerate(np.argpartition(-others, kept - 1, axis=1)[:, :kept]):
            pairs.update((min(one, int(other)), max(one, int(other))) for other in row)
    return sorted(pairs)
