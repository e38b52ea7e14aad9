"""Make a probability mean what it says: temperature scaling (Guo et al., 2017).

The temperature is folded into the last layer, so nothing is left to do at run time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.measure.metrics import Answers, Truth, cross_entropy

TEMPERATURES = np.exp(np.linspace(np.log(0.25), np.log(4.0), 201))
"""Tried one by one: the loss has one minimum, and no more digits than these are meant."""


def fit_temperature(truth: Truth, answers: Answers) -> float:
    """Return the temperature whose answers have the least cross-entropy."""
    losses = [cross_entropy(truth, at_temperature(answers, t)) for t in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(losses))])


def at_temperature(answers: Answers, temperature: float) -> Answers:
    """Return what the answers would be, had the logits been divided by `temperature`."""
    # The softmax forgets a constant, so the logarithms of its answers serve as its logits.
    powers = np.clip(answers.astype(np.float64), 1e-9, 1) ** (1 / temperature)
    return np.asarray(powers / powers.sum(1, keepdims=True), np.float32)


def fold_temperature(model: Any, temperature: float) -> None:
    """Divide the weights and biases of the model's last layer by `temperature`."""
    weights: list[NDArray[np.float32]] = model.layers[-1].get_weights()
    model.layers[-1].set_weights([values / np.float32(temperature) for values in weights])
