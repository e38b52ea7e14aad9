"""`tensormask notify`, to real servers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.cli import main
from edge.commands.notify import TargetListed, line
from edge.telemetry import NotifierState
from tests.edge.notify.receiver import Receiver, status
from tests.edge.notify.samples import SECRET, secret_file

Write = Callable[[str], str]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as opened:
        yield opened


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def settings(sections: str) -> str:
        path = tmp_path / "tensormask.toml"
        path.touch(0o600)
        path.write_text(f'[mqtt]\nhost = "localhost"\n[device]\nid = "door-1"\n{sections}')
        return str(path)

    return settings


def two(receiver: Receiver) -> str:
    return (
        f'[[notify]]\nname = "hook"\nkind = "webhook"\nurl = "{receiver.url}/hook"\n'
        f'[[notify]]\nname = "phone"\nkind = "ntfy"\nserver = "{receiver.url}"\ntopic = "door"\n'
    )


def test_a_test_says_of_each_target_what_came_of_it(
    receiver: Receiver, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.answers.extend([status(200), status(403, b'{"error":"forbidden"}')])
    assert main(["notify", "test", "--here", "--config", write(two(receiver))]) == 1
    hook, phone = capsys.readouterr().out.splitlines()[-2:]
    assert hook.split() == ["hook", "webhook", "arrived"]
    assert phone.startswith("phone")
    assert "FAILED" in phone
    assert "it refuses: HTTP 403 (forbidden); check token_file, and what it may do" in phone
    assert receiver.documents[0]["what"] == "test"


def test_a_test_of_one_target_and_as_json(
    receiver: Receiver, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write(two(receiver))
    assert main(["notify", "test", "phone", "--json", "--here", "--config", config]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {"name": "phone", "kind": "ntfy", "arrived": True, "text": ""}
    assert len(receiver.received) == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [("fone", "no [[notify]] is named fone; there are hook, phone")],
)
def test_a_name_that_there_is_not_is_answered_with_those_that_are(
    receiver: Receiver, write: Write, capsys: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    assert main(["notify", "test", name, "--here", "--config", write(two(receiver))]) == 78
    assert said in capsys.readouterr().err


def test_without_targets_there_is_nothing_to_test(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["notify", "test", "--here", "--config", write("")]) == 78
    assert "no [[notify]] is set" in capsys.readouterr().err
    assert main(["notify", "list", "--config", write("")]) == 0
    assert "no [[notify]]; docs/notifications.md" in capsys.readouterr().out


def test_the_list_names_targets_and_what_they_want(
    receiver: Receiver, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["notify", "--config", write(two(receiver))]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["hook", "webhook", "no_mask,", "worn_wrongly"]


def test_a_credential_of_the_service_is_not_looked_for_elsewhere(
    receiver: Receiver, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    section = two(receiver).replace('/hook"\n', '/hook"\nsecret_file = "credential:hook"\n')
    assert main(["notify", "test", "--here", "--config", write(section)]) == 78
    assert "systemd gives its credentials to the service only" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_secret_that_is_not_ours_is_said_to_be(  # pragma: no cover
    receiver: Receiver, write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = secret_file(tmp_path, "secret", SECRET)
    Path(file).chmod(0)
    section = two(receiver).replace('/hook"\n', f'/hook"\nsecret_file = "{file}"\n')
    assert main(["notify", "test", "--here", "--config", write(section)]) == 1
    assert "Permission denied" in capsys.readouterr().out


def test_check_refuses_a_secret_that_is_missing(
    receiver: Receiver, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    section = two(receiver).replace('/hook"\n', '/hook"\nsecret_file = "/nowhere/secret"\n')
    config = write(section)
    assert main(["check", "--here", "--only", "configuration", "--config", config]) == 78
    assert "[[notify]] hook secret_file: /nowhere/secret: No such" in capsys.readouterr().out


def test_what_waits_for_the_end_of_quiet_hours_says_so() -> None:
    now = NotifierState("desk", "ntfy", 2, is_quiet=True)
    listed = TargetListed("desk", "ntfy", ("no_mask",), now)
    assert line(listed).endswith("no_mask; 2 events queued until the quiet hours end")
