from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.commands.checks import check_configuration
from edge.config import CameraSettings, MqttSettings, Settings
from edge.errors import ConfigError
from edge.host.unfit import refuse_unfit

HIDDEN = "/home/nobody-of-that-name"


def settings_with(folder: Path, section: str, line: str) -> Path:
    file = folder / "tensormask.toml"
    file.write_text(f'[mqtt]\nhost = "broker"\n[{section}]\n{line}\n')
    file.chmod(0o600)
    return file


@pytest.mark.parametrize(
    ("section", "line", "key", "place"),
    [
        ("camera", f'source = "{HIDDEN}/clip.avi"', "[camera] source", "/srv/clip.avi"),
        ("camera", 'source = "/tmp/tensormask-none"', "[camera] source", "/srv/tensormask-none"),
        ("classifier", f'bundle = "{HIDDEN}/bundle"', "[classifier] bundle", "/srv/bundle"),
        ("detector", f'name = "yunet"\nmodel = "{HIDDEN}/n"', "[detector] model", "/srv/n"),
        (
            "page",
            f'enabled = true\npassword_file = "{HIDDEN}/secret"',
            "[page] password_file",
            "/etc/tensormask/secret",
        ),
    ],
)
def test_a_file_that_the_sandbox_hides_is_said_to_be_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: str, line: str, key: str, place: str
) -> None:
    monkeypatch.setenv("SYSTEMD_EXEC_PID", str(os.getpid()))
    with pytest.raises(ConfigError) as refused:
        check_configuration(settings_with(tmp_path, section, line))
    said = str(refused.value)
    assert said.startswith(f"{key}: the service does not see /"), said
    assert said.endswith(f" {place.rpartition('/')[0]}/, and write {place}")


@pytest.mark.parametrize(
    ("section", "lines"),
    [
        ("page", f'password_file = "{HIDDEN}/secret"'),
        ("page", f'enabled = true\n[sign]\ntoken_file = "{HIDDEN}/token"'),
        ("camera", f'source = "/dev/video0"\nca_file = "{HIDDEN}/ca.pem"'),
    ],
)
def test_a_file_that_nobody_reads_may_be_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: str, lines: str
) -> None:
    monkeypatch.setenv("SYSTEMD_EXEC_PID", str(os.getpid()))
    assert check_configuration(settings_with(tmp_path, section, lines))


def test_a_file_there_that_can_be_read_all_the_same_is_none_of_our_business(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner's drop-in may say ProtectHome=no."""
    clip = tmp_path / "clip.avi"
    clip.touch()
    assert clip.is_relative_to("/tmp")
    file = settings_with(tmp_path, "camera", f'source = "{clip}"\nloop = true')
    monkeypatch.setenv("SYSTEMD_EXEC_PID", str(os.getpid()))
    assert check_configuration(file).camera.source == str(clip)
    monkeypatch.delenv("SYSTEMD_EXEC_PID")
    file = settings_with(tmp_path, "camera", f'source = "{HIDDEN}/clip.avi"')
    assert check_configuration(file)


def settings_of(source: str, *, loop: bool = False) -> Settings:
    return Settings(MqttSettings(host="broker"), camera=CameraSettings(source=source, loop=loop))


@pytest.fixture
def clip(tmp_path: Path) -> str:
    file = tmp_path / "clip.avi"
    file.touch()
    return str(file)


def test_the_service_refuses_a_clip_that_ends_and_says_how_it_goes_on(
    clip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYSTEMD_EXEC_PID", str(os.getpid()))
    for source in (clip, str(Path(clip).parent)):
        with pytest.raises(
            ConfigError, match=r"^\[camera\] source: .*; set loop = true"
        ) as refused:
            refuse_unfit(settings_of(source))
        assert refused.value.exit_status == 78
        refuse_unfit(settings_of(source, loop=True))


def test_by_hand_a_clip_may_end(clip: str) -> None:
    refuse_unfit(settings_of(clip))


@pytest.mark.parametrize("source", ["/srv/nope.avi", "picamera", "0", "rtsp://camera/1", "~x/c"])
def test_what_is_no_clip_is_not_said_to_end(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYSTEMD_EXEC_PID", str(os.getpid()))
    refuse_unfit(settings_of(source))
