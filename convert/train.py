"""The `train` step: pictures in, Keras model, split, history, plot and report out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import cv2
import msgspec
import numpy as np

from convert.augment import View, compact, whole_picture
from convert.dataset import Dataset, labels_of, read_dataset
from convert.files import write_atomically
from convert.fit import Epoch, Recipe, Trainer, validation_set
from convert.metrics import accuracy, classification_report
from convert.network import build_network, import_keras, predict, save_model
from convert.plots import plot_history
from convert.prepare import (
    FACES_FILE,
    SPLIT_FILE,
    Bar,
    camera_views,
    locate_faces,
    open_face_detector,
    split_dataset,
    write_skipped,
)
from convert.split import Part, Split
from edge.errors import ConfigError
from edge.records import Box, Pixels

KERAS_FILE = "model.keras"
HISTORY_FILE = "history.json"
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


class History(msgspec.Struct, frozen=True):
    """`history.json`."""

    best_epoch: int
    epochs: list[Epoch]
    finished_at: str
    """UTC, ISO 8601: what the bundle made of this run gives as its own time."""


def read_history(path: Path) -> History:
    """Read what `train` wrote. Raises ConfigError."""
    return _read(path, History)


def read_recipe(path: Path) -> Recipe:
    """Read what `train` wrote. Raises ConfigError."""
    return _read(path, Recipe)


def train(options: TrainOptions, bar: Bar, say: Callable[[str], None]) -> None:
    """Run the step. Raises ConfigError for unusable options and pictures, LeakError for a leak."""
    if options.side_px not in SIDES_PX:
        raise ConfigError(f"--input-side {options.side_px}: takes 32 to 224 pixels")
    keras = import_keras()
    keras.utils.set_random_seed(options.seed)
    # Examples are made in our own threads, beside TensorFlow's: OpenCV's would only get in the way.
    cv2.setNumThreads(1)
    model = build_network(options.side_px, options.width, options.weights)
    options.output.mkdir(parents=True, exist_ok=True)
    if options.fresh:
        for name in (CHECKPOINT_FILE, SPLIT_FILE, FACES_FILE):
            (options.output / name).unlink(missing_ok=True)

    dataset = read_dataset(options.dataset, lambda names: bar(names, "pictures"))
    write_skipped(dataset, options.output)
    say(f"{len(dataset.pictures)} pictures; {len(dataset.skipped)} files skipped, see skipped.txt")
    pixels = [dataset.read(picture) for picture in bar(dataset.pictures, "decoding")]
    detector = open_face_detector(options.detector, options.detector_model)
    faces = locate_faces(
        dataset, dataset.pictures, detector, options.detector_model, options.output, bar
    )
    located = sum(1 for boxes in faces.boxes.values() if boxes)
    say(f"faces located by {faces.detector} in {located} of {len(dataset.pictures)} pictures")
    # The features that find near-duplicates are ImageNet's at width 1.0 only.
    imagenet = options.weights if options.width == 1.0 else "none"
    split = split_dataset(dataset, pixels, faces.boxes, options.output, imagenet, options.seed)
    for part in Part:
        say(f"{part.value}: {len(split.part(part))} pictures")

    trainer, recipe = _trainer(options, model, dataset, pixels, faces.boxes, split)
    history, best_epoch = trainer.run(bar, lambda epoch: say(_line(epoch)))
    finished_at = datetime.now(UTC).isoformat(timespec="seconds")
    save_model(model, options.output / KERAS_FILE)
    _write(options.output / HISTORY_FILE, History(best_epoch, history, finished_at))
    _write(options.output / RECIPE_FILE, recipe)
    plot_history(history, best_epoch, options.output / PLOT_FILE)
    views = camera_views(dataset.pictures, pixels, faces.boxes)
    report = _report(model, options.side_px, split, views)
    write_atomically(options.output / REPORT_FILE, report.encode())
    (options.output / CHECKPOINT_FILE).unlink(missing_ok=True)
    say(report)


def training_views(pixels: Pixels, boxes: tuple[Box, ...]) -> tuple[View, ...]:
    """Return what training shows of a picture: its faces, and the picture as a whole."""
    faces = tuple(compact(View(pixels, box)) for box in boxes)
    return (*faces, compact(whole_picture(pixels), margin=1.5))


def _trainer(
    options: TrainOptions,
    model: object,
    dataset: Dataset,
    pixels: list[Pixels],
    boxes: dict[str, tuple[Box, ...]],
    split: Split,
) -> tuple[Trainer, Recipe]:
    places = {part: _places(split, part) for part in Part}
    labels = labels_of(dataset.pictures)
    groups = np.array([item.group for item in split.assignments], np.int64)
    training, validation = places[Part.TRAINING], places[Part.VALIDATION]
    views = camera_views(dataset.pictures, pixels, boxes)
    lines = [f"{item.picture.sha256} {item.part.value}\n" for item in split.assignments]
    lines += [f"{sha256} {found}\n" for sha256, found in sorted(boxes.items())]
    recipe = Recipe(
        side_px=options.side_px,
        width=options.width,
        weights=Path(options.weights).name,
        seed=options.seed,
        frozen_epochs=options.frozen_epochs,
        epochs=options.epochs,
        batch=options.batch,
        patience=options.patience,
        data=hashlib.sha256("".join(lines).encode()).hexdigest(),
    )
    trainer = Trainer(
        model,
        recipe,
        [
            training_views(pixels[place], boxes[dataset.pictures[place].sha256])
            for place in training
        ],
        labels[training],
        groups[training],
        validation_set([views[place] for place in validation], labels[validation], options.side_px),
        options.output / CHECKPOINT_FILE,
    )
    return trainer, recipe


def _places(split: Split, part: Part) -> list[int]:
    return [place for place, item in enumerate(split.assignments) if item.part is part]


def _report(model: object, side_px: int, split: Split, views: list[View]) -> str:
    lines = []
    for part in (Part.VALIDATION, Part.TEST):
        places = _places(split, part)
        if not places:
            continue
        truth = labels_of([split.assignments[place].picture for place in places])
        answers = predict(model, np.stack([views[place].crop(side_px) for place in places]))
        lines.append(
            f"{part.value} part, {len(places)} pictures, Keras model, accuracy "
            f"{accuracy(truth, answers):.4f}\n\n{classification_report(truth, answers)}\n"
        )
    return "\n".join(lines)


def _line(epoch: Epoch) -> str:
    return (
        f"epoch {epoch.number + 1}: loss {epoch.loss:.4f}, accuracy {epoch.accuracy:.4f}, "
        f"validation loss {epoch.validation_loss:.4f}, accuracy {epoch.validation_accuracy:.4f}"
    )


def _write(path: Path, document: msgspec.Struct) -> None:
    write_atomically(path, msgspec.json.format(msgspec.json.encode(document), indent=1))


_Document = TypeVar("_Document", History, Recipe)


def _read(path: Path, kind: type[_Document]) -> _Document:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror}; `python -m convert train` writes it"
        ) from error
    except msgspec.DecodeError as error:
        raise ConfigError(f"{path}: not written by `train` ({error})") from error
