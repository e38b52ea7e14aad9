"""The announcement for Home Assistant at brokers that refuse, disconnect or keep nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.config import MqttSettings, Settings, parse_settings
from edge.daemon.home_assistant import births, open_home_assistant
from edge.publish.broker import Backoff
from edge.publish.outbox.outbox import Outbox
from edge.publish.publisher import MqttPublisher
from tests.broker.samples import ORIGIN
from tests.broker.strict import HANG_UP, HangUpError, Publish, StrictBroker
from tests.waiting import until

STATUS, COMMANDS = "homeassistant/status", "tensormask/door-1/command/+"
CONFIG = "homeassistant/device/tensormask/door-1/config"
QUICK = Backoff(first_s=0.02, longest_s=0.1)
Start = Callable[[int], MqttPublisher]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a device that obeys commands and announces itself, at a port."""
    closing: list[Callable[[], object]] = []

    def started(port: int) -> MqttPublisher:
        settings: Settings = parse_settings(
            {
                "mqtt": {"host": "127.0.0.1", "port": port},
                "device": {"id": "door-1"},
                "home_assistant": {"enabled": True},
            },
            "file.toml",
        )
        outbox = Outbox(tmp_path / "outbox.sqlite")
        mqtt: MqttSettings = settings.mqtt
        publisher = MqttPublisher(
            mqtt,
            ORIGIN,
            outbox,
            backoff=QUICK,
            max_command_bytes=512,
            routes=births(settings.home_assistant, tmp_path),
        )
        closing.extend((outbox.close, publisher.close))
        outlet = open_home_assistant(settings, publisher, ORIGIN, {}, tmp_path)
        assert outlet is not None
        outlet.start()
        publisher.publish_state("health", b"{}")
        publisher.start()
        return publisher

    yield started
    for close in reversed(closing):
        close()


def config_of(broker: StrictBroker) -> list[Publish]:
    return [each for each in broker.taken if each.topic == CONFIG]


def refusing(how: str, unwanted: str, asked: list[str]) -> Callable[[str], int]:
    """Return what denies one subscription in some way, and notes all in `asked`."""

    def subscribe(topic: str) -> int:
        asked.append(topic)
        if topic != unwanted:
            return 0
        if how == "hangs up":
            raise HangUpError
        return 0x80 | (HANG_UP if how == "says so and hangs up" else 0)

    return subscribe


@pytest.mark.parametrize("how", ["says so", "says so and hangs up", "hangs up"])
@pytest.mark.parametrize("versions", [(4,), (5,)])
def test_commands_come_where_the_birth_may_not_be_heard(
    strict: Callable[..., StrictBroker],
    start: Start,
    caplog: pytest.LogCaptureFixture,
    how: str,
    versions: tuple[int, ...],
) -> None:
    asked: list[str] = []
    broker = strict(versions=versions, subscribe=refusing(how, STATUS, asked))
    publisher = start(broker.port)
    until(lambda: publisher.state.connected and config_of(broker), "the announcement")
    until(lambda: broker.payloads("health"), "a state")
    words = f"received from {STATUS}" if how == "says so" else f"disconnects at {STATUS}"
    until(lambda: words in caplog.text, "the reason")
    assert COMMANDS in asked
    assert f"disconnects at {COMMANDS}" not in caplog.text
    assert f"received from {COMMANDS}" not in caplog.text


@pytest.mark.parametrize("code", [0x87, None])
def test_a_broker_that_refuses_the_announcement_gets_all_else(
    strict: Callable[..., StrictBroker],
    start: Start,
    code: int | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def publish(came: Publish) -> int:
        if came.topic == CONFIG:
            if code is None:
                raise HangUpError
            return code
        return 0

    broker = strict(versions=(4,) if code is None else (5,), publish=publish)
    publisher = start(broker.port)
    until(lambda: any(CONFIG in limit for limit in publisher.state.limits), "the limit")
    until(lambda: broker.payloads("health"), "a state")
    until(lambda: publisher.state.connected, "the connection")
    assert publisher.state.retains, "it was not that"
    assert caplog.text.count(f"disconnects at {CONFIG}; check its access rules") <= 1


def test_an_announcement_that_is_too_large_is_said_and_not_sent(
    strict: Callable[..., StrictBroker], start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    broker = strict(versions=(5,), connack_properties=b"\x27" + (4000).to_bytes(4, "big"))
    start(broker.port)
    until(lambda: broker.payloads("health"), "a state")
    until(lambda: f"does not take a message as large as {CONFIG}" in caplog.text, "the reason")
    assert config_of(broker) == []


def test_where_nothing_is_retained_it_is_announced_all_the_same(
    strict: Callable[..., StrictBroker], start: Start
) -> None:
    broker = strict(versions=(5,), connack_properties=b"\x25\x00")
    start(broker.port)
    until(lambda: config_of(broker), "the announcement")
    (came,) = config_of(broker)
    assert not came.retain
    assert json.loads(came.payload)["origin"]["name"] == "TensorMask"
