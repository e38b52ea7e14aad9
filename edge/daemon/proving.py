"""The proof of sight of one camera: when it is due, what hinders it, and what it says."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Event
from typing import Final

from edge.acuity import SightState
from edge.clock import Clock
from edge.history.store import HistoryBatch
from edge.observers import Judged, Observer, Observers
from edge.records import Verdict
from edge.sight.judge import Fall, fall_of
from edge.sight.memory import SightMemory
from edge.sight.proof import LivePair, ProofEyes, prove
from edge.sight.request import SightRequest
from edge.sight.scene import SceneLook
from edge.telemetry import CameraState, CameraView, Telemetry

_log = logging.getLogger(__name__)

TURN_S: Final = 1.0
"""So often faces are counted, and requests looked for."""
START_S: Final = 300.0
"""From the start to the first proof, and from that of one camera to that of the next: the camera
and the light settle."""
LEARN_EVERY_S: Final = 1800.0
"""Until it is known what is normal at this time of day."""
CONFIRM_S: Final = 180.0
"""From a proof that is worse than normal to the second one, which decides."""
RETRY_S: Final = 300.0
"""From a proof that came to nothing to the next try."""
PAIRS: Final = 5
SHOWN: Final = 2
"""Of these pairs, the last, in whose pictures heads are drawn: the others are measured only."""
PATIENCE_S: Final = 10.0
"""How long a frame is waited for."""

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


class ClosingError(Exception):
    """The service ends."""


@dataclass(frozen=True, slots=True)
class Means:
    """What the proofs of all cameras have in common."""

    record: Record
    every_s: float
    """From one proof of a camera to the next."""
    learn_every_s: float
    """The same until it is known what is normal."""
    least_px: float
    rests: Rests
    clock: Clock
    stop: Event
    """Set when the service ends."""

    def pause(self, seconds: float) -> None:
        """Raises ClosingError."""
        if self.stop.wait(seconds):
            raise ClosingError


class SceneProver:
    """Proves what one camera sees. All but `state` is for one thread."""

    def __init__(
        self,
        observers: Observers,
        memory: SightMemory,
        open_eyes: Callable[[], ProofEyes],
        means: Means,
        camera: str = "",
        start_s: float = START_S,
    ) -> None:
        """`camera` is its name; empty: it is the only one. The first proof is due in `start_s`."""
        self.camera = camera
        self.state = SightState()
        """For any thread."""
        self._observers = observers
        self._observer: Observer | None = None
        self._memory = memory
        self._open_eyes = open_eyes
        self._means = means
        self._has_failed = False
        self._fall: Fall | None = None
        """Of the last proof; the condition comes with the second in a row."""
        self._due_s = means.clock.monotonic_s() + min(start_s, means.every_s)

    @property
    def is_due(self) -> bool:
        return self._means.clock.monotonic_s() >= self._due_s

    def join(self) -> None:
        self._observer = self._observers.join()

    def leave(self) -> None:
        if self._observer is not None:
            self._observers.leave(self._observer)

    def count(self) -> None:
        """Count where the people of the newest frame are."""
        judged = None if self._observer is None else self._observer.take(0)
        if judged is None:
            return
        frame = judged.frame
        faces = [each.reading.face.box for each in judged.outcome.sightings]
        self._memory.passages.add(faces, frame.width, frame.height)

    def answer(self, request: SightRequest, telemetry: Telemetry | None) -> None:
        """Do what is asked. Raises ClosingError."""
        if request is SightRequest.LEARN:
            self._memory.forget()
            self._fall, self.state = None, SightState(answered=self.state.answered)
        self.work(telemetry, is_wanted=True)
        self.state = replace(self.state, answered=self.state.answered + 1)

    def work(self, telemetry: Telemetry | None, *, is_wanted: bool = False) -> None:
        """Prove it, unless something hinders it now, which is tried again at the next turn.

        `telemetry` is of this camera; None: nothing is known yet. Raises ClosingError.
        """
        hindrance = hindrance_in(telemetry, is_wanted=is_wanted)
        if hindrance:
            self._wait_for(hindrance)
            return
        is_done = False
        try:
            is_done = self._prove(is_wanted=is_wanted)
        except ClosingError:
            raise
        except Exception:  # noqa: BLE001 - a fault of ours in one proof must not end the others
            if not self._has_failed:
                _log.exception("what is seen cannot be proved")
            self._has_failed = True
            self._wait_for("the proof of sight failed, see the log")
        pause_s = self._pause_s() if is_done else min(RETRY_S, self._means.every_s)
        self._due_s = self._means.clock.monotonic_s() + pause_s

    def _prove(self, *, is_wanted: bool) -> bool:
        """Show the heads; a second time at once where a request finds them seen worse. Return
        whether there was a proof."""
        rests = self._means.rests
        for _ in range(2 if is_wanted else 1):
            live = self._live(rests.wanted_s if is_wanted else rests.between_s)
            if live is None:
                self._wait_for("the camera gives no picture")
                return False
            had_fallen = self._fall is not None
            self._judge(*live)
            if had_fallen or self._fall is None:
                break
        return True

    def _judge(self, looks: Sequence[SceneLook], pairs: Sequence[LivePair]) -> None:
        memory, means, at = self._memory, self._means, pairs[-1].now.captured_at
        reference, normal, places = memory.reference(at), memory.normal(at), memory.places(at)
        eyes = self._open_eyes()
        proof = prove(
            looks,
            pairs,
            reference,
            places,
            means.least_px,
            eyes,
            lambda: means.pause(means.rests.head_s),
        )
        means.record(HistoryBatch(sight=proof.rows(self.camera)))
        before = self._fall
        self._fall = None
        if reference is None:
            memory.learn(proof, places)
            normal = memory.normal(at)
        else:
            self._fall = fall_of(proof.change, proof.share, normal, eyes.scale(pairs[-1].now))
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

    def _live(self, between_s: float) -> tuple[list[SceneLook], deque[LivePair]] | None:
        """Return looks at live pictures, and the last of these; None: the camera gives none."""
        looks: list[SceneLook] = []
        pairs: deque[LivePair] = deque(maxlen=SHOWN)
        while len(looks) < PAIRS:
            if looks:
                self._means.pause(between_s)
            before = self._fresh()
            self._means.pause(self._means.rests.apart_s)
            now = self._fresh()
            if before is None or now is None:
                return None
            faces = tuple(each.reading.face.box for each in now.outcome.sightings)
            if before.frame.pixels.shape == now.frame.pixels.shape:
                looks.append(SceneLook.of(before.frame.pixels, now.frame.pixels))
                pairs.append(LivePair(before.frame, now.frame, faces))
        return looks, pairs

    def _fresh(self) -> Judged | None:
        """Return a frame that has just come: not the one that has waited."""
        if self._observer is None:
            return None
        self._observer.take(0)
        for _ in range(round(PATIENCE_S / TURN_S)):
            judged = self._observer.take(TURN_S)
            if judged is not None:
                return judged
            self._means.pause(0)
        return None

    def _wait_for(self, hindrance: str) -> None:
        self.state = replace(self.state, waits=hindrance)

    def _pause_s(self) -> float:
        means = self._means
        if self._fall is not None and not self.state.trouble:
            return min(means.every_s, CONFIRM_S)
        is_known = self._memory.left(means.clock.utc()) == 0
        return means.every_s if is_known else min(means.every_s, means.learn_every_s)


def hindrance_in(telemetry: Telemetry | None, *, is_wanted: bool) -> str:
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
