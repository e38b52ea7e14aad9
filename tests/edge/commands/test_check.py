from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.classify.card import CARD_FILE, DEFAULT_BUNDLE, MODEL_FILE
from edge.cli import main
from edge.commands.check import Checked, check_as_service, line
from edge.commands.checks import PARTS
from edge.commands.permission import permission, with_permission
from tests.edge.capture.cameras import web_camera
from tests.edge.capture.fakes import write_clip
from tests.edge.samples import IN_USE, TELEMETRY


def checked(
    capsys: pytest.CaptureFixture[str], folder: Path, text: str, *options: str
) -> tuple[int, str]:
    file = folder / "tensormask.toml"
    file.write_text(text)
    status = main(["check", "--config", str(file), *options])
    return status, capsys.readouterr().out


BROKER = '[mqtt]\nhost = "127.0.0.1"\n'


def test_a_misspelt_key_and_a_wrong_type_end_with_78(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, said = checked(capsys, tmp_path, BROKER + '[camera]\nsuorce = "x"\n')
    assert status == 78
    assert said.count("\n") == 1
    assert "[camera] unknown key suorce; did you mean source?" in said
    status, said = checked(capsys, tmp_path, BROKER + '[camera]\nfps = "fast"\n')
    assert status == 78
    assert "[camera] fps: must be a number, not text in quotes" in said


def test_the_configuration_alone_can_be_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, said = checked(capsys, tmp_path, BROKER, "--only", "configuration")
    assert (status, said.split()[:2]) == (0, ["configuration", "ok"])
    assert said.count("\n") == 1


def test_an_unknown_detector_is_a_fault_of_the_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = BROKER + '[detector]\nname = "yunet2"\n'
    status, said = checked(capsys, tmp_path, text, "--only", "configuration")
    assert status == 78
    assert "unknown detector; known are auto, tensormask, yunet, res10; did you mean yunet?" in said


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    folder.mkdir()
    for name in (MODEL_FILE, CARD_FILE):
        shutil.copy(DEFAULT_BUNDLE / name, folder / name)
    return folder


def with_bundle(folder: Path) -> str:
    return f'{BROKER}[classifier]\nbundle = "{folder}"\n'


def test_a_bundle_that_is_well_is_named(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, said = checked(capsys, tmp_path, with_bundle(bundle), "--only", "model")
    assert status == 0
    assert "litert" in said


def test_a_missing_or_tampered_model_ends_with_65(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = bundle / MODEL_FILE
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    status, said = checked(capsys, tmp_path, with_bundle(bundle), "--only", "model")
    assert status == 65
    assert "the file was changed or damaged; install the bundle again" in said
    model.unlink()
    status, said = checked(capsys, tmp_path, with_bundle(bundle), "--only", "model")
    assert status == 65
    assert "model.tflite: No such file" in said


def test_a_missing_detector_model_ends_with_65(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f'{BROKER}[detector]\nname = "yunet"\nmodel = "{tmp_path}/absent.onnx"\n'
    status, said = checked(capsys, tmp_path, text, "--only", "detector")
    assert status == 65
    assert "absent.onnx: No such file" in said


def test_an_unreachable_broker_ends_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as reserved:
        # Bound, but nobody listens: the connection is refused.
        reserved.bind(("127.0.0.1", 0))
        text = f"{BROKER}port = {reserved.getsockname()[1]}\n"
        status, said = checked(capsys, tmp_path, text, "--only", "broker")
    assert status == 1
    assert "broker         FAULT  " in said
    assert said.count("\n") == 2


def test_a_broker_whose_password_only_the_service_gets_is_not_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no failure: `check && restart` goes on."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    text = BROKER + 'username = "door-1"\npassword_file = "credential:mqtt-password"\n'
    status, said = checked(capsys, tmp_path, text, "--only", "broker")
    assert status == 0
    assert "broker         unknown systemd gives its credentials to the service only" in said


def test_a_camera_that_is_not_there_ends_with_1_and_is_named_apart_from_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], carphone: Path
) -> None:
    text = BROKER + '[camera]\nsource = "/dev/video-none"\n'
    status, said = checked(capsys, tmp_path, text, "--only", "camera")
    assert status == 1
    assert "camera         FAULT  " in said
    status, said = checked(
        capsys, tmp_path, f'{BROKER}[camera]\nsource = "{carphone}"\n', "--only", "camera"
    )
    assert (status, said.splitlines()[1]) == (
        0,
        "camera         ok      frames of 176 x 144, 30.0 per second",
    )


def test_a_network_camera_is_watched_as_run_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with web_camera() as web:
        text = f'{BROKER}[camera]\nsource = "http://{web.place}/video"\n'
        status, said = checked(capsys, tmp_path, text, "--only", "camera")
    assert status == 0
    found = re.search(r"camera +ok +frames of 320 x 240, (\d+\.\d) per second", said)
    assert found
    assert 5 < float(found[1]) < 40


def test_a_camera_s_certificate_that_only_the_service_gets_is_not_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    text = BROKER + '[camera]\nsource = "rtsps://camera/live"\nca_file = "credential:camera"\n'
    status, said = checked(capsys, tmp_path, text, "--only", "camera")
    assert status == 0
    assert "camera         unknown systemd gives its credentials to the service only" in said


def test_pictures_that_cannot_be_covered_end_with_65(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENSORMASK_MODELS", str(tmp_path))
    wanted = BROKER + '[detector]\nname = "yunet"\n[snapshots]\npictures = "pixelated"\n'
    status, said = checked(capsys, tmp_path, wanted, "--only", "detector")
    assert status == 65
    assert "tensormask models fetch yunet" in said


def test_a_host_that_does_not_answer_is_reported_by_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A backlog that is full drops what comes, as a firewall and a host without power do."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = [socket.socket() for _ in range(4)]
        for peer in waiting:
            peer.setblocking(False)
            peer.connect_ex(full.getsockname())
        source = f"rtsp://127.0.0.1:{full.getsockname()[1]}/live"
        text = f'{BROKER}[camera]\nsource = "{source}"\nopen_timeout_s = 2.0\n'
        status, said = checked(capsys, tmp_path, text, "--only", "camera")
        for peer in waiting:
            peer.close()
    assert status == 1
    assert "no answer for 1 s; is the camera on, and the address right?" in said


def test_a_clip_that_is_none_ends_with_78_as_in_the_service(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.mp4").write_text("no clip")
    for realtime in ("true", "false"):
        text = f'{BROKER}[camera]\nsource = "{tmp_path}/text.mp4"\nrealtime = {realtime}\n'
        status, said = checked(capsys, tmp_path, text, "--only", "camera")
        assert (status, "[camera] source: text.mp4: no video" in said) == (78, True)


WITHOUT_PRIVILEGE = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
"""Root without them is held to the modes of files, as the service is."""
CHECK_AND_DOCTOR = """
import os, sys
os.environ["SYSTEMD_EXEC_PID"] = str(os.getpid())  # as the service
from edge import installed
from edge.cli import main
installed.UNSEEN = ()  # here is no sandbox that hides /tmp
config, part = sys.argv[1:]
main(["check", "--config", config, "--only", part])
main(["doctor", "--config", config, "--settings-only", "--json"])
"""


@pytest.mark.parametrize(
    ("part", "setting", "closed", "mode"),
    [
        ("camera", '[camera]\nsource = "{}/clip.avi"\nloop = true', "clip.avi", 640),
        ("camera", '[camera]\nsource = "{}/pictures"\nloop = true', "pictures", 750),
        ("camera", '[camera]\nsource = "{}/none/clip.avi"\nloop = true', "none/clip.avi", 640),
        ("model", '[classifier]\nbundle = "{}/bundle"', f"bundle/{CARD_FILE}", 640),
        ("detector", '[detector]\nname = "yunet"\nmodel = "{}/own.onnx"', "own.onnx", 640),
        ("broker", 'username = "u"\npassword_file = "{}/secret"', "secret", 640),
        (
            "broker",
            'tls = true\ncertificate_file = "{0}/x"\nkey_file = "{0}/secret"',
            "secret",
            640,
        ),
        (
            "broker",
            'tls = true\ncertificate_file = "{0}/x"\nkey_file = "{0}/secret"',
            "x",
            640,
        ),
        ("configuration", '[page]\nenabled = true\npassword_file = "{}/secret"', "secret", 640),
        (
            "configuration",
            '[page]\nenabled = true\npassword_file = "{0}/own.onnx"\ncertificate_file = "{0}/x"\n'
            'key_file = "{0}/secret"',
            "x",
            640,
        ),
    ],
)
def test_a_file_that_the_service_cannot_read_comes_with_what_lets_it(
    tmp_path: Path, part: str, setting: str, closed: str, mode: int
) -> None:
    write_clip(tmp_path / "clip.avi", [np.zeros((72, 128, 3), np.uint8)] * 3, fps=15)
    for name in ("pictures", "none"):
        (tmp_path / name).mkdir()
    shutil.copytree(DEFAULT_BUNDLE, tmp_path / "bundle")
    for name in ("own.onnx", "secret", "x"):
        (tmp_path / name).write_text("12345678\n")
        (tmp_path / name).chmod(0o640)
    path = tmp_path / closed
    shut = path if path.exists() else path.parent
    shut.chmod(0)
    clip = "" if "[camera]" in setting else f'[camera]\nsource = "{tmp_path}/clip.avi"\nloop = true'
    config = tmp_path / "tensormask.toml"
    config.touch(0o600)
    held = WITHOUT_PRIVILEGE if os.geteuid() == 0 else ()
    command = [*held, sys.executable, "-c", CHECK_AND_DOCTOR, config, part]
    with socket.create_server(("127.0.0.1", 0)) as broker:  # the password is read before it answers
        port = broker.getsockname()[1]
        config.write_text(f"{BROKER}port = {port}\n{setting.format(tmp_path)}\n{clip}\n")
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
    shut.chmod(0o700)
    checks = [each for each in answer.stdout.splitlines() if "FAULT" in each]
    document = answer.stdout[answer.stdout.index("[\n") :]
    (said,) = (each for each in checks if "Permission denied" in each)
    assert f"; sudo chgrp tensormask {path}; sudo chmod {mode} {path}; namei -l {path}" in said
    faults = [each for each in json.loads(document) if each["severity"] == "fault"]
    assert [each for each in faults if each["fix"] and said.endswith(each["fix"])]


def test_only_a_whole_path_is_advised_on_and_only_where_a_service_may_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SYSTEMD_EXEC_PID", str(os.getpid()))
    assert "chgrp tensormask '/srv/a b.mp4';" in permission(
        "source: /srv/a b.mp4: Permission denied"
    )
    assert permission("[camera] source: videos/clip.mp4: Permission denied") == ""
    monkeypatch.delenv("SYSTEMD_EXEC_PID")
    said = "[camera] source: /home/me/clip.mp4: Permission denied"
    assert with_permission(said) == said, "a checkout"


def test_what_makes_a_secret_that_is_missing_is_advised() -> None:
    no = ": No such file or directory"
    install = "sudo install -m 640 -g tensormask /dev/stdin"
    token = permission(f"[metrics] token_file: /etc/tensormask/a b{no}")
    assert token == f"openssl rand -hex 16 | {install} '/etc/tensormask/a b'"
    given = permission(f"[[notify]] chat token_file: /etc/t{no}")
    assert given == f"write it, Ctrl-D ends it: {install} /etc/t"
    assert permission(f"[camera] source: /srv/clip.mp4{no}") == ""


def test_as_json_each_part_is_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, said = checked(
        capsys, tmp_path, BROKER + "port = 1\n", "--json", "--only", "model", "--only", "broker"
    )
    assert status == 1
    parts = [json.loads(each) for each in said.splitlines()]
    assert [(each["part"], each["severity"]) for each in parts] == [
        ("configuration", "ok"),
        ("model", "ok"),
        ("broker", "fault"),
    ]


@dataclass
class Elsewhere:
    """A service in whose place commands are only noted."""

    status: str
    asked: list[str] = field(default_factory=list)
    as_json: bool = False

    def run(self, arguments: Sequence[str]) -> int:
        self.as_json = "--json" in arguments
        self.asked = [word for word in arguments if word in {"configuration", *PARTS}]
        return 0


@pytest.mark.parametrize(
    ("source", "service", "status", "asks", "said"),
    [
        ("/dev/video0", "camera running, 9 fps", 0, False, "ok      in use by the running service"),
        ("/dev/video0", "camera dark, 9 fps", 0, False, "ok      in use by the running service"),
        (
            "/dev/video0",
            "camera lost, 0 fps",
            1,
            False,
            "FAULT   no picture in the running service",
        ),
        ("/dev/video0", "camera starting", 0, False, "unknown the running service has no picture"),
        ("/dev/video0", "", 0, True, ""),
        ("rtsp://camera/live", "camera running, 9 fps", 0, True, ""),
    ],
)
def test_a_camera_that_the_running_service_has_is_not_opened_again(
    tmp_path: Path, source: str, service: str, status: int, asks: bool, said: str
) -> None:
    config = tmp_path / "tensormask.toml"
    config.write_text(f'{BROKER}[camera]\nsource = "{source}"\n')
    place, results = Elsewhere(service), list[Checked]()
    assert check_as_service(place, config, list(PARTS), results.append) == status
    assert ("camera" in place.asked) is asks
    assert [name for name in place.asked if name != "camera"] == [
        *("configuration", "model", "detector", "broker")
    ]
    assert said in "".join(line(each) for each in results)


@pytest.mark.parametrize(
    ("source", "asks"), [("/dev/video0", False), ("0", False), ("/dev/video7", True)]
)
def test_a_camera_that_the_running_service_does_not_have_is_opened(
    tmp_path: Path, source: str, asks: bool
) -> None:
    """The settings were edited, and the service was not restarted."""
    config = tmp_path / "tensormask.toml"
    config.write_text(f'{BROKER}[camera]\nsource = "{source}"\n')
    used = replace(IN_USE, source="/dev/video0", settings=str(config))
    place, results = Elsewhere("camera running, 9 fps"), list[Checked]()
    telemetry = replace(TELEMETRY, in_use=used)
    check_as_service(place, config, list(PARTS), results.append, telemetry=telemetry)
    assert ("camera" in place.asked) is asks
    assert [each.part for each in results] == ([] if asks else ["camera"]) + ["service"]
    assert results[-1].severity == "hint"
    assert results[-1].text.endswith(
        "the service had started; use it: sudo systemctl restart tensormask"
    )


def test_the_service_s_own_part_is_as_json_too(tmp_path: Path) -> None:
    config = tmp_path / "tensormask.toml"
    config.write_text(BROKER)
    place = Elsewhere("")
    check_as_service(place, config, list(PARTS), lambda checked: None, ["--json"])
    assert place.as_json


def test_an_area_that_was_drawn_and_is_damaged_is_found_before_the_service_stands_still(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "area.json").write_text('{"regions": [')
    text = f'{BROKER}[outbox]\npath = "{tmp_path}/outbox.sqlite"\n'
    status, said = checked(capsys, tmp_path, text, "--only", "detector")
    assert status == 78
    assert "area.json: damaged" in said
    assert "draw the area again" in said


@pytest.mark.parametrize(
    ("mode", "content", "said"),
    [
        (None, "", "No such file"),
        (0o644, "secret\n", "everybody can read"),
        (0o600, "", "is empty"),
    ],
)
def test_a_password_of_the_page_that_is_no_use_is_a_fault_of_the_configuration(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    mode: int | None,
    content: str,
    said: str,
) -> None:
    password = tmp_path / "password"
    if mode is not None:
        password.touch(mode)
        password.chmod(mode)
        password.write_text(content)
    text = f'{BROKER}[page]\nenabled = true\npassword_file = "{password}"\n'
    status, printed = checked(capsys, tmp_path, text, "--only", "configuration")
    assert status == 78
    assert "[page] password_file" in printed
    assert said in printed


def test_a_certificate_of_the_page_that_is_none_is_a_fault_of_the_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("own.crt", "own.key"):
        (tmp_path / name).touch(0o600)
    text = (
        f'{BROKER}[page]\nenabled = true\ncertificate_file = "{tmp_path}/own.crt"\n'
        f'key_file = "{tmp_path}/own.key"\n'
    )
    status, printed = checked(capsys, tmp_path, text, "--only", "configuration")
    assert status == 78
    assert "are they a certificate and its key, in PEM?" in printed


WRONGLY_NAMED = {
    '[detector]\nname = "yunett"': (78, "unknown detector"),
    "[detector]\nsure_confidence = 0.3": (78, "[detector] sure_confidence of tensormask is 0.3"),
    '[detector]\nmodel = "/nowhere/own.onnx"': (65, "/nowhere/own.onnx: No such file"),
    '[detector]\nname = "yunet"': (65, "yunet"),
    '[classifier]\nbundle = "/nowhere/bundle"': (65, "/nowhere/bundle"),
    '[camera]\nsource = "/nowhere/clip.mp4"': (78, "[camera] source: /nowhere/clip.mp4 is no file"),
    '[camera]\nsource = "FOLDER"': (
        78,
        "comes to its end, and the service with it; set loop = true",
    ),
    '[camera]\nsource = "FOLDER"\nloop = false': (
        78,
        "comes to its end, and the service with it; set loop = true",
    ),
    '[camera]\nsource = "FOLDER/text.mp4"\nloop = true': (
        78,
        "[camera] source: text.mp4: no video",
    ),
    'username = "door"\npassword_file = "/nowhere/password"': (
        78,
        "[mqtt] password_file: /nowhere",
    ),
    'username = "door"\npassword_file = "FOLDER/open"': (78, "everybody can read"),
    'tls = true\nca_file = "FOLDER/text.mp4"': (78, "[mqtt] ca_file"),
    'tls = true\ncertificate_file = "FOLDER/open"\nkey_file = "FOLDER/key"': (
        78,
        "[mqtt] certificate_file, key_file",
    ),
    'username = "door"\npassword_file = "credential:none"': (78, "gives no credential none"),
    '[page]\nenabled = true\npassword_file = "credential:none"': (78, "gives no credential none"),
    '[outbox]\npath = "FOLDER/open/outbox.sqlite"': (78, "can't be made: "),
    '[camera]\nsource = "picamera2"': (72, "picamera2 cannot be used"),
}


@pytest.mark.parametrize("text", WRONGLY_NAMED)
def test_whatever_the_service_refuses_of_the_settings_is_a_fault_of_the_configuration(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    text: str,
) -> None:
    """In its place: started by systemd, which gives it no credential."""
    monkeypatch.setenv("SYSTEMD_EXEC_PID", str(os.getpid()))
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    (tmp_path / "text.mp4").write_text("no clip")
    for name, mode in (("open", 0o644), ("key", 0o600)):
        (tmp_path / name).write_text("secret\n")
        (tmp_path / name).chmod(mode)
    cv2.imwrite(str(tmp_path / "hall.png"), np.zeros((72, 128, 3), np.uint8))
    clip = "" if "[camera]" in text else f'[camera]\nsource = "{tmp_path}"\nloop = true\n'
    text = text.replace("FOLDER", str(tmp_path))
    status, said = checked(capsys, tmp_path, f"{BROKER}{text}\n{clip}", "--only", "configuration")
    expected, reason = WRONGLY_NAMED[text.replace(str(tmp_path), "FOLDER")]
    assert (status, reason in said) == (expected, True), said


def test_a_part_that_is_checked_apart_is_said_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = with_bundle(tmp_path / "none")
    status, said = checked(capsys, tmp_path, text, "--only", "model")
    assert status == 65
    assert [each.split()[:2] for each in said.splitlines()] == [
        ["configuration", "ok"],
        ["model", "FAULT"],
    ]
