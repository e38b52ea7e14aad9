"""`tensormask alerts`, `acknowledge` and `rule`, with a real history."""

from __future__ import annotations

import json
import os
import re
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from edge.cli import main
from edge.history.alert_book import AlertBook
from edge.history.records import Alert, Place
from edge.history.store import FILE, HistoryBatch, HistoryWriter
from edge.records import ViolationKind

NOW = datetime.now(UTC)
EVENT = "019ab11c-92d2-7f3a-8d1e-52c0b0a4e6d7"
OLD = "019ab11c-92d2-7f3a-8d1e-52c0b0a4e6d8"


def alert(event_id: str, at: datetime, kind: ViolationKind = ViolationKind.BARE) -> Alert:
    return Alert(event_id, Place("door", "left"), kind, at, at, at, 12.0, 0.9)


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "tensormask.toml"
    path.touch(0o600)
    path.write_text(
        f'[mqtt]\nhost = "localhost"\n[outbox]\npath = "{tmp_path / "outbox.sqlite"}"\n'
        '[calendar]\ntime_zone = "Asia/Tokyo"\n'
    )
    with closing(HistoryWriter(tmp_path / FILE)) as writer:
        writer.write(
            HistoryBatch(
                alerts=[
                    alert(OLD, NOW - timedelta(days=40), ViolationKind.WORN_WRONGLY),
                    alert(EVENT, NOW - timedelta(hours=1)),
                ]
            )
        )
    return str(path)


def shown(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def test_open_alerts_are_listed_acknowledged_and_listed_no_more(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["alerts", "--config", config]) == 0
    line = shown(capsys)
    assert f"  {EVENT}  no mask for 12 s, door, left; open\n" in line
    assert OLD not in line
    words = ["acknowledge", EVENT, "--reason", "forgotten", "--remedy", "mask-put-on"]
    assert main([*words, "--note", "at the door", "--by", "ops", "--config", config]) == 0
    assert shown(capsys) == (
        f"{EVENT}: forgotten, mask-put-on; written down; the service that writes this history "
        "publishes it within seconds while it runs\n"
    )
    assert main([*words, "--note", "at the door", "--by", "ops", "--config", config]) == 0
    assert re.search(
        r"; said already, \S+ \S+ by ops: nothing was written\ntimes: Asia/Tokyo\n$", shown(capsys)
    )
    assert main(["alerts", "list", "--config", config]) == 0
    assert shown(capsys) == "no open alert in the last 31 days\n"
    assert main(["alerts", "--all", "--days", "60", "list", "--config", config]) == 0
    assert len(shown(capsys).splitlines()) == 3
    assert main(["alerts", "--all", "--days", "60", "--config", config]) == 0
    newest, oldest, _ = shown(capsys).splitlines()
    assert re.search(r"; forgotten, mask-put-on, \S+ \d\d:\d\d by ops: at the door$", newest)
    assert oldest.endswith("worn wrongly for 12 s, door, left; open")


def test_times_are_of_the_calendar_as_in_reports_and_the_zone_is_named_once(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tokyo = timezone(timedelta(hours=9))
    assert main(["alerts", "--config", config]) == 0
    line, zone = shown(capsys).splitlines()
    assert line.startswith(f"{(NOW - timedelta(hours=1)).astimezone(tokyo):%Y-%m-%d %H:%M:%S}  ")
    assert zone == "times: Asia/Tokyo"
    before = datetime.now(tokyo)
    assert main(["rule", "off", "--config", config]) == 0
    line, zone = shown(capsys).splitlines()
    at = datetime.strptime(line.partition("  ")[0], "%Y-%m-%d %H:%M:%S").replace(tzinfo=tokyo)
    assert before - timedelta(seconds=1) < at <= datetime.now(tokyo)
    assert main(["rule", "off", "--config", config]) == 0
    assert f"off already, since {at:%Y-%m-%d %H:%M}, by " in shown(capsys)
    assert main(["rule", "list", "--config", config]) == 0
    assert shown(capsys).splitlines() == [line, zone]


def test_they_are_listed_for_programs(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["alerts", "list", "--json", "--config", config]) == 0
    document = json.loads(shown(capsys))
    assert document["alert"]["event_id"] == EVENT
    assert document["acknowledgement"] is None


def test_the_newest_open_one_needs_no_id(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["acknowledge", "newest", "--reason", "exempt", "--remedy", "none", "--config", config]
    assert main(words) == 0
    assert shown(capsys).startswith(f"{EVENT}: ")
    assert main(words) == 1
    assert capsys.readouterr().err.endswith("no alert of the last 31 days is open\n")


def test_who_says_so_is_who_is_logged_in_unless_it_is_said(
    config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["acknowledge", EVENT, "--reason", "exempt", "--remedy", "none", "--config", config]
    monkeypatch.setenv("SUDO_USER", "anna")
    assert main(words) == 0
    assert main([*words, "--by", " ward 3 "]) == 0
    with AlertBook(tmp_path / FILE) as book:
        assert [each.by for each in book.said_of(EVENT)] == ["anna", "ward 3"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--note", "x" * 201], "--note: must have at most 200 characters"),
        (["--note", "two\nlines"], "--note: write one line of plain characters"),
        (["--note", "\udcff"], "--note: write one line of plain characters"),
        (["--by", "x" * 33], "--by: a name of 1 to 32 characters, on one line"),
        (["--by", " "], "--by: a name of 1 to 32 characters, on one line"),
        (["--by", "\x1b[2J"], "--by: write one line of plain characters"),
    ],
)
def test_what_cannot_be_written_down_is_refused_in_a_line(
    config: str, words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["acknowledge", EVENT, "--reason", "exempt", "--remedy", "none", *words]
    assert main([*given, "--config", config]) == 78
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1


def test_an_unknown_alert_reason_or_id_is_refused_with_what_there_is(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    unknown = EVENT.replace("6d7", "6d9")
    given = ["--reason", "exempt", "--remedy", "none", "--config", config]
    assert main(["acknowledge", unknown, *given]) == 1
    assert f"no alert {unknown} is known here" in capsys.readouterr().err
    for words in (["acknowledge", "7", *given], ["acknowledge", EVENT, "--reason", "forgot"]):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 2
    error = capsys.readouterr().err
    assert "'7' is no id of an alert; see: tensormask alerts" in error
    assert "did you mean forgotten?" in error


def test_the_rule_is_switched_and_its_changes_are_listed(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rule", "--config", config]) == 0
    assert shown(capsys) == "the mask rule was never changed by a command\n"
    assert main(["rule", "off", "--by", "", "--config", config]) == 78
    assert "--by: a name of 1 to 32 characters" in capsys.readouterr().err
    assert main(["rule", "off", "--by", "ward", "--config", config]) == 0
    assert main(["rule", "on", "--by", "ward", "--config", config]) == 0
    assert shown(capsys).count("\n") == 4
    assert main(["rule", "list", "--config", config]) == 0
    off, on, _ = shown(capsys).splitlines()
    assert main(["rule", "on", "--by", "desk", "--config", config]) == 0
    assert re.fullmatch(
        r"the mask rule is on already, since \S+ \S+, by ward: nothing was written\n"
        r"times: Asia/Tokyo\n",
        shown(capsys),
    )
    assert off.endswith("  the mask rule is off, by ward")
    assert on.endswith("  the mask rule is on, by ward")


def test_without_a_history_it_is_said_who_makes_it(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / FILE).unlink()
    assert main(["alerts", "--config", config]) == 1
    assert "nothing was recorded yet; the service does it" in capsys.readouterr().err
    assert not (tmp_path / FILE).exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_who_may_not_write_is_told_the_command(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / FILE).chmod(0o400)
    assert main(["rule", "on", "--config", config]) == 78
    assert "run: sudo tensormask rule on" in capsys.readouterr().err
