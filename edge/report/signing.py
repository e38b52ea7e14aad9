"""Signing off: somebody puts a name to the figures of a report, in an entry of the journal.

An entry is never changed. Who signs once more, with another note or other figures, adds one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import datetime
from functools import cache, partial
from pathlib import Path

from edge.errors import ConfigError
from edge.history.records import MAX_NOTE, Entry, EntryKind
from edge.history.requests import LINE_CHARACTER, is_of_page
from edge.history.store import HistoryBatch, HistoryWriter
from edge.report.records import Report, SignOff
from edge.report.signed import SIGNED, VERSION, digest_of

MAX_SIGNER = 80
MOST_SIGN_OFFS = 20
"""Of the same figures, by the page and by others each: each is kept as long as its figures. On the
page many people may sign, and they cannot take the others' turn."""
_TEXT = re.compile(
    r"(?P<what>.+?) (?P<digest>[0-9a-f]{64})(?:/(?P<version>[0-9]{1,4}))?(?: (?P<note>.+))?"
)
"""Without a version it is an entry of an early release, and the version is 1."""
_SIGNER = re.compile(rf"{LINE_CHARACTER}{{1,{MAX_SIGNER}}}")
_NOTE = re.compile(rf"{LINE_CHARACTER}{{0,{MAX_NOTE}}}")


def signed_name(report: Report) -> str:
    """Return which report it is: `month 2026-11 camera=hall zone=north entrance`."""
    where = (("camera", report.camera), ("zone", report.zone))
    parts = (f"{what}={name}" for what, name in where if name)
    return " ".join((str(report.kind), report.period, *parts))


def sign_off_text(report: Report, note: str = "") -> str:
    """Return the text of the journal's entry."""
    return " ".join(filter(None, (signed_name(report), f"{report.digest}/{VERSION}", note)))


def sign_offs(
    entries: Iterable[Entry], report: Report, text: Callable[[datetime], str]
) -> tuple[SignOff, ...]:
    """Return who has signed this report, the last one last."""
    now = cache(partial(digest_of, report))
    found = []
    for each in entries:
        if each.kind is not EntryKind.SIGNED_OFF or (said := _TEXT.fullmatch(each.text)) is None:
            continue
        if said["what"] == signed_name(report):
            version = int(said["version"] or 1)
            found.append(
                SignOff(
                    at=text(each.at),
                    by=each.by,
                    digest=said["digest"],
                    is_same=said["digest"] == now(version) if version in SIGNED else None,
                    note=said["note"] or "",
                    version=version,
                )
            )
    return tuple(found)


def refuse_signer(name: str, note: str) -> None:
    """Raise ConfigError where a name or a note cannot be kept."""
    if not _SIGNER.fullmatch(name):
        raise ConfigError(f"--sign-off: a name of 1 to {MAX_SIGNER} characters, on one line")
    if not _NOTE.fullmatch(note):
        raise ConfigError(f"--note: at most {MAX_NOTE} characters, on one line")


def sign_off(path: Path, report: Report, name: str, note: str, now: datetime) -> None:
    """Write the entry; the same once more is none.

    Raises ConfigError where there is nothing to be signed, and HistoryError.
    """
    if report.until != report.end:
        raise ConfigError(
            f"{report.kind} {report.period} is not over: sign off what cannot change any more"
        )
    if (report.zone or report.camera) and not report.places:
        where = report.zone or report.camera
        raise ConfigError(f"nobody was counted at {where}, which may be a typing error: not signed")
    if report.signed_off:
        last = report.signed_off[-1]
        if last.is_same and (last.by, last.note) == (name, note):
            return
    alike = [
        each
        for each in report.signed_off
        if each.is_same and is_of_page(each.by) == is_of_page(name)
    ]
    if len(alike) >= MOST_SIGN_OFFS:
        raise ConfigError(f"these figures were signed off {MOST_SIGN_OFFS} times: no more")
    entry = Entry(now, EntryKind.SIGNED_OFF, name, sign_off_text(report, note))
    with closing(HistoryWriter(path)) as writer:
        writer.write(HistoryBatch(journal=[entry]))
