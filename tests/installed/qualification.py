"""The owner of an installed box walks past it, and gets a sheet of paper."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from edge.classify.card import DEFAULT_BUNDLE, load_bundle
from edge.detect.card import read_card
from edge.eyes import NetworkPair
from edge.qualify.store import FILE, SCHEMA, keep_progress
from edge.qualify.walks import Progress, plan
from edge.records import MaskState, Verdict
from tests.installed.lab.box import STATE, UNIT, VISITOR, Box
from tests.installed.lab.visitor import open_page
from tests.systemd.machine import wait_until

ANSWERS, SAID, SHEET = "/root/answers", "/root/said", "/root/sheet.html"
TALK = "walks.service"
_JOURNAL = f"""
import sqlite3
history = sqlite3.connect("file:{STATE}/history.sqlite?mode=ro", uri=True)
print(history.execute("SELECT by, text FROM journal WHERE kind = 'qualified'").fetchall())
"""
_RIGHT = {
    MaskState.MASKED: Verdict.MASKED,
    MaskState.BARE: Verdict.BARE,
    MaskState.WORN_WRONGLY: Verdict.WORN_WRONGLY,
}


@pytest.fixture
def talk(box: Box, tmp_path: Path) -> Iterator[Box]:
    """Go on with the last two of all walks, as root; the answers come through a pipe."""
    box.empty()
    networks = NetworkPair(load_bundle(DEFAULT_BUNDLE).card.model_sha256, read_card().sha256)
    progress = Progress(SCHEMA, time.time(), networks, is_alone=False)
    for walk in plan(is_alone=False)[:-2]:
        verdicts = [_RIGHT[walk.state]] * walk.people
        progress = progress.with_done(walk, verdicts, [80.0] * walk.people)
    keep_progress(tmp_path, progress)
    box.machine.write(f"{STATE}/{FILE}", (tmp_path / FILE).read_text())
    box.machine.run("mkfifo", ANSWERS)
    command = f"tensormask qualify --output {SHEET} <>{ANSWERS} >{SAID} 2>&1"
    box.machine.run(
        *("systemd-run", f"--unit={TALK}", "--setenv=SUDO_USER=owner", "--collect"),
        *("su", "-", "root", "--whitelist-environment=SUDO_USER", "-c", command),
    )
    yield box
    box.machine.run("systemctl", "stop", TALK, check=False)
    box.machine.run("rm", "-f", ANSWERS, SAID, SHEET)


def answer(box: Box, question: str, number: int) -> None:
    """Wait until it is asked for that time, and press Enter."""
    wait_until(lambda: said(box).count(question) >= number, 60, f"{question}: {said(box)}")
    box.machine.run("sh", "-c", f"echo >{ANSWERS}")


def said(box: Box) -> str:
    return box.machine.run("cat", SAID, check=False).stdout


@pytest.mark.thorough
def test_the_owner_walks_past_and_the_door_is_qualified(talk: Box) -> None:
    for number, scene in enumerate(("masked", "bare"), 1):
        answer(talk, "out of the picture", number)
        wait_until(lambda: said(talk).count("walk past now") >= number, 60, said(talk))  # noqa: B023
        talk.camera.show(scene)
        frames = talk.telemetry()["frames"]
        wait_until(lambda: talk.telemetry()["frames"] > frames + 40, 90, "it looks")  # noqa: B023
        talk.camera.show("nobody")
        answer(talk, "done as asked?", number)
    wait_until(lambda: "the sheet: " in said(talk), 60, said(talk))
    text = said(talk)
    assert "going on after walk 54 of 56" in text
    assert text.index("counted: 1 with a mask") < text.index("counted: 1 without a mask")
    assert "QUALIFIED: all criteria are met." in talk.machine.output("cat", SHEET)
    kept = talk.machine.output("/usr/bin/python3", "-c", _JOURNAL)
    assert "'owner'" in kept
    assert '"faults":[]' in kept
    owners = talk.machine.output("sh", "-c", f"stat --format=%U {STATE}/history.sqlite*")
    assert set(owners.split()) == {"tensormask"}
    assert talk.is_well()


@pytest.mark.thorough
def test_people_are_labeled_on_the_page_and_no_picture_is_kept(box: Box, page: Page) -> None:
    box.empty()
    box.until_well()
    before = files(box)
    open_page(page, "http://localhost:8080#label")
    page.get_by_label("Who labels").fill("reception")
    page.get_by_role("button", name="Start recording").click()
    expect(page.locator("#label-progress")).to_contain_text("Recording, ")
    for scene in ("masked", "bare"):
        box.camera.show(scene)
        frames = box.telemetry()["frames"]
        wait_until(lambda: box.telemetry()["frames"] > frames + 40, 90, "it looks")  # noqa: B023
        box.camera.show("nobody")
        name = "Mask" if scene == "masked" else "No mask"
        expect(page.locator("#label-images img").first).to_be_visible(timeout=60_000)
        label = page.locator("#label-choices").get_by_role("button", name=name, exact=True)
        label.click()
        expect(page.locator("#label-who")).to_contain_text("Nobody waits")
    page.get_by_role("button", name="End the recording").click()
    page.get_by_role("button", name="Show the result").click()
    expect(page.locator("#label-verdict")).to_contain_text("Not qualified")
    kept = box.machine.output("/usr/bin/python3", "-c", _JOURNAL)
    assert "'page reception'" in kept
    assert '"state":"masked","size_px":0,"shown":1,"masked":1,"bare":0' in kept
    assert '"state":"bare","size_px":0,"shown":1,"masked":0,"bare":1' in kept
    assert files(box) == before, "nothing but rows of the history is new"
    assert box.is_well()


def files(box: Box) -> set[str]:
    """Return all files that the service may write, without those that a database comes and goes
    with."""
    found = box.machine.output("find", STATE, "/run/tensormask", "-type", "f").split()
    return {each for each in found if not each.endswith(("-wal", "-shm", "-journal", ".json"))}


@pytest.mark.thorough
def test_who_may_not_and_a_service_that_does_not_run_are_said(box: Box) -> None:
    refused = box.by(VISITOR, "tensormask qualify")
    assert refused.returncode == 78
    assert "sudo tensormask qualify" in refused.stderr
    assert box.by(VISITOR, "test -w /run/tensormask/visits.sock").returncode == 1
    box.machine.run("systemctl", "stop", UNIT)
    stopped = box.by("root", "tensormask qualify </dev/null")
    box.start()
    box.until_well()
    assert stopped.returncode == 3
    assert "the service is not running" in stopped.stderr
