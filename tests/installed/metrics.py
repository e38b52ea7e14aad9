"""The metrics of an installed box: who gets them, and what they say of it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.installed.lab.box import OWNER, UNIT, VISITOR, Box
from tests.installed.lab.street import BOX
from tests.installed.page import HERE, OPEN_TO_OTHERS, write_password
from tests.needs import lacking
from tests.systemd.machine import wait_until

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
TOKEN = "4f1c0b7a9d2e8836"
WRONG = TOKEN[::-1]
TOKEN_FILE = "/etc/tensormask/metrics-token"
# Not every box has curl.
_CURL = """
import sys, urllib.error, urllib.request
request = urllib.request.Request(sys.argv[1])
for header in sys.argv[2:]: request.add_header(*header.split(": "))
try: answer = urllib.request.urlopen(request, timeout=20)
except urllib.error.HTTPError as error: answer = error
print(answer.status); print(answer.read().decode())
"""


@pytest.fixture(autouse=True)
def _empty(box: Box) -> None:
    box.empty()


def write_token(box: Box) -> None:
    """By the commands of docs/metrics.md, for a token that is known here."""
    found = re.findall(rf"^    (.*sudo.* {TOKEN_FILE})$", DOCUMENT.read_text(), re.MULTILINE)
    assert len(found) == 2
    for command in found:
        box.by(OWNER, command.replace("openssl rand -hex 16", f"echo {TOKEN}-1234"), check=True)


def asked_on_the_box(box: Box, *headers: str, user: str = VISITOR) -> tuple[int, str]:
    """Return status and text that an ordinary user gets there."""
    box.machine.write("/usr/local/lib/ask.py", _CURL)
    words = " ".join(f"'{header}'" for header in headers)
    answer = box.by(user, f"python3 /usr/local/lib/ask.py {HERE}/metrics {words}", check=True)
    status, _, text = answer.stdout.partition("\n")
    return int(status), text


def asked_in_the_street(box: Box, *headers: str) -> tuple[int, str]:
    """Return curl's exit status where that is not 0, else the answer's status; and the text."""
    options = [word for header in headers for word in ("--header", header)]
    ask = ["curl", "--silent", "--max-time", "20", "--write-out", "%{http_code}", *options]
    answer = subprocess.run(
        [*box.street.within(box.street.street), *ask, f"http://{BOX}:8080/metrics"],
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.returncode or int(answer.stdout[-3:]), answer.stdout[:-3]


def figures(text: str) -> Mapping[str, float]:
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines if name}


@pytest.mark.thorough
def test_metrics_are_for_the_box_itself_unless_there_is_a_token(box: Box) -> None:
    assert asked_on_the_box(box)[0] == 404
    box.configure(metrics={"enabled": True})
    status, text = asked_on_the_box(box)
    assert status == 200
    found = figures(text)
    assert found["tensormask_broker_connected"] == 1
    assert found['tensormask_camera_state{state="running"}'] == 1
    assert found["tensormask_frames_judged_total"] > 0
    assert [name for name in found if name.startswith('tensormask_device_info{device="door-1"')]
    assert asked_in_the_street(box)[0] == 7  # nobody listens there
    if shutil.which("promtool") is None:
        lacking("no promtool", "sudo apt-get install prometheus")
    check = subprocess.run(
        ["promtool", "check", "metrics"], input=text.encode(), capture_output=True, check=False
    )
    assert (check.returncode, check.stdout, check.stderr) == (0, b"", b"")


def test_metrics_go_to_another_machine_with_the_token_only(box: Box) -> None:
    write_password(box)
    write_token(box)
    box.configure(page=OPEN_TO_OTHERS, metrics={"enabled": True, "token_file": TOKEN_FILE})
    since = box.now()
    right = f"Authorization: Bearer {TOKEN}-1234"
    assert asked_in_the_street(box, right)[0] == 200
    assert asked_on_the_box(box, right)[0] == 200
    assert asked_in_the_street(box)[0] == 401
    assert asked_on_the_box(box)[0] == 401
    status, text = asked_in_the_street(box, f"Authorization: Bearer {WRONG}")
    assert status == 401
    assert "tensormask_" not in text
    journal = box.journal("--since", since)
    assert "failed token from 10.79.0" in journal
    assert TOKEN not in journal
    assert WRONG not in journal
    assert box.by(VISITOR, f"cat {TOKEN_FILE}").returncode == 1


@pytest.mark.thorough
def test_metrics_count_a_person_without_a_mask(box: Box) -> None:
    box.configure(metrics={"enabled": True})
    box.camera.show("bare")
    box.until_reported("confirmed")
    box.camera.show("nobody")
    box.until_reported("confirmed", "ended")
    counted = {
        'tensormask_alerts_total{kind="bare"}': 1,
        'tensormask_people_total{required="true",verdict="bare"}': 1,
        "tensormask_messages_delivered_total": 2,
    }

    def is_counted() -> bool:
        found = figures(asked_on_the_box(box)[1])
        return {name: found.get(name) for name in counted} == counted

    wait_until(is_counted, 20, "it is counted")


@pytest.mark.thorough
def test_metrics_without_a_token_beside_a_password_are_refused_at_the_start(box: Box) -> None:
    """And so is a token file that everybody can read, by the same command."""
    write_password(box)
    write_token(box)
    settings = box.machine.output("cat", "/etc/tensormask/tensormask.toml")
    section = '[metrics]\nenabled = true\n[page]\npassword_file = "/etc/tensormask/page-password"\n'
    other = settings.replace("[page]\n", section)

    def write_settings(text: str) -> None:
        box.machine.write("/etc/tensormask/other.toml", text)
        box.machine.run("chgrp", "tensormask", "/etc/tensormask/other.toml")
        box.machine.run("chmod", "640", "/etc/tensormask/other.toml")

    write_settings(other)
    answer = box.by(
        "root", "tensormask check --config /etc/tensormask/other.toml --only configuration"
    )
    assert "[metrics] needs a token_file" in answer.stdout + answer.stderr
    assert answer.returncode == 78
    open_file = other.replace("[metrics]\n", f'[metrics]\ntoken_file = "{TOKEN_FILE}"\n')
    write_settings(open_file)
    box.machine.run("chmod", "644", TOKEN_FILE)
    answer = box.by(
        "root", "tensormask check --config /etc/tensormask/other.toml --only configuration"
    )
    assert f"everybody can read {TOKEN_FILE}" in answer.stdout + answer.stderr
    assert box.show("NRestarts", UNIT) == "0"
