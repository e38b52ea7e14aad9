"""What the genuine picamera2 and libcamera need on a machine without a camera; import it first.

libcamera's virtual camera needs neither sensor nor kernel driver, but picamera2 is made for a Pi.
Nothing here touches our own code, which calls picamera2 as it does on a Pi.
"""

from __future__ import annotations

import mmap
import os
import sys
import time
from types import ModuleType
from typing import Any


class _AnyName(type):
    """A class whose every attribute is its own name."""

    def __getattr__(cls, name: str) -> str:
        return name


class _PixelFormat(metaclass=_AnyName):
    """Stands for the class in kms++, which draws on a screen and is in no package."""


# picamera2 imports its preview window's library, though no window is opened.
_pykms = ModuleType("pykms")
_pykms.PixelFormat = _PixelFormat  # type: ignore[attr-defined]
sys.modules["pykms"] = _pykms

import libcamera  # noqa: E402
import picamera2.picamera2 as genuine  # noqa: E402
from picamera2.allocators.allocator import Allocator, Sync  # noqa: E402

_FRAME_S = 1 / 30


class MemfdAllocator(Allocator):  # type: ignore[misc]
    """Takes buffers from plain shared memory: /dev/dma_heap is a Pi's, and not in every kernel."""

    def __init__(self) -> None:
        super().__init__()
        self._buffers: dict[Any, list[Any]] = {}
        self._memory: dict[Any, mmap.mmap] = {}
        self._descriptors: list[int] = []
        memory = self._memory

        class MemfdSync(Sync):  # type: ignore[misc]
            def __init__(self, allocator: Any, buffer: Any, write: bool) -> None:
                self._buffer = buffer

            def __enter__(self) -> mmap.mmap:
                return memory[self._buffer]

            def __exit__(self, *raised: object) -> None:
                """Memory that no device shares needs no flushing."""

        self.sync = MemfdSync

    def allocate(self, libcamera_config: Any, use_case: Any) -> None:
        self.close()
        for stream in libcamera_config:
            buffers = [self._buffer(stream) for _ in range(stream.buffer_count)]
            self._buffers[stream.stream] = buffers

    def _buffer(self, stream: Any) -> Any:
        descriptor = os.memfd_create("frame", os.MFD_CLOEXEC)
        self._descriptors.append(descriptor)
        os.ftruncate(descriptor, stream.frame_size)
        brightness = stream.stride * stream.size.height
        # NV12 in two planes: libcamera 0.4 aborts the process on a single one.
        planes = [
            _plane(descriptor, 0, brightness),
            _plane(descriptor, brightness, stream.frame_size - brightness),
        ]
        buffer = _fresh_buffer(planes)
        self._memory[buffer] = mmap.mmap(descriptor, stream.frame_size)
        return buffer

    def buffers(self, stream: Any) -> list[Any]:
        return self._buffers[stream]

    def close(self) -> None:
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors.clear()
        self._buffers.clear()
        self._memory.clear()


def _plane(descriptor: int, offset: int, length: int) -> Any:
    plane = libcamera.FrameBuffer.Plane()
    plane.fd, plane.offset, plane.length = descriptor, offset, length
    return plane


def _fresh_buffer(planes: list[Any]) -> Any:
    """Return a buffer whose status says success.

    libcamera 0.4's virtual camera never writes the status, so that picamera2 would judge each frame
    by what its memory held before: take one that happens to hold the right thing.
    """
    others: list[Any] = []
    for _ in range(10_000):
        buffer = libcamera.FrameBuffer(planes)
        if buffer.metadata.status == libcamera.FrameMetadata.Status.Success:
            return buffer
        others.append(buffer)  # kept, so that its memory is not handed out again
    raise RuntimeError("no buffer with a clean status")


def _view_modes(camera: Any) -> list[dict[str, Any]]:
    """Ask for what a viewfinder can show: the virtual camera has no raw stream to ask for."""
    role = libcamera.StreamRole.Viewfinder
    formats = camera.camera.generate_configuration([role]).at(0).formats
    return [
        {"format": str(pixels), "size": (size.width, size.height)}
        for pixels in formats.pixel_formats
        for size in formats.sizes(pixels)
    ]


_handle_request = genuine.CameraManager.handle_request


def _paced(manager: Any, flushid: Any = None) -> None:
    """Take a frame's time: the virtual camera fills its buffers at once, as no sensor does."""
    time.sleep(_FRAME_S)
    _handle_request(manager, flushid)


# By name, since Picamera2.close() makes another allocator whatever the constructor was given.
genuine.DmaAllocator = MemfdAllocator
genuine.Picamera2._get_raw_modes = _view_modes
genuine.CameraManager.handle_request = _paced
