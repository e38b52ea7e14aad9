"""The proof of sight as an outlet: a thread that shows drawn heads to eyes of its own.

It takes judged frames as others do who watch, so judging waits for none of it, and shows one head
at a time, with a rest after each. Of several cameras, one is proved after the other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from edge.acuity import SightState
from edge.classify.card import Bundle
from edge.classify.classifier import MaskClassifier
from edge.clock import SYSTEM_CLOCK
from edge.config import Settings
from edge.daemon.lookout import Glance
from edge.daemon.proving import (
    LEARN_EVERY_S,
    START_S,
    TURN_S,
    ClosingError,
    Means,
    Record,
    Rests,
    SceneProver,
)
from edge.detect.area import Area
from edge.detect.detection import FaceDetection
from edge.detect.detectors import open_detector
from edge.host.status_file import runtime_directory
from edge.observers import Observers
from edge.report.marks import LIMITS
from edge.sight.memory import SightMemory
from edge.sight.proof import ProofEyes
from edge.sight.request import take_request
from edge.telemetry import Telemetry

LEAST_LIMIT_PX: Final = 8.0
"""Smaller heads are shown than the settings have judged: what counts is what could be seen."""
CLOSE_S: Final = 0.4
LONGEST_S: Final = 1.6 * 3600 * LIMITS.proof_holds_h
"""From proof to proof where several cameras share the time of one: so that no hour is without."""


class SightOutlet:
    """Proves what each camera sees several times a day, and on request."""

    def __init__(
        self, provers: Sequence[SceneProver], stop: threading.Event, requests: Path | None = None
    ) -> None:
        """`stop` is that of their means; `requests` is the folder in which a request is left, see
        `edge.sight.request`."""
        self._provers = tuple(provers)
        self._requests = requests
        self._telemetry: Telemetry | None = None
        self._stop = stop
        self._thread = threading.Thread(target=self._run, name="sight", daemon=True)

    def states(self) -> Mapping[str, SightState]:
        """Return what is known of each camera's sight, by its name. For any thread."""
        return {each.camera: each.state for each in self._provers}

    def start(self) -> None:
        self._thread.start()

    def take(self, glance: Glance, telemetry: Telemetry) -> None:
        """Take note of how cameras and box do."""
        self._telemetry = telemetry

    def close(self) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(CLOSE_S)

    def _run(self) -> None:
        for each in self._provers:
            each.join()
        try:
            while not self._stop.wait(TURN_S):
                self._turn()
        except ClosingError:
            pass
        finally:
            for each in self._provers:
                each.leave()

    def _turn(self) -> None:
        of_all = None if self._requests is None else take_request(self._requests)
        for each in self._provers:
            each.count()
            request = of_all
            if self._requests is not None and each.camera:
                request = take_request(self._requests, each.camera) or of_all
            if request is not None:
                each.answer(request, self._of(each))
            elif each.is_due:
                each.work(self._of(each))

    def _of(self, prover: SceneProver) -> Telemetry | None:
        return None if self._telemetry is None else self._telemetry.of(prover.camera)


def open_sight(
    settings: Settings,
    bundle: Bundle,
    observers: Mapping[str, Observers],
    folder: Path,
    record: Record | None,
) -> SightOutlet:
    """Return it; `observers` are those of each camera by its name, `folder` is where the service
    keeps its state, `record` writes the history."""
    stop, number = threading.Event(), len(observers)
    means = Means(
        record or (lambda batch: None),
        shared_s(settings.sight.every_s, number),
        number * LEARN_EVERY_S,
        settings.sight.min_size_px,
        Rests(),
        SYSTEM_CLOCK,
        stop,
    )
    provers = []
    for place, (camera, (name, shown)) in enumerate(
        zip(settings.each_camera, observers.items(), strict=True), 1
    ):
        own = settings.of(camera)
        area = Area(own.detector.watched, own.detector.excluded)
        memory = SightMemory(folder, name, is_watched=area.holds)
        eyes = _eyes_of(own, bundle)
        provers.append(SceneProver(shown, memory, eyes, means, name, place * START_S))
    return SightOutlet(provers, stop, runtime_directory())


def shared_s(every_s: float, cameras: int) -> float:
    """Return how long after its last proof a camera has the next: several share the processor's
    time of one, as far as none is without a proof for longer than reports allow."""
    return max(every_s, min(cameras * every_s, LONGEST_S))


def _eyes_of(settings: Settings, bundle: Bundle) -> Callable[[], ProofEyes]:
    chosen = settings.detector

    def eyes() -> ProofEyes:
        # Opened for each proof: between two of them it takes no memory.
        detector = open_detector(
            chosen.name, chosen.model, chosen.confidence, chosen.sure_confidence
        )
        limits = msgspec.structs.replace(settings.classifier, min_face_px=LEAST_LIMIT_PX)
        detection = FaceDetection(detector, chosen)
        return ProofEyes(detector, MaskClassifier(bundle, limits), detection.scale, LEAST_LIMIT_PX)

    return eyes
