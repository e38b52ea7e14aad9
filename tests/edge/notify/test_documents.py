"""What docs/notifications.md shows is what there is, and its receiver verifies what is sent."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import msgspec
import pytest

from edge.config import parse_settings
from edge.config.notify import PLACEHOLDERS
from edge.notify.channel import UndeliveredError
from edge.notify.channels import open_channel
from edge.notify.notification import Notification, notification
from tests.broker.conftest import free_port
from tests.edge.notify.samples import SECRET, SENDER, event, secret_file, target
from tests.fakes import START
from tests.processes import Running
from tests.waiting import until

TEXT = (Path(__file__).parents[3] / "docs/notifications.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def test_the_settings_that_are_shown_are_taken() -> None:
    for block in blocks("toml"):
        parse_settings({"mqtt": {"host": "h"}, **tomllib.loads(block)}, "docs")


def test_the_document_that_is_shown_is_one() -> None:
    (shown,) = blocks("json")
    document = msgspec.json.decode(shown)
    read = msgspec.json.decode(shown, type=Notification)
    assert msgspec.json.decode(msgspec.json.encode(read)) == document
    assert list(document) == list(msgspec.to_builtins(notification([event()], SENDER, START)))


def test_all_names_for_templates_are_listed() -> None:
    listed = TEXT.partition("Known names:")[2].partition(". For Slack")[0]
    assert set(re.findall(r"`(\w+)`", listed)) == set(PLACEHOLDERS)


def test_the_receiver_takes_what_is_signed_once_and_refuses_the_rest(tmp_path: Path) -> None:
    (program,) = blocks("python")
    script, port = tmp_path / "receiver.py", free_port()
    script.write_text(program)
    right = secret_file(tmp_path, "secret", SECRET)
    wrong = secret_file(tmp_path, "wrong", "whsec_" + "A" * 32)
    url = f"http://127.0.0.1:{port}/"
    command = [sys.executable, "-W", "ignore", str(script), right, str(port)]
    with Running(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        message = notification([event()], SENDER, START)
        channel = open_channel(target(url=url, secret_file=right))

        def is_taken() -> bool:
            try:
                return channel.send(message) == ""
            except UndeliveredError:
                return False

        until(is_taken, "it listens")
        assert is_taken()
        for refused in (target(url=url, secret_file=wrong), target(url=url)):
            with pytest.raises(UndeliveredError, match="HTTP 401"):
                open_channel(refused).send(message)
        process.terminate()
        assert process.stdout is not None
        (line,) = process.stdout.read().splitlines()
    assert msgspec.json.decode(line)["id"] == message.id
