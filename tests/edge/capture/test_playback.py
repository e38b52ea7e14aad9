from datetime import UTC, datetime
from typing import Any

import pytest

from edge.capture.playback import Playback
from edge.config import CameraSettings
from edge.errors import PictureError
from edge.records import Frame, Pixels
from tests.edge.capture.fakes import TurnedClock, number_shown, numbered
from tests.fakes import SetClock

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Reel:
    """Media that shows a numbered picture at each of the given times, some of them unreadable."""

    name = "reel"
    length = None
    damage = ""
    interval_s = 0.1

    def __init__(self, *times_s: float, unreadable: tuple[int, ...] = ()) -> None:
        self._times_s = times_s
        self._unreadable = unreadable
        self._at = -1

    def advance(self) -> float | None:
        self._at += 1
        return self._times_s[self._at] if self._at < len(self._times_s) else None

    def pixels(self) -> Pixels | None:
        return None if self._at in self._unreadable else numbered(self._at % 20)

    def rewind(self) -> None:
        self._at = -1

    def close(self) -> None:
        pass


def play(reel: Reel, clock: TurnedClock, **settings: Any) -> Playback:
    return Playback(reel, CameraSettings(source="reel", **settings), clock, EPOCH)


def read_all(playback: Playback) -> list[Frame]:
    frames: list[Frame] = []
    while (frame := playback.read()) is not None:
        frames.append(frame)
    return frames


def test_in_real_time_each_frame_waits_until_it_is_due() -> None:
    clock = TurnedClock()
    frames = read_all(play(Reel(0, 0.1, 0.3), clock))
    assert [frame.number for frame in frames] == [0, 1, 2]
    assert clock.slept_s == [0.1, 0.2]


def test_a_clock_that_is_set_dates_the_frames_after_it_and_leaves_their_time_alone() -> None:
    clock = SetClock()
    playback = Playback(Reel(0, 0.1, 0.2), CameraSettings(source="reel"), clock, None)
    first = playback.read()
    clock.set_by_s = 3600
    second = playback.read()
    assert first is not None
    assert second is not None
    assert second.monotonic_s - first.monotonic_s == pytest.approx(0.1)
    assert (second.captured_at - first.captured_at).total_seconds() == pytest.approx(3600.1)


def test_in_real_time_frames_that_are_late_are_dropped() -> None:
    clock = TurnedClock()
    playback = play(Reel(0, 0.1, 0.2, 0.3, 0.4), clock)
    first = playback.read()
    clock.sleep(0.35)  # somebody was slow
    second = playback.read()
    assert first is not None
    assert second is not None
    assert (first.number, second.number) == (0, 3)
    assert number_shown(second.pixels) == 3
    assert second.monotonic_s == pytest.approx(0.3)


def test_a_machine_that_is_always_late_still_sees_something() -> None:
    clock = TurnedClock()
    playback = play(Reel(*(number / 10 for number in range(300))), clock)
    playback.read()
    clock.sleep(1000)
    frame = playback.read()
    assert frame is not None
    assert frame.number == 101


def test_as_fast_as_possible_nothing_waits_and_nothing_is_dropped() -> None:
    clock = TurnedClock()
    playback = play(Reel(0, 0.1, 0.2), clock, realtime=False)
    first = playback.read()
    clock.now_s += 100
    assert first is not None
    assert [frame.number for frame in (first, *read_all(playback))] == [0, 1, 2]
    assert clock.slept_s == []


def test_a_loop_goes_on_in_time_and_number() -> None:
    playback = play(Reel(0, 0.1, 0.3), TurnedClock(), realtime=False, loop=True)
    frames = [playback.read() for _ in range(7)]
    assert [frame.number for frame in frames if frame] == list(range(7))
    assert [frame.monotonic_s for frame in frames if frame] == pytest.approx(
        [0, 0.1, 0.3, 0.4, 0.5, 0.7, 0.8]
    )


def test_a_loop_is_paced_from_lap_to_lap() -> None:
    clock = TurnedClock()
    playback = play(Reel(0, 0.1), clock, loop=True)
    for _ in range(5):
        playback.read()
    assert clock.slept_s == [0.1] * 4


def test_an_unreadable_picture_leaves_a_gap_in_number_and_time() -> None:
    playback = play(Reel(0, 0.1, 0.2, unreadable=(1,)), TurnedClock(), realtime=False)
    assert [(frame.number, frame.monotonic_s) for frame in read_all(playback)] == [(0, 0), (2, 0.2)]


def test_a_file_without_one_readable_picture_is_an_error_not_an_empty_clip() -> None:
    with pytest.raises(PictureError, match="reel: no picture in it can be read"):
        play(Reel(0, 0.1, unreadable=(0, 1)), TurnedClock(), realtime=False).read()


def test_the_end_stays_the_end() -> None:
    playback = play(Reel(0), TurnedClock(), realtime=False)
    assert len(read_all(playback)) == 1
    assert playback.read() is None


def test_pictures_are_turned_as_the_settings_say() -> None:
    (frame,) = read_all(play(Reel(0), TurnedClock(), rotation_deg=90))
    assert (frame.width, frame.height) == (120, 160)
