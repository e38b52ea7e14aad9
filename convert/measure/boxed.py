"""Score a model on boxed pictures of streets: given the true boxes, and end to end.

Given the boxes, only the classifier is measured. End to end, a picture goes through the daemon's
own steps, detector and classifier, and what counts are violations: a face found so surely that the
daemon would follow it, whose probability of `without_mask` is what the daemon asks of the evidence
about a person. A mask worn wrongly is in neither class: it
is counted apart, and neither helps nor harms the other figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from convert.data.augment import View
from convert.data.prepare import Bar, open_face_detector, write_skipped
from convert.data.voc import BoxedPicture, BoxedSet, read_boxed
from convert.files import read_document, write_atomically, write_document
from convert.measure.evaluate import (
    CHUNK,
    Classifier,
    EvaluateOptions,
    chosen_of,
    open_classifiers,
)
from convert.measure.gallery import TILE_PX, write_gallery
from convert.measure.metrics import (
    MIN_IOU,
    Answers,
    CurvePoint,
    Interval,
    ReliabilityBin,
    ThresholdChoice,
    bootstrap,
    calibration_error,
    choose_thresholds,
    decisions,
    match_boxes,
    per_class,
    precision_recall,
    reliability,
    share,
)
from convert.measure.plots import plot_curves, plot_reliability
from edge.classify.card import BARE, LABELS, load_bundle
from edge.classify.classifier import MaskClassifier
from edge.classify.preprocess import crop_face
from edge.classify.runtime import runtime_version
from edge.config import ClassifierSettings, DetectorSettings, PolicySettings
from edge.detect.detection import FaceDetection
from edge.errors import ConfigError
from edge.records import Frame, Pixels

ACCUSED_SHARE = 0.01
EXCUSED_SHARE = 0.05
"""What the thresholds allow of masked faces to be taken for bare ones, and the other way round: in
crowds people half hide each other, and to accuse wrongly is the worse of the two."""
GALLERY_MARGIN = 2.0
"""More than the network sees: enough to tell what it was."""
SEED = 7


class Kind(IntEnum):
    """What a face is; the first two are the labels."""

    MASKED = 1 - BARE
    BARE = BARE
    INCORRECT = 2
    NOTHING = 3
    """Found, but nobody has boxed a face there."""


class Band(msgspec.Struct, frozen=True):
    """Faces of a size (geometric mean of width and height), `above_px` included."""

    above_px: float
    below_px: float | None

    def __str__(self) -> str:
        return (
            f">= {self.above_px:g} px"
            if self.below_px is None
            else (f"{self.above_px:g}-{self.below_px:g} px")
        )

    def holds(self, sizes_px: NDArray[np.float64]) -> NDArray[np.bool_]:
        below = np.inf if self.below_px is None else self.below_px
        return (sizes_px >= self.above_px) & (sizes_px < below)


FROM_12, FROM_16, FROM_32 = Band(12, None), Band(16, None), Band(32, None)
BANDS = (
    Band(12, 16),
    Band(16, 24),
    Band(24, 32),
    Band(32, 64),
    Band(64, None),
    Band(16, 32),
    FROM_12,
    FROM_16,
    FROM_32,
)


class TrueBoxScore(msgspec.Struct, frozen=True):
    """How right a model is about the faces of one band, given their boxes."""

    model: str
    band: Band
    masked_faces: int
    bare_faces: int
    masked: Interval | None
    """The share of them that is called so."""
    bare: Interval | None
    balanced: Interval | None
    incorrect_faces: int
    incorrect_called_bare: int


class EndToEndScore(msgspec.Struct, frozen=True):
    """What a detector and the bundle make of pictures, for the faces of one band.

    A found face counts in the band of the labelled one that it stands for.
    """

    detector: str
    confidence: float
    """From which on a find of the detector is a face: in a single picture, the one from which the
    daemon follows somebody."""
    band: Band
    masked_faces: int
    masked_found: int
    bare_faces: int
    bare_found: int
    violations: int
    """Found faces called bare; masks worn wrongly left out."""
    violations_on_bare: int
    violations_on_masked: int
    violations_on_nothing: int
    precision: Interval | None
    recall: Interval | None
    """Of all labelled bare faces, found or not."""
    incorrect_found: int
    incorrect_called_bare: int
    curve: list[CurvePoint]


class BoxedEvaluation(msgspec.Struct, frozen=True):
    """`boxed-PART.json`."""

    data: str
    part: str
    pictures: int
    skipped: int
    runtime: str
    threshold: float
    """From which on a face is a violation, end to end."""
    min_iou: float
    accuracy: float
    """Of the last model, on labelled faces from 12 px on."""
    faces: int
    per_class: dict[str, dict[str, float]]
    agreement_with_keras: float | None
    true_boxes: list[TrueBoxScore]
    end_to_end: list[EndToEndScore]
    calibration_error: float
    reliability: list[ReliabilityBin]
    curve: list[CurvePoint]
    """Precision and recall given the boxes, from 12 px on: what the thresholds were chosen by."""
    thresholds: ThresholdChoice | None


@dataclass(frozen=True, slots=True)
class Faces:
    """The labelled faces, or the found ones: a row each."""

    picture: NDArray[np.int64]
    size_px: NDArray[np.float64]
    kind: NDArray[np.int64]
    probability: NDArray[np.float64]
    """Of `without_mask`; NaN where the daemon would not judge the face."""


def evaluate_boxed(
    options: EvaluateOptions, bar: Bar, say: Callable[[str], None]
) -> BoxedEvaluation:
    """Run the step: measure, print the report, write JSON, plots and the gallery of mistakes."""
    if options.boxed is None:
        raise ConfigError("give --boxed DIR")
    classifiers, margin = open_classifiers(options)
    boxed = read_boxed(options.boxed, lambda paths: bar(paths, "boxed set"))
    wanted = {item.sha256 for item in chosen_of([p.picture for p in boxed.pictures], options)}
    pictures = [item for item in boxed.pictures if item.picture.sha256 in wanted]
    options.output.mkdir(parents=True, exist_ok=True)
    write_skipped([boxed], options.output, "skipped-boxed.txt")

    truth = _labelled(pictures)
    views = _views(boxed, pictures, margin, bar)
    answers = {each.name: _answers(each, views) for each in classifiers}
    last = classifiers[-1].name
    threshold = PolicySettings().bare_probability
    if options.bundle is not None:
        threshold = max(threshold, load_bundle(options.bundle).card.thresholds.bare)
    # The daemon's steps with its default settings, except that no face is too small: whether a face
    # is in a band is decided by the labelled box.
    settings = DetectorSettings(min_face_px=8, confidence=options.confidence)
    end_to_end = [
        score
        for detector in (options.detectors if options.bundle is not None else ())
        for score in _end_to_end(
            options, detector, settings, boxed, pictures, truth, threshold, bar
        )
    ]
    judged = (truth.kind < Kind.INCORRECT) & FROM_12.holds(truth.size_px)
    labels, final = truth.kind[judged], answers[last][judged]
    bins = reliability(labels, final)
    right = {name: decisions(each[judged]) for name, each in answers.items()}
    evaluation = BoxedEvaluation(
        data=options.boxed.resolve().name,
        part=options.part,
        pictures=len(pictures),
        skipped=len(boxed.skipped),
        runtime=runtime_version() if last == "int8" else "keras",
        threshold=threshold,
        min_iou=MIN_IOU,
        accuracy=float((right[last] == labels).mean()),
        faces=len(labels),
        per_class=per_class(labels, final),
        agreement_with_keras=float((right["keras"] == right[last]).mean())
        if len(answers) == 2
        else None,
        true_boxes=[
            _true_box_score(name, band, truth, each, len(pictures))
            for name, each in answers.items()
            for band in BANDS
        ],
        end_to_end=end_to_end,
        calibration_error=calibration_error(bins),
        reliability=bins,
        curve=precision_recall(labels == BARE, final[:, BARE].astype(np.float64)),
        thresholds=choose_thresholds(labels, final, ACCUSED_SHARE, EXCUSED_SHARE)
        if len(np.unique(labels)) == len(LABELS)
        else None,
    )
    name = f"boxed-{options.part}"
    target = options.json or options.output / f"{name}.json"
    write_document(target, evaluation)
    plot_reliability([(last, bins)], options.output / f"{name}-reliability.png")
    curves = [("true boxes, >= 12 px", evaluation.curve)]
    curves += [
        (f"{each.detector}, {each.band}", each.curve)
        for each in end_to_end
        if each.band in (FROM_16, FROM_32)
    ]
    plot_curves(curves, options.output / f"{name}-curves.png")
    _gallery(truth, views, answers[last], options.output / f"{name}-mistakes.png")
    report = describe(evaluation)
    write_atomically(options.output / f"{name}.txt", report.encode())
    say(report)
    return evaluation


def read_boxed_evaluation(path: Path) -> BoxedEvaluation:
    """Read what `evaluate --boxed` wrote. Raises ConfigError."""
    return read_document(path, BoxedEvaluation, "evaluate --boxed")


def _labelled(pictures: Sequence[BoxedPicture]) -> Faces:
    rows = [
        (number, face.box.size_px, Kind.INCORRECT if face.label is None else face.label)
        for number, item in enumerate(pictures)
        for face in item.faces
    ]
    return _faces([(*row, np.nan) for row in rows])


def _faces(rows: Sequence[tuple[int, float, int, float]]) -> Faces:
    picture, size_px, kind, probability = np.array(rows, np.float64).reshape(-1, 4).T
    return Faces(picture.astype(np.int64), size_px, kind.astype(np.int64), probability)


def _views(
    boxed: BoxedSet, pictures: Sequence[BoxedPicture], margin: float, bar: Bar
) -> list[View]:
    return [
        View(pixels, face.box, margin)
        for item in bar(pictures, "labelled faces")
        for pixels in [boxed.read(item.picture)]
        for face in item.faces
    ]


def _answers(classifier: Classifier, views: Sequence[View]) -> Answers:
    parts = [np.zeros((0, len(LABELS)), np.float32)]
    for at in range(0, len(views), CHUNK):
        crops = np.stack([view.crop(classifier.side_px) for view in views[at : at + CHUNK]])
        parts.append(classifier.probabilities(crops))
    return np.concatenate(parts)


def _true_box_score(
    model: str, band: Band, truth: Faces, answers: Answers, pictures: int
) -> TrueBoxScore:
    inside = band.holds(truth.size_px)
    called = decisions(answers)
    counts = np.zeros((pictures, 4), np.int64)
    for label in range(len(LABELS)):
        of_label = inside & (truth.kind == label)
        np.add.at(counts[:, 2 * label], truth.picture[of_label & (called == label)], 1)
        np.add.at(counts[:, 2 * label + 1], truth.picture[of_label], 1)
    by_label = [
        bootstrap(counts[:, at : at + 2], lambda sums: share(sums[:, 0], sums[:, 1]), SEED)
        for at in (0, 2)
    ]
    incorrect = inside & (truth.kind == Kind.INCORRECT)
    return TrueBoxScore(
        model=model,
        band=band,
        masked_faces=int((inside & (truth.kind == Kind.MASKED)).sum()),
        bare_faces=int((inside & (truth.kind == Kind.BARE)).sum()),
        masked=by_label[Kind.MASKED],
        bare=by_label[Kind.BARE],
        balanced=bootstrap(
            counts,
            lambda sums: (share(sums[:, 0], sums[:, 1]) + share(sums[:, 2], sums[:, 3])) / 2,
            SEED,
        ),
        incorrect_faces=int(incorrect.sum()),
        incorrect_called_bare=int((called[incorrect] == BARE).sum()),
    )


def _end_to_end(
    options: EvaluateOptions,
    name: str,
    settings: DetectorSettings,
    boxed: BoxedSet,
    pictures: Sequence[BoxedPicture],
    truth: Faces,
    threshold: float,
    bar: Bar,
) -> list[EndToEndScore]:
    assert options.bundle is not None
    # The file given belongs to the detector whose kind of file it is.
    model = options.detector_model
    fits = model.endswith(".caffemodel") == (name == "res10")
    back_end = open_face_detector(name, model if fits else "", settings.confidence)
    if back_end is None:
        return []
    detection = FaceDetection(back_end, settings)
    judge = MaskClassifier(load_bundle(options.bundle), ClassifierSettings(min_face_px=8))
    confidence = back_end.sure if settings.confidence is None else settings.confidence
    rows: list[tuple[int, float, int, float]] = []
    wrong: list[tuple[float, Pixels, str]] = []
    for number, item in enumerate(bar(pictures, f"end to end, {back_end.name}")):
        frame = Frame(number, boxed.read(item.picture), datetime.now(UTC), 0.0)
        faces = [face for face in detection.detect(frame) if face.confidence >= confidence]
        readings = judge.classify(frame, faces)
        found = [reading.face.box for reading in readings]
        matches = match_boxes(found, [face.box for face in item.faces])
        for reading, match in zip(readings, matches, strict=True):
            p = np.nan if reading.bare_probability is None else reading.bare_probability
            size_px, kind = reading.face.box.size_px, Kind.NOTHING
            if match is not None:
                face = item.faces[match]
                size_px = face.box.size_px
                kind = Kind.INCORRECT if face.label is None else Kind(face.label)
            rows.append((number, size_px, kind, p))
            if p >= threshold and kind in (Kind.MASKED, Kind.NOTHING):
                crop = crop_face(frame.pixels, reading.face.box, GALLERY_MARGIN, TILE_PX)
                wrong.append((-p, crop, f"{kind.name[:4].lower()} {p:.2f} {size_px:.0f}px"))
    wrong.sort(key=lambda item: item[0])
    gallery = options.output / f"boxed-{options.part}-{back_end.name}-mistakes.png"
    write_gallery([(crop, caption) for _, crop, caption in wrong], gallery)
    found_faces = _faces(rows)
    return [
        end_to_end_score(
            (back_end.name, confidence), band, truth, found_faces, threshold, len(pictures)
        )
        for band in BANDS
    ]


def end_to_end_score(
    detector: tuple[str, float],
    band: Band,
    truth: Faces,
    found: Faces,
    threshold: float,
    pictures: int,
) -> EndToEndScore:
    """Count what was found and called bare among the faces of `band`.

    `detector` is its name and confidence.
    """
    labelled, inside = band.holds(truth.size_px), band.holds(found.size_px)
    called = inside & (np.nan_to_num(found.probability, nan=-1.0) >= threshold)
    bare = labelled & (truth.kind == Kind.BARE)
    violations = called & (found.kind != Kind.INCORRECT)
    hits = called & (found.kind == Kind.BARE)
    counts = np.stack(
        [
            np.bincount(rows, minlength=pictures)
            for rows in (found.picture[hits], found.picture[violations], truth.picture[bare])
        ],
        axis=1,
    )
    judged = inside & (found.kind != Kind.INCORRECT) & ~np.isnan(found.probability)
    is_bare = found.kind[judged] == Kind.BARE
    incorrect = found.kind == Kind.INCORRECT
    return EndToEndScore(
        detector=detector[0],
        confidence=detector[1],
        band=band,
        masked_faces=int((labelled & (truth.kind == Kind.MASKED)).sum()),
        masked_found=int((inside & (found.kind == Kind.MASKED)).sum()),
        bare_faces=int(bare.sum()),
        bare_found=int((inside & (found.kind == Kind.BARE)).sum()),
        violations=int(violations.sum()),
        violations_on_bare=int(hits.sum()),
        violations_on_masked=int((called & (found.kind == Kind.MASKED)).sum()),
        violations_on_nothing=int((called & (found.kind == Kind.NOTHING)).sum()),
        precision=bootstrap(counts, lambda sums: share(sums[:, 0], sums[:, 1]), SEED),
        recall=bootstrap(counts, lambda sums: share(sums[:, 0], sums[:, 2]), SEED),
        incorrect_found=int((inside & incorrect).sum()),
        incorrect_called_bare=int((called & incorrect).sum()),
        curve=precision_recall(
            is_bare, found.probability[judged], int(bare.sum()) - int(is_bare.sum())
        ),
    )


def _gallery(truth: Faces, views: Sequence[View], answers: Answers, path: Path) -> None:
    """Show the faces in a class that are called wrongly, the surest mistakes first."""
    wrong = [
        (float(answers[place, kind]), place)
        for place, kind in enumerate(truth.kind.tolist())
        if kind < Kind.INCORRECT
        and truth.size_px[place] >= FROM_12.above_px
        and decisions(answers[place : place + 1])[0] != kind
    ]
    tiles = [
        (
            crop_face(views[place].pixels, views[place].box, GALLERY_MARGIN, TILE_PX),
            f"{'bare' if truth.kind[place] == BARE else 'mask'} {likely:.2f} "
            f"{truth.size_px[place]:.0f}px",
        )
        for likely, place in sorted(wrong)
    ]
    write_gallery(tiles, path)


def describe(evaluation: BoxedEvaluation) -> str:
    """Return the tables of the figures."""
    none = "-"
    lines = [
        f"{evaluation.data}, {evaluation.part}: {evaluation.pictures} pictures, {evaluation.faces} "
        f"faces of 12 px and more; {evaluation.runtime}",
        f"accuracy {evaluation.accuracy:.4f}, calibration error {evaluation.calibration_error:.4f}",
        "",
        "given the true boxes, with 95 % intervals over pictures",
        f"{'model':6} {'faces':>11} {'masked':>7} {'bare':>5}  {'masked right':22} "
        f"{'bare right':22} {'balanced':22} {'worn wrongly, called bare'}",
    ]
    lines += [
        f"{s.model:6} {s.band!s:>11} {s.masked_faces:7} {s.bare_faces:5}  {s.masked or none!s:22} "
        f"{s.bare or none!s:22} {s.balanced or none!s:22} "
        f"{s.incorrect_called_bare} of {s.incorrect_faces}"
        for s in evaluation.true_boxes
    ]
    if evaluation.end_to_end:
        lines += [
            "",
            f"end to end, violations at {evaluation.threshold:g} and above, boxes matched from IoU "
            f"{evaluation.min_iou} on",
            f"{'detector, from':14} {'faces':>11}  {'masked found':14} {'bare found':14} "
            f"{'precision':22} {'recall':22} {'on bare, masked, nothing':26} "
            "worn wrongly, called bare",
        ]
    for e in evaluation.end_to_end:
        masked, bare = f"{e.masked_found} of {e.masked_faces}", f"{e.bare_found} of {e.bare_faces}"
        called = f"{e.violations_on_bare}, {e.violations_on_masked}, {e.violations_on_nothing}"
        lines.append(
            f"{e.detector:8} {e.confidence:5g} {e.band!s:>11}  {masked:14} {bare:14} "
            f"{e.precision or none!s:22} {e.recall or none!s:22} {called:26} "
            f"{e.incorrect_called_bare} of {e.incorrect_found}"
        )
    if evaluation.thresholds is not None:
        choice = evaluation.thresholds
        lines += ["", f"thresholds: bare {choice.bare}, masked {choice.masked}; {choice.reason}"]
    return "\n".join(lines) + "\n"
