"""Pictures of numbers, as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import MissingPackageError
from edge.model import LABELS

if TYPE_CHECKING:
    from convert.fit import Epoch


def _figure(width: float, height: float, columns: int) -> tuple[Any, Any]:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingPackageError(
            "matplotlib is not installed; install it: pip install -r requirements-dev.txt"
        ) from error
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, np.atleast_1d(figure.subplots(1, columns))


def plot_history(history: Sequence[Epoch], best_epoch: int, path: Path) -> None:
    """Draw loss and accuracy of each epoch, and which epoch was kept."""
    figure, (loss, share) = _figure(9, 3.4, 2)
    numbers = [epoch.number + 1 for epoch in history]
    loss.plot(numbers, [epoch.loss for epoch in history], label="training, augmented")
    loss.plot(numbers, [epoch.validation_loss for epoch in history], label="validation")
    share.plot(numbers, [epoch.accuracy for epoch in history], label="training, augmented")
    share.plot(numbers, [epoch.validation_accuracy for epoch in history], label="validation")
    for axes, name in ((loss, "loss"), (share, "accuracy")):
        axes.axvline(best_epoch + 1, color="grey", linestyle=":", label="kept")
        axes.set(xlabel="epoch", ylabel=name)
        axes.grid(alpha=0.3)
    loss.set_ylim(bottom=0)
    loss.legend()
    figure.savefig(path, dpi=100, metadata={"Software": None})


def plot_confusion(counts: Sequence[tuple[str, NDArray[np.int64]]], path: Path) -> None:
    """Draw a confusion matrix for each titled table of counts: row the truth, column the answer."""
    figure, axes = _figure(3.6 * len(counts), 3.4, len(counts))
    for plot, (title, table) in zip(axes, counts, strict=True):
        shares = table / np.maximum(table.sum(1, keepdims=True), 1)
        plot.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        plot.set(title=title, xlabel="answer", ylabel="truth")
        plot.set_xticks(range(len(LABELS)), LABELS)
        plot.set_yticks(range(len(LABELS)), LABELS, rotation=90, va="center")
        for row, column in np.ndindex(*table.shape):
            plot.text(
                column,
                row,
                f"{table[row, column]}\n{shares[row, column]:.1%}",
                ha="center",
                va="center",
                color="white" if shares[row, column] > 0.5 else "black",
            )
    figure.savefig(path, dpi=100, metadata={"Software": None})
