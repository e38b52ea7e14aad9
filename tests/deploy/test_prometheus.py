"""The alert rules and the dashboard that come along: what promtool says, and what they name."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.needs import lacking
from tools.dashboard.grafana import FILE, text
from tools.dashboard.panels import queries

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy" / "prometheus"
KNOWN = set(re.findall(r"^\| `(tensormask_\w+)` \|", (ROOT / "docs/metrics.md").read_text(), re.M))
_SERIES = re.compile(r"\btensormask_\w+")


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((RULES / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def named_in(expression: str) -> set[str]:
    """Return the metrics of an expression; a histogram's under its own name."""
    return {re.sub("_seconds_(bucket|sum|count)$", "_seconds", each) for each in
            _SERIES.findall(expression)}  # fmt: skip


@pytest.mark.parametrize("command", ["check rules alerts.yml", "test rules alerts-test.yml"])
def test_promtool_finds_the_rules_right(command: str) -> None:
    if shutil.which("promtool") is None:
        lacking("no promtool", "sudo apt-get install prometheus")
    answer = subprocess.run(
        ["promtool", *command.split()], cwd=RULES, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "SUCCESS" in answer.stdout


def test_each_alert_is_tested_both_ways_and_says_what_to_do() -> None:
    fires: set[str] = set()
    is_silent: set[str] = set()
    for each in yaml.safe_load((RULES / "alerts-test.yml").read_text())["tests"]:
        # door-1 is in each, and never among those that fire.
        assert any('instance="door-1"' in series["series"] for series in each["input_series"])
        for expected in each["alert_rule_test"]:
            names = {alert["exp_labels"]["instance"] for alert in expected["exp_alerts"]}
            assert "door-1" not in names
            (fires if names else is_silent).add(expected["alertname"])
    alerts = [rule for rule in rules() if "alert" in rule]
    assert fires == {rule["alert"] for rule in alerts}
    assert {rule["alert"] for rule in alerts if "for" in rule} - is_silent <= {
        "TensorMaskClockNotSet"
    }
    assert all(set(rule["annotations"]) == {"summary", "fix"} for rule in alerts)
    assert {rule["labels"]["severity"] for rule in alerts} == {"critical", "warning"}


def test_rules_and_dashboard_name_only_metrics_that_there_are() -> None:
    expressions = [rule["expr"] for rule in rules()] + [query.expression for query in queries()]
    named = {name for expression in expressions for name in named_in(expression)}
    assert named - KNOWN == set()
    # Shown or alerted on, each of them; one that nobody looks at is not worth a scrape.
    # Those of each of several cameras, and of zones, are there for those who have some.
    several = {name for name in KNOWN if name.startswith(("tensormask_each_", "tensormask_place_"))}
    assert KNOWN - named - several == {"tensormask_state_time_seconds",
                                       "tensormask_quarantined_files",
                                       "tensormask_camera_view"}  # fmt: skip


def test_the_dashboard_is_what_its_module_makes() -> None:
    assert FILE.read_text(encoding="utf-8") == text(), "run: make dashboard"
    panels = json.loads(text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells), "two panels overlap"
