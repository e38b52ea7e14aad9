"""Count how faces of known kinds are judged, band by band of their sizes.

A mask worn wrongly is in neither class: it is counted apart, and neither helps nor harms the other
figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from convert.data.traits import Trait
from convert.measure.figures import (
    Band,
    EndToEndScore,
    SuretyPoint,
    TraitScore,
    TrueBoxScore,
)
from convert.measure.metrics import Answers, bootstrap, decisions, precision_recall, share
from edge.classify.card import BARE, LABELS, MASKED, NOBODY, WORN_WRONGLY

SEED = 7
SURETIES = tuple(round(0.3 + 0.05 * step, 2) for step in range(14))


class Kind(IntEnum):
    """What a face is: the labels."""

    MASKED = MASKED
    BARE = BARE
    INCORRECT = WORN_WRONGLY
    NOTHING = NOBODY
    """Found, but nobody has boxed a face there."""


FROM_12, FROM_16, FROM_32 = Band(12, None), Band(16, None), Band(32, None)
BANDS = (
    Band(12, 16),
    Band(16, 24),
    Band(24, 32),
    Band(32, 64),
    Band(64, None),
    Band(16, 32),
    FROM_12,
    FROM_16,
    FROM_32,
)


@dataclass(frozen=True, slots=True)
class Faces:
    """The labeled faces, or the found ones: a row each."""

    picture: NDArray[np.int64]
    size_px: NDArray[np.float64]
    kind: NDArray[np.int64]
    probability: NDArray[np.float64]
    """Of `without_mask`; NaN where the daemon would not judge the face."""

    @classmethod
    def of(cls, rows: Iterable[tuple[int, float, int, float]]) -> Faces:
        """Return the table of rows of picture, size, kind and probability."""
        picture, size_px, kind, probability = np.array([*rows], np.float64).reshape(-1, 4).T
        return cls(picture.astype(np.int64), size_px, kind.astype(np.int64), probability)

    def only(self, rows: NDArray[np.bool_], first: int) -> Faces:
        """Return these rows, with the pictures counted from the one that was `first`."""
        picture = self.picture[rows] - first
        return Faces(picture, self.size_px[rows], self.kind[rows], self.probability[rows])


def true_box_score(
    model: str, band: Band, truth: Faces, answers: Answers, pictures: int
) -> TrueBoxScore:
    """Count which labeled faces of `band` are called what they are, given their boxes."""
    inside = band.holds(truth.size_px)
    called = decisions(answers)
    counts = np.zeros((pictures, 4), np.int64)
    for label in (Kind.MASKED, Kind.BARE):
        of_label = inside & (truth.kind == label)
        np.add.at(counts[:, 2 * label], truth.picture[of_label & (called == label)], 1)
        np.add.at(counts[:, 2 * label + 1], truth.picture[of_label], 1)
    by_label = [
        bootstrap(counts[:, at : at + 2], lambda sums: share(sums[:, 0], sums[:, 1]), SEED)
        for at in (0, 2)
    ]
    incorrect = inside & (truth.kind == Kind.INCORRECT)
    return TrueBoxScore(
        model=model,
        band=band,
        masked_faces=int((inside & (truth.kind == Kind.MASKED)).sum()),
        bare_faces=int((inside & (truth.kind == Kind.BARE)).sum()),
        masked=by_label[Kind.MASKED],
        bare=by_label[Kind.BARE],
        balanced=bootstrap(
            counts,
            lambda sums: (share(sums[:, 0], sums[:, 1]) + share(sums[:, 2], sums[:, 3])) / 2,
            SEED,
        ),
        incorrect_faces=int(incorrect.sum()),
        incorrect_called_bare=int((called[incorrect] == BARE).sum()),
        incorrect_called_so=int((called[incorrect] == WORN_WRONGLY).sum()),
        masked_called_incorrect=int(
            (called[inside & (truth.kind == Kind.MASKED)] == WORN_WRONGLY).sum()
        ),
        masked_called_bare=int((called[inside & (truth.kind == Kind.MASKED)] == BARE).sum()),
    )


def trait_scores(
    model: str, truth: Faces, answers: Answers, traits: Sequence[tuple[Trait, ...]]
) -> list[TraitScore]:
    """Count which labeled faces that show a trait are called what they are; a row per face."""
    called = decisions(answers)
    scores = []
    for trait in get_args(Trait):
        shows = np.array([trait in each for each in traits], np.bool_)
        for label, name in enumerate(LABELS):
            of_label = called[shows & (truth.kind == label)]
            if len(of_label):
                so, bare = int((of_label == label).sum()), int((of_label == BARE).sum())
                scores.append(TraitScore(model, trait, name, len(of_label), so, bare))
    return scores


def surety_points(band: Band, found: Faces, sureties: NDArray[np.float64]) -> list[SuretyPoint]:
    """Count what of `found`, in `band`, reaches each of `SURETIES`; a surety for each row."""
    inside = band.holds(found.size_px)

    def counted(kind: Kind, least: float) -> int:
        return int((inside & (found.kind == kind) & (sureties >= least)).sum())

    return [
        SuretyPoint(
            threshold=least,
            masked_found=counted(Kind.MASKED, least),
            bare_found=counted(Kind.BARE, least),
            incorrect_found=counted(Kind.INCORRECT, least),
            unlabelled=counted(Kind.NOTHING, least),
        )
        for least in SURETIES
    ]


def end_to_end_score(
    detector: tuple[str, float],
    band: Band,
    truth: Faces,
    found: Faces,
    threshold: float,
    pictures: int,
) -> EndToEndScore:
    """Count what was found and called bare among the faces of `band`.

    `detector` is its name and confidence.
    """
    labelled, inside = band.holds(truth.size_px), band.holds(found.size_px)
    called = inside & (np.nan_to_num(found.probability, nan=-1.0) >= threshold)
    bare = labelled & (truth.kind == Kind.BARE)
    violations = called & (found.kind != Kind.INCORRECT)
    hits = called & (found.kind == Kind.BARE)
    counts = np.stack(
        [
            np.bincount(rows, minlength=pictures)
            for rows in (found.picture[hits], found.picture[violations], truth.picture[bare])
        ],
        axis=1,
    )
    judged = inside & (found.kind != Kind.INCORRECT) & ~np.isnan(found.probability)
    is_bare = found.kind[judged] == Kind.BARE
    incorrect = found.kind == Kind.INCORRECT
    return EndToEndScore(
        detector=detector[0],
        confidence=detector[1],
        band=band,
        masked_faces=int((labelled & (truth.kind == Kind.MASKED)).sum()),
        masked_found=int((inside & (found.kind == Kind.MASKED)).sum()),
        bare_faces=int(bare.sum()),
        bare_found=int((inside & (found.kind == Kind.BARE)).sum()),
        violations=int(violations.sum()),
        violations_on_bare=int(hits.sum()),
        violations_on_masked=int((called & (found.kind == Kind.MASKED)).sum()),
        violations_on_nothing=int((called & (found.kind == Kind.NOTHING)).sum()),
        precision=bootstrap(counts, lambda sums: share(sums[:, 0], sums[:, 1]), SEED),
        recall=bootstrap(counts, lambda sums: share(sums[:, 0], sums[:, 2]), SEED),
        incorrect_found=int((inside & incorrect).sum()),
        incorrect_called_bare=int((called & incorrect).sum()),
        curve=precision_recall(
            is_bare, found.probability[judged], int(bare.sum()) - int(is_bare.sum())
        ),
    )
