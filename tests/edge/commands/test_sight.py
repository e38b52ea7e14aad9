from __future__ import annotations

import argparse
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from edge.acuity import SightState
from edge.commands.sight import _asked, _shown, sights_of, trend
from edge.errors import ConfigError
from edge.history.records import SightProof
from edge.records import Verdict
from edge.telemetry import CameraReport, Telemetry
from tests.edge.samples import TELEMETRY
from tests.fakes import START

SEEN = SightState(at=START, masked_px=19, bare_px=29, share=0.95, normal=0.9)


def several(**sights: SightState) -> Telemetry:
    return replace(
        TELEMETRY,
        cameras=tuple(
            CameraReport(name, "", TELEMETRY.camera, 0, 0.0, 0, {}, "", sight=sight)
            for name, sight in sights.items()
        ),
    )


def printed(
    telemetry: Telemetry, capsys: pytest.CaptureFixture[str], *, is_json: bool = False
) -> tuple[int, str]:
    status = _shown(sights_of(telemetry), argparse.Namespace(json=is_json))
    return status, capsys.readouterr().out


def test_before_the_first_proof_no_share_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    nothing_yet = replace(TELEMETRY, sight=SightState())
    _, text = printed(nothing_yet, capsys, is_json=True)
    assert json.loads(text)["share"] is None
    assert printed(nothing_yet, capsys) == (0, "not proved yet since the start\n")


def test_each_of_several_cameras_is_said_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    worse = replace(SEEN, share=0.4, trouble="less sharp", fix="clean the lens")
    telemetry = several(door=SEEN, yard=worse)
    status, text = printed(telemetry, capsys)
    assert status == 1
    assert [line.split(" ")[0] for line in text.splitlines()] == ["door:", "yard:", "yard:", "fix:"]
    _, text = printed(telemetry, capsys, is_json=True)
    said = json.loads(text)
    assert said["share"] == said["cameras"]["door"]["share"] == 0.95
    assert said["cameras"]["yard"]["trouble"] == "less sharp"


def test_a_single_camera_is_said_as_ever(capsys: pytest.CaptureFixture[str]) -> None:
    _, text = printed(replace(TELEMETRY, sight=SEEN), capsys, is_json=True)
    said = json.loads(text)
    assert (said["share"], "cameras" in said) == (0.95, False)


def test_a_camera_that_there_is_not_is_named_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match="no camera gate; there is door, yard"):
        _asked(sights_of(several(door=SEEN, yard=SEEN)), "gate")
    with pytest.raises(ConfigError, match=r"set \[sight\] enabled"):
        sights_of(TELEMETRY)


def test_the_trend_has_a_day_of_each_camera() -> None:
    rows = [
        SightProof(START + timedelta(hours=hour), camera, verdict, 29, 10, 9, right)
        for hour in (0, 2, 24)
        for camera, right in (("door", 9), ("yard", 4))
        for verdict in (Verdict.MASKED, Verdict.BARE)
    ]
    days = trend(rows)
    assert [(each.camera, each.proofs) for each in days] == [
        ("door", 2),
        ("yard", 2),
        ("door", 1),
        ("yard", 1),
    ]
    assert days[1].masked.right == 8
    assert days[0].in_words == f"{START.date()}  door   2 proofs: 90 % with a mask, 90 % without"
