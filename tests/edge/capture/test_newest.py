import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from edge.capture.newest import NewestFrame
from edge.capture.source import Undeveloped
from edge.errors import CameraError
from edge.records import Frame
from tests.edge.capture.fakes import ScriptedSource, TurnedClock
from tests.fakes import frame_at
from tests.waiting import DEADLINE_S


def frame(number: int) -> Frame:
    shot = frame_at(number)
    return Frame(number, shot.pixels, shot.captured_at, shot.monotonic_s)


def gives(number: int) -> Callable[[], Frame]:
    return lambda: frame(number)


def ends() -> None:
    return None


def waits_for(
    event: threading.Event, then: Callable[[], Frame | None]
) -> Callable[[], Frame | None]:
    def act() -> Frame | None:
        assert event.wait(DEADLINE_S)
        return then()

    return act


@contextmanager
def hanging() -> Iterator[Callable[[], None]]:
    """A call that does not return before the test is over."""
    released = threading.Event()

    def hang() -> None:
        released.wait(DEADLINE_S)

    yield hang
    released.set()


def test_only_the_newest_frame_is_kept_and_the_others_are_counted() -> None:
    done = threading.Event()
    last = threading.Event()

    def tell() -> None:
        done.set()
        assert last.wait(DEADLINE_S)

    newest = NewestFrame(lambda: ScriptedSource([gives(0), gives(1), gives(2), tell]))
    assert done.wait(DEADLINE_S)
    kept = newest.read(DEADLINE_S)
    assert kept is not None
    assert kept.number == 2
    assert newest.dropped == 2
    last.set()
    assert newest.close()


def test_frames_that_the_source_left_out_count_as_dropped() -> None:
    read = threading.Event()
    acts = [gives(0), waits_for(read, gives(5)), ends]
    newest = NewestFrame(lambda: ScriptedSource(acts))
    assert newest.read(DEADLINE_S) is not None
    read.set()
    assert newest.read(DEADLINE_S) is not None
    assert newest.dropped == 4


def test_pixels_are_made_of_frames_that_are_taken_only() -> None:
    developed: list[int] = []

    class Camera(ScriptedSource):
        def next(self) -> Undeveloped:
            shot = self.read()
            assert shot is not None

            def develop() -> Frame:
                developed.append(shot.number)
                return shot

            return Undeveloped(shot.number, develop)

    done = threading.Event()
    last = threading.Event()

    def tell() -> None:
        done.set()
        assert last.wait(DEADLINE_S)
        raise CameraError("over")

    newest = NewestFrame(lambda: Camera([gives(0), gives(1), gives(2), tell]))
    assert done.wait(DEADLINE_S)
    kept = newest.read(DEADLINE_S)
    assert kept is not None
    assert (kept.number, newest.dropped, developed) == (2, 2, [2])
    last.set()
    assert newest.close()


def test_the_end_of_the_source_is_the_end() -> None:
    source = ScriptedSource([gives(0), ends])
    newest = NewestFrame(lambda: source)
    assert newest.read(DEADLINE_S) is not None
    assert newest.read(DEADLINE_S) is None
    assert newest.ended
    assert newest.close()
    assert source.closed


def test_an_error_comes_out_after_the_last_frame_and_again() -> None:
    def fails() -> None:
        raise CameraError("unplugged")

    source = ScriptedSource([gives(0), fails])
    newest = NewestFrame(lambda: source)
    assert newest.read(DEADLINE_S) is not None
    for _ in range(2):
        with pytest.raises(CameraError, match="unplugged"):
            newest.read(DEADLINE_S)
        assert not newest.ended, "a service would end with it, as after a clip"
    assert newest.close()
    assert source.closed


def test_a_source_that_has_failed_behind_its_last_frame_is_not_at_its_end() -> None:
    capturing: list[threading.Thread] = []
    failing = threading.Event()

    def fails() -> None:
        capturing.append(threading.current_thread())
        failing.set()
        raise CameraError("unplugged")

    newest = NewestFrame(lambda: ScriptedSource([gives(0), fails]))
    assert failing.wait(DEADLINE_S)
    capturing[0].join(DEADLINE_S)  # on a busy machine it can be over before anybody reads
    assert newest.read(DEADLINE_S) is not None
    assert not newest.ended
    with pytest.raises(CameraError, match="unplugged"):
        newest.read(DEADLINE_S)


def test_an_error_in_opening_comes_out_too() -> None:
    def refuse() -> ScriptedSource:
        raise CameraError("busy")

    with pytest.raises(CameraError, match="busy"):
        NewestFrame(refuse).read(DEADLINE_S)


def test_an_error_comes_out_while_the_source_is_still_being_closed() -> None:
    def fails() -> None:
        raise CameraError("silent")

    with hanging() as hang:

        class Slow(ScriptedSource):
            def close(self) -> None:
                hang()

        newest = NewestFrame(lambda: Slow([fails]))
        with pytest.raises(CameraError, match="silent"):
            newest.read(1)
        assert not newest.close(0.05)


def test_a_bug_in_a_source_comes_out_too() -> None:
    def fails() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        NewestFrame(lambda: ScriptedSource([fails])).read(DEADLINE_S)


def test_a_hung_capture_call_holds_neither_reader_nor_close() -> None:
    with hanging() as hang:
        source = ScriptedSource([hang])
        newest = NewestFrame(lambda: source)
        before_s = time.monotonic()
        assert newest.read(0.05) is None
        assert not newest.ended
        assert not newest.close(0.05)
        assert time.monotonic() - before_s < DEADLINE_S / 2
        assert not source.closed  # only its own thread may touch it


def test_a_camera_that_hangs_in_opening_holds_nobody_either() -> None:
    with hanging() as hang:

        def open_it() -> ScriptedSource:
            hang()
            return ScriptedSource([ends])

        newest = NewestFrame(open_it)
        assert newest.read(0.05) is None
        assert not newest.close(0.05)


def test_silence_is_measured_from_the_last_frame() -> None:
    clock = TurnedClock()
    with hanging() as hang:
        newest = NewestFrame(lambda: ScriptedSource([gives(0), hang]), clock)
        assert newest.read(DEADLINE_S) is not None
        assert newest.silent_s == 0
        clock.sleep(6)
        assert newest.silent_s == 6
