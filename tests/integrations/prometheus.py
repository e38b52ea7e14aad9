"""A real Prometheus that collects from a real device: each query has an answer.

The device judges a clip with somebody who wears no mask, and reports to a real broker. `make
integrations-test` runs this.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from tests.broker.conftest import Mosquitto, free_port
from tests.deploy.test_prometheus import KNOWN, RULES, rules
from tests.needs import lacking
from tests.page.conftest import Daemon
from tests.waiting import until
from tools.dashboard.panels import queries

TOKEN = "0123456789abcdef0123"
SETTINGS = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}/alerts.yml"]
scrape_configs:
  - job_name: tensormask
    authorization: {{credentials_file: "{token}"}}
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
  - job_name: without-token
    metrics_path: /metrics
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""
PAGE = """
[metrics]
enabled = true
token_file = "{token}"
"""


@dataclass
class Prometheus:
    """It, and the device that it collects from."""

    port: int
    device: Daemon

    def get(self, path: str, **parameters: str) -> Any:
        """Return the answer of its API; None: it does not answer yet."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urlencode(parameters)}"
        try:
            with urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except OSError:
            return None

    def value(self, query: str) -> float:
        """Return what one series has; -1: there is none."""
        answer = self.get("query", query=query)
        return float(answer["result"][0]["value"][1]) if answer and answer["result"] else -1.0


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    for program, package in (("prometheus", "prometheus"), ("mosquitto", "mosquitto")):
        if shutil.which(program, path="/usr/bin:/usr/sbin") is None:
            lacking(f"no {program}", f"sudo apt-get install {package}")
    folder = tmp_path_factory.mktemp("prometheus")
    token = folder / "token"
    token.touch(0o600)
    token.write_text(f"{TOKEN}\n")
    with ExitStack() as stack:
        broker = Mosquitto("/usr/sbin/mosquitto", folder)
        stack.callback(broker.kill)
        device = Daemon(folder, PAGE.format(token=token), broker_port=broker.port)
        stack.callback(device.kill)
        settings, port = folder / "prometheus.yml", free_port()
        settings.write_text(SETTINGS.format(rules=RULES, token=token, port=device.port))
        subprocess.run(
            ["promtool", "check", "config", str(settings)], check=True, capture_output=True
        )
        with (folder / "prometheus.log").open("wb") as log:
            process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={settings}",
                    f"--storage.tsdb.path={folder / 'series'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                ],
                stdout=log,
                stderr=log,
            )
        stack.callback(process.wait)
        stack.callback(process.kill)
        running = Prometheus(port, device)
        # Two scrapes at least after the first person was reported.
        until(
            lambda: (
                running.value('tensormask_alerts_total{kind="bare"}') >= 1
                and running.value("count_over_time(tensormask_frames_judged_total[1m])") > 15
            ),
            "somebody without a mask is reported",
            deadline_s=120,
        )
        yield running


def test_it_collects_with_the_token_and_not_without(prometheus: Prometheus) -> None:
    targets = {
        each["labels"]["job"]: (each["health"], each["lastError"])
        for each in prometheus.get("targets")["activeTargets"]
    }
    assert targets["tensormask"] == ("up", "")
    # The first wrong tokens are refused, later ones have to wait: no token is refused each time.
    assert targets["without-token"][0] == "down"
    assert "401" in targets["without-token"][1]


def test_it_has_each_metric_of_the_document(prometheus: Prometheus) -> None:
    told = prometheus.get("targets/metadata", match_target='{job="tensormask"}')
    names = {each["metric"] for each in told}
    # In the form of OpenMetrics, which it asked for, a counter's family has no suffix.
    plain = {re.sub("_(total|info)$", "", name) for name in KNOWN}
    assert {re.sub("_(total|info)$", "", name) for name in names} == plain


def test_each_query_of_the_dashboard_has_an_answer(prometheus: Prometheus) -> None:
    empty = []
    for query in queries():
        text = query.text.replace("$instance", ".*").replace("$__rate_interval", "10s")
        answer = prometheus.get("query", query=text)
        assert answer is not None, text
        if not answer["result"] and query.always:
            empty.append(text)
    assert empty == []


def test_each_rule_is_evaluated_and_what_it_compares_is_there(prometheus: Prometheus) -> None:
    told = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
    assert {rule["name"] for rule in told} == {
        rule.get("alert") or rule["record"] for rule in rules()
    }
    assert {rule["health"] for rule in told} == {"ok"}
    missing = []
    for rule in rules():
        for selector in re.findall(r"(tensormask_\w+(?:\{[^}]*\})?)", rule["expr"]):
            answer = prometheus.get("query", query=selector)
            assert answer is not None, selector
            if not answer["result"] and "certificate" not in selector:  # this device has none
                missing.append(selector)
    assert missing == []


def test_a_device_that_is_well_has_no_critical_alert(prometheus: Prometheus) -> None:
    told = prometheus.get("alerts")["alerts"]
    critical = [each for each in told if each["labels"]["severity"] == "critical"]
    assert critical == []


def test_the_series_are_few_and_stay_as_many(prometheus: Prometheus) -> None:
    """docs/metrics.md says so: about 200."""
    series = '{job="tensormask", __name__=~"tensormask_.*"}'
    now = prometheus.value(f"count({series})")
    assert 150 < now < 250
    assert prometheus.value(f"count({series} offset 8s)") == now


def test_collecting_takes_little(prometheus: Prometheus) -> None:
    took_s = prometheus.value('scrape_duration_seconds{job="tensormask"}')
    assert 0 < took_s < 1
    samples = prometheus.value('scrape_samples_scraped{job="tensormask"}')
    print(f"{samples:.0f} samples in {1000 * took_s:.0f} ms")  # noqa: T201 - a figure


def test_a_device_that_stops_is_seen_as_silent(prometheus: Prometheus) -> None:
    """The last one: it stops the device."""
    prometheus.device.stop()
    until(lambda: prometheus.value('up{job="tensormask"}') == 0, "it is down")
    until(
        lambda: any(
            each["labels"]["alertname"] == "TensorMaskSilent"
            for each in prometheus.get("alerts")["alerts"]
        ),
        "the alert is pending",
    )
