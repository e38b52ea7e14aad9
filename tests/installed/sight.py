"""What size of drawn heads an installed box sees, and that it says when it sees worse."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edge.sight.memory import LEARNED
from tests.installed.lab.box import VISITOR, Box
from tests.installed.lab.camera import BLURRED
from tests.systemd.machine import wait_until


@pytest.fixture(autouse=True)
def _empty(box: Box) -> None:
    box.empty()


def proved(box: Box, action: str = "now") -> dict[str, Any]:
    """Have root ask for a proof, and return what is said of it."""
    answer = box.by("root", f"tensormask sight {action} --json", timeout_s=180)
    assert answer.returncode in (0, 1), answer.stderr
    return dict(json.loads(answer.stdout))


@pytest.mark.thorough
def test_a_blurred_camera_is_said_until_it_is_sharp_again(box: Box) -> None:
    proved(box, "learn")
    for _ in range(LEARNED - 1):
        said = proved(box)
    assert said["normal"] > 0.5
    assert box.by("root", "tensormask sight now").returncode == 0
    box.camera.show(BLURRED)
    assert "less sharp" in proved(box)["trouble"]
    wait_until(
        lambda: "sight-degraded" in box.retained("health").get("conditions", []), 30, "health"
    )
    status = box.by("root", "tensormask status").stdout
    assert "people are seen worse than is normal here" in status
    assert "clean the lens" in status
    box.camera.show("nobody")
    assert proved(box)["trouble"] == ""
    trend = box.by("root", "tensormask sight trend")
    assert "with a mask" in trend.stdout, trend.stderr


def test_only_root_may_ask_and_everybody_may_read(box: Box) -> None:
    refused = box.by(VISITOR, "tensormask sight now")
    assert refused.returncode == 78
    assert "sudo" in refused.stderr
    assert box.by(VISITOR, "tensormask sight").returncode in (0, 1)
