"""What systemd reports when the service fails, by docs/integrations.md, on an installed box."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installed.lab.box import SETTINGS, UNIT, Box, settings_text
from tests.systemd.machine import wait_until

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "integrations.md"
DROP_IN = f"/etc/systemd/system/{UNIT}.d/on-failure.conf"
REPORTER = "/etc/systemd/system/tensormask-failed@.service"
SAID = "/srv/failures"
LISTENER = "listens-for-failures.service"


@pytest.fixture
def reported(box: Box) -> Iterator[Box]:
    """A box that reports to its own broker, and a subscriber."""
    box.empty()
    text = DOCUMENT.read_text(encoding="utf-8")
    for path in (DROP_IN, REPORTER):
        assert f"`{path}`" in text
    drop_in, reporter = re.findall(r"```ini\n(.*?)```", text, re.DOTALL)
    box.machine.run("mkdir", "-p", str(Path(DROP_IN).parent))
    box.machine.write(DROP_IN, drop_in)
    box.machine.write(REPORTER, reporter.replace("broker.example", "localhost"))
    box.machine.run("systemctl", "daemon-reload")
    box.machine.run(
        *("systemd-run", f"--unit={LISTENER}", f"--property=StandardOutput=append:{SAID}"),
        *("mosquitto_sub", "-h", "localhost", "-v", "-t", "tensormask-failed/#"),
    )
    wait_until(lambda: "Sent" in listening(box), 20, "it listens")
    yield box
    box.machine.run("systemctl", "stop", LISTENER)
    box.machine.run("rm", "-f", DROP_IN, REPORTER)
    box.machine.run("systemctl", "daemon-reload")
    box.write_settings(settings_text())
    box.start()
    box.until_well()


def listening(box: Box) -> str:
    """Say something on the topic, and return whether the subscriber has got it."""
    publish = "mosquitto_pub -h localhost -t tensormask-failed/test -m Sent"
    box.machine.run(*publish.split(), check=False)
    return said(box)


def said(box: Box) -> str:
    return box.machine.run("cat", SAID, check=False).stdout


def test_a_crash_and_wrong_settings_are_reported_by_systemd(reported: Box) -> None:
    box = reported
    name = box.machine.output("hostname")
    box.machine.run("kill", "-KILL", box.show("MainPID"))
    wait_until(lambda: f"tensormask-failed/{name} signal-KILL" in said(box), 20, "it is reported")
    wait_until(box.is_well, 60, "it has been restarted")
    box.write_settings(settings_text(mqtt={"host": ""}))
    box.machine.run("systemctl", "restart", UNIT, check=False)
    wait_until(lambda: f"/{name} exit-code-78" in said(box), 20, "it is reported")
    assert box.show("ActiveState") == "failed"
    assert SETTINGS in box.journal("-u", UNIT, "-n", "20")


@pytest.mark.thorough
def test_a_stop_on_purpose_is_not_reported_and_the_doctor_takes_the_drop_in(reported: Box) -> None:
    box = reported
    before = said(box).replace("tensormask-failed/test Sent\n", "")
    box.machine.run("systemctl", "restart", UNIT)
    box.until_well()
    assert said(box).replace("tensormask-failed/test Sent\n", "") == before
    assert "unit-" not in box.by("root", "tensormask doctor --json").stdout
