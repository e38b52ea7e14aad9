from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest

from edge.commands.doctor.lamps import lamps
from edge.conditions import Code, Severity
from edge.config import SignalSettings
from edge.signal.pins import LGPIO
from edge.telemetry import SignalState
from tests.edge.samples import TELEMETRY

ON = SignalSettings(enabled=True, red_pin=27)


def test_the_running_service_says_how_they_do() -> None:
    well = replace(TELEMETRY, signal=SignalState("green, relay", 120.0))
    (finding,) = lamps(ON, well)
    assert (finding.severity, finding.text) == (Severity.OK, "green, relay; muted for 2 min")
    (finding,) = lamps(ON, replace(TELEMETRY, signal=SignalState("all off", None, LGPIO)))
    assert finding.code is Code.SIGNAL_FAILING
    assert "sudo apt-get install python3-lgpio" in finding.text


def test_without_a_service_what_they_need_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")
    found = [*lamps(SignalSettings(enabled=True, red_pin=27, sound="tone"), None)]
    assert [each.code for each in found] == [Code.SIGNAL_FAILING] * 2
    assert "python3-lgpio" in found[0].text
    assert "alsa-utils" in found[1].text


def test_a_sound_that_is_not_there_is_found_before_the_service_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    player = tmp_path / "aplay"
    player.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    (found,) = lamps(SignalSettings(enabled=True, sound="/srv/no-such-bell.wav"), None)
    assert found.text.endswith("[signal] sound: there is no file /srv/no-such-bell.wav")


def test_where_there_are_none_nothing_is_said() -> None:
    assert [*lamps(None, None)] == []
    assert [*lamps(SignalSettings(), None)] == []
    assert [*lamps(SignalSettings(), TELEMETRY)] == []
