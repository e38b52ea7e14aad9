"""The threads beside the loop: of the outlets that have work which the loop must not wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable


class SideThread:
    """Does one piece of work until it is to end. A process that ends does not wait for it."""

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        """`work` returns soon when `is_ending`."""
        self._ending = threading.Event()
        self._thread = threading.Thread(target=work, name=name, daemon=True)

    def is_ending(self) -> bool:
        # No property: type checkers take those to stay as they are between two looks.
        return self._ending.is_set()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def rest(self, for_s: float) -> bool:
        """Wait so long, or until it is to end; return whether it is. For `work`."""
        return self._ending.wait(for_s)

    def ask_to_end(self) -> None:
        self._ending.set()

    def end(self, within_s: float) -> bool:
        """Have it return, and wait for that so long; return whether it is over. One that has not
        begun is."""
        self.ask_to_end()
        if self._thread.ident is not None:
            self._thread.join(within_s)
        return not self._thread.is_alive()
