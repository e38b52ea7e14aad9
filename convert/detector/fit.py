"""Fit the detector to its scenes. A run that is killed goes on as if nothing had happened."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from convert.detector.graph import Arrays, DetectorGraph, TrainableDetector
from convert.detector.loss import cells_of, detector_loss
from convert.detector.sampling import Batch, SceneSampler
from convert.files import read_checkpoint, write_atomically
from convert.network import import_keras
from convert.train.fit import made_ahead
from edge.errors import ConfigError

WARM_UP_STEPS = 200
LAST_RATE = 0.02
"""Of the highest rate: where the cosine ends."""
AVERAGE_DECAY = 0.998
"""Weights are averaged over about 1 / (1 - decay) steps (Polyak and Juditsky, 1992)."""
CLIP_NORM = 10.0
SAVED_EVERY = 250


class DetectorRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that decides what training does, except the pictures."""

    steps: int
    batch: int
    rate: float
    seed: int
    start: str
    """sha256 of the file whose network teaches, and from which training starts."""
    data: str
    """Digest of the pictures, their split and their faces."""
    former: str = ""
    """sha256 of the file of a training before, from which this one starts instead."""


class Losses(msgspec.Struct, frozen=True):
    """The means of `SAVED_EVERY` steps."""

    step: int
    total: float
    classes: float
    objectness: float
    boxes: float


class DetectorCheckpoint(msgspec.Struct, frozen=True):
    """`detector-checkpoint.msgpack`. Arrays are npz bytes."""

    recipe: DetectorRecipe
    losses: list[Losses]
    weights: bytes
    average: bytes
    optimizer: bytes


class DetectorTrainer:
    """One training run: `run` goes on from the checkpoint, where there is one, to the end."""

    def __init__(
        self,
        graph: DetectorGraph,
        recipe: DetectorRecipe,
        sampler: SceneSampler,
        checkpoint: Path,
        former: Arrays | None = None,
    ) -> None:
        """`graph` teaches; training starts from its weights, or from `former`."""
        keras = import_keras()
        keras.utils.set_random_seed(recipe.seed)
        self._recipe = recipe
        self._sampler = sampler
        self._checkpoint = checkpoint
        self._network = TrainableDetector(graph)
        if former is not None:
            self._network.set_arrays(former)
        self._teacher = TrainableDetector(graph, trainable=False)
        warm_up = min(WARM_UP_STEPS, max(1, recipe.steps // 10))
        rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=recipe.rate / 20,
            warmup_target=recipe.rate,
            warmup_steps=warm_up,
            decay_steps=max(1, recipe.steps - warm_up),
            alpha=LAST_RATE,
        )
        self._optimizer = keras.optimizers.Adam(rate, global_clipnorm=CLIP_NORM)
        self._variables = list(self._network.variables.values())
        self._optimizer.build(self._variables)
        self._step = self._compile_step()

    def run(
        self,
        progress: Callable[[Iterable[int], str], Iterable[int]],
        say: Callable[[str], None],
    ) -> tuple[Arrays, list[Losses]]:
        """Train; return the averaged weights, and what the loss was on the way."""
        losses: list[Losses] = []
        average = self._network.arrays()
        state = read_checkpoint(self._checkpoint, DetectorCheckpoint, self._recipe)
        if state is not None:
            losses, average = state.losses, _unpack(state.average)
            self._network.set_arrays(_unpack(state.weights))
            kept = _unpack(state.optimizer)
            for number, variable in enumerate(self._optimizer.variables):
                variable.assign(kept[str(number)])
        first = losses[-1].step if losses else 0
        batches = self._batches(first)
        seen: list[Any] = []
        for step in progress(range(first, self._recipe.steps), "detector"):
            seen.append(self._step(next(batches)))
            # Early on the average forgets faster, or it would drag the starting weights along.
            keep = np.float32(min(AVERAGE_DECAY, (1 + step) / (10 + step)))
            for name, values in self._network.arrays().items():
                average[name] = keep * average[name] + (1 - keep) * values
            if (step + 1) % SAVED_EVERY == 0 or step + 1 == self._recipe.steps:
                means = np.mean([each.numpy() for each in seen], 0)
                if not math.isfinite(means.sum()):
                    raise ConfigError(f"the loss is not a number any more at step {step + 1}")
                losses.append(Losses(step + 1, *(round(float(mean), 5) for mean in means)))
                seen = []
                self._save(losses, average)
                say(_line(losses[-1]))
        return average, losses

    def _compile_step(self) -> Any:
        import tensorflow as tf

        network, teacher = self._network, self._teacher
        optimizer, variables = self._optimizer, self._variables

        @tf.function(autograph=False)  # type: ignore[untyped-decorator]
        def step(batch: Batch) -> Any:
            # Traced once for each size of scenes.
            cells = cells_of(*batch.pixels.shape[1:3])
            pictures = tf.cast(batch.pixels, tf.float32)
            taught = teacher(pictures)
            with tf.GradientTape() as tape:
                loss, parts = detector_loss(cells, network(pictures), taught, batch)
            gradients = tape.gradient(
                loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )
            optimizer.apply_gradients(zip(gradients, variables, strict=True))
            return tf.concat([[loss], parts], 0)

        return step

    def _batches(self, first: int) -> Iterator[Batch]:
        """Return the batches from `first` on, made a few ahead in threads."""
        recipe = self._recipe
        return made_ahead(
            lambda step: self._sampler.batch(step, recipe.batch), range(first, recipe.steps)
        )

    def _save(self, losses: list[Losses], average: Arrays) -> None:
        optimizer = {
            str(number): variable.numpy()
            for number, variable in enumerate(self._optimizer.variables)
        }
        state = DetectorCheckpoint(
            self._recipe, losses, _pack(self._network.arrays()), _pack(average), _pack(optimizer)
        )
        write_atomically(self._checkpoint, msgspec.msgpack.encode(state))


def _pack(arrays: Arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _unpack(content: bytes) -> Arrays:
    with np.load(io.BytesIO(content)) as archive:
        return {name: archive[name] for name in archive.files}


def _line(losses: Losses) -> str:
    return (
        f"step {losses.step}: loss {losses.total:.4f} (class {losses.classes:.4f}, objectness "
        f"{losses.objectness:.4f}, box {losses.boxes:.4f})"
    )
