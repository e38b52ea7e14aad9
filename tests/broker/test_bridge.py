"""deploy/mosquitto/bridge.conf, run for real: a site's broker, one in the middle, and the line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from edge.config import MqttSettings
from edge.publish.broker import BrokerAccess
from edge.publish.connection import Connection
from edge.publish.messages import VIOLATION
from edge.publish.outbox.outbox import Outbox
from edge.publish.publisher import MqttPublisher
from tests.broker.conftest import Mosquitto, until
from tests.broker.samples import ORIGIN
from tests.broker.test_mosquitto_example import (
    BASE,
    EXAMPLE,
    certificates,
    configuration,
    settings_of,
)

MANY = 1500
"""More than Mosquitto keeps of itself for who is away."""
Start = Callable[[str, str], Mosquitto]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("authority")
    certificates(folder, "broker", "localhost")
    certificates(folder, "client", "door-1", "desk", "operator", "museum")
    return folder


@pytest.fixture
def start(mosquitto_program: str, authority: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts a broker that lets sites in, with more settings, in a folder of its own."""
    started: list[Mosquitto] = []
    rules = (EXAMPLE / "acl").read_text()
    for line in rules.partition("bridge.conf")[2].splitlines():
        if line.startswith("#"):
            rules = rules.replace(line, line[1:])
    (tmp_path / "acl").write_text(rules)

    def begin(name: str, more: str) -> Mosquitto:
        folder = tmp_path / name
        folder.mkdir()
        settings = configuration(authority).replace(str(EXAMPLE / "acl"), str(tmp_path / "acl"))
        (folder / "conf.d").mkdir()
        (folder / "conf.d" / "more.conf").write_text(more)
        # What Debian's own mosquitto.conf says. What it includes has no part in a listener of its.
        debian = f"persistence true\npersistence_location {folder}/\n"
        main = f"{settings}\n{debian}include_dir {folder}/conf.d\n"
        started.append(Mosquitto(mosquitto_program, folder, main))
        return started[-1]

    yield begin
    for broker in started:
        broker.kill()


@pytest.fixture
def middle(start: Start) -> Mosquitto:
    return start("middle", "")


@pytest.fixture
def site(start: Start, authority: Path, middle: Mosquitto) -> Mosquitto:
    line = (EXAMPLE / "bridge.conf").read_text()
    for ours, theirs in (
        ("broker.example:8883", f"localhost:{middle.port}"),
        ("/etc/mosquitto/tensormask/museum", f"{authority}/clients/museum"),
        ("/etc/mosquitto/tensormask", str(authority)),
        ("restart_timeout 5 60", "restart_timeout 1 1"),
    ):
        assert ours in line
        line = line.replace(ours, theirs)
    return start("site", line)


def _device(site: Mosquitto, authority: Path, outbox: Outbox) -> MqttPublisher:
    quick = msgspec.structs.replace(settings_of(site, authority, "door-1"), replay_per_s=5000.0)
    device = MqttPublisher(quick, ORIGIN, outbox)
    device.start()
    return device


class Desk:
    """A receiver in the middle, whose session outlasts the broker's restart."""

    def __init__(self, mqtt: MqttSettings) -> None:
        self._access = BrokerAccess(msgspec.structs.replace(mqtt, protocol="5"))
        self.connection: Connection | None = None
        self.came: dict[str, list[bytes]] = {}

    def open(self) -> None:
        self.connection = self._access.connect("tensormask-desk")
        self.connection.subscribe(["tensormask/#", "bridge/#"])

    def turn(self) -> None:
        assert self.connection is not None
        for message in self.connection.turn(0.05).messages:
            self.came.setdefault(message.topic, []).append(bytes(message.payload))

    def heard(self, topic: str) -> list[bytes]:
        self.turn()
        return self.came.get(topic, [])


@pytest.fixture
def desk(middle: Mosquitto, authority: Path) -> Iterator[Desk]:
    opened = Desk(settings_of(middle, authority, "desk"))
    opened.open()
    yield opened
    if opened.connection is not None:
        opened.connection.drop()


def test_what_waited_at_the_site_comes_when_the_line_is_back(
    site: Mosquitto, middle: Mosquitto, authority: Path, desk: Desk, tmp_path: Path
) -> None:
    until(lambda: desk.heard("bridge/museum")[-1:] == [b"1"], "the line is up")
    outbox = Outbox(tmp_path / "outbox.sqlite")
    device = _device(site, authority, outbox)
    until(lambda: desk.heard(f"{BASE}/availability"), "the device, in the middle")
    middle.stop()
    for _ in range(MANY):
        outbox.append(f"{BASE}/{VIOLATION}", lambda sequence: str(sequence).encode())
    device.wake()
    until(lambda: outbox.state().rows == 0, "the site's broker has taken all", 60)
    # Neither does its own restart lose them.
    site.stop()
    site.start()
    middle.start()
    desk.open()
    wanted = {str(number + 1).encode() for number in range(MANY)}
    # In what order Mosquitto hands on what was on its way when it stopped, it does not promise.
    until(lambda: {*desk.heard(f"{BASE}/{VIOLATION}")} == wanted, "all are in the middle", 60)
    device.close()
    outbox.close()


def test_a_command_reaches_the_site_and_a_lost_site_is_reported(
    site: Mosquitto, middle: Mosquitto, authority: Path, desk: Desk
) -> None:
    until(lambda: desk.heard("bridge/museum")[-1:] == [b"1"], "the line is up")
    device = BrokerAccess(settings_of(site, authority, "door-1")).connect("door-1")
    device.subscribe([f"{BASE}/command/#"])
    operator = BrokerAccess(settings_of(middle, authority, "operator")).connect("operator")
    came: set[str] = set()

    def arrived() -> bool:
        # Neither the device nor the line may have subscribed yet.
        operator.publish(f"{BASE}/command/pause", b"{}")
        operator.turn(0.02)
        came.update(message.topic for message in device.turn(0.02).messages)
        return bool(came)

    until(arrived, "the command at the site")
    assert came == {f"{BASE}/command/pause"}
    site.kill()
    until(lambda: desk.heard("bridge/museum")[-1:] == [b"0"], "the site's absence", 60)
    device.drop()
    operator.drop()
