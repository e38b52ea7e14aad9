"""The long loop: frames in, violations out, through outages of the camera and the broker."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack

from edge.daemon.device import Device
from edge.daemon.lookout import Glance
from edge.daemon.outlets import Outlet
from edge.daemon.watch import CameraWatch
from edge.history.records import SEEING
from edge.page.listener import PageListener

CLOSING_S = 0.5
"""For a capture call to return when we stop; one that hangs ends with the process."""


class Service:
    """Watches until it is asked to stop, or until a clip is over."""

    def __init__(
        self,
        watch: CameraWatch,
        device: Device,
        page: PageListener | None = None,
        outlets: Sequence[Outlet] = (),
        lamps: Outlet | None = None,
    ) -> None:
        """`lamps` are as the others, and come before all that takes time: the disk, and a picture,
        which is more than half a second of a Raspberry Pi 4."""
        self.watch = watch
        self.device = device
        self.page = page
        self._outlets = tuple(outlets)
        self._lamps = () if lamps is None else (lamps,)
        self._stop = threading.Event()
        if page is not None:
            device.page = lambda: page.telemetry

    def stop(self) -> None:
        """End soon, orderly. Safe in a signal handler and from any thread."""
        self._stop.set()

    def run(self) -> None:
        """Run until `stop`, or until the source is over. Whatever fails, all is closed in order."""
        with ExitStack() as ending:
            ending.callback(self.watch.close, CLOSING_S)
            if self.page is not None:
                ending.callback(self.page.close)
            ending.callback(self.device.close)
            for outlet in (*self._outlets, *self._lamps):  # the lamps are closed first
                ending.callback(outlet.close)
            ending.callback(self._end_visits)
            ending.callback(self.watch.close)  # begins early, so that it need not be waited for
            ending.callback(self.device.stopping)
            self.device.start()
            if self.page is not None:
                self.page.start()
            for outlet in (*self._outlets, *self._lamps):
                outlet.start()
            self.watch.start(self.device)
            while not self._is_over():
                self.run_once()

    def run_once(self) -> None:
        """Take one frame along the road, if there is one; then do everything else."""
        glance = self._take(self.watch.look(self.device))
        self.device.tend(glance, self.watch)
        self._let_out(glance, self._outlets)

    def _is_over(self) -> bool:
        return self._stop.is_set() or self.watch.ended or self.device.restart_wanted

    def _take(self, glance: Glance) -> Glance:
        self._let_out(glance, self._lamps)
        taken = self.device.take(glance)
        if self.page is not None:
            seen_s = glance.turn_s if glance.watch in SEEING else 0.0
            self.page.window.history.note(glance.decision, seen_s, glance.camera)
        return taken

    def _let_out(self, glance: Glance, outlets: Sequence[Outlet]) -> None:
        telemetry = self.device.telemetry
        if telemetry is not None:
            for outlet in outlets:
                outlet.take(glance, telemetry)

    def _end_visits(self) -> None:
        for glance in self.watch.end_visits():
            self._let_out(self._take(glance), self._outlets)
        self.device.report_compliance(self.watch)
