"""Keeping up with a live source that may hang."""

from __future__ import annotations

import threading
from collections.abc import Callable

from edge.capture.source import Developing, FrameSource, Undeveloped
from edge.clock import SYSTEM_CLOCK, Clock
from edge.records import Frame


class NewestFrame:
    """Opens, reads and closes a live source in a thread of its own, and keeps its newest frame.

    Only that thread touches the source, so a capture call that never returns holds nobody else. At
    most one frame waits.
    """

    def __init__(self, open_it: Callable[[], FrameSource], clock: Clock = SYSTEM_CLOCK) -> None:
        self._open_it = open_it
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: Frame | Undeveloped | None = None
        self._error: Exception | None = None
        self._over = False
        self._closing = False
        self._heard_s = clock.monotonic_s()
        self._expected = 0
        self.dropped = 0
        """Frames that were never read, because a newer one came or the source left them out."""
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()

    def read(self, timeout_s: float) -> Frame | None:
        """Return the newest frame that was not read before, waiting up to `timeout_s` for one.

        None: no frame came in that time, or the source is at its end (`ended`). Raises what stopped
        the source, a CameraError as a rule, once the last frame has been read.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting is not None or self._over, timeout_s)
            frame, self._waiting = self._waiting, None
            if frame is None:
                if self._error is not None:
                    raise self._error
                return None
            self.dropped += frame.number - self._expected
            self._expected = frame.number + 1
        # The capture thread goes on meanwhile.
        return frame.develop() if isinstance(frame, Undeveloped) else frame

    @property
    def ended(self) -> bool:
        """Whether the source is at its end and all was read; one that failed has `read` say so."""
        with self._changed:
            return self._over and self._waiting is None and self._error is None

    @property
    def silent_s(self) -> float:
        """Seconds since the source last gave a frame, or since the start."""
        with self._changed:
            return self._clock.monotonic_s() - self._heard_s

    def close(self, timeout_s: float = 2.0) -> bool:
        """Have the source closed; return whether it was within `timeout_s`.

        Otherwise a capture call hangs, and so may the camera until the process has ended.
        """
        with self._changed:
            self._closing = True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            source = self._open_it()
            try:
                self._keep_newest(source)
            except Exception as error:
                self._end(error)  # first, since closing may take as long as a read
                raise
            finally:
                source.close()
        except Exception as error:  # noqa: BLE001 - raised again by read()
            self._end(error)
        else:
            self._end(None)

    def _end(self, error: Exception | None) -> None:
        with self._changed:
            self._error = self._error or error
            self._over = True
            self._changed.notify_all()

    def _keep_newest(self, source: FrameSource) -> None:
        read = source.next if isinstance(source, Developing) else source.read
        while (frame := read()) is not None:
            with self._changed:
                if self._closing:
                    return
                self._waiting = frame
                self._heard_s = self._clock.monotonic_s()
                self._changed.notify_all()
