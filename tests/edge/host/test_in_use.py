from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from edge.config import load_settings
from edge.host.in_use import has_changed, in_use, public_source, written_at
from tests.edge.samples import IN_USE

PASSWORD = "Xyzzy-plugh-42"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("picamera2", "picamera2:0"),
        ("picamera2:1", "picamera2:1"),
        ("0", "/dev/video0"),
        ("/dev/v4l/by-path/usb-0:1.3:1.0-video-index0",) * 2,
        (f"rtsp://admin:{PASSWORD}@camera/stream?key={PASSWORD}", "rtsp://camera:554"),
        (f"http://camera/{PASSWORD}", "http://camera:80"),
        ("clips/a:b.mp4", "clips/a:b.mp4"),
        (f"admin:{PASSWORD}@camera", "a file"),
    ],
)
def test_a_source_is_named_without_its_secrets(source: str, name: str) -> None:
    assert public_source(source) == name
    assert PASSWORD not in name


def test_settings_that_were_written_since_are_reported(tmp_path: Path) -> None:
    file = tmp_path / "tensormask.toml"
    file.write_text('[mqtt]\nhost = "::1"\n[device]\nid = "door-1"\n')
    used = in_use(load_settings(file), file, written_at(file))
    assert (used.device_id, used.source, used.broker) == ("door-1", "picamera2:0", "[::1]:1883")
    assert not has_changed(used, file)
    os.utime(file, (1, 1))
    assert has_changed(used, file)
    other = tmp_path / "other.toml"
    other.touch()
    assert not has_changed(used, other), "another file than the service's"
    file.unlink()
    assert not has_changed(used, file), "nothing to compare"
    assert not has_changed(None, file), "an older version"
    assert not has_changed(replace(IN_USE, settings_written_ns=0), Path(IN_USE.settings))
