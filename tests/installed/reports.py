"""Reports of an installed box: who gets them, in which form, and what the mask rule does."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from tests.installed.history import pass_by
from tests.installed.lab.box import OWNER, STATE, UNIT, VISITOR, Box, settings_text
from tests.installed.lab.visitor import open_page
from tests.systemd.machine import wait_until

HERE = "http://localhost:8080"
FOLDER = "/srv/printed"
MADE_MS = 90_000
"""A report is made by another process, which waits for its turn on a busy machine."""
OUT_OF_SEASON = '[{ first = "2020-01-01", last = "2020-01-02" }]'


@pytest.fixture(autouse=True)
def _empty(box: Box) -> Iterator[None]:
    box.empty()
    box.machine.run("mkdir", "-p", FOLDER)
    yield
    box.configure()


def written(box: Box) -> None:
    """Have the service write its history: it does when it stops."""
    box.machine.run("systemctl", "restart", UNIT)
    box.until_well()


def today(box: Box, options: str = "") -> dict[str, object]:
    asked = box.by(OWNER, f"sudo tensormask report --day --format json {options}", check=True)
    return dict(json.loads(asked.stdout))


def count(box: Box, part: str, name: str) -> int:
    found = today(box)[part]
    assert isinstance(found, dict)
    return int(found[name])


def test_root_gets_each_format_and_an_ordinary_user_the_command(box: Box) -> None:
    written(box)
    begins = {"table": "Masks worn: day ", "csv": "begin,end,counts.people", "json": "{"}
    for kind, begin in begins.items():
        asked = box.by(OWNER, f"sudo tensormask report --format {kind}", check=True)
        assert asked.stdout.startswith(begin), kind
    for kind, begin in (("html", "<!doctype html>"), ("pdf", "%PDF-1.7")):
        file = f"{FOLDER}/today.{kind}"
        box.by(OWNER, f"sudo tensormask report --format {kind} --output {file}", check=True)
        assert box.machine.output("head", "-c", str(len(begin)), file) == begin
    refused = box.by(VISITOR, "tensormask report --week last")
    assert refused.returncode == 78
    assert "run: sudo tensormask report --week last" in refused.stderr
    assert refused.stderr.count("\n") == 1
    # SQLite, run by root, leaves no file that the service could not write.
    assert box.machine.output("find", STATE, "-name", "history*", "-user", "root") == ""


def test_a_person_without_a_mask_is_in_the_report_and_signed_off(box: Box) -> None:
    without = count(box, "counts", "without")
    alerts = count(box, "alerts", "alerts")
    pass_by(box)
    # Not written yet: it is read from the service's memory.
    wait_until(lambda: count(box, "counts", "without") == without + 1, 20, "it is in the report")
    written(box)
    assert count(box, "counts", "without") == without + 1
    assert count(box, "alerts", "alerts") == alerts + 1
    report = today(box)
    made_with = report["made_with"]
    assert isinstance(made_with, list)
    assert made_with[-1]["text"].startswith("TensorMask ")
    # Yesterday is over: nobody was there, and that can be signed, too.
    sign = "sudo tensormask report --day yesterday --sign-off 'A. Example'"
    assert "signed off by A. Example" in box.by(OWNER, sign, check=True).stdout
    again = box.by(OWNER, "sudo tensormask report --day yesterday", check=True).stdout
    assert "A. Example  this report" in again


def test_yesterday_is_chosen_and_signed_off_on_the_page(box: Box, page: Page) -> None:
    written(box)
    since = box.now()
    open_page(page, f"{HERE}/#reports")
    expect(page.locator("#report-content")).to_be_visible(timeout=MADE_MS)
    page.get_by_role("button", name="Earlier").click()
    # "Sign again", where another proof has signed it.
    page.locator("#report-sign").click(timeout=MADE_MS)
    page.get_by_label("Your name", exact=True).fill("B. Example")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Note").fill("nobody was there")
    dialog.get_by_role("button", name="Sign off").click()
    signed = page.locator("#report-signed")
    expect(signed).to_contain_text("✓ page B. Example, ", timeout=MADE_MS)
    again = box.by(OWNER, "sudo tensormask report --day yesterday", check=True).stdout
    assert re.search("page B. Example +this report +nobody was there", again)
    assert "signed off by page B. Example" in box.journal("--since", since)


@pytest.mark.thorough
def test_out_of_season_people_are_counted_and_nobody_is_reported(box: Box) -> None:
    apart = sum(each["counts"]["people"] for each in _apart(box))
    text = settings_text(calendar={"seasons": "SEASONS", "time_zone": "Europe/Berlin"})
    box.write_settings(text.replace('"SEASONS"', OUT_OF_SEASON))
    box.machine.run("systemctl", "restart", UNIT)
    box.until_well()
    box.expect_no_report("bare")
    box.camera.show("nobody")
    frames = box.telemetry()["frames"]
    wait_until(lambda: box.telemetry()["frames"] > frames + 60, 60, "the person has left")
    status = box.by(VISITOR, "tensormask status").stdout
    assert "the mask rule is off since 2020-01-02 23:00 UTC, by calendar" in status
    wait_until(lambda: box.retained("health")["mask_rule"]["on"] is False, 20, "health says so")
    assert "rule-off" in box.retained("health")["conditions"]
    written(box)
    assert sum(each["counts"]["people"] for each in _apart(box)) > apart


def _apart(box: Box) -> list[dict[str, dict[str, int]]]:
    found = today(box)["apart"]
    assert isinstance(found, list)
    return found


@pytest.mark.thorough
def test_the_summary_is_retained_at_the_broker(box: Box) -> None:
    begun_s = time.monotonic()
    written(box)
    wait_until(lambda: bool(box.retained("report")), 180, "two minutes after the start it is there")
    assert time.monotonic() - begun_s > 60
    report = box.retained("report")
    assert report["schema"] == "tensormask/report/1"
    day = datetime.fromisoformat(report["today"]["begin"])
    assert day <= datetime.now(UTC)
    assert report["today"]["watched_s"] > 0
