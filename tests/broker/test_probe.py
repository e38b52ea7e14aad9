"""Checking a broker beside a service that runs: it is asked, and not thrown out."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge.commands.checks import check_broker, is_open_elsewhere
from edge.config import (
    CommandSettings,
    DeviceSettings,
    MqttSettings,
    Settings,
)
from edge.errors import BrokerError
from edge.host.in_use import broker_digest, broker_name
from edge.publish.probe import probe_broker
from edge.telemetry import BrokerState, Telemetry
from tests.broker.conftest import Mosquitto, StartDevice, Subscriber, until
from tests.broker.samples import ORIGIN
from tests.edge.samples import IN_USE, TELEMETRY


@pytest.fixture
def naming(start_mosquitto: Callable[..., Mosquitto], tmp_path: Path) -> MqttSettings:
    """A broker that gives each user one name, as one with a certificate for each device does."""
    users, secret = tmp_path / "users", tmp_path / "secret"
    users.touch()
    subprocess.run(["mosquitto_passwd", "-b", users, "door-1", "word"], check=True)
    secret.touch(0o600)
    secret.write_text("word\n")
    broker = start_mosquitto(
        f"allow_anonymous false\npassword_file {users}\nuse_username_as_clientid true"
    )
    return MqttSettings(
        host="127.0.0.1", port=broker.port, username="door-1", password_file=str(secret)
    )


def running_with(settings: Settings, state: BrokerState) -> Telemetry:
    used = replace(IN_USE, broker=broker_name(settings), broker_settings=broker_digest(settings))
    return replace(TELEMETRY, broker=state, in_use=used)


def test_a_check_asks_the_running_service_and_does_not_throw_it_out(
    naming: MqttSettings, start_device: StartDevice
) -> None:
    device = start_device(
        port=naming.port, username=naming.username, password_file=naming.password_file
    )
    until(lambda: device.publisher.state.protocol == "MQTT 5", "the device")
    settings = Settings(mqtt=naming, device=DeviceSettings(id="door-1"))
    said = check_broker(settings, running_with(settings, device.publisher.state))
    assert said == (f"in use by the running service: connected to 127.0.0.1:{naming.port}, MQTT 5")
    device.report(3)
    until(lambda: device.waiting() == 0, "an empty outbox")
    assert device.publisher.state.reconnects == 0


@pytest.mark.parametrize(
    ("state", "complaint"),
    [
        (BrokerState(False, 0, "none"), "not connected to .* yet; ask again"),
        (BrokerState(False, 2, "MQTT 5", "it is away"), "running service: it is away"),
        (BrokerState(True, 0, "MQTT 5", refusal="messages wait"), "messages wait"),
    ],
)
def test_what_keeps_the_running_service_from_its_broker_is_a_failure(
    state: BrokerState, complaint: str
) -> None:
    settings = Settings(mqtt=MqttSettings(host="broker.example"))
    with pytest.raises(BrokerError, match=complaint):
        check_broker(settings, running_with(settings, state))


def test_a_broker_of_other_settings_is_tried_under_another_name(
    mosquitto: Mosquitto, start_device: StartDevice, subscribe: Callable[..., Subscriber]
) -> None:
    device = start_device(port=mosquitto.port)
    until(lambda: device.publisher.state.connected, "the device")
    settings = Settings(
        mqtt=MqttSettings(host="127.0.0.1", port=mosquitto.port), device=DeviceSettings(id="door-1")
    )
    other = replace(IN_USE, broker_settings="of another broker")
    said = check_broker(settings, replace(TELEMETRY, in_use=other))
    assert said == f"127.0.0.1:{mosquitto.port}, MQTT 5"
    assert mosquitto.log_count("as tensormask-door-1 ") == 1
    late = subscribe(mosquitto.port)
    until(lambda: late.states == ["online"], "what the service says")


def test_a_service_that_nobody_hears_of_is_known_by_its_outbox(
    mosquitto: Mosquitto, start_device: StartDevice, tmp_path: Path
) -> None:
    file = tmp_path / "outbox.sqlite"
    assert not is_open_elsewhere(file)
    device = start_device(port=mosquitto.port)
    until(lambda: device.publisher.state.connected, "the device")
    device.report(1)
    assert is_open_elsewhere(file)
    device.close()
    assert not is_open_elsewhere(file)


def test_a_digest_changes_with_whatever_a_connection_is_made_with(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.touch()
    mqtt = MqttSettings(host="b", username="u", password_file=str(secret))
    first = Settings(mqtt=mqtt, device=DeviceSettings(id="door-1"))
    others = [
        Settings(mqtt=MqttSettings(host="b", username="v", password_file=str(secret)),
                 device=first.device),
        Settings(mqtt=mqtt, device=DeviceSettings(id="door-2")),
        Settings(mqtt=mqtt, device=first.device, commands=CommandSettings(allowed=("pause",))),
    ]  # fmt: skip
    same = Settings(mqtt=mqtt, device=DeviceSettings(id="door-1", site="elsewhere"))
    digests = {broker_digest(each) for each in (first, *others)}
    assert len(digests) == 4
    assert broker_digest(same) == broker_digest(first)
    os.utime(secret, (1, 1))
    assert broker_digest(first) not in digests


def test_a_topic_that_is_denied_is_a_fault_and_named(
    start_mosquitto: Callable[..., Mosquitto], tmp_path: Path
) -> None:
    rules = tmp_path / "acl"
    rules.write_text("topic write tensormask/door-2/#\n")
    broker = start_mosquitto(f"allow_anonymous true\nacl_file {rules}")
    settings = Settings(
        mqtt=MqttSettings(host="127.0.0.1", port=broker.port), device=DeviceSettings(id="door-1")
    )
    found = probe_broker(settings, ORIGIN)
    assert found.faults == [
        "no permission to publish tensormask/door-1/availability: not authorized"
    ]
    with pytest.raises(BrokerError, match="door-1/availability: not authorized"):
        check_broker(settings)
