"""Whatever is in a file that the program keeps, or is sent in its place, it goes on, or says so."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from deploy.heard import _read as heard
from edge.commands.outbox import entries, readable
from edge.config import DetectorSettings
from edge.daemon.former import FormerIdentities, Identity
from edge.detect.card import FOLDER, read_card
from edge.errors import TensorMaskError
from edge.files import DamagedFileError
from edge.history.database import LostHistoryError
from edge.history.keeper import HistoryKeeper
from edge.history.standby import NAME as STANDBY
from edge.history.standby import Standby
from edge.history.store import HistoryBatch
from edge.history.takeover import take_over
from edge.host.status_file import read_telemetry
from edge.page.drawn import FILE as DRAWN
from edge.page.drawn import NAMES as NAMES_DRAWN
from edge.page.drawn import AreaBook, DrawnArea
from edge.page.drawn_zones import FILE as ZONES_DRAWN
from edge.page.drawn_zones import ZoneBook
from edge.page.wire import read_request
from edge.publish.mailbox import Mailbox
from edge.publish.messages import without_snapshot
from edge.publish.outbox.outbox import Outbox
from edge.release.ledger import read_ledger
from edge.release.report import Reports

CONTENTS = {
    "empty": b"",
    "one byte that is not UTF-8": b'{"prefix": "caf\xe9"}',
    "only such bytes": b"\xe9\xff\x80" * 400,
    "a message with one": b'{"schema": "tensormask/health/1", "device_id": "caf\xe9"}',
    "NUL": b"\0" * 4096,
    "truncated": b'{"hours": [{"began": 1',
    "large": b'"' + b"x" * 3_000_000 + b'"',
    "deep": b"[" * 100_000,
    "a huge number": b'{"hours": [{"began": ' + b"9" * 5000 + b"}]}",
    "a number beyond floats": b'{"hours": [{"watched_s": 1e999}]}',
    "another kind": b"[1, null, true]",
    "wrong types": b'{"present": 7, "hours": {}, "told": 3, "entries": {}, "uptime_s": "1"}',
    "a time without a zone": b'{"told": [{"event_id": "", "kind": "bare", "started_at": '
    b'"0001-01-01T00:00:00", "duration_s": 0, "probability": 0, "is_over": true}]}',
}


def identity(folder: Path, content: bytes) -> None:
    path = folder / "identity.json"
    path.write_bytes(content)
    FormerIdentities(path, Identity("tensormask", "door-1"), Mailbox()).tend()


def earlier_history(folder: Path, content: bytes) -> None:
    (folder / "history.json").write_bytes(content)
    take_over(folder / "history.sqlite", lambda batch: None)
    assert not (folder / "history.json").exists()


def history_standby(folder: Path, content: bytes) -> None:
    (folder / STANDBY).write_bytes(content)
    Standby(folder).read()


def history_file(folder: Path, content: bytes) -> None:
    (folder / "history.sqlite").write_bytes(content)
    keeper = HistoryKeeper(folder / "history.sqlite", 400)
    with suppress(LostHistoryError):  # it is quarantined,
        keeper.write(HistoryBatch())
    keeper.write(HistoryBatch())  # and a new one begun
    keeper.close()


def drawn_areas(folder: Path, content: bytes) -> None:
    for name in (DRAWN, NAMES_DRAWN):
        (folder / name).write_bytes(content)
    book = AreaBook(DetectorSettings(), folder)
    assert book.present == DrawnArea()


def drawn_zones(folder: Path, content: bytes) -> None:
    (folder / ZONES_DRAWN).write_bytes(content)
    assert ZoneBook((), folder).present == ()


def release_report(folder: Path, content: bytes) -> None:
    path = folder / "telemetry.json"
    path.write_bytes(content)
    assert Reports(path).read() is None


def release_ledger(folder: Path, content: bytes) -> None:
    path = folder / "ledger.json"
    path.write_bytes(content)
    read_ledger(path)


def status_file(folder: Path, content: bytes) -> None:
    path = folder / "telemetry.json"
    path.write_bytes(content)
    assert read_telemetry(path) is None


def page_wire(folder: Path, content: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        head = min(len(content), 500).to_bytes(4, "big")
        theirs.sendall(head + content[:500])
        theirs.shutdown(socket.SHUT_WR)
        assert read_request(ours) is None


def detector_card(folder: Path, content: bytes) -> None:
    for file in FOLDER.iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    for card in folder.glob("*.json"):
        card.write_bytes(content)
    read_card(folder)


def outbox_export(folder: Path, content: bytes) -> None:
    path = folder / "outbox.sqlite"
    path.write_bytes(content)
    for entry in entries(path, with_payload=True):
        readable(str(entry).encode())


def outbox_payload(folder: Path, content: bytes) -> None:
    outbox = Outbox(folder / "outbox.sqlite")
    outbox.append("t/violation", lambda sequence: content)
    outbox.close()
    assert len(list(entries(folder / "outbox.sqlite", with_payload=True))) == 1
    without_snapshot(content)


def sequence_reserve(folder: Path, content: bytes) -> None:
    for file in ("outbox.sqlite.sequence", "outbox.sqlite.sequence-copy"):
        (folder / file).write_bytes(content)
    outbox = Outbox(folder / "outbox.sqlite")
    assert outbox.append("t/violation", lambda sequence: b"") > 0
    outbox.close()


def heard_message(folder: Path, content: bytes) -> None:
    assert heard(content) is None


READERS: list[Callable[[Path, bytes], None]] = [
    identity, earlier_history, history_standby, history_file, drawn_areas, drawn_zones,
    release_report, release_ledger, status_file, page_wire,
    detector_card, outbox_export, outbox_payload, sequence_reserve, heard_message,
]  # fmt: skip


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
@pytest.mark.parametrize("reader", READERS)
def test_a_hostile_file_ends_nothing_but_with_a_word(
    tmp_path: Path, reader: Callable[[Path, bytes], None], content: bytes
) -> None:
    # Our own errors are printed in one line with an exit status; any other is a traceback.
    with suppress(TensorMaskError, DamagedFileError):
        reader(tmp_path, content)
