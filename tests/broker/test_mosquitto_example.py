"""deploy/mosquitto, run for real: who gets in, and what a stolen device can do."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from edge.config import MqttSettings, parse_settings
from edge.errors import BrokerError
from edge.publish.answers import Received
from edge.publish.broker import BrokerAccess
from edge.publish.connection import Connection, Will
from edge.publish.messages import VIOLATION
from edge.publish.outbox.outbox import Outbox
from edge.publish.publisher import MqttPublisher
from tests.broker.conftest import Mosquitto, until
from tests.broker.samples import ORIGIN, probed

EXAMPLE = Path(__file__).resolve().parents[2] / "deploy" / "mosquitto"
BASE = "tensormask/door-1"
Connect = Callable[..., "Client"]


def certificates(folder: Path, *words: str) -> str:
    """Run the script as a plain POSIX shell would."""
    done = subprocess.run(
        ["sh", str(EXAMPLE / "certificates.sh"), str(folder), *words],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("authority")
    certificates(folder, "broker", "localhost")
    certificates(folder, "client", "door-1", "door-2", "desk", "operator", "homeassistant")
    return folder


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another authority of the same name, as an attacker would make it."""
    folder = tmp_path_factory.mktemp("foreign")
    certificates(folder, "broker", "localhost")
    certificates(folder, "client", "door-1")
    return folder


def configuration(authority: Path) -> str:
    """The configuration that ships, but for its port and its paths."""
    kept = (EXAMPLE / "tensormask.conf").read_text().replace("\nlistener 8883\n", "\n")
    kept = kept.replace("/etc/mosquitto/tensormask/acl", str(EXAMPLE / "acl"))
    return kept.replace("/etc/mosquitto/tensormask", str(authority))


@pytest.fixture
def broker(authority: Path, start_mosquitto: Callable[..., Mosquitto]) -> Mosquitto:
    return start_mosquitto(configuration(authority))


def settings_of(
    broker: Mosquitto, authority: Path, name: str, host: str = "localhost", ca: Path | None = None
) -> MqttSettings:
    return MqttSettings(
        host=host,
        port=broker.port,
        tls=True,
        ca_file=f"{ca or authority}/ca.crt",
        certificate_file=f"{authority}/clients/{name}.crt",
        key_file=f"{authority}/clients/{name}.key",
    )


class Client:
    """Somebody with a certificate, and what he receives."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.received: list[Received] = []
        self.refusals: list[str | None] = []

    def subscribe(self, *topics: str) -> None:
        """Subscribe, and wait until the broker has done it: it answers in order."""
        self._connection.subscribe(topics)
        self.publish("what/nobody/may/publish")
        assert self.refusals.pop() == "not authorized"

    def publish(self, topic: str) -> None:
        """Publish, and wait for the broker's answer, yes or no."""
        answers = len(self.refusals)
        self._connection.publish(topic, topic.encode())
        until(lambda: self.turn() > answers, f"an answer on {topic}")

    def turn(self) -> int:
        """Take what has come; return how many answers there are by now."""
        arrivals = self._connection.turn(0.05)
        self.received += arrivals.messages
        self.refusals += [
            None if answer.refusal is None else str(answer.refusal)
            for answer in arrivals.acknowledgements
        ]
        return len(self.refusals)

    def topics(self) -> list[str]:
        self.turn()
        return [message.topic for message in self.received]

    def listen(self, for_s: float) -> list[str]:
        """Return what has come by then: the proof that something did not come takes time."""
        deadline_s = time.monotonic() + for_s
        while time.monotonic() < deadline_s:
            self.turn()
        return self.topics()

    def drop(self) -> None:
        self._connection.drop()


@pytest.fixture
def connect(broker: Mosquitto, authority: Path) -> Iterator[Connect]:
    """Connects with the certificate of `name`."""
    opened: list[Client] = []

    def open_one(name: str, client_id: str = "", will: Will | None = None) -> Client:
        access = BrokerAccess(settings_of(broker, authority, name))
        opened.append(Client(access.connect(client_id or f"tensormask-{name}", will)))
        return opened[-1]

    yield open_one
    for client in opened:
        client.drop()


def test_a_device_publishes_and_the_desk_reads(
    broker: Mosquitto, authority: Path, connect: Connect, tmp_path: Path
) -> None:
    desk = connect("desk")
    desk.subscribe("tensormask/#")
    outbox = Outbox(tmp_path / "outbox.sqlite")
    device = MqttPublisher(settings_of(broker, authority, "door-1"), ORIGIN, outbox)
    device.start()
    outbox.append(f"{BASE}/{VIOLATION}", lambda sequence: b"a violation")
    device.wake()
    until(lambda: outbox.state().rows == 0, "the broker's acknowledgement")
    until(lambda: f"{BASE}/violation" in desk.topics(), "the violation at the desk")
    device.close()
    outbox.close()
    until(lambda: desk.topics().count(f"{BASE}/availability") == 2, "online, stopped")


def test_the_settings_in_the_readme_let_a_device_in(
    broker: Mosquitto, authority: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme = (EXAMPLE / "README.md").read_text()
    text = readme.split("```toml\n")[1].split("```")[0].replace("broker.example", "localhost")
    text = text.replace("/etc/tensormask/ca.crt", f"{authority}/ca.crt")
    text = text.replace("/etc/tensormask/door-1.crt", f"{authority}/clients/door-1.crt")
    settings = parse_settings(tomllib.loads(text), "README.md")
    assert "LoadCredential=mqtt-key:" in readme
    shutil.copy(f"{authority}/clients/door-1.key", tmp_path / "mqtt-key")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert probed(msgspec.structs.replace(settings.mqtt, port=broker.port)) == "MQTT 5"
    assert settings.device.id == "door-1"


def test_who_has_no_certificate_of_ours_stays_outside(
    broker: Mosquitto, authority: Path, foreign: Path
) -> None:
    without = MqttSettings(
        host="localhost", port=broker.port, tls=True, ca_file=f"{authority}/ca.crt"
    )
    with pytest.raises(BrokerError, match="client certificate"):
        probed(without)
    with pytest.raises(BrokerError, match=r"closed the connection|no TLS connection"):
        probed(settings_of(broker, foreign, "door-1", ca=authority))
    plain = MqttSettings(host="localhost", port=broker.port)
    with pytest.raises(BrokerError):
        probed(plain, timeout_s=1)
    assert "New client connected" not in broker.log


def test_a_broker_that_is_not_ours_is_not_trusted(
    broker: Mosquitto, authority: Path, foreign: Path
) -> None:
    with pytest.raises(BrokerError, match="certificate is not trusted"):
        probed(settings_of(broker, authority, "door-1", ca=foreign))
    with pytest.raises(BrokerError, match=r"certificate is not trusted: .*127\.0\.0\.1"):
        probed(settings_of(broker, authority, "door-1", host="127.0.0.1"))


def test_a_stolen_device_cannot_play_the_broker(
    authority: Path, start_mosquitto: Callable[..., Mosquitto]
) -> None:
    false = configuration(authority).replace(f"{authority}/broker", f"{authority}/clients/door-2")
    broker = start_mosquitto(false)
    with pytest.raises(BrokerError, match="not trusted: unsuitable certificate purpose"):
        probed(settings_of(broker, authority, "door-1"))


def test_a_stolen_device_speaks_for_itself_only(connect: Connect) -> None:
    desk = connect("desk")
    desk.subscribe("tensormask/#")
    stolen = connect("door-2")
    foreign_topics = [f"{BASE}/violation", f"{BASE}/command/restart", "tensormask/x", "other/x"]
    for topic in foreign_topics:
        stolen.publish(topic)
    assert stolen.refusals == ["not authorized"] * len(foreign_topics)
    stolen.publish("tensormask/door-2/violation")
    until(lambda: desk.topics() == ["tensormask/door-2/violation"], "its own topic alone")


def test_a_stolen_device_leaves_no_last_will_for_others(connect: Connect) -> None:
    desk = connect("desk")
    desk.subscribe("tensormask/#")
    connect("door-2", will=Will(f"{BASE}/availability", b"offline")).drop()
    connect("operator", will=Will("tensormask/operator/availability", b"offline")).drop()
    until(lambda: desk.topics() != [], "the will that is allowed")
    assert desk.listen(0.3) == ["tensormask/operator/availability"]


def test_a_stolen_device_hears_its_own_commands_only(connect: Connect) -> None:
    stolen = connect("door-2")
    for others in ("tensormask/#", f"{BASE}/#", f"{BASE}/command/#", "tensormask/door-2/violation"):
        stolen.subscribe(others)
    stolen.subscribe("tensormask/door-2/command/#")
    device, operator = connect("door-1"), connect("operator")
    device.publish(f"{BASE}/violation")
    operator.publish(f"{BASE}/command/pause")
    operator.publish("tensormask/door-2/command/pause")
    until(lambda: stolen.topics() != [], "its own command")
    # By each of the two filters that it matches.
    assert set(stolen.listen(0.3)) == {"tensormask/door-2/command/pause"}


def test_a_receiver_sends_no_commands(connect: Connect) -> None:
    device, desk = connect("door-1"), connect("desk")
    device.subscribe(f"{BASE}/command/#")
    desk.publish(f"{BASE}/command/pause")
    desk.publish(f"{BASE}/violation")
    assert desk.refusals == ["not authorized"] * 2
    assert device.listen(0.3) == []


def test_a_device_announces_itself_to_home_assistant_and_nobody_else(connect: Connect) -> None:
    house, door, stolen = connect("homeassistant"), connect("door-1"), connect("door-2")
    house.subscribe("homeassistant/#", "tensormask/#")
    door.publish("homeassistant/device/tensormask/door-1/config")
    stolen.publish("homeassistant/device/tensormask/door-1/config")
    stolen.publish("homeassistant/device/door-2/config")
    stolen.publish("homeassistant/status")
    assert door.refusals == [None]
    assert stolen.refusals == ["not authorized"] * 3
    until(
        lambda: house.topics() == ["homeassistant/device/tensormask/door-1/config"],
        "the one announcement",
    )


def test_a_device_hears_that_home_assistant_has_started_and_what_it_sends(
    connect: Connect,
) -> None:
    house, door, stolen = connect("homeassistant"), connect("door-1"), connect("door-2")
    door.subscribe("homeassistant/status", f"{BASE}/command/+")
    stolen.subscribe("homeassistant/#")
    door.publish("homeassistant/device/tensormask/door-1/config")
    for topic in ("homeassistant/status", f"{BASE}/command/pause"):
        house.publish(topic)
    house.publish(f"{BASE}/violation")
    assert house.refusals == [None, None, "not authorized"]
    until(lambda: len(door.topics()) == 2, "both")
    assert door.topics() == ["homeassistant/status", f"{BASE}/command/pause"]
    assert stolen.listen(0.3) == ["homeassistant/status"], "no other announcement"


def test_a_stolen_device_cannot_throw_another_out(connect: Connect) -> None:
    device = connect("door-1")
    stolen = connect("door-2", client_id="tensormask-door-1")
    stolen.publish("tensormask/door-2/health")
    device.publish(f"{BASE}/health")
    assert device.refusals == [None]


def test_a_revoked_device_stays_outside_and_others_do_not(
    tmp_path: Path, start_mosquitto: Callable[..., Mosquitto]
) -> None:
    folder = tmp_path / "authority"
    certificates(folder, "broker", "localhost")
    certificates(folder, "client", "door-1", "door-2")
    broker = start_mosquitto(configuration(folder))
    assert probed(settings_of(broker, folder, "door-2")) == "MQTT 5"
    broker.kill()
    assert "restart" in certificates(folder, "revoke", "door-2")
    (folder / "revoked-clients").rename(folder / "kept")
    for file in (folder / "kept").iterdir():
        file.rename(folder / "clients" / file.name)
    broker.start()
    assert probed(settings_of(broker, folder, "door-1")) == "MQTT 5"
    with pytest.raises(BrokerError, match=r"closed the connection|no TLS connection"):
        probed(settings_of(broker, folder, "door-2"))


def test_keys_are_private_and_what_is_there_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "authority"
    before = os.umask(0)
    try:
        certificates(folder, "broker", "localhost", "192.0.2.7")
        certificates(folder, "client", "door-1")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.glob("**/*.*")}
    assert modes == {
        "ca.key": 0o600,
        "broker.key": 0o600,
        "door-1.key": 0o600,
        "ca.crt": 0o644,
        "broker.crt": 0o644,
        "door-1.crt": 0o644,
        "ca.crl": 0o644,
    }
    assert folder.stat().st_mode & 0o777 == 0o700
    made = {path: path.read_bytes() for path in folder.glob("**/*.*")}
    assert "exists already" in certificates(folder, "client", "door-1")
    certificates(folder, "broker", "localhost")
    assert {path: path.read_bytes() for path in folder.glob("**/*.*")} == made


def test_a_certificate_is_made_again_before_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "authority"
    monkeypatch.setenv("DAYS", "20")
    certificates(folder, "client", "door-1")
    made = {path.suffix: path.read_bytes() for path in (folder / "clients").iterdir()}
    monkeypatch.delenv("DAYS")
    assert "made clients/door-1.crt" in certificates(folder, "client", "door-1")
    renewed = {path.suffix: path.read_bytes() for path in (folder / "clients").iterdir()}
    assert renewed[".key"] == made[".key"]
    assert renewed[".crt"] != made[".crt"]
    assert "exists already" in certificates(folder, "client", "door-1")
    # Both are of the same key, and good until their end: both are revoked.
    (folder / "first.crt").write_bytes(made[".crt"])
    certificates(folder, "revoke", "door-1")
    for path in ("first.crt", "revoked-clients/door-1.crt"):
        checked = subprocess.run(
            ["openssl", "verify", "-crl_check", "-CAfile", "ca.crt", "-CRLfile", "ca.crl", path],
            cwd=folder,
            capture_output=True,
            text=True,
        )
        assert "certificate revoked" in checked.stdout + checked.stderr
    again = subprocess.run(
        ["sh", str(EXAMPLE / "certificates.sh"), str(folder), "client", "door-1"],
        capture_output=True,
        text=True,
    )
    assert "door-1 was revoked" in again.stderr
    assert not (folder / "clients" / "door-1.crt").exists()


@pytest.mark.parametrize("days", ["", "0", "ten", "1.5"])
def test_days_that_are_none_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: str
) -> None:
    monkeypatch.setenv("DAYS", days)
    done = subprocess.run(
        ["sh", str(EXAMPLE / "certificates.sh"), str(tmp_path / "a"), "client", "door-1"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, "DAYS" in done.stderr) == ((0, False) if not days else (1, True))


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("client",),
        ("client", "a/b"),
        ("client", "+"),
        ("client", "../x"),
        ("client", "#"),
        ("broker", "a b"),
        ("broker", "x,DNS:y"),
        ("revoke", "nobody"),
        ("other", "x"),
    ],
)
def test_wrong_words_are_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = subprocess.run(
        ["sh", str(EXAMPLE / "certificates.sh"), str(tmp_path / "a"), *words],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("certificates.sh: ")
    assert not list(tmp_path.glob("a/**/*.*"))


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_what_a_mistyped_id_has_left_behind_does_not_hold_up_the_right_one(
    broker: Mosquitto,
    authority: Path,
    connect: Connect,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    protocol: str,
) -> None:
    desk = connect("desk")
    desk.subscribe("tensormask/#")
    outbox = Outbox(tmp_path / "outbox.sqlite")
    outbox.append(f"tensormask/dor-1/{VIOLATION}", lambda sequence: b"under the wrong name")
    outbox.append(f"{BASE}/{VIOLATION}", lambda sequence: b"under the right one")
    settings = msgspec.structs.replace(settings_of(broker, authority, "door-1"), protocol=protocol)
    device = MqttPublisher(settings, ORIGIN, outbox)
    device.start()
    until(lambda: outbox.state().rows == 0, "an outbox where nothing waits")
    device.close()
    # MQTT 3.1.1 has no word for a refusal.
    assert outbox.state().refused == (1 if protocol == "5" else 0)
    outbox.close()
    until(lambda: desk.topics().count(f"{BASE}/availability") == 2, "online, stopped")
    assert [topic for topic in desk.topics() if topic.endswith(VIOLATION)] == [f"{BASE}/violation"]
    assert "client use the same client id" not in caplog.text
