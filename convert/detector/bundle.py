"""The `detector bundle` step: the folder that the program carries, made of what training wrote.

The same files make the same folder, byte for byte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from convert.detector.evaluate import DetectorEvaluation, DetectorScore, read_evaluation
from convert.detector.graph import read_graph
from convert.detector.train import read_history
from convert.files import write_archive, write_atomically, write_document
from edge.detect.card import (
    CARD_FILE,
    NETWORK_FILE,
    DetectorCard,
    DetectorGolden,
    FoundFaces,
    answers_to,
    read_card,
    self_test,
)
from edge.errors import ConfigError, ModelError

PATTERNS = (0, 1, 2, 3)


@dataclass(frozen=True, slots=True)
class DetectorBundleOptions:
    """The options of the command, as the command line describes them."""

    network: Path
    history: Path
    evaluation: Path
    bundle: Path
    confidence: float
    sure: float
    version: str = "1"
    licence: str = "MIT"
    data_name: str = ""


def bundle_detector(options: DetectorBundleOptions, say: Callable[[str], None]) -> DetectorCard:
    """Run the step and load the result back. Raises ConfigError and ModelError."""
    if not 0 < options.confidence <= options.sure <= 1:
        raise ConfigError("--confidence is above 0, and --sure between it and 1")
    graph = read_graph(options.network)
    network = options.network.read_bytes()
    history = read_history(options.history)
    sha256 = hashlib.sha256(network).hexdigest()
    answers = answers_to(network, PATTERNS)
    card = DetectorCard(
        name="tensormask",
        version=options.version,
        architecture="YuNet (Wu et al., 2023)",
        parameters=sum(array.size for array in graph.arrays.values()),
        sha256=sha256,
        started_from=history.recipe.start,
        licence=options.licence,
        provenance=(
            f"YuNet of OpenCV Zoo (MIT), fine-tuned on {options.data_name or 'boxed pictures'} by "
            f"`python -m convert detector train`, seed {history.recipe.seed}, "
            f"{history.recipe.steps} steps of {history.recipe.batch} scenes"
            f"{_before(history.recipe.former)}."
        ),
        created_at=history.finished_at,
        confidence=options.confidence,
        sure=options.sure,
        found=_found(read_evaluation(options.evaluation), options.network.name),
        golden=DetectorGolden(
            patterns=PATTERNS,
            answers=tuple(tuple(round(float(mean), 4) for mean in row) for row in answers),
        ),
    )
    write_atomically(options.bundle / NETWORK_FILE, network)
    write_document(options.bundle / CARD_FILE, card)
    loaded = read_card(options.bundle)
    self_test((options.bundle / NETWORK_FILE).read_bytes(), loaded.golden)
    archive, digest = write_archive(options.bundle, (NETWORK_FILE, CARD_FILE))
    say(f"{options.bundle}: {card.name} {card.version}, {len(network)} bytes, {sha256}")
    say(f"for a device: tensormask models install {archive} --sha256 {digest}")
    return loaded


def _before(former: str) -> str:
    return f", from the weights {former[:12]} of a training before" if former else ""


def _found(evaluation: DetectorEvaluation, name: str) -> list[FoundFaces]:
    scores = [score for score in evaluation.scores if score.detector == name]
    if not scores:
        raise ModelError(f"the evaluation is not of {name}; run `detector evaluate` for it")
    return [row for score in scores for row in _rows(score, evaluation.part)]


def _rows(score: DetectorScore, part: str) -> list[FoundFaces]:
    point = score.points[0]
    return [
        FoundFaces(
            data=f"{score.data}, {part} part, {point.unlabelled_in_100:g} other finds in 100 "
            f"pictures",
            kind=each.kind,
            size_px=str(each.band).removesuffix(" px"),
            faces=each.faces,
            found=each.found,
        )
        for each in point.found
        if each.faces
    ]
