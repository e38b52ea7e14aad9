"""What is done with a measurement: compared with an earlier one, put on a sheet, written down."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from edge.eyes import Qualification, read_qualification
from edge.history.database import leave_to_the_service
from edge.history.records import Entry, EntryKind
from edge.history.store import HistoryBatch, HistoryWriter
from edge.qualify.criteria import Criterion, compared, former_of
from edge.qualify.known import qualifications
from edge.qualify.sheet import Sheet, SheetAbout
from edge.qualify.walks import WalkDone

_TIMES = "%Y-%m-%d %H:%M %Z"


def sheet_of(
    about: SheetAbout,
    found: Qualification,
    criteria: Sequence[Criterion],
    walks: Sequence[WalkDone],
    by: str,
    history: Path,
) -> Sheet:
    """Return the sheet, with a comparison with what is in the history. Raises HistoryError."""
    texts = qualifications(history)
    earlier = [each for text in texts if (each := read_qualification(text)) is not None]
    former = former_of(earlier, found)
    return Sheet(
        about,
        by,
        found,
        criteria,
        walks,
        former,
        () if former is None else compared(former, found),
        f"{found.at.astimezone():{_TIMES}}",
        "" if former is None else f"{former.at.astimezone():{_TIMES}}",
    )


def keep_qualification(history: Path, found: Qualification, by: str) -> None:
    """Write it down: reports use it from now on. Raises HistoryError."""
    text = msgspec.json.encode(found).decode()
    with closing(HistoryWriter(history)) as writer:
        writer.write(HistoryBatch(journal=[Entry(found.at, EntryKind.QUALIFIED, by, text)]))
        leave_to_the_service(history)
