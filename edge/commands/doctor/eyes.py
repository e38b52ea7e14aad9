"""The camera: there, busy, forbidden, dark, covered, out of focus, upside down."""

from __future__ import annotations

from collections.abc import Iterator

from edge.address import DeviceSource, FileSource, PiSource, StreamSource, source_in
from edge.capture.quality import quality_of
from edge.capture.trial import tried
from edge.capture.view import view_of
from edge.commands.doctor.finding import Finding, reported, well, wrong
from edge.commands.permission import permission
from edge.commands.position import turned_by_deg
from edge.conditions import CORRECT_SOURCE, VIEWS, Code
from edge.config import Settings
from edge.errors import CameraRefusalError, TensorMaskError
from edge.telemetry import CameraState, Telemetry

BLURRED = 0.3
"""Sharpness below this is out of focus, whatever the scene: of 68 street pictures none is below
0.4, and blurred with a sigma of 4 px none above 0.2."""

_OF_THE_CAMERA = (
    Code.CAMERA_LOST,
    Code.CAMERA_REFUSED,
    Code.CAMERA_STARTING,
    *VIEWS.values(),
    Code.CAMERA_TURNED,
    Code.CAMERA_SLOW,
)
"""The gravest first: one of them is said."""


def in_use(telemetry: Telemetry, source: str, part: str = "camera") -> Iterator[Finding]:
    """Return what the running service says of its camera, `source`: it cannot be opened twice."""
    camera = telemetry.camera
    fix = None
    if camera.state is not CameraState.RUNNING:
        fix = cure_of(source, camera.trouble, camera.refuses)
    found = {each.code: each for each in reported(part, telemetry, _OF_THE_CAMERA, fix)}
    gravest = next((found[code] for code in _OF_THE_CAMERA if code in found), None)
    text = f"in use by the running service: {telemetry.fps:.1f} pictures a second judged"
    yield gravest or well(part, text)


def looked_at(settings: Settings, part: str = "camera") -> Iterator[Finding]:
    """Open the camera, and judge a picture of it."""
    try:
        frame = tried(settings.camera).frame  # the first ones are dark while the exposure settles
    except TensorMaskError as error:
        cure = cure_of(settings.camera.source, str(error), isinstance(error, CameraRefusalError))
        yield wrong(part, Code.CAMERA_UNUSABLE, cure, why=error)
        return
    text = f"{frame.width} x {frame.height}"
    view = view_of(frame.pixels)
    picture = quality_of(frame.pixels)
    if view in VIEWS:
        yield wrong(part, VIEWS[view])
        return
    yield well(part, f"{text}, light {picture.light} %, {picture.light_text}")
    if picture.sharpness < BLURRED:
        yield wrong(part, Code.OUT_OF_FOCUS, sharpness=picture.sharpness)
    if degrees := turned_by_deg([frame.pixels], settings.detector):
        wanted_deg = (settings.camera.rotation_deg + degrees) % 360
        yield wrong(part, Code.CAMERA_TURNED, rotation_deg=wanted_deg)


def cure_of(source: str, trouble: str = "", refuses: bool = False) -> str:
    """Return how to look for a camera of that kind, which gives no picture because of `trouble`.

    `refuses`: it is there, and refuses what `source` asks for.
    """
    match source_in(source):
        case PiSource() if "picamera2" in trouble:
            return (
                "no Pi: sudo deploy/install.sh --source /dev/video0, or an rtsp:// address; "
                "a Pi: sudo apt-get install python3-picamera2"
            )
        case PiSource():
            return (
                "both ends of the ribbon, contacts to the right side; rpicam-hello "
                "--list-cameras; dtoverlay=ov5647 in /boot/firmware/config.txt"
            )
        case DeviceSource(path):
            return f"v4l2-ctl --list-devices; sudo fuser -v {path}; ls -l {path}"
        case StreamSource() if refuses:
            return f"user, password and path as the camera's own page has them; {CORRECT_SOURCE}"
        case StreamSource(host=host):
            return f"ping {host}; the camera's own page"
        case FileSource():
            return permission(trouble) or "check [camera] source"
