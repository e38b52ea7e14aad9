from __future__ import annotations

from pathlib import Path

import pytest

from edge.commands.sandbox import _read, _with_unit, whose_sight
from edge.installed import PREFIX

UNIT = Path(__file__).resolve().parents[3] / "systemd" / "tensormask.service"
DROP_IN = """
# /etc/systemd/system/tensormask.service.d/override.conf
[Service]
LoadCredential=mqtt-password:/etc/credstore/mqtt-password
IPAddressDeny=any
WatchdogSec=3s
SupplementaryGroups=video \\
    render
"""


def test_what_the_service_may_and_sees_is_taken_and_not_how_it_lives() -> None:
    programs, properties = _read(UNIT.read_text() + DROP_IN)
    assert programs == ["/opt/tensormask/current/tensormask"]
    assert {
        "User=tensormask",
        "ProtectHome=yes",
        "PrivateTmp=yes",
        "CapabilityBoundingSet=",
        "DeviceAllow=char-video4linux rw",
        "LoadCredential=mqtt-password:/etc/credstore/mqtt-password",
        "SystemCallFilter=~@privileged @resources",
        "StateDirectory=tensormask",
    } <= set(properties)
    assert any(each.split() == ["SupplementaryGroups=video", "render"] for each in properties)
    keys = {each.partition("=")[0] for each in properties}
    assert not keys & {"Type", "ExecStart", "Restart", "RestartSec", "WatchdogSec", "After"}


@pytest.mark.parametrize(
    ("user", "said"),
    [
        (1000, "as you see it; as the service does: sudo tensormask check"),
        (0, "as you see it: nothing can be run as tensormask.service here"),
    ],
)
def test_sudo_is_recommended_to_those_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: int, said: str
) -> None:
    monkeypatch.setenv(PREFIX, str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))  # without systemctl
    monkeypatch.setattr("os.geteuid", lambda: user)
    assert whose_sight(False, "check") == (None, said)
    assert whose_sight(True, "check") == (None, "")


def test_an_order_that_matters_is_kept() -> None:
    text = "[Service]\nExecStart=/a b\nExecStart=\nExecStart=/c d\nDeviceAllow=x\nDeviceAllow=\n"
    assert _read(text) == (["/a", "/c"], ("DeviceAllow=x", "DeviceAllow="))


def test_a_release_that_is_not_linked_is_asked_in_its_own_sandbox() -> None:
    """The one on trial may close too much: what the former would say is asked as the former."""
    linked = (
        "# /usr/local/lib/systemd/system/tensormask.service\n[Unit]\nDescription=x\n\n"
        "# /usr/local/lib/systemd/system/tensormask.service.d/00-release.conf\n"
        "[Unit]\n# A comment.\n[Service]\nExecStart=\nExecStart=/opt/new run\nUser=nobody\n"
    )
    unit = _with_unit(linked + DROP_IN, UNIT.read_text(), "/opt/former/tensormask")
    assert unit is not None
    assert unit.program == "/opt/former/tensormask"
    assert "User=tensormask" in unit.properties
    assert "User=nobody" not in unit.properties
    assert "LoadCredential=mqtt-password:/etc/credstore/mqtt-password" in unit.properties
