"""What the sections have in common: words, figures and where they are drawn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from convert.measure.counting import FROM_16
from convert.measure.figures import (
    BoxedEvaluation,
    TrueBoxScore,
)
from convert.measure.metrics import Interval, MeasuredPoint
from convert.report.charts import Axis, ChartPoint, Series, chart, shares
from convert.report.html import Html, tag
from convert.report.material import Measured
from edge.classify.card import LABELS

WORDS = {label: label.replace("_", " ") for label in LABELS}
MODELS = {"keras": "Keras", "int8": "int8"}
THRESHOLD_STEP = 0.02
NO_FIGURE = "-"


def missing(what: str, remedy: str) -> Html:
    return tag("p", f"{what}: not here. {remedy}", class_="missing")


def about(item: Measured) -> str:
    return f"{item.data}, {item.part} part"


def charts(figures: Iterable[Html]) -> Html:
    return tag("div", figures, class_="charts")


def figure(value: float | None) -> str:
    return NO_FIGURE if value is None else f"{value:.4f}"


def interval(value: Interval | None) -> str:
    return NO_FIGURE if value is None else str(value)


def count(part: int, whole: int) -> str:
    return f"{part} of {whole}" if whole else NO_FIGURE


def difference(one: float, other: float) -> str:
    return f"{other - one:+.4f}"


def last_model(evaluation: BoxedEvaluation) -> list[TrueBoxScore]:
    """Return the scores of the last model, int8 where it was measured, in each band."""
    model = evaluation.true_boxes[-1].model
    return [score for score in evaluation.true_boxes if score.model == model]


def from_16(scores: Sequence[TrueBoxScore]) -> TrueBoxScore:
    return next(score for score in scores if score.band == FROM_16)


def masked_and_bare(scores: Sequence[TrueBoxScore]) -> list[Series]:
    """Return the shares of masked and of bare faces that are called so, a place for each score."""

    def points(values: Iterable[Interval | None]) -> list[ChartPoint]:
        return [
            ChartPoint(place, each.value, each.low, each.high)
            for place, each in enumerate(values)
            if each is not None
        ]

    return [
        Series("masked", points(s.masked for s in scores), has_dots=True, has_line=False),
        Series("bare", points(s.bare for s in scores), has_dots=True, has_line=False),
    ]


def threshold_chart(
    title: str, points: Sequence[MeasuredPoint], marks: Sequence[tuple[float, str]]
) -> Html:
    series = [
        Series("precision", [ChartPoint(p.threshold, p.precision) for p in points]),
        Series("recall", [ChartPoint(p.threshold, p.recall) for p in points]),
    ]
    return chart(
        f"Bare faces: {title}", Axis("threshold", 0, 1), shares("share", series), series, marks
    )
