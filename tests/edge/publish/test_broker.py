"""The way to a broker, where no broker is needed; `tests/broker` has the real ones."""

from __future__ import annotations

import gc
import random
import socket
import ssl
import struct
import subprocess
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.config import MqttSettings
from edge.errors import BrokerError, ConfigError
from edge.publish.answers import BrokerRefusalError, MqttVersion, Received
from edge.publish.broker import Backoff, BrokerAccess, _address, _TidySocket
from edge.publish.connection import Connection
from tests.broker.samples import probed
from tests.waiting import until

CONNACK_V5 = bytes.fromhex("2003000000")
CONNACK_V311 = bytes.fromhex("20020000")
WRONG_VERSION = bytes.fromhex("20020001")
DENIED_V5 = bytes.fromhex("900400010087")
DENIED_V311 = bytes.fromhex("9003000180")
TAKEN_OVER = bytes.fromhex("e0028e00")

Answer = Callable[[int], bytes | None]
"""What a broker says to a CONNECT of a protocol level (4 or 5); None: nothing, ever."""


@pytest.fixture
def serve() -> Iterator[Callable[[Answer, str, int], int]]:
    """Starts a broker of a few bytes at an address and port, and returns the port."""
    listeners: list[socket.socket] = []
    wires: list[socket.socket] = []

    def accept(listener: socket.socket, answer: Answer) -> None:
        while True:
            try:
                wire, _ = listener.accept()
            except OSError:
                return
            wires.append(wire)
            level = wire.recv(4096)[8]
            if (said := answer(level)) is not None:
                with suppress(OSError):  # the client may have left
                    wire.sendall(said)
                    wire.shutdown(socket.SHUT_WR)

    def start(answer: Answer, address: str, port: int) -> int:
        listener = socket.create_server((address, port))
        listeners.append(listener)
        threading.Thread(target=accept, args=(listener, answer), daemon=True).start()
        found: int = listener.getsockname()[1]
        return found

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for wire in wires:
        wire.close()


@pytest.fixture
def answer_with(
    serve: Callable[[Answer, str, int], int],
) -> Callable[[Answer], MqttSettings]:
    """Starts such a broker, and tells where it is."""
    return lambda answer: MqttSettings(host="127.0.0.1", port=serve(answer, "127.0.0.1", 0))


@pytest.fixture
def cluster_with(
    serve: Callable[[Answer, str, int], int], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., MqttSettings]:
    """Starts one for each answer, at addresses that have a name in common."""
    resolve = socket.getaddrinfo

    def start(*answers: Answer) -> MqttSettings:
        addresses = [f"127.0.0.{number}" for number, _ in enumerate(answers, 1)]
        port = 0
        for address, answer in zip(addresses, answers, strict=True):
            port = serve(answer, address, port)

        def getaddrinfo(host: str, *rest: Any, **options: Any) -> list[Any]:
            hosts = addresses if host == "cluster.example" else [host]
            return [answer for each in hosts for answer in resolve(each, *rest, **options)]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return MqttSettings(host="cluster.example", port=port)

    return start


def test_an_address_with_colons_is_told_from_the_port() -> None:
    assert BrokerAccess(MqttSettings(host="2001:db8::1")).name == "[2001:db8::1]:1883"
    assert BrokerAccess(MqttSettings(host="broker", port=1884)).name == "broker:1884"


@pytest.mark.parametrize(
    ("to_mqtt_5", "why"),
    [(WRONG_VERSION, "refused"), (b"", "closed the connection"), (None, "silent")],
)
def test_a_broker_that_does_not_speak_mqtt_5_is_spoken_to_in_3_1_1(
    answer_with: Callable[[Answer], MqttSettings], to_mqtt_5: bytes | None, why: str
) -> None:
    levels = []

    def answer(level: int) -> bytes | None:
        levels.append(level)
        return to_mqtt_5 if level == 5 else CONNACK_V311

    access = BrokerAccess(answer_with(answer))
    for _ in range(2):
        connection = access.connect("door-1", timeout_s=0.3)
        assert connection.version is MqttVersion.V311
        connection.drop()
    assert levels == [5, 4, 4], f"remembered after MQTT 5 was {why}"


def test_a_broker_that_has_answered_is_not_doubted_for_one_silence(
    answer_with: Callable[[Answer], MqttSettings],
) -> None:
    answers = iter([CONNACK_V5, b"", CONNACK_V5])
    levels = []

    def answer(level: int) -> bytes:
        levels.append(level)
        return next(answers)

    access = BrokerAccess(answer_with(answer))
    access.connect("door-1").drop()
    with pytest.raises(BrokerError, match="closed the connection without an answer"):
        access.connect("door-1")
    access.connect("door-1").drop()
    assert levels == [5, 5, 5]


def test_a_node_that_accepts_connections_and_says_nothing_is_left_for_the_next(
    cluster_with: Callable[..., MqttSettings],
) -> None:
    asked = []

    def node(number: int, said: bytes | None) -> Answer:
        def answer(level: int) -> bytes | None:
            asked.append((number, level))
            return said

        return answer

    access = BrokerAccess(cluster_with(node(1, None), node(2, CONNACK_V5), node(3, b"")))
    with pytest.raises(BrokerError, match="no answer"):
        access.connect("door-1", timeout_s=0.3)
    access.connect("door-1").drop()
    with pytest.raises(BrokerError, match="closed the connection"):
        access.connect("door-1")
    # Both versions are tried on one node: it is the node that is silent, not MQTT 5.
    assert asked == [(1, 5), (1, 4), (2, 5), (3, 5)]


def test_a_takeover_is_named(answer_with: Callable[[Answer], MqttSettings]) -> None:
    connection = BrokerAccess(answer_with(lambda _: CONNACK_V5 + TAKEN_OVER)).connect("door-1")
    with pytest.raises(BrokerRefusalError, match="client with the same client_id has taken over"):
        _listen(connection)
    connection.drop()


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_denied_subscription_is_reported_and_no_end(
    answer_with: Callable[[Answer], MqttSettings], version: str
) -> None:
    told = CONNACK_V5 + DENIED_V5 if version == "5" else CONNACK_V311 + DENIED_V311
    settings = msgspec.structs.replace(answer_with(lambda _: told), protocol=version)
    connection = BrokerAccess(settings).connect("door-1")
    connection.subscribe(["tensormask/door-1/command/+"])
    denial = connection.turn(1.0).denial
    connection.drop()
    assert denial is not None
    assert "rejected the subscription" in denial


def test_a_message_whose_topic_is_no_text_is_passed_over(
    answer_with: Callable[[Answer], MqttSettings],
) -> None:
    bad, good = bytes.fromhex("30060002fffe0000"), bytes.fromhex("3004000161" + "62")
    settings = msgspec.structs.replace(
        answer_with(lambda _: CONNACK_V311 + bad + good), protocol="3.1.1"
    )
    connection = BrokerAccess(settings).connect("door-1")
    messages = connection.turn(1.0).messages + connection.turn(1.0).messages
    connection.drop()
    assert messages == [Received("a", b"b")]


def _listen(connection: Connection) -> None:
    for _ in range(5):
        connection.turn(1.0)


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (
            bytes.fromhex("2003008600"),
            "rejected the connection: bad user name or password; check username",
        ),
        (bytes.fromhex("2003008800"), "rejected the connection: server unavailable"),
        (None, "no answer to MQTT 3.1.1 within 0.2 s"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "closed the connection without an answer"),
    ],
)
def test_a_refusal_is_one_clear_line(
    answer_with: Callable[[Answer], MqttSettings], answer: bytes | None, complaint: str
) -> None:
    settings = answer_with(lambda _: answer)
    with pytest.raises(BrokerError) as raised:
        probed(settings, timeout_s=0.2)
    assert str(raised.value).startswith(f"the broker 127.0.0.1:{settings.port}")
    assert complaint in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_port_that_resets_a_tls_handshake_is_asked_about() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def reset() -> None:
            wire, _ = listener.accept()
            wire.recv(16)
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            wire.close()

        thread = threading.Thread(target=reset)
        thread.start()
        settings = MqttSettings(host="127.0.0.1", port=listener.getsockname()[1], tls=True)
        with pytest.raises(BrokerError, match="does this port speak TLS"):
            probed(settings)
        thread.join()


def test_a_socket_whose_peer_is_gone_before_the_handshake_is_closed() -> None:
    """CPython's own wrapping leaves it to the garbage collector, which warns."""
    context = ssl.create_default_context()
    context.sslsocket_class = _TidySocket
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ours = socket.create_connection(listening.getsockname())
        theirs, _ = listening.accept()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        theirs.close()  # with a reset
        until(lambda: _is_reset(ours), "the reset has come")
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            with pytest.raises(ConnectionResetError):
                context.wrap_socket(ours, server_hostname="x", do_handshake_on_connect=False)
            gc.collect()
    assert [str(each.message) for each in warned] == []


def _is_reset(ours: socket.socket) -> bool:
    try:
        ours.getpeername()
    except OSError:
        return True
    return False


def test_nobody_at_the_port_is_said_so() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # nobody listens, and nobody else gets it
        settings = MqttSettings(host="127.0.0.1", port=bound.getsockname()[1])
        with pytest.raises(BrokerError, match="it refuses the connection; is a broker running"):
            probed(settings)


def test_a_name_that_nobody_has_is_said_so() -> None:
    with pytest.raises(BrokerError, match="its name cannot be resolved"):
        probed(MqttSettings(host="no-such-host.invalid"))


def test_a_password_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("hunter2\n")
    secret.chmod(0o644)
    settings = MqttSettings(host="h", username="u", password_file=str(secret))
    with pytest.raises(
        ConfigError, match=f"everybody can read {secret}; sudo chmod o= {secret}"
    ) as raised:
        BrokerAccess(settings)
    assert "hunter2" not in str(raised.value)
    secret.chmod(0o640)
    BrokerAccess(settings)


@pytest.mark.parametrize(("content", "complaint"), [("", "is empty"), ("\nx", "is empty")])
def test_an_empty_password_file_is_refused(tmp_path: Path, content: str, complaint: str) -> None:
    secret = tmp_path / "password"
    secret.write_text(content)
    secret.chmod(0o600)
    with pytest.raises(ConfigError, match=complaint):
        BrokerAccess(MqttSettings(host="h", username="u", password_file=str(secret)))


def test_missing_and_useless_files_are_named(tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish"
    rubbish.write_text("no certificate")
    rubbish.chmod(0o600)
    absent, here = str(tmp_path / "absent"), str(rubbish)
    for key, settings in (
        ("password_file", {"username": "u", "password_file": absent}),
        ("ca_file", {"tls": True, "ca_file": absent}),
        ("ca_file", {"tls": True, "ca_file": here}),
        ("key_file", {"tls": True, "certificate_file": here, "key_file": absent}),
        ("certificate_file", {"tls": True, "certificate_file": here, "key_file": here}),
    ):
        with pytest.raises(ConfigError, match=rf"\[mqtt\] .*{key}"):
            BrokerAccess(MqttSettings(host="h", **settings))


def test_an_encrypted_key_is_refused_and_not_asked_about(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key", tmp_path / "crt"
    make = "openssl req -x509 -newkey rsa:2048 -passout pass:word -subj /CN=x -keyout key -out crt"
    subprocess.run(
        ["sh", "-c", make],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    key.chmod(0o600)
    with pytest.raises(ConfigError, match="key_file"):
        BrokerAccess(
            MqttSettings(host="h", tls=True, certificate_file=str(certificate), key_file=str(key))
        )


def test_waits_are_spread_from_zero_to_a_bound_that_doubles_up_to_a_minute() -> None:
    by_attempt = list(
        zip(*([backoff.next_s() for _ in range(9)] for backoff in _backoffs(500)), strict=True)
    )
    for waits, bound_s in zip(by_attempt, (1, 2, 4, 8, 16, 32, 60, 60, 60), strict=True):
        assert 0 <= min(waits) < 0.05 * bound_s
        assert 0.95 * bound_s < max(waits) <= bound_s
        assert sum(waits) / len(waits) == pytest.approx(bound_s / 2, rel=0.15)


def test_a_reset_starts_small_again_and_a_refusal_waits_long() -> None:
    backoff = Backoff(random.Random(1))
    for _ in range(9):
        backoff.next_s()
    backoff.reset()
    assert backoff.next_s() <= 1.0
    assert all(30.0 <= backoff.slow_s() <= 60.0 for _ in range(100))


def _backoffs(count: int) -> list[Backoff]:
    return [Backoff(random.Random(seed)) for seed in range(count)]


@pytest.mark.parametrize(
    ("place", "address"),
    [
        (("192.0.2.7", 0), "192.0.2.7"),
        (("2001:db8::7", 0, 0, 0), "2001:db8::7"),
        (("fe80::1", 0, 0, 3), "fe80::1%3"),
        (("fe80::1%eth0", 0, 0, 3), "fe80::1%3"),
    ],
)
def test_an_address_on_a_link_is_named_with_the_link(
    place: tuple[object, ...], address: str
) -> None:
    assert _address(place) == address
