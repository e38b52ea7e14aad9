"""A picamera2 without a camera, held to the signatures of the real one.

It has what `edge.capture.picamera` uses and no more. Each call is bound to the signature of the
same name in the installed wheel, whose source is read but not imported: that takes libcamera.
"""

from __future__ import annotations

import ast
import functools
import importlib.machinery
import inspect
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.records import Pixels

SWAPPED = {
    "RGB888": None,
    "BGR888": cv2.COLOR_BGR2RGB,
    "XRGB8888": cv2.COLOR_BGR2BGRA,
    "XBGR8888": cv2.COLOR_BGR2RGBA,
}
"""Packed format: OpenCV's conversion from BGR."""

BYTES_PER_PIXEL = {"RGB888": 3, "BGR888": 3, "XRGB8888": 4, "XBGR8888": 4, "YUYV": 2, "UYVY": 2}
"""In a row of the first plane; the others have 1."""

Method = TypeVar("Method", bound=Callable[..., Any])


@functools.cache
def _source(module: str) -> ast.Module:
    """Read a module of the installed picamera2, which a fake in `sys.modules` does not hide."""
    package = importlib.machinery.PathFinder.find_spec("picamera2")
    assert package is not None, "install the wheel: pip install --no-deps picamera2"
    assert package.submodule_search_locations is not None
    return ast.parse((Path(package.submodule_search_locations[0]) / f"{module}.py").read_text())


def real_definition(module: str, class_name: str, name: str) -> ast.FunctionDef:
    """Return the definition of a method in the installed picamera2."""
    classes = [
        node
        for node in _source(module).body
        if isinstance(node, ast.ClassDef) and node.name == class_name
    ]
    # The last of its name: those before it are overloads for type checkers.
    *_, definition = (
        node
        for found in classes
        for node in found.body
        if isinstance(node, ast.FunctionDef) and node.name == name
    )
    return definition


def real_signature(module: str, class_name: str, name: str) -> inspect.Signature:
    definition = real_definition(module, class_name, name)
    arguments = definition.args
    kinds = inspect.Parameter
    positional = [*arguments.posonlyargs, *arguments.args]
    required = len(positional) - len(arguments.defaults)
    parameters = [
        kinds(
            argument.arg,
            kinds.POSITIONAL_OR_KEYWORD,
            default=kinds.empty if place < required else None,
        )
        for place, argument in enumerate(positional)
    ]
    assert [arguments.vararg, arguments.kwarg, arguments.kwonlyargs] == [None, None, []]
    return inspect.Signature(parameters)


def like(module: str, class_name: str, name: str = "") -> Callable[[Method], Method]:
    """Refuse every call of a method that the real method of that name would not take."""

    def decorate(method: Method) -> Method:
        signature = real_signature(module, class_name, name or method.__name__)

        @functools.wraps(method)
        def checked(*arguments: Any, **named: Any) -> Any:
            signature.bind(*arguments, **named)
            return method(*arguments, **named)

        return checked  # type: ignore[return-value]

    return decorate


def in_memory(pixels: NDArray[Any], format: str, stride: int) -> Pixels:
    """Lay a BGR picture out as libcamera would: a flat buffer with padded rows."""
    height, width = pixels.shape[:2]
    if format in SWAPPED:
        conversion = SWAPPED[format]
        packed = pixels if conversion is None else cv2.cvtColor(pixels, conversion)
        return padded(packed.reshape(height, -1), stride).ravel()
    if format in ("YUYV", "UYVY"):
        code = cv2.COLOR_BGR2YUV_YUYV if format == "YUYV" else cv2.COLOR_BGR2YUV_UYVY
        return padded(cv2.cvtColor(pixels, code).reshape(height, -1), stride).ravel()
    planes = cv2.cvtColor(pixels, cv2.COLOR_BGR2YUV_I420)
    luma = planes[:height]
    u, v = planes[height:].reshape(2, height // 2, width // 2)
    if format in ("YUV420", "YVU420"):
        chroma = (u, v) if format == "YUV420" else (v, u)
        colours = [padded(plane, stride // 2).ravel() for plane in chroma]
    else:
        pairs = np.stack((u, v) if format == "NV12" else (v, u), axis=-1)
        colours = [padded(pairs.reshape(height // 2, width), stride).ravel()]
    return np.concatenate([padded(luma, stride).ravel(), *colours])


def padded(rows: NDArray[Any], stride: int) -> Pixels:
    """Fill each row up with bytes that would show if they were taken for pixels."""
    return np.pad(rows, ((0, 0), (0, stride - rows.shape[1])), constant_values=255)


@dataclass
class Camera:
    """How the fake camera behaves."""

    shows: Pixels
    format: str = "RGB888"
    """What it makes of the main stream, whatever it is asked for."""
    align: int = 64
    """Rows begin at multiples of this many bytes."""
    small_stream: bool = True
    """Otherwise the second stream is as large as the first."""
    controls: tuple[str, ...] = ("FrameDurationLimits",)
    count: int = 1
    busy: bool = False
    starts: bool = True
    stalled: bool = False
    delay_s: float | None = 0.05
    """How long before it is asked for the frame was exposed; None: it does not tell."""


def fake_picamera2(camera: Camera) -> SimpleNamespace:
    """Return a module to put in the place of picamera2; `opened` lists the cameras it gave out."""
    opened: list[Any] = []

    class Picamera2:
        @like("picamera2", "Picamera2", "__init__")
        def __init__(self, camera_num: int = 0) -> None:
            if camera.busy:
                cause = RuntimeError("Failed to acquire camera: Device or resource busy")
                raise RuntimeError("Camera __init__ sequence did not complete.") from cause
            self.requests: list[CompletedRequest] = []
            self.state = "open"
            opened.append(self)

        @staticmethod
        @like("picamera2", "Picamera2")
        def global_camera_info() -> list[dict[str, Any]]:
            return [{"Model": "imx708", "Id": f"i2c{n}", "Num": n} for n in range(camera.count)]

        @property
        def camera_controls(self) -> dict[str, Any]:
            assert real_definition("picamera2", "Picamera2", "camera_controls").decorator_list
            return dict.fromkeys(camera.controls)

        @like("picamera2", "Picamera2")
        def create_video_configuration(self, **wishes: Any) -> dict[str, Any]:
            assert wishes["main"].keys() | (wishes["lores"] or {}).keys() <= {"size", "format"}
            return wishes

        @like("picamera2", "Picamera2")
        def configure(self, camera_config: dict[str, Any]) -> None:
            self.asked = camera_config
            unknown = camera_config["controls"].keys() - set(camera.controls)
            if unknown:
                raise RuntimeError(f"Control {unknown} is not advertised by libcamera")
            self.given = {"main": self._adjusted(camera_config["main"], camera.format)}
            lores = camera_config["lores"]
            if lores is not None:
                small = lores if camera.small_stream else camera_config["main"]
                lores = self._adjusted(small, "YUV420")
            self.given["lores"] = lores

        @staticmethod
        def _adjusted(stream: dict[str, Any], format: str) -> dict[str, Any]:
            width, height = stream["size"]
            assert width % 2 == 0
            assert height % 2 == 0
            row = width * BYTES_PER_PIXEL.get(format, 1)
            stride = -(-row // camera.align) * camera.align
            return {"format": format, "size": (width, height), "stride": stride}

        @like("picamera2", "Picamera2")
        def camera_configuration(self) -> dict[str, Any]:
            return self.given

        @like("picamera2", "Picamera2")
        def start(self) -> None:
            if not camera.starts:
                raise OSError(12, "Cannot allocate memory")
            self.state = "started"

        @like("picamera2", "Picamera2")
        def capture_request(self, wait: float | None = None) -> CompletedRequest:
            if camera.stalled:
                self.state = "waiting"
                raise TimeoutError
            self.requests.append(CompletedRequest(self))
            return self.requests[-1]

        @like("picamera2", "Picamera2")
        def cancel_all_and_flush(self) -> None:
            self.state = "started"

        @like("picamera2", "Picamera2")
        def close(self) -> None:
            assert self.state != "waiting", "the real one would wait for ever here"
            self.state = "closed"

    class CompletedRequest:
        def __init__(self, picam2: Picamera2) -> None:
            self.given = picam2.given
            self.released = False

        @like("request", "CompletedRequest")
        def get_metadata(self) -> dict[str, Any]:
            if camera.delay_s is None:
                return {}
            exposed_s = time.clock_gettime(time.CLOCK_BOOTTIME) - camera.delay_s
            return {"SensorTimestamp": int(exposed_s * 1e9)}

        @like("request", "CompletedRequest")
        def release(self) -> None:
            self.released = True

    class MappedArray:
        @like("request", "MappedArray", "__init__")
        def __init__(self, request: CompletedRequest, stream: str, reshape: bool) -> None:
            assert not reshape
            assert not request.released
            given = request.given[stream]
            shown = cv2.resize(camera.shows, given["size"])
            self.array = in_memory(shown, given["format"], given["stride"])

        @like("request", "MappedArray")
        def __enter__(self) -> MappedArray:
            return self

        @like("request", "MappedArray")
        def __exit__(self, exc_type: object, exc_value: object, exc_traceback: object) -> None:
            self.array[:] = 0  # the camera's again

    return SimpleNamespace(Picamera2=Picamera2, MappedArray=MappedArray, opened=opened)
