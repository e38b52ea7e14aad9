"""What was done about an alert is said on the installed box, in each of the ways, and published."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.installed.lab.box import DEVICE, STATE, UNIT, USUAL, Box
from tests.systemd.machine import wait_until

SAID = "/srv/said"
ANSWERS = "/srv/answers"
ALLOWED = {"allowed": [*USUAL["commands"]["allowed"], "acknowledge", "rule"]}  # type: ignore[misc]
REASON = "--reason forgotten --remedy mask-handed-out"


class Heard:
    """What somebody at the broker hears: acknowledgements, and responses to commands."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._sent = 0

    def said(self) -> list[dict[str, Any]]:
        return self._read(SAID)

    def until_said(self, count: int) -> dict[str, Any]:
        wait_until(lambda: len(self.said()) >= count, 30, f"{count} acknowledgements")
        return self.said()[-1]

    def order(self, name: str, **fields: object) -> dict[str, Any]:
        """Send a command, and return the response."""
        self._sent += 1
        document = json.dumps({"request_id": f"r{self._sent}", **fields})
        to = f"tensormask/{DEVICE}/command/{name}"
        self._box.machine.run("mosquitto_pub", "-h", "localhost", "-t", to, "-m", document)
        wait_until(lambda: len(self._read(ANSWERS)) == self._sent, 30, f"a response to {name}")
        return self._read(ANSWERS)[-1]

    def _read(self, path: str) -> list[dict[str, Any]]:
        lines = self._box.machine.run("cat", path, check=False).stdout.splitlines()
        return [json.loads(line) for line in lines]


@pytest.fixture
def heard(box: Box) -> Iterator[Heard]:
    box.empty()
    box.configure(commands=ALLOWED)
    before = _subscribers(box)
    units = (("said", "acknowledgement", SAID), ("answers", "response", ANSWERS))
    for unit, topic, path in units:
        box.machine.run("rm", "-f", path)
        listen = f"mosquitto_sub -h localhost -q 1 -t tensormask/{DEVICE}/{topic} -F %p"
        append = f"--property=StandardOutput=append:{path}"
        box.machine.run("systemd-run", f"--unit={unit}", append, *listen.split())
    wait_until(lambda: _subscribers(box) >= before + len(units), 10, "both listen")
    yield Heard(box)
    for unit, _, _ in units:
        box.machine.run("systemctl", "stop", unit, check=False)


def _subscribers(box: Box) -> int:
    table = box.machine.run("ss", "-tnpH", "state", "established", check=False).stdout
    return table.count("mosquitto_sub")


def an_alert(box: Box) -> str:
    """Have somebody without a mask come and go; return the event, when the history has it."""
    box.camera.show("bare")
    confirmed, _ = _both(box)
    wait_until(lambda: _is_known(box, confirmed), 120, "the history has the alert")
    return confirmed


def _both(box: Box) -> tuple[str, str]:
    box.until_reported("confirmed")
    box.camera.show("nobody")
    found = box.until_reported("confirmed", "ended")
    return found[0]["event_id"], found[1]["event_id"]


def _is_known(box: Box, event_id: str) -> bool:
    return event_id in box.by("root", "tensormask alerts").stdout


def test_root_acknowledges_and_others_are_told_whom_it_needs(box: Box, heard: Heard) -> None:
    event_id = an_alert(box)
    for command in ("tensormask alerts", f"tensormask acknowledge {event_id} {REASON}"):
        answer = box.by("visitor", command)
        assert answer.returncode == 78, answer.stdout + answer.stderr
        assert f"run: sudo {command}" in answer.stderr
    answer = box.by("owner", f"sudo tensormask acknowledge newest {REASON} --note 'at the door'")
    assert answer.stdout.startswith(f"{event_id}: forgotten, mask-handed-out"), answer.stderr
    message = heard.until_said(1)
    assert (message["event_id"], message["by"], message["note"]) == (
        event_id,
        "owner",
        "at the door",
    )
    # What another proof left open stays open.
    assert event_id not in box.by("root", "tensormask alerts").stdout
    listed = box.by("root", "tensormask alerts list --all").stdout
    assert "forgotten, mask-handed-out" in listed
    assert "by owner: at the door" in listed
    # What root has written is still the service's.
    owners = box.machine.output("sh", "-c", f"stat -c %U {STATE}/history.sqlite*").split()
    assert set(owners) == {"tensormask"}


@pytest.mark.thorough
def test_what_is_said_while_the_service_is_stopped_is_published_later(
    box: Box, heard: Heard
) -> None:
    event_id = an_alert(box)
    box.machine.run("systemctl", "stop", UNIT)
    box.by("root", f"tensormask acknowledge {event_id} {REASON} --by ward-3", check=True)
    owners = box.machine.output("sh", "-c", f"stat -c %U {STATE}/history.sqlite*").split()
    assert set(owners) == {"tensormask"}
    box.start()
    message = heard.until_said(1)
    assert (message["event_id"], message["by"]) == (event_id, "ward-3")
    box.until_well()


@pytest.mark.thorough
def test_an_alert_is_acknowledged_over_mqtt_at_once_and_corrected(box: Box, heard: Heard) -> None:
    box.camera.show("bare")
    (confirmed,) = box.until_reported("confirmed")
    answer = heard.order("acknowledge", reason="refused", remedy="sent-away", by="desk")
    assert answer["outcome"] == "done", answer
    message = heard.until_said(1)
    assert message["event_id"] == confirmed["event_id"]
    assert (message["reason"], message["remedy"], message["by"]) == (
        "refused",
        "sent-away",
        "command desk",
    )
    assert message["sequence"] > confirmed["sequence"]
    assert message["confirmed_at"] == confirmed["confirmed_at"]
    event = confirmed["event_id"]
    assert heard.order("acknowledge", event_id=event, reason="exempt")["outcome"] == "done"
    assert heard.until_said(2)["reason"] == "exempt"
    unknown = "019ab11c-92d2-7f3a-8d1e-52c0b0a4e6d7"
    answer = heard.order("acknowledge", event_id=unknown)
    assert (answer["outcome"], answer["reason"]) == ("failed", f"no alert {unknown} is known here")
    assert heard.order("acknowledge", reason="lost")["outcome"] == "refused"


def test_an_alert_is_acknowledged_on_the_page(box: Box, heard: Heard, page: Page) -> None:
    box.camera.show("bare")
    (confirmed,) = box.until_reported("confirmed")
    page.goto("http://localhost:8080#alerts")
    page.locator("#alerts").get_by_role("button", name="Acknowledge: No mask").first.click()
    page.get_by_label("Why there was no mask").select_option(label="Forgotten")
    page.get_by_label("What was done", exact=True).select_option(label="Mask put on")
    page.get_by_label("Your name or role").fill("reception")
    page.get_by_role("button", name="Save").click()
    message = heard.until_said(1)
    assert (message["event_id"], message["by"]) == (confirmed["event_id"], "page reception")
    page.get_by_role("button", name="All").click()
    expect(page.locator("#alerts .said").first).to_contain_text("✓ Forgotten · Mask put on")


def test_the_mask_rule_is_switched_by_root_by_command_and_on_the_page(
    box: Box, heard: Heard, page: Page
) -> None:
    answer = box.by("visitor", "tensormask rule off")
    assert "run: sudo tensormask rule off" in answer.stderr
    assert "the mask rule is off, by owner" in box.by("owner", "sudo tensormask rule off").stdout
    wait_until(lambda: not box.telemetry()["rule"]["is_on"], 30, "it is off")
    box.expect_no_report("bare")
    box.camera.show("nobody")
    page.goto("http://localhost:8080#setup")
    expect(page.locator("#rule-state")).to_contain_text("Off since ")
    page.get_by_role("button", name="Switch the rule on").click()
    page.get_by_label("Who says so").fill("reception")
    page.get_by_role("button", name="Switch", exact=True).click()
    expect(page.locator("#rule-state")).to_contain_text(", by page reception: who wears no mask")
    # What holds already is done, and is no entry.
    assert heard.order("rule", state="on", by="desk")["outcome"] == "done"
    again = box.by("owner", "sudo tensormask rule on").stdout
    assert "the mask rule is on already, since " in again
    assert ", by page reception: nothing was written" in again
    listed = box.by("root", "tensormask rule list").stdout.splitlines()
    assert [each.partition("  ")[2] for each in listed[-3:-1]] == [
        "the mask rule is off, by owner",
        "the mask rule is on, by page reception",
    ]
    box.camera.show("bare")
    box.until_reported("confirmed")
    # A report is made on the installed box, in the service's sandbox, and has the alert.
    page.get_by_role("link", name="Reports").click()
    expect(page.locator("#report-verdict")).to_contain_text("alert", timeout=60_000)
    with page.expect_download() as waiting:
        page.locator("#report-files").get_by_role("link", name="PDF").click()
    assert waiting.value.suggested_filename.startswith("tensormask-day-")
