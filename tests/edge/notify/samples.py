"""Events, and targets of this machine."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from edge.config import NotifyTarget, parse_settings
from edge.notify.event import NotedEvent, of_violation
from edge.notify.notification import Sender
from edge.records import Violation, ViolationKind, ViolationState
from tests.fakes import START

SENDER = Sender("door-1", "Museum", "north entrance")
SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TOKEN = "123456:AAbbccddeeffgghhiijjkkllmmnnooppqq"
JPEG = b"\xff\xd8 a picture \xff\xd9"


def target(**keys: Any) -> NotifyTarget:
    """Return a target as a file of settings has it: a webhook unless another kind is given."""
    table = {"name": "desk", "kind": "webhook", **keys}
    sections: dict[str, Any] = {"mqtt": {"host": "localhost"}, "notify": [table]}
    if keys.get("snapshot"):
        sections["snapshots"] = {"pictures": "pixelated"}
    return parse_settings(sections, "test").notify[0]


def event_id(number: int) -> str:
    return f"01890a5d-ac96-774b-bcce-{number:012x}"


def violation(number: int = 1, at: datetime = START) -> Violation:
    return Violation(
        event_id(number), ViolationState.CONFIRMED, number, at - timedelta(seconds=1), at, None,
        1.2, 0.95, 80.0, 0.97, ViolationKind.BARE,
    )  # fmt: skip


def ended(begun: Violation) -> Violation:
    at = begun.confirmed_at + timedelta(seconds=4)
    return replace(begun, state=ViolationState.ENDED, ended_at=at, duration_s=5.2)


def event(number: int = 1, at: datetime = START, snapshot: bytes | None = None) -> NotedEvent:
    return of_violation(violation(number, at), snapshot)


def secret_file(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.touch(0o600)
    path.write_text(f"{text}\n")
    return str(path)


def moved(noted: NotedEvent, by: timedelta) -> NotedEvent:
    return msgspec.structs.replace(noted, at=noted.at + by)
