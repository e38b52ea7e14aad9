"""Pictures of numbers."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge.classify.card import LABELS

if TYPE_CHECKING:
    from convert.measure.figures import Epoch
    from convert.measure.metrics import MeasuredPoint, ReliabilityBin


def new_figure(width: float, height: float, columns: int) -> tuple[Any, Any]:
    """Return a figure of that size in inches, and its plots, side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, np.atleast_1d(figure.subplots(1, columns))


def as_svg(figure: Any) -> bytes:
    """Return the figure as a picture that scales, without a background and without the time."""
    from matplotlib import rc_context

    file = io.BytesIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "tensormask"}):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return file.getvalue()


def plot_history(history: Sequence[Epoch], best_epoch: int, path: Path) -> None:
    """Draw loss and accuracy of each epoch, and which epoch was kept."""
    figure, (loss, share) = new_figure(9, 3.4, 2)
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
    figure, axes = new_figure(3.6 * len(counts), 3.4, len(counts))
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


def plot_curves(curves: Sequence[tuple[str, Sequence[MeasuredPoint]]], path: Path) -> None:
    """Draw precision against recall of `without_mask` for each titled curve."""
    figure, (plot,) = new_figure(6, 5, 1)
    for title, points in curves:
        recall, precision = [p.recall for p in points], [p.precision for p in points]
        plot.plot(recall, precision, label=title)
    plot.set(xlabel="recall", ylabel="precision", xlim=(0, 1.01), ylim=(0, 1.01))
    plot.grid(alpha=0.3)
    plot.legend(loc="lower left")
    figure.savefig(path, dpi=100, metadata={"Software": None})


def plot_reliability(models: Sequence[tuple[str, Sequence[ReliabilityBin]]], path: Path) -> None:
    """Draw how many faces are bare against how likely each titled model says they are."""
    figure, (plot, count) = new_figure(9, 4, 2)
    plot.plot([0, 1], [0, 1], color="grey", linestyle=":")
    for title, bins in models:
        likely = [each.probability for each in bins]
        plot.plot(likely, [each.bare for each in bins], marker="o", label=title)
        count.plot(likely, [each.faces for each in bins], marker="o", label=title)
    plot.set(xlabel="probability of without_mask", ylabel="share that is bare")
    count.set(xlabel="probability of without_mask", ylabel="faces", yscale="log")
    for axes in (plot, count):
        axes.grid(alpha=0.3)
    plot.legend()
    figure.savefig(path, dpi=100, metadata={"Software": None})
