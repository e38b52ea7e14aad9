"""The sheet about a qualification: one HTML file without anything from elsewhere, for paper too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from edge.eyes import KnownPeople, Qualification
from edge.qualify.criteria import STATES, Criterion, ShareChange, smallest_fall
from edge.qualify.walks import WalkDone
from edge.qualify.wording import rows_of, words_of
from edge.rates import exact_interval
from edge.records import MaskState

_STYLE = """
body { font: 11pt/1.45 system-ui, sans-serif; color: #000; background: #fff; max-width: 46em;
  margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.5em; margin-bottom: 0.2em; } h2 { font-size: 1.15em; margin-top: 1.6em; }
.verdict { border: 2px solid #000; padding: 0.5em 0.8em; font-weight: bold; }
table { border-collapse: collapse; width: 100%; } caption { text-align: left; padding: 0.3em 0; }
th, td { border: 1px solid #555; padding: 0.2em 0.5em; text-align: left; vertical-align: top; }
td { overflow-wrap: anywhere; } tbody th { font-weight: normal; }
thead { display: table-header-group; } tr { break-inside: avoid; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.sign { margin-top: 3em; border-top: 1px solid #000; width: 22em; padding-top: 0.2em; }
@media print { body { margin: 0; max-width: none; } h2 { break-after: avoid; } }
"""


@dataclass(frozen=True, slots=True)
class SheetAbout:
    """What was measured, where."""

    device: str
    place: str
    program: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """What stands on it."""

    about: SheetAbout
    by: str
    qualification: Qualification
    criteria: Sequence[Criterion]
    walks: Sequence[WalkDone]
    """None where people were labeled."""
    former: Qualification | None
    """The last measurement of another day; None: there is none."""
    comparisons: Sequence[ShareChange]
    when: str
    """As the wall clock at the door has it."""
    former_when: str = ""

    def html(self) -> str:
        """Return the file's text."""
        found, words = self.qualification, words_of(self.qualification)
        device = escape(self.about.device)
        verdict = (
            "QUALIFIED: all criteria are met."
            if found.is_qualified
            else f"NOT QUALIFIED: {len(found.faults)} of {len(self.criteria)} criteria not met."
        )
        parts = [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Qualification of {device}</title><style>{_STYLE}</style></head>",
            f"<body><h1>Qualification of {device}</h1>",
            f"<p>{escape(self.about.place)}</p>" if self.about.place else "",
            f'<p class="verdict">{verdict}</p>',
            _table("About this measurement", ("what", "value"), self._about()),
            "<h2>How well this door judges</h2>",
            _table(
                f"{words.people} Intervals are exact (Clopper and Pearson) and hold with 95 % "
                "certainty. The last column is of the people who were judged as with or without a "
                "mask.",
                (
                    "wore",
                    "people",
                    "judged: with a mask",
                    "judged: without",
                    "judged: worn wrongly",
                    "not judged",
                    "right",
                ),
                [_row(each) for each in found.people],
            ),
            f"<h2>Criteria, fixed before {words.begin}</h2>",
            _table(
                "",
                ("required", "measured", "result"),
                [(e.required, e.measured, "met" if e.is_met else "NOT MET") for e in self.criteria],
            ),
            "<h2>Does an earlier measurement still hold?</h2>",
            *self._comparison(),
            "<h2>What this means</h2>",
            *(f"<p>{escape(each)}</p>" for each in words.meaning),
            *self._passages(),
            '<p class="sign">Date, name, signature</p>',
            "</body></html>",
        ]
        return "\n".join(part for part in parts if part) + "\n"

    def _about(self) -> list[tuple[str, str]]:
        found = self.qualification
        return [
            ("ended", self.when),
            ("measured by", self.by or "not known"),
            ("camera", found.camera or "the only one"),
            ("program", self.about.program),
            ("classifier, sha256", found.networks.model_sha256),
            ("face detector, sha256", found.networks.detector_sha256),
        ]

    def _comparison(self) -> list[str]:
        if self.former is None:
            return [
                "<p>There is no measurement of an earlier day with the same networks, made in the "
                "same way. Measure again on another day, in other light: only then is it known "
                "whether this one holds.</p>"
            ]
        changed = [each.what for each in self.comparisons if each.is_different]
        said = (
            f"It does not: {', '.join(changed)} differ more than chance explains."
            if changed
            else "Nothing contradicts it: no share differs more than chance explains."
        )
        counted = {each.state: each.counted for each in self.qualification.people}
        masked = counted.get(MaskState.MASKED)
        of = 0 if masked is None else masked.of
        fall = smallest_fall(of, of)
        power = (
            f" With so many people, a fall from all {of} to {fall} would have been noticed; a "
            "smaller one perhaps not."
            if fall is not None
            else " With so few people, no fall would have been noticed."
        )
        rows = [
            (
                each.what,
                _of(each.before),
                _of(each.now),
                f"{each.p:.3f}",
                "DIFFERENT" if each.is_different else "no difference",
            )
            for each in self.comparisons
        ]
        return [
            f"<p><strong>{escape(said)}</strong> Compared with the measurement of "
            f"{escape(self.former_when)}, by Fisher's exact test; 5 % for all four together."
            f"{power}</p>",
            _table("", ("share", "then", "now", "p", "result"), rows),
        ]

    def _passages(self) -> list[str]:
        labels = self.qualification.labels
        if labels is not None:
            return ["<h2>How it was labeled</h2>", _table("", ("what", "number"), rows_of(labels))]
        rows = [
            (
                str(number),
                each.walk.asked,
                each.in_words,
                ", ".join(f"{px:.0f}" for px in each.faces_px if px) or "-",
                str(each.repeated or "-"),
            )
            for number, each in enumerate(self.walks, 1)
        ]
        said = (
            "Before what was counted was shown, the person at the terminal said whether the walk "
            "was done as asked; if not, it was repeated."
        )
        heads = ("number", "asked", "counted", "largest face, px", "repeated")
        return ["<h2>All walks</h2>", _table(said, heads, rows)]


def _row(people: KnownPeople) -> tuple[str, ...]:
    counted = people.counted
    lost = people.shown - people.masked - people.bare - people.worn_wrongly
    low, high = exact_interval(counted.right, counted.of)
    right = "-"
    if people.state in STATES and counted.of:
        right = f"{counted.right} of {counted.of}: {low:.3f} to {high:.3f}"
    return (
        STATES.get(people.state, "mask below the nose"),
        str(people.shown),
        str(people.masked),
        str(people.bare),
        str(people.worn_wrongly),
        str(lost),
        right,
    )


def _of(pair: tuple[int, int]) -> str:
    return f"{pair[0]} of {pair[1]}"


def _table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in heads)
    body = "\n".join(f"<tr>{''.join(map(_cell, range(len(row)), row))}</tr>" for row in rows)
    above = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{above}<thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"


def _cell(place: int, text: str) -> str:
    if place == 0:
        return f'<th scope="row">{escape(text)}</th>'
    kind = ' class="number"' if text.isdigit() else ""
    return f"<td{kind}>{escape(text)}</td>"
