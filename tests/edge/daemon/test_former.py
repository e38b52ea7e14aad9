from __future__ import annotations

from pathlib import Path

import pytest

from edge.daemon.former import FormerIdentities, Identity
from edge.publish.mailbox import Mailbox

DOOR, GATE = Identity("tensormask", "door"), Identity("tensormask", "gate")
STATES = ("availability", "compliance", "health", "presence", "release", "report")


def started(path: Path, present: Identity) -> tuple[FormerIdentities, Mailbox]:
    mailbox = Mailbox()
    return FormerIdentities(path, present, mailbox), mailbox


def topics(mailbox: Mailbox) -> list[str]:
    due = mailbox.due([], 99, clearing=True)
    assert all(retained.payload == b"" for retained in due)
    return [retained.topic for retained in due]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "identity.json"


def test_a_former_name_is_cleared_until_the_broker_has_answered_and_never_again(
    path: Path,
) -> None:
    _, mailbox = started(path, DOOR)
    assert topics(mailbox) == []
    former, mailbox = started(path, GATE)
    assert topics(mailbox) == [f"tensormask/door/{state}" for state in STATES]
    former.tend()
    former, mailbox = started(path, GATE)
    due = mailbox.due([], 99, clearing=True)
    assert len(due) == len(STATES), "the broker had not answered"
    for retained in due:
        mailbox.settle(retained)
    former.tend()
    _, mailbox = started(path, GATE)
    assert topics(mailbox) == []


def test_a_name_that_is_taken_up_again_is_not_cleared(path: Path) -> None:
    for present in (DOOR, GATE):
        started(path, present)
    _, mailbox = started(path, DOOR)
    assert topics(mailbox) == [f"tensormask/gate/{state}" for state in STATES]


@pytest.mark.parametrize(
    "content",
    [
        b'{"present": {"prefix": "\xff", "device_id": "x"}}',
        b"",
        b"{}",
        b'{"present": 1}',
        b"\xff\x00",
    ],
)
def test_a_damaged_file_is_written_again(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    _, mailbox = started(path, DOOR)
    assert topics(mailbox) == []
    _, mailbox = started(path, GATE)
    assert len(topics(mailbox)) == len(STATES)


def test_a_disk_that_refuses_costs_only_the_memory_of_the_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    started(tmp_path / "none" / "identity.json", DOOR)
    assert "a change of name will not be noticed" in caplog.text
