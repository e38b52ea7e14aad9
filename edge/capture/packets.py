"""Reading ahead: the packets of a live stream, taken from the network as they come.

What waits to be shown waits here, compressed, and neither in the camera nor on its way.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

from av.packet import Packet

from edge.capture.ffmpeg import Video
from edge.clock import Clock

MAX_BYTES = 32_000_000
MAX_AGE_S = 60.0
"""More does not wait: of a stream that comes faster than it says, or than it can be decoded, all is
dropped up to the next key picture."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A packet, and when it came by the local monotonic clock."""

    packet: Packet[Any]
    at_s: float


class PacketReader:
    """Reads a video in a thread of its own until it ends, fails, or is closed."""

    def __init__(self, video: Video, clock: Clock) -> None:
        self.dropped = 0
        """Packets that were not decoded, because too many waited."""
        self._video = video
        self._clock = clock
        self._waiting: deque[Arrived] = deque()
        self._bytes = 0
        self._needs_key = False
        self._changed = threading.Condition()
        self._closing = False
        self._error: Exception | None = None
        self._over = False
        self._thread = threading.Thread(target=self._run, name="read ahead", daemon=True)
        self._thread.start()

    def take(self, timeout_s: float) -> Arrived | None:
        """Return the next packet, waiting up to `timeout_s` for one; None: none came.

        Raises NoVideoError where reading failed, EOFError where the stream has ended, once all that
        came before has been taken.
        """
        with self._changed:
            self._changed.wait_for(lambda: bool(self._waiting) or self._over, timeout_s)
            if self._waiting:
                arrived = self._waiting.popleft()
                self._bytes -= arrived.packet.size
                return arrived
            if self._error is not None:
                raise self._error
            if self._over:
                raise EOFError
            return None

    def follows(self, within_s: float) -> bool:
        """Return whether another packet waits, or comes within that time."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._waiting) or self._over, within_s)
            return bool(self._waiting)

    def skip(self) -> None:
        """Drop what waits before its newest key picture, for a decoder that does not keep up."""
        with self._changed:
            if any(arrived.packet.is_keyframe for arrived in self._waiting):
                while not self._has_newest_key():
                    self._drop_first()

    def _has_newest_key(self) -> bool:
        first, *others = self._waiting
        keys = (arrived.packet.is_keyframe for arrived in others)
        return first.packet.is_keyframe and not any(keys)

    def _drop_first(self) -> None:
        self._bytes -= self._waiting.popleft().packet.size
        self.dropped += 1

    def close(self) -> None:
        """Wait until nobody reads any more, for as long as one read may take; then close it."""
        with self._changed:
            self._closing = True
        self._thread.join()
        self._video.close()

    def _run(self) -> None:
        try:
            for packet in self._video.packets():
                with self._changed:
                    if self._closing:
                        break
                    self._put(Arrived(packet, self._clock.monotonic_s()))
                    self._changed.notify_all()
        except Exception as error:  # noqa: BLE001 - raised again by take()
            self._error = error
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def _put(self, arrived: Arrived) -> None:
        packet = arrived.packet
        if self._waiting:
            age_s = arrived.at_s - self._waiting[0].at_s
            if age_s > MAX_AGE_S or self._bytes + packet.size > MAX_BYTES:
                self._needs_key = True
                while self._waiting:
                    self._drop_first()
        self._needs_key = self._needs_key and not packet.is_keyframe
        if self._needs_key:
            self.dropped += 1
            return
        self._waiting.append(arrived)
        self._bytes += packet.size
