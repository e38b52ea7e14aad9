"""Make a probability mean what it says: temperature scaling (Guo et al., 2017), and rare classes.

Masks worn wrongly, and what is no face, are shown far more often than they are met, or they would
not be learned; what this makes the network say too often is taken back (Saerens et al., 2002), as
far as it takes to leave masked people, and people at all, alone. All of it is folded into the last
layer, so nothing is left to do at run time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.measure.metrics import Answers, Truth, cross_entropy, decisions
from edge.classify.card import MASKED, NOBODY, WORN_WRONGLY

TEMPERATURES = np.exp(np.linspace(np.log(0.25), np.log(4.0), 201))
"""Tried one by one: the loss has one minimum, and no more digits than these are meant."""
MISTAKEN_SHARE = 0.01
"""What is allowed of the masked faces to be called worn wrongly, and of all faces nobody."""
SHIFTS = -np.linspace(0, 5, 101)


def fit_temperature(truth: Truth, answers: Answers) -> float:
    """Return the temperature whose answers have the least cross-entropy."""
    losses = [cross_entropy(truth, at_temperature(answers, t)) for t in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(losses))])


def at_temperature(answers: Answers, temperature: float) -> Answers:
    """Return what the answers would be, had the logits been divided by `temperature`."""
    # The softmax forgets a constant, so the logarithms of its answers serve as its logits.
    powers = np.clip(answers.astype(np.float64), 1e-9, 1) ** (1 / temperature)
    return np.asarray(powers / powers.sum(1, keepdims=True), np.float32)


def fit_shifts(truth: Truth, answers: Answers) -> dict[int, float]:
    """Return what to add to the logits of `nobody` and of a mask worn wrongly, by label.

    Each is 0, or as little below as it takes; the last of `SHIFTS` where none is enough.
    """
    nobody = _fit_shift(answers[truth != NOBODY], NOBODY)
    seen = shifted(answers, {NOBODY: nobody})
    return {NOBODY: nobody, WORN_WRONGLY: _fit_shift(seen[truth == MASKED], WORN_WRONGLY)}


def _fit_shift(answers: Answers, label: int) -> float:
    """Return the shift at which few enough of these faces, which are not `label`, are called so."""
    for shift in SHIFTS:
        called = decisions(shifted(answers, {label: float(shift)}))
        if (called == label).mean() <= MISTAKEN_SHARE:
            break
    return float(shift)


def shifted(answers: Answers, shifts: Mapping[int, float]) -> Answers:
    """Return what the answers would be with `shifts` added to the logits of these labels."""
    odds = answers.astype(np.float64)
    for label, shift in shifts.items():
        odds[:, label] *= np.exp(shift)
    return np.asarray(odds / odds.sum(1, keepdims=True), np.float32)


def fold_shifts(model: Any, shifts: Mapping[int, float]) -> None:
    """Add `shifts` to the biases of these labels in the model's last layer."""
    weights, biases = model.layers[-1].get_weights()
    for label, shift in shifts.items():
        biases[label] += np.float32(shift)
    model.layers[-1].set_weights([weights, biases])


def fold_temperature(model: Any, temperature: float) -> None:
    """Divide the weights and biases of the model's last layer by `temperature`."""
    weights: list[NDArray[np.float32]] = model.layers[-1].get_weights()
    model.layers[-1].set_weights([values / np.float32(temperature) for values in weights])
