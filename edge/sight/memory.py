"""What was normal here: the scene's figures and how many heads were seen, by part of the day.

Light comes and goes with the hours, so each part of the day has a reference of its own, made of its
first proofs. It stays: one that followed would learn dust as it gathers. On disk it is a small file
for each part, written while it is learned, and one of the places where people pass.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from edge.durable import replace_file
from edge.files import DamagedFileError, read_json
from edge.sight.places import Passages, Point
from edge.sight.proof import PLACES, SightResult
from edge.sight.scene import ACROSS, BANDS, SceneFigures, middle_of

PARTS: Final = 6
"""Of a day, in UTC."""
LEARNED: Final = 4
"""Proofs that make a reference."""
MAX_BYTES: Final = 400_000
_FOLDER: Final = "sight"
_PLACES: Final = "places.json"
_STEPS: Final = 16.0
"""A power is kept as its logarithm, in steps of 4 %."""


class _Kept(msgspec.Struct, frozen=True):
    """Figures of a scene, a byte for each."""

    rows: int
    power: bytes
    level: bytes
    order: float
    noise: float

    @classmethod
    def of(cls, figures: SceneFigures) -> _Kept:
        power = _STEPS * np.log2(1 + figures.power.clip(0, 60_000))
        level = np.rint(figures.level).clip(0, 255)
        return cls(
            figures.level.shape[0],
            power.clip(0, 255).astype(np.uint8).tobytes(),
            level.astype(np.uint8).tobytes(),
            figures.order,
            figures.noise,
        )

    @property
    def figures(self) -> SceneFigures:
        """Raises ValueError where they are not what they should be."""
        power = np.frombuffer(self.power, np.uint8).reshape(BANDS, self.rows, ACROSS)
        level = np.frombuffer(self.level, np.uint8).reshape(self.rows, ACROSS, 3)
        return SceneFigures(
            (2 ** (power / _STEPS) - 1).astype(np.float32),
            level.astype(np.float32),
            self.order,
            self.noise,
        )


class _Part(msgspec.Struct):
    """A part of the day."""

    places: tuple[Point, ...]
    learned: list[_Kept] = msgspec.field(default_factory=list)
    """While it is learned; then one, which is the reference."""
    shares: list[float] = msgspec.field(default_factory=list)


class SightMemory:
    """What is known of one camera's scene; of everything no more than fits into a few files."""

    def __init__(
        self,
        folder: Path | None,
        camera: str = "",
        is_watched: Callable[[float, float], bool] = lambda x, y: True,
    ) -> None:
        """Read what is there; what is damaged is learned again. Without a folder it is forgotten
        with the process."""
        self._folder = None if folder is None else folder / _FOLDER / (camera or "camera")
        self._is_watched = is_watched
        self._parts: dict[int, _Part] = {}
        self.passages = Passages()
        self.trouble = ""
        """Why it cannot be kept on disk; empty: it can."""
        self._read()

    def part_of(self, at: datetime) -> int:
        return at.hour * PARTS // 24

    def places(self, at: datetime) -> tuple[Point, ...]:
        """Return where heads are shown: while a reference holds, the same places."""
        part = self._parts.get(self.part_of(at))
        if part is not None:
            return part.places
        return self.passages.places(PLACES, self._is_watched)

    def reference(self, at: datetime) -> SceneFigures | None:
        """Return how the scene was; None: it is still learned."""
        part = self._parts.get(self.part_of(at))
        if part is None or len(part.shares) < LEARNED:
            return None
        return part.learned[0].figures

    def normal(self, at: datetime) -> float | None:
        """Return the share of heads that was seen; None: it is still learned."""
        part = self._parts.get(self.part_of(at))
        if part is None or len(part.shares) < LEARNED:
            return None
        return statistics.median(part.shares)

    def left(self, at: datetime) -> int:
        """Return how many proofs of this part of the day are still to be learned."""
        part = self._parts.get(self.part_of(at))
        return LEARNED if part is None else max(0, LEARNED - len(part.shares))

    def learn(self, proof: SightResult, places: tuple[Point, ...]) -> None:
        """Take in a proof of a part of the day that is not known yet."""
        number = self.part_of(proof.at)
        part = self._parts.setdefault(number, _Part(places))
        if part.learned and part.learned[0].rows != proof.change.figures.level.shape[0]:
            part = self._parts[number] = _Part(places)  # another size of the picture
        part.learned.append(_Kept.of(proof.change.figures))
        part.shares.append(proof.share)
        if len(part.shares) == LEARNED:
            middle = middle_of([each.figures for each in part.learned])
            part.learned = [_Kept.of(middle)]
        self._write(f"part-{number}.json", part)
        self._write(_PLACES, self.passages)

    def forget(self) -> None:
        """Learn again from the next proof on: the camera or the scene was changed on purpose."""
        self._parts.clear()
        self.passages = Passages()
        if self._folder is None:
            return
        for path in self._files():
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                self.trouble = f"{path}: {error.strerror}"

    def _files(self) -> Iterator[Path]:
        if self._folder is not None:
            yield self._folder / _PLACES
            yield from (self._folder / f"part-{number}.json" for number in range(PARTS))

    def _read(self) -> None:
        for path in self._files():
            try:
                if path.name == _PLACES:
                    self.passages = read_json(path, Passages, MAX_BYTES)
                else:
                    part = read_json(path, _Part, MAX_BYTES)
                    if part.shares and part.learned and part.learned[0].figures is not None:
                        self._parts[int(path.stem.removeprefix("part-"))] = part
            except FileNotFoundError:
                continue
            except (OSError, DamagedFileError, ValueError) as error:
                self.trouble = f"{path}: {error}"

    def _write(self, name: str, content: msgspec.Struct) -> None:
        if self._folder is None:
            return
        path = self._folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, msgspec.json.encode(content))
            self.trouble = ""
        except OSError as error:
            self.trouble = f"{path}: {error.strerror}"
