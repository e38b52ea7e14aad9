"""What the report is made of: the files that the other steps have written, where they are there.

Nothing is measured here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from convert.data.split import read_held_out
from convert.detector import evaluate, train
from convert.detector.evaluate import DetectorEvaluation
from convert.detector.train import DetectorHistory
from convert.files import HELD_OUT_FILE, HISTORY_FILE
from convert.measure.figures import (
    BoxedEvaluation,
    Evaluation,
    read_boxed_evaluation,
    read_evaluation,
)
from convert.measure.gallery import Mistake, read_mistakes, read_tiles
from convert.train.train import TrainingHistory, read_history
from edge.classify.card import Bundle, load_bundle
from edge.detect.card import CARD_FILE, DetectorCard, read_card
from edge.errors import ConfigError
from edge.records import Pixels

PARTS = ("test", "validation", "all", "training")
"""Of each kind of evaluation, in this order; the test part's is what counts."""

Measured = Evaluation | BoxedEvaluation

_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class ShownMistakes:
    """The worst mistakes of an evaluation."""

    data: str
    """Which pictures, as text."""
    count: int
    """Of all mistakes."""
    worst: tuple[tuple[Mistake, Pixels | None], ...]
    """With the crop, where there is one and it may be shown."""


@dataclass(frozen=True, slots=True)
class ReportMaterial:
    bundle: Bundle | None
    history: TrainingHistory | None
    """None too where it is of another training than the bundle's."""
    parts_are_the_bundles: bool | None
    """Whether what is held out is held out from the bundle's own training; None: not known."""
    evaluations: tuple[Evaluation, ...]
    boxed: tuple[BoxedEvaluation, ...]
    compared: tuple[Measured, ...]
    """Those that measure Keras and int8."""
    mistakes: tuple[ShownMistakes, ...]
    detector: DetectorCard | None
    detector_history: DetectorHistory | None
    detector_evaluations: tuple[DetectorEvaluation, ...]

    @property
    def measured(self) -> tuple[Measured, ...]:
        return (*self.boxed, *self.evaluations)


def read_material(
    folders: Sequence[Path], bundle: Path, detector: Path, *, crops: bool
) -> ReportMaterial:
    """Read what is there: of each file the one in the first folder that has it.

    `bundle` and `detector` are the bundles' folders. Raises ConfigError for a damaged file and
    where there is nothing at all, ModelError for a damaged bundle.
    """

    def first(name: str, read: Callable[[Path], _Read]) -> _Read | None:
        return next(each(name, read), None)

    def each(name: str, read: Callable[[Path], _Read]) -> Iterator[_Read]:
        return (read(folder / name) for folder in folders if (folder / name).exists())

    def of_parts(name: str, read: Callable[[Path], _Read]) -> tuple[_Read, ...]:
        found = (first(name.format(part), read) for part in PARTS)
        return tuple(item for item in found if item is not None)

    loaded = load_bundle(bundle) if bundle.is_dir() else None
    card = read_card(detector) if (detector / CARD_FILE).exists() else None
    history = first(HISTORY_FILE, read_history)
    if loaded and history and history.finished_at != loaded.card.created_at:
        history = None
    own = first(train.HISTORY_FILE, train.read_history)
    if card and own and own.finished_at != card.created_at:
        own = None

    def is_of_it(item: Measured) -> bool:
        return loaded is None or item.model_sha256 == loaded.card.model_sha256

    evaluations = tuple(filter(is_of_it, of_parts("evaluation-{}.json", read_evaluation)))
    boxed = tuple(filter(is_of_it, of_parts("boxed-{}.json", read_boxed_evaluation)))
    held = first(HELD_OUT_FILE, read_held_out)
    compared: list[Measured] = []
    for part in PARTS:
        measured = (
            each(f"evaluation-{part}.json", read_evaluation),
            each(f"boxed-{part}.json", read_boxed_evaluation),
        )
        for found in measured:
            both = (
                item for item in found if is_of_it(item) and item.agreement_with_keras is not None
            )
            compared += [item for item in [next(both, None)] if item is not None]
    material = ReportMaterial(
        bundle=loaded,
        history=history,
        parts_are_the_bundles=held.training_digest == loaded.card.training_data.digest
        if held and loaded
        else None,
        evaluations=evaluations,
        boxed=boxed,
        compared=tuple(compared),
        mistakes=tuple(_mistakes(folders, [*evaluations, *boxed], crops=crops)),
        detector=card,
        detector_history=own,
        detector_evaluations=of_parts("detector-{}.json", evaluate.read_evaluation),
    )
    if not any((loaded, history, evaluations, boxed, card, own, material.detector_evaluations)):
        raise ConfigError(
            f"{', '.join(map(str, folders))}: nothing to report; `train`, `evaluate` and `bundle` "
            "write what it shows"
        )
    return material


def _mistakes(
    folders: Sequence[Path], measured: Sequence[Measured], *, crops: bool
) -> Iterator[ShownMistakes]:
    for item in measured:
        is_boxed = isinstance(item, BoxedEvaluation)
        name = f"boxed-{item.part}-mistakes" if is_boxed else f"mistakes-{item.part}"
        path = next((f / f"{name}.json" for f in folders if (f / f"{name}.json").exists()), None)
        if path is None:
            continue
        found = read_mistakes(path)
        tiles = list(read_tiles(path.with_suffix(".png"))) if crops else []
        # A gallery that does not go with the list would show somebody else.
        shown = tiles if len(tiles) >= len(found.worst) else [None] * len(found.worst)
        yield ShownMistakes(
            f"{item.data}, {item.part} part",
            found.count,
            tuple(zip(found.worst, shown, strict=False)),
        )
