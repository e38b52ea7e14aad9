"""The section on mistakes. Its crops show people, so a page with them is not for publishing."""

from __future__ import annotations

import base64

import cv2

from convert.measure.gallery import Mistake
from convert.report.html import Child, Html, details, table, tag
from convert.report.material import ReportMaterial, ShownMistakes
from convert.report.words import NO_FIGURE, WORDS, figure, missing
from edge.records import Pixels


def mistakes(material: ReportMaterial) -> list[Child]:
    contents: list[Child] = [_shown(each) for each in material.mistakes]
    return contents or [
        missing("Mistakes", "`evaluate` writes them where it is given the pictures.")
    ]


def _shown(shown: ShownMistakes) -> list[Child]:
    if not shown.worst:
        return [tag("p", f"{shown.data}: no mistake.")]
    crops = [tag("li", _crop(mistake, crop)) for mistake, crop in shown.worst if crop is not None]
    listed = table(
        f"Mistakes, {shown.data}",
        ["picture", "truth", "answer", "probability of the truth", "face, px"],
        (
            [
                mistake.picture,
                WORDS.get(mistake.truth, mistake.truth),
                WORDS.get(mistake.answer, mistake.answer),
                figure(mistake.probability),
                NO_FIGURE if mistake.face_px is None else f"{mistake.face_px:g}",
            ]
            for mistake, _ in shown.worst
        ),
    )
    return [
        tag("h3", shown.data),
        tag(
            "p",
            f"{len(shown.worst)} of {shown.count} mistakes, the surest first, each with its "
            "truth and the probability that the model gives to it.",
        ),
        tag("ul", crops, class_="crops") if crops else None,
        details("Names and figures", listed) if crops else listed,
    ]


def _crop(mistake: Mistake, crop: Pixels) -> Html:
    _, content = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, 85])
    encoded = base64.b64encode(content.tobytes()).decode()
    truth, answer = WORDS.get(mistake.truth, ""), WORDS.get(mistake.answer, "")
    size = "" if mistake.face_px is None else f", {mistake.face_px:.0f} px"
    return tag(
        "figure",
        tag(
            "img",
            src=f"data:image/jpeg;base64,{encoded}",
            alt=f"face {truth}, called {answer}",
            width=crop.shape[1],
            height=crop.shape[0],
        ),
        tag(
            "figcaption", f"{truth} {mistake.probability:.2f}{size}", tag("br"), f"called {answer}"
        ),
    )
