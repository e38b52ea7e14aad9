"""deploy/cameras.py: what is found on a machine without any package."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.cameras import cameras, has_pi_camera


def test_cameras_are_listed_by_name_without_the_parts_of_a_pis_own_video(tmp_path: Path) -> None:
    for number, name, index in (
        (0, "HD Webcam C270: HD Webcam", 0),
        (1, "HD Webcam C270: HD Webcam", 1),
        (10, "bcm2835-codec-decode", 0),
        (19, "rpi-hevc-dec", 0),
        (20, "unicam-image", 0),
    ):
        about = tmp_path / f"sys/class/video4linux/video{number}"
        about.mkdir(parents=True)
        (about / "name").write_text(f"{name}\n")
        (about / "index").write_text(f"{index}\n")
        (tmp_path / "dev").mkdir(exist_ok=True)
        (tmp_path / f"dev/video{number}").touch()
    (tmp_path / "dev/video30").touch()
    assert cameras(tmp_path) == {Path("/dev/video0"): "HD Webcam C270: HD Webcam"}


@pytest.mark.parametrize(
    ("listed", "is_there"),
    [
        (
            "Available cameras\n-----\n0 : ov5647 [2592x1944 10-bit GBRG] (/base/soc/i2c0mux)\n",
            True,
        ),
        ("No cameras available!\n", False),
    ],
)
def test_a_pis_own_camera_is_known_from_its_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listed: str, is_there: bool
) -> None:
    assert not has_pi_camera(tmp_path)
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/model").write_bytes(b"Raspberry Pi 5 Model B Rev 1.0\0")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert has_pi_camera(tmp_path)  # nothing there that could tell
    program = tmp_path / "rpicam-hello"
    program.write_text(f"#!/bin/sh\necho '{listed}' >&2\n")
    program.chmod(0o755)
    assert has_pi_camera(tmp_path) is is_there
