"""The figures as text, for people."""

from __future__ import annotations

from collections.abc import Sequence

from convert.measure.counting import FROM_16
from convert.measure.figures import (
    BoxedEvaluation,
    EndToEndScore,
    Evaluation,
    TraitScore,
    TrueBoxScore,
)
from convert.measure.metrics import ThresholdChoice

_NONE = "-"


def describe(evaluation: Evaluation, tables: Sequence[str]) -> str:
    """Return the figures as text, with a table of the classes for each score."""
    lines = [
        f"{evaluation.data}, {evaluation.part}: {evaluation.pictures} pictures "
        f"({evaluation.skipped} files skipped), faces located by {evaluation.detector} in "
        f"{evaluation.faces_located}; {evaluation.runtime}; calibration error "
        f"{evaluation.calibration_error:.4f}",
        "",
    ]
    for score, table in zip(evaluation.scores, tables, strict=True):
        lines += [
            f"{score.model}, {score.view.value} view: accuracy {score.accuracy:.4f}, balanced "
            f"{score.balanced_accuracy:.4f}",
            "",
            table,
        ]
    lines += [
        f"agreement of keras and int8, {item.view.value} view: {item.share:.4f}"
        for item in evaluation.agreements
    ]
    lines += [
        f"{size.model}, faces shrunk to {size.face_px:.0f} px: accuracy {size.accuracy:.4f}, "
        f"balanced {size.balanced_accuracy:.4f} ({size.pictures} pictures)"
        for size in evaluation.sizes
    ]
    if evaluation.thresholds is not None:
        lines.append(_of_thresholds(evaluation.thresholds))
    return "\n".join(lines) + "\n"


def describe_boxed(evaluation: BoxedEvaluation) -> str:
    """Return the tables of the figures."""
    lines = [
        f"{evaluation.data}, {evaluation.part}: {evaluation.pictures} pictures, {evaluation.faces} "
        f"faces of 16 px and more; {evaluation.runtime}",
        f"accuracy {evaluation.accuracy:.4f}, calibration error {evaluation.calibration_error:.4f}",
        "",
        "given the true boxes, with 95 % intervals over pictures",
        f"{'model':6} {'faces':>11} {'masked':>7} {'bare':>5}  {'masked right':22} "
        f"{'bare right':22} {'balanced':22} worn wrongly, called bare and so; masked likewise",
        *map(_true_box_row, evaluation.true_boxes),
    ]
    for name, scores in evaluation.by_set.items():
        lines += ["", name, *map(_true_box_row, scores)]
    if evaluation.traits:
        lines += [
            "",
            "faces by what they show, given the true boxes: called so of all, called bare",
            *map(_trait_row, evaluation.traits),
        ]
    if evaluation.end_to_end:
        lines += [
            "",
            f"end to end, violations at {evaluation.threshold:g} and above, boxes matched from IoU "
            f"{evaluation.min_iou} on",
            f"{'detector, from':14} {'faces':>11}  {'masked found':14} {'bare found':14} "
            f"{'precision':22} {'recall':22} {'on bare, masked, nothing':26} "
            "worn wrongly, called bare",
            *map(_end_to_end_row, evaluation.end_to_end),
        ]
        lines += [
            line
            for each in evaluation.end_to_end
            if each.band == FROM_16
            for line in _surety_rows(each)
        ]
    if evaluation.thresholds is not None:
        lines += ["", _of_thresholds(evaluation.thresholds)]
    return "\n".join(lines) + "\n"


def _true_box_row(s: TrueBoxScore) -> str:
    return (
        f"{s.model:6} {s.band!s:>11} {s.masked_faces:7} {s.bare_faces:5}  {s.masked or _NONE!s:22} "
        f"{s.bare or _NONE!s:22} {s.balanced or _NONE!s:22} "
        f"{s.incorrect_called_bare}, {s.incorrect_called_so} of {s.incorrect_faces:<6} "
        f"{s.masked_called_bare}, {s.masked_called_incorrect}"
    )


def _trait_row(s: TraitScore) -> str:
    return f"{s.model:6} {s.trait:22} {s.kind:13} {s.called_so} of {s.faces}, {s.called_bare}"


def _end_to_end_row(e: EndToEndScore) -> str:
    masked, bare = f"{e.masked_found} of {e.masked_faces}", f"{e.bare_found} of {e.bare_faces}"
    called = f"{e.violations_on_bare}, {e.violations_on_masked}, {e.violations_on_nothing}"
    return (
        f"{e.detector:8} {e.confidence:5g} {e.band!s:>11}  {masked:14} {bare:14} "
        f"{e.precision or _NONE!s:22} {e.recall or _NONE!s:22} {called:26} "
        f"{e.incorrect_called_bare} of {e.incorrect_found}"
    )


def _surety_rows(e: EndToEndScore) -> list[str]:
    head = f"{e.detector}, {e.band}, by surety: masked, bare, worn wrongly found, unlabelled"
    return ["", head] + [
        f"{p.threshold:5.2f} {p.masked_found:5} {p.bare_found:5} {p.incorrect_found:5} "
        f"{p.unlabelled:5}"
        for p in e.sureties
    ]


def _of_thresholds(choice: ThresholdChoice) -> str:
    return f"thresholds: bare {choice.bare}, masked {choice.masked}; {choice.reason}"
