from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import pytest

from edge.capture.camera import (
    FROZEN_S,
    MAX_ABANDONED,
    MAX_RETRY_S,
    Camera,
    Patience,
    patience_with,
)
from edge.config import CameraSettings
from edge.errors import (
    CameraAbsentError,
    CameraError,
    CameraLoginError,
    CameraLostError,
    ConfigError,
    PictureError,
)
from edge.records import Frame, Pixels
from edge.telemetry import CameraState, CameraStatus, CameraView
from tests.fakes import START, ListedFrames, TurnedClock, blank, frame_at

GONE = CameraError("the camera is gone")
PATIENCE = Patience(open_s=12, stall_s=4, restart_s=600)
SENSOR = Patience(open_s=12, stall_s=4, restart_s=600, changes=True, exclusive=True)


def scene(seed: int) -> Pixels:
    """Bars, with the noise of one exposure."""
    picture = blank()
    picture[:, ::80] = 20
    noise = np.random.default_rng(seed).integers(-2, 3, picture.shape)
    return (picture + noise).astype(np.uint8)


def camera(
    *openings: Sequence[Frame | Exception | None] | Exception,
    closes: bool = True,
    patience: Patience = PATIENCE,
) -> tuple[Camera, TurnedClock]:
    """A camera whose openings give these entries, one list after the other; then none opens."""
    clock = TurnedClock()
    left = list(openings)

    def open_it() -> ListedFrames:
        opening = left.pop(0) if left else GONE
        if isinstance(opening, Exception):
            raise opening
        return ListedFrames(opening, clock, closes)

    return Camera(open_it, patience, clock), clock


def read_on(seen: Camera) -> None:
    """Read until it ends the process."""
    while not seen.ended:
        seen.read(0.5)


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


def test_a_camera_that_refuses_the_password_is_asked_rarely_lest_it_lock_the_account() -> None:
    refused = CameraLoginError("it rejects the user and password")
    patience = Patience(open_s=12, stall_s=4)
    seen, clock = camera(GONE, *[refused] * 5, GONE, GONE, patience=patience)
    pauses: list[int] = []
    before_s = 0.0
    while len(pauses) < 8:
        seen.read(0)
        if clock.now_s > before_s:
            pauses.append(round(clock.now_s - before_s))
        before_s = clock.now_s
        seen.read(3600)
    assert pauses == [1, 300, 600, 1200, 1800, 1800, 30, 30]


def test_a_camera_that_comes_back_for_a_moment_only_is_asked_ever_less_often() -> None:
    brief: list[list[Frame | Exception | None]] = [[frame_at(n), GONE] for n in range(5)]
    seen, clock = camera(*brief, [])
    for outage in range(5):
        while seen.outages <= outage:
            seen.read(60)
    assert clock.now_s == pytest.approx(1 + 2 + 4 + 8)


def test_a_camera_that_has_been_well_is_asked_again_soon() -> None:
    well = [entry for number in range(25) for entry in (frame_at(number), None)]
    seen, clock = camera(GONE, GONE, [*well, GONE], [frame_at(99)])
    while seen.outages < 2:
        seen.read(0.5)
    lost_s = clock.now_s
    while seen.read(0.5) is None:
        assert clock.now_s < lost_s + 2
    assert clock.now_s == pytest.approx(lost_s + 1)


def test_a_camera_that_stalls_is_lost_within_five_seconds() -> None:
    seen, clock = camera([frame_at(0)] + [None] * 20, [frame_at(1)])
    seen.read(0.5)
    while seen.state is CameraState.RUNNING:
        seen.read(0.5)
    assert clock.now_s == pytest.approx(4)
    assert not seen.ended


def test_opening_may_take_longer() -> None:
    seen, clock = camera([None] * 23 + [frame_at(0)])
    while seen.read(0.5) is None:
        assert seen.state is CameraState.STARTING
    assert clock.now_s == pytest.approx(11.5)
    seen, clock = camera([None] * 30)
    while seen.state is CameraState.STARTING:
        seen.read(0.5)
    assert clock.now_s == pytest.approx(12)


def test_a_sensor_that_repeats_its_picture_is_frozen(caplog: pytest.LogCaptureFixture) -> None:
    stuck = [entry for n in range(40) for entry in (frame_at(1 + n, scene(1)), None)]
    alive = [frame_at(60, scene(1)), frame_at(61, scene(2))]
    seen, clock = camera([frame_at(0, scene(0)), *stuck], alive, patience=SENSOR)
    assert seen.read(0.5) is not None
    assert seen.read(0.5) is not None  # as yet a picture like any other
    while seen.state is CameraState.RUNNING:
        assert seen.read(0.5) is None
    assert clock.now_s == pytest.approx(4)
    assert "camera lost: the same picture for 4 s" in caplog.text
    back = None
    while back is None:
        back = seen.read(0.5)
    # What it had been stuck with is no sign of life.
    assert back.number == 61_000


def test_a_sensor_that_is_frozen_after_each_opening_stays_lost() -> None:
    stuck: list[Frame | None] = [frame_at(0, scene(1)), None] * 20
    seen, clock = camera(*[stuck] * 100, patience=SENSOR)
    seen.read(0.5)
    with pytest.raises(CameraLostError, match=r"lost for 6.. s: the same picture for 4 s"):
        read_on(seen)
    assert (seen.state, seen.outages) == (CameraState.LOST, 1)
    assert clock.now_s == pytest.approx(620, abs=20)


def test_a_network_camera_whose_picture_stands_still_is_lost_until_it_is_alive(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Two pictures a second."""

    def shown(*seeds: int) -> list[Frame | None]:
        return [each for n, seed in enumerate(seeds) for each in (frame_at(n, scene(seed)), None)]

    alive, stuck = range(100), [99] * 700
    patience = patience_with(CameraSettings(source="rtsp://camera/door"))
    seen, clock = camera(
        shown(*alive, *stuck), shown(*stuck), shown(*stuck[:8], *alive), patience=patience
    )
    while seen.state is not CameraState.LOST:
        seen.read(0.5)
    assert clock.now_s == pytest.approx(50 + FROZEN_S, abs=2)
    assert seen.status().trouble == "the same picture for 5 min: it is frozen; restart the camera"
    while seen.state is CameraState.LOST:
        seen.read(0.5)
    # Opened again once in vain.
    assert clock.now_s == pytest.approx(50 + 2 * FROZEN_S + 1 + 2 + 4 + 3, abs=3)
    assert seen.outages == 1
    assert caplog.text.count("camera lost") == 1


def test_a_network_camera_that_was_frozen_is_back_where_its_quiet_picture_is_repeated() -> None:
    """Two pictures a second, and a key picture every four seconds."""

    def shown(*seeds: int) -> list[Frame | None]:
        return [each for n, seed in enumerate(seeds) for each in (frame_at(n, scene(seed)), None)]

    patience = patience_with(CameraSettings(source="rtsp://camera/door"))
    seen, clock = camera(
        shown(*range(100), *[99] * 700),
        shown(*(1000 + number // 8 for number in range(100))),
        patience=patience,
    )
    while seen.state is not CameraState.LOST:
        seen.read(0.5)
    lost_s = clock.now_s
    while seen.state is CameraState.LOST:
        seen.read(0.5)
        assert clock.now_s - lost_s < 15
    assert seen.outages == 1


@pytest.mark.parametrize("grey", [0, 255])
def test_a_picture_without_anything_in_it_may_be_like_the_last(grey: int) -> None:
    shots = [entry for n in range(40) for entry in (frame_at(n, blank(grey=grey)), None)]
    seen, _ = camera(shots, patience=SENSOR)
    assert sum(seen.read(0.5) is not None for _ in shots) == 40
    assert seen.outages == 0
    assert not seen.sees


def test_a_stream_or_a_file_may_repeat_its_picture() -> None:
    shots = [entry for n in range(40) for entry in (frame_at(n, scene(1)), None)]
    seen, _ = camera(shots)
    assert sum(seen.read(0.5) is not None for _ in shots) == 40
    assert seen.outages == 0


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("picamera2", Patience(12, 4, 600, changes=True, exclusive=True)),
        ("/dev/video0", Patience(12, 4, 600, changes=True, exclusive=True)),
        ("rtsp://camera/live", Patience(12, 6, frozen_s=FROZEN_S)),
        ("clip.mp4", Patience(12, 12)),
    ],
)
def test_the_patience_suits_the_source(source: str, expected: Patience) -> None:
    assert patience_with(CameraSettings(source=source)) == expected


def test_three_frames_of_a_slow_camera_are_waited_for() -> None:
    assert patience_with(CameraSettings(fps=0.5)).stall_s == 6


def test_a_camera_that_is_never_given_up() -> None:
    assert patience_with(CameraSettings(restart_after_s=0)).restart_s == float("inf")


def test_a_camera_that_does_not_come_back_ends_the_process_for_a_new_one() -> None:
    seen, clock = camera([frame_at(0), GONE])
    with pytest.raises(
        CameraLostError, match=r"lost for 6.. s: the camera is gone; exiting"
    ) as end:
        read_on(seen)
    assert clock.now_s == pytest.approx(600, abs=MAX_RETRY_S)
    assert (type(end.value), end.value.exit_status) == (CameraLostError, 69)


def test_a_camera_that_never_came_is_told_apart() -> None:
    seen, _ = camera(GONE)
    with pytest.raises(CameraAbsentError, match="no picture since the start") as end:
        read_on(seen)
    assert end.value.exit_status == 71


def test_a_capture_call_that_hangs_ends_the_process_when_it_does_not_return() -> None:
    seen, clock = camera([frame_at(0)] + [None] * 20, closes=False, patience=SENSOR)
    seen.read(0.5)
    with pytest.raises(CameraLostError, match="a capture call hangs and blocks the camera"):
        read_on(seen)
    assert seen.state is CameraState.LOST
    assert clock.now_s == pytest.approx(4 + 12, abs=1)


def test_a_capture_call_that_returns_late_is_waited_for() -> None:
    clock = TurnedClock()
    late = ListedFrames([frame_at(0)] + [None] * 20, clock, closes=False)
    openings = [late, ListedFrames([frame_at(1)], clock)]
    seen = Camera(lambda: openings.pop(0), SENSOR, clock)
    seen.read(0.5)
    while clock.now_s < 10:
        seen.read(0.5)
    assert len(openings) == 1
    late.closes = True
    while seen.state is CameraState.LOST:
        seen.read(0.5)
    assert clock.now_s == pytest.approx(10, abs=1)


def test_a_call_that_hangs_is_left_behind_where_it_does_not_hold_the_camera(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    clock = TurnedClock()
    hung = ListedFrames([None] * 99, clock, closes=False)
    openings = [hung, ListedFrames([frame_at(0)], clock)]
    seen = Camera(lambda: openings.pop(0), PATIENCE, clock)
    while seen.read(0.5) is None:
        assert clock.now_s < 30
    assert clock.now_s == pytest.approx(12 + 1, abs=1)
    assert caplog.text.count("a capture call has not returned") == 1


def test_no_more_than_a_few_calls_are_left_hanging_and_none_ends_the_process() -> None:
    clock = TurnedClock()
    hanging: list[ListedFrames] = []

    def open_it() -> ListedFrames:
        frames = [None] * 99 if len(hanging) <= MAX_ABANDONED else [frame_at(0)]
        hanging.append(ListedFrames(frames, clock, closes=False))
        return hanging[-1]

    seen = Camera(open_it, PATIENCE, clock)
    while clock.now_s < 86_400:
        assert seen.read(60) is None
    # Those left behind, and one more that is waited for.
    assert len(hanging) == MAX_ABANDONED + 1
    assert seen.state is CameraState.LOST
    hanging[0].closes = True
    while seen.read(0.5) is None:
        assert clock.now_s < 86_500
    assert seen.state is CameraState.RUNNING


def test_a_file_that_never_gave_a_picture_is_a_wrong_configuration() -> None:
    damaged = PictureError("clip.mp4: no video that can be read")
    for opening in (damaged, [damaged]):
        seen, _ = camera(opening)
        with pytest.raises(ConfigError, match=r"^\[camera\] source: clip.mp4: no video") as refusal:
            seen.read(0.5)
        assert refusal.value.exit_status == 78
    seen, _ = camera([frame_at(0), damaged])
    seen.read(0.5)
    with pytest.raises(PictureError):
        seen.read(0.5)


def test_the_camera_tells_how_it_does(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    dark = [frame_at(2 + n / 10, blank(grey=3)) for n in range(60)]
    light = [frame_at(8 + n / 10, scene(n)) for n in range(60)]
    seen, _ = camera([frame_at(1 + n / 10, scene(n)) for n in range(10)] + dark + light)
    assert seen.status() == CameraStatus(
        state=CameraState.STARTING, outages=0, view=None, fps=None, slow=False
    )
    views = []
    for _ in range(130):
        seen.read(0.5)
        views.append((seen.status().view, seen.sees))
    assert [view for view, last in zip(views, [None, *views], strict=False) if view != last] == [
        (CameraView.CLEAR, True),
        (CameraView.DARK, False),
        (CameraView.CLEAR, True),
    ]
    assert views.index((CameraView.DARK, False)) == 10 + 40  # it must last for 4 s
    assert [record.message for record in caplog.records] == [
        "camera gives frames",
        "the camera's view is dark: nobody is counted",
        "the camera's view is clear again",
    ]


def test_a_slow_camera_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    def numbered(number: int, at_s: float) -> Frame:
        return Frame(number, scene(number), START, at_s)

    quick = [numbered(n, n / 15) for n in range(30)]
    slow = [numbered(30 + n, 2 + 0.9 * n) for n in range(30)]
    seen, _ = camera([*quick, *slow])
    for _ in quick:
        seen.read(0.5)
    assert seen.status().fps == pytest.approx(15)
    assert not seen.status().slow
    for _ in slow:
        seen.read(0.5)
    assert seen.status().slow
    assert seen.status().fps == pytest.approx(1 / 0.9, rel=0.1)
    assert caplog.text.count("the camera is slow") == 1


def test_frames_that_were_not_taken_do_not_make_a_camera_slow() -> None:
    seen, _ = camera([Frame(15 * n, scene(n), START, 100 + n) for n in range(30)])
    for _ in range(30):
        seen.read(0.5)
    assert seen.status().fps == pytest.approx(15)


def test_a_wrong_configuration_is_not_waited_for() -> None:
    seen, _ = camera(ConfigError("no such source"))
    with pytest.raises(ConfigError):
        seen.read(0.5)


def test_dropped_frames_are_counted_across_outages() -> None:
    clock = TurnedClock()
    openings = [ListedFrames([frame_at(0), GONE], clock), ListedFrames([frame_at(1)], clock)]
    openings[0].dropped, openings[1].dropped = 3, 4
    left = list(openings)
    seen = Camera(lambda: left.pop(0), PATIENCE, clock)
    while not seen.ended:
        seen.read(0.5)
    assert seen.dropped == 7
    assert openings[0].closed
