"""The camera: there, busy, forbidden, dark, covered, out of focus, upside down."""

from __future__ import annotations

from collections.abc import Iterator

from edge.address import DeviceSource, FileSource, PiSource, StreamSource, source_in
from edge.capture.quality import quality_of
from edge.capture.trial import tried
from edge.capture.view import view_of
from edge.commands.doctor.finding import Finding, Level, readable
from edge.commands.position import turned_by_deg
from edge.conditions import CORRECT_SOURCE, VIEWS, Code, Condition, condition, refuses
from edge.config import Settings
from edge.errors import TensorMaskError
from edge.telemetry import CameraState, Telemetry

BLURRED = 0.3
"""Sharpness below this is out of focus, whatever the scene: of 68 street pictures none is below
0.4, and blurred with a sigma of 4 px none above 0.2."""


def told(telemetry: Telemetry, source: str) -> Iterator[Finding]:
    """Return what the running service says of its camera, `source`: it cannot be opened twice."""
    camera = telemetry.camera
    if camera.state is CameraState.LOST:
        often = f"; lost {camera.outages} times since the start" if camera.outages > 1 else ""
        text = f"gives no picture{often}"
        # The service's own reason says what to do, where it has one.
        cure = cure_of(source, camera.trouble)
        yield Finding("camera", Level.FAULT, camera.trouble or text, cure)
    elif camera.state is CameraState.STARTING:
        text = "the service waits for its first picture"
        yield Finding("camera", Level.HINT, text, cure_of(source))
    elif camera.view in VIEWS:
        yield _bad(condition(VIEWS[camera.view]))
    elif camera.rotation_wanted_deg is not None:
        yield _bad(condition(Code.CAMERA_TURNED, rotation_deg=camera.rotation_wanted_deg))
    elif camera.slow:
        yield Finding(
            "camera",
            Level.FAULT,
            f"{camera.fps or 0:.1f} pictures a second are too few to follow people",
            "more light, for a shorter exposure; a smaller [camera] width_px; a better line",
        )
    else:
        text = f"in use by the running service: {telemetry.fps:.1f} pictures a second judged"
        yield Finding("camera", Level.OK, text)


def _bad(found: Condition) -> Finding:
    return Finding("camera", Level.FAULT, found.text, found.fix)


def looked_at(settings: Settings) -> Iterator[Finding]:
    """Open the camera, and judge a picture of it."""
    try:
        frame = tried(settings.camera).frame  # the first ones are dark while the exposure settles
    except TensorMaskError as error:
        cure = cure_of(settings.camera.source, str(error))
        yield Finding("camera", Level.FAULT, str(error), cure)
        return
    text = f"{frame.width} x {frame.height}"
    view = view_of(frame.pixels)
    picture = quality_of(frame.pixels)
    if view in VIEWS:
        yield _bad(condition(VIEWS[view]))
        return
    yield Finding("camera", Level.OK, f"{text}, light {picture.light} %, {picture.light_text}")
    if picture.sharpness < BLURRED:
        yield Finding(
            "camera",
            Level.FAULT,
            f"out of focus (sharpness {picture.sharpness})",
            "turn the lens; the page ([page]) shows the sharpness while you do",
        )
    if degrees := turned_by_deg([frame.pixels], settings.detector):
        yield Finding(
            "camera",
            Level.FAULT,
            f"the picture is turned: faces are upright when it is turned by {degrees} degrees",
            f"set [camera] rotation_deg = {(settings.camera.rotation_deg + degrees) % 360}",
        )


def cure_of(source: str, trouble: str = "") -> str:
    """Return how to look for a camera of that kind, which gives no picture because of `trouble`."""
    match source_in(source):
        case PiSource():
            return (
                "both ends of the ribbon, contacts to the right side; rpicam-hello "
                "--list-cameras; dtoverlay=ov5647 in /boot/firmware/config.txt"
            )
        case DeviceSource(path):
            return f"v4l2-ctl --list-devices; sudo fuser -v {path}; ls -l {path}"
        case StreamSource() if refuses(trouble):
            return f"user, password and path as the camera's own page has them; {CORRECT_SOURCE}"
        case StreamSource(host=host):
            return f"ping {host}; the camera's own page"
        case FileSource() if "Permission denied" in trouble:
            return readable(source)
        case _:
            return "check [camera] source"
