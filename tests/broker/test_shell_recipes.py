"""The lines for a shell in docs/integrations.md, run as they stand before a real broker."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.broker.conftest import Mosquitto
from tests.needs import lacking
from tests.waiting import DEADLINE_S, until

DOCS = Path(__file__).resolve().parents[2] / "docs"
_SECTION = re.compile(r"## A shell\n(.*?)\n## ", re.DOTALL)
RECIPES = re.findall(
    r"```sh\n(.*?)```", _SECTION.findall((DOCS / "integrations.md").read_text())[0], re.DOTALL
)
LIVE, ONLINE, WRONG, TABLE, COMMAND = RECIPES
EXAMPLES = {
    document["schema"].split("/")[1]: document
    for document in map(
        json.loads, re.findall(r"```json\n(.*?)```", (DOCS / "mqtt.md").read_text(), re.DOTALL)
    )
    if "schema" in document and document.get("state") != "ended"
}
"""The documents of docs/mqtt.md, by topic."""


@pytest.fixture
def broker(mosquitto: Mosquitto) -> Mosquitto:
    for program, package in (("mosquitto_sub", "mosquitto-clients"), ("jq", "jq")):
        if shutil.which(program) is None:
            lacking(f"no {program}", f"sudo apt-get install {package}")
    return mosquitto


def publish(broker: Mosquitto, name: str, *options: str, device: str = "door-1") -> None:
    topic = f"tensormask/{device}/{name}"
    document = json.dumps(EXAMPLES[name] | {"device_id": device, "event_id": f"of-{device}"})
    words = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(broker.port), "-t", topic]
    subprocess.run([*words, *options, "-m", document], check=True)


@contextmanager
def run(broker: Mosquitto, recipe: str, folder: Path) -> Iterator[Callable[[], str]]:
    """Run a recipe of several processes; give what it has written so far."""
    line = recipe.replace("broker.example", f"127.0.0.1 -p {broker.port}")
    # What the system's log would get is written down instead.
    line = line.replace("logger -t tensormask", "echo")
    output = folder / "output"
    with output.open("wb") as file:
        process = subprocess.Popen(
            ["sh", "-c", line], stdout=file, stderr=file, start_new_session=True
        )
    try:
        yield output.read_text
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(DEADLINE_S)


def answered(broker: Mosquitto, recipe: str) -> list[str]:
    """Return the lines of a recipe that ends by itself."""
    line = recipe.replace("broker.example", f"127.0.0.1 -p {broker.port}")
    answer = subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, check=False, timeout=DEADLINE_S
    )
    return answer.stdout.splitlines()


def test_every_violation_is_shown_as_it_happens(broker: Mosquitto, tmp_path: Path) -> None:
    with run(broker, LIVE, tmp_path) as said:

        def is_shown() -> bool:
            publish(broker, "violation")
            return "\n" in said()

        until(is_shown, "a line comes")
        line = said().splitlines()[0]
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S* tensormask/door-1/violation \{", line)


def test_who_is_online_what_is_wrong_and_how_many_came(broker: Mosquitto) -> None:
    for device in ("door-1", "door-2"):
        for name in ("availability", "health", "compliance"):
            publish(broker, name, "-r", device=device)
    assert sorted(answered(broker, ONLINE)) == ["door-1 online", "door-2 online"]
    assert "door-1: under-voltage, on-trial" in answered(broker, WRONG)
    hour = EXAMPLES["compliance"]["last_hour"]
    assert sorted(line.split(",")[1:] for line in answered(broker, TABLE)) == [
        [f'"{device}"', str(hour["seen"]), str(hour["rate"])] for device in ("door-1", "door-2")
    ]


def test_a_command_runs_once_for_each_violation_and_for_those_that_came_meanwhile(
    broker: Mosquitto, tmp_path: Path
) -> None:
    with run(broker, COMMAND, tmp_path) as said:

        def is_run() -> bool:
            publish(broker, "violation", "-q", "1")
            return "\n" in said()

        until(is_run, "the command is run")
        publish(broker, "violation", "-q", "1")  # the same again
        publish(broker, "violation", "-q", "1", device="other")
        until(lambda: "other" in said(), "the next one")
        assert said().splitlines() == ["no mask at door-1", "no mask at other"]
    publish(broker, "violation", "-q", "1", device="door-2")
    with run(broker, COMMAND, tmp_path) as said:
        until(lambda: "no mask at door-2" in said(), "what came meanwhile")
    assert said().count("door-2") == 1
