"""What is measured about a classifier: pure functions of the truth and the answers.

`truth` is (n,) label numbers, `answers` is (n, labels) probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.classify.card import BARE, LABELS, MASKED, NOBODY, WORN_WRONGLY
from edge.records import Box

MIN_IOU = 0.3
"""From here on a found box stands for a labeled one. Whether a face is found is asked here, how
tight its box is is another figure; and some people box whole heads, and profiles with their hair.
"""
Truth = NDArray[np.int64]
Answers = NDArray[np.float32]


def decisions(answers: Answers) -> Truth:
    """Return the likelier label of each row. A tie goes to `with_mask`: never accuse on a tie."""
    return np.asarray(answers.argmax(1), np.int64)


def accuracy(truth: Truth, answers: Answers) -> float:
    return float((decisions(answers) == truth).mean())


def agreement(one: Answers, other: Answers) -> float:
    """Return the share of pictures on which two models decide alike."""
    return float((decisions(one) == decisions(other)).mean())


def cross_entropy(truth: Truth, answers: Answers, smoothing: float = 0.0) -> float:
    """Return the mean cross-entropy, in nats, of answers against labels.

    With `smoothing` that share of each label is spread evenly over all (Szegedy et al., 2016).
    """
    wanted = np.eye(answers.shape[1])[truth] * (1 - smoothing) + smoothing / answers.shape[1]
    likely = np.clip(answers.astype(np.float64), 1e-7, 1)
    return float(-(wanted * np.log(likely)).sum(1).mean())


def confusion(truth: Truth, answers: Answers) -> NDArray[np.int64]:
    """Return (labels, labels) counts: row the truth, column the decision."""
    counts = _sklearn().confusion_matrix(truth, decisions(answers), labels=range(len(LABELS)))
    return np.asarray(counts, np.int64)


def balanced_accuracy(truth: Truth, answers: Answers) -> float:
    """Return the mean recall of the classes that occur."""
    # Not scikit-learn's own: it warns where a class is answered that does not occur.
    present = np.unique(truth)
    return float(
        _sklearn().recall_score(truth, decisions(answers), labels=present, average="macro")
    )


def uncovered(answers: Answers) -> NDArray[np.float64]:
    """Return (n,): how likely mouth and nose are not covered, if there is a face."""
    faces = answers[:, :NOBODY].astype(np.float64)
    likely = faces[:, BARE] + faces[:, WORN_WRONGLY]
    # Below one int8 step nobody is there.
    return np.asarray(likely / np.maximum(faces.sum(1), 1 / 256))


def called_bare(answers: Answers) -> NDArray[np.float64]:
    """Return (n,) the probability by which a face without a mask is reported, as the daemon does.

    That it is uncovered, where no mask is likelier than one worn wrongly; 0 elsewhere.
    """
    return np.asarray(np.where(answers[:, BARE] >= answers[:, WORN_WRONGLY], uncovered(answers), 0))


@dataclass(frozen=True, slots=True)
class ThresholdChoice:
    """Where a probability becomes a verdict, and why."""

    bare: float
    """At or above, `uncovered`: bare, or worn wrongly."""
    masked: float
    """At or below, the same: masked."""
    reason: str


def choose_thresholds(
    truth: Truth, answers: Answers, accused: float, excused: float
) -> ThresholdChoice:
    """Return the narrowest undecided band around 0.5 outside which errors are rare.

    `bare` is the lowest limit at which at most the share `accused` of the masked faces is called
    bare, `masked` the highest at which at most the share `excused` of the bare faces is called
    masked; neither crosses 0.5, where the classifier itself decides.
    """
    masked_faces = np.sort(called_bare(answers[truth == MASKED]))
    bare_faces = np.sort(uncovered(answers[truth == BARE]))
    if not len(masked_faces) or not len(bare_faces):
        raise ValueError("thresholds need faces of both classes")
    # The allowed number of faces lies beyond the limit, the next one just inside it.
    allowed = int(accused * len(masked_faces))
    bare = max(0.5, float(masked_faces[-1 - allowed]) + 1 / 256)
    allowed = int(excused * len(bare_faces))
    masked = min(0.5, float(bare_faces[allowed]) - 1 / 256)
    bare, masked = min(bare, 1.0), max(masked, 0.0)
    return ThresholdChoice(
        bare=round(bare, 4),
        masked=round(masked, 4),
        reason=(
            f"the narrowest band around 0.5 outside which at most {accused:.1%} of the masked "
            f"faces read as bare and {excused:.1%} of the bare ones as masked; {len(truth)} faces"
        ),
    )


def classification_report(truth: Truth, answers: Answers) -> str:
    """Return scikit-learn's report: precision, recall, F1 and support per class, and averages."""
    return str(_sklearn_report(truth, answers, as_dict=False))


def per_class(truth: Truth, answers: Answers) -> dict[str, dict[str, float]]:
    """Return the same figures by label, and under `macro avg` and `weighted avg`.

    A mask worn wrongly has none where it neither occurs nor is answered.
    """
    table: dict[str, dict[str, float]] = _sklearn_report(truth, answers, as_dict=True)
    return {
        name: {figure: round(float(value), 6) for figure, value in row.items()}
        for name, row in table.items()
        if isinstance(row, dict)
    }


def _sklearn_report(truth: Truth, answers: Answers, *, as_dict: bool) -> Any:
    called = decisions(answers)
    present = np.unique([MASKED, BARE, *truth, *called])
    return _sklearn().classification_report(
        truth,
        called,
        labels=present,
        target_names=[LABELS[label] for label in present],
        digits=4,
        output_dict=as_dict,
        zero_division=0,
    )


def _sklearn() -> Any:
    from sklearn import metrics  # takes a second

    return metrics


class Interval(msgspec.Struct, frozen=True):
    """A figure and where it would lie in 95 of 100 samples of as many pictures."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f}-{self.high:.3f})"


def bootstrap(
    counts: NDArray[np.int64],
    figure: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    seed: int,
    rounds: int = 2000,
) -> Interval | None:
    """Return `figure` with its 95 % percentile interval (Efron, 1979); None where it has no value.

    `counts` (pictures, k) are what each picture adds; whole pictures are drawn with replacement, as
    the faces of one picture are alike. `figure` maps sums (n, k) to (n,), NaN where undefined.
    """
    value = float(figure(counts.sum(0, keepdims=True).astype(np.float64))[0])
    if np.isnan(value):
        return None
    rng = np.random.default_rng(seed)
    times = rng.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), rounds)
    drawn = figure((times @ counts).astype(np.float64))
    low, high = np.nanpercentile(drawn, (2.5, 97.5))
    return Interval(round(value, 6), round(float(low), 6), round(float(high), 6))


def share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return part / whole, NaN where there is no whole."""
    return np.asarray(
        np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0), np.float64
    )


class MeasuredPoint(msgspec.Struct, frozen=True):
    """Precision and recall of `without_mask` when faces at or above the threshold are called so."""

    threshold: float
    precision: float
    recall: float


def thinned(curve: Sequence[MeasuredPoint], step: float = 0.05) -> list[MeasuredPoint]:
    """Return the curve at whole steps of the threshold: each point is of the next one above."""
    limits = np.arange(step, 1.0, step)
    above = [[point for point in curve if point.threshold >= limit] for limit in limits]
    return [
        MeasuredPoint(round(float(limit), 4), points[0].precision, points[0].recall)
        for limit, points in zip(limits, above, strict=True)
        if points
    ]


def precision_recall(
    is_bare: NDArray[np.bool_], probability: NDArray[np.float64], missed: int = 0
) -> list[MeasuredPoint]:
    """Return the curve over all thresholds that tell faces apart, rising.

    `missed` are bare faces without a probability, for which no threshold is low enough.
    """
    if not is_bare.any() and not missed:
        return []
    # Missed faces are called bare only by a threshold that no probability reaches.
    precision, recall, thresholds = _sklearn().precision_recall_curve(
        np.append(is_bare, np.ones(missed, np.bool_)), np.append(probability, np.full(missed, -1.0))
    )
    return [
        MeasuredPoint(round(float(threshold), 6), round(float(p), 6), round(float(r), 6))
        for threshold, p, r in zip(thresholds, precision[:-1], recall[:-1], strict=True)
        if threshold >= 0
    ]


class ReliabilityBin(msgspec.Struct, frozen=True):
    """The faces whose probability of `without_mask` lies in one bin."""

    faces: int
    probability: float
    """Their mean."""
    bare: float
    """The share of them that is bare: equal to it where a probability means what it says."""


def reliability(truth: Truth, answers: Answers, bins: int = 15) -> list[ReliabilityBin]:
    """Return the bins of equal width over 0 to 1 that are not empty (Niculescu-Mizil, 2005)."""
    probability = answers[:, BARE].astype(np.float64)
    place = np.minimum((probability * bins).astype(np.int64), bins - 1)
    return [
        ReliabilityBin(
            int((place == number).sum()),
            float(probability[place == number].mean()),
            float((truth[place == number] == BARE).mean()),
        )
        for number in np.unique(place)
    ]


def calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """Return the expected calibration error: the mean gap of the bins, weighted by their faces."""
    faces = sum(each.faces for each in bins)
    return sum(each.faces * abs(each.probability - each.bare) for each in bins) / faces


def match_boxes(found: Sequence[Box], true: Sequence[Box]) -> list[int | None]:
    """Return for each found box the number of the true one that it stands for, the best IoU first.

    No true box is taken twice; None below `MIN_IOU`.
    """
    pairs = sorted(
        (-one.iou(other), i, j) for i, one in enumerate(found) for j, other in enumerate(true)
    )
    matches: list[int | None] = [None] * len(found)
    for overlap, i, j in pairs:
        if -overlap >= MIN_IOU and matches[i] is None and j not in matches:
            matches[i] = j
    return matches
