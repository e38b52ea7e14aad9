"""The prototype's own steps, to measure against: never part of the product.

Each frame is scaled to 400 px wide, res10 finds faces in it at 300 x 300 through OpenCV's DNN
module, and Keras' MobileNetV2 with the prototype's head judges all of them, cut out tightly and
scaled to 224 px, in one call of `predict`. The network's weights are random: they cost the same.

As a program it processes the first frames of a clip, and prints a line after the first.
"""

from __future__ import annotations

import os
import sys

# TensorFlow reads these when it is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import cv2
import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edge.commands.scene import EPOCH
from edge.detect import weights
from edge.detect.detectors import RES10
from edge.detect.res10 import INPUT_PX, MEAN_BGR
from edge.host.health import Stopwatch
from edge.pipeline import STEPS
from edge.records import Frame, Pixels

# ruff: noqa: T201 - a command line
WIDTH_PX = 400
CONFIDENCE = 0.5
CROP_PX = 224


def network() -> keras.Model:
    """Return MobileNetV2 with the prototype's head."""
    body = keras.applications.MobileNetV2(
        weights=None, include_top=False, input_shape=(CROP_PX, CROP_PX, 3)
    )
    x = keras.layers.AveragePooling2D((7, 7))(body.output)
    x = keras.layers.Dense(128, activation="relu")(keras.layers.Flatten()(x))
    x = keras.layers.Dense(2, activation="softmax")(keras.layers.Dropout(0.5)(x))
    return keras.Model(body.input, x)


class Prototype:
    def __init__(self, stopwatch: Stopwatch) -> None:
        self._detector = cv2.dnn.readNetFromCaffe(
            *(np.frombuffer(content, np.uint8) for content in weights.read(RES10.weights))
        )
        self._network = network()
        self._timed = stopwatch
        self.found = 0

    def process(self, frame: Frame) -> None:
        with self._timed("detect"):
            height = round(frame.height * WIDTH_PX / frame.width)
            picture = cv2.resize(frame.pixels, (WIDTH_PX, height), interpolation=cv2.INTER_AREA)
            crops = self._find(np.asarray(picture, np.uint8))
        with self._timed("classify"):
            if crops:
                inputs = keras.applications.mobilenet_v2.preprocess_input(np.stack(crops))
                self._network.predict(inputs, batch_size=32, verbose=0)
        self.found += len(crops)

    def _find(self, picture: Pixels) -> list[NDArray[np.float32]]:
        height, width = picture.shape[:2]
        self._detector.setInput(cv2.dnn.blobFromImage(picture, 1.0, INPUT_PX, MEAN_BGR))
        rows = self._detector.forward()[0, 0]
        crops = []
        for row in rows[rows[:, 2] > CONFIDENCE]:
            left, top, right, bottom = (row[3:7] * [width, height, width, height]).astype(int)
            face = picture[max(0, top) : bottom, max(0, left) : right]
            if face.size:
                rgb = cv2.cvtColor(face, cv2.COLOR_BGR2RGB)
                crops.append(cv2.resize(rgb, (CROP_PX, CROP_PX)).astype(np.float32))
        return crops


def limit_threads(count: int) -> None:
    """Only possible before TensorFlow has computed anything."""
    cv2.setNumThreads(count)
    tf.config.threading.set_intra_op_parallelism_threads(count)
    tf.config.threading.set_inter_op_parallelism_threads(count)


if __name__ == "__main__":
    limit_threads(int(sys.argv[2]))
    prototype = Prototype(Stopwatch(STEPS))
    capture = cv2.VideoCapture(sys.argv[1])
    for number in range(10):
        _, pixels = capture.read()
        prototype.process(Frame(number, np.asarray(pixels, np.uint8), EPOCH, 0.0))
        print(number, flush=True)
