"""What is measured about a classifier: pure functions of the truth and the answers.

`truth` is (n,) label numbers, `answers` is (n, labels) probabilities.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import MissingPackageError
from edge.model import BARE, LABELS

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
    counts = np.zeros((len(LABELS), len(LABELS)), np.int64)
    np.add.at(counts, (truth, decisions(answers)), 1)
    return counts


def balanced_accuracy(truth: Truth, answers: Answers) -> float:
    """Return the mean recall of the classes that occur."""
    counts = confusion(truth, answers)
    support = counts.sum(1)
    present = support > 0
    return float((counts.diagonal()[present] / support[present]).mean())


@dataclass(frozen=True, slots=True)
class ThresholdChoice:
    """Where a probability of `without_mask` becomes a verdict, and why."""

    bare: float
    masked: float
    reason: str


def choose_thresholds(truth: Truth, answers: Answers, wrong_share: float) -> ThresholdChoice:
    """Return the narrowest undecided band around 0.5 outside which errors are rare.

    `bare` is the lowest limit at which at most `wrong_share` of the masked faces are called bare,
    `masked` the highest at which at most that share of the bare faces is called masked; neither
    crosses 0.5, where the classifier itself decides.
    """
    bare_probability = answers[:, BARE].astype(np.float64)
    masked_faces = np.sort(bare_probability[truth != BARE])
    bare_faces = np.sort(bare_probability[truth == BARE])
    if not len(masked_faces) or not len(bare_faces):
        raise ValueError("thresholds need faces of both classes")
    # The allowed number of faces lies beyond the limit, the next one just inside it.
    allowed = int(wrong_share * len(masked_faces))
    bare = max(0.5, float(masked_faces[-1 - allowed]) + 1 / 256)
    allowed = int(wrong_share * len(bare_faces))
    masked = min(0.5, float(bare_faces[allowed]) - 1 / 256)
    bare, masked = min(bare, 1.0), max(masked, 0.0)
    return ThresholdChoice(
        bare=round(bare, 4),
        masked=round(masked, 4),
        reason=(
            f"the narrowest band around 0.5 outside which at most {wrong_share:.1%} of the masked "
            f"faces read as bare and of the bare ones as masked; {len(truth)} faces"
        ),
    )


def classification_report(truth: Truth, answers: Answers) -> str:
    """Return scikit-learn's report: precision, recall, F1 and support per class, and averages."""
    return str(_sklearn_report(truth, answers, as_dict=False))


def per_class(truth: Truth, answers: Answers) -> dict[str, dict[str, float]]:
    """Return the same figures by label, and under `macro avg` and `weighted avg`."""
    table: dict[str, dict[str, float]] = _sklearn_report(truth, answers, as_dict=True)
    return {
        name: {figure: round(float(value), 6) for figure, value in row.items()}
        for name, row in table.items()
        if isinstance(row, dict)
    }


def _sklearn_report(truth: Truth, answers: Answers, *, as_dict: bool) -> Any:
    try:
        from sklearn.metrics import classification_report as report
    except ImportError as error:
        raise MissingPackageError(
            "scikit-learn is not installed; install it: pip install -r requirements-dev.txt"
        ) from error
    return report(
        truth,
        decisions(answers),
        labels=range(len(LABELS)),
        target_names=list(LABELS),
        digits=4,
        output_dict=as_dict,
        zero_division=0,
    )
