"""Brokers that take less than MQTT has: real ones, and the rules of clouds on a real socket."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from edge.commands.forget import forget
from edge.config import DeviceSettings, MqttSettings, Settings
from edge.errors import BrokerError
from edge.publish.broker import Backoff, BrokerAccess
from edge.publish.connection import Connection, Will
from edge.publish.outbox.outbox import Outbox
from edge.publish.probe import Probe, probe_broker
from edge.publish.publisher import MqttPublisher
from tests.broker.conftest import Mosquitto, StartDevice, Subscriber, until
from tests.broker.device import Device
from tests.broker.samples import ORIGIN
from tests.broker.strict import HANG_UP, Connect, HangUpError, Publish, StrictBroker

QUICK = Backoff(first_s=0.02, longest_s=0.2)
KEEPS_NOTHING = "allow_anonymous true\nretain_available false"
QOS_0_ONLY = "allow_anonymous true\nmax_qos 0"
MISSED = {KEEPS_NOTHING: "retains nothing", QOS_0_ONLY: "QoS 0 only"}
"""What is said of each."""


@pytest.fixture(params=MISSED, ids=[*MISSED.values()])
def conf(request: pytest.FixtureRequest) -> str:
    """The settings of a Mosquitto that takes less than MQTT has."""
    return str(request.param)


@pytest.fixture(params=["auto", "3.1.1"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def probe(port: int, **mqtt: Any) -> Probe:
    settings = Settings(
        mqtt=MqttSettings(host="127.0.0.1", port=port, **mqtt), device=DeviceSettings(id="door-1")
    )
    return probe_broker(settings, ORIGIN, timeout_s=1.0)


def _given(payload: bytes, sequence: int) -> bytes:
    return payload


def settle(device: Device, count: int = 30) -> list[int]:
    """Report this many, with states between, until all have arrived."""
    device.publisher.publish_state("health", b'{"a": 1}')
    sent = device.report(count)
    device.publisher.publish_state("compliance", b'{"b": 2}')
    until(lambda: device.waiting() == 0, "an empty outbox")
    return sent


def test_violations_and_states_arrive_at_a_broker_that_takes_less(
    start_mosquitto: Callable[..., Mosquitto],
    subscribe: Callable[..., Subscriber],
    start_device: StartDevice,
    conf: str,
    protocol: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    broker = start_mosquitto(conf)
    subscriber = subscribe(broker.port)
    device = start_device(port=broker.port, protocol=protocol, backoff=QUICK)
    sent = settle(device)
    until(lambda: subscriber.sequences == sent, "all of them, once and in order")
    until(lambda: subscriber.payloads("compliance") and subscriber.payloads("health"), "states")
    state = device.publisher.state
    assert (state.retains, state.qos) == (conf == QOS_0_ONLY, 0 if conf == QOS_0_ONLY else 1)
    (limit,) = state.limits
    assert MISSED[conf] in limit
    assert caplog.text.count(MISSED[conf]) == 1, "said once"
    device.close()
    until(lambda: subscriber.states[-1] == "stopped", "an orderly end")
    late = subscribe(broker.port)
    if conf == QOS_0_ONLY:
        until(lambda: late.states == ["stopped"], "the retained state")


def test_the_will_arrives_at_a_broker_that_takes_less(
    start_mosquitto: Callable[..., Mosquitto],
    subscribe: Callable[..., Subscriber],
    conf: str,
    protocol: str,
) -> None:
    broker = start_mosquitto(conf)
    subscriber = subscribe(broker.port)
    settings = MqttSettings(host="127.0.0.1", port=broker.port, protocol=protocol)  # type: ignore[arg-type]
    connected(settings).drop()
    until(lambda: subscriber.payloads("availability") == [b"gone"], "the will")


def connected(settings: MqttSettings) -> Connection:
    """Try as often as there is something else to try."""
    access = BrokerAccess(settings)
    while True:
        try:
            return access.connect("door-1", Will("tensormask/door-1/availability", b"gone"), 1.0)
        except BrokerError:
            if not access.lessons.is_guess:
                raise


def test_a_check_says_the_same_and_leaves_nothing(
    start_mosquitto: Callable[..., Mosquitto],
    subscribe: Callable[..., Subscriber],
    conf: str,
    protocol: str,
) -> None:
    broker = start_mosquitto(conf)
    found = probe(broker.port, protocol=protocol)
    assert found.faults == []
    assert any(MISSED[conf] in hint for hint in found.hints)
    late = subscribe(broker.port)
    assert late.messages == []


def test_a_check_leaves_what_the_broker_keeps(
    mosquitto: Mosquitto, subscribe: Callable[..., Subscriber], start_device: StartDevice
) -> None:
    found = probe(mosquitto.port)
    assert (found.faults, found.hints) == ([], [])
    assert subscribe(mosquitto.port).messages == []
    device = start_device(port=mosquitto.port)
    until(lambda: device.publisher.state.connected, "the device")
    device.close()
    probe(mosquitto.port)
    late = subscribe(mosquitto.port)
    until(lambda: late.states == ["stopped"], "the device's own last word")


def test_nothing_is_cleared_where_nothing_is_kept(
    start_mosquitto: Callable[..., Mosquitto], subscribe: Callable[..., Subscriber]
) -> None:
    broker = start_mosquitto(KEEPS_NOTHING)
    subscriber = subscribe(broker.port)
    settings = Settings(mqtt=MqttSettings(host="127.0.0.1", port=broker.port))
    assert len(forget(settings)) == 6
    assert subscriber.messages == []


# Brokers of MQTT 3.1.1 and of clouds say nothing: they disconnect.

AVAILABILITY = "tensormask/door-1/availability"


def no_retain(came: Connect | Publish) -> int:
    """AWS IoT without the right to retain:
    https://github.com/aws/aws-iot-device-sdk-python-v2/issues/113"""
    if came.will_retain if isinstance(came, Connect) else came.retain:
        raise HangUpError
    return 0


def test_a_broker_that_disconnects_at_what_is_to_be_retained_gets_it_unretained(
    strict: Callable[..., StrictBroker],
    start_device: StartDevice,
    caplog: pytest.LogCaptureFixture,
) -> None:
    broker = strict(versions=(4,), connect=no_retain, publish=no_retain)
    device = start_device(port=broker.port, backoff=QUICK)
    settle(device)
    until(lambda: broker.payloads("compliance") and broker.payloads("health"), "the states")
    assert {each.will_retain for each in broker.connects[-1:]} == {False}
    assert device.publisher.state.retains is False
    assert caplog.text.count("retains nothing") == 1
    assert len(broker.connects) <= 5


def test_a_broker_that_takes_a_retained_will_and_no_retained_message(
    strict: Callable[..., StrictBroker], start_device: StartDevice
) -> None:
    def publish(came: Publish) -> int:
        return no_retain(came)

    broker = strict(versions=(4,), publish=publish)
    device = start_device(port=broker.port, backoff=QUICK)
    settle(device)
    until(lambda: broker.payloads("compliance") and broker.payloads("health"), "the states")
    assert device.publisher.state.retains is False
    found = probe(broker.port)
    assert found.faults == []
    assert "disconnects at a retained message" in found.hints[0]


@pytest.mark.parametrize("code", [None, 0x87])
def test_a_state_that_is_denied_by_hanging_up_does_not_keep_violations(
    strict: Callable[..., StrictBroker],
    start_device: StartDevice,
    code: int | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """RabbitMQ, VerneMQ, HiveMQ and AWS end the connection where an access rule denies a topic:
    https://github.com/rabbitmq/rabbitmq-server/pull/15123"""

    def publish(came: Publish) -> int:
        if came.topic.endswith("/health"):
            raise HangUpError(code)
        return 0

    broker = strict(versions=(4,) if code is None else (5,), publish=publish)
    device = start_device(port=broker.port, backoff=QUICK)
    settle(device)
    until(lambda: broker.payloads("compliance"), "another state")
    assert "the broker disconnects at tensormask/door-1/health" in caplog.text
    assert device.publisher.state.retains, "it was not that"
    (limit,) = device.publisher.state.limits
    assert "tensormask/door-1/health" in limit
    hang_ups = broker.hang_ups
    device.publisher.publish_state("health", b"{}")
    settle(device)
    assert broker.hang_ups == hang_ups <= 6


def test_violations_that_are_denied_by_hanging_up_wait_and_states_go_on(
    strict: Callable[..., StrictBroker], start_device: StartDevice
) -> None:
    is_allowed = False

    def publish(came: Publish) -> int:
        if came.topic.endswith("/violation") and not is_allowed:
            raise HangUpError
        return 0

    broker = strict(versions=(4,), publish=publish)
    device = start_device(port=broker.port, backoff=Backoff(first_s=0.02, longest_s=0.5))
    device.report(5)
    until(lambda: device.publisher.state.refusal != "", "the refusal to be understood")
    assert "does not take message" in device.publisher.state.refusal
    device.publisher.publish_state("health", b'{"a": 1}')
    until(lambda: broker.payloads("health")[-1:] == [b'{"a": 1}'], "a state")
    assert device.waiting() == 5
    assert device.outbox.state().refused == 0
    is_allowed = True
    until(lambda: device.waiting() == 0, "all of them")
    assert device.publisher.state.refusal == ""


def test_a_message_that_is_too_large_for_a_broker_that_disconnects_goes_without_its_picture(
    strict: Callable[..., StrictBroker], start_device: StartDevice
) -> None:
    """https://github.com/eclipse-paho/paho.mqtt.python/issues/760"""

    def publish(came: Publish) -> int:
        if len(came.payload) > 128:
            raise HangUpError
        return 0

    broker = strict(versions=(4,), publish=publish)
    device = start_device(port=broker.port, backoff=QUICK)
    until(lambda: device.publisher.state.connected, "the device")
    picture = b'{"sequence":1,"snapshot":"' + b"/9j/" * 100 + b'"}'
    device.outbox.append("tensormask/door-1/violation", lambda _: picture)
    device.outbox.append("tensormask/door-1/violation", lambda _: b'{"sequence":2}')
    device.publisher.wake()
    until(lambda: device.waiting() == 0, "an empty outbox")
    assert broker.payloads("violation") == [b'{"sequence":1,"snapshot":null}', b'{"sequence":2}']


def test_a_document_that_always_ends_the_connection_is_kept_aside_and_the_others_arrive(
    strict: Callable[..., StrictBroker], start_device: StartDevice
) -> None:
    def publish(came: Publish) -> int:
        if came.payload == b"bad":
            raise HangUpError
        return 0

    broker = strict(versions=(4,), publish=publish)
    device = start_device(port=broker.port, backoff=Backoff(first_s=0.02, longest_s=0.3))
    for payload in (b"a", b"bad", b"c", b"d"):
        device.outbox.append("tensormask/door-1/violation", partial(_given, payload))
    device.publisher.wake()
    until(lambda: device.waiting() == 0, "an empty outbox")
    assert sorted(set(broker.payloads("violation"))) == [b"a", b"c", b"d"]
    assert device.outbox.state().refused == 1


def test_a_broker_that_ends_each_connection_after_some_messages_gets_all(
    strict: Callable[..., StrictBroker], start_device: StartDevice
) -> None:
    """A limit of messages, as of https://github.com/thingsboard/thingsboard/issues/14003"""

    def publish(came: Publish) -> int:
        if came.number > 7:
            raise HangUpError
        return 0

    broker = strict(versions=(4,), publish=publish)
    device = start_device(port=broker.port, backoff=Backoff(first_s=0.02, longest_s=0.1))
    device.report(30)
    until(lambda: device.waiting() == 0, "an empty outbox")
    assert len(set(broker.payloads("violation"))) + device.outbox.state().refused == 30
    assert device.outbox.state().refused == 0


def test_a_broker_where_our_topics_are_not_allowed_at_all_is_not_hammered(
    strict: Callable[..., StrictBroker],
    start_device: StartDevice,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Azure IoT Hub has topics of its own:
    https://github.com/MicrosoftDocs/azure-docs/issues/93606"""

    def any_other(came: Connect | Publish) -> int:
        topic = came.will_topic if isinstance(came, Connect) else came.topic
        if topic and not topic.startswith("devices/"):
            raise HangUpError
        return 0

    broker = strict(versions=(4,), connect=any_other, publish=any_other)
    found = probe(broker.port)
    assert found.faults == [
        f"no permission to publish {AVAILABILITY}: the broker 127.0.0.1:{broker.port}: "
        "the connection was lost"
    ]
    device = start_device(port=broker.port, backoff=Backoff(first_s=0.02, longest_s=2.0))
    device.report(5)
    until(lambda: device.publisher.state.refusal != "", "the refusal to be understood")
    hung_up = broker.hang_ups
    assert hung_up < 20
    with pytest.raises(pytest.fail.Exception):
        until(lambda: broker.hang_ups > hung_up + 5, "nothing", deadline_s=3.0)
    assert device.waiting() == 5
    assert "does not report a device that vanishes" in caplog.text


@pytest.mark.parametrize(("code", "waits"), [(0x10, 0), (0x97, 2), (0x87, 2)])
def test_what_a_puback_says_decides(
    strict: Callable[..., StrictBroker], start_device: StartDevice, code: int, waits: int
) -> None:
    """0x10, no subscriber, is no refusal: https://github.com/haxall/haxall/issues/58"""
    answer = {"violation": code}
    broker = strict(publish=lambda came: answer.get(came.topic.rpartition("/")[2], 0))
    device = start_device(port=broker.port, backoff=Backoff(first_s=0.02, longest_s=0.2))
    device.report(2)
    if waits:
        until(lambda: device.publisher.state.refusal != "", "the refusal")
        assert device.waiting() == 2
        answer.clear()
    until(lambda: device.waiting() == 0, "an empty outbox")
    assert len(broker.payloads("violation")) == 2
    assert (device.publisher.state.refusal, device.outbox.state().refused) == ("", 0)


@pytest.mark.parametrize("code", [0x90, 0x99])
def test_a_document_that_is_refused_for_itself_is_kept_aside_at_once(
    strict: Callable[..., StrictBroker], start_device: StartDevice, code: int
) -> None:
    broker = strict(publish=lambda came: code if came.topic.endswith("/violation") else 0)
    device = start_device(port=broker.port, backoff=QUICK)
    device.report(2)
    until(lambda: device.outbox.state().refused == 2, "both aside")
    assert device.waiting() == 0


@pytest.mark.parametrize("code", [0x90, 0x95, 0x99])
def test_a_document_that_ends_the_connection_with_a_word_for_itself_is_kept_aside(
    strict: Callable[..., StrictBroker], start_device: StartDevice, code: int
) -> None:
    def publish(came: Publish) -> int:
        if came.topic.endswith("/violation"):
            raise HangUpError(code)
        return 0

    broker = strict(publish=publish)
    device = start_device(port=broker.port, backoff=QUICK)
    device.report(2)
    until(lambda: device.outbox.state().refused == 2, "both aside")
    assert device.waiting() == 0


def test_what_is_written_with_qos_0_waits_until_the_broker_has_read_it(
    strict: Callable[..., StrictBroker], start_device: StartDevice
) -> None:
    broker = strict(versions=(5,), connack_properties=b"\x24\x00", answers_pings=False)
    device = start_device(port=broker.port, backoff=QUICK)
    device.report(3)
    until(lambda: broker.hang_ups >= 3, "attempts")
    assert device.waiting() == 3
    broker.rules.answers_pings = True
    until(lambda: device.waiting() == 0, "an empty outbox")
    assert len(set(broker.payloads("violation"))) == 3


def test_the_broker_s_keep_alive_is_kept(
    strict: Callable[..., StrictBroker], start_device: StartDevice
) -> None:
    """https://github.com/emqx/emqx/issues/12233"""
    broker = strict(versions=(5,), connack_properties=b"\x13\x00\x01")
    device = start_device(port=broker.port)
    until(lambda: broker.pings >= 2, "a sign of life each second", deadline_s=10.0)
    assert device.publisher.state.connected


@pytest.mark.parametrize("says_so", [False, True])
def test_a_subscription_that_ends_the_connection_is_done_without(
    strict: Callable[..., StrictBroker],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    says_so: bool,
) -> None:
    """RabbitMQ answers that it is denied, and disconnects:
    https://github.com/rabbitmq/rabbitmq-server/issues/12742"""

    def subscribe(topic: str) -> int:
        if says_so:
            return HANG_UP | 0x80
        raise HangUpError

    broker = strict(versions=(4,), subscribe=subscribe)
    outbox = Outbox(tmp_path / "outbox.sqlite")
    publisher = MqttPublisher(
        MqttSettings(host="127.0.0.1", port=broker.port),
        ORIGIN,
        outbox,
        backoff=QUICK,
        max_command_bytes=512,
    )
    publisher.start()
    until(lambda: broker.payloads("availability"), "the device")
    publisher.close()
    outbox.close()
    assert "the broker disconnects at tensormask/door-1/command/+" in caplog.text
    assert len(broker.connects) <= 4


def test_a_will_that_is_denied_with_a_code_is_done_without(
    strict: Callable[..., StrictBroker], start_device: StartDevice
) -> None:
    broker = strict(versions=(5,), connect=lambda came: 0x87 if came.will_topic else 0)
    assert "no last will" in probe(broker.port).hints[0]
    device = start_device(port=broker.port, backoff=Backoff(first_s=0.02, longest_s=0.2))
    settle(device)
    assert device.publisher.state.retains


def test_a_proxy_whose_broker_is_still_starting_teaches_nothing(
    strict: Callable[..., StrictBroker], start_device: StartDevice
) -> None:
    attempts = []

    def connect(came: Connect) -> int:
        attempts.append(came)
        if len(attempts) < 6:
            raise HangUpError
        return 0

    broker = strict(connect=connect)
    device = start_device(port=broker.port, backoff=QUICK)
    settle(device)
    assert device.publisher.state.limits == ()
    assert broker.connects[-1].will_retain


def test_another_server_is_named(strict: Callable[..., StrictBroker]) -> None:
    broker = strict(connect=lambda came: 0x9C)
    with pytest.raises(BrokerError, match="rejected the connection: use another server"):
        probe(broker.port)
