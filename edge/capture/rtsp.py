"""A camera in the network: RTSP, or video over HTTP."""

from __future__ import annotations

import logging
import time
from collections import deque
from contextlib import suppress
from datetime import timedelta
from typing import Any

from av.error import InvalidDataError
from av.packet import Packet

from edge.address import StreamSource
from edge.capture.arrivals import ArrivalTimes
from edge.capture.ffmpeg import DecodedPicture, NoVideoError, UnreadableError, Video, open_video
from edge.capture.packets import PacketReader
from edge.capture.playout import Due, Playout
from edge.capture.reach import connected, forget_answers, speaks, speaks_tls
from edge.capture.reasons import LATE, REFUSED, failure_of, may_be_other_protocol, may_be_tls
from edge.capture.relay import Link, link_to
from edge.capture.rotate import rotated
from edge.capture.source import Undeveloped
from edge.clock import Clock
from edge.config import CameraSettings
from edge.errors import CameraError, PictureError
from edge.records import Frame

REACH_SHARE = 0.5
"""Of the time for opening, what a host may take to be found and to answer; FFmpeg has the rest."""
ANSWER_S = 1.0
"""How long a host that gave no video may take to answer at all."""
ANALYSIS_US = 1_000_000
"""How much of a stream FFmpeg may look at before it opens it. What a stream does not say by then
comes with its next key picture. Of single pictures it is 25, however slowly they come."""
BEHIND_S = 1.0
"""A decoder that is so late goes on at the newest key picture."""

_log = logging.getLogger(__name__)


def open_stream(stream: StreamSource, settings: CameraSettings) -> tuple[Link, Video]:
    """Open it within `settings.open_timeout_s`; the link is to be closed after the video.

    Raises CameraError, which says why it cannot be opened.
    """
    deadline_s = time.monotonic() + settings.open_timeout_s
    link = link_to(stream, settings, REACH_SHARE * settings.open_timeout_s)
    try:
        video = _opened(stream, link, settings, deadline_s)
    except NoVideoError as error:
        link.close()
        is_late = time.monotonic() >= deadline_s
        raise _failure(stream, error, settings.open_timeout_s, is_late) from None
    except PictureError as error:
        link.close()
        raise CameraError(f"{stream.name}: {error}; ask the camera for smaller ones") from error
    forget_answers()
    return link, video


def _opened(stream: StreamSource, link: Link, settings: CameraSettings, deadline_s: float) -> Video:
    try:
        return open_linked(link, settings, _left_s(deadline_s))
    except NoVideoError as error:
        if not stream.is_web or not isinstance(error.error, InvalidDataError):
            raise
        with suppress(NoVideoError):
            # Many small cameras begin Motion JPEG without the boundary that should precede it.
            video = open_linked(link, settings, _left_s(deadline_s), "mjpeg")
            if video.width:
                return video
            video.close()
        raise


def _left_s(deadline_s: float) -> float:
    return max(0.001, deadline_s - time.monotonic())


def _failure(
    stream: StreamSource, error: NoVideoError, limit_s: float, is_late: bool
) -> CameraError:
    """Return why there is no video; `is_late`: the time for opening, `limit_s`, is over.

    FFmpeg tells neither a host that is not there from one that hangs, nor TLS from bad data.
    """
    cause = error.error
    if isinstance(cause, LATE) or (is_late and not isinstance(cause, REFUSED)):
        return CameraError(f"{stream.name}: {_why_silent(stream, limit_s)}")
    with suppress(CameraError):
        if not stream.is_encrypted and (said := _other_speech(stream, error)):
            return CameraError(f"{stream.name}: {said}")
    if cause is None:
        return CameraError(f"{stream.name}: {error}")
    return failure_of(stream.name, cause)


def _why_silent(stream: StreamSource, limit_s: float) -> str:
    """Return why nothing came in that time."""
    try:
        connected(stream.host, stream.port, ANSWER_S).close()
    except CameraError as absent:
        return str(absent)
    return f"it answers, but gave no video within {limit_s:g} s"


def _other_speech(stream: StreamSource, error: NoVideoError) -> str:
    """Return what the port speaks in place of what the address says; empty: it may speak that.

    Raises CameraError where there is no connection.
    """
    if may_be_tls(error.error, stream.is_web) and speaks_tls(stream, ANSWER_S):
        return f"this port speaks TLS: write {stream.other_name}"
    meant, other = stream.protocols
    if may_be_other_protocol(error.error, stream.is_web) and speaks(stream, other, ANSWER_S):
        return (
            f"this port speaks {other.upper()}, not {meant.upper()}: write "
            f"{stream.name_with(other)}, or the port that does"
        )
    return ""


def open_linked(
    link: Link, settings: CameraSettings, timeout_s: float, kind: str | None = None
) -> Video:
    """Open the stream at a link's end. Raises NoVideoError and PictureError."""
    options = {
        "rtsp_flags": "prefer_tcp",  # a lost UDP packet smears the picture; some have UDP only
        # Of what is known already no look is wanted: all that it sees comes late, and at once.
        "analyzeduration": "1" if kind else str(ANALYSIS_US),
        "fpsprobesize": "0",  # pictures that are only counted would come late
        **link.options,
    }
    read_s = max(settings.open_timeout_s, settings.frame_timeout_s)
    return open_video(link.address, options, (timeout_s, read_s), kind)


class NetworkStream:
    """A live FrameSource: pictures when they are due, stamped by the stream's own clock.

    Those without a time of their own are given and stamped as they come, or evenly where several
    come at once after a pause (`ArrivalTimes`). One that cannot be decoded leaves its number out.
    Its name has neither the user and password nor the path, since cheap cameras take the password
    in the path. `video` and `link` are closed with it.
    `begun_s`: when the opening began; until the first picture, patience counts from there.
    """

    live = True

    def __init__(
        self,
        name: str,
        link: Link,
        video: Video,
        settings: CameraSettings,
        clock: Clock,
        begun_s: float,
    ) -> None:
        self.name = name
        self._link = link
        self._open_s = settings.open_timeout_s
        self._stall_s = settings.frame_timeout_s
        self._rotation_deg = settings.rotation_deg
        self._clock = clock
        self._video = video
        self._reader = PacketReader(video, clock)
        self._playout = Playout()
        self._arrivals = ArrivalTimes()
        self._decoded: deque[tuple[DecodedPicture, float]] = deque()
        """Pictures that wait to be given on, and when they came."""
        self._number = 0
        self._dropped = 0
        self._given_s = begun_s
        self._has_given = False
        self._size = (0, 0)
        self._unreadable = 0
        """Packets in a row."""
        self._needs_key = True
        """Whether no key picture has come yet, without which nothing can be decoded."""
        self._keyless = 0
        """Packets until then."""
        self._reason = ""
        self._has_complained = False

    def read(self) -> Frame:
        return self.next().develop()

    def next(self) -> Undeveloped:
        while not self._decoded:
            self._decode_next()
        picture, arrived_s = self._decoded.popleft()
        time_s = picture.time_s
        if not self._video.is_timed:
            time_s = self._arrivals.taken_s(arrived_s, self._reader.follows)
        due = self._playout.add(time_s, arrived_s, self._clock.monotonic_s())
        ahead_s = due.at_s - self._clock.monotonic_s()
        if ahead_s > 0:
            self._clock.sleep(ahead_s)
        elif ahead_s < -BEHIND_S:
            self._reader.skip()
        self._given_s, self._has_given, self._unreadable = self._clock.monotonic_s(), True, 0
        self._note_size(picture)
        return self._undeveloped(picture, due)

    def _undeveloped(self, picture: DecodedPicture, due: Due) -> Undeveloped:
        dropped = self._reader.dropped
        self._number += dropped - self._dropped
        self._dropped = dropped
        number = self._number
        self._number += 1
        ago = timedelta(seconds=self._given_s - due.stamp_s)
        at = self._clock.utc() - ago

        def develop() -> Frame:
            try:
                pixels = picture.pixels()
            except UnreadableError as error:
                raise CameraError(f"{self.name}: a frame cannot be shown: {error}") from None
            return Frame(number, rotated(pixels, self._rotation_deg), at, due.stamp_s)

        return Undeveloped(number, develop)

    def _decode_next(self) -> None:
        """Decode one packet, or wait for it. Raises CameraError where no picture comes any more."""
        limit_s = self._stall_s if self._has_given else self._open_s
        left_s = self._given_s + limit_s - self._clock.monotonic_s()
        try:
            arrived = self._reader.take(max(0.0, left_s))
        except EOFError:
            raise CameraError(f"{self.name}: the stream ended") from None
        except NoVideoError as error:
            why = self._silence(limit_s) if self._unreadable else f"the stream ended: {error}"
            raise CameraError(f"{self.name}: {why}") from None
        if arrived is None or left_s <= 0:
            raise CameraError(f"{self.name}: {self._silence(limit_s)}")
        self._note_key(arrived.packet)
        try:
            pictures = self._video.decode(arrived.packet)
        except UnreadableError as error:
            self._note_unreadable(error)
            return
        self._decoded.extend((picture, arrived.at_s) for picture in pictures)

    def _note_key(self, packet: Packet[Any]) -> None:
        self._needs_key = self._needs_key and not packet.is_keyframe
        if self._needs_key:
            self._keyless += 1

    def _note_unreadable(self, error: UnreadableError) -> None:
        self._number += 1
        self._unreadable += 1
        self._reason = str(error)
        if not self._has_complained:
            self._has_complained = True
            _log.info("%s: a frame cannot be decoded: %s", self.name, error)

    def _silence(self, limit_s: float) -> str:
        if self._needs_key and self._keyless:
            return (
                f"no key frame for {limit_s:g} s, without which nothing can be decoded; set its "
                "I-frame interval (GOP) to 1 or 2 s, and no smart codec (H.264+)"
            )
        if self._unreadable:
            return f"no frame can be decoded ({self._unreadable} in a row): {self._reason}"
        return f"it gave no frame for {limit_s:g} s"

    def _note_size(self, picture: DecodedPicture) -> None:
        size = picture.width, picture.height
        if size != self._size:
            self._size = size
            _log.info("%s: %d x %d pixels", self.name, *size)

    def close(self) -> None:
        self._reader.close()
        self._link.close()  # at last: FFmpeg would connect again, to the port's next owner
