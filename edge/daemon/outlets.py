"""Where results leave the device beside MQTT: a lamp, a notification, a figure for a scraper."""

from __future__ import annotations

from typing import Protocol

from edge.daemon.lookout import Glance
from edge.telemetry import Telemetry


class Outlet(Protocol):
    """One of them. None of these calls waits for anything: judging goes on meanwhile.

    What it cannot do is a condition of the telemetry, never an exception.
    """

    def start(self) -> None:
        """Begin: the loop is about to run."""

    def take(self, glance: Glance, telemetry: Telemetry) -> None:
        """Take note of one turn of the loop, in which often nothing was decided."""

    def close(self) -> None:
        """End within half a second: the loop has ended."""
