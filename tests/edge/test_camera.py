from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest

from edge.camera import MAX_RETRY_S, Camera
from edge.errors import CameraError, ConfigError
from edge.messages import CameraState
from edge.records import Frame
from tests.fakes import ListedFrames, TurnedClock, frame_at

GONE = CameraError("the camera is gone")


def camera(
    *openings: Sequence[Frame | Exception | None] | Exception, closes: bool = True
) -> tuple[Camera, TurnedClock]:
    """A camera whose openings give these entries, one list after the other."""
    clock = TurnedClock()
    left = list(openings)

    def open_it() -> ListedFrames:
        opening = left.pop(0)
        if isinstance(opening, Exception):
            raise opening
        return ListedFrames(opening, clock, closes)

    return Camera(open_it, 5.0, clock), clock


def test_frames_pass_through() -> None:
    first, second = frame_at(0), frame_at(1)
    seen, _ = camera([first, None, second])
    assert [seen.read(0.5) for _ in range(4)] == [first, None, second, None]
    assert seen.ended
    assert seen.state is CameraState.RUNNING


def test_a_lost_camera_is_tried_again_after_growing_pauses(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    seen, clock = camera([frame_at(0), GONE], GONE, GONE, [frame_at(9)])
    assert seen.read(0.5) is not None
    assert seen.read(0.5) is None
    assert seen.state is CameraState.LOST
    while seen.read(0.5) is None:
        assert clock.now_s < 10
    assert clock.now_s == pytest.approx(1 + 2 + 4)
    assert (seen.state, seen.outages) == (CameraState.RUNNING, 1)
    assert [record.message for record in caplog.records] == [
        "camera gives frames",
        "camera lost: the camera is gone",
        "camera is back after 7 s",
    ]


def test_the_pauses_are_bounded() -> None:
    seen, clock = camera(*[GONE] * 12, [frame_at(0)])
    pauses, before_s = [], 0.0
    while seen.read(60) is None:
        pauses.append(clock.now_s - before_s)
        before_s = clock.now_s
    assert max(pauses) == MAX_RETRY_S


def test_a_silent_camera_is_lost() -> None:
    seen, clock = camera([frame_at(0)] + [None] * 20, [frame_at(1)])
    seen.read(0.5)
    while seen.state is CameraState.RUNNING:
        seen.read(0.5)
    assert clock.now_s == pytest.approx(5.5)
    assert not seen.ended


def test_a_capture_call_that_hangs_ends_the_process() -> None:
    seen, _ = camera([frame_at(0), GONE], closes=False)
    seen.read(0.5)
    with pytest.raises(CameraError, match="a capture call hangs and holds the camera"):
        seen.read(0.5)


def test_a_wrong_configuration_is_not_waited_for() -> None:
    seen, _ = camera(ConfigError("no such source"))
    with pytest.raises(ConfigError):
        seen.read(0.5)


def test_dropped_frames_are_counted_across_outages() -> None:
    clock = TurnedClock()
    openings = [ListedFrames([frame_at(0), GONE], clock), ListedFrames([frame_at(1)], clock)]
    openings[0].dropped, openings[1].dropped = 3, 4
    left = list(openings)
    seen = Camera(lambda: left.pop(0), 5.0, clock)
    while not seen.ended:
        seen.read(0.5)
    assert seen.dropped == 7
    assert openings[0].closed
