"""A password for the broker and one for the camera, looked for wherever the program speaks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.capture.sources import open_source
from edge.config import CameraSettings, MqttSettings, load_settings
from edge.errors import ConfigError, TensorMaskError
from edge.publish.broker import BrokerAccess
from tests.broker.conftest import Mosquitto, Subscriber
from tests.edge.capture.fakes import scene, write_clip
from tests.edge.capture.rtsp_server import encoded_frames, serving
from tests.processes import Running
from tests.waiting import DEADLINE_S, until

SECRET = "Xyzzy-plugh-42"
"""Occurs in nothing but passwords."""


@pytest.fixture
def broker(start_mosquitto: Callable[..., Mosquitto], tmp_path: Path) -> Mosquitto:
    """A broker that lets the device in by password, and everybody read."""
    passwords = tmp_path / "passwords"
    subprocess.run(
        ["mosquitto_passwd", "-c", "-b", str(passwords), "door-1", SECRET],
        check=True,
        capture_output=True,
    )
    return start_mosquitto(f"allow_anonymous true\npassword_file {passwords}")


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    """What systemd makes of LoadCredential=mqtt-password:FILE."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "mqtt-password").write_text(f"{SECRET}\n")
    (folder / "mqtt-password").chmod(0o400)
    return folder


def written(folder: Path, port: int, source: str, username: str = "door-1") -> Path:
    config = folder / "tensormask.toml"
    config.touch(mode=0o600)
    config.write_text(
        f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\nusername = "{username}"\n'
        'password_file = "credential:mqtt-password"\n'
        f'[camera]\nsource = "{source}"\nopen_timeout_s = 2\n'
        '[device]\nid = "door-1"\n[health]\ninterval_s = 1\n[log]\nlevel = "debug"\n'
    )
    return config


def command(folder: Path, credentials: Path, *words: str) -> Running:
    """Start `tensormask` as systemd would."""
    return Running(
        [sys.executable, "-m", "edge", *words],
        env=os.environ
        | {
            "CREDENTIALS_DIRECTORY": str(credentials),
            "STATE_DIRECTORY": str(folder / "state"),
            "PYTHONFAULTHANDLER": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def outages(subscriber: Subscriber) -> int:
    reports = subscriber.payloads("health")
    return int(json.loads(reports[-1])["camera"]["outages"]) if reports else 0


def test_the_service_says_no_password(
    broker: Mosquitto,
    subscribe: Callable[..., Subscriber],
    credentials: Path,
    tmp_path: Path,
) -> None:
    subscriber = subscribe(broker.port)
    frames = encoded_frames(write_clip(tmp_path / "c.avi", [scene()] * 40, codec="XVID"))
    with serving(frames, user=f"viewer:{SECRET}") as camera:
        source = f"rtsp://viewer:{SECRET}@127.0.0.1:{camera.port}/live?password={SECRET}"
        config = written(tmp_path, broker.port, source)
        service = command(tmp_path, credentials, "run", "--config", str(config))
        try:
            # The stream ends repeatedly: the camera is found, lost and found.
            until(lambda: outages(subscriber) > 0, "an outage")
            shown = Path(f"/proc/{service.pid}/cmdline").read_bytes()
        finally:
            service.send_signal(signal.SIGABRT)  # as a watchdog does: stacks of all threads
            said = service.communicate(timeout=DEADLINE_S)[0].decode()
    assert "camera lost" in said
    assert "Fatal Python error: Aborted" in said
    assert SECRET not in said
    assert SECRET.encode() not in shown
    for message in subscriber.messages:
        assert SECRET.encode() not in message.payload
    files = [path for path in (tmp_path / "state").iterdir() if path.is_file()]
    kept = b"".join(path.read_bytes() for path in files)
    assert SECRET.encode() not in kept


@pytest.mark.parametrize(("words", "user"), [(["check"], "door-1"), (["check"], "somebody-else")])
def test_checks_say_no_password(
    broker: Mosquitto, credentials: Path, tmp_path: Path, words: list[str], user: str
) -> None:
    source = f"rtsp://viewer:{SECRET}@127.0.0.1:{broker.port}/{SECRET}"
    config = written(tmp_path, broker.port, source, user)
    with command(tmp_path, credentials, *words, "--config", str(config)) as checking:
        said = checking.communicate(timeout=DEADLINE_S)[0].decode()
    assert "camera         FAULT  " in said
    assert ("broker         ok" in said) == (user == "door-1")
    assert SECRET not in said


@pytest.mark.parametrize(
    "source",
    [
        f"rtsp:/viewer:{SECRET}@camera/live",
        f"viewer:{SECRET}@camera://live",
        f"rtsp://viewer:{SECRET}@camera:99999999/live",
        f"rtsp://viewer:{SECRET}@",
        f"gopher://viewer:{SECRET}@camera/{SECRET}",
        f"http://127.0.0.1:1/{SECRET}?user=x",
        f"rtsp://camera.invalid/user=x_password={SECRET}",
    ],
)
def test_a_source_that_cannot_be_opened_is_named_without_its_password(source: str) -> None:
    settings = CameraSettings(source=source, open_timeout_s=0.5)
    with pytest.raises(TensorMaskError) as caught:
        open_source(settings)
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(settings)


@pytest.mark.parametrize(
    "line",
    [
        f"source = rtsp://viewer:{SECRET}@camera/live",
        f'source = ["rtsp://viewer:{SECRET}@camera/live"]',
        f'sorce = "rtsp://viewer:{SECRET}@camera/live"',
        f'source = "rtsp://viewer:{SECRET}@camera/live"\nsource = "x"',
        f'source = "rtsp://viewer:{SECRET}@camera/live',
        f'source = "rtsp://viewer:{SECRET}@camera/live"',
    ],
)
def test_settings_are_refused_without_their_password(tmp_path: Path, line: str) -> None:
    """The last of them is right, but for everybody's eyes."""
    config = tmp_path / "tensormask.toml"
    config.write_text(f'[mqtt]\nhost = "h"\n[camera]\n{line}\n')
    config.chmod(0o644)
    with pytest.raises(ConfigError) as caught:
        load_settings(config)
    assert SECRET not in str(caught.value)


def test_settings_with_a_password_are_read_where_only_few_can(tmp_path: Path) -> None:
    config = tmp_path / "tensormask.toml"
    config.write_text('[mqtt]\nhost = "h"\n[camera]\nsource = "rtsp://viewer:xyzzy@camera/live"\n')
    config.chmod(0o644)
    with pytest.raises(ConfigError, match=r"everybody can read it.*; sudo chmod o= "):
        load_settings(config)
    config.chmod(0o640)
    assert load_settings(config).camera.source.endswith("@camera/live")


def test_a_credential_is_what_systemd_gives(
    credentials: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = MqttSettings(host="h", username="u", password_file="credential:mqtt-password")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(ConfigError, match="add LoadCredential=mqtt-password:FILE to the unit"):
        BrokerAccess(settings)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    BrokerAccess(settings)
    (credentials / "mqtt-password").unlink()
    with pytest.raises(ConfigError, match="gives no credential mqtt-password"):
        BrokerAccess(settings)


@pytest.mark.parametrize("name", ["", ".", "../password", "/etc/shadow", "a b"])
def test_a_credential_has_a_plain_name(
    credentials: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    with pytest.raises(ConfigError, match="a credential has a name, not a path"):
        BrokerAccess(MqttSettings(host="h", username="u", password_file=f"credential:{name}"))
