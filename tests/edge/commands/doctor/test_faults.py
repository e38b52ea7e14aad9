"""Faults that are really there, each with its cause and its cure."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from edge.commands.doctor import eyes, machine, service, voice
from edge.commands.doctor.doctor import examine, packages
from edge.commands.doctor.finding import Finding, complete, exit_status, lines, well, wrong
from edge.commands.doctor.host import Host
from edge.commands.doctor.page import page
from edge.commands.status import status_of
from edge.conditions import Code, Severity
from edge.config import MqttSettings, PageSettings, Settings, load_settings
from edge.errors import ConfigError
from edge.host.health import read_vitals
from edge.page.activation import listened
from edge.records import Pixels
from edge.telemetry import (
    BrokerState,
    CameraState,
    CameraStatus,
    OutboxState,
    Pace,
    PageState,
    Strain,
    Telemetry,
)
from tests.broker.conftest import Mosquitto, free_port
from tests.broker.strict import HangUpError, Publish, Rules, StrictBroker
from tests.clips import carphone
from tests.disk import SmallDisk
from tests.edge.capture.cameras import web_camera
from tests.edge.capture.fakes import write_clip
from tests.edge.samples import IN_USE, TELEMETRY
from tests.needs import lacking
from tests.waiting import DEADLINE_S

HOST = Host()


def faults(findings: Iterable[Finding]) -> list[Finding]:
    return [each for each in findings if each.severity is Severity.FAULT]


def settings_with(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "tensormask.toml"
    file.touch(0o600)
    file.write_text(text)
    return load_settings(file)


# The settings.


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[mqtt]\nhost = "localhost"\n[camera]\nsuorce = 1\n', "did you mean source?"),
        ('[mqtt]\nhost = "localhost"\n[detector]\nname = "yunot"\n', "yunet"),
        ("nonsense", "not a TOML file"),
        ("", "no broker"),
    ],
)
def test_settings_that_are_wrong_hide_nothing_else(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "tensormask.toml"
    file.write_text(text)
    found = list(examine(file))
    assert said in faults(found)[0].text
    assert faults(found)[0].fix.startswith(f"sudoedit {file}")
    assert {"packages", "clock", "disk"} <= {each.part for each in found}


def test_settings_that_are_missing_can_be_made(tmp_path: Path) -> None:
    file = tmp_path / "none.toml"
    (fault,) = faults(examine(file))
    assert "deploy/install.sh" in fault.fix
    with pytest.raises(ConfigError) as refused:  # as every other command says it
        load_settings(file)
    assert str(refused.value) == f"{fault.text}; {fault.fix}"


@pytest.mark.parametrize(
    ("life", "fix"),
    [
        ("LoadState=masked", "sudo systemctl unmask tensormask; "),
        ("LoadState=loaded\nActiveState=inactive", "sudo systemctl start tensormask"),
        ("LoadState=loaded\nActiveState=failed\nExecMainStatus=1", "journalctl -u tensormask"),
    ],
)
def test_settings_come_before_a_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, life: str, fix: str
) -> None:
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(f"#!/bin/sh\ncat <<'END'\n{life}\nEND\n")
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    (tmp_path / "tensormask.toml").write_text('[mqtt]\nhost = "localhost"\n')
    for file, before in (("tensormask.toml", ""), ("none.toml", "correct the settings first; ")):
        found = examine(tmp_path / file, Elsewhere(seen_of(tmp_path / file)), Host(tmp_path))
        (fault,) = (each for each in found if each.part == "service")
        assert fault.fix.startswith(f"{before}{fix}")


def seen_of(config: Path) -> str:
    """Return what the doctor sees of these settings in the service's place."""
    is_there = config.exists()
    said = (
        well("configuration", "")
        if is_there
        else wrong("configuration", Code.SETTINGS_REFUSED, why="", file=config)
    )
    return msgspec.json.encode([said]).decode()


# The program.


def test_packages_that_do_not_fit_are_named(tmp_path: Path) -> None:
    (tmp_path / "requirements-pi.txt").write_text("numpy==1.0.0 \\\n    --hash=x\nno-such==2\n")
    (fault,) = faults(packages(tmp_path))
    assert "numpy is " in fault.text
    assert "no-such is missing, wanted 2" in fault.text
    assert not faults(packages())


def test_a_damaged_model_is_named_with_the_way_back(tmp_path: Path) -> None:
    file = tmp_path / "tensormask.toml"
    file.write_text(
        f'[mqtt]\nhost = "localhost"\nport = {free_port()}\n[camera]\nsource = "{carphone()}"\n'
        f'[classifier]\nbundle = "{tmp_path}"\n'
    )
    fault = next(each for each in faults(examine(file)) if each.part == "model")
    assert "models rollback bundle" in fault.fix


# The service.


@pytest.mark.parametrize(
    ("now", "said", "cure"),
    [
        (
            replace(TELEMETRY, paused_for_s=600.0),
            "paused: judging goes on by itself in 10 min",
            "the command resume",
        ),
        (
            replace(TELEMETRY, outbox=OutboxState(rows=9, oldest_age_s=7200.0)),
            "9 messages queued, the oldest for 2 h",
            "nothing is lost",
        ),
        (replace(TELEMETRY, pace=Pace(4.0, (Strain.MEMORY,))), "memory is short", "ps -eo rss"),
    ],
)
def test_what_status_says_of_a_service_that_runs_the_doctor_says_too(
    now: Telemetry, said: str, cure: str
) -> None:
    (found,) = service.running(now)
    assert (found.severity, said in found.text, cure in found.fix) == (Severity.HINT, True, True)
    assert not list(service.running(TELEMETRY))


# The camera.


def _clip(path: Path, picture: Callable[[Pixels], Pixels]) -> Path:
    """Write a clip of the man in the car, changed."""
    reader = cv2.VideoCapture(str(carphone()))
    frames = [reader.read()[1] for _ in range(8)]
    shown = [picture(np.asarray(cv2.resize(each, (640, 524)), np.uint8)) for each in frames]
    return write_clip(path, shown, fps=15)


def _turned(pixels: Pixels) -> Pixels:
    return np.ascontiguousarray(np.rot90(pixels))


def _blurred(pixels: Pixels) -> Pixels:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), 6), np.uint8)


@pytest.mark.parametrize(
    ("change", "said", "cure"),
    [
        (lambda pixels: pixels // 40, "too dark", "switch on a light"),
        (lambda pixels: pixels // 64 + 100, "covered", "clean the lens"),
        (lambda pixels: pixels // 64 + 250, "blinded", "turn it away"),
        (_blurred, "out of focus", "turn the lens"),
        (_turned, "upside down or on its side", "rotation_deg = 90"),
        (
            lambda pixels: _turned(_turned(pixels)),
            "upside down or on its side",
            "rotation_deg = 180",
        ),
    ],
)
def test_a_picture_that_is_no_use_is_reported_by_why(
    tmp_path: Path, change: Callable[[Pixels], Pixels], said: str, cure: str
) -> None:
    clip = _clip(tmp_path / "clip.avi", change)
    settings = settings_with(tmp_path, f'[mqtt]\nhost = "localhost"\n[camera]\nsource = "{clip}"\n')
    found = faults(eyes.looked_at(settings))
    assert any(said in each.text and cure in each.fix for each in found), found


def test_a_camera_that_the_service_found_to_be_turned_is_reported() -> None:
    camera = replace(TELEMETRY.camera, rotation_wanted_deg=180)
    (fault,) = faults(eyes.in_use(replace(TELEMETRY, camera=camera), "/dev/video0"))
    assert "upside down" in fault.text
    assert "set [camera] rotation_deg = 180" in fault.fix


def test_a_good_picture_is_no_fault(tmp_path: Path) -> None:
    clip = _clip(tmp_path / "clip.avi", lambda pixels: pixels)
    settings = settings_with(tmp_path, f'[mqtt]\nhost = "localhost"\n[camera]\nsource = "{clip}"\n')
    assert not faults(eyes.looked_at(settings))


@pytest.mark.parametrize(
    ("source", "said", "cure"),
    [
        ("/dev/video77", "no such device", "v4l2-ctl --list-devices; sudo fuser -v /dev/video77"),
        ("rtsp://user:secret@127.0.0.1:9/x", "", "ping 127.0.0.1"),
        ("picamera2", "picamera2", "install.sh --source /dev/video0"),
    ],
)
def test_a_camera_that_is_not_there_is_looked_for_by_its_kind(
    tmp_path: Path, source: str, said: str, cure: str
) -> None:
    settings = settings_with(
        tmp_path,
        f'[mqtt]\nhost = "localhost"\n[camera]\nsource = "{source}"\nopen_timeout_s = 1\n',
    )
    (fault,) = faults(eyes.looked_at(settings))
    assert said in fault.text
    assert cure in fault.fix
    assert "secret" not in fault.text + fault.fix


@pytest.mark.parametrize(
    ("path", "authorization", "status"),
    [("video", "Basic of somebody else", "401"), ("nowhere", None, "404")],
)
def test_a_camera_that_answers_is_not_looked_for_in_the_network(
    tmp_path: Path, path: str, authorization: str | None, status: str
) -> None:
    with web_camera(authorization=authorization) as web:
        source = f"http://{web.place}/{path}"
        settings = settings_with(
            tmp_path, f'[mqtt]\nhost = "localhost"\n[camera]\nsource = "{source}"\n'
        )
        (fault,) = faults(eyes.looked_at(settings))
    lost = CameraStatus(CameraState.LOST, 1, None, None, False, fault.text, refuses=True)
    (told,) = faults(eyes.in_use(replace(TELEMETRY, camera=lost), source))
    for each in (fault, told):
        assert f"({status})" in each.text
        assert "ping" not in each.fix
        assert "correct [camera] source, then: sudo systemctl restart tensormask" in each.fix


# The broker.


def _broker(settings: MqttSettings, **device: str) -> list[Finding]:
    whole = Settings(mqtt=settings)
    if device:
        whole = msgspec.structs.replace(
            whole, device=msgspec.structs.replace(whole.device, **device)
        )
    return list(voice.broker(whole, None))


def test_a_broker_that_lets_us_in_and_takes_what_we_say_is_no_fault(mosquitto: Mosquitto) -> None:
    found = _broker(MqttSettings(host="127.0.0.1", port=mosquitto.port))
    assert [each.severity for each in found] == [Severity.OK]


@pytest.mark.parametrize(
    ("user", "cure"), [(1000, "sudo tensormask doctor"), (0, "correct the settings first")]
)
def test_without_the_settings_it_is_said_what_the_service_says(
    monkeypatch: pytest.MonkeyPatch, user: int, cure: str
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    told = replace(TELEMETRY, in_use=IN_USE)
    (well,) = voice.broker(None, told)
    assert (well.severity, "connected to broker.example:1883" in well.text) == (Severity.OK, True)
    away = BrokerState(False, 0, "MQTT 5", "it refuses the connection")
    (fault,) = voice.broker(None, replace(told, broker=away))
    assert (fault.severity, fault.text) == (Severity.FAULT, "it refuses the connection")
    (unknown,) = voice.broker(None, None)
    assert (unknown.severity, unknown.fix) == (Severity.UNKNOWN, cure)


def test_a_broker_that_the_service_does_not_use_yet_is_tried() -> None:
    """The settings were edited, and the service was not restarted."""
    settings = Settings(mqtt=MqttSettings(host="127.0.0.1", port=free_port()))
    (fault,) = voice.broker(settings, replace(TELEMETRY, in_use=IN_USE))
    assert "Connection refused" in fault.text


def test_a_name_that_is_not_found_is_told_from_a_port_that_is_closed() -> None:
    (name,) = _broker(MqttSettings(host="no-such-broker.invalid"))
    assert "no-such-broker.invalid is not found" in name.text
    assert name.fix.startswith("getent hosts")
    port = free_port()
    (closed,) = _broker(MqttSettings(host="127.0.0.1", port=port))
    assert "Connection refused" in closed.text
    assert f"port {port}" in closed.fix
    assert "ping" not in closed.fix, "it has answered"


def test_a_wrong_password_is_reported(
    start_mosquitto: Callable[..., Mosquitto], tmp_path: Path
) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-c", "-b", passwords, "door-1", "right"], check=True)
    broker = start_mosquitto(f"allow_anonymous false\npassword_file {passwords}")
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_text("wrong\n")
    settings = MqttSettings(
        host="127.0.0.1", port=broker.port, username="door-1", password_file=str(secret)
    )
    (fault,) = faults(_broker(settings))
    assert "user and password at the broker" in fault.fix


def test_rules_that_refuse_our_topic_are_reported(
    start_mosquitto: Callable[..., Mosquitto], tmp_path: Path
) -> None:
    rules = tmp_path / "acl"
    rules.write_text("topic write tensormask/door-1/#\n")
    broker = start_mosquitto(f"allow_anonymous true\nacl_file {rules}")
    settings = MqttSettings(host="127.0.0.1", port=broker.port, protocol="5")
    assert not faults(_broker(settings, id="door-1"))
    (fault,) = faults(_broker(settings, id="door-2"))
    assert "tensormask/door-2/availability: not authorized" in fault.text
    assert "access rules" in fault.fix


@pytest.mark.parametrize("level", [4, 5])
def test_a_broker_that_disconnects_at_a_denied_topic_hides_no_later_part(
    level: int, tmp_path: Path
) -> None:
    def deny(came: Publish) -> int:
        raise HangUpError(None if level == 4 else 0x87)

    broker = StrictBroker(Rules(versions=(level,), publish=deny))
    try:
        file = tmp_path / "tensormask.toml"
        file.touch(0o600)
        file.write_text(
            f'[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\n[device]\nid = "door-1"\n'
            f'[camera]\nsource = "{tmp_path}/none.mp4"\n'
            f'[outbox]\npath = "{tmp_path}/outbox.sqlite"\n'
        )
        found = list(examine(file))
    finally:
        broker.close()
    (fault,) = [each for each in faults(found) if each.part == "broker"]
    assert "no permission to publish tensormask/door-1/availability" in fault.text
    assert {"clock", "disk", "memory"} <= {each.part for each in found}


def test_tls_against_a_plain_port_is_reported(mosquitto: Mosquitto) -> None:
    (fault,) = faults(_broker(MqttSettings(host="127.0.0.1", port=mosquitto.port, tls=True)))
    assert "openssl s_client" in fault.fix


@pytest.mark.parametrize(("days", "level"), [(2, Severity.HINT), (400, Severity.OK)])
def test_the_end_of_a_certificate_is_reported(tmp_path: Path, days: int, level: Severity) -> None:
    own = tmp_path / "own.crt"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", str(days)),
            *("-subj", "/CN=door-1", "-keyout", tmp_path / "own.key", "-out", own),
        ],
        check=True,
        capture_output=True,
    )
    mqtt = MqttSettings(host="b", tls=True, certificate_file=str(own), key_file="k")
    page_of = PageSettings(enabled=True, certificate_file=str(own), key_file="k")
    found, of_page = voice.certificate(Settings(mqtt=mqtt, page=page_of))
    assert of_page.severity is level
    assert found.severity is level
    assert re.search(r"\d{4}-\d\d-\d\d$", found.text)


# The machine.


def _pi(root: Path, word: str = "0", degrees: int = 45) -> Host:
    firmware = root / "sys/devices/platform/soc/soc:firmware"
    firmware.mkdir(parents=True)
    (firmware / "get_throttled").write_text(word)
    zone = root / "sys/class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "type").write_text("cpu-thermal")
    (zone / "temp").write_text(str(1000 * degrees))
    return Host(root)


@pytest.mark.parametrize(
    ("word", "level", "said"),
    [
        ("0", Severity.OK, "enough"),
        ("1", Severity.FAULT, "too weak now"),
        ("4", Severity.FAULT, "throttled now"),
        ("10000", Severity.HINT, "under-voltage since boot"),
    ],
)
def test_a_weak_power_supply_is_reported(
    tmp_path: Path, word: str, level: Severity, said: str
) -> None:
    (found,) = machine.power(read_vitals(_pi(tmp_path, word).root))
    assert (found.severity, said in found.text) == (level, True)


@pytest.mark.parametrize(
    ("degrees", "level"), [(45, Severity.OK), (72, Severity.HINT), (83, Severity.FAULT)]
)
def test_heat_is_reported(tmp_path: Path, degrees: int, level: Severity) -> None:
    host = _pi(tmp_path, degrees=degrees)
    (found,) = machine.heat(read_vitals(host.root))
    assert found.severity is level


@pytest.mark.parametrize(
    ("now", "is_right", "level"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), False, Severity.FAULT),
        (datetime(2027, 1, 1, tzinfo=UTC), False, Severity.HINT),
        (datetime(2027, 1, 1, tzinfo=UTC), True, Severity.OK),
    ],
)
def test_a_clock_that_is_wrong_is_reported(now: datetime, is_right: bool, level: Severity) -> None:
    (found,) = machine.clock(now, is_right)
    assert found.severity is level


def test_memory_limits_that_the_kernel_ignores_are_reported(tmp_path: Path) -> None:
    cgroups = tmp_path / "sys/fs/cgroup"
    cgroups.mkdir(parents=True)
    (cgroups / "cgroup.controllers").write_text("cpuset cpu io pids")
    (found,) = machine.memory(Host(tmp_path), read_vitals(tmp_path))
    assert "cgroup_enable=memory" in found.fix


# Whose eyes look.


@dataclass
class Elsewhere:
    """A service in whose place the doctor is only noted, and `says` this."""

    says: str
    asked: Sequence[str] = ()

    def ask(self, arguments: Sequence[str], limit_s: float) -> tuple[int, str]:
        self.asked = arguments
        return 0, self.says


def test_settings_are_looked_at_in_the_services_place(tmp_path: Path) -> None:
    seen = [Finding("camera", Severity.FAULT, "the service does not see /home")]
    place = Elsewhere(msgspec.json.encode(seen).decode())
    found = list(examine(tmp_path / "none.toml", place=place))
    assert faults(found) == seen, "that there are no such settings is not looked at here"
    assert {"packages", "clock", "disk"} <= {each.part for each in found}
    assert place.asked[:4] == ["doctor", "--here", "--settings-only", "--json"]


def test_where_nothing_can_be_started_as_the_service_one_looks_oneself(tmp_path: Path) -> None:
    (fault,) = faults(examine(tmp_path / "none.toml", place=Elsewhere("")))
    assert "No such file" in fault.text


# How it is printed.


def test_a_program_of_a_fix_that_is_not_here_comes_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    fault = Finding("camera", Severity.FAULT, "", "ping camera; sudo fuser -v /dev/video0; ls")
    said = complete(fault).fix
    assert said == f"{fault.fix} (sudo apt-get install iputils-ping psmisc)"
    assert complete(complete(fault)).fix == said, "once"
    for name in ("ping", "fuser"):
        (tmp_path / name).touch(0o755)
    assert complete(fault) == fault


def test_forty_columns_are_enough() -> None:
    found = [Finding("broker", Severity.FAULT, "it does not let us in at all, ever", "ask it why")]
    told = list(lines(found, 40))
    assert told == [
        "FAULT   broker: it does not let us in",
        "        at all, ever",
        "   fix: ask it why",
    ]
    assert max(map(len, told)) < 40


def test_only_a_fault_fails() -> None:
    good = [Finding("a", level, "") for level in (Severity.OK, Severity.HINT, Severity.UNKNOWN)]
    assert exit_status(good) == 0
    assert exit_status([*good, Finding("d", Severity.FAULT, "")]) == 1


def test_the_command_says_the_same_as_text_and_as_json(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "edge", "doctor", "--config", str(tmp_path / "none.toml")]
    text = subprocess.run(command, capture_output=True, text=True)
    document = subprocess.run([*command, "--json"], capture_output=True, text=True)
    assert (text.returncode, document.returncode) == (1, 1)
    found = msgspec.json.decode(document.stdout, type=list[Finding])
    assert [each.part for each in found] == [
        line[8:].partition(":")[0] for line in text.stdout.splitlines() if line[0] != " "
    ]


def test_a_disk_that_is_full_or_read_only_is_reported(tmp_path: Path) -> None:
    try:
        disk = SmallDisk(tmp_path / "disk", "1m")
    except subprocess.CalledProcessError:
        lacking("no file system can be mounted", "sudo make test")
    try:
        (full,) = machine.disk(disk.folder)
        assert (full.severity, "MB left" in full.text) == (Severity.FAULT, True)
        disk.remount("ro")
        (read_only,) = machine.disk(disk.folder)
        assert "read-only" in read_only.text
        assert "mount -o remount,rw" in read_only.fix
    finally:
        subprocess.run(["umount", disk.folder], check=True)


# The page.


def test_a_port_of_the_page_that_another_program_has_is_reported() -> None:
    port = free_port()
    settings = PageSettings(enabled=True, port=port)
    running = replace(TELEMETRY, uptime_s=60.0)
    assert [each.severity for each in page(settings, None)] == [Severity.OK]
    assert "does not answer" in faults(page(settings, running))[0].text
    assert not faults(page(settings, replace(TELEMETRY, uptime_s=3.0))), "it waits for the service"
    with socket.create_server(("127.0.0.1", port)) as other:
        (fault,) = faults(page(settings, None))
        assert fault.text == f"its port, {port}, is another program's"
        assert f"sport = :{port}" in fault.fix
        # It takes the connection, and says nothing of ours.
        thread = threading.Thread(target=_hang_up, args=[other])
        thread.start()
        assert "does not answer" in faults(page(settings, running))[0].text
        thread.join()


@pytest.mark.parametrize("trouble", ["", "[page] systemd cannot listen at 127.0.0.1:1"])
def test_of_a_page_that_is_not_served_doctor_and_status_say_the_same(trouble: str) -> None:
    settings = PageSettings(enabled=True, port=free_port())
    now = replace(TELEMETRY, uptime_s=60.0, page=PageState(settings.url, trouble))
    said = status_of(now, Path("/nowhere/tensormask.toml")).troubles
    of_status = [(each.text, each.fix) for each in said if each.code is Code.PAGE_DOWN]
    for found in (page(settings, now), page(None, now)):
        assert [(each.text, each.fix) for each in found] == of_status
    assert f"sport = :{settings.port}" in of_status[0][1]


def _hang_up(server: socket.socket) -> None:
    server.settimeout(DEADLINE_S)
    connection, _ = server.accept()
    connection.close()


def test_a_password_file_that_all_can_read_has_the_command_that_closes_it(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("secret")
    password.chmod(0o644)
    file = tmp_path / "tensormask.toml"
    file.write_text(
        f'[mqtt]\nhost = "localhost"\n[page]\nenabled = true\npassword_file = "{password}"\n'
    )
    fault = next(each for each in faults(examine(file)) if each.part == "configuration")
    assert fault.fix == f"sudo chmod o= {password}"


def test_a_pis_camera_is_looked_for_at_its_ribbon() -> None:
    assert "rpicam-hello --list-cameras" in eyes.cure_of("picamera2", "no camera is connected")


def test_without_systemctl_nobody_listens_for_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert listened() == ""
