"""Whatever becomes of one of the outbox's files, it opens, and invents nothing."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.publish.outbox.outbox import Outbox

_TOPIC = "tensormask/door-1/violation"
_NAME = "outbox.sqlite"


def _flip(content: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 3, 30))):
        at = chance.randrange(min(200, len(content)) if chance.random() < 0.4 else len(content))
        content[at] ^= 1 << chance.randrange(8)


def _zero_a_page(content: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(content)) // 4096 * 4096
    content[at : at + 4096] = bytes(len(content[at : at + 4096]))


def _cut(content: bytearray, chance: random.Random) -> None:
    del content[chance.randrange(len(content)) :]


def _swap_pages(content: bytearray, chance: random.Random) -> None:
    one, other = (chance.randrange(len(content)) // 4096 * 4096 for _ in range(2))
    first, second = content[one : one + 4096], content[other : other + 4096]
    content[one : one + len(second)], content[other : other + len(first)] = second, first


def _lose_all(content: bytearray, chance: random.Random) -> None:
    content.clear()


_DAMAGES: list[Callable[[bytearray, random.Random], None]] = [
    _flip, _flip, _flip, _zero_a_page, _cut, _swap_pages, _lose_all,
]  # fmt: skip


class _Life:
    """An outbox through crashes, after each of which one of its files is damaged."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._chance = random.Random(seed)
        self._folder = folder
        self._given: dict[int, set[bytes]] = {}
        """All that was ever appended."""
        self._floor = 0
        """No sequence up to this may be given again."""
        folder.mkdir()

    def live(self) -> None:
        """Open, use, and crash."""
        outbox = Outbox(self._folder / _NAME)
        try:
            self._check(outbox)
            for _ in range(self._chance.choice((1, 3, 40, 300))):
                self._append(outbox)
            waiting = [document.sequence for document in outbox.pending(100_000)]
            outbox.acknowledge(waiting[: self._chance.randint(0, len(waiting))])
            for _ in range(self._chance.choice((0, 2))):
                self._append(outbox)
            self._check(outbox)
            outbox.state()
            if self._chance.random() < 0.6:
                self._crash()
                return
        finally:
            outbox.close()
        self._crash()

    def _append(self, outbox: Outbox) -> None:
        content = b"%d" % self._chance.getrandbits(2000)
        sequence = outbox.append(_TOPIC, lambda sequence: b"%d %b" % (sequence, content))
        assert sequence > self._floor
        self._floor = sequence
        self._given.setdefault(sequence, set()).add(b"%d %b" % (sequence, content))

    def _check(self, outbox: Outbox) -> None:
        documents = outbox.pending(100_000)
        sequences = [document.sequence for document in documents]
        assert sequences == sorted(set(sequences))
        for document in documents:
            assert document.topic == _TOPIC
            assert document.payload in self._given[document.sequence]

    def _crash(self) -> None:
        """Keep the files as a kill would leave them at this moment."""
        crashed = self._folder.with_name("crashed")
        shutil.copytree(self._folder, crashed)

    def damage(self) -> None:
        shutil.rmtree(self._folder)
        self._folder.with_name("crashed").rename(self._folder)
        path = self._chance.choice(
            [path for path in sorted(self._folder.iterdir()) if ".damaged-" not in path.name]
        )
        if content := bytearray(path.read_bytes()):
            self._chance.choice(_DAMAGES)(content, self._chance)
            path.write_bytes(content)
        if path.name.endswith("-wal"):
            # SQLite takes the log for as long as it is sound, and nothing tells that it was longer.
            self._floor = 0


@pytest.mark.parametrize("seed", range(15))
def test_an_outbox_survives_whatever_becomes_of_its_files(tmp_path: Path, seed: int) -> None:
    life = _Life(tmp_path / "state", seed)
    for _ in range(4):
        life.live()
        life.damage()
    life.live()
