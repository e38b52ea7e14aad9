"""The proof of sight as an outlet: a thread that shows drawn heads to eyes of its own.

It takes judged frames as others do who watch, so judging waits for none of it, and shows one head
at a time, with a rest after each.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec

from edge.acuity import SightState
from edge.classify.card import Bundle
from edge.classify.classifier import MaskClassifier
from edge.clock import SYSTEM_CLOCK, Clock
from edge.config import Settings
from edge.daemon.lookout import Glance
from edge.detect.area import Area
from edge.detect.detection import FaceDetection
from edge.detect.detectors import open_detector
from edge.history.store import HistoryBatch
from edge.host.status_file import runtime_directory
from edge.observers import Judged, Observer, Observers
from edge.records import Verdict
from edge.sight.judge import Fall, fall_of
from edge.sight.memory import SightMemory
from edge.sight.proof import LivePair, ProofEyes, prove
from edge.sight.request import SightRequest, take_request
from edge.sight.scene import SceneLook
from edge.telemetry import CameraState, CameraView, Telemetry

_log = logging.getLogger(__name__)

TURN_S: Final = 1.0
"""So often faces are counted, and requests looked for."""
START_S: Final = 300.0
"""From the start to the first proof: the camera and the light settle."""
LEARN_EVERY_S: Final = 1800.0
"""Until it is known what is normal at this time of day."""
CONFIRM_S: Final = 180.0
"""From a proof that is worse than normal to the second one, which decides."""
PAIRS: Final = 5
SHOWN: Final = 2
"""Of these pairs, the last, in whose pictures heads are drawn: the others are measured only."""
PATIENCE_S: Final = 10.0
"""How long a frame is waited for."""
LEAST_LIMIT_PX: Final = 8.0
"""Smaller heads are shown than the settings have judged: what counts is what could be seen."""
CLOSE_S: Final = 0.4

Record = Callable[[HistoryBatch], None]
"""Any thread may call it: `Recorder.record`."""


@dataclass(frozen=True, slots=True)
class Rests:
    """How long the thread waits, in seconds."""

    apart_s: float = 1.0
    """Between the two pictures of a pair."""
    between_s: float = 10.0
    """From pair to pair, so that somebody who passes is in one of them."""
    wanted_s: float = 1.0
    """The same on request."""
    head_s: float = 0.05
    """After each head: the work of some seconds is spread over half a minute."""


class _ClosingError(Exception):
    """The service ends."""


class SightOutlet:
    """Proves what is seen several times a day, and on request."""

    def __init__(
        self,
        observers: Observers,
        memory: SightMemory,
        open_eyes: Callable[[], ProofEyes],
        record: Record,
        every_s: float,
        least_px: float,
        requests: Path | None = None,
        rests: Rests = Rests(),
        clock: Clock = SYSTEM_CLOCK,
        camera: str = "",
    ) -> None:
        """`requests` is the folder in which a request is left, see `edge.sight.request`."""
        self.state = SightState()
        """For any thread."""
        self._observers = observers
        self._memory = memory
        self._open_eyes = open_eyes
        self._record = record
        self._every_s = every_s
        self._least_px = least_px
        self._requests = requests
        self._rests = rests
        self._clock = clock
        self._camera = camera
        self._telemetry: Telemetry | None = None
        self._has_failed = False
        self._fall: Fall | None = None
        """Of the last proof; the condition comes with the second in a row."""
        self._due_s = clock.monotonic_s() + min(START_S, every_s)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sight", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def take(self, glance: Glance, telemetry: Telemetry) -> None:
        """Take note of how the camera and the box do."""
        self._telemetry = telemetry

    def close(self) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(CLOSE_S)

    def _run(self) -> None:
        observer = self._observers.join()
        try:
            while not self._stop.wait(TURN_S):
                self._turn(observer)
        except _ClosingError:
            pass
        finally:
            self._observers.leave(observer)

    def _turn(self, observer: Observer) -> None:
        judged = observer.take(0)
        if judged is not None:
            self._count(judged)
        request = None if self._requests is None else take_request(self._requests)
        if request is SightRequest.LEARN:
            self._memory.forget()
            self._fall, self.state = None, SightState(answered=self.state.answered)
        if request is not None or self._clock.monotonic_s() >= self._due_s:
            self._work(observer, is_wanted=request is not None)
        if request is not None:
            self.state = replace(self.state, answered=self.state.answered + 1)

    def _work(self, observer: Observer, *, is_wanted: bool) -> None:
        hindrance = _hindrance(self._telemetry, is_wanted=is_wanted)
        if hindrance:
            self._wait_for(hindrance)
            return
        try:
            self._prove(observer, is_wanted=is_wanted)
        except _ClosingError:
            raise
        except Exception:  # noqa: BLE001 - a fault of ours in one proof must not end the others
            if not self._has_failed:
                _log.exception("what is seen cannot be proved")
            self._has_failed = True
            self._wait_for("the proof of sight failed, see the log")
        self._due_s = self._clock.monotonic_s() + self._pause_s()

    def _prove(self, observer: Observer, *, is_wanted: bool) -> None:
        """Show the heads; a second time at once where a request finds them seen worse."""
        for _ in range(2 if is_wanted else 1):
            between_s = self._rests.wanted_s if is_wanted else self._rests.between_s
            live = self._live(observer, between_s)
            if live is None:
                self._wait_for("the camera gives no picture")
                return
            had_fallen = self._fall is not None
            self._judge(*live)
            if had_fallen or self._fall is None:
                return

    def _judge(self, looks: Sequence[SceneLook], pairs: Sequence[LivePair]) -> None:
        memory, at = self._memory, pairs[-1].now.captured_at
        reference, normal, places = memory.reference(at), memory.normal(at), memory.places(at)
        eyes = self._open_eyes()
        proof = prove(looks, pairs, reference, places, self._least_px, eyes, self._rest)
        self._record(HistoryBatch(sight=proof.rows(self._camera)))
        before = self._fall
        self._fall = None
        if reference is None:
            memory.learn(proof, places)
            normal = memory.normal(at)
        else:
            self._fall = fall_of(proof, normal, eyes.scale(pairs[-1].now))
        is_sure = before is not None and self._fall is not None
        self.state = SightState(
            at=proof.at,
            masked_px=proof.smallest_px(Verdict.MASKED),
            bare_px=proof.smallest_px(Verdict.BARE),
            share=round(proof.share, 3),
            normal=normal,
            trouble=self._fall.text if is_sure and self._fall is not None else "",
            fix=self._fall.fix if is_sure and self._fall is not None else "",
            waits=memory.trouble,
            answered=self.state.answered,
        )

    def _live(
        self, observer: Observer, between_s: float
    ) -> tuple[list[SceneLook], deque[LivePair]] | None:
        """Return looks at live pictures, and the last of these; None: the camera gives none."""
        looks: list[SceneLook] = []
        pairs: deque[LivePair] = deque(maxlen=SHOWN)
        while len(looks) < PAIRS:
            if looks:
                self._pause(between_s)
            before = self._fresh(observer)
            self._pause(self._rests.apart_s)
            now = self._fresh(observer)
            if before is None or now is None:
                return None
            faces = tuple(each.reading.face.box for each in now.outcome.sightings)
            if before.frame.pixels.shape == now.frame.pixels.shape:
                looks.append(SceneLook.of(before.frame.pixels, now.frame.pixels))
                pairs.append(LivePair(before.frame, now.frame, faces))
        return looks, pairs

    def _fresh(self, observer: Observer) -> Judged | None:
        """Return a frame that has just come: not the one that has waited."""
        observer.take(0)
        for _ in range(round(PATIENCE_S / TURN_S)):
            judged = observer.take(TURN_S)
            if judged is not None:
                return judged
            self._pause(0)
        return None

    def _count(self, judged: Judged) -> None:
        frame = judged.frame
        faces = [each.reading.face.box for each in judged.outcome.sightings]
        self._memory.passages.add(faces, frame.width, frame.height)

    def _wait_for(self, hindrance: str) -> None:
        self.state = replace(self.state, waits=hindrance)

    def _pause_s(self) -> float:
        if self._fall is not None and not self.state.trouble:
            return min(self._every_s, CONFIRM_S)
        is_known = self._memory.left(self._clock.utc()) == 0
        return self._every_s if is_known else min(self._every_s, LEARN_EVERY_S)

    def _rest(self) -> None:
        self._pause(self._rests.head_s)

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise _ClosingError


def _hindrance(telemetry: Telemetry | None, *, is_wanted: bool) -> str:
    """Return why there can be no proof now; empty: nothing hinders."""
    if telemetry is None or telemetry.camera.state is not CameraState.RUNNING:
        return "the camera gives no picture"
    if telemetry.camera.view is not CameraView.CLEAR:
        return f"the view is {telemetry.camera.view}"
    if telemetry.paused_for_s is not None:
        return "judging is paused"
    if telemetry.pace.reasons and not is_wanted:
        return f"the box suffers from {', '.join(telemetry.pace.reasons)}"
    return ""


def open_sight(
    settings: Settings,
    bundle: Bundle,
    observers: Observers,
    folder: Path,
    record: Record | None,
    camera: str = "",
) -> SightOutlet:
    """Return it; `folder` is where the service keeps its state, `record` writes the history.

    `camera` is its name; empty: it is the only one.
    """
    chosen = settings.detector

    def eyes() -> ProofEyes:
        # Opened for each proof: between two of them it takes no memory.
        detector = open_detector(
            chosen.name, chosen.model, chosen.confidence, chosen.sure_confidence
        )
        limits = msgspec.structs.replace(settings.classifier, min_face_px=LEAST_LIMIT_PX)
        detection = FaceDetection(detector, chosen)
        return ProofEyes(detector, MaskClassifier(bundle, limits), detection.scale, LEAST_LIMIT_PX)

    return SightOutlet(
        observers,
        SightMemory(folder, camera, is_watched=Area(chosen.watched, chosen.excluded).holds),
        eyes,
        record or (lambda batch: None),
        settings.sight.every_s,
        settings.sight.min_size_px,
        runtime_directory(),
        camera=camera,
    )
