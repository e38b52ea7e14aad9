"""What each epoch of a training came to."""

from __future__ import annotations

import msgspec


class Epoch(msgspec.Struct, frozen=True):
    """A line of the history. Training figures are on augmented examples, with dropout; both losses
    are against smoothed labels, so neither can reach zero.
    """

    number: int
    phase: str
    rate: float
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float
