"""What root does before the service starts, with a systemctl that notes what it is asked."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

import pytest

from edge.config import SignalSettings
from edge.signal import __main__ as program
from edge.signal import activation
from edge.signal.__main__ import is_superseded, settings_in

ON = SignalSettings(enabled=True, red_pin=27)
UNIT = "tensormask-signal.service"


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file with what systemctl was asked; the service's user is this one."""
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    me = pwd.getpwuid(os.getuid())
    monkeypatch.setattr(activation, "USER", me.pw_name)
    monkeypatch.setattr(activation, "GROUP", grp.getgrgid(me.pw_gid).gr_name)
    return tmp_path / "asked"


def activate(settings: SignalSettings, folder: Path) -> list[str]:
    """Return what systemctl was asked meanwhile."""
    asked = folder / "asked"
    asked.write_text("")
    (folder / "run").mkdir(exist_ok=True)
    activation.activate(settings, folder / "lamps" / "settings.json", folder / "run")
    return [each for each in asked.read_text().splitlines() if "reset-failed" not in each]


def test_the_process_gets_its_section_and_is_started(tmp_path: Path, asked: Path) -> None:
    before = os.umask(0o077)  # as the unit has it
    try:
        assert activate(ON, tmp_path) == [f"--no-block restart {UNIT}"]
    finally:
        os.umask(before)
    assert (tmp_path / "lamps").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "lamps" / "settings.json").stat().st_mode & 0o777 == 0o644
    assert settings_in(None, tmp_path / "lamps" / "settings.json") == ON
    assert (tmp_path / "run" / "signal").stat().st_mode & 0o7777 == 0o2750


def test_only_other_settings_restart_it(tmp_path: Path, asked: Path) -> None:
    activate(ON, tmp_path)
    assert activate(ON, tmp_path) == [f"--no-block start {UNIT}"]
    other = SignalSettings(enabled=True, red_pin=26)
    assert activate(other, tmp_path) == [f"--no-block restart {UNIT}"]


def test_turned_off_it_is_stopped_once_and_nothing_is_left(tmp_path: Path, asked: Path) -> None:
    activate(ON, tmp_path)
    assert activate(SignalSettings(), tmp_path) == [f"stop {UNIT}"]
    assert not (tmp_path / "lamps" / "settings.json").exists()
    assert activate(SignalSettings(), tmp_path) == []


def test_a_release_that_is_no_longer_in_use_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not is_superseded(), "a checkout is never another release"
    ours = tmp_path / "releases" / "ours"
    (tmp_path / "current").symlink_to("releases/ours")
    ours.mkdir(parents=True)
    monkeypatch.setattr(program, "__file__", str(ours / "edge" / "signal" / "__main__.py"))
    assert not is_superseded()
    (tmp_path / "current").unlink()
    (tmp_path / "current").symlink_to("releases/other")
    assert is_superseded()
