"""Score a model on boxed pictures of streets: given the true boxes, and end to end.

Given the boxes, only the classifier is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from convert.data.augment import View
from convert.data.dataset import NEEDED
from convert.data.prepare import Bar, write_skipped
from convert.data.traits import Trait, traits_of
from convert.data.voc import BoxedPicture, read_boxed
from convert.files import write_atomically, write_document
from convert.measure.counting import (
    BANDS,
    FROM_12,
    FROM_16,
    FROM_32,
    Faces,
    Kind,
    trait_scores,
    true_box_score,
)
from convert.measure.end_to_end import score_end_to_end
from convert.measure.figures import BoxedEvaluation, EndToEndScore, TrueBoxScore
from convert.measure.gallery import GALLERY_MARGIN, TILE_PX, Mistake, write_mistakes
from convert.measure.metrics import (
    MIN_IOU,
    Answers,
    accuracy,
    agreement,
    calibration_error,
    called_bare,
    choose_thresholds,
    confusion,
    decisions,
    per_class,
    precision_recall,
    reliability,
)
from convert.measure.plots import plot_curves, plot_reliability
from convert.measure.report import describe_boxed
from convert.measure.subject import (
    CHUNK,
    Classifier,
    EvaluateOptions,
    open_classifiers,
)
from edge.classify.card import BARE, LABELS, load_bundle
from edge.classify.preprocess import crop_face
from edge.classify.runtime import runtime_version
from edge.config import PolicySettings
from edge.errors import ConfigError
from edge.records import Pixels

ACCUSED_SHARE = 0.015
EXCUSED_SHARE = 0.05
"""What the thresholds allow of masked faces to be taken for bare ones, and the other way round: in
crowds people half hide each other, and to accuse wrongly is the worse of the two. Some 1 % of the
labels are wrong, so less cannot be asked."""


def evaluate_boxed(
    options: EvaluateOptions, bar: Bar, say: Callable[[str], None]
) -> BoxedEvaluation:
    """Run the step: measure, print the report, write JSON, plots and the gallery of mistakes."""
    if not options.boxed:
        raise ConfigError("give --boxed DIR")
    classifiers, margin = open_classifiers(options)
    sets = [read_boxed(folder, lambda paths: bar(paths, "boxed set")) for folder in options.boxed]
    names = [each.folder.resolve().name for each in sets]
    if len(set(names)) < len(names):
        names = [str(each.folder) for each in sets]
    of_sets = {
        name: each.of_part(options.part, options.split)
        for name, each in zip(names, sets, strict=True)
    }
    pictures = [item for each in of_sets.values() for item in each]
    options.output.mkdir(parents=True, exist_ok=True)
    write_skipped(sets, options.output, "skipped-boxed.txt")

    truth = _labelled(pictures)
    views = _views(pictures, margin, bar)
    answers = {each.name: _answers(each, views, bar) for each in classifiers}
    threshold = PolicySettings().bare_probability
    if options.bundle is not None:
        threshold = max(threshold, load_bundle(options.bundle).card.thresholds.bare)
    end_to_end = score_end_to_end(options, pictures, truth, threshold, bar)
    skipped = sum(len(each.skipped) for each in sets)
    last, model_sha256 = classifiers[-1].name, classifiers[-1].sha256
    evaluation = _evaluation(
        options, of_sets, truth, answers, threshold, end_to_end, skipped, model_sha256
    )
    name = f"boxed-{options.part}"
    write_document(options.json or options.output / f"{name}.json", evaluation)
    plot_reliability([(last, evaluation.reliability)], options.output / f"{name}-reliability.png")
    curves = [("true boxes, >= 16 px", evaluation.curve)]
    curves += [
        (f"{each.detector}, {each.band}", each.curve)
        for each in end_to_end
        if each.band in (FROM_16, FROM_32)
    ]
    plot_curves(curves, options.output / f"{name}-curves.png")
    mistakes = _mistakes(of_sets, truth, views, answers[last])
    write_mistakes(mistakes, options.output / f"{name}-mistakes.json")
    report = describe_boxed(evaluation)
    write_atomically(options.output / f"{name}.txt", report.encode())
    say(report)
    return evaluation


def _evaluation(
    options: EvaluateOptions,
    of_sets: Mapping[str, Sequence[BoxedPicture]],
    truth: Faces,
    answers: Mapping[str, Answers],
    threshold: float,
    end_to_end: list[EndToEndScore],
    skipped: int,
    model_sha256: str,
) -> BoxedEvaluation:
    pictures = [item for each in of_sets.values() for item in each]
    # From about where the daemon judges: what is smaller says little, and would set the thresholds.
    judged = (truth.kind < Kind.INCORRECT) & FROM_16.holds(truth.size_px)
    labels = truth.kind[judged]
    of_labels = {name: each[judged] for name, each in answers.items()}
    last, final = list(of_labels.items())[-1]
    known = FROM_16.holds(truth.size_px)
    bins = reliability(labels, final)
    return BoxedEvaluation(
        data=", ".join(of_sets),
        part=options.part,
        pictures=len(pictures),
        skipped=skipped,
        runtime=runtime_version() if last == "int8" else "keras",
        threshold=threshold,
        min_iou=MIN_IOU,
        accuracy=accuracy(labels, final),
        faces=len(labels),
        per_class=per_class(labels, final),
        confusion={
            name: confusion(truth.kind[known], each[known]).tolist()
            for name, each in answers.items()
        },
        agreement_with_keras=agreement(of_labels["keras"], final) if len(answers) == 2 else None,
        true_boxes=[
            true_box_score(name, band, truth, each, len(pictures))
            for name, each in answers.items()
            for band in BANDS
        ],
        by_set=_by_set(last, of_sets, truth, answers[last]) if len(of_sets) > 1 else {},
        traits=trait_scores(last, truth, answers[last], _traits(pictures)),
        end_to_end=end_to_end,
        calibration_error=calibration_error(bins),
        reliability=bins,
        curve=precision_recall(labels == BARE, called_bare(final)),
        thresholds=choose_thresholds(labels, final, ACCUSED_SHARE, EXCUSED_SHARE)
        if len(np.unique(labels)) == len(NEEDED)
        else None,
        model_sha256=model_sha256,
    )


def _by_set(
    model: str, of_sets: Mapping[str, Sequence[BoxedPicture]], truth: Faces, answers: Answers
) -> dict[str, list[TrueBoxScore]]:
    """Return for each set what `true_boxes` are for all together; its pictures lie in a row."""
    scores, first = {}, 0
    for name, pictures in of_sets.items():
        own = (truth.picture >= first) & (truth.picture < first + len(pictures))
        faces = truth.only(own, first)
        scores[name] = [
            true_box_score(model, band, faces, answers[own], len(pictures)) for band in BANDS
        ]
        first += len(pictures)
    return scores


def _labelled(pictures: Sequence[BoxedPicture]) -> Faces:
    return Faces.of(
        (number, face.box.size_px, Kind(face.label), np.nan)
        for number, item in enumerate(pictures)
        for face in item.faces
    )


def _traits(pictures: Sequence[BoxedPicture]) -> list[tuple[Trait, ...]]:
    return [traits for item in pictures for traits in traits_of(item.picture.sha256, item.faces)]


def _views(pictures: Sequence[BoxedPicture], margin: float, bar: Bar) -> list[View]:
    return [
        View(pixels, face.box, margin)
        for item in bar(pictures, "labeled faces")
        for pixels in [item.read()]
        for face in item.faces
    ]


def _answers(classifier: Classifier, views: Sequence[View], bar: Bar) -> Answers:
    parts = [np.zeros((0, len(LABELS)), np.float32)]
    for at in bar(range(0, len(views), CHUNK), f"evaluating {classifier.name}"):
        crops = np.stack([view.crop(classifier.side_px) for view in views[at : at + CHUNK]])
        parts.append(classifier.probabilities(crops))
    return np.concatenate(parts)


def _mistakes(
    of_sets: Mapping[str, Sequence[BoxedPicture]],
    truth: Faces,
    views: Sequence[View],
    answers: Answers,
) -> list[tuple[Mistake, Pixels]]:
    """Return the faces in a class that are called wrongly, the surest mistakes first."""
    paths = [f"{name}/{item.picture.path}" for name, each in of_sets.items() for item in each]
    called = decisions(answers)
    wrong = sorted(
        (float(answers[place, kind]), place)
        for place, kind in enumerate(truth.kind.tolist())
        if kind < Kind.INCORRECT
        and truth.size_px[place] >= FROM_12.above_px
        and called[place] != kind
    )
    return [
        (
            Mistake(
                paths[truth.picture[place]],
                LABELS[truth.kind[place]],
                LABELS[called[place]],
                likely,
                round(float(truth.size_px[place]), 1),
            ),
            crop_face(views[place].pixels, views[place].box, GALLERY_MARGIN, TILE_PX),
        )
        for likely, place in wrong
    ]
