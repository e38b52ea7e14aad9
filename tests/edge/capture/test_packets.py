import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from edge.capture.ffmpeg import NoVideoError
from edge.capture.packets import MAX_AGE_S, MAX_BYTES, PacketReader
from tests.edge.capture.fakes import TurnedClock
from tests.waiting import DEADLINE_S


@dataclass(frozen=True)
class Packet:
    """What counts of a packet here."""

    number: int
    size: int = 1000
    is_keyframe: bool = False


class Video:
    """Gives packets, each after so long a pause; then it ends or fails."""

    def __init__(
        self,
        packets: Sequence[Packet],
        clock: TurnedClock,
        every_s: float = 0.04,
        error: NoVideoError | None = None,
    ) -> None:
        self._packets, self._clock, self._every_s, self._error = packets, clock, every_s, error
        self.all_read = threading.Event()
        self.closed = False

    def packets(self) -> Iterator[Packet]:
        for packet in self._packets:
            yield packet
            self._clock.sleep(self._every_s)
        self.all_read.set()
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        self.closed = True


def reading(*packets: Packet, **more: Any) -> tuple[PacketReader, Video]:
    """A reader that has read all of them."""
    clock = TurnedClock()
    video = Video(packets, clock, **more)
    reader = PacketReader(video, clock)  # type: ignore[arg-type]
    assert video.all_read.wait(DEADLINE_S)
    return reader, video


def taken(reader: PacketReader) -> list[int]:
    numbers: list[int] = []
    while True:
        try:
            arrived = reader.take(DEADLINE_S)
        except (EOFError, NoVideoError):
            return numbers
        assert arrived is not None
        numbers.append(getattr(arrived.packet, "number", -1))


def group(start: int, count: int, **more: Any) -> list[Packet]:
    """A key picture and those that follow it."""
    return [Packet(start + n, is_keyframe=n == 0, **more) for n in range(count)]


def test_packets_keep_their_order_and_the_time_at_which_they_came() -> None:
    reader, video = reading(*group(0, 3))
    arrivals = [reader.take(0) for _ in range(3)]
    assert [arrived.at_s for arrived in arrivals if arrived] == pytest.approx(
        [1000, 1000.04, 1000.08]
    )
    with pytest.raises(EOFError):
        reader.take(DEADLINE_S)
    reader.close()
    assert video.closed


def test_why_reading_failed_is_said_after_the_last_packet() -> None:
    reader, _ = reading(*group(0, 2), error=NoVideoError("nothing came in time"))
    assert taken(reader) == [0, 1]
    with pytest.raises(NoVideoError, match="nothing came in time"):
        reader.take(DEADLINE_S)


def test_a_fault_of_the_program_is_not_taken_for_a_silence() -> None:
    class Faulty(Video):
        def packets(self) -> Iterator[Packet]:
            raise ZeroDivisionError

    reader = PacketReader(Faulty([], TurnedClock()), TurnedClock())  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        reader.take(DEADLINE_S)


def test_what_waits_is_bounded_and_goes_on_at_a_key_picture() -> None:
    size = MAX_BYTES // 10
    reader, _ = reading(*group(0, 12, size=size), *group(12, 3, size=size))
    assert taken(reader) == [12, 13, 14]
    assert reader.dropped == 12


def test_nothing_waits_longer_than_a_minute() -> None:
    every_s = MAX_AGE_S / 4
    reader, _ = reading(*group(0, 6), *group(6, 3), every_s=every_s)
    assert taken(reader) == [6, 7, 8]
    assert reader.dropped == 6


def test_a_decoder_that_is_late_goes_on_at_the_newest_key_picture() -> None:
    reader, _ = reading(*group(0, 3), *group(3, 3), *group(6, 2))
    reader.skip()
    assert taken(reader) == [6, 7]
    assert reader.dropped == 6


def test_without_a_key_picture_nothing_is_skipped() -> None:
    reader, _ = reading(Packet(0), Packet(1))
    reader.skip()
    assert taken(reader) == [0, 1]
    assert reader.dropped == 0
