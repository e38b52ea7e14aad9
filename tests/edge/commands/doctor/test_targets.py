from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge.commands.doctor import doctor
from edge.commands.doctor.targets import targets
from edge.conditions import Code, Severity
from edge.telemetry import NotifierState
from tests.edge.samples import TELEMETRY

FAILING = replace(
    TELEMETRY,
    notifiers=(
        NotifierState("desk", "webhook", 3, trouble="http://h: it refuses: HTTP 401"),
        NotifierState("phone", "ntfy", 0),
    ),
)


def test_a_target_that_fails_is_a_fault_and_the_others_are_well() -> None:
    desk, phone = targets(FAILING)
    assert (desk.part, desk.severity, desk.code) == (
        "notify",
        Severity.FAULT,
        Code.NOTIFY_FAILING,
    )
    assert desk.text == "notifications to desk: http://h: it refuses: HTTP 401"
    assert "sudo tensormask notify test desk" in desk.fix
    assert (phone.severity, phone.text) == (Severity.OK, "phone: 0 events queued")


def test_where_there_is_none_nothing_is_said() -> None:
    assert [*targets(None)] == []
    assert [*targets(TELEMETRY)] == []


def test_the_doctor_asks_for_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "read_telemetry", lambda: FAILING)
    settings = tmp_path / "settings.toml"
    settings.write_text('[mqtt]\nhost = "localhost"\n')
    found = doctor.examine(settings)
    assert Code.NOTIFY_FAILING in {each.code for each in found}
