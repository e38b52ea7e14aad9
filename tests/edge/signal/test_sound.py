"""Sounds, with a program in aplay's place that does what it is asked to."""

from __future__ import annotations

import io
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from edge.config import SignalSettings
from edge.signal.sound import ALSA, LONGEST_S, Speaker, tone
from tests.waiting import until

NO_CARD = "ALSA lib confmisc.c: cannot find card '0'\naplay: main:850: audio open error: no such"


@pytest.fixture
def speakers() -> Iterator[Callable[..., Speaker]]:
    """Makes speakers, and closes them."""
    with ExitStack() as ending:

        def speaker(sound: str, program: str, device: str = "") -> Speaker:
            made = Speaker(SignalSettings(sound=sound, sound_device=device), program)
            ending.callback(made.close)
            return made

        yield speaker


@pytest.fixture
def heard(tmp_path: Path) -> Path:
    return tmp_path / "heard"


def player(tmp_path: Path, does: str = "") -> str:
    """Return a program that notes its words and input, and then does this."""
    path = tmp_path / "aplay"
    note = f'echo "$@" >>{tmp_path}/heard; cat >{tmp_path}/content'
    path.write_text(f"#!/bin/sh\n{note}\n{does}\n")
    path.chmod(0o755)
    return str(path)


def trouble(speaker: Speaker, now_s: float) -> str:
    speaker.tend(now_s)
    return speaker.trouble


def test_the_tone_is_a_wav_file_that_goes_in_by_standard_input(
    tmp_path: Path, heard: Path, speakers: Callable[..., Speaker]
) -> None:
    speaker = speakers("tone", player(tmp_path))
    speaker.play(0.0)
    until(lambda: heard.exists() and heard.read_text() == "--quiet -\n", "it is played")
    until(lambda: (tmp_path / "content").stat().st_size == len(tone()), "as a whole")
    with wave.open(io.BytesIO(tone())) as content:
        assert content.getnframes() / content.getframerate() == 1.0


def test_a_file_and_a_device_are_named(
    tmp_path: Path, heard: Path, speakers: Callable[..., Speaker]
) -> None:
    sound = Path("/usr/share/sounds/alsa/no matter.wav")
    speaker = speakers(str(sound), player(tmp_path), "hw:1")
    speaker.play(0.0)
    until(lambda: heard.exists() and heard.read_text(), "it is played")
    assert heard.read_text() == f"--quiet --device hw:1 -- {sound}\n"


def test_one_sound_at_a_time_and_one_that_lasts_is_cut_off(
    tmp_path: Path, heard: Path, speakers: Callable[..., Speaker]
) -> None:
    speaker = speakers("tone", player(tmp_path, "exec sleep 60"))
    speaker.play(0.0)
    until(heard.exists, "it is played")
    speaker.play(1.0)
    speaker.tend(1.0)
    assert speaker.trouble == ""
    begun_s = time.monotonic()
    speaker.tend(LONGEST_S)
    assert time.monotonic() - begun_s < 5
    assert speaker.trouble.startswith("the sound was cut off after 15 s")
    assert heard.read_text().count("\n") == 1


def test_what_aplay_says_is_said_until_it_plays_again(
    tmp_path: Path, speakers: Callable[..., Speaker]
) -> None:
    speaker = speakers("tone", player(tmp_path, f'echo "{NO_CARD}" >&2; exit 1'))
    speaker.play(0.0)
    until(lambda: trouble(speaker, 0.1), "it fails")
    assert speaker.trouble.startswith("no sound: aplay: main:850: audio open error: no such; see")
    player(tmp_path)
    speaker.play(1.0)
    until(lambda: not trouble(speaker, 1.1), "it plays")


def test_without_aplay_it_says_what_to_install_and_raises_nothing(
    speakers: Callable[..., Speaker],
) -> None:
    speaker = speakers("tone", "/nowhere/aplay")
    assert speaker.trouble == ALSA
    speaker.play(0.0)
    speaker.tend(0.1)
    assert speaker.trouble == ALSA


def test_a_sound_that_is_not_there_is_named(speakers: Callable[..., Speaker]) -> None:
    speaker = speakers("/srv/no such.wav", "sh")
    assert speaker.trouble == "[signal] sound: there is no file /srv/no such.wav"


def test_without_a_sound_nothing_is_started(speakers: Callable[..., Speaker]) -> None:
    speaker = speakers("", "/nowhere/aplay")
    speaker.play(0.0)
    speaker.hush()
    assert speaker.trouble == ""
