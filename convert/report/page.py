"""The page: a section for each question that one has about a model."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from convert.report.accuracy import calibration, confusion, curves, sizes
from convert.report.cards import bundle, detector, training
from convert.report.groups import sources, traits
from convert.report.html import Child, Html, identifier, tag
from convert.report.material import ReportMaterial
from convert.report.mistakes import mistakes
from convert.report.models import compared, end_to_end
from convert.report.words import about, figure, from_16, interval, last_model

STYLE = Path(__file__).with_name("style.css")


def page(material: ReportMaterial) -> str:
    """Return the document: no script, nothing from elsewhere."""
    sections = [
        (title, contents)
        for title, contents in (
            ("Training", training(material)),
            ("Confusion matrices", confusion(material)),
            ("Size of the face", sizes(material)),
            ("Precision and recall", curves(material)),
            ("Calibration", calibration(material)),
            ("By source", sources(material)),
            ("By what a face shows", traits(material)),
            ("Keras and int8", compared(material)),
            ("End to end", end_to_end(material)),
            ("Worst mistakes", mistakes(material)),
            ("Face detector", detector(material)),
            ("Bundle", bundle(material)),
        )
    ]
    style = STYLE.read_text()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'"
    title = "Model report"
    if material.bundle is not None:
        title = f"{material.bundle.card.name} {material.bundle.card.version}: model report"
    links = [tag("li", tag("a", name, href=f"#{identifier(name)}")) for name, _ in sections]
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("title", title),
        tag("style", Html(style)),
    )
    body = tag(
        "body",
        tag("header", tag("h1", title), _headline(material)),
        tag("nav", tag("ul", links), aria_label="Sections"),
        tag("main", (_section(name, contents) for name, contents in sections)),
    )
    return "<!DOCTYPE html>\n" + tag("html", head, body, lang="en") + "\n"


def _section(title: str, contents: Child) -> Html:
    name = identifier(title)
    heading = tag("h2", title, id=name)
    return tag("section", heading, contents, aria_labelledby=name)


def _headline(material: ReportMaterial) -> list[Child]:
    facts: list[tuple[str, str]] = []
    for item in material.evaluations[:1]:
        facts.append((f"accuracy, {about(item)}", figure(item.accuracy)))
    for boxed in material.boxed[:1]:
        score = from_16(last_model(boxed))
        facts.append((f"masked right, {about(boxed)}, 16 px and more", interval(score.masked)))
        facts.append(("bare right, same faces", interval(score.bare)))
        facts.append(("calibration error, same faces", figure(boxed.calibration_error)))
    if material.bundle is not None:
        card = material.bundle.card
        facts.append(("size", f"{len(material.bundle.model) / 1e6:.2f} MB"))
        facts.append(("multiply-adds a face", f"{card.multiply_adds / 1e6:.1f} million"))
    notes: list[Child] = []
    if material.parts_are_the_bundles is False:
        notes.append(
            tag(
                "p",
                "What is held out here was not held out from this bundle's training: the figures "
                "may be of pictures that it was trained on, and too good.",
                class_="missing",
            )
        )
    elif material.parts_are_the_bundles:
        notes.append(
            tag("p", "Validation and test part were held out from the training, by digest.")
        )
    tiles = [tag("div", tag("dt", name), tag("dd", value)) for name, value in facts]
    return [tag("dl", tiles, class_="tiles"), *notes]
