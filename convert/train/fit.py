"""Fit the classifier to its pictures: the head alone, then all of it, with averaged weights.

The loop is our own, not `Model.fit`, for one reason: a run that is killed goes on after its last
epoch exactly as if nothing had happened, averaged weights, best weights and patience included.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from convert.data.augment import WHOLE_PICTURE, View, augment
from convert.files import read_checkpoint, write_atomically
from convert.measure.figures import Epoch
from convert.measure.metrics import accuracy, cross_entropy
from convert.network import BACKBONE, import_keras, predict, with_fused_norms
from edge.classify.card import BARE, LABELS, MASKED, NOBODY
from edge.classify.preprocess import to_float
from edge.records import Pixels

FROZEN_RATE = 1e-3
FINE_RATE = 4e-4
WARM_UP = 0.08
"""Share of the fine-tuning steps in which the rate climbs."""
WEIGHT_DECAY = 0.01
LABEL_SMOOTHING = 0.05
AVERAGE_DECAY = 0.995
"""Weights are averaged over about 1 / (1 - decay) steps (Polyak and Juditsky, 1992)."""
AVERAGED_STEPS = 4
"""The average is brought up to date once in this many steps: it means copying every weight."""
PREFETCHED = 6
CLASS_SHARES = (0.39, 0.39, 0.1, 0.12)
"""How often each class is drawn."""
COVERED_WEIGHT = 0.5
"""Of the loss about whether mouth and nose are covered, beside that about the class: it is asked
first, and how they are not covered is said afterwards."""
VALIDATION_FACE_PX = (None, 24.0, 14.0)
"""The sizes at which the validation part is looked at: as it is, far away, and too far."""

Weights = list[NDArray[np.float32]]
_Made = TypeVar("_Made")


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that decides what training does, except the pictures."""

    side_px: int
    width: float
    weights: str
    seed: int
    frozen_epochs: int
    epochs: int
    batch: int
    patience: int
    data: str
    """Digest of the pictures and their split: a checkpoint of other pictures is not resumed."""
    left_out: str = ""
    """The source from which nothing was learned."""


class Checkpoint(msgspec.Struct, frozen=True):
    """`checkpoint.msgpack`: all that the next epoch needs. Arrays are npz bytes."""

    recipe: Recipe
    history: list[Epoch]
    weights: bytes
    average: bytes
    best: bytes
    best_loss: float
    best_epoch: int
    optimizer: bytes


class Trainer:
    """One training run: `run` goes on from the checkpoint, where there is one, to the end."""

    def __init__(
        self,
        model: Any,
        recipe: Recipe,
        views: Sequence[Sequence[View]],
        labels: NDArray[np.int64],
        shares: NDArray[np.float64],
        validation: tuple[Pixels, NDArray[np.int64]],
        checkpoint: Path,
    ) -> None:
        """`views` holds for each training picture its views; `validation` crops and labels.

        `shares` are the chances of each picture to be drawn. One view is drawn each time, the
        first nine times as often as the rest together.
        """
        self._keras = import_keras()
        self._result = model
        self._model = with_fused_norms(model)
        self._recipe = recipe
        self._views = views
        self._labels = labels
        self._shares = shares
        self._validation = validation
        self._checkpoint = checkpoint
        larger_class = int(np.bincount(labels).max())
        self._steps = max(1, math.ceil(2 * larger_class / recipe.batch))
        self._begin_phase(0)

    def run(
        self,
        progress: Callable[[Iterable[int], str], Iterable[int]],
        after_epoch: Callable[[Epoch], None],
    ) -> tuple[list[Epoch], int]:
        """Train, leave the best weights in the model, return the history and the best epoch."""
        history: list[Epoch] = []
        average = best = self._model.get_weights()
        best_loss, best_epoch = math.inf, 0
        state = read_checkpoint(self._checkpoint, Checkpoint, self._recipe)
        if state is not None:
            history = state.history
            self._model.set_weights(_unpack(state.weights))
            average, best = _unpack(state.average), _unpack(state.best)
            best_loss, best_epoch = state.best_loss, state.best_epoch
            self._begin_phase(len(history) - 1)
            for variable, value in zip(
                self._optimizer.variables, _unpack(state.optimizer), strict=True
            ):
                variable.assign(value)
        for number in range(len(history), self._recipe.frozen_epochs + self._recipe.epochs):
            if number - best_epoch > self._recipe.patience and best_loss < math.inf:
                break
            if number == self._recipe.frozen_epochs:
                self._begin_phase(number)
                average = self._model.get_weights()
            epoch, average = self._run_epoch(number, average, progress)
            history.append(epoch)
            if epoch.validation_loss < best_loss:
                best, best_loss, best_epoch = average, epoch.validation_loss, number
            self._save(history, average, best, best_loss, best_epoch)
            after_epoch(epoch)
        self._result.set_weights(best)
        return history, best_epoch

    def _is_frozen(self, number: int) -> bool:
        return number < self._recipe.frozen_epochs

    def _begin_phase(self, number: int) -> None:
        self._model.get_layer(BACKBONE).trainable = not self._is_frozen(number)
        self._optimizer = self._new_optimizer(number)
        self._optimizer.build(self._model.trainable_variables)
        self._step = self._compile_step()

    def _new_optimizer(self, number: int) -> Any:
        keras = self._keras
        steps = self._steps * self._recipe.epochs
        rate = (
            FROZEN_RATE
            if self._is_frozen(number)
            else keras.optimizers.schedules.CosineDecay(
                initial_learning_rate=FINE_RATE / 50,
                warmup_target=FINE_RATE,
                warmup_steps=max(1, round(WARM_UP * steps)),
                decay_steps=max(1, round((1 - WARM_UP) * steps)),
                alpha=0.01,
            )
        )
        optimizer = keras.optimizers.AdamW(rate, weight_decay=WEIGHT_DECAY, global_clipnorm=1.0)
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        return optimizer

    def _compile_step(self) -> Any:
        import tensorflow as tf

        model, optimizer = self._model, self._optimizer
        loss_of = self._keras.losses.CategoricalCrossentropy(label_smoothing=LABEL_SMOOTHING)

        @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
        def step(faces: Any, wanted: Any) -> Any:
            with tf.GradientTape() as tape:
                answers = model(faces, training=True)
                loss = loss_of(wanted, answers) + COVERED_WEIGHT * covered_loss(wanted, answers)
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
            right = tf.equal(tf.argmax(wanted, 1), tf.argmax(answers, 1))
            return loss, tf.reduce_mean(tf.cast(right, tf.float32))

        return step

    def _run_epoch(
        self,
        number: int,
        average: Weights,
        progress: Callable[[Iterable[int], str], Iterable[int]],
    ) -> tuple[Epoch, Weights]:
        self._keras.utils.set_random_seed(self._recipe.seed + number)
        phase = "frozen" if self._is_frozen(number) else "fine"
        losses, shares = [], []
        batches = self._batches(number)
        epochs = self._recipe.frozen_epochs + self._recipe.epochs
        for step in progress(range(self._steps), f"epoch {number + 1} of {epochs} ({phase})"):
            faces, labels = next(batches)
            wanted = np.eye(len(LABELS), dtype=np.float32)[labels]
            loss, share = self._step(to_float(faces), wanted)
            losses.append(float(loss))
            shares.append(float(share))
            if step % AVERAGED_STEPS == AVERAGED_STEPS - 1 or step == self._steps - 1:
                done = int(self._optimizer.iterations.numpy())
                # Early on the average forgets faster, or it would drag the starting weights along.
                keep = min(AVERAGE_DECAY, (1 + done) / (10 + done)) ** AVERAGED_STEPS
                average = [
                    keep * old + (1 - keep) * new
                    for old, new in zip(average, self._model.get_weights(), strict=True)
                ]
        current = self._model.get_weights()
        self._model.set_weights(average)
        pictures, truth = self._validation
        answers = predict(self._model, pictures)
        self._model.set_weights(current)
        epoch = Epoch(
            number=number,
            phase=phase,
            rate=float(self._optimizer.learning_rate),
            loss=float(np.mean(losses)),
            accuracy=float(np.mean(shares)),
            validation_loss=cross_entropy(truth, answers, LABEL_SMOOTHING),
            validation_accuracy=accuracy(truth, answers),
        )
        return epoch, average

    def _batches(self, number: int) -> Iterator[tuple[Pixels, NDArray[np.int64]]]:
        """Return the epoch's batches, made a few ahead in threads; the same ones for one seed."""
        recipe = self._recipe
        rng = np.random.default_rng((recipe.seed, number))
        drawn = rng.choice(len(self._labels), (self._steps, recipe.batch), p=self._shares)

        def make(step: int) -> tuple[Pixels, NDArray[np.int64]]:
            own = np.random.default_rng((recipe.seed, number, step))
            others = own.integers(0, len(self._views), recipe.batch)
            faces = [
                augment(
                    _draw(self._views[index], own),
                    recipe.side_px,
                    own,
                    self._views[other][-1].pixels,
                )
                for index, other in zip(drawn[step], others, strict=True)
            ]
            return np.stack(faces), self._labels[drawn[step]]

        return made_ahead(make, range(self._steps))

    def _save(
        self,
        history: list[Epoch],
        average: Weights,
        best: Weights,
        best_loss: float,
        best_epoch: int,
    ) -> None:
        state = Checkpoint(
            recipe=self._recipe,
            history=history,
            weights=_pack(self._model.get_weights()),
            average=_pack(average),
            best=_pack(best),
            best_loss=best_loss,
            best_epoch=best_epoch,
            optimizer=_pack([variable.numpy() for variable in self._optimizer.variables]),
        )
        write_atomically(self._checkpoint, msgspec.msgpack.encode(state))


def covered_loss(wanted: Any, answers: Any) -> Any:
    """Return the mean cross-entropy of covered or not, of the rows (n, labels) that show somebody.

    Probabilities in, smoothed as the labels are; rows of nobody count zero.
    """
    import tensorflow as tf

    faces = answers[:, :NOBODY] / tf.maximum(tf.reduce_sum(answers[:, :NOBODY], 1)[:, None], 1e-6)
    covered = tf.clip_by_value(faces[:, MASKED], 1e-6, 1 - 1e-6)
    target = wanted[:, MASKED] * (1 - LABEL_SMOOTHING) + LABEL_SMOOTHING / 2
    losses = -target * tf.math.log(covered) - (1 - target) * tf.math.log(1 - covered)
    return tf.reduce_mean(losses * (1 - wanted[:, NOBODY]))


def made_ahead(make: Callable[[int], _Made], steps: range) -> Iterator[_Made]:
    """Yield what `make` makes of each step, a few ahead, in threads."""
    with ThreadPoolExecutor(2) as pool:
        pending = [pool.submit(make, step) for step in steps[:PREFETCHED]]
        for place in range(len(steps)):
            if place + PREFETCHED < len(steps):
                pending.append(pool.submit(make, steps[place + PREFETCHED]))
            yield pending.pop(0).result()


def _draw(views: Sequence[View], rng: np.random.Generator) -> View:
    if len(views) == 1 or rng.random() < 1 - WHOLE_PICTURE:
        return views[0]
    return views[int(rng.integers(1, len(views)))]


def sampling_shares(
    labels: NDArray[np.int64], groups: NDArray[np.int64], strata: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the chance of each picture to be drawn: by `CLASS_SHARES`, large groups held down.

    A group of n near-duplicates teaches more than one picture and less than n: it counts √n times.
    So does a stratum (a source, a band of face sizes) with n pictures of its rarer class; and its
    share is the same in both classes, or source and size would tell the class. Masks worn wrongly
    and what is no face are so few that they go by what there is of them.
    """
    shares = np.zeros(len(labels))
    for stratum in np.unique(strata):
        inside = strata == stratum
        counts = np.bincount(labels[inside], minlength=len(LABELS))
        both = counts[[MASKED, BARE]]
        for label in np.flatnonzero(counts):
            chosen = inside & (labels == label)
            held_down = 1 / np.sqrt(np.bincount(groups[chosen])[groups[chosen]])
            rarer = both[both > 0].min() if label in (MASKED, BARE) else counts[label]
            shares[chosen] = held_down / held_down.sum() * np.sqrt(rarer)
    for label in np.unique(labels):
        shares[labels == label] *= CLASS_SHARES[label] / shares[labels == label].sum()
    return np.asarray(shares / shares.sum(), np.float64)


def validation_set(
    views: Sequence[View], labels: NDArray[np.int64], side_px: int
) -> tuple[Pixels, NDArray[np.int64]]:
    """Return the crops that choose the best epoch, at each of `VALIDATION_FACE_PX`."""
    crops = [view.crop(side_px, face_px) for face_px in VALIDATION_FACE_PX for view in views]
    stack = np.reshape(crops, (-1, side_px, side_px, 3)).astype(np.uint8)
    return stack, np.tile(labels, len(VALIDATION_FACE_PX))


def _pack(arrays: Sequence[NDArray[Any]]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, *arrays)
    return buffer.getvalue()


def _unpack(content: bytes) -> Weights:
    with np.load(io.BytesIO(content)) as archive:
        return [archive[f"arr_{index}"] for index in range(len(archive.files))]
