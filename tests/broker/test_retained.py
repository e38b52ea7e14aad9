"""What a real broker retains of a device, and how it is taken back."""

from __future__ import annotations

import re
import shutil
import subprocess
import uuid
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from edge.cli import main
from edge.commands.forget import InUseError, forget
from edge.config import DeviceSettings, MqttSettings, Settings
from edge.daemon.former import FILE, FormerIdentities, Identity
from edge.errors import BrokerError
from edge.publish.broker import BrokerAccess
from edge.publish.mailbox import Retained, Route
from edge.publish.messages import Origin
from edge.publish.outbox.outbox import Outbox
from edge.publish.publisher import MqttPublisher
from tests.broker.conftest import Mosquitto, free_port
from tests.broker.samples import ORIGIN
from tests.edge.samples import IN_USE, TELEMETRY
from tests.needs import lacking
from tests.waiting import until

DISCOVERY = "homeassistant/device/door-1/config"
LAST = "last/of/all"


def retained(mosquitto: Mosquitto) -> list[str]:
    """Return the topics that the broker keeps something of."""
    reader = BrokerAccess(MqttSettings(host="127.0.0.1", port=mosquitto.port)).connect(
        f"reader-{uuid.uuid4()}"
    )
    reader.subscribe(["#"])
    reader.publish(LAST, b"")  # comes after all that was there at the subscription
    topics: list[str] = []

    def has_all() -> bool:
        topics.extend(message.topic for message in reader.turn(0.05).messages)
        return LAST in topics

    until(has_all, "what the broker keeps")
    reader.drop()
    return sorted({*topics} - {LAST})


def _keeps_health(mosquitto: Mosquitto, device_id: str) -> bool:
    return f"tensormask/{device_id}/health" in retained(mosquitto)


def publisher_of(settings: MqttSettings, device_id: str, outbox: Outbox) -> MqttPublisher:
    origin = Origin(device_id, "", "", ORIGIN.model)
    return MqttPublisher(settings, origin, outbox, routes=[Route("homeassistant/status", 100)])


def test_a_device_that_is_renamed_leaves_nothing_of_its_former_name(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    settings = MqttSettings(host="127.0.0.1", port=mosquitto.port)
    outbox = Outbox(tmp_path / "outbox.sqlite")
    for device_id in ("dor-1", "door-1"):
        publisher = publisher_of(settings, device_id, outbox)
        identity = Identity("tensormask", device_id)
        former = FormerIdentities(tmp_path / FILE, identity, publisher.mailbox)
        publisher.publish_state("health", b"{}")
        publisher.start()
        until(partial(_keeps_health, mosquitto, device_id), "its health")
        publisher.close()
        former.tend()
    outbox.close()
    assert retained(mosquitto) == ["tensormask/door-1/availability", "tensormask/door-1/health"]


def test_topics_outside_our_own_can_be_retained_and_heard(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    settings = MqttSettings(host="127.0.0.1", port=mosquitto.port)
    outbox = Outbox(tmp_path / "outbox.sqlite")
    publisher = publisher_of(settings, "door-1", outbox)
    publisher.publish_retained(Retained(DISCOVERY, b"{}"))
    publisher.start()
    until(lambda: DISCOVERY in retained(mosquitto), "the document")
    subprocess.run(
        ["mosquitto_pub", "-p", str(mosquitto.port), "-t", "homeassistant/status", "-m", "online"],
        check=True,
    )
    heard: list[bytes] = []
    (route,) = publisher.mailbox.routes

    def hears() -> bool:
        heard.extend(each.payload for each in publisher.mailbox.take(route))
        return bool(heard)

    until(hears, "the message")
    assert heard == [b"online"]
    publisher.publish_retained(Retained(DISCOVERY, b""))
    until(lambda: publisher.mailbox.is_cleared(DISCOVERY), "the clearing")
    publisher.close()
    outbox.close()
    assert DISCOVERY not in retained(mosquitto)


def test_a_device_that_is_taken_down_is_forgotten(
    mosquitto: Mosquitto, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = MqttSettings(host="127.0.0.1", port=mosquitto.port)
    outbox = Outbox(tmp_path / "outbox.sqlite")
    publisher = publisher_of(settings, "door-1", outbox)
    publisher.publish_state("health", b"{}")
    publisher.start()
    until(lambda: "tensormask/door-1/health" in retained(mosquitto), "its health")
    publisher.close()
    outbox.close()
    config = tmp_path / "tensormask.toml"
    config.write_text(
        f'[mqtt]\nhost = "127.0.0.1"\nport = {mosquitto.port}\n[device]\nid = "door-1"\n'
    )
    assert main(["forget", "--config", str(config)]) == 0
    assert "cleared tensormask/door-1/health" in capsys.readouterr().out
    assert retained(mosquitto) == []


def test_a_device_whose_service_runs_is_not_forgotten(mosquitto: Mosquitto, tmp_path: Path) -> None:
    settings = MqttSettings(host="127.0.0.1", port=mosquitto.port)
    outbox = Outbox(tmp_path / "outbox.sqlite")
    publisher = publisher_of(settings, "door-1", outbox)
    publisher.start()
    until(lambda: "tensormask/door-1/availability" in retained(mosquitto), "it is online")
    telemetry = replace(TELEMETRY, in_use=IN_USE)
    with pytest.raises(
        InUseError, match=r"runs as door-1, .* stop the service first: sudo systemctl stop"
    ):
        forget(Settings(mqtt=settings, device=DeviceSettings(id="door-1")), telemetry)
    # Another one's, which this machine was once called, may be cleared.
    forget(Settings(mqtt=settings, device=DeviceSettings(id="dor-1")), telemetry)
    assert retained(mosquitto) == ["tensormask/door-1/availability"]
    publisher.close()
    outbox.close()


def test_a_broker_that_is_away_leaves_the_command_that_clears_it_later(
    start_mosquitto: Callable[..., Mosquitto], tmp_path: Path
) -> None:
    port = free_port()
    settings = Settings(
        mqtt=MqttSettings(host="127.0.0.1", port=port), device=DeviceSettings(id="door-1")
    )
    with pytest.raises(BrokerError) as error:
        forget(settings)
    assert "the retained messages of door-1 stay; clear them later, on this machine, " in str(
        error.value
    )
    command = re.search("for topic in .*; done$", str(error.value))
    assert command
    broker = start_mosquitto()
    assert command[0].count(f" -p {port} ") == 1
    there = command[0].replace(f" -p {port} ", f" -p {broker.port} ")
    publisher = publisher_of(
        MqttSettings(host="127.0.0.1", port=broker.port), "door-1", Outbox(tmp_path / "o.sqlite")
    )
    publisher.publish_state("health", b"{}")
    publisher.start()
    until(lambda: "tensormask/door-1/health" in retained(broker), "its health")
    publisher.close()
    subprocess.run(["sh", "-ec", there], check=True)
    assert retained(broker) == []


def test_a_broker_elsewhere_is_cleared_from_any_machine() -> None:
    mqtt = MqttSettings(host="192.0.2.7.invalid")
    with pytest.raises(BrokerError, match=r"later, from any machine, .* -h 192\.0\.2\.7\.invalid "):
        forget(Settings(mqtt=mqtt, device=DeviceSettings(id="door-1")))


def test_a_broker_that_does_not_allow_it_is_said_so(tmp_path: Path) -> None:
    program = shutil.which("mosquitto")
    if program is None:
        lacking("no mosquitto", "sudo apt-get install mosquitto")
    (tmp_path / "acl").write_text("topic read #\n")
    broker = Mosquitto(program, tmp_path, f"allow_anonymous true\nacl_file {tmp_path / 'acl'}")
    settings = Settings(
        mqtt=MqttSettings(host="127.0.0.1", port=broker.port), device=DeviceSettings(id="door-1")
    )
    try:
        with pytest.raises(BrokerError, match="rejected clearing tensormask/door-1/"):
            forget(settings)
    finally:
        broker.kill()
