"""The `bundle` step: the folder that the daemon loads, made of what the steps before it wrote.

The same files make the same bundle, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from convert.data.augment import MARGIN
from convert.data.dataset import digest_of
from convert.data.split import SplitPart, held_out, read_split
from convert.export.golden import choose_golden
from convert.export.quantize import multiply_adds, refuse
from convert.files import HELD_OUT_FILE, write_archive, write_atomically, write_document
from convert.measure.figures import (
    BoxedEvaluation,
    Evaluation,
    Score,
    ViewKind,
    read_boxed_evaluation,
    read_evaluation,
)
from convert.measure.metrics import thinned
from convert.train.fit import Recipe
from convert.train.train import RECIPE_FILE, TrainingHistory, read_history, read_recipe
from edge.classify.card import (
    CARD_FILE,
    LABELS,
    MODEL_FILE,
    Bundle,
    CardThresholds,
    CurvePoint,
    Features,
    Golden,
    Measurement,
    ModelCard,
    Quantization,
    TrainingData,
    digest,
    load_bundle,
)
from edge.classify.graph import check_graph
from edge.classify.runtime import Int8Network
from edge.errors import ConfigError, ModelError
from edge.eyes import EYES_FILE


@dataclass(frozen=True, slots=True)
class BundleOptions:
    """The options of the command, as the command line describes them."""

    output: Path
    bundle: Path
    tflite: Path
    split: Path
    history: Path
    evaluations: tuple[Path, ...]
    """The validation part's first: the thresholds are taken from it, or from the first boxed."""
    boxed_evaluations: tuple[Path, ...] = ()
    boxed_split: Path | None = None
    name: str = "tensormask"
    version: str = "1"
    licence: str = "MIT"
    data_name: str = ""
    somebody: float | None = None
    """From which surety on a detection is somebody, see `CardThresholds`."""


def bundle(options: BundleOptions, say: Callable[[str], None]) -> Bundle:
    """Run the step and load the result back. Raises ConfigError and ModelError."""
    try:
        model = options.tflite.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{options.tflite}: {error.strerror}; `python -m convert quantize` writes it"
        ) from error
    refuse(model)
    card = make_card(
        options,
        model,
        choose_golden(Int8Network(model), say),
        [read_evaluation(path) for path in options.evaluations],
        [read_boxed_evaluation(path) for path in options.boxed_evaluations],
        read_history(options.history),
        read_recipe(options.output / RECIPE_FILE),
    )
    write_atomically(options.bundle / MODEL_FILE, model)
    write_document(options.bundle / CARD_FILE, card)
    splits = [read_split(path) for path in (options.split, options.boxed_split) if path]
    write_document(options.output / HELD_OUT_FILE, held_out(splits))
    loaded = load_bundle(options.bundle)
    names = [MODEL_FILE, CARD_FILE]
    if (options.bundle / EYES_FILE).exists():
        names.append(EYES_FILE)
    archive, sha256 = write_archive(options.bundle, names)
    say(f"{options.bundle}: {card.name} {card.version}, model {card.model_sha256[:12]}")
    say(f"for a device: tensormask models install {archive} --sha256 {sha256}")
    return loaded


def make_card(
    options: BundleOptions,
    model: bytes,
    golden: Golden,
    evaluations: Sequence[Evaluation],
    boxed: Sequence[BoxedEvaluation],
    history: TrainingHistory,
    recipe: Recipe,
) -> ModelCard:
    """Describe `model`. Raises ConfigError when the evaluations do not allow it."""
    judged: list[Evaluation | BoxedEvaluation] = [*boxed, *evaluations]
    for each in judged:
        if each.model_sha256 != digest(model):
            raise ConfigError(
                f"the evaluation of {each.data}, {each.part} part, is of another model; evaluate "
                "this one, or remove that evaluation"
            )
    chosen_on = next(iter(judged), None)
    thresholds = None if chosen_on is None else chosen_on.thresholds
    if chosen_on is None or thresholds is None:
        raise ConfigError(
            "thresholds need an evaluation of faces of both classes; evaluate the validation part"
        )
    if recipe.left_out:
        raise ConfigError(
            f"this model was trained without {recipe.left_out}, to be measured on it; train one to "
            "ship without --leave-out"
        )
    network = Int8Network(model)
    training = read_split(options.split).part(SplitPart.TRAINING)
    if options.boxed_split is not None:
        training += read_split(options.boxed_split).part(SplitPart.TRAINING)
    names = [each.data for each in evaluations[:1]] + [each.data for each in boxed[:1]]
    name = options.data_name or " and ".join(names)
    (input_scale, input_zero), (output_scale, output_zero) = (
        network.input_quantization,
        network.output_quantization,
    )
    return ModelCard(
        name=options.name,
        version=options.version,
        labels=LABELS,
        input_side_px=network.side_px,
        crop_margin=MARGIN,
        input=Quantization(scale=float(input_scale), zero_point=int(input_zero)),
        output=Quantization(scale=float(output_scale), zero_point=int(output_zero)),
        features=_features(network),
        thresholds=CardThresholds(
            bare=thresholds.bare, masked=thresholds.masked, somebody=options.somebody
        ),
        multiply_adds=multiply_adds(check_graph(model)),
        threshold_curve=[
            CurvePoint(threshold=p.threshold, precision=p.precision, recall=p.recall)
            for p in thinned(chosen_on.curve)
        ],
        metrics=[
            _measurement(evaluation, score)
            for evaluation in evaluations
            for score in evaluation.scores
            if score.model == "int8"
        ]
        + [_boxed_measurement(each) for each in boxed],
        golden=golden,
        model_sha256=digest(model),
        training_data=TrainingData(name=name, pictures=len(training), digest=digest_of(training)),
        licence=options.licence,
        provenance=(
            f"MobileNetV2 {recipe.width} from {recipe.weights}, fine-tuned on {name} by "
            f"`python -m convert train`, seed {recipe.seed}, epoch {history.best_epoch + 1} of "
            f"{len(history.epochs)}; int8 by `python -m convert quantize`. Thresholds: "
            f"{thresholds.reason} of the {chosen_on.part} part of {chosen_on.data}."
        ),
        created_at=history.finished_at,
    )


def _features(network: Int8Network) -> Features | None:
    if network.features_quantization is None:
        return None
    scale, zero_point = network.features_quantization
    return Features(size=network.features_size, scale=float(scale), zero_point=int(zero_point))


def _boxed_measurement(evaluation: BoxedEvaluation) -> Measurement:
    return Measurement(
        data=f"{evaluation.data}, {evaluation.part} part, labelled faces of 16 px and more",
        pictures=evaluation.faces,
        runtime=evaluation.runtime,
        accuracy=evaluation.accuracy,
        agreement_with_keras=evaluation.agreement_with_keras,
        per_class=_of_labels(evaluation.per_class),
    )


def _of_labels(figures: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Return the figures of the labels, without the averages."""
    return {label: figures[label] for label in LABELS if label in figures}


def _measurement(evaluation: Evaluation, score: Score) -> Measurement:
    if score.view is ViewKind.WHOLE or evaluation.detector == "none":
        shown = "whole pictures"
    else:
        shown = f"largest face located by {evaluation.detector}, or the whole picture"
    shares = {item.view: item.share for item in evaluation.agreements}
    return Measurement(
        data=f"{evaluation.data}, {evaluation.part} part, {shown}",
        pictures=score.pictures,
        runtime=evaluation.runtime,
        accuracy=score.accuracy,
        agreement_with_keras=shares.get(score.view),
        per_class=_of_labels(score.per_class),
    )
