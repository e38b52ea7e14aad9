"""Whom the device was called before: what the broker retains of a former name is cleared, once."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from edge.durable import replace_file
from edge.files import DamagedFileError, read_json
from edge.publish.mailbox import Mailbox, Retained
from edge.publish.messages import retained_topics

_log = logging.getLogger(__name__)

FILE = "identity.json"
MOST_FORMER = 5
MAX_BYTES = 64_000


class Identity(msgspec.Struct, frozen=True):
    """A topic prefix and the device's id below it."""

    prefix: str
    device_id: str


class _Known(msgspec.Struct, frozen=True):
    present: Identity
    former: tuple[Identity, ...] = ()
    """Whose retained documents are still to be cleared, newest first."""


class FormerIdentities:
    """Remembers in a file what the device was called, until the broker has nothing of it."""

    def __init__(self, path: Path, present: Identity, mailbox: Mailbox) -> None:
        """Leave in `mailbox` what clears the topics of all former names."""
        self._path = path
        self._mailbox = mailbox
        before = self._read()
        former = [] if before is None else [before.present, *before.former]
        others = tuple(dict.fromkeys(each for each in former if each != present))
        self._known = _Known(present, others[:MOST_FORMER])
        if self._known != before:
            self._write()
        for identity in self._known.former:
            _log.info("clearing the broker's retained messages of %s", _name(identity))
            for topic in retained_topics(identity.prefix, identity.device_id):
                mailbox.retain(Retained(topic, b""))

    def tend(self) -> None:
        """Forget the names of which the broker has nothing any more, or takes no clearing."""
        left = tuple(identity for identity in self._known.former if not self._is_cleared(identity))
        if left != self._known.former:
            self._known = _Known(self._known.present, left)
            self._write()

    def _is_cleared(self, identity: Identity) -> bool:
        topics = retained_topics(identity.prefix, identity.device_id)
        return all(self._mailbox.is_cleared(topic) for topic in topics)

    def _read(self) -> _Known | None:
        try:
            return read_json(self._path, _Known, MAX_BYTES)
        except (OSError, DamagedFileError):  # the first start; or damaged: nothing is known
            return None

    def _write(self) -> None:
        try:
            replace_file(self._path, msgspec.json.encode(self._known))
        except OSError as error:
            _log.warning("%s: %s; a change of name will not be noticed", self._path, error.strerror)


def _name(identity: Identity) -> str:
    return f"{identity.prefix}/{identity.device_id}"
