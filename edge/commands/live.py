"""The live view of `tensormask watch`: a thin loop around `edge.commands.board`."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Self, TextIO

from rich.console import Console
from rich.live import Live

from edge.commands.board import Board, view
from edge.publish.answers import Received
from edge.publish.messages import AVAILABILITY, COMPLIANCE, HEALTH, VIOLATION

SOON_S = 0.2
"""What came is shown no later, and not more often."""
IDLE_S = 1.0
"""How often ages are updated."""


class LiveScreen:
    """A Screen on the whole terminal, which is given back as it was."""

    kinds = (AVAILABILITY, VIOLATION, COMPLIANCE, HEALTH)

    def __init__(self, terminal: TextIO) -> None:
        # rich leaves out colors itself where NO_COLOR is set.
        self._console = Console(file=terminal, force_terminal=True, highlight=False)
        self._live = Live(console=self._console, screen=True, auto_refresh=False)
        self._board = Board()
        self._drawn_s = float("-inf")
        self._is_new = True

    def __enter__(self) -> Self:
        self._live.start()
        self._draw()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def say(self, text: str) -> None:
        self._board.status = text
        self._draw()

    def show(self, message: Received) -> None:
        self._board.take(message, datetime.now().astimezone())
        self._is_new = True

    def turn(self) -> None:
        if time.monotonic() - self._drawn_s >= (SOON_S if self._is_new else IDLE_S):
            self._draw()

    def _draw(self) -> None:
        self._drawn_s, self._is_new = time.monotonic(), False
        width, height = self._console.size
        now = datetime.now().astimezone()
        self._live.update(view(self._board, now, width, height), refresh=True)
