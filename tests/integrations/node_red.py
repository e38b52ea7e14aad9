"""The flow of deploy/node-red in a real Node-RED, with a real broker and a real device.

`make node-red`; npm fetches Node-RED into build/node-red the first time (a minute).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.broker.conftest import Mosquitto, free_port
from tests.needs import lacking
from tests.page.conftest import Daemon
from tests.waiting import DEADLINE_S, until

ROOT = Path(__file__).resolve().parents[2]
FLOW = ROOT / "deploy" / "node-red" / "flow.json"
PROGRAM = ROOT / "build" / "node-red"
VERSION = "4.1.15"
SETTINGS = """
module.exports = {{
    uiHost: "127.0.0.1", uiPort: {port}, flowFile: "flows.json", credentialSecret: "test",
    telemetry: {{ enabled: false }}, logging: {{ console: {{ level: "info" }} }},
}};
"""


@dataclass
class NodeRed:
    """It, with the flow, and what it writes to its console."""

    port: int
    log: Path
    broker: Mosquitto

    @property
    def said(self) -> list[str]:
        """What the nodes on the right of the flow were given, as `node: text`."""
        found = re.findall(r"\[debug:(.+?)\]\s*\n?(.+)", self.log.read_text())
        return [f"{node}: {text.strip()}" for node, text in found]

    def count(self, pattern: str) -> int:
        return sum(re.search(pattern, each) is not None for each in self.said)

    def asked(self, path: str, body: Any = None) -> int:
        """Send a request to the interface of its editor; return the status, 0: no answer."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Node-RED-Deployment-Type": "full"}
        request = Request(f"http://127.0.0.1:{self.port}{path}", data, headers)
        try:
            with urlopen(request, timeout=10) as answer:
                return int(answer.status)
        except HTTPError as error:
            return error.code
        except OSError:
            return 0


def installed() -> Path:
    """Return the program; npm fetches it where it is not there."""
    program = PROGRAM / "node_modules" / "node-red"
    has_it = program.exists() and json.loads((program / "package.json").read_text())
    if not has_it or has_it["version"] != VERSION:
        if shutil.which("npm") is None:
            lacking("no npm", "sudo apt-get install nodejs npm")
        PROGRAM.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--prefix", PROGRAM,
             f"node-red@{VERSION}"],
            check=True, timeout=280,
        )  # fmt: skip
    return program / "red.js"


@pytest.fixture(scope="module")
def node_red(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeRed]:
    if shutil.which("mosquitto", path="/usr/sbin:/usr/bin") is None:
        lacking("no mosquitto", "sudo apt-get install mosquitto")
    program, folder, port = installed(), tmp_path_factory.mktemp("node-red"), free_port()
    (folder / "settings.js").write_text(SETTINGS.format(port=port))
    with ExitStack() as stack:
        broker = Mosquitto("/usr/sbin/mosquitto", folder)
        stack.callback(broker.kill)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                ["node", program, "--userDir", folder],
                stdout=log,
                stderr=log,
                env=os.environ | {"TZ": "UTC"},
            )
        stack.callback(process.wait)
        stack.callback(process.kill)
        running = NodeRed(port, folder / "log", broker)
        until(lambda: running.asked("/flows") == 200, "it answers", deadline_s=120)
        flow = json.loads(FLOW.read_text())
        for node in flow:
            if node["type"] == "mqtt-broker":
                node.update(broker="127.0.0.1", port=str(broker.port))
        assert running.asked("/flows", flow) == 204
        until(lambda: "Connected to broker" in running.log.read_text(), "it is connected")
        yield running


@pytest.fixture(scope="module")
def device(node_red: NodeRed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("device")
    device = Daemon(folder, broker_port=node_red.broker.port, waits=False)
    yield device
    device.kill()


def publish(node_red: NodeRed, topic: str, document: dict[str, Any]) -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", node_red.broker.port)
    client.loop_start()
    client.publish(topic, json.dumps(document), qos=1).wait_for_publish(DEADLINE_S)
    client.disconnect()
    client.loop_stop()


def test_the_flow_has_no_unknown_node_and_no_error(node_red: NodeRed) -> None:
    assert not re.search(r"\[error\]|missing types|unknown", node_red.log.read_text(), re.I)


def test_a_real_device_is_reported_once_a_minute_in_words(
    node_red: NodeRed, device: Daemon
) -> None:
    until(
        lambda: node_red.count("Alert: Museum, north entrance: no mask since 20") == 1, "an alert"
    )
    until(lambda: node_red.count("offline: door-1: online$") == 1, "it is online")
    alert = {"device_id": "door-1", "site": "Museum", "zone": "", "kind": "bare",
             "state": "confirmed", "started_at": "2026-11-23T14:03:20.016Z"}  # fmt: skip
    publish(node_red, "tensormask/door-1/violation", alert | {"event_id": "a"})
    other = alert | {"device_id": "door-2", "kind": "worn_wrongly", "event_id": "b"}
    for _ in range(3):  # a broker may deliver it again
        publish(node_red, "tensormask/door-2/violation", other)
    publish(node_red, "tensormask/door-2/violation", other | {"state": "ended"})
    publish(
        node_red,
        "tensormask/door-3/violation",
        alert | {"device_id": "door-3", "site": "", "event_id": "c"},
    )
    until(lambda: node_red.count("Alert: door-3: no mask") == 1, "the last one")
    assert node_red.count("Alert: Museum: a mask worn wrongly since 2026-11-23") == 1
    assert node_red.count("Alert: ") == 3


def test_conditions_are_said_when_they_begin_and_when_they_are_over(node_red: NodeRed) -> None:
    for conditions in (["camera-lost"], ["camera-lost", "too-hot"], [], []):
        document = {"device_id": "door-4", "conditions": conditions}
        publish(node_red, "tensormask/door-4/health", document)
    until(lambda: node_red.count("door-4: too-hot is over") == 1, "it is over")
    said = [each.partition("door-4: ")[2] for each in node_red.said if "Condition: door-4" in each]
    assert said == ["camera-lost", "too-hot", "camera-lost is over", "too-hot is over"]


def test_what_is_no_document_stops_nothing(node_red: NodeRed) -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", node_red.broker.port)
    client.loop_start()
    for payload in (b"\xff", b"[1", b"5", b""):
        client.publish("tensormask/x/violation", payload, qos=1).wait_for_publish(DEADLINE_S)
    client.disconnect()
    client.loop_stop()
    document = {"device_id": "door-5", "conditions": ["paused"]}
    publish(node_red, "tensormask/door-5/health", document)
    until(lambda: node_red.count("Condition: door-5: paused") == 1, "the next one passes")


def test_it_connects_again_when_the_broker_is_back(node_red: NodeRed) -> None:
    node_red.broker.kill()
    node_red.broker.start()
    document = {"device_id": "door-6", "conditions": ["paused"]}

    def is_back() -> bool:
        publish(node_red, "tensormask/door-6/health", document)
        return node_red.count("Condition: door-6: paused") == 1

    until(is_back, "it has connected again")


def test_a_device_that_vanishes_is_offline(node_red: NodeRed, device: Daemon) -> None:
    """The last one: it kills the device."""
    device.kill()
    until(lambda: node_red.count("offline: door-1: offline$") == 1, "its last will is reported")
