from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.commands.checks import check_configuration
from edge.errors import ConfigError

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
