"""The publisher against real brokers, with a real subscriber; `test_outages.py` has the worst."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from paho.mqtt.enums import MQTTProtocolVersion

from edge.config import MqttSettings
from edge.errors import BrokerError
from edge.publish.broker import Backoff
from edge.publish.outbox.outbox import Outbox
from edge.publish.publisher import MqttPublisher
from edge.publish.schemas import path_of
from tests.broker.conftest import Mosquitto, StartDevice, Subscriber, free_port, until
from tests.broker.samples import ORIGIN, probed

BASE = "tensormask/door-1"


def validate(subscriber: Subscriber) -> None:
    """Check every message so far against the published schema."""
    for message in subscriber.messages:
        schema = json.loads(path_of(message.topic.rpartition("/")[2]).read_bytes())
        Draft202012Validator(schema).validate(json.loads(message.payload))


class TestWithMosquitto:
    def test_documents_arrive_in_order_on_their_topics_and_leave_the_outbox(
        self, mosquitto: Mosquitto, subscribe: Callable[..., Subscriber], start_device: StartDevice
    ) -> None:
        subscriber = subscribe(mosquitto.port)
        device = start_device(port=mosquitto.port)
        sent = device.report(100)
        until(lambda: device.waiting() == 0, "an empty outbox")
        until(lambda: subscriber.sequences == sent, "all documents, once and in order")
        device.close()
        until(lambda: subscriber.states == ["online", "stopped"], "an orderly end")
        assert {m.topic for m in subscriber.messages} == {
            "tensormask/door-1/availability",
            "tensormask/door-1/violation",
        }
        assert {m.qos for m in subscriber.messages} == {1}
        assert device.publisher.state.protocol == "MQTT 5"
        validate(subscriber)

    def test_states_are_retained_and_only_the_latest(
        self, mosquitto: Mosquitto, subscribe: Callable[..., Subscriber], start_device: StartDevice
    ) -> None:
        device = start_device(port=mosquitto.port)
        for number in range(50):
            device.publisher.publish_state("health", b'{"number": %d}' % number)
        device.report(1)
        until(lambda: device.waiting() == 0, "an empty outbox")
        device.close()
        late = subscribe(mosquitto.port)
        until(lambda: len(late.messages) == 2, "the retained states")
        assert late.payloads("health") == [b'{"number": 49}']
        assert late.states == ["stopped"]
        assert all(m.retain for m in late.messages)

    def test_a_killed_process_is_announced_by_its_will(
        self,
        mosquitto: Mosquitto,
        subscribe: Callable[..., Subscriber],
        start_process: Callable[..., subprocess.Popen[str]],
    ) -> None:
        subscriber = subscribe(mosquitto.port)
        process = start_process(mosquitto.port, 0)
        until(lambda: subscriber.states == ["online"], "the process")
        process.send_signal(signal.SIGKILL)
        until(lambda: subscriber.states == ["online", "offline"], "the will")
        validate(subscriber)
        late = subscribe(mosquitto.port)
        until(lambda: late.states == ["offline"], "the retained will")

    def test_nothing_is_lost_while_the_broker_is_away(
        self,
        remembering: Mosquitto,
        witness: Subscriber,
        start_device: StartDevice,
    ) -> None:
        device = start_device(port=remembering.port)
        device.publisher.publish_state("health", b'{"before": true}')
        until(lambda: witness.payloads("health"), "the state")
        remembering.kill()
        until(lambda: not device.publisher.connected, "the loss to be noticed")
        sent = device.report(250)
        device.publisher.publish_state("health", b'{"before": false}')
        assert device.waiting() == 250
        remembering.start()
        until(lambda: witness.sequences == sent, "all documents, once and in order")
        until(lambda: device.waiting() == 0, "an empty outbox")
        states = [b'{"before": true}', b'{"before": false}']
        until(lambda: witness.payloads("health") == states, "both states")
        until(lambda: witness.states == ["online", "online"], "both connections")
        assert device.publisher.state.reconnects == 1

    def test_accepted_documents_survive_a_killed_process(
        self,
        mosquitto: Mosquitto,
        subscribe: Callable[..., Subscriber],
        start_process: Callable[..., subprocess.Popen[str]],
    ) -> None:
        subscriber = subscribe(mosquitto.port)
        accepted: list[int] = []
        for _ in range(3):
            process = start_process(mosquitto.port, 1000, 0.001)
            assert process.stdout is not None
            accepted += [int(process.stdout.readline()) for _ in range(30)]
            process.kill()
            accepted += [int(line) for line in process.stdout.read().split()]
        process = start_process(mosquitto.port, 0)
        until(lambda: set(accepted) <= set(subscriber.sequences), "every accepted document")
        assert accepted == sorted(set(accepted))
        first_arrivals = list(dict.fromkeys(subscriber.sequences))
        assert first_arrivals == list(range(1, len(first_arrivals) + 1))
        by_sequence: dict[int, set[bytes]] = {}
        for payload in subscriber.payloads("violation"):
            by_sequence.setdefault(json.loads(payload)["sequence"], set()).add(payload)
        assert all(len(payloads) == 1 for payloads in by_sequence.values()), "altered repeats"

    def test_a_broker_that_is_down_at_the_start_is_waited_for(
        self,
        mosquitto: Mosquitto,
        subscribe: Callable[..., Subscriber],
        start_device: StartDevice,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        mosquitto.kill()
        device = start_device(port=mosquitto.port)
        device.report(3)
        until(lambda: "refuses the connection" in caplog.text, "the warning")
        mosquitto.start()
        until(lambda: device.waiting() == 0, "an empty outbox")
        assert caplog.text.count("refuses the connection") == 1, "said once"

    def test_an_end_without_a_broker_is_quick_and_keeps_the_outbox(
        self, start_device: StartDevice, tmp_path: Path
    ) -> None:
        device = start_device(port=free_port())
        device.report(2)
        device.close(timeout_s=2.0)
        outbox = Outbox(tmp_path / "outbox.sqlite")
        assert outbox.state().rows == 2
        outbox.close()

    def test_a_wrong_password_is_said_once_and_retried_slowly(
        self,
        start_mosquitto: Callable[..., Mosquitto],
        start_device: StartDevice,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        users = tmp_path / "users"
        users.touch()
        subprocess.run(
            ["mosquitto_passwd", "-b", users, "door-1", "correct"], check=True, capture_output=True
        )
        broker = start_mosquitto(f"allow_anonymous false\npassword_file {users}")
        wrong, right = tmp_path / "wrong", tmp_path / "right"
        for path, password in ((wrong, "secret-and-wrong"), (right, "correct")):
            path.write_text(f"{password}\n")
            path.chmod(0o600)
        settings: dict[str, Any] = {"port": broker.port, "username": "door-1"}
        with pytest.raises(BrokerError, match=r"rejected the connection: not authorized"):
            probed(MqttSettings(host="127.0.0.1", password_file=str(wrong), **settings))
        tries = partial(broker.log_count, "disconnected, not authorised")
        slow = start_device(tmp_path / "slow", password_file=str(wrong), **settings)
        until(lambda: "rejected the connection: not authorized" in caplog.text, "the warning")
        slow.close(timeout_s=1.0)
        assert tries() < 4, "hammering"
        caplog.clear()
        patience = Backoff(longest_s=0.2)  # the same in a shorter time
        start_device(backoff=patience, password_file=str(wrong), **settings)
        until(lambda: tries() > 10, "more attempts")
        assert caplog.text.count("rejected the connection: not authorized") == 1, "said once"
        assert "secret-and-wrong" not in caplog.text
        answer = probed(MqttSettings(host="127.0.0.1", password_file=str(right), **settings))
        assert answer == "MQTT 5"

    def test_two_clients_with_one_id_do_not_fight_for_ever(
        self,
        mosquitto: Mosquitto,
        start_device: StartDevice,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        folders = (tmp_path, tmp_path / "other")
        twins = [start_device(folder, port=mosquitto.port) for folder in folders]
        until(lambda: "client use the same client id, tensormask-door-1?" in caplog.text, "a word")
        for twin in twins:
            twin.report(20)
        until(lambda: all(twin.waiting() == 0 for twin in twins), "both having had their turn")
        assert mosquitto.log.count("as tensormask-door-1") < 30
        assert caplog.text.count("the same client id, tensormask-door-1?") <= 2, "once each"
        # The end of a good connection is news; beside a load each of them may become one.
        good = sum(caplog.text.count(text) for text in ("connected to the broker", "is back after"))
        assert caplog.text.count("the connection was lost") <= 2 + good, "once each"

    def test_a_document_that_access_rules_forbid_waits_in_the_outbox(
        self,
        start_mosquitto: Callable[..., Mosquitto],
        start_device: StartDevice,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        rules = tmp_path / "acl"
        rules.write_text("topic write tensormask/+/availability\n")
        broker = start_mosquitto(f"allow_anonymous true\nacl_file {rules}")
        device = start_device(port=broker.port)
        device.publisher.publish_state("health", b"{}")
        device.report(2)
        until(lambda: "does not take message 1 (not authorized)" in caplog.text, "a word")
        until(lambda: "health: not authorized" in caplog.text, "another")
        assert device.waiting() == 2

    def test_a_broker_that_takes_no_state_is_not_called_well(
        self,
        start_mosquitto: Callable[..., Mosquitto],
        start_device: StartDevice,
        tmp_path: Path,
    ) -> None:
        rules = tmp_path / "acl"
        rules.write_text("topic write elsewhere/#\n")
        broker = start_mosquitto(f"allow_anonymous true\nacl_file {rules}")
        device = start_device(port=broker.port)
        device.publisher.publish_state("health", b"{}")
        until(lambda: "availability: not auth" in device.publisher.state.refusal, "the fault")
        until(lambda: any("/health" in each for each in device.publisher.state.limits), "a hint")
        rules.write_text("topic write tensormask/#\n")
        broker.stop()
        broker.start()
        device.publisher.publish_state("health", b"{}")
        until(lambda: not device.publisher.state.refusal, "it is taken now")
        until(lambda: not device.publisher.state.limits, "and so is health")

    def test_a_document_larger_than_the_broker_takes_goes_without_its_picture(
        self,
        start_mosquitto: Callable[..., Mosquitto],
        subscribe: Callable[..., Subscriber],
        start_device: StartDevice,
    ) -> None:
        broker = start_mosquitto("allow_anonymous true\nmax_packet_size 2000")
        subscriber = subscribe(broker.port)
        device = start_device(port=broker.port)
        document = json.dumps({"sequence": 1, "snapshot": "/9j/" * 1000}).encode()
        device.outbox.append(f"{BASE}/violation", lambda sequence: document)
        device.outbox.append(f"{BASE}/violation", lambda sequence: bytes(3000))
        device.publisher.wake()
        until(lambda: device.waiting() == 0, "an outbox where nothing waits")
        until(lambda: subscriber.payloads("violation"), "the document")
        assert subscriber.payloads("violation") == [b'{"sequence":1,"snapshot":null}']
        assert device.outbox.state().refused == 1

    # The thread's own end is what is tested; pytest reports it as an unhandled exception.
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    def test_a_publisher_that_has_died_of_a_bug_does_not_go_unnoticed(self, tmp_path: Path) -> None:
        outbox = Outbox(tmp_path / "outbox.sqlite")

        def broken() -> bool:
            raise ZeroDivisionError

        publisher = MqttPublisher(
            MqttSettings(host="127.0.0.1", port=free_port()), ORIGIN, outbox, clock_is_right=broken
        )
        publisher.start()
        with pytest.raises(RuntimeError, match="publishing thread has died"):
            until(publisher.wake, "the complaint")
        publisher.close()
        outbox.close()


class TestWithTls:
    @pytest.fixture
    def authority(self, tmp_path: Path) -> Path:
        """A folder with a private authority, and certificates for localhost and door-1."""
        folder = tmp_path / "certificates"
        folder.mkdir()

        def openssl(*arguments: str) -> None:
            subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        # Python 3.13 insists that an authority says what its key is for, and that others are none.
        signs = ("-addext", "keyUsage=critical,keyCertSign", "-subj", "/CN=CA")
        openssl("req", "-x509", *curve, *signs, "-keyout", "ca.key", "-out", "ca.crt")
        for name in ("localhost", "door-1"):
            signed = ("-CA", "ca.crt", "-CAkey", "ca.key", "-extensions", "usr_cert")
            issue = (*signed, "-addext", f"subjectAltName=DNS:{name}")
            files = ("-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", f"/CN={name}")
            openssl("req", "-x509", *curve, *issue, *files)
        return folder

    @pytest.fixture
    def broker(self, authority: Path, start_mosquitto: Callable[..., Mosquitto]) -> Mosquitto:
        return start_mosquitto(
            f"cafile {authority}/ca.crt\ncertfile {authority}/localhost.crt\n"
            f"keyfile {authority}/localhost.key\n"
            "require_certificate true\nuse_identity_as_username true"
        )

    def test_a_client_certificate_of_the_private_authority_lets_us_in(
        self, broker: Mosquitto, authority: Path, tmp_path: Path
    ) -> None:
        settings = MqttSettings(
            host="localhost",
            port=broker.port,
            tls=True,
            ca_file=f"{authority}/ca.crt",
            certificate_file=f"{authority}/door-1.crt",
            key_file=f"{authority}/door-1.key",
        )
        assert probed(settings) == "MQTT 5"
        outbox = Outbox(tmp_path / "outbox.sqlite")
        publisher = MqttPublisher(settings, ORIGIN, outbox)
        publisher.start()
        for _ in range(100):  # more than one TLS record each turn
            outbox.append(f"{BASE}/violation", lambda sequence: bytes(3000 + sequence))
        publisher.wake()
        until(lambda: outbox.state().rows == 0, "an empty outbox over TLS")
        publisher.close()
        outbox.close()

    def test_without_a_certificate_we_stay_outside(
        self, broker: Mosquitto, authority: Path
    ) -> None:
        settings = MqttSettings(
            host="localhost", port=broker.port, tls=True, ca_file=f"{authority}/ca.crt"
        )
        with pytest.raises(BrokerError, match="client certificate"):
            probed(settings)

    def test_a_broker_of_an_unknown_authority_or_another_name_is_not_trusted(
        self, broker: Mosquitto, authority: Path
    ) -> None:
        with pytest.raises(BrokerError, match="certificate is not trusted"):
            probed(MqttSettings(host="localhost", port=broker.port, tls=True))
        other_name = MqttSettings(
            host="127.0.0.1", port=broker.port, tls=True, ca_file=f"{authority}/ca.crt"
        )
        with pytest.raises(BrokerError, match="certificate is not trusted"):
            probed(other_name)


class TestWithAmqtt:
    def test_a_broker_without_mqtt_5_is_spoken_to_in_3_1_1(
        self, amqtt_port: int, subscribe: Callable[..., Subscriber], start_device: StartDevice
    ) -> None:
        subscriber = subscribe(amqtt_port, MQTTProtocolVersion.MQTTv311)
        device = start_device(port=amqtt_port)
        sent = device.report(40)
        until(lambda: device.waiting() == 0, "an empty outbox")
        until(lambda: subscriber.sequences == sent, "all documents, once and in order")
        assert device.publisher.state.protocol == "MQTT 3.1.1"
        device.close()
        until(lambda: subscriber.states == ["online", "stopped"], "an orderly end")
