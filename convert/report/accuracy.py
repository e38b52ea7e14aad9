"""The sections on how right the model is: by class, size of face, threshold and probability."""

from __future__ import annotations

import math
from collections.abc import Sequence

from convert.measure.metrics import MeasuredPoint, ReliabilityBin, thinned
from convert.report.charts import SHARES, Axis, ChartPoint, Series, chart, named, shares
from convert.report.html import Child, Html, table, tag
from convert.report.material import Measured, ReportMaterial
from convert.report.words import (
    MODELS,
    THRESHOLD_STEP,
    WORDS,
    about,
    charts,
    figure,
    last_model,
    masked_and_bare,
    missing,
    threshold_chart,
)
from edge.classify.card import LABELS


def confusion(material: ReportMaterial) -> list[Child]:
    matrices = [
        _matrix(f"{MODELS[score.model]}, {about(item)}, {score.view.value} view", score.confusion)
        for item in material.evaluations
        for score in item.scores
    ]
    matrices += [
        _matrix(f"{MODELS[model]}, {about(item)}, faces of 16 px and more", counts)
        for item in material.boxed
        for model, counts in item.confusion.items()
    ]
    if not matrices:
        return [missing("Evaluations", "`evaluate` writes them.")]
    return [
        tag("p", "Rows are the truth, columns what the model answers; shares are of the row."),
        tag("div", matrices, class_="matrices"),
    ]


def _matrix(title: str, counts: Sequence[Sequence[int]]) -> Html:
    rows: list[list[Child]] = []
    # An older network tells fewer apart.
    labels = LABELS[: len(counts)]
    for label, row in zip(labels, counts, strict=True):
        whole = sum(row)
        cells = [
            tag(
                "td",
                str(count),
                tag("small", f" {count / whole:.1%}") if whole else None,
                class_=f"shade-{round(10 * count / whole) if whole else 0}",
            )
            for count in row
        ]
        rows.append([WORDS[label], *cells])
    return table(title, ["truth", *(WORDS[label] for label in labels)], rows)


def sizes(material: ReportMaterial) -> list[Child]:
    figures = []
    for item in material.boxed:
        # Those that do not overlap.
        bands = [s for s in last_model(item) if s.band.below_px or s.band.above_px >= 64]
        bands = [s for s in bands if (s.band.above_px, s.band.below_px) != (16, 32)]
        names = [str(score.band).removesuffix(" px").replace(">= ", "from ") for score in bands]
        right = masked_and_bare(bands)
        figures.append(
            chart(
                f"Right, by size of face: {MODELS[bands[0].model]}, {about(item)}",
                named("size of the labeled box, px", names),
                shares("share", right),
                right,
            )
        )
    for part in material.evaluations:
        by_model: dict[str, list[float]] = {}
        for size in part.sizes:
            by_model.setdefault(size.model, []).append(size.accuracy)
        names = [f"{px:g}" for px in dict.fromkeys(size.face_px for size in part.sizes)]
        lines = [
            Series(MODELS[model], [ChartPoint(*each) for each in enumerate(values)], has_dots=True)
            for model, values in by_model.items()
        ]
        if lines:
            figures.append(
                chart(
                    f"Accuracy of located faces, shrunk: {about(part)}",
                    named("shrunk to, px", names),
                    shares("accuracy", lines),
                    lines,
                )
            )
    if not figures:
        return [missing("Evaluations by size", "`evaluate` writes them where faces are located.")]
    return [tag("p", "Bars are 95 % intervals over whole pictures."), charts(figures)]


def curves(material: ReportMaterial) -> list[Child]:
    figures = []
    bundle = material.bundle
    for item in material.measured:
        marks = [] if item.thresholds is None else [(item.thresholds.bare, "chosen here")]
        if bundle is not None:
            marks = [(bundle.card.thresholds.bare, "the bundle's")]
        if item.curve:
            figures.append(threshold_chart(about(item), thinned(item.curve, THRESHOLD_STEP), marks))
    if not figures and bundle is not None and bundle.card.threshold_curve:
        curve = [
            MeasuredPoint(p.threshold, p.precision, p.recall) for p in bundle.card.threshold_curve
        ]
        marks = [(bundle.card.thresholds.bare, "the bundle's")]
        figures.append(threshold_chart("what the thresholds were chosen by", curve, marks))
    if not figures:
        return [missing("Curves", "`evaluate` writes them.")]
    reasons = [
        tag("p", f"Thresholds from {about(item)}: {item.thresholds.reason}.")
        for item in material.measured
        if item.thresholds is not None and item.part == "validation"
    ]
    return [
        tag(
            "p",
            "A face counts as without a mask if its probability is at or above the threshold: "
            "a single classification. The service asks for several.",
        ),
        charts(figures),
        *reasons,
    ]


def calibration(material: ReportMaterial) -> list[Child]:
    measured = [item for item in material.measured if item.reliability]
    if not measured:
        return [missing("Reliability diagrams", "`evaluate` writes their figures.")]
    return [
        tag(
            "p",
            "Where a probability means what it says, the points lie on the diagonal. The expected "
            "calibration error is their mean distance, weighted by faces, as the size of the "
            "points is.",
        ),
        charts(_reliability(item) for item in measured),
    ]


def _reliability(item: Measured) -> Html:
    bins = item.reliability
    most = max(each.faces for each in bins)
    points = [
        ChartPoint(each.probability, each.bare, radius=1.5 + 4.5 * math.sqrt(each.faces / most))
        for each in bins
    ]
    return chart(
        f"{about(item)}: calibration error {item.calibration_error:.4f}",
        Axis("probability of without mask", 0, 1),
        SHARES,
        [Series("share that is bare", points, has_dots=True, has_line=False)],
        diagonal=True,
        numbers=_bins(about(item), bins),
    )


def _bins(title: str, bins: Sequence[ReliabilityBin]) -> Html:
    return table(
        f"Reliability, {title}",
        ["mean probability", "share that is bare", "faces"],
        ([figure(each.probability), figure(each.bare), str(each.faces)] for each in bins),
    )
