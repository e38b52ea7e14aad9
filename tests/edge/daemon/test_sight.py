from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Final

import cv2
import numpy as np
import pytest

from edge.acuity import SightState
from edge.clock import SYSTEM_CLOCK
from edge.conditions import Code, conditions
from edge.daemon.lookout import Glance
from edge.daemon.proving import RETRY_S, Means, Rests, SceneProver
from edge.daemon.sight import LONGEST_S, SightOutlet, shared_s
from edge.decide.policy import Decision
from edge.history.records import SightProof
from edge.history.store import HistoryBatch
from edge.observers import Observers
from edge.pipeline import FrameOutcome
from edge.records import Frame, Pixels
from edge.sight.memory import LEARNED, SightMemory
from edge.sight.proof import ProofEyes
from edge.sight.request import SightRequest, leave_request
from edge.telemetry import CameraReport, CameraView, Telemetry
from tests.edge.samples import TELEMETRY
from tests.edge.sight.scenes import closed_eyes, grained, room
from tests.fakes import START, TurnedClock
from tests.waiting import until

OUTCOME = FrameOutcome((), Decision())
DAY_S: Final = 86_400.0


class Door:
    """Cameras that run, each before a room, and the outlet beside them."""

    def __init__(self, folder: Path, eyes: ProofEyes, *cameras: str) -> None:
        names = cameras or ("",)
        self.scenes = {name: room(1) for name in names}
        self.rows: list[SightProof] = []
        self.folder = folder
        self._observers = {name: Observers() for name in names}
        stop = Event()
        rests = Rests(0.1, 0.1, 0.1, 0.0)
        means = Means(self._record, DAY_S, DAY_S, 24, rests, SYSTEM_CLOCK, stop)
        provers = [
            SceneProver(shown, SightMemory(folder, name), lambda: eyes, means, name, DAY_S)
            for name, shown in self._observers.items()
        ]
        self.outlet = SightOutlet(provers, stop, folder)
        self.outlet.take(Glance(), TELEMETRY)
        self._is_over = Event()
        self._camera = Thread(target=self._run, daemon=True)
        self.outlet.start()
        self._camera.start()

    @property
    def scene(self) -> Pixels:
        return self.scenes[""]

    @scene.setter
    def scene(self, scene: Pixels) -> None:
        self.scenes[""] = scene

    def ask(self, request: SightRequest = SightRequest.NOW, camera: str = "") -> SightState:
        """Ask one camera, or all, and return what the last of these says."""
        asked = [camera] if camera else [*self.scenes]
        before = self.outlet.states()
        leave_request(self.folder, request, camera)
        for name in asked:
            answered = before[name].answered
            until(lambda: self.outlet.states()[name].answered > answered, "an answer", 120)  # noqa: B023
        return self.outlet.states()[asked[-1]]

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
            for name, observers in self._observers.items():
                pixels = grained(self.scenes[name], noise)
                observers.show(Frame(number, pixels, START, number / 10), OUTCOME)
            number += 1


def blurred(picture: Pixels) -> Pixels:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 2.5), np.uint8)


def test_a_blurred_lens_is_a_condition_until_it_is_clean_again(tmp_path: Path) -> None:
    door = Door(tmp_path, closed_eyes())
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


def test_each_of_several_cameras_has_proofs_of_its_own(tmp_path: Path) -> None:
    door = Door(tmp_path, closed_eyes(), "door", "yard")
    try:
        door.ask()
        assert {row.camera for row in door.rows} == {"door", "yard"}
        before = door.outlet.states()
        assert all(state.share is not None for state in before.values())
        # One camera is asked: the other's proof stays the last one.
        door.ask(SightRequest.LEARN, "yard")
        after = door.outlet.states()
        assert after["door"] == before["door"]
        assert after["yard"].at is not None
    finally:
        door.close()


def test_the_condition_of_one_of_several_cameras_names_it_and_asks_for_it_only() -> None:
    sights = {"door": SightState(), "yard": SightState(trouble="less sharp", fix="clean the lens")}
    reports = tuple(
        CameraReport(name, "", TELEMETRY.camera, 0, 0.0, 0, {}, "", sight=state)
        for name, state in sights.items()
    )
    (found,) = conditions(replace(TELEMETRY, cameras=reports))
    assert (found.code, found.camera) == (Code.SIGHT_DEGRADED, "yard")
    assert found.text.startswith("camera yard: people are seen worse")
    assert found.fix == "clean the lens; then: sudo tensormask sight now --camera yard"


def test_several_cameras_share_the_time_of_one_unless_hours_were_without_a_proof() -> None:
    assert [shared_s(3600.0, number) for number in (1, 2, 4)] == [3600, 7200, 14_400]
    assert shared_s(7200.0, 4) == LONGEST_S
    assert shared_s(86_400.0, 4) == 86_400


def test_a_camera_that_gives_no_picture_is_tried_again_soon(tmp_path: Path) -> None:
    clock = TurnedClock()
    means = Means(lambda batch: None, DAY_S, DAY_S, 24, Rests(0, 0, 0, 0), clock, Event())
    prover = SceneProver(Observers(), SightMemory(tmp_path), closed_eyes, means, start_s=0)
    prover.work(TELEMETRY)
    assert prover.state.waits == "the camera gives no picture"
    assert not prover.is_due
    clock.sleep(RETRY_S)
    assert prover.is_due


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
    door = Door(tmp_path, closed_eyes())
    try:
        door.outlet.take(Glance(), telemetry)
        assert door.ask().waits == why
        assert not door.rows
    finally:
        door.close()
