"""The sections on where the networks come from: trainings, and the bundles' cards."""

from __future__ import annotations

from collections.abc import Iterable

from convert.detector.train import DetectorHistory
from convert.report.charts import Axis, ChartPoint, Series, chart, shares
from convert.report.html import Child, Html, details, table, tag
from convert.report.material import ReportMaterial
from convert.report.words import charts, count, figure, missing
from edge.classify.card import ModelCard
from edge.detect.card import FoundFaces


def training(material: ReportMaterial) -> list[Child]:
    history = material.history
    if history is None:
        return [
            missing(
                "The history of this model's training",
                "`train` writes it to history.json; one of another training is not shown.",
            )
        ]
    kept = [(history.best_epoch + 1.0, "kept")]
    numbers = Axis("epoch", 1, max(2, len(history.epochs)))

    def series(name: str, values: Iterable[float]) -> Series:
        points = [ChartPoint(number, value) for number, value in enumerate(values, 1)]
        return Series(name, points, has_dots=True)

    epochs = history.epochs
    losses = [
        series("training, augmented", (each.loss for each in epochs)),
        series("validation", (each.validation_loss for each in epochs)),
    ]
    right = [
        series("training, augmented", (each.accuracy for each in epochs)),
        series("validation", (each.validation_accuracy for each in epochs)),
    ]
    highest = max(point.y for each in losses for point in each.points)
    biases = (
        ", ".join(f"of {name} {by:+.2f}" for name, by in history.shifts.items()) or "as learned"
    )
    rates = [[str(each.number + 1), each.phase, f"{each.rate:.3g}"] for each in epochs]
    return [
        tag(
            "p",
            f"Epoch {history.best_epoch + 1} of {len(epochs)} is kept, the one with the lowest "
            f"validation loss; finished at {history.finished_at}. Training figures are on "
            "augmented examples, with dropout; both losses are against smoothed labels, so neither "
            f"reaches zero. Temperature {history.temperature:.3f}, biases {biases}.",
        ),
        charts(
            [
                chart("Loss", numbers, Axis("cross-entropy", 0, highest), losses, kept),
                chart("Accuracy", numbers, shares("accuracy", right), right, kept),
            ]
        ),
        details(
            "Learning rates",
            table("Learning rate at the end of each epoch", ["epoch", "phase", "rate"], rates),
        ),
    ]


def detector(material: ReportMaterial) -> list[Child]:
    contents: list[Child] = []
    card, history = material.detector, material.detector_history
    if history is not None:
        contents.append(charts([_losses(history)]))
    elif card is not None:
        contents.append(
            missing(
                "The history of the detector's training",
                "`detector train` writes it to detector-history.json.",
            )
        )
    if card is not None:
        rows: list[list[Child]] = [
            ["name and version", f"{card.name} {card.version}"],
            ["architecture", f"{card.architecture}, {card.parameters:,} parameters"],
            ["a face from the score", f"{card.confidence:g}, a sure one from {card.sure:g}"],
            ["provenance", card.provenance],
            ["licence", card.licence],
            ["sha256", card.sha256],
            ["created at", card.created_at],
        ]
        contents.append(table("Detector card", ["property", "value"], rows, "card"))
    found = [
        _found(
            f"{score.detector} on {score.data}, {item.part} part, {score.pictures} pictures, "
            f"from a score of {point.score:g}: {point.unlabelled_in_100:g} other detections "
            "in 100 pictures",
            ((str(each.band), each.kind, each.found, each.faces) for each in point.found),
        )
        for item in material.detector_evaluations
        for score in item.scores
        for point in score.points
    ]
    if card is not None and not found:
        by_data: dict[str, list[FoundFaces]] = {}
        for row in card.found:
            by_data.setdefault(row.data, []).append(row)
        found = [
            _found(data, ((f"{r.size_px} px", r.kind, r.found, r.faces) for r in rows_of_data))
            for data, rows_of_data in by_data.items()
        ]
    if found:
        contents += [
            tag("h3", "Labeled faces that were found"),
            tag("div", found, class_="matrices"),
        ]
    return contents or [
        missing("The face detector's figures", "`detector train` and its other steps write them.")
    ]


def _losses(history: DetectorHistory) -> Html:
    series = [
        Series(name, [ChartPoint(each.step, getattr(each, name)) for each in history.losses])
        for name in ("total", "classes", "objectness", "boxes")
    ]
    highest = max(point.y for point in series[0].points)
    steps = Axis("step", 0, history.recipe.steps)
    return chart("Losses of the detector's training", steps, Axis("loss", 0, highest), series)


def _found(title: str, rows: Iterable[tuple[str, str, int, int]]) -> Html:
    """Return the table of rows of size, kind, how many are found and how many there are."""
    return table(
        title,
        ["size, kind", "found", "share"],
        (
            [f"{size}, {kind.replace('_', ' ')}", count(found, faces), figure(found / faces)]
            for size, kind, found, faces in rows
            if faces
        ),
    )


def bundle(material: ReportMaterial) -> list[Child]:
    if material.bundle is None:
        return [missing("The bundle", "`bundle` puts it together.")]
    card = material.bundle.card
    metrics = (
        [m.data, str(m.pictures), m.runtime, figure(m.accuracy), figure(m.agreement_with_keras)]
        for m in card.metrics
    )
    head = ["pictures", "how many", "runtime", "accuracy", "agreement with Keras"]
    return [
        table("Model card", ["property", "value"], _properties(card), "card"),
        table("Measured when the bundle was made", head, metrics),
    ]


def _properties(card: ModelCard) -> list[list[Child]]:
    return [
        ["name and version", f"{card.name} {card.version}"],
        ["format", card.format],
        ["labels", ", ".join(card.labels)],
        ["input", f"{card.input_side_px} px, faces with a margin of {card.crop_margin:g}"],
        ["thresholds", f"bare from {card.thresholds.bare:g}, masked to {card.thresholds.masked:g}"],
        ["multiply-adds a face", f"{card.multiply_adds:,}"],
        [
            "trained on",
            f"{card.training_data.name}: {card.training_data.pictures} pictures, digest "
            f"{card.training_data.digest}",
        ],
        ["provenance", card.provenance],
        ["licence", card.licence],
        ["model's sha256", card.model_sha256],
        ["self-test", f"{len(card.golden.patterns)} patterns, {card.golden.recipe}"],
        ["created at", card.created_at],
    ]
