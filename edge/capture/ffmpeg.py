"""Opening a clip or a stream with FFmpeg (PyAV): packets, pictures, and why there are none.

The one module that knows PyAV's calls, besides the types in annotations. It is imported only where
a clip or a stream is the source.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation

from edge.capture.pictures import MAX_PIXELS
from edge.capture.reasons import words_of
from edge.capture.rotate import rotated
from edge.errors import PictureError
from edge.records import Pixels

_NO_TIMESTAMPS = 0x80
"""AVFMT_NOTIMESTAMPS: what FFmpeg gives instead is invented, from 25 pictures a second."""
_PIPE = "_pipe"
"""How FFmpeg's names of containers end that are pictures, and nothing else."""
_PICTURES = {"mjpeg": "jpeg"}
"""Where FFmpeg's names of a codec and of the container that is nothing else differ."""
LEAST_STRETCH, MOST_STRETCH = 1.1, 4.0
"""A pixel that is wider or higher than this is made square; what is beyond the most is no shape.
No detector minds the rest, and scaling costs time."""


MOST_RESUMED = 1000
"""Damaged places of a stream behind which reading goes on."""


class NoVideoError(Exception):
    """FFmpeg finds nothing to show there; the text says why, without the address."""

    def __init__(self, why: str, error: av.error.FFmpegError | None = None) -> None:
        super().__init__(why)
        self.error = error
        """FFmpeg's own, whose text has the address."""


class UnreadableError(Exception):
    """A packet cannot be decoded; the text is the decoder's reason."""


class DecodedPicture:
    """A decoded picture, which costs little until its pixels are wanted."""

    def __init__(self, frame: VideoFrame, time_s: float | None, stretch: float) -> None:
        self.time_s = time_s
        """When it is to be shown, by the clock of its stream; None: unsaid."""
        self.width, self.height = _square_size(frame.width, frame.height, stretch)
        """In pixels, as `pixels` has them before it turns them."""
        self._frame = frame

    def pixels(self) -> Pixels:
        """Return it as contiguous uint8 BGR, upright as its metadata says; from any thread.

        Raises UnreadableError for a format that cannot be converted.
        """
        frame = self._frame
        try:
            converted = frame.to_ndarray(
                format="bgr24",
                width=self.width,
                height=self.height,
                # All as BT.601, as OpenCV reads them and the models were measured on.
                src_colorspace=Colorspace.ITU601,
                dst_colorspace=Colorspace.ITU601,
                src_color_range=frame.color_range,
                dst_color_range=ColorRange.JPEG,
                interpolation=Interpolation.BICUBIC,
                threads=1,  # more cost more than they save
            )
        except av.error.FFmpegError as error:
            raise UnreadableError(words_of(error)) from None
        clockwise_deg = round(-frame.rotation / 90) * 90 % 360
        return np.ascontiguousarray(rotated(np.asarray(converted, np.uint8), clockwise_deg))


class Video:
    """An open clip or stream: its packets, and the pictures in them.

    `packets` may be read in one thread while another decodes.
    """

    def __init__(self, container: InputContainer) -> None:
        self._container = container
        self._stream = container.streams.video[0]
        # Within a picture only: a thread for each picture would add their number to the delay.
        self._stream.thread_type = "SLICE"
        # What a header claims later on is refused before there is room for it.
        self._stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        self.kind = container.format.name
        """FFmpeg's name of the container."""
        self.width = self._stream.codec_context.width
        self.height = self._stream.codec_context.height
        """As it begins, in pixels; 0: unsaid. It may change with every picture."""
        self._is_pictures = self.kind.endswith(_PIPE)
        self.is_timed = not (self._is_pictures or container.format.flags & _NO_TIMESTAMPS)
        """Whether its pictures have times of their own."""
        rate = self._stream.average_rate or self._stream.guessed_rate
        self.fps = float(rate) if rate and 0.1 <= rate <= 1000 else None
        """Pictures a second, where it says so believably."""
        self.length = self._stream.frames or None
        """How many pictures it says to have; None: unsaid."""
        self.starts_s = (container.start_time or 0) / av.time_base
        self.ends_s = self._claimed_end_s()
        """When the last of its streams says to end, sound included; None: unsaid."""

    def _claimed_end_s(self) -> float | None:
        if self.kind == "avi" and self._stream.frames and self._stream.time_base:
            # The length is estimated from what is there of the file; the header is as written.
            return float(self._stream.frames * self._stream.time_base)
        duration = self._container.duration
        return duration / av.time_base if duration and duration > 0 else None

    @property
    def picture_kind(self) -> str | None:
        """Where it is a JPEG or the like, and no video: the `kind` by which to ask for it again."""
        if self._is_pictures:
            return self.kind
        # FFmpeg goes by the name in the address here, and asks for it three times over.
        codec = self._stream.codec_context.name
        return f"{_PICTURES.get(codec, codec)}{_PIPE}" if self.kind == "image2" else None

    def goes_on(self) -> bool:
        """Return whether it is picture after picture, nothing in between: a kind of Motion JPEG.

        Reads the first two, which are lost.
        """
        if not self._is_pictures:
            return False
        with suppress(NoVideoError):
            return len(list(islice((each for each in self.packets() if each.size), 2))) == 2
        return False

    def reached_s(self, packet: Packet[Any]) -> float:
        """Return when a packet of any stream ends, in seconds; 0 where it does not say."""
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is None or not packet.time_base:
            return 0.0
        return float((stamp + (packet.duration or 0)) * packet.time_base)

    def packets(self, *, all_streams: bool = False) -> Iterator[Packet[Any]]:
        """Yield what is to be decoded, at last an empty packet that flushes the decoder.

        With `all_streams` the packets of the others come too. Raises NoVideoError where reading
        fails, or takes longer than was allowed.
        """
        streams = self._container.streams if all_streams else [self._stream]
        for _ in range(MOST_RESUMED):
            try:
                yield from self._container.demux(*streams)
            except av.error.BlockingIOError:  # a transport stream that has lost its rhythm
                continue
            except av.error.FFmpegError as error:
                raise NoVideoError(words_of(error)) from None
            return
        raise NoVideoError("no more of it can be read")

    def is_picture(self, packet: Packet[Any]) -> bool:
        """Tell it from the packets of other streams."""
        return packet.stream_index == self._stream.index

    def decode(self, packet: Packet[Any]) -> list[DecodedPicture]:
        """Return the pictures that are complete with this packet. Raises UnreadableError."""
        try:
            frames = self._stream.codec_context.decode(packet)
        except av.error.EOFError:
            return []
        except av.error.FFmpegError as error:
            raise UnreadableError(words_of(error)) from None
        stretch = self._stream.sample_aspect_ratio
        return [
            DecodedPicture(frame, self._seconds(frame), float(stretch) if stretch else 1.0)
            for frame in frames
        ]

    def _seconds(self, frame: VideoFrame) -> float | None:
        stamp, unit = frame.dts if frame.pts is None else frame.pts, self._stream.time_base
        return float(stamp * unit) if self.is_timed and stamp is not None and unit else None

    def close(self) -> None:
        with suppress(av.error.FFmpegError):
            self._container.close()


def open_video(
    target: str,
    options: Mapping[str, str],
    timeouts_s: tuple[float, float] | None = None,
    kind: str | None = None,
) -> Video:
    """Open a file's path or an address.

    `options` are FFmpeg's, of protocols and demuxers. `timeouts_s`: for opening, and for each read.
    `kind`: FFmpeg's name of the container, which it else finds out.
    Raises NoVideoError, and PictureError for pictures above MAX_PIXELS.
    """
    # PyAV writes nothing to stderr by itself, and its errors' own text would have the address, with
    # its password.
    try:
        container = av.open(target, format=kind, options=dict(options), timeout=timeouts_s)
    except av.error.FFmpegError as error:
        raise NoVideoError(words_of(error), error) from None
    except (ValueError, UnicodeError):
        raise NoVideoError("no address or file that FFmpeg takes") from None
    if not container.streams.video or container.streams.video[0].codec_context is None:
        has_video = bool(container.streams.video)
        container.close()
        raise NoVideoError("its codec is unknown" if has_video else "there is no video in it")
    video = Video(container)
    try:
        refuse_large(video.width, video.height)
    except PictureError:
        video.close()
        raise
    return video


def refuse_large(width: int, height: int) -> None:
    """Raise PictureError for more than MAX_PIXELS."""
    if width * height > MAX_PIXELS:
        raise PictureError(f"a picture of {width} x {height} pixels is too large")


def _square_size(width: int, height: int, stretch: float) -> tuple[int, int]:
    """Return the size in square pixels of what is `stretch` as wide as high; nothing shrinks."""
    if stretch > 0 and LEAST_STRETCH <= max(stretch, 1 / stretch) <= MOST_STRETCH:
        wide, high = round(width * max(1.0, stretch)), round(height * max(1.0, 1 / stretch))
        if wide * high <= MAX_PIXELS:
            return wide, high
    return width, height
