"""What was retained for Home Assistant, so that it is cleared when it is wanted no longer."""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path

import msgspec

from edge.durable import replace_file
from edge.files import DamagedFileError, read_json
from edge.publish.mailbox import Mailbox, Retained

_log = logging.getLogger(__name__)

FILE = "home-assistant.json"
MOST_FORMER = 20
MAX_BYTES = 64_000


class _Announced(msgspec.Struct, frozen=True):
    topics: tuple[str, ...] = ()
    """Under which the broker may have something; the newest first."""
    cameras: tuple[str, ...] = ()
    """Whose entities Home Assistant may have; the newest first."""


def announced_in(path: Path) -> tuple[str, ...]:
    """Return the topics that were announced; none where the file is missing or damaged."""
    return _read(path).topics


def _read(path: Path) -> _Announced:
    try:
        return read_json(path, _Announced, MAX_BYTES)
    except (OSError, DamagedFileError):
        return _Announced()


class Announced:
    """Remembers topics in a file, from before they are used until the broker has nothing there.

    So a device that was turned off, or renamed, while the broker was away is removed later.
    """

    def __init__(
        self,
        path: Path,
        wanted: Collection[str],
        mailbox: Mailbox,
        cameras: Collection[str] = (),
    ) -> None:
        """`wanted` are those that are used from now on: leave in `mailbox` what clears others.
        `cameras` are announced with them."""
        self._path = path
        self._mailbox = mailbox
        self._wanted = tuple(wanted)
        before = _read(path)
        others = [topic for topic in dict.fromkeys(before.topics) if topic not in wanted]
        self._former = self._removed = tuple(others[:MOST_FORMER])
        gone = [name for name in dict.fromkeys(before.cameras) if name not in cameras]
        self.former_cameras = tuple(gone[:MOST_FORMER]) if wanted else ()
        """Those that were announced before."""
        self._cameras = (*cameras, *self.former_cameras)
        if (self._topics, self._cameras) != (before.topics, before.cameras):
            self._write()
        for topic in self._former:
            _log.info("removing from Home Assistant: clearing the retained message %s", topic)
        self.clear()

    @property
    def is_empty(self) -> bool:
        """Whether there was nothing to clear at the start."""
        return not self._removed

    def clear(self) -> None:
        """Have all cleared that is not wanted any more; again where Home Assistant missed it."""
        for topic in self._removed:
            self._mailbox.retain(Retained(topic, b""))

    def tend(self) -> None:
        """Forget the topics where the broker has nothing any more, or takes no clearing."""
        left = tuple(topic for topic in self._former if not self._mailbox.is_cleared(topic))
        if left != self._former:
            self._former = left
            self._write()

    @property
    def _topics(self) -> tuple[str, ...]:
        return (*self._wanted, *self._former)

    def _write(self) -> None:
        try:
            replace_file(self._path, msgspec.json.encode(_Announced(self._topics, self._cameras)))
        except OSError as error:
            _log.warning(
                "%s: %s; turning [home_assistant] off will not be noticed",
                self._path,
                error.strerror,
            )
