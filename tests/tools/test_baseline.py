from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.fakes import blank, frame_at


@pytest.mark.filterwarnings("default")
def test_the_prototype_s_steps_find_and_judge_a_face(carphone: object) -> None:
    from edge.host.health import Stopwatch
    from edge.pipeline import STEPS
    from tools.bench.baseline import Prototype

    stopwatch = Stopwatch(STEPS)
    prototype = Prototype(stopwatch)
    _, pixels = cv2.VideoCapture(str(carphone)).read()
    prototype.process(frame_at(0, np.asarray(pixels, np.uint8)))
    assert prototype.found == 1
    prototype.process(frame_at(0, blank()))
    assert prototype.found == 1
    assert set(stopwatch.latencies()) == {"detect", "classify"}
