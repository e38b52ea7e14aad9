from __future__ import annotations

from collections.abc import Sequence

import pytest

from edge.capture.trial import tried
from edge.config import CameraSettings
from edge.errors import CameraError, CameraLoginError
from edge.records import Frame
from tests.edge.capture.fakes import NOON, TurnedClock, scene


class Played:
    """Frames that come at these seconds; then it is silent, ends, or breaks off."""

    dropped = 0
    silent_s = 0.0

    def __init__(self, clock: TurnedClock, at_s: Sequence[float], then: str = "silent") -> None:
        self._clock = clock
        self._frames = [
            Frame(number, scene(64, 48), NOON, clock.now_s + each)
            for number, each in enumerate(at_s)
        ]
        self._then = then
        self.closed = 0

    @property
    def ended(self) -> bool:
        return not self._frames and self._then == "ended"

    def read(self, timeout_s: float) -> Frame | None:
        if not self._frames and self._then == "broken":
            raise CameraError("camera: the stream ended")
        left_s = self._frames[0].monotonic_s - self._clock.now_s if self._frames else timeout_s
        self._clock.sleep(max(0.0, min(left_s, timeout_s)))
        due = self._frames and self._frames[0].monotonic_s <= self._clock.now_s
        return self._frames.pop(0) if due else None

    def close(self, timeout_s: float = 0.0) -> bool:
        self.closed += 1
        return True


CAMERA = CameraSettings(source="rtsp://camera/live")


def trial_of(at_s: Sequence[float], then: str = "silent") -> tuple[float | None, bool, bool]:
    """Return rate, whether it is slow, and whether it comes in bursts."""
    clock = TurnedClock()
    played = Played(clock, at_s, then)
    trial = tried(CAMERA, lambda settings: played, clock)
    assert played.closed == 1
    fps = None if trial.fps is None else round(trial.fps, 1)
    return fps, trial.is_slow, trial.comes_in_bursts


def every(interval_s: float, begin_s: float = 0.0, end_s: float = 9.0) -> list[float]:
    return [begin_s + number * interval_s for number in range(int((end_s - begin_s) / interval_s))]


def test_a_camera_is_watched_for_two_seconds() -> None:
    assert trial_of(every(0.1, begin_s=3.0)) == (10.0, False, False)


def test_a_slow_camera_is_waited_for_until_its_pace_is_known() -> None:
    assert trial_of(every(3.0)) == (0.3, True, False)


def test_frames_that_come_a_second_s_worth_at_a_time_are_bursts() -> None:
    burst = [*every(0.001, end_s=0.03), *every(0.001, begin_s=2.5, end_s=2.53)]
    assert trial_of(burst)[2]
    assert not trial_of(every(0.1, end_s=1.0) + every(0.1, begin_s=1.7))[2]


def test_what_plays_ahead_of_time_comes_in_no_bursts() -> None:
    """The times are the stream's own: a clip without a pace, or a playlist's first segments."""
    clock = TurnedClock()

    class Ahead(Played):
        def read(self, timeout_s: float) -> Frame | None:
            return self._frames.pop(0)

    trial = tried(CAMERA, lambda settings: Ahead(clock, every(0.1)), clock)
    assert (round(trial.fps or 0, 1), trial.comes_in_bursts) == (10.0, False)


def test_a_file_may_be_short() -> None:
    assert trial_of([0.0], then="ended") == (None, False, False)


@pytest.mark.parametrize(
    ("at_s", "then", "said"),
    [
        ([], "silent", "no frame within 12 s; is it connected"),
        ([], "ended", "it ended without a frame"),
        ([], "broken", "camera: the stream ended$"),
        ([0.0], "broken", "the stream ended; it has given one picture, and no video"),
        ([0.0, 0.1], "broken", "the stream ended$"),
        ([0.0], "silent", "one frame, and then none for 6 s"),
    ],
)
def test_what_run_would_lose_is_reported_by_its_reason(
    at_s: Sequence[float], then: str, said: str
) -> None:
    with pytest.raises(CameraError, match=said):
        trial_of(at_s, then)


def test_a_refusal_after_one_picture_stays_a_refusal() -> None:
    """A camera that gives single pictures asks for the password each time."""

    class Refusing(Played):
        def read(self, timeout_s: float) -> Frame | None:
            if self._frames:
                return super().read(timeout_s)
            raise CameraLoginError("camera: it rejects the user and password")

    clock = TurnedClock()
    with pytest.raises(CameraLoginError, match="password; it has given one picture, and no video"):
        tried(CAMERA, lambda settings: Refusing(clock, [0.0]), clock)
