"""Make a probability mean what it says: temperature scaling (Guo et al., 2017), and a rare class.

Masks worn wrongly are shown far more often than they are met, or they would not be learned; what
this makes the network say too often is taken back (Saerens et al., 2002), as far as it takes to
leave masked people alone. Both are folded into the last layer, so nothing is left to do at run
time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.measure.metrics import Answers, Truth, cross_entropy, decisions
from edge.classify.card import MASKED, WORN_WRONGLY

TEMPERATURES = np.exp(np.linspace(np.log(0.25), np.log(4.0), 201))
"""Tried one by one: the loss has one minimum, and no more digits than these are meant."""
MISTAKEN_SHARE = 0.01
"""What is allowed of the masked faces to be called worn wrongly."""
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


def fit_shift(truth: Truth, answers: Answers) -> float:
    """Return what to add to the logit of a mask worn wrongly: 0, or as little below as it takes.

    The last of `SHIFTS` where none is enough.
    """
    masked = answers[truth == MASKED]
    for shift in SHIFTS:
        called = decisions(shifted(masked, shift))
        if (called == WORN_WRONGLY).mean() <= MISTAKEN_SHARE:
            break
    return float(shift)


def shifted(answers: Answers, shift: float) -> Answers:
    """Return what the answers would be with `shift` added to the logit of a mask worn wrongly."""
    odds = answers.astype(np.float64)
    odds[:, WORN_WRONGLY] *= np.exp(shift)
    return np.asarray(odds / odds.sum(1, keepdims=True), np.float32)


def fold_shift(model: Any, shift: float) -> None:
    """Add `shift` to the bias of a mask worn wrongly in the model's last layer."""
    weights, biases = model.layers[-1].get_weights()
    biases[WORN_WRONGLY] += np.float32(shift)
    model.layers[-1].set_weights([weights, biases])


def fold_temperature(model: Any, temperature: float) -> None:
    """Divide the weights and biases of the model's last layer by `temperature`."""
    weights: list[NDArray[np.float32]] = model.layers[-1].get_weights()
    model.layers[-1].set_weights([values / np.float32(temperature) for values in weights])
