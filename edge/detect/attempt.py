"""Tries the weights of a detector in a process of their own: `python -m edge.detect.attempt`.

OpenCV checks little of a file that it reads, and a damaged one may end the process by SIGSEGV.
"""

from __future__ import annotations

import sys

import cv2

from edge.detect.detector import FaceDetector
from edge.detect.detectors import open_unchecked
from edge.errors import ModelError, TensorMaskError
from edge.patterns import draw
from edge.pixels import resize

SIZES = ((640, 480), (640, 360), (480, 640), (320, 240), (640, 640), (160, 90), (96, 64))
"""What the service shows it: whole pictures of several shapes, small ones, and parts."""


def main(name: str, model: str) -> int:
    try:
        _look(open_unchecked(name, model))
    except TensorMaskError as error:
        sys.stderr.write(" ".join(str(error).split()) + "\n")
        return error.exit_status
    except cv2.error as error:
        sys.stderr.write(f"OpenCV {cv2.__version__} fails on a picture with it ({error.err})\n")
        return ModelError.exit_status
    return 0


def _look(detector: FaceDetector) -> None:
    for number, size in enumerate(SIZES):
        detector.find(resize(draw(number, 160), size))


if __name__ == "__main__":
    cv2.setNumThreads(1)
    sys.exit(main(*sys.argv[1:]))
