from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import cv2
import numpy as np
import pytest

from edge.acuity import SightState
from edge.conditions import Code, conditions
from edge.daemon.lookout import Glance
from edge.daemon.sight import Rests, SightOutlet
from edge.decide.policy import Decision
from edge.history.records import SightProof
from edge.history.store import HistoryBatch
from edge.observers import Observers
from edge.pipeline import FrameOutcome
from edge.records import Frame, Pixels
from edge.sight.memory import LEARNED, SightMemory
from edge.sight.proof import ProofEyes
from edge.sight.request import SightRequest, leave_request
from edge.telemetry import CameraView, Telemetry
from tests.edge.samples import TELEMETRY
from tests.edge.sight.scenes import grained, open_eyes, room
from tests.fakes import START
from tests.waiting import until

OUTCOME = FrameOutcome((), Decision())


class Door:
    """A camera that runs, and the outlet beside it."""

    def __init__(self, folder: Path, eyes: ProofEyes) -> None:
        self.scene = room(1)
        self.rows: list[SightProof] = []
        self.folder = folder
        observers = Observers()
        self.outlet = SightOutlet(
            observers,
            SightMemory(folder),
            lambda: eyes,
            self._record,
            86_400,
            24,
            folder,
            Rests(0.1, 0.1, 0.1, 0.0),
        )
        self.outlet.take(Glance(), TELEMETRY)
        self._observers = observers
        self._is_over = Event()
        self._camera = Thread(target=self._run, daemon=True)
        self.outlet.start()
        self._camera.start()

    def ask(self, request: SightRequest = SightRequest.NOW) -> SightState:
        before = self.outlet.state.answered
        leave_request(self.folder, request)
        until(lambda: self.outlet.state.answered > before, "an answer", 120)
        return self.outlet.state

    def close(self) -> None:
        self.outlet.close()
        self._is_over.set()
        self._camera.join()

    def _record(self, batch: HistoryBatch) -> None:
        self.rows += batch.sight

    def _run(self) -> None:
        noise = np.random.default_rng(0)
        number = 0
        while not self._is_over.wait(0.1):
            pixels = grained(self.scene, noise)
            self._observers.show(Frame(number, pixels, START, number / 10), OUTCOME)
            number += 1


def blurred(picture: Pixels) -> Pixels:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 2.5), np.uint8)


def test_a_blurred_lens_is_a_condition_until_it_is_clean_again(tmp_path: Path) -> None:
    door = Door(tmp_path, open_eyes())
    try:
        for _ in range(LEARNED):
            learned = door.ask()
        assert learned.normal is not None
        assert not learned.trouble
        door.scene = blurred(room(1))
        state = door.ask()
        (found,) = conditions(replace(TELEMETRY, sight=state))
        assert found.code is Code.SIGHT_DEGRADED
        assert "less sharp" in found.text
        assert "clean the lens" in found.fix
        door.scene = room(1)
        assert not door.ask().trouble
        assert len({row.size_px for row in door.rows}) == 3
        assert not list(tmp_path.glob("*.request"))
        # Changed on purpose: the blurred room is normal from now on.
        door.scene = blurred(room(1))
        assert door.ask(SightRequest.LEARN).normal is None
    finally:
        door.close()


@pytest.mark.parametrize(
    ("telemetry", "why"),
    [
        (replace(TELEMETRY, paused_for_s=60.0), "judging is paused"),
        (
            replace(TELEMETRY, camera=replace(TELEMETRY.camera, view=CameraView.DARK)),
            "the view is dark",
        ),
    ],
)
def test_where_nobody_can_be_seen_nothing_is_proved(
    tmp_path: Path, telemetry: Telemetry, why: str
) -> None:
    door = Door(tmp_path, open_eyes())
    try:
        door.outlet.take(Glance(), telemetry)
        assert door.ask().waits == why
        assert not door.rows
    finally:
        door.close()
