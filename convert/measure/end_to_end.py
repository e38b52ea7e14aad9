"""Score detector and bundle together: pictures go through the daemon's own steps.

What counts are violations: a face found so surely, by detector and classifier together, that the
daemon would report it, whose mouth and nose are as surely uncovered as the daemon asks of the
evidence about a person.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from convert.data.prepare import Bar, open_face_detector
from convert.data.voc import BoxedPicture
from convert.measure.counting import BANDS, Faces, Kind, end_to_end_score, surety_points
from convert.measure.figures import EndToEndScore
from convert.measure.gallery import GALLERY_MARGIN, TILE_PX, write_gallery
from convert.measure.metrics import match_boxes
from convert.measure.subject import EvaluateOptions
from edge.classify.card import load_bundle
from edge.classify.classifier import MaskClassifier
from edge.classify.preprocess import crop_face
from edge.config import ClassifierSettings, DetectorSettings
from edge.detect.detection import FaceDetection
from edge.detect.detectors import DETECTORS, owners
from edge.records import Frame, MaskReading, MaskState, Pixels, uncovered


@dataclass(frozen=True, slots=True)
class Steps:
    """The daemon's steps from picture to reading, with one detector."""

    detector: str
    somebody: float
    """From which surety on a detection is a face."""
    detection: FaceDetection
    judge: MaskClassifier

    def readings(self, frame: Frame) -> tuple[MaskReading, ...]:
        return self.judge.classify(frame, self.detection.detect(frame))


def score_end_to_end(
    options: EvaluateOptions,
    pictures: Sequence[BoxedPicture],
    truth: Faces,
    threshold: float,
    bar: Bar,
) -> list[EndToEndScore]:
    """Return the scores of each detector in each band; none without a bundle.

    From `threshold` on a face that is not covered is a violation, unless a mask worn wrongly is
    likelier than none. Writes a gallery of the
    wrong ones for each detector.
    """
    if options.bundle is None:
        return []
    bundle = load_bundle(options.bundle)
    judge = MaskClassifier(bundle, ClassifierSettings(min_face_px=8))
    scores: list[EndToEndScore] = []
    for name in options.detectors:
        steps = _open_steps(options, name, judge, bundle.card.thresholds.somebody)
        if steps is None:
            continue
        gallery = options.output / f"boxed-{options.part}-{steps.detector}-mistakes.png"
        every, sureties = _find(steps, pictures, threshold, gallery, bar)
        found = every.only(sureties >= steps.somebody, 0)
        scores += [
            msgspec.structs.replace(
                end_to_end_score(
                    (steps.detector, steps.somebody), band, truth, found, threshold, len(pictures)
                ),
                sureties=surety_points(band, every, sureties),
            )
            for band in BANDS
        ]
    return scores


def _open_steps(
    options: EvaluateOptions, name: str, judge: MaskClassifier, somebody: float | None
) -> Steps | None:
    model, known = options.detector_model, DETECTORS.get(name)
    # One file is given, and it is not every detector's.
    if known is not None and known not in owners(model):
        model = ""
    back_end = open_face_detector(name, model, options.confidence)
    if back_end is None:
        return None
    # The daemon's default settings, except that no face is too small: whether a face is in a band
    # is decided by the labeled box.
    settings = DetectorSettings(min_face_px=8, confidence=options.confidence)
    least = back_end.sure if somebody is None else somebody
    return Steps(back_end.name, least, FaceDetection(back_end, settings), judge)


def _find(
    steps: Steps,
    pictures: Sequence[BoxedPicture],
    threshold: float,
    gallery: Path,
    bar: Bar,
) -> tuple[Faces, NDArray[np.float64]]:
    """Return the faces found in the pictures, sure or not, and the surety of each.

    Writes the wrong violations, the surest first.
    """
    rows: list[tuple[int, float, int, float]] = []
    sureties: list[float] = []
    wrong: list[tuple[float, Pixels, str]] = []
    for number, item in enumerate(bar(pictures, f"end to end, {steps.detector}")):
        frame = Frame(number, item.read(), datetime.now(UTC), 0.0)
        for reading, size_px, kind in _matched(steps.readings(frame), item):
            p = _called_bare(reading)
            rows.append((number, size_px, kind, p))
            sureties.append(reading.surety)
            is_called = p >= threshold and reading.surety >= steps.somebody
            if is_called and kind in (Kind.MASKED, Kind.NOTHING):
                crop = crop_face(frame.pixels, reading.face.box, GALLERY_MARGIN, TILE_PX)
                wrong.append((-p, crop, f"{kind.name[:4].lower()} {p:.2f} {size_px:.0f}px"))
    wrong.sort(key=lambda mistake: mistake[0])
    write_gallery([(crop, caption) for _, crop, caption in wrong], gallery)
    return Faces.of(rows), np.array(sureties)


def _called_bare(reading: MaskReading) -> float:
    """Return by which probability the face is reported; NaN where it is not judged."""
    if reading.probabilities is None:
        return math.nan
    bare = reading.probabilities[MaskState.BARE]
    is_worn = reading.probabilities.get(MaskState.WORN_WRONGLY, 0.0) > bare
    return 0.0 if is_worn else uncovered(reading.probabilities)


def _matched(
    readings: Sequence[MaskReading], picture: BoxedPicture
) -> Iterator[tuple[MaskReading, float, Kind]]:
    """Yield each reading with the size and the kind of the labeled face that it stands for.

    Those of faces of which nobody knows the kind are passed over.
    """
    found = [reading.face.box for reading in readings]
    matches = match_boxes(found, [*(face.box for face in picture.faces), *picture.unsure])
    for reading, match in zip(readings, matches, strict=True):
        if match is None:
            yield reading, reading.face.box.size_px, Kind.NOTHING
        elif match < len(picture.faces):
            face = picture.faces[match]
            yield reading, face.box.size_px, Kind(face.label)
