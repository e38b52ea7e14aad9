"""What is written into the settings of an installed box is what it does."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.edge.capture.pki import Authority
from tests.installed.lab.box import SETTINGS, STATE, UNIT, Box, settings_text
from tests.installed.lab.camera import BARE_AT, URL
from tests.systemd.machine import wait_until


@pytest.fixture(autouse=True)
def _empty(box: Box) -> None:
    box.empty()


def test_an_excluded_part_of_the_picture_counts_nobody(box: Box) -> None:
    x, y = BARE_AT
    corners = [[x - 0.1, y - 0.2], [x + 0.1, y - 0.2], [x + 0.1, y + 0.3], [x - 0.1, y + 0.3]]
    box.configure(detector={"excluded": [corners]})
    box.expect_no_report("bare")


@pytest.mark.thorough
def test_health_names_the_plan_that_is_followed(box: Box) -> None:
    assert box.telemetry()["plan"] == "usual"
    box.configure(detector={"plan": "full"})
    assert box.telemetry()["plan"] == "full"
    wait_until(lambda: box.retained("health").get("plan") == "full", 20, "health names it")
    assert "plan full" in box.by("root", "tensormask status").stdout


@pytest.mark.thorough
def test_a_face_below_the_least_size_is_not_judged(box: Box) -> None:
    box.configure(classifier={"min_face_px": 200})
    box.expect_no_report("bare")


@pytest.mark.thorough
def test_a_violation_takes_as_long_as_the_policy_says(box: Box) -> None:
    box.configure(policy={"confirm_s": 4})
    box.camera.show("bare")
    (reported,) = box.until_reported("confirmed")
    assert reported["duration_s"] >= 4


@pytest.mark.thorough
def test_a_station_changes_nothing_that_is_reported(box: Box) -> None:
    box.configure(station={"enabled": True})
    box.camera.show("both")
    (reported,) = box.until_reported("confirmed")
    assert reported["state"] == "confirmed"


@pytest.mark.thorough
def test_somebody_is_gone_when_the_tracker_says_so(box: Box) -> None:
    box.configure(tracker={"max_missed_s": 6, "still_missed_s": 6})
    box.camera.show("bare")
    box.until_reported("confirmed")
    box.camera.show("nobody")
    left_s = time.monotonic()
    box.until_reported("confirmed", "ended")
    assert time.monotonic() - left_s > 4


@pytest.mark.thorough
def test_the_outbox_lies_where_it_is_put(box: Box) -> None:
    path = f"{STATE}/elsewhere.sqlite"
    box.configure(outbox={"path": path})
    assert box.machine.output("stat", "--format=%U %a", path) == "tensormask 600"


@pytest.mark.thorough
def test_health_comes_as_often_as_it_is_asked_for(box: Box) -> None:
    box.configure(health={"interval_s": 1})
    listen = "timeout 20 mosquitto_sub -h localhost -t tensormask/+/health -C 8"
    begun_s = time.monotonic()
    assert len(box.by("root", listen, check=True).stdout.splitlines()) == 8
    assert time.monotonic() - begun_s < 16


@pytest.mark.thorough
def test_the_log_says_more_where_it_is_asked_to(box: Box) -> None:
    since = box.now()
    box.configure(log={"level": "debug"})
    wait_until(
        lambda: bool(box.journal("--since", since, "--unit", UNIT, "--priority", "7..7")),
        20,
        "a line for those who look closer",
    )


@pytest.mark.thorough
def test_a_camera_with_tls_is_watched_when_its_fingerprint_is_written(
    box: Box, tmp_path: Path
) -> None:
    identity = Authority(tmp_path / "pki").self_signed("camera")
    address = URL.replace("rtsp:", "rtsps:")
    box.camera.start(identity)
    try:
        box.write_settings(settings_text(camera={"source": address}))
        checked = box.by("root", "tensormask check --only camera")
        assert checked.returncode == 1
        assert f'write in [camera] fingerprint = "{identity.fingerprint}"' in checked.stdout
        box.configure(camera={"source": address, "fingerprint": identity.fingerprint})
        box.camera.show("bare")
        box.until_reported("confirmed")
    finally:
        box.camera.start()


@pytest.mark.thorough
def test_a_scheme_that_is_not_the_ports_is_answered_with_the_one_that_is(box: Box) -> None:
    address = URL.rpartition("@")[2].partition("/")[0]
    box.write_settings(settings_text(camera={"source": URL.replace("rtsp:", "http:")}))
    checked = box.by("root", "tensormask check --only camera")
    assert checked.returncode == 1
    assert f"this port speaks RTSP, not HTTP: write rtsp://{address}, " in checked.stdout


def test_a_clip_in_a_home_is_said_to_be_out_of_sight(box: Box) -> None:
    clip = "/home/owner/clip.avi"
    box.by("owner", f"touch {clip}", check=True)
    box.write_settings(settings_text(camera={"source": clip}))
    answer = box.by("owner", "sudo tensormask check")
    assert answer.returncode == 78
    said = (
        f"[camera] source: the service does not see /home: sudo mv {clip} /srv/, "
        "and write /srv/clip.avi"
    )
    assert said in answer.stdout + answer.stderr
    since = box.now()
    box.machine.run("systemctl", "restart", UNIT, check=False)
    wait_until(lambda: box.show("ActiveState") == "failed", 20, "it has failed")
    assert said in box.journal("--since", since, "--unit", UNIT)
    box.by("owner", f"rm {clip}", check=True)


@pytest.mark.parametrize(
    ("section", "key", "said"),
    [("camera", "lopp", "did you mean loop?"), ("page", "prot", "did you mean port?")],
)
def test_a_key_that_there_is_not_is_named_and_nothing_is_restarted_for_it(
    box: Box, section: str, key: str, said: str
) -> None:
    box.write_settings(settings_text(**{section: {key: True}}))
    answer = box.by("owner", "sudo tensormask check")
    assert answer.returncode == 78
    assert SETTINGS in answer.stdout + answer.stderr
    assert said in answer.stdout + answer.stderr
    box.machine.run("systemctl", "restart", UNIT, check=False)
    wait_until(lambda: box.show("ActiveState") == "failed", 20, "it has failed")
    assert (box.show("ExecMainStatus"), box.show("NRestarts")) == ("78", "0")
