"""The `detector train` step: boxed pictures in, an ONNX file of YuNet's architecture out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import cv2
import msgspec
import numpy as np

from convert.data.added import nothing_in
from convert.data.prepare import Bar, Gathered, gather
from convert.data.split import SplitPart
from convert.detector.finds import find_all
from convert.detector.fit import DetectorRecipe, DetectorTrainer, Losses
from convert.detector.graph import read_graph, write_graph
from convert.detector.scenes import (
    DOUBTFUL,
    FaceKind,
    Find,
    SceneSampler,
    TrainingScene,
    boxes_of,
    tightened,
    with_finds,
)
from convert.files import DETECTOR_FILE, read_document, write_atomically, write_document
from edge.detect import weights
from edge.detect.detectors import YUNET
from edge.detect.yunet import YuNet
from edge.errors import ConfigError
from edge.records import Box, Pixels

CHECKPOINT_FILE = "detector-checkpoint.msgpack"
FINDS_FILE = "finds.json"
HISTORY_FILE = "detector-history.json"
FOLDER_SHARE = 0.15
"""Of the faces that a training shows, those of the pictures of a data set, whose faces fill them;
the boxed sets share the rest by the square root of their faces of a kind."""


@dataclass(frozen=True, slots=True)
class DetectorTrainOptions:
    """The options of the command, as the command line describes them."""

    dataset: Path
    boxed: tuple[Path, ...]
    output: Path
    start: Path | None = None
    """The file to start from, of YuNet's architecture; None: YuNet's own, which must be fetched."""
    former: Path | None = None
    """What a training before has made, to go on from; `start` still teaches."""
    weights: str = "imagenet"
    steps: int = 8000
    batch: int = 16
    rate: float = 1e-3
    seed: int = 7
    fresh: bool = False
    held_out: Path | None = None
    """The `held-out.json` of an earlier split, whose parts are kept."""


class DetectorHistory(msgspec.Struct, frozen=True):
    """`detector-history.json`."""

    recipe: DetectorRecipe
    losses: list[Losses]
    finished_at: str
    """UTC, ISO 8601."""


def read_history(path: Path) -> DetectorHistory:
    """Read what the step wrote. Raises ConfigError."""
    return read_document(path, DetectorHistory, "detector train")


def train_detector(options: DetectorTrainOptions, bar: Bar, say: Callable[[str], None]) -> None:
    """Run the step. Raises ConfigError, ModelError and LeakError."""
    if not options.boxed:
        raise ConfigError("give --boxed DIR at least once: faces are learned from boxes")
    cv2.setNumThreads(1)
    options.output.mkdir(parents=True, exist_ok=True)
    if options.fresh:
        for name in (CHECKPOINT_FILE, FINDS_FILE):
            (options.output / name).unlink(missing_ok=True)
    start = _start(options)
    graph = read_graph(start)
    former = None if options.former is None else read_graph(options.former)
    digest = hashlib.sha256(start.read_bytes()).hexdigest()
    found = gather(
        options.dataset,
        options.boxed,
        (YUNET.name, str(start)),
        options.output,
        options.weights,
        options.seed,
        bar,
        say,
        options.held_out,
    )
    looks = YuNet(YUNET.name, start.read_bytes(), DOUBTFUL, DOUBTFUL)
    finds = find_all(
        _pictures(found), looks, digest, options.output / FINDS_FILE, lambda it: bar(it, "finds")
    )
    scenes = scenes_of(found, finds, SplitPart.TRAINING)
    counts = np.bincount(np.concatenate([scene.kinds for scene in scenes]), minlength=4)
    say(
        f"{len(scenes)} training pictures: "
        + ", ".join(f"{counts[kind]} {kind.name.lower()}" for kind in FaceKind)
    )
    recipe = DetectorRecipe(
        options.steps,
        options.batch,
        options.rate,
        options.seed,
        digest,
        _digest(scenes),
        "" if options.former is None else hashlib.sha256(options.former.read_bytes()).hexdigest(),
    )
    sampler = SceneSampler(scenes, _source_shares(scenes, len(found.boxed)), options.seed)
    trainer = DetectorTrainer(
        graph,
        recipe,
        sampler,
        options.output / CHECKPOINT_FILE,
        None if former is None else former.arrays,
    )
    arrays, losses = trainer.run(bar, say)
    write_atomically(options.output / DETECTOR_FILE, write_graph(graph, arrays))
    finished_at = datetime.now(UTC).isoformat(timespec="seconds")
    write_document(options.output / HISTORY_FILE, DetectorHistory(recipe, losses, finished_at))
    (options.output / CHECKPOINT_FILE).unlink(missing_ok=True)
    say(f"{options.output / DETECTOR_FILE}")


def _start(options: DetectorTrainOptions) -> Path:
    if options.start is not None:
        if not options.start.is_file():
            raise ConfigError(f"{options.start}: no such file; --start takes an ONNX file of YuNet")
        return options.start
    paths = weights.locate(YUNET.weights)
    if paths is None:
        raise ConfigError(
            f"training starts from YuNet's weights, which are missing; {YUNET.weights.remedy}, or "
            "--start FILE"
        )
    return paths[-1]


def _pictures(found: Gathered) -> list[tuple[str, Pixels]]:
    pictures = zip(found.dataset.pictures, found.pixels, strict=True)
    rows = [(picture.sha256, pixels) for picture, pixels in pictures]
    return rows + [
        (item.picture.sha256, item.read()) for each in found.boxed for item in each.pictures
    ]


def scenes_of(
    found: Gathered, finds: dict[str, list[Find]], part: SplitPart
) -> list[TrainingScene]:
    """Return the part's pictures with their faces: the boxed sets' first, then the data set's."""
    parts = {
        item.picture.sha256: item.part
        for split in (found.split, found.street_split)
        for item in split.assignments
    }
    scenes = []
    for source, each in enumerate(found.boxed):
        for item in each.pictures:
            if parts[item.picture.sha256] is part:
                boxes = [*(face.box for face in item.faces), *item.unsure]
                kinds = [FaceKind(face.label) for face in item.faces]
                kinds += [FaceKind.UNLABELLED] * len(item.unsure)
                scenes.append(
                    _scene(
                        item.read(),
                        boxes,
                        kinds,
                        finds[item.picture.sha256],
                        source,
                        item.nothing,
                    )
                )
    for picture, pixels in zip(found.dataset.pictures, found.pixels, strict=True):
        located = found.faces.boxes[picture.sha256]
        # A picture of a face that nobody has boxed and no detector sees would teach blindness.
        if located and parts[picture.sha256] is part:
            kinds = [FaceKind(picture.label)] * len(located)
            scenes.append(
                _scene(
                    pixels,
                    located,
                    kinds,
                    finds[picture.sha256],
                    len(found.boxed),
                    nothing_in(picture.sha256),
                )
            )
    return scenes


def _scene(
    pixels: Pixels,
    boxes: Sequence[Box],
    kinds: Sequence[FaceKind],
    finds: Sequence[Find],
    source: int,
    mistaken: Sequence[Box] = (),
) -> TrainingScene:
    labelled = boxes_of([box.sides for box in boxes])
    nothing = boxes_of([box.sides for box in mistaken])
    sure, doubtful = with_finds(np.concatenate([labelled, nothing]), finds)
    every = [*kinds, *[FaceKind.UNLABELLED] * len(sure)]
    faces = np.concatenate([tightened(labelled, finds), sure])
    return TrainingScene(pixels, faces, np.array(every, np.int64), doubtful, source, nothing)


def _source_shares(scenes: Sequence[TrainingScene], boxed: int) -> list[float]:
    """Return the share of each source: the data set's is fixed."""
    counts = np.zeros(boxed + 1)
    for scene in scenes:
        counts[scene.source] += len(scene.kinds)
    roots = np.sqrt(counts[:boxed])
    return [*((1 - FOLDER_SHARE) * roots / roots.sum()).tolist(), FOLDER_SHARE]


def _digest(scenes: Sequence[TrainingScene]) -> str:
    digest = hashlib.sha256()
    for scene in scenes:
        for part in (scene.pixels, scene.faces, scene.kinds, scene.doubtful, scene.nothing):
            digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()
