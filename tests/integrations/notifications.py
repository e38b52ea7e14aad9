"""The service with a target of each kind, before real servers: an afternoon of faults."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from edge.host.status_file import read_telemetry
from edge.telemetry import NotifierState
from tests.clips import carphone
from tests.edge.notify.receiver import Received, Receiver, hang, status
from tests.edge.notify.samples import SECRET, TOKEN, secret_file
from tests.edge.notify.test_mail import MailServer
from tests.processes import ROOT, Running
from tests.waiting import until

LONG_S = 120.0
SETTINGS = """
[mqtt]
host = "127.0.0.1"
port = 9
[device]
id = "door-1"
site = "Museum"
[camera]
source = "{clip}"
loop = true
[snapshots]
pictures = "pixelated"
[[notify]]
name = "hook"
kind = "webhook"
url = "{hook}/door"
secret_file = "{secret}"
on = ["no_mask", "ended", "broker-away"]
after_s = 2
pause_s = 0
snapshot = true
timeout_s = 2
[[notify]]
name = "phone"
kind = "ntfy"
server = "{phone}"
topic = "door"
snapshot = true
pause_s = 5
timeout_s = 2
[[notify]]
name = "group"
kind = "telegram"
server = "{group}"
token_file = "{token}"
chat_id = "-100"
snapshot = true
pause_s = 5
timeout_s = 2
[[notify]]
name = "mail"
kind = "email"
host = "127.0.0.1"
port = {mail}
tls = "none"
from = "door@museum.example"
to = ["desk@museum.example"]
snapshot = true
pause_s = 5
timeout_s = 2
"""


class Stage:
    """The servers, and the service."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.hook, self.phone, self.group = (
            stack.enter_context(Receiver()),
            stack.enter_context(Receiver()),
            stack.enter_context(Receiver()),
        )
        self.mail = stack.enter_context(MailServer())
        self._folder = folder
        self._settings = folder / "tensormask.toml"
        self._settings.touch(0o600)
        self._settings.write_text(
            SETTINGS.format(
                clip=carphone(),
                hook=self.hook.url,
                phone=self.phone.url,
                group=self.group.url,
                mail=self.mail.port,
                secret=secret_file(folder, "secret", SECRET),
                token=secret_file(folder, "token", TOKEN),
            )
        )
        (folder / "run").mkdir()
        self._process: Running | None = None
        stack.callback(self.kill)

    def start(self) -> None:
        command = ["-m", "edge", "run", "--config", str(self._settings)]
        environment = os.environ | {
            "STATE_DIRECTORY": str(self._folder / "state"),
            "RUNTIME_DIRECTORY": str(self._folder / "run"),
        }
        with (self._folder / "log").open("ab") as log:
            self._process = Running(
                [sys.executable, *command],
                cwd=ROOT, env=environment, stdout=log, stderr=log,
            )  # fmt: skip

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def frames(self) -> int:
        telemetry = read_telemetry(self._folder / "run/telemetry.json")
        return 0 if telemetry is None else telemetry.frames

    def trouble(self) -> dict[str, str]:
        return {each.name: each.trouble for each in self._notifiers()}

    def waiting(self) -> dict[str, int]:
        return {each.name: each.waiting for each in self._notifiers()}

    def _notifiers(self) -> tuple[NotifierState, ...]:
        telemetry = read_telemetry(self._folder / "run/telemetry.json")
        return () if telemetry is None else telemetry.notifiers

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(tmp_path, stack)


def confirmed(received: list[Received]) -> list[str]:
    return [
        each.document["event_id"]
        for each in received
        if (each.document["what"], each.document["state"]) == ("no_mask", "begun")
    ]


def test_each_kind_of_target_gets_the_person_with_a_picture(stage: Stage) -> None:
    stage.start()
    until(lambda: confirmed(stage.hook.received), "the webhook has it", LONG_S)
    until(lambda: stage.phone.received and stage.group.received, "the phones have it", LONG_S)
    until(lambda: stage.mail.received, "the mailbox has it", LONG_S)
    assert stage.phone.received[0].body[:2] == b"\xff\xd8"
    assert stage.group.received[0].path == f"/bot{TOKEN}/sendPhoto"
    assert b"\xff\xd8" in stage.group.received[0].body
    assert [part.get_content_type() for part in stage.mail.received[0].iter_attachments()] == [
        "image/jpeg"
    ]
    until(
        lambda: any(each["what"] == "broker-away" for each in stage.hook.documents),
        "the missing broker is notified",
        LONG_S,
    )
    assert TOKEN not in stage.log
    assert SECRET not in stage.log


def test_judging_goes_on_while_all_targets_fail_and_everything_comes_in_order(
    stage: Stage,
) -> None:
    """Hanging, refusing, away and full; then a kill; then all are well again."""
    stage.hook.close()
    stage.phone.usual = hang
    stage.group.usual = status(429, b'{"parameters":{"retry_after":3}}')
    stage.mail.answer = "451 try again later"
    for run in range(1, 4):
        if run > 1:
            stage.kill()
        stage.start()
        # In each run somebody without a mask, and the broker that is not there.
        until(lambda: stage.waiting().get("hook", 0) >= 2 * run, "events gather", LONG_S)  # noqa: B023
    until(lambda: all(stage.trouble().values()), "each is said to fail", LONG_S)
    begun, frames = time.monotonic(), stage.frames()
    until(lambda: stage.frames() > frames + 60, "frames are still judged", LONG_S)
    assert 60 / (time.monotonic() - begun) > 3
    waiting = stage.waiting()["hook"]
    stage.kill()
    stage.hook.open()
    stage.phone.usual = stage.group.usual = status(200)
    stage.mail.answer = "250 OK"
    stage.start()
    until(lambda: len(stage.hook.received) >= waiting, "all that waited has come", LONG_S)
    until(lambda: not any(stage.trouble().values()), "all is well", LONG_S)
    until(lambda: stage.mail.received, "the mailbox has it", LONG_S)
    events = confirmed(stage.hook.received)
    assert events == sorted(events)  # a UUID version 7 begins with its time
    keys = [each.headers["webhook-id"] for each in stage.hook.received]
    assert len(keys) - len(set(keys)) <= 1
    lines = [line for line in stage.log.splitlines() if "notify-failing: notifications to" in line]
    assert len(lines) <= 12, "a line when it begins, and none for each attempt"
