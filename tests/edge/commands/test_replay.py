from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.cli import main
from edge.people import PEOPLE, frames
from edge.plan import PLANS
from edge.records import Pixels
from tests.edge.capture.fakes import scene, write_clip


def replayed(
    capsys: pytest.CaptureFixture[str], source: Path, *options: str
) -> list[dict[str, Any]]:
    assert main(["replay", str(source), "--json", *options]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def detector(name: str, request: pytest.FixtureRequest) -> list[str]:
    """The options that choose a detector; YuNet's weights are with the real pictures."""
    if name != "yunet":
        return ["--detector", name]
    weights: Path = request.getfixturevalue("yunet_weights")
    return ["--detector", "yunet", "--detector-model", str(weights)]


@pytest.mark.parametrize("name", ["tensormask", "res10", "yunet"])
@pytest.mark.parametrize(
    ("clip", "states"),
    [
        ("yash_test_no_mask.mp4", ["confirmed", "ended", "summary"]),
        ("gituatu_mask.mp4", ["summary"]),
        ("dishadtu_mask3.mp4", ["summary"]),
    ],
)
def test_real_people_are_judged_right(
    name: str,
    clip: str,
    states: list[str],
    shared: Path,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    documents = replayed(capsys, shared / "clips" / clip, *detector(name, request))
    assert [document["state"] for document in documents] == states


@pytest.mark.parametrize("plan", PLANS)
def test_under_every_plan_they_are_judged_the_same(
    plan: str, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    states = []
    for clip in ("yash_test_no_mask.mp4", "gituatu_mask.mp4", "dishadtu_mask3.mp4"):
        documents = replayed(capsys, shared / "clips" / clip, "--plan", plan)
        states.append([document["state"] for document in documents])
        assert documents[-1]["plan"] == plan
    assert states == [["confirmed", "ended", "summary"], ["summary"], ["summary"]]


def test_the_plan_is_the_settings_or_the_usual_one_and_is_named(
    carphone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "tensormask.toml"
    for plan, followed in (("auto", "usual"), ("full", "full")):
        settings.write_text(f'[mqtt]\nhost = "h"\n[detector]\nplan = "{plan}"\n')
        assert main(["replay", str(carphone), "--config", str(settings)]) == 0
        assert capsys.readouterr().out.rstrip().endswith(f", plan {followed})")


@pytest.mark.parametrize("name", ["tensormask", "res10"])
def test_a_bare_man_in_a_car_is_reported_once(
    carphone: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    confirmed, ended, summary = replayed(capsys, carphone, "--detector", name)
    assert (confirmed["state"], ended["state"]) == ("confirmed", "ended")
    assert confirmed["event_id"] == ended["event_id"]
    assert (confirmed["sequence"], ended["sequence"]) == (1, 2)
    assert confirmed["started_at"].startswith("1970-01-01T00:00:0")
    assert {key: summary[key] for key in ("state", "frames", "tracks", "violations")} == {
        "state": "summary",
        "frames": 120,
        "tracks": 1,
        "violations": 1,
    }
    # Four seconds, scanned every 0.12 s where something moves: every fourth of these frames.
    assert summary["faces"] == 30
    assert summary["fps"] > 0


def test_somebody_before_whom_others_pass_is_one_person_and_reported_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = [*frames(20, 5, (PEOPLE[2],))]  # then they are the same again

    def shown() -> Iterator[Pixels]:
        for number in range(150):
            picture = drawn[number % len(drawn)].copy()
            if 20 <= number % 50 < 33:  # two seconds and a half of ten
                picture[150:, 600:900] = 48
            small = cv2.resize(picture, (640, 360), interpolation=cv2.INTER_AREA)
            yield np.asarray(small, np.uint8)

    clip = write_clip(tmp_path / "passing.avi", list(shown()), fps=5)
    confirmed, ended, summary = replayed(capsys, clip)
    assert (confirmed["state"], ended["state"]) == ("confirmed", "ended")
    assert (summary["tracks"], summary["violations"]) == (1, 1)


def test_a_poster_is_not_said_to_have_left_too_soon(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    still = next(iter(frames(1, 5, (PEOPLE[2],))))
    clip = write_clip(tmp_path / "poster.avi", [still] * 200, fps=5)
    assert main(["replay", str(clip)]) == 0
    said = capsys.readouterr().out
    assert "or a picture that never moved" in said
    assert "0 violations" in said


def test_one_person_in_a_picture_every_two_seconds_is_one_person(
    carphone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reader = cv2.VideoCapture(str(carphone))
    for number in range(100):
        picture = reader.read()[1]
        if number % 10 == 0:
            cv2.imwrite(str(tmp_path / f"{number:03}.png"), picture)
    confirmed, ended, summary = replayed(capsys, tmp_path, "--fps", "0.5")
    assert (confirmed["state"], ended["state"]) == ("confirmed", "ended")
    assert (summary["tracks"], summary["violations"]) == (1, 1)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_man_in_a_car_is_one_person_through_blinks_of_the_camera(
    carphone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], level: int
) -> None:
    reader = cv2.VideoCapture(str(carphone))
    shown = [np.asarray(reader.read()[1], np.uint8) for _ in range(100)]
    for number in (*range(30, 36), 60, *range(80, 90)):
        shown[number] = np.full_like(shown[number], level)
    confirmed, ended, summary = replayed(capsys, write_clip(tmp_path / "blinks.avi", shown, fps=25))
    assert (confirmed["state"], ended["state"]) == ("confirmed", "ended")
    assert (summary["tracks"], summary["violations"]) == (1, 1)


def test_a_replay_repeats_itself_to_the_letter(
    carphone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def once() -> list[dict[str, Any]]:
        documents = replayed(capsys, carphone)
        del documents[-1]["fps"]
        return documents

    assert once() == once()


def test_a_replay_is_readable_without_json(
    carphone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(carphone)]) == 0
    confirmed, ended, person, summary = capsys.readouterr().out.splitlines()
    assert "person 1: no mask" in confirmed
    assert "person 1: over" in ended
    assert re.fullmatch(
        r"person 1: no mask; face at most \d+ px, median \d+ px; 30 detections, \d+ of them sure",
        person,
    )
    assert "120 frames, 30 faces (the smallest judged " in summary
    assert "1 person, 1 violation;" in summary


def test_a_clip_that_is_missing_or_none_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = "give a clip or a folder of pictures"
    for given, said in (
        (f"{tmp_path}/absent.mp4", f"{tmp_path}/absent.mp4 is no file or folder here; {wanted}"),
        ("rtsp:/me:secret@camera/1", f"what is given is no file or folder here; {wanted}"),
        ("x" * 300, f"{'x' * 300}: File name too long; {wanted}"),
        ("x://camera", "x:// is not known; known are rtsp, rtsps, http, https"),
    ):
        for command in ("replay", "bench"):
            assert main([command, given]) == 78
            assert capsys.readouterr().err == f"tensormask: {said}\n"
    (tmp_path / "text.mp4").write_text("no clip")
    assert main(["replay", str(tmp_path / "text.mp4")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("tensormask: text.mp4")
    assert error.count("\n") == 1


def test_a_person_is_reported_with_the_size_of_the_face(
    carphone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (person,) = replayed(capsys, carphone)[-1]["people"]
    assert (person["verdict"], person["why"], person["finds"]) == ("bare", "", 30)
    assert 20 < person["median_px"] <= person["largest_px"] < 176
    assert 0 < person["sure_finds"] <= 30
    config = tmp_path / "tensormask.toml"
    config.write_text('[mqtt]\nhost = "broker"\n[classifier]\nmin_face_px = 150\n')
    summary = replayed(capsys, carphone, "--config", str(config))[-1]
    assert summary["smallest_judged_px"] is None
    (person,) = summary["people"]
    assert (person["verdict"], person["why"]) == ("unknown", "too small to judge: 150 px needed")


@pytest.mark.parametrize("length", [2, 60])
@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_clip_that_is_turned_says_so_and_how_to_turn_it(
    carphone: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    quarters: int,
    length: int,
) -> None:
    """Whether or not it is so long that the service would know."""
    reader = cv2.VideoCapture(str(carphone))
    pictures = [np.asarray(np.rot90(reader.read()[1], -quarters), np.uint8) for _ in range(length)]
    clip = write_clip(tmp_path / "turned.avi", pictures)
    assert main(["replay", str(clip), "--json"]) == 0
    said = capsys.readouterr()
    summary = json.loads(said.out.splitlines()[-1])
    hint = (
        "the picture is upside down or on its side: set [camera] rotation_deg = "
        f"{(360 - 90 * quarters) % 360}"
    )
    assert (summary["hint"], summary["violations"]) == (hint, 0)
    assert said.err == f"tensormask: {clip}: {hint}\n"
    assert {each["why"] for each in summary["people"]} <= {hint.partition(":")[0]}


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (
            scene(),
            "is anybody seen from the front, in the light, and near enough (16 px at least)?",
        ),
        (scene() // 30, "too dark: nobody can be seen"),
    ],
)
def test_a_clip_without_a_face_says_what_may_be_the_cause(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], picture: Pixels, said: str
) -> None:
    clip = write_clip(tmp_path / "nobody.avi", [picture] * 40)
    assert main(["replay", str(clip)]) == 0
    assert capsys.readouterr().err == f"tensormask: {clip}: no face was found: {said}\n"


def test_a_clip_whose_people_are_judged_gets_no_hint(
    carphone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(carphone)]) == 0
    assert capsys.readouterr().err == ""


def test_a_clip_that_is_cut_is_judged_and_said_to_be_cut(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = write_clip(tmp_path / "whole.avi", [scene()] * 100)
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 9])
    assert main(["replay", str(whole)]) == 0
    assert "damaged" not in capsys.readouterr().err
    assert main(["replay", str(cut)]) == 1
    said = capsys.readouterr()
    assert re.fullmatch(
        r"tensormask: .*cut.avi: read \d\.\d of 10\.0 s: the file is damaged or cut",
        said.err.splitlines()[-1],
    )
    assert " frames, " in said.out


@pytest.mark.parametrize("name", ["a:b.mp4", "file:x.mp4", "rtsp:clip.mp4", "pc%03d.mp4"])
def test_a_name_with_a_colon_is_a_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_clip(Path("clip.mp4"), [scene()] * 5, codec="mp4v").rename(name)
    assert main(["replay", name, "--show", f"shown:{name}"]) == 0
    assert main(["replay", f"shown:{name}"]) == 0


def test_a_clip_is_not_written_to_a_name_that_is_no_text(
    tmp_path: Path, carphone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """OpenCV would crash."""
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    assert main(["replay", str(carphone), "--show", str(folder / "seen.mp4")]) == 1
    assert "its path is not UTF-8; rename it" in capsys.readouterr().err
