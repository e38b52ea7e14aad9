from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from edge.cli import main
from edge.commands.outbox import dropped, entries
from edge.errors import OutboxError
from edge.publish.outbox.outbox import Outbox
from edge.words import count


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "tensormask.toml"
    file.write_text(
        f'[mqtt]\nhost = "broker"\n[outbox]\npath = "{tmp_path / "state" / "outbox.sqlite"}"\n'
    )
    return file


def _sent(payload: bytes, sequence: int) -> bytes:
    return payload


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    """An outbox that a service has open: two messages are queued, one was refused."""
    opened = Outbox(tmp_path / "state" / "outbox.sqlite")
    for payload in (b'{"a":1}', b"\xff", b'{"b":2}'):
        opened.append("tensormask/door/violation", partial(_sent, payload))
    opened.refuse(3, "packet too large")
    yield opened
    opened.close()


def lines(
    capsys: pytest.CaptureFixture[str], config: Path, *arguments: str, status: int = 0
) -> list[str]:
    assert main(["outbox", "--config", str(config), *arguments]) == status
    return capsys.readouterr().out.splitlines()


def test_what_waits_and_what_was_refused_is_listed_while_a_service_runs(
    config: Path, outbox: Outbox, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = lines(capsys, config, "list")
    assert lines(capsys, config) == listed
    assert [line.split()[0] for line in listed] == ["1", "2", "3"]
    assert listed[0].endswith("7 B  tensormask/door/violation  queued")
    assert listed[2].endswith("rejected: packet too large")
    as_json = [json.loads(line) for line in lines(capsys, config, "list", "--json")]
    assert [(entry["sequence"], entry["bytes"], entry["refused"]) for entry in as_json] == [
        (1, 7, None),
        (2, 1, None),
        (3, 7, "packet too large"),
    ]
    assert [document.sequence for document in outbox.pending(9)] == [1, 2], "nothing has changed"


def test_documents_are_exported_as_they_are(
    config: Path, outbox: Outbox, capsys: pytest.CaptureFixture[str]
) -> None:
    exported = [json.loads(line) for line in lines(capsys, config, "export")]
    assert [entry["document"] for entry in exported] == [{"a": 1}, "/w==", {"b": 2}]


def test_nothing_is_dropped_while_a_service_runs(
    config: Path, outbox: Outbox, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["outbox", "--config", str(config), "drop", "--all", "--yes"]) == 1
    assert "sudo systemctl stop tensormask" in capsys.readouterr().err
    assert outbox.state().rows == 2


def test_what_the_running_service_has_delivered_is_left_out(outbox: Outbox, tmp_path: Path) -> None:
    outbox.acknowledge([1])
    file = tmp_path / "state" / "outbox.sqlite"
    assert outbox.state().delivered == (1,)
    assert [entry.sequence for entry in entries(file)] == [1, 2, 3]
    assert [entry.sequence for entry in entries(file, outbox.state().delivered)] == [2, 3]
    outbox.append("tensormask/door/violation", partial(_sent, b"{}"))
    assert outbox.state().delivered == ()  # deleted along with it
    assert [entry.sequence for entry in entries(file)] == [2, 4, 3]


def test_what_is_to_be_dropped_is_counted_as_it_is_listed(outbox: Outbox, tmp_path: Path) -> None:
    outbox.acknowledge([1])
    file, delivered = tmp_path / "state" / "outbox.sqlite", outbox.state().delivered
    asked: list[int] = []

    def declines(number: int) -> bool:
        asked.append(number)
        return False

    assert dropped(file, lambda _: True, declines, delivered=delivered) == 0
    assert asked == [len([*entries(file, delivered)])] == [2]
    with pytest.raises(OutboxError, match="no message 1; there are 2 to 3"):
        dropped(file, lambda _: False, declines, [1], delivered)
    # Killed, it leaves them in the file: they go along, and are not sent again.
    killed = Path(shutil.copytree(tmp_path / "state", tmp_path / "killed")) / file.name
    assert dropped(killed, lambda _: True, lambda _: True, delivered=delivered) == 2
    assert [*entries(killed)] == []


@pytest.mark.parametrize(
    ("which", "said"),
    [
        (["99"], "there is no message 99; there are 1 to 3; see: sudo tensormask outbox list"),
        (["1", "98", "99"], "there is no message 98, 99; there are 1 to 3; see: "),
    ],
)
def test_a_number_that_is_not_there_drops_nothing(
    config: Path, outbox: Outbox, capsys: pytest.CaptureFixture[str], which: list[str], said: str
) -> None:
    outbox.close()
    assert main(["outbox", "--config", str(config), "drop", *which, "--yes"]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert len(lines(capsys, config, "list")) == 3
    lines(capsys, config, "drop", "2", "--yes")
    assert main(["outbox", "--config", str(config), "drop", "2", "--yes"]) == 1
    assert "there are 1, 3;" in capsys.readouterr().err
    lines(capsys, config, "drop", "1", "--yes")
    assert main(["outbox", "--config", str(config), "drop", "1", "--yes"]) == 1
    assert "there is 3;" in capsys.readouterr().err
    lines(capsys, config, "drop", "--all", "--yes")
    assert main(["outbox", "--config", str(config), "drop", "3", "--yes"]) == 1
    assert "there are none;" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("which", "left"),
    [
        (["1", "3"], [2]),
        (["--refused"], [1, 2]),
        (["--topic", "tensormask/door/violation"], []),
        (["--topic", "tensormask/other/violation"], [1, 2, 3]),
        (["--all"], []),
    ],
)
def test_what_is_named_is_dropped(
    config: Path,
    outbox: Outbox,
    capsys: pytest.CaptureFixture[str],
    which: list[str],
    left: list[int],
) -> None:
    outbox.close()
    dropped = f"{count(3 - len(left), 'message')} dropped"
    assert lines(capsys, config, "drop", *which, "--yes") == [dropped]
    listed = [json.loads(line) for line in lines(capsys, config, "list", "--json")]
    assert [entry["sequence"] for entry in listed] == left


def test_nothing_is_dropped_unasked(
    config: Path, outbox: Outbox, capsys: pytest.CaptureFixture[str]
) -> None:
    outbox.close()
    assert main(["outbox", "--config", str(config), "drop", "--all"]) == 78
    assert "drop 3 messages for good? there is no terminal to ask on" in capsys.readouterr().err
    assert len(lines(capsys, config, "list")) == 3


def test_a_damaged_file_is_said_to_be_one(
    config: Path, outbox: Outbox, capsys: pytest.CaptureFixture[str]
) -> None:
    outbox.close()
    file = config.parent / "state" / "outbox.sqlite"
    content = bytearray(file.read_bytes())
    content[36:40] = b"\0\0\0\7"  # more free pages than there are
    file.write_bytes(content)
    assert main(["outbox", "--config", str(config), "drop", "--all", "--yes"]) == 1
    assert "start the service, which quarantines it" in capsys.readouterr().err


def test_no_outbox_yet_is_an_empty_one(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nothing = (
        f"{config.parent / 'state/outbox.sqlite'}: no messages are queued, and none was rejected"
    )
    assert lines(capsys, config, "list") == lines(capsys, config) == [nothing]
    assert lines(capsys, config, "list", "--json") == lines(capsys, config, "export") == []
