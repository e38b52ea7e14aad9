"""The sections on whom the model is right about: by source and by what a face shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from convert.data.traits import Trait
from convert.measure.figures import (
    BoxedEvaluation,
    Evaluation,
    Score,
    TraitScore,
    TrueBoxScore,
)
from convert.report.charts import chart, named, shares
from convert.report.html import Child, Html, details, table, tag
from convert.report.material import ReportMaterial
from convert.report.words import (
    MODELS,
    NO_FIGURE,
    WORDS,
    about,
    charts,
    count,
    figure,
    from_16,
    interval,
    last_model,
    masked_and_bare,
    missing,
)
from edge.classify.card import BARE, LABELS, MASKED


def sources(material: ReportMaterial) -> list[Child]:
    drawn, tables = [], []
    for item in material.boxed:
        by_set = item.by_set or {item.data: last_model(item)}
        series = masked_and_bare([from_16(each) for each in by_set.values()])
        drawn.append(
            chart(
                f"Right, by source: {about(item)}, faces of 16 px and more",
                named("source", list(by_set)),
                shares("share", series),
                series,
            )
        )
        tables.append(details(f"By source and size, {item.part} part", _by_size(item, by_set)))
    if material.evaluations:
        tables.append(_folders(material.evaluations))
    if not tables:
        return [missing("Evaluations", "`evaluate` writes them.")]
    return [charts(drawn), *tables]


def _by_size(item: BoxedEvaluation, by_set: Mapping[str, Sequence[TrueBoxScore]]) -> Html:
    return table(
        f"Labeled faces by source and size, int8 where it was measured, {item.part} part",
        [
            "source, size",
            "masked, bare",
            "masked right",
            "bare right",
            "balanced",
            "masked called bare",
            "worn wrongly called so",
        ],
        (
            [
                f"{name}, {score.band}",
                f"{score.masked_faces}, {score.bare_faces}",
                interval(score.masked),
                interval(score.bare),
                interval(score.balanced),
                count(score.masked_called_bare, score.masked_faces),
                count(score.incorrect_called_so, score.incorrect_faces),
            ]
            for name, each in by_set.items()
            for score in each
            if score.masked_faces or score.bare_faces or score.incorrect_faces
        ),
    )


def _folders(evaluations: Sequence[Evaluation]) -> Html:
    def recall(score: Score, label: int) -> str:
        return figure(score.per_class.get(LABELS[label], {}).get("recall"))

    return table(
        "Folders of pictures, by view: the largest located face, or the whole picture",
        ["source, model, view", "pictures", "masked right", "bare right", "accuracy", "balanced"],
        (
            [
                f"{about(item)}, {MODELS[score.model]}, {score.view.value}",
                str(score.pictures),
                recall(score, MASKED),
                recall(score, BARE),
                figure(score.accuracy),
                figure(score.balanced_accuracy),
            ]
            for item in evaluations
            for score in item.scores
        ),
    )


def traits(material: ReportMaterial) -> list[Child]:
    tables = []
    for item in material.boxed:
        by_trait: dict[str, dict[str, TraitScore]] = {}
        for score in item.traits:
            by_trait.setdefault(score.trait, {})[score.kind] = score
        rows = [
            [
                trait,
                *(
                    count(row[label].called_so, row[label].faces) if label in row else NO_FIGURE
                    for label in LABELS
                ),
                count(*_bare(row)),
            ]
            for trait, row in by_trait.items()
        ]
        if rows:
            head = ["trait", *WORDS.values(), "masked called bare"]
            tables.append(table(f"Called what they are, {about(item)}", head, rows))
    if not tables:
        known = len(getattr(Trait, "__args__", ()))
        return [
            missing(
                f"Faces with one of {known} known traits",
                "They are labeled for the test part of the project's own pictures.",
            )
        ]
    return [
        tag("p", "Labeled by eye, for a few hundred faces: the counts are small."),
        *tables,
    ]


def _bare(row: dict[str, TraitScore]) -> tuple[int, int]:
    masked = row.get(LABELS[MASKED])
    return (0, 0) if masked is None else (masked.called_bare, masked.faces)
