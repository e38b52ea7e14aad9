"""The sections on more than one network: Keras beside int8, and detector with classifier."""

from __future__ import annotations

from convert.measure.counting import FROM_16
from convert.measure.figures import (
    BoxedEvaluation,
    EndToEndScore,
    Evaluation,
    Score,
)
from convert.measure.metrics import thinned
from convert.report.html import Child, Html, table, tag
from convert.report.material import ReportMaterial
from convert.report.words import (
    THRESHOLD_STEP,
    WORDS,
    about,
    charts,
    count,
    difference,
    figure,
    interval,
    missing,
    threshold_chart,
)
from edge.classify.card import LABELS


def compared(material: ReportMaterial) -> list[Child]:
    tables = [
        _compared_boxed(item) if isinstance(item, BoxedEvaluation) else _compared_folder(item)
        for item in material.compared
    ]
    if tables:
        return [
            tag(
                "p",
                "The model as it was trained beside the int8 file that devices run; differences "
                "are int8 less Keras.",
            ),
            *tables,
        ]
    said = []
    if material.bundle is not None:
        said = [
            [m.data, str(m.pictures), figure(m.agreement_with_keras)]
            for m in material.bundle.card.metrics
            if m.agreement_with_keras is not None
        ]
    lacking = missing(
        "An evaluation of both models", "`evaluate` makes it from --keras and --tflite or --bundle."
    )
    if not said:
        return [lacking]
    head = ["pictures", "how many", "decided alike"]
    return [lacking, table("Agreement, from the bundle's card", head, said)]


def _compared_folder(item: Evaluation) -> list[Child]:
    rows: list[list[Child]] = []
    for agreement in item.agreements:
        view = agreement.view
        one, other = (
            next(s for s in item.scores if s.model == model and s.view is view)
            for model in ("keras", "int8")
        )
        rows += [
            [
                f"{view.value} view, {name}",
                figure(a),
                figure(b),
                difference(a, b),
            ]
            for name, a, b in (
                ("accuracy", one.accuracy, other.accuracy),
                ("balanced accuracy", one.balanced_accuracy, other.balanced_accuracy),
                *_recalls(one, other),
            )
        ]
    by_size = {(size.model, size.face_px): size.accuracy for size in item.sizes}
    for px in dict.fromkeys(size.face_px for size in item.sizes):
        one_, other_ = by_size["keras", px], by_size["int8", px]
        name = f"shrunk to {px:g} px, accuracy"
        rows.append([name, figure(one_), figure(other_), difference(one_, other_)])
    return [
        tag("p", f"{about(item)}: ", ", ".join(_alike(item))),
        table(f"Keras and int8, {about(item)}", ["figure", "Keras", "int8", "difference"], rows),
    ]


def _recalls(one: Score, other: Score) -> list[tuple[str, float, float]]:
    return [
        (
            f"{WORDS[label]}, recall",
            one.per_class[label]["recall"],
            other.per_class[label]["recall"],
        )
        for label in LABELS
        if one.per_class.get(label, {}).get("support") and label in other.per_class
    ]


def _alike(item: Evaluation) -> list[str]:
    return [
        f"{each.view.value} view decided alike in {figure(each.share)}, otherwise in "
        f"{round((1 - each.share) * item.pictures)} of {item.pictures} pictures"
        for each in item.agreements
    ]


def _compared_boxed(item: BoxedEvaluation) -> list[Child]:
    by_model = {(s.model, str(s.band)): s for s in item.true_boxes}
    rows = []
    for band in dict.fromkeys(str(score.band) for score in item.true_boxes):
        one, other = by_model["keras", band], by_model["int8", band]
        for name, a, b in (
            ("masked right", one.masked, other.masked),
            ("bare right", one.bare, other.bare),
        ):
            if a is not None and b is not None:
                rows.append(
                    [
                        f"{band}, {name}",
                        figure(a.value),
                        figure(b.value),
                        difference(a.value, b.value),
                    ]
                )
    share = item.agreement_with_keras or 0.0
    return [
        tag(
            "p",
            f"{about(item)}: decided alike in {figure(share)}, otherwise in "
            f"{round((1 - share) * item.faces)} of {item.faces} masked and bare faces of 16 px and "
            "more.",
        ),
        table(f"Keras and int8, {about(item)}", ["figure", "Keras", "int8", "difference"], rows),
    ]


def end_to_end(material: ReportMaterial) -> list[Child]:
    contents: list[Child] = []
    for item in material.boxed:
        if not item.end_to_end:
            continue
        contents.append(
            charts(
                threshold_chart(
                    f"{each.detector} and the bundle, {about(item)}, faces of 16 px and more",
                    thinned(each.curve, THRESHOLD_STEP),
                    [(item.threshold, "violation")],
                )
                for each in item.end_to_end
                if each.band == FROM_16 and each.curve
            )
        )
        contents.append(_end_to_end_table(item))
    return contents or [
        missing(
            "Detector and classifier together", "`evaluate --boxed --bundle` measures both at once."
        )
    ]


def _end_to_end_table(item: BoxedEvaluation) -> Html:
    def row(each: EndToEndScore) -> list[Child]:
        return [
            f"{each.detector}, {each.band}",
            count(each.masked_found, each.masked_faces),
            count(each.bare_found, each.bare_faces),
            interval(each.precision),
            interval(each.recall),
            str(each.violations_on_masked),
            str(each.violations_on_nothing),
        ]

    return table(
        f"Violations from {item.threshold:g} on, {about(item)}",
        [
            "detector, size",
            "masked found",
            "bare found",
            "precision",
            "recall",
            "on masked",
            "on nobody's face",
        ],
        map(row, item.end_to_end),
    )
