"""What systemd is told: that the service is ready, that it goes on, that it stops."""

from __future__ import annotations

import math

from edge.host.systemd import Notifier
from edge.telemetry import CameraState, Telemetry

STATUS_EVERY_S = 2.0
START_S = 30.0
"""How much more time systemd is asked for, repeatedly, while the camera is waited for."""


class Liveness:
    """Says that all is well: the loop goes round, with a frame, or with an outage in hand."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier
        self._is_ready = False
        self._due_s = -math.inf

    def tell(self, telemetry: Telemetry, now_s: float) -> None:
        """Feed the watchdog, if it is time.

        The start is over with the first frame, or with a camera that is lost and tried again: by
        then, whatever can never work has ended the program.
        """
        notifier = self._notifier
        was_ready = self._is_ready
        self._is_ready = CameraState.STARTING not in {s.state for _, s in telemetry.each_camera}
        if self._is_ready and not was_ready:
            notifier.ready(telemetry.summary)
        elif now_s < self._due_s:
            return
        elif self._is_ready:
            notifier.alive(telemetry.summary)
        else:
            notifier.starting(telemetry.summary, START_S)
        self._due_s = now_s + min(notifier.watchdog_s or math.inf, STATUS_EVERY_S)

    def stopping(self) -> None:
        self._notifier.stopping("stopping")
