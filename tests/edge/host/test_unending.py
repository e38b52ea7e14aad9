from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.config import CameraSettings, MqttSettings, Settings
from edge.errors import ConfigError
from edge.host.unending import refuse_ending


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
            ConfigError, match=r"^\[camera\] source: .*; add loop = true"
        ) as refused:
            refuse_ending(settings_of(source))
        assert refused.value.exit_status == 78
        refuse_ending(settings_of(source, loop=True))


def test_by_hand_a_clip_may_end(clip: str) -> None:
    refuse_ending(settings_of(clip))


@pytest.mark.parametrize("source", ["/srv/nope.avi", "picamera", "0", "rtsp://camera/1", "~x/c"])
def test_what_is_no_clip_is_not_said_to_end(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYSTEMD_EXEC_PID", str(os.getpid()))
    refuse_ending(settings_of(source))
