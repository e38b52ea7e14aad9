from __future__ import annotations

import tomllib

import pytest

from edge.config import Settings, parse_settings
from edge.config.cameras import MOST
from edge.errors import ConfigError

BROKER = '[mqtt]\nhost = "broker"\n'
DOOR = '[[camera]]\nname = "door"\nsource = "picamera2:0"\n'
HALL = '[[camera]]\nname = "hall"\nsource = "rtsp://10.0.0.7/live"\nzone = "hall, east"\n'
SQUARE = "[[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]"


def parsed(text: str, schema: int = 5) -> Settings:
    return parse_settings(tomllib.loads(BROKER + text), "file", schema)


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parsed(text)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_single_section_is_one_camera_without_a_name() -> None:
    settings = parsed("[camera]\nfps = 10.0\n")
    assert (settings.cameras, settings.camera.name, settings.camera.fps) == ((), "", 10.0)
    assert settings.each_camera == (settings.camera,)


def test_one_repeated_section_is_one_camera_and_needs_no_name() -> None:
    settings = parsed('[[camera]]\nsource = "picamera2"\n')
    assert (settings.cameras, settings.camera.source) == ((), "picamera2")


def test_several_sections_are_several_cameras_each_with_its_own() -> None:
    settings = parsed(f'[device]\nzone = "north"\n{DOOR}rotation_deg = 90\n{HALL}')
    assert [each.name for each in settings.cameras] == ["door", "hall"]
    assert settings.camera == settings.cameras[0]
    door, hall = (settings.of(each) for each in settings.cameras)
    assert (door.camera.rotation_deg, hall.camera.rotation_deg) == (90, 0)
    assert (door.device.zone, hall.device.zone) == ("north", "hall, east")
    assert door.cameras == hall.cameras == ()


def test_an_area_is_a_camera_s_own() -> None:
    settings = parsed(f"{DOOR}regions = [{SQUARE}]\n{HALL}excluded = [{SQUARE}]\n")
    door, hall = (settings.of(each).detector for each in settings.cameras)
    assert (len(door.watched), len(door.excluded)) == (1, 0)
    assert (len(hall.watched), len(hall.excluded)) == (0, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            f'{DOOR}[[camera]]\nname = "Door"\n',
            "[[camera]] number 2 (Door): another one has this name",
            id="the same name",
        ),
        pytest.param(
            f'{DOOR}[[camera]]\nsource = "/dev/video0"\n',
            "[[camera]] number 2: each of several cameras needs a name",
            id="no name",
        ),
        pytest.param(
            f'{DOOR}[[camera]]\nname = "hall"\nsource = "picamera2:0"\n',
            "[[camera]] number 2 (hall): source: door has this camera already",
            id="the same sensor",
        ),
        pytest.param(
            f'{DOOR}[[camera]]\nname = "hall"\nfsp = 3\n',
            "[[camera]] number 2 (hall): unknown key fsp; did you mean fps?",
            id="an unknown key",
        ),
        pytest.param(
            f'{DOOR}[[camera]]\nname = "hall"\nfps = "3"\n',
            "[[camera]] number 2 (hall): fps: ",
            id="a wrong type",
        ),
        pytest.param(
            '[[camera]]\nname = "door"\nfps = -1\n' + HALL,
            "[[camera]] number 1 (door): fps: ",
            id="out of range in the first",
        ),
        pytest.param(
            '[[camera]]\nname = "a b"\n' + HALL,
            "[[camera]] number 1 (a b): name: only letters, digits, _ and - are allowed",
            id="a name that is no level of a topic",
        ),
        pytest.param(
            f"{DOOR}rotation_deg = 45\n{HALL}",
            "[[camera]] number 1 (door): rotation_deg: ",
            id="none of few values",
        ),
        pytest.param(
            f"{DOOR}{HALL}[detector]\nregions = [{SQUARE}]\n",
            "[detector] region, regions and excluded are of one picture",
            id="an area of all pictures",
        ),
        pytest.param(
            f"[camera]\nexcluded = [{SQUARE}]\n[detector]\nregions = [{SQUARE}]\n",
            "[camera] regions and excluded are in the place of [detector]",
            id="two areas of one picture",
        ),
        pytest.param("camera = []\n", "0 [[camera]]: from 1 to 4 are possible", id="none"),
        pytest.param(
            "".join(f'[[camera]]\nname = "c{number}"\n' for number in range(MOST + 1)),
            f"{MOST + 1} [[camera]]: from 1 to {MOST} are possible",
            id="too many",
        ),
        pytest.param("[cameras]\n", "unknown section [cameras]", id="the name of the field"),
    ],
)
def test_what_is_wrong_with_a_camera_is_said_with_its_name(text: str, said: str) -> None:
    # A key before all sections belongs to none of them.
    if text.startswith("camera ="):
        with pytest.raises(ConfigError, match="from 1 to"):
            parse_settings({"mqtt": {"host": "broker"}, "camera": []}, "file")
        return
    assert said in refused(text)


def test_a_newer_program_s_key_of_a_camera_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    settings = parsed(f"{DOOR}infrared = true\n{HALL}", schema=99)
    assert [each.name for each in settings.cameras] == ["door", "hall"]
    assert "[[camera]] infrared" in caplog.text


def test_a_zone_lies_in_the_picture_of_the_camera_that_it_names() -> None:
    zone = f'[[zone]]\nname = "desk"\ncamera = "hall"\npolygon = {SQUARE}\n'
    settings = parsed(DOOR + HALL + zone)
    door, hall = (settings.of(each).zone for each in settings.cameras)
    assert (door, [each.name for each in hall]) == ((), ["desk"])
    assert "camera: yard is not known; known are door, hall" in refused(
        DOOR + HALL + zone.replace('"hall"', '"yard"')
    )
    assert "camera: it names none" in refused(DOOR + HALL + zone.replace('camera = "hall"\n', ""))
