"""The network camera in the street, and what it sees."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self
from urllib.parse import quote

import cv2

from edge.people import PEOPLE, Figure, frames
from tests.edge.capture.pki import Identity
from tests.installed.lab.street import CAMERA, Street
from tests.needs import lacking

WIDTH_PX, HEIGHT_PX, FPS = 640, 360, 10
_FRAMES = 20
"""After which the drawn people are where they began."""
USER, PASSWORD = "viewer", "Porch@7"
URL = f"rtsp://{USER}:{quote(PASSWORD, safe='')}@{CAMERA}:8554/door"
_FAR_MASKED, _MASKED, _BARE = PEOPLE
BLURRED = "blurred"
BLUR_PX = 2.5
SCENES: dict[str, Sequence[Figure]] = {
    "nobody": (),
    BLURRED: (),
    "masked": (_MASKED,),
    "bare": (_BARE,),
    "both": (_MASKED, _BARE),
    "two bare": (replace(_MASKED, mask=None), _BARE),
}
BARE_AT = (740 / 1280, 320 / 720)
MASKED_AT = (430 / 1280, 300 / 720)
"""Where the faces are, in fractions of the picture."""
_PYTHON = "/usr/bin/python3"
_NEEDED = (
    "python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good "
    "gstreamer1.0-plugins-ugly"
)

_ASK = """
import gi
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer
Gst.init(None)
assert all(map(Gst.ElementFactory.find, ("appsrc", "x264enc", "rtph264pay")))
"""


def write_scenes(folder: Path) -> None:
    """Write each scene as raw frames, as `rtsp.py` plays them."""
    for name, people in SCENES.items():
        with (folder / name).open("wb") as file:
            for picture in frames(_FRAMES if people else 1, _FRAMES / 4, people):
                small = cv2.resize(picture, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA)
                if name == BLURRED:
                    small = cv2.GaussianBlur(small, (0, 0), BLUR_PX)
                file.write(cv2.cvtColor(small, cv2.COLOR_BGR2YUV_I420).tobytes())


def refuse_without_gstreamer() -> None:
    """Skip where Debian's Python cannot be the camera."""
    asked = subprocess.run([_PYTHON, "-c", _ASK], capture_output=True, check=False)
    if asked.returncode:
        lacking("no RTSP server", f"sudo apt-get install {_NEEDED}")


class Camera:
    """Sees nobody until `show` says whom."""

    def __init__(self, street: Street, folder: Path) -> None:
        self._street = street
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        write_scenes(self._folder)
        self.show("nobody")
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def show(self, scene: str) -> None:
        assert scene in SCENES
        fresh = self._folder / "scene.new"
        fresh.write_text(scene)
        fresh.replace(self._folder / "scene")

    def start(self, identity: Identity | None = None) -> None:
        """Return when it can be connected to; with an identity it speaks TLS."""
        self.stop()
        program = (_PYTHON, str(Path(__file__).with_name("rtsp.py")))
        picture = (str(WIDTH_PX), str(HEIGHT_PX), str(FPS))
        files = (str(identity.certificate), str(identity.key)) if identity else ()
        self._process = subprocess.Popen(
            [
                *self._street.within(self._street.street),
                *(*program, CAMERA, str(self._folder), *picture, USER, PASSWORD, *files),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            raise RuntimeError("the RTSP server does not start")

    def stop(self) -> None:
        """As if the plug were pulled: no word to who looks."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.communicate()
