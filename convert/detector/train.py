"""The `detector train` step: boxed pictures in, an ONNX file of YuNet's architecture out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import cv2
import msgspec
import numpy as np

from convert.data.added import nothing_in
from convert.data.prepare import Bar, Gathered, gather
from convert.data.split import SplitPart
from convert.detector.finds import RATIOS, find_all
from convert.detector.fit import DetectorRecipe, DetectorTrainer, Losses
from convert.detector.graph import read_graph, write_graph
from convert.detector.sampling import SceneSampler
from convert.detector.scenes import (
    DOUBTFUL,
    FaceKind,
    Find,
    TrainingScene,
    areas,
    boxes_of,
    found_scores,
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
FORMER_FINDS_FILE = "finds-former.json"
HISTORY_FILE = "detector-history.json"
LEARNED = 0.78
"""From this score of a training before on a face is learned; the others are hard."""
HARD_FROM_PX = 14.0
"""Smaller faces are hard whatever they show."""
FOUND_IOU = 0.3
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
        for name in (CHECKPOINT_FILE, FINDS_FILE, FORMER_FINDS_FILE):
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
    # The portraits' faces are known: the same network has just located them.
    finds = _look(_boxed_pictures(found), start, RATIOS, options.output / FINDS_FILE, bar)
    former_finds = None
    if options.former is not None:
        # As it is used, at the picture's own size: what fills a picture may be hard as well.
        pictures = chain(_boxed_pictures(found), _portraits(found))
        cache = options.output / FORMER_FINDS_FILE
        former_finds = _look(pictures, options.former, (1.0,), cache, bar)
    scenes = scenes_of(found, finds, former_finds)
    counts = np.bincount(np.concatenate([scene.kinds for scene in scenes]), minlength=4)
    say(
        f"{len(scenes)} training pictures: "
        + ", ".join(f"{counts[kind]} {kind.name.lower()}" for kind in FaceKind)
        + f"; {sum(_hard(scene) for scene in scenes)} hard"
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


def _look(
    pictures: Iterable[tuple[str, Pixels]],
    network: Path,
    ratios: Sequence[float],
    cache: Path,
    bar: Bar,
) -> dict[str, list[Find]]:
    """Return what the network in a file of YuNet's architecture detects in the pictures."""
    content = network.read_bytes()
    detector = YuNet(network.stem, content, DOUBTFUL, DOUBTFUL)
    digest = hashlib.sha256(content).hexdigest()
    return find_all(pictures, detector, digest, cache, lambda items: bar(items, cache.stem), ratios)


def _portraits(found: Gathered) -> Iterator[tuple[str, Pixels]]:
    parts = _parts(found)
    for picture, pixels in zip(found.dataset.pictures, found.pixels, strict=True):
        if parts[picture.sha256] is SplitPart.TRAINING:
            yield picture.sha256, pixels


def _boxed_pictures(found: Gathered) -> Iterator[tuple[str, Pixels]]:
    parts = _parts(found)
    for each in found.boxed:
        for item in each.pictures:
            if parts[item.picture.sha256] is SplitPart.TRAINING:
                yield item.picture.sha256, item.read()


def _parts(found: Gathered) -> dict[str, SplitPart]:
    return {
        item.picture.sha256: item.part
        for split in (found.split, found.street_split)
        for item in split.assignments
    }


def scenes_of(
    found: Gathered,
    finds: dict[str, list[Find]],
    former_finds: dict[str, list[Find]] | None = None,
) -> list[TrainingScene]:
    """Return the training pictures with their faces: the boxed sets' first, then the data set's.

    `former_finds` are those of a training before, which say which faces are hard.
    """
    parts = _parts(found)
    scenes = []
    for source, each in enumerate(found.boxed):
        for item in each.pictures:
            if parts[item.picture.sha256] is SplitPart.TRAINING:
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
                        None if former_finds is None else former_finds[item.picture.sha256],
                    )
                )
    for picture, pixels in zip(found.dataset.pictures, found.pixels, strict=True):
        located = found.faces.boxes[picture.sha256]
        # A picture of a face that nobody has boxed and no detector sees would teach blindness.
        if located and parts[picture.sha256] is SplitPart.TRAINING:
            kinds = [FaceKind(picture.label)] * len(located)
            scenes.append(
                _scene(
                    pixels,
                    located,
                    kinds,
                    (),
                    len(found.boxed),
                    nothing_in(picture.sha256),
                    None if former_finds is None else former_finds[picture.sha256],
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
    former: Sequence[Find] | None = None,
) -> TrainingScene:
    labelled = boxes_of([box.sides for box in boxes])
    nothing = boxes_of([box.sides for box in mistaken])
    sure, doubtful = with_finds(np.concatenate([labelled, nothing]), finds)
    every = [*kinds, *[FaceKind.UNLABELLED] * len(sure)]
    faces = np.concatenate([tightened(labelled, finds), sure])
    is_hard = None
    if former is not None:
        is_hard = found_scores(faces, former, FOUND_IOU) < LEARNED
        is_hard &= np.sqrt(areas(faces)) >= HARD_FROM_PX
    kinds_of_all = np.array(every, np.int64)
    return TrainingScene(pixels, faces, kinds_of_all, doubtful, source, nothing, is_hard)


def _hard(scene: TrainingScene) -> int:
    return 0 if scene.is_hard is None else int(scene.is_hard.sum())


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
        known = (scene.pixels, scene.faces, scene.kinds, scene.doubtful, scene.nothing)
        for part in (*known, *(() if scene.is_hard is None else (scene.is_hard,))):
            digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()
