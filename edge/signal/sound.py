"""Sounds by ALSA: `aplay` plays them, in a process that nobody waits for."""

from __future__ import annotations

import io
import math
import shutil
import struct
import subprocess
import tempfile
import wave
from contextlib import suppress
from pathlib import Path
from typing import IO

from edge.config import SignalSettings
from edge.config.signal import TONE

LONGEST_S = 15.0
"""Then a sound is cut off: a device that does not take it must not hold up the next one."""
KILLED_S = 0.2
RATE = 16_000
TONE_HZ = (880.0, 660.0)
TONE_PART_S = 0.25
ALSA = "aplay is missing, which plays sounds; install it: sudo apt-get install alsa-utils"


def sound_trouble(sound: str, program: str = "aplay") -> str:
    """Return why `[signal] sound` cannot be played here; empty: nothing is known to hinder it."""
    if sound and shutil.which(program) is None:
        return ALSA
    if sound not in ("", TONE) and not Path(sound).is_file():
        return f"[signal] sound: there is no file {sound}"
    return ""


class Speaker:
    """Plays one sound at a time; says what hinders it in `trouble`, and raises nothing."""

    def __init__(self, settings: SignalSettings, program: str = "aplay") -> None:
        self.trouble = sound_trouble(settings.sound, program)
        self._sound = settings.sound
        device = ("--device", settings.sound_device) if settings.sound_device else ()
        self._words = (program, "--quiet", *device)
        self._playing: subprocess.Popen[bytes] | None = None
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the speaker
        self._until_s = 0.0

    def play(self, now_s: float) -> None:
        """Begin, unless one is being played; what is wrong shows in `tend`."""
        if not self._sound or self._playing is not None:
            return
        self._said.seek(0)
        self._said.truncate()
        try:
            if self._sound == TONE:
                with tempfile.TemporaryFile() as content:
                    content.write(tone())
                    content.seek(0)
                    self._playing = self._started(content, "-")
            else:
                self._playing = self._started(None, self._sound)
        except OSError as error:
            self.trouble = ALSA if isinstance(error, FileNotFoundError) else f"aplay: {error}"
        self._until_s = now_s + LONGEST_S

    def tend(self, now_s: float) -> None:
        """Notice an end; make one where it lasts too long."""
        if self._playing is None:
            return
        status = self._playing.poll()
        if status is None and now_s < self._until_s:
            return
        if status is None:
            self.hush()
            self.trouble = f"the sound was cut off after {LONGEST_S:g} s: {self._device()}"
            return
        self._playing = None
        self.trouble = "" if status == 0 else f"no sound: {self._last_words()}; {self._device()}"

    def hush(self) -> None:
        """End what is being played."""
        if self._playing is not None:
            self._playing.kill()
            with suppress(subprocess.TimeoutExpired):  # a driver that hangs keeps it
                self._playing.wait(KILLED_S)
            self._playing = None

    def close(self) -> None:
        self.hush()
        self._said.close()

    def _started(self, content: IO[bytes] | None, source: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*self._words, "--", source] if source != "-" else [*self._words, "-"],
            stdin=subprocess.DEVNULL if content is None else content,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
            start_new_session=True,
        )

    def _last_words(self) -> str:
        self._said.seek(0)
        lines = self._said.read(2000).decode("utf-8", "replace").split("\n")
        return next((" ".join(each.split()) for each in reversed(lines) if each.strip()), "aplay")

    @staticmethod
    def _device() -> str:
        return "see which devices there are: aplay -L, and set [signal] sound_device"


def tone() -> bytes:
    """Return the built-in sound: a WAV file of two notes, twice, each faded so that none clicks."""
    samples = []
    part = round(RATE * TONE_PART_S)
    for frequency in TONE_HZ * 2:
        for n in range(part):
            fade = min(1.0, n / 200, (part - n) / 200)
            samples.append(round(20_000 * fade * math.sin(2 * math.pi * frequency * n / RATE)))
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return content.getvalue()
