"""The `train` step: pictures in, Keras model, split, history, plot and report out."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from convert.data.added import nothing_in
from convert.data.augment import View, compact, whole_picture
from convert.data.dataset import labels_of
from convert.data.faces import Boxes
from convert.data.prepare import (
    BAND_EDGES_PX,
    FACES_FILE,
    MIN_FACE_PX,
    Bar,
    Gathered,
    StreetPicture,
    band_of,
    gather,
)
from convert.data.split import Assignment, Split, SplitPart
from convert.files import (
    BOXED_SPLIT_FILE,
    HISTORY_FILE,
    KERAS_FILE,
    SPLIT_FILE,
    read_document,
    write_atomically,
    write_document,
)
from convert.measure.figures import Epoch
from convert.measure.metrics import accuracy, balanced_accuracy, classification_report
from convert.measure.plots import plot_history
from convert.network import build_network, import_keras, predict, save_model
from convert.train.fit import CLASS_SHARES, Recipe, Trainer, sampling_shares, validation_set
from convert.train.temperature import (
    at_temperature,
    fit_shifts,
    fit_temperature,
    fold_shifts,
    fold_temperature,
)
from edge.classify.card import LABELS, NOBODY
from edge.errors import ConfigError
from edge.records import Box, Pixels

PLOT_FILE = "history.png"
REPORT_FILE = "report.txt"
RECIPE_FILE = "recipe.json"
CHECKPOINT_FILE = "checkpoint.msgpack"
SIDES_PX = range(32, 225)


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """The options of the command, as the command line describes them."""

    dataset: Path
    output: Path
    boxed: tuple[Path, ...] = ()
    left_out: Path | None = None
    """One of these, from which nothing is learned: the model is to be measured on it."""
    detector: str = "auto"
    detector_model: str = ""
    weights: str = "imagenet"
    side_px: int = 96
    width: float = 1.0
    frozen_epochs: int = 1
    epochs: int = 18
    batch: int = 64
    patience: int = 8
    seed: int = 7
    fresh: bool = False
    held_out: Path | None = None
    """The `held-out.json` of an earlier split, whose parts are kept."""


class TrainingHistory(msgspec.Struct, frozen=True):
    """`history.json`."""

    best_epoch: int
    epochs: list[Epoch]
    finished_at: str
    """UTC, ISO 8601: what the bundle made of this run gives as its own time."""
    temperature: float = 1.0
    """By which the last layer's weights were divided after training."""
    shifts: dict[str, float] = {}
    """What was then added to the biases of these labels."""


def read_history(path: Path) -> TrainingHistory:
    """Read what `train` wrote. Raises ConfigError."""
    return read_document(path, TrainingHistory, "train")


def read_recipe(path: Path) -> Recipe:
    """Read what `train` wrote. Raises ConfigError."""
    return read_document(path, Recipe, "train")


def train(options: TrainOptions, bar: Bar, say: Callable[[str], None]) -> None:
    """Run the step. Raises ConfigError for unusable options and pictures, LeakError for a leak."""
    if options.side_px not in SIDES_PX:
        raise ConfigError(f"--input-side {options.side_px}: takes 32 to 224 pixels")
    if options.left_out not in (None, options.dataset, *options.boxed):
        raise ConfigError(f"--leave-out {options.left_out}: is neither --dataset nor a --boxed")
    keras = import_keras()
    keras.utils.set_random_seed(options.seed)
    # Examples are made in our own threads, beside TensorFlow's: OpenCV's would only get in the way.
    cv2.setNumThreads(1)
    model = build_network(options.side_px, options.width, options.weights)
    options.output.mkdir(parents=True, exist_ok=True)
    if options.fresh:
        for name in (CHECKPOINT_FILE, SPLIT_FILE, BOXED_SPLIT_FILE, FACES_FILE):
            (options.output / name).unlink(missing_ok=True)

    material = _gather(options, bar, say)
    pictures, streets = material.pictures, material.streets
    shown = pictures[SplitPart.TRAINING].beside(streets[SplitPart.TRAINING])
    validation = _validation(
        pictures[SplitPart.VALIDATION], streets[SplitPart.VALIDATION], options.side_px
    )
    trainer = Trainer(
        model,
        material.recipe,
        shown.views,
        shown.labels,
        sampling_shares(shown.labels, shown.groups, shown.strata),
        validation,
        options.output / CHECKPOINT_FILE,
    )
    epochs = options.frozen_epochs + options.epochs
    history, best_epoch = trainer.run(bar, tell_epochs(epochs, say, time.monotonic))
    answers = predict(model, validation[0])
    temperature = fit_temperature(validation[1], answers)
    fold_temperature(model, temperature)
    by_label = fit_shifts(validation[1], at_temperature(answers, temperature))
    fold_shifts(model, by_label)
    shifts = {LABELS[label]: shift for label, shift in by_label.items()}
    said = ", ".join(f"{name} {shift:+.2f}" for name, shift in shifts.items())
    say(f"epoch {best_epoch + 1} is kept; temperature {temperature:.3f}, {said}")
    finished_at = datetime.now(UTC).isoformat(timespec="seconds")
    save_model(model, options.output / KERAS_FILE)
    write_document(
        options.output / HISTORY_FILE,
        TrainingHistory(best_epoch, history, finished_at, temperature, shifts),
    )
    write_document(options.output / RECIPE_FILE, material.recipe)
    plot_history(history, best_epoch, options.output / PLOT_FILE)
    report = "\n".join(
        _report(model, options.side_px, f"{part.value} part, {kind}", examples[part])
        for part in (SplitPart.VALIDATION, SplitPart.TEST)
        for kind, examples in (("pictures", pictures), ("boxed faces", streets))
        if len(examples[part].labels)
    )
    write_atomically(options.output / REPORT_FILE, report.encode())
    (options.output / CHECKPOINT_FILE).unlink(missing_ok=True)
    say(report)


@dataclass(frozen=True, slots=True)
class Examples:
    """What a part of a split shows: a row for each picture of a folder or boxed face."""

    views: list[tuple[View, ...]]
    """The first is the one that the camera would judge."""
    labels: NDArray[np.int64]
    groups: NDArray[np.int64]
    strata: NDArray[np.int64]
    """What is balanced beside the classes: 0 for a folder's pictures, then each boxed set's bands
    of face sizes."""

    def beside(self, other: Examples) -> Examples:
        return Examples(
            self.views + other.views,
            np.concatenate([self.labels, other.labels]),
            np.concatenate([self.groups, other.groups]),
            np.concatenate([self.strata, other.strata]),
        )


@dataclass(frozen=True, slots=True)
class TrainingMaterial:
    """What a training goes by."""

    recipe: Recipe
    pictures: dict[SplitPart, Examples]
    streets: dict[SplitPart, Examples]


def _gather(options: TrainOptions, bar: Bar, say: Callable[[str], None]) -> TrainingMaterial:
    """Read the pictures, find their faces and divide them. Raises ConfigError and LeakError."""
    # The features that find near-duplicates are ImageNet's at width 1.0 only.
    imagenet = options.weights if options.width == 1.0 else "none"
    found = gather(
        options.dataset,
        options.boxed,
        (options.detector, options.detector_model),
        options.output,
        imagenet,
        options.seed,
        bar,
        say,
        options.held_out,
    )
    boxes = found.faces.boxes
    unseen = _unseen(options, found)
    pictures = {
        part: _folder_examples(found.split, found.pixels, boxes, part, unseen) for part in SplitPart
    }
    streets = {
        part: _street_examples(found.street_split, found.street, part, unseen).beside(
            _mistaken_examples(found, part, unseen)
        )
        for part in SplitPart
    }
    for part in SplitPart:
        counts = np.bincount(streets[part].labels, minlength=len(LABELS)).tolist()
        shown = ", ".join(f"{n} {name}" for n, name in zip(counts, LABELS, strict=True))
        of_boxed = f"; boxes: {shown}" if found.boxed else ""
        say(f"{part.value}: {len(pictures[part].labels)} pictures{of_boxed}")

    assignments = [*found.split.assignments, *found.street_split.assignments]
    return TrainingMaterial(_recipe(options, assignments, boxes, found.street), pictures, streets)


def _unseen(options: TrainOptions, found: Gathered) -> frozenset[int]:
    """Return the groups in which the source that is left out has a picture."""
    if options.left_out is None:
        return frozenset()
    if options.left_out == options.dataset:
        return frozenset(item.group for item in found.split.assignments)
    source = options.boxed.index(options.left_out)
    return frozenset(
        item.group
        for item, picture in zip(found.street_split.assignments, found.street, strict=True)
        if picture.source == source
    )


def _folder_examples(
    split: Split, pixels: list[Pixels], boxes: Boxes, part: SplitPart, unseen: frozenset[int]
) -> Examples:
    places = [
        place
        for place, item in enumerate(split.assignments)
        if item.part is part and item.group not in unseen
    ]
    chosen = [split.assignments[place] for place in places]
    return Examples(
        [
            training_views(pixels[place], boxes[item.picture.sha256])
            for place, item in zip(places, chosen, strict=True)
        ],
        labels_of([item.picture for item in chosen]),
        np.array([item.group for item in chosen], np.int64),
        np.zeros(len(chosen), np.int64),
    )


def _street_examples(
    split: Split, street: Sequence[StreetPicture], part: SplitPart, unseen: frozenset[int]
) -> Examples:
    bands = len(BAND_EDGES_PX) + 1
    faces = [
        (item.group, view, label, 1 + picture.source * bands + band_of(view.box.size_px))
        for item, picture in zip(split.assignments, street, strict=True)
        if item.part is part and item.group not in unseen
        for view, label in picture.faces
    ]
    return Examples(
        [(view,) for _, view, *_ in faces],
        np.array([label for _, _, label, _ in faces], np.int64),
        np.array([group for group, *_ in faces], np.int64),
        np.array([stratum for *_, stratum in faces], np.int64),
    )


def _mistaken_examples(found: Gathered, part: SplitPart, unseen: frozenset[int]) -> Examples:
    """Return what detectors take for a face in a folder's pictures, and is none."""
    views = [
        (item.group, compact(View(pixels, box)))
        for item, pixels in zip(found.split.assignments, found.pixels, strict=True)
        if item.part is part and item.group not in unseen
        for box in nothing_in(item.picture.sha256)
        if box.size_px >= MIN_FACE_PX
    ]
    return Examples(
        [(view,) for _, view in views],
        np.full(len(views), NOBODY, np.int64),
        np.array([group for group, _ in views], np.int64),
        np.zeros(len(views), np.int64),
    )


def training_views(pixels: Pixels, boxes: tuple[Box, ...]) -> tuple[View, ...]:
    """Return what training shows of a picture: its faces, and the picture as a whole."""
    faces = tuple(compact(View(pixels, box)) for box in boxes)
    return (*faces, compact(whole_picture(pixels), margin=1.5))


def _validation(
    pictures: Examples, streets: Examples, side_px: int
) -> tuple[Pixels, NDArray[np.int64]]:
    """Return the crops that choose the epoch; the rarer classes of boxed faces are repeated."""
    crops, labels = validation_set([views[0] for views in pictures.views], pictures.labels, side_px)
    counts = np.bincount(streets.labels, minlength=len(LABELS))
    for (view, *_), label in zip(streets.views, streets.labels, strict=True):
        share = CLASS_SHARES[label] / max(CLASS_SHARES)
        times = max(1, round(share * counts.max() / counts[label]))
        crops = np.concatenate([crops, np.repeat(view.crop(side_px)[np.newaxis], times, 0)])
        labels = np.append(labels, np.repeat(label, times))
    return crops, labels


def _recipe(
    options: TrainOptions,
    assignments: Sequence[Assignment],
    boxes: Boxes,
    street: Sequence[StreetPicture],
) -> Recipe:
    lines = [f"{item.picture.sha256} {item.part.value}\n" for item in assignments]
    lines += [f"{sha256} {found}\n" for sha256, found in sorted(boxes.items())]
    lines += [f"{item.boxed}\n" for item in street]
    lines += [f"{nothing_in(item.picture.sha256)}\n" for item in assignments]
    return Recipe(
        side_px=options.side_px,
        width=options.width,
        weights=Path(options.weights).name,
        seed=options.seed,
        frozen_epochs=options.frozen_epochs,
        epochs=options.epochs,
        batch=options.batch,
        patience=options.patience,
        left_out="" if options.left_out is None else options.left_out.name,
        data=hashlib.sha256("".join(lines).encode()).hexdigest(),
    )


def _report(model: object, side_px: int, name: str, examples: Examples) -> str:
    truth = examples.labels
    answers = predict(model, np.stack([views[0].crop(side_px) for views in examples.views]))
    return (
        f"{name}: {len(truth)}, Keras model, accuracy {accuracy(truth, answers):.4f}, balanced "
        f"{balanced_accuracy(truth, answers):.4f}\n\n{classification_report(truth, answers)}\n"
    )


def tell_epochs(
    epochs: int, say: Callable[[str], None], clock: Callable[[], float]
) -> Callable[[Epoch], None]:
    """Return what says how an epoch went, and how long the others will take, if as long as it.

    `clock` is in seconds.
    """
    begun_s = clock()

    def tell(epoch: Epoch) -> None:
        nonlocal begun_s
        now_s = clock()
        left_s = (epochs - epoch.number - 1) * (now_s - begun_s)
        begun_s = now_s
        # It ends sooner where it makes no progress.
        left = f"; {timedelta(seconds=round(left_s))} left at most" if left_s else ""
        say(f"{_line(epoch)}{left}")

    return tell


def _line(epoch: Epoch) -> str:
    return (
        f"epoch {epoch.number + 1}: loss {epoch.loss:.4f}, accuracy {epoch.accuracy:.4f}, "
        f"validation loss {epoch.validation_loss:.4f}, accuracy {epoch.validation_accuracy:.4f}"
    )
