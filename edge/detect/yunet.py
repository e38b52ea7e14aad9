"""YuNet (Wu et al., 2023): a face detector of 76,000 parameters, made for edge devices."""

from __future__ import annotations

import cv2
import numpy as np

from edge.records import Box, Face, Pixels

NMS_IOU = 0.3
"""Of two boxes that overlap more, the surer stays: the value that the model's authors use."""
CANDIDATES = 500
"""Boxes kept before that: more than faces fit into a frame."""
SIZES = 4
"""How many sizes of picture are kept ready, as many as one use of a detector takes by turns: with
one network for all, OpenCV lays it out again at each change of size, which makes a full and a quick
scan together 1.3 times as dear."""
FARTHEST = 1e6
"""Pixels from the corner of the picture: what is farther away is no face."""
SMALLEST = 64
"""Pixels of a side. With 32 or fewer, a single row or column in the network's coarsest map, OpenCV
makes sure faces out of noise, some at infinity, and others at each call."""


class YuNet:
    input_px: int | None = None

    def __init__(self, name: str, network: bytes, confidence: float, sure: float) -> None:
        """Read the bytes of the ONNX file. Raises cv2.error when they are none."""
        self.name = name
        self.sure = sure
        self._network = np.frombuffer(network, np.uint8)
        self._confidence = confidence
        self._detectors: dict[tuple[int, int], cv2.FaceDetectorYN] = {}
        self._for_size((320, 320))

    def _for_size(self, size: tuple[int, int]) -> cv2.FaceDetectorYN:
        if size not in self._detectors:
            if len(self._detectors) == SIZES:
                del self._detectors[next(iter(self._detectors))]
            self._detectors[size] = cv2.FaceDetectorYN.create(
                "onnx",
                self._network,
                np.empty(0, np.uint8),
                size,
                self._confidence,
                NMS_IOU,
                CANDIDATES,
            )
        return self._detectors[size]

    def find(self, pixels: Pixels) -> tuple[Face, ...]:
        height, width = pixels.shape[:2]
        pixels = _large_enough(pixels)
        detector = self._for_size((pixels.shape[1], pixels.shape[0]))
        # OpenCV's types do not say that there are no rows where there is no face.
        rows: cv2.typing.MatLike | None = detector.detect(pixels)[1]
        if rows is None:
            return ()
        faces = []
        # Of weights that are not ours, some make faces at infinity, or near it.
        for row in rows[(np.abs(rows) < FARTHEST).all(axis=1)]:
            # x, y, width, height, five landmarks, score.
            x, y, w, h, score = (float(row[i]) for i in (0, 1, 2, 3, 14))
            # Neither below 0 nor lost beside x.
            if x + w <= x or y + h <= y:
                continue
            if box := Box(x, y, x + w, y + h).clipped(width, height):
                faces.append(Face(box, min(score, 1.0)))
        return tuple(sorted(faces, key=lambda face: -face.confidence))


def _large_enough(pixels: Pixels) -> Pixels:
    """Return `pixels` with black below and to the right of what is too low or too narrow."""
    below, right = (max(0, SMALLEST - side) for side in pixels.shape[:2])
    if not (below or right):
        return pixels
    padded = cv2.copyMakeBorder(pixels, 0, below, 0, right, cv2.BORDER_CONSTANT)
    return np.asarray(padded, np.uint8)
