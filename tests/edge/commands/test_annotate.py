"""`tensormask replay --show`: the clip that it writes, and what is left where it cannot."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.classify.card import load_bundle
from edge.cli import main
from edge.commands.annotate import SIDE_PX, annotating, drawn, label
from edge.config import MqttSettings, Settings
from edge.decide.identity import EventIds
from edge.detect.detectors import open_detector
from edge.errors import ConfigError
from edge.page.scene import ShownPerson
from edge.pipeline import open_pipeline
from edge.records import MaskState, Pixels
from tests.disk import SmallDisk
from tests.edge.capture.fakes import ScriptedSource, scene, write_clip
from tests.fakes import blank
from tests.processes import Running

BARE = ShownPerson(3, 0.25, 0.25, 0.2, 0.3, MaskState.BARE, 0.97, 64.0, True, "")


def pictures(clip: Path) -> list[Pixels]:
    reader = cv2.VideoCapture(str(clip))
    found = []
    while (answer := reader.read())[0]:
        found.append(np.asarray(answer[1], np.uint8))
    reader.release()
    return found


def faces_in(clip: Path) -> int:
    """Return in how many of a clip's pictures somebody's face can be found."""
    detector = open_detector("tensormask", "", 0.5)
    return sum(bool(detector.find(picture)) for picture in pictures(clip)[::10])


def test_a_clip_is_written_with_every_head_covered(
    carphone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = tmp_path / "seen.mp4"
    assert main(["replay", str(carphone), "--show", str(clip)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert main(["replay", str(carphone)]) == 0
    assert told[:-1] == capsys.readouterr().out.splitlines()[:-1], "judged as without it"
    shown = pictures(clip)
    assert len(shown) == 120
    assert max(shown[0].shape) == SIDE_PX
    assert cv2.VideoCapture(str(clip)).get(cv2.CAP_PROP_FPS) == pytest.approx(30, abs=0.1)
    assert list(tmp_path.iterdir()) == [clip]
    assert faces_in(clip) == 0


def test_only_the_settings_can_leave_faces_as_they_are(
    carphone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, clip = tmp_path / "tensormask.toml", tmp_path / "seen.mp4"
    config.write_text('[mqtt]\nhost = "b"\n[page]\nheads = "faces"\nmay_show_faces = true\n')
    assert main(["replay", str(carphone), "--config", str(config), "--show", str(clip)]) == 0
    assert faces_in(clip) > 6


def test_a_folder_of_pictures_becomes_a_clip_too(tmp_path: Path) -> None:
    folder, clip = tmp_path / "pictures", tmp_path / "seen.mp4"
    folder.mkdir()
    for number, size in enumerate([(320, 240), (320, 240), (200, 300)]):
        cv2.imwrite(str(folder / f"{number}.png"), scene(*size))
    assert main(["replay", str(folder), "--fps", "5", "--show", str(clip)]) == 0
    assert [picture.shape for picture in pictures(clip)] == 3 * [(480, 640, 3)]


@pytest.mark.parametrize(
    ("name", "status", "complaint"),
    [
        ("there.mp4", 78, "there.mp4 is there already; remove it, or give another name"),
        ("seen.avi", 78, "seen.avi: give a name that ends with .mp4"),
        ("nowhere/seen.mp4", 1, "nowhere/seen.mp4: No such file or directory"),
    ],
)
def test_a_name_that_will_not_do_is_one_line(
    name: str,
    status: int,
    complaint: str,
    carphone: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    there = tmp_path / "there.mp4"
    there.write_text("mine")
    assert main(["replay", str(carphone), "--show", str(tmp_path / name)]) == status
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1
    assert (there.read_text(), list(tmp_path.iterdir())) == ("mine", [there])


def test_a_full_disk_leaves_no_half_clip(
    tmp_path: Path, small_disk: SmallDisk, capfd: pytest.CaptureFixture[str]
) -> None:
    source = write_clip(tmp_path / "source.avi", [scene()] * 10)
    clip = small_disk.folder / "seen.mp4"
    small_disk.fill()
    assert main(["replay", str(source), "--show", str(clip)]) == 1
    assert "the clip could not be written; is there enough room?" in capfd.readouterr().err
    assert not list(small_disk.folder.glob("*.mp4"))
    assert not list(small_disk.folder.glob(".*"))


def test_an_interrupt_leaves_no_half_clip(carphone: Path, tmp_path: Path) -> None:
    line = [sys.executable, "-m", "edge", "replay", str(carphone)]
    line += ["--show", str(tmp_path / "seen.mp4")]
    with Running(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert b"no mask" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.wait()
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []


def test_a_camera_is_refused(tmp_path: Path) -> None:
    settings = Settings(mqtt=MqttSettings(host="broker"))
    pipeline = open_pipeline(settings, load_bundle(), EventIds())
    with (
        pytest.raises(ConfigError, match="not of a camera"),
        annotating(tmp_path / "seen.mp4", ScriptedSource([]), settings, pipeline),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_number_state_and_probability_are_written() -> None:
    assert label(BARE) == "3: no mask 97%"
    empty, full = (drawn(blank(), people, 0.0) for people in ((), (BARE,)))
    assert empty.shape == full.shape
    changed = np.argwhere((empty != full).any(axis=2))
    height, width = full.shape[:2]
    assert changed[:, 0].max() <= round(0.55 * height) + 2
    assert changed[:, 1].min() >= round(0.25 * width) - 2
