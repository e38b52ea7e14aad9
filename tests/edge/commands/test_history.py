"""`tensormask history`: what is kept is listed in full, and gone when it is to be."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from edge.cli import main
from edge.commands.history import line
from edge.commands.kept import UNKNOWN, kept
from edge.config import load_settings
from edge.history.contents import TABLES, contents
from edge.history.records import Entry, EntryKind
from edge.history.standby import Standby
from edge.history.store import FILE, HistoryBatch, HistoryReader, HistoryWriter, create
from edge.publish.outbox.outbox import Outbox
from edge.report.calendar import Calendar
from tests.edge.history.old import NOON, rows


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A folder with a history of one minute, an outbox, and what other parts leave there."""
    folder = tmp_path / "state"
    folder.mkdir()
    with closing(HistoryWriter(folder / FILE)) as writer:
        writer.write(rows())
    outbox = Outbox(folder / "outbox.sqlite")
    outbox.append("t/violation", lambda sequence: b"{}")
    outbox.close()
    for name in ("area.json", "page.key", "identity.json", f"{FILE}.damaged-20260101T000000Z"):
        (folder / name).write_bytes(b"12345")
    return folder


@pytest.fixture
def config(tmp_path: Path, state: Path) -> Path:
    file = tmp_path / "tensormask.toml"
    file.write_text(
        f'[mqtt]\nhost = "broker"\n[outbox]\npath = "{state / "outbox.sqlite"}"\n'
        "[history]\ndays = 30\n"
        '[calendar]\ntime_zone = "Asia/Tokyo"\n'
    )
    return file


def said(capsys: pytest.CaptureFixture[str], config: Path, *words: str, status: int = 0) -> str:
    assert main(["history", "--config", str(config), *words]) == status
    output = capsys.readouterr()
    return output.out if status == 0 else output.err


def test_every_file_and_table_is_listed_with_what_it_holds_and_how_long(
    config: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = [json.loads(each) for each in said(capsys, config, "list", "--json").splitlines()]
    by_name = {each["table"] or each["file"]: each for each in listed}
    files = {each.name for each in state.iterdir() if not each.name.endswith(("-wal", "-shm"))}
    assert {each["file"] for each in listed} == files
    assert [each for each in listed if each["holds"] == UNKNOWN] == []
    assert by_name[FILE]["stays"] == "30 days ([history] days)"
    people = by_name["people"]
    assert (people["rows"], people["oldest"]) == (2, NOON.isoformat().replace("+00:00", "Z"))
    assert by_name["outbox.sqlite"]["rows"] == 1
    assert by_name["area.json"]["bytes"] == 5
    text = said(capsys, config)
    assert text == said(capsys, config, "list")
    assert f"{FILE}: people" in text
    assert "stays: 30 days ([history] days)" in text
    assert "2 rows, the oldest of 2026-03-02 21:00" in text
    assert text.endswith("\ntimes: Asia/Tokyo\n")


def test_what_is_not_written_yet_is_said_in_a_line(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Standby(tmp_path).write([rows(), HistoryBatch(journal=rows().journal)])
    items = list(kept(load_settings(config), tmp_path))
    (waiting,) = [each for each in items if each.file == "history-queue.json"]
    assert waiting.rows == 13
    assert re.search(
        r"not in the history's tables yet, in memory\n.*, 13 rows$", line(waiting, Calendar())
    )
    assert [each for each in kept(load_settings(config)) if each.file == waiting.file] == []


def test_what_is_not_known_is_listed_as_such(
    config: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (state / "diary.txt").write_text("who came")
    with closing(sqlite3.connect(state / FILE)) as database:
        database.execute("CREATE TABLE later (x)")
    text = said(capsys, config)
    assert f"diary.txt\n    {UNKNOWN}" in text
    assert f"{FILE}: later\n    {UNKNOWN}" in text


def test_each_table_is_known(tmp_path: Path) -> None:
    create(tmp_path / FILE)
    assert {each.name for each in contents(tmp_path / FILE)} == set(TABLES)


def test_a_damaged_history_is_listed_with_its_problem(
    config: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (state / FILE).write_bytes(b"garbage" * 1000)
    assert "not a database" in said(capsys, config)


def test_what_is_older_than_a_day_is_purged_for_good(
    config: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    purge = partial(said, capsys, config, "purge", "--yes", "--before")
    assert "the oldest left is of 2026-03-02 21:00 (Asia/Tokyo)" in purge("2026-03-01")
    assert "nothing is left" in purge("2026-03-04")
    left = b"".join(each.read_bytes() for each in state.glob(f"{FILE}*"))
    assert b"event 1" not in left
    with HistoryReader(state / FILE) as reader:
        kinds = [each.kind for each in reader.journal(NOON, datetime.now(UTC) + timedelta(days=1))]
    deleted = [EntryKind.DELETED] * 2
    assert kinds == [EntryKind.RULE, *deleted], "how the rule is, and who deleted the rest"
    assert not list(state.glob("*.damaged-*"))


def test_all_is_purged_and_only_the_history(
    config: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(capsys, config, "purge", "--all", "--yes").startswith(f"deleted: {FILE}")
    assert b"event 1" not in b"".join(each.read_bytes() for each in state.glob(f"{FILE}*"))
    assert (state / "outbox.sqlite").exists()
    assert (state / FILE).stat().st_mode & 0o777 == 0o600
    said(capsys, config, "purge", "--all", "--yes")
    assert [each.kind for each in journal(state)] == [EntryKind.DELETED] * 2
    for each in state.glob(f"{FILE}*"):
        each.unlink()
    assert said(capsys, config, "purge", "--all", "--yes") == "nothing was there\n"


def journal(state: Path) -> list[Entry]:
    with HistoryReader(state / FILE) as reader:
        return reader.journal(NOON, datetime.now(UTC) + timedelta(days=1))


def test_a_purge_says_who_and_up_to_which_midnight_of_the_calendar_in_history_report_and_log(
    config: Path, state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[str] = []
    monkeypatch.setattr("syslog.syslog", lambda _, text: logged.append(text))
    monkeypatch.setenv("SUDO_USER", "ada")
    config.write_text(config.read_text().replace("Asia/Tokyo", "Europe/Berlin"))
    said(capsys, config, "purge", "--yes", "--before", "2026-03-02")
    last = journal(state)[-1]
    assert (last.kind, last.by) == (EntryKind.DELETED, "ada")
    assert last.text == "2026-03-01T23:00:00.000+00:00"
    assert len(logged) == 1
    assert logged[0].startswith("history purge by ada: deleted what is older than 2026-03-02;")
    for day, is_said in ("2026-03-01", True), ("2026-03-02", False):
        assert main(["report", "--config", str(config), "--day", day]) == 0
        text = capsys.readouterr().out
        assert ("by ada: what was before 2026-03-02 00:00." in text) is is_said


def test_an_entry_of_a_kind_that_only_a_newer_release_knows_is_left_alone(state: Path) -> None:
    with closing(sqlite3.connect(state / FILE, isolation_level=None)) as database:
        database.execute("UPDATE journal SET kind = 'later' WHERE kind = 'rule'")
    assert EntryKind.RULE not in [each.kind for each in journal(state)]


def test_nothing_is_purged_without_a_yes_or_with_a_wrong_day(
    config: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = said(capsys, config, "purge", "--all", status=78)
    assert "for good? there is no terminal to ask on; give --yes" in error
    with pytest.raises(SystemExit):
        main(["history", "purge", "--before", "yesterday"])
    assert "'yesterday' is no day as 2026-03-01" in capsys.readouterr().err
    assert (state / FILE).exists()


def test_a_file_of_a_newer_release_is_not_purged_in_part(
    config: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(state / FILE, isolation_level=None)) as database:
        database.executescript("UPDATE about SET least = 9; PRAGMA user_version = 9")
    error = said(capsys, config, "purge", "--before", "2026-03-04", "--yes", status=1)
    assert "newer release" in error
