"""The `evaluate` step: how right a model is, as Keras has it and as the edge runs it.

The edge's own preprocessing makes every crop, for both models.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convert.data.augment import View, camera_view, whole_picture
from convert.data.dataset import NEEDED, Dataset, Picture, digest_of, labels_of, read_dataset
from convert.data.faces import Boxes
from convert.data.prepare import Bar, locate_faces, open_face_detector, write_skipped
from convert.data.split import pictures_of
from convert.files import write_atomically, write_document
from convert.measure.figures import Agreement, Evaluation, Score, SizeScore, ViewKind
from convert.measure.gallery import Mistake, write_mistakes
from convert.measure.metrics import (
    Answers,
    ThresholdChoice,
    accuracy,
    agreement,
    balanced_accuracy,
    calibration_error,
    called_bare,
    choose_thresholds,
    classification_report,
    confusion,
    decisions,
    per_class,
    precision_recall,
    reliability,
)
from convert.measure.plots import plot_confusion, plot_reliability
from convert.measure.report import describe
from convert.measure.subject import (
    CHUNK,
    Classifier,
    EvaluateOptions,
    open_classifiers,
)
from edge.classify.card import BARE, LABELS
from edge.classify.runtime import runtime_version
from edge.errors import ConfigError
from edge.records import Pixels

SIZES_PX = (12.0, 16.0, 24.0, 32.0, 64.0)
"""Face sizes at which blindness to small faces shows."""
WRONG_SHARE = 0.01
"""What the thresholds allow of each class to be taken for the other at a single look."""
FAR_PX = 24.0
"""Thresholds are chosen on the faces as they are and from this far."""


def evaluate(options: EvaluateOptions, bar: Bar, say: Callable[[str], None]) -> Evaluation:
    """Run the step: measure, print the reports, write JSON and the confusion matrices."""
    if options.dataset is None:
        raise ConfigError("give --dataset DIR")
    classifiers, margin = open_classifiers(options)
    dataset = read_dataset(options.dataset, lambda names: bar(names, "pictures"))
    pictures = pictures_of(dataset.pictures, options.part, options.split)
    detector = open_face_detector(options.detectors[0], options.detector_model)
    options.output.mkdir(parents=True, exist_ok=True)
    write_skipped([dataset], options.output)
    faces = locate_faces(dataset, pictures, detector, options.detector_model, options.output, bar)
    truth = labels_of(pictures)
    measured = {
        classifier.name: _measure(classifier, dataset, pictures, faces.boxes, margin, bar)
        for classifier in classifiers
    }
    evaluation = _evaluation(
        *(options, dataset, pictures, faces.detector, faces.boxes, measured),
        classifiers[-1].sha256,
    )
    name = options.part
    target = options.json or options.output / f"evaluation-{name}.json"
    write_document(target, evaluation)
    plot_confusion(
        [
            (model, confusion(truth, looks.views[ViewKind.CAMERA]))
            for model, looks in measured.items()
        ],
        options.output / f"confusion-{name}.png",
    )
    last = list(measured)[-1]
    plot_reliability([(last, evaluation.reliability)], options.output / f"reliability-{name}.png")
    answers = measured[last].views[ViewKind.CAMERA]
    mistakes = _mistakes(dataset, pictures, faces.boxes, margin, answers)
    write_mistakes(mistakes, options.output / f"mistakes-{name}.json")
    tables = [
        classification_report(truth, measured[score.model].views[score.view])
        for score in evaluation.scores
    ]
    report = describe(evaluation, tables)
    write_atomically(options.output / f"evaluation-{name}.txt", report.encode())
    say(report)
    return evaluation


@dataclass(frozen=True, slots=True)
class Looks:
    """What one model answers, for each view and for each size."""

    views: dict[ViewKind, Answers]
    sizes: dict[float, tuple[NDArray[np.int64], Answers]]
    """By face size: the places of the pictures whose located face is at least as large, answers."""


def _measure(
    classifier: Classifier,
    dataset: Dataset,
    pictures: Sequence[Picture],
    boxes: Boxes,
    margin: float,
    bar: Bar,
) -> Looks:
    views: dict[ViewKind, list[Answers]] = {kind: [] for kind in ViewKind}
    sizes: dict[float, list[Answers]] = {face_px: [] for face_px in SIZES_PX}
    places: dict[float, list[int]] = {face_px: [] for face_px in SIZES_PX}
    side_px = classifier.side_px
    numbered = list(enumerate(pictures))
    starts = range(0, len(numbered), CHUNK)
    for start in bar(starts, f"evaluating {classifier.name}"):
        chunk = numbered[start : start + CHUNK]
        pixels = [dataset.read(picture) for _, picture in chunk]
        camera = [
            camera_view(image, boxes[picture.sha256], margin)
            for image, (_, picture) in zip(pixels, chunk, strict=True)
        ]
        whole = [whole_picture(image) for image in pixels]
        for kind, looks in ((ViewKind.CAMERA, camera), (ViewKind.WHOLE, whole)):
            views[kind].append(classifier.probabilities(_crops(looks, side_px, None)))
        for face_px in SIZES_PX:
            large = [
                (place, view)
                for view, (place, picture) in zip(camera, chunk, strict=True)
                if boxes[picture.sha256] and view.box.size_px >= face_px
            ]
            if large:
                places[face_px] += [place for place, _ in large]
                crops = _crops([view for _, view in large], side_px, face_px)
                sizes[face_px].append(classifier.probabilities(crops))
    return Looks(
        {kind: np.concatenate(answers) for kind, answers in views.items()},
        {
            face_px: (np.array(places[face_px], np.int64), np.concatenate(answers))
            for face_px, answers in sizes.items()
            if answers
        },
    )


def _crops(views: Sequence[View], side_px: int, face_px: float | None) -> Pixels:
    return np.stack([view.crop(side_px, face_px) for view in views])


def _evaluation(
    options: EvaluateOptions,
    dataset: Dataset,
    pictures: Sequence[Picture],
    detector: str,
    boxes: Boxes,
    measured: dict[str, Looks],
    model_sha256: str,
) -> Evaluation:
    truth = labels_of(pictures)
    scores = [
        _score(model, kind, truth, answers)
        for model, looks in measured.items()
        for kind, answers in looks.views.items()
    ]
    agreements = [
        Agreement(kind, agreement(measured["keras"].views[kind], measured["int8"].views[kind]))
        for kind in ViewKind
        if len(measured) == 2
    ]
    last = list(measured)[-1]
    headline = next(s for s in scores if s.model == last and s.view is ViewKind.CAMERA)
    bins = reliability(truth, measured[last].views[ViewKind.CAMERA])
    return Evaluation(
        data="" if options.dataset is None else options.dataset.resolve().name,
        part=options.part,
        pictures=len(pictures),
        skipped=len(dataset.skipped),
        data_digest=digest_of(pictures),
        detector=detector,
        faces_located=sum(1 for picture in pictures if boxes[picture.sha256]),
        runtime=runtime_version() if last == "int8" else "keras",
        accuracy=headline.accuracy,
        balanced_accuracy=headline.balanced_accuracy,
        agreement_with_keras=agreements[0].share if agreements else None,
        scores=scores,
        agreements=agreements,
        sizes=_size_scores(truth, measured),
        thresholds=_thresholds(truth, measured[last]),
        calibration_error=calibration_error(bins),
        reliability=bins,
        curve=precision_recall(truth == BARE, called_bare(measured[last].views[ViewKind.CAMERA])),
        model_sha256=model_sha256,
    )


def _size_scores(truth: NDArray[np.int64], measured: dict[str, Looks]) -> list[SizeScore]:
    return [
        SizeScore(
            model=model,
            face_px=face_px,
            pictures=len(places),
            accuracy=accuracy(truth[places], answers),
            balanced_accuracy=balanced_accuracy(truth[places], answers),
        )
        for model, looks in measured.items()
        for face_px, (places, answers) in looks.sizes.items()
    ]


def _mistakes(
    dataset: Dataset,
    pictures: Sequence[Picture],
    boxes: Boxes,
    margin: float,
    answers: Answers,
) -> list[tuple[Mistake, Pixels]]:
    """Return the pictures that are called wrongly, the surest mistakes first, and their faces."""
    wrong = [
        (float(answers[place, picture.label]), picture, LABELS[called])
        for place, (picture, called) in enumerate(zip(pictures, decisions(answers), strict=True))
        if called != picture.label
    ]
    return [
        (
            Mistake(picture.path, LABELS[picture.label], called, likely),
            camera_view(dataset.read(picture), boxes[picture.sha256], margin).crop(96),
        )
        for likely, picture, called in sorted(wrong, key=lambda item: item[0])
    ]


def _score(model: str, kind: ViewKind, truth: NDArray[np.int64], answers: Answers) -> Score:
    return Score(
        model=model,
        view=kind,
        pictures=len(truth),
        accuracy=accuracy(truth, answers),
        balanced_accuracy=balanced_accuracy(truth, answers),
        per_class=per_class(truth, answers),
        confusion=confusion(truth, answers).tolist(),
    )


def _thresholds(truth: NDArray[np.int64], looks: Looks) -> ThresholdChoice | None:
    """Choose the verdicts' limits on near and far faces; None without faces of both classes."""
    far, far_answers = looks.sizes.get(
        FAR_PX, (np.zeros(0, np.int64), np.zeros((0, len(LABELS)), np.float32))
    )
    labels = np.concatenate([truth, truth[far]])
    if len(np.unique(labels)) < len(NEEDED):
        return None
    answers = np.concatenate([looks.views[ViewKind.CAMERA], far_answers])
    return choose_thresholds(labels, answers, WRONG_SHARE, WRONG_SHARE)
