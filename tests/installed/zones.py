"""Zones with policies of their own, in one picture of an installed box."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.installed.lab.box import STATE, UNIT, Box
from tests.installed.lab.camera import BARE_AT
from tests.installed.lab.visitor import draw_zone, expect_live, expect_said, open_page
from tests.installed.page import HERE
from tests.systemd.machine import wait_until

BORDER = BARE_AT[0] - 0.12
"""Between the two people of the scene."""


def zone(name: str, policy: str, left: float, right: float) -> dict[str, object]:
    corners = [[left, 0.0], [right, 0.0], [right, 1.0], [left, 1.0]]
    return {"name": name, "polygon": corners, "policy": policy}


@pytest.fixture(autouse=True)
def _empty(box: Box) -> None:
    box.empty()


def test_of_two_zones_one_reports_and_one_only_counts(box: Box) -> None:
    box.configure(zone=[zone("Hall", "count", 0, BORDER), zone("Gate", "violation", BORDER, 1)])
    box.camera.show("two bare")
    box.until_reported("confirmed")
    frames = box.telemetry()["frames"]
    wait_until(lambda: box.telemetry()["frames"] > frames + 40, 30, "forty frames more")
    box.camera.show("nobody")
    reported = box.until_reported("confirmed", "ended")
    assert [(each["place"], each["zone"]) for each in reported] == [("Gate", "north entrance")] * 2
    wait_until(lambda: counted(box) == {"Hall": 1, "Gate": 1, "": 0}, 90, "both are counted once")
    compliance = box.retained("compliance")
    since = compliance["since_start"]
    assert (since["bare"], since["counted_apart"], since["rate_of"], since["rate"]) == (2, 1, 1, 0)


@pytest.mark.thorough
def test_nobody_is_judged_in_an_ignored_zone(box: Box) -> None:
    box.configure(zone=[zone("Table", "ignore", BORDER, 1)])
    box.expect_no_report("bare")
    box.camera.show("nobody")
    # Somebody else comes, so that it is known that the counts are later.
    box.camera.show("masked")
    frames = box.telemetry()["frames"]
    wait_until(lambda: box.telemetry()["frames"] > frames + 40, 30, "forty frames more")
    box.camera.show("nobody")
    wait_until(
        lambda: box.retained("compliance")["since_start"]["masked"] == 1, 90, "he is counted"
    )
    assert box.retained("compliance")["since_start"]["seen"] == 1
    assert box.violations() == []


@pytest.mark.thorough
def test_a_drawn_zone_holds_outlives_a_restart_and_is_said_when_damaged(
    box: Box, page: Page
) -> None:
    box.camera.show("bare")
    open_page(page, HERE)
    expect_live(page, 1)
    corners = ((BORDER, 0.1), (0.95, 0.1), (0.95, 0.95), (BORDER, 0.95))
    try:
        draw_zone(page, corners, "Table", "ignore")
        expect_said(page, "Table")
        box.empty()
        box.expect_no_report("bare")
        box.machine.run("systemctl", "restart", UNIT)
        box.until_well()
        box.empty()
        box.expect_no_report("bare")
        box.machine.write(f"{STATE}/zones.json", "{")
        box.machine.run("systemctl", "restart", UNIT)
        box.until_reported("confirmed")
        expect_said(page, "zones that were drawn cannot be read", 60)
    finally:
        box.machine.run("rm", "-f", f"{STATE}/zones.json")
        box.machine.run("systemctl", "restart", UNIT)
        box.until_well()


def counted(box: Box) -> dict[str, int]:
    """Return how many without a mask each place has had since the start."""
    places: list[dict[str, Any]] = box.retained("compliance")["places"]
    return {each["place"]: each["since_start"]["bare"] for each in places}
