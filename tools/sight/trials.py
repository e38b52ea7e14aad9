"""Trials of the proof of sight: a camera before a scene, which it has learned, in another light.

Each trial is a line of JSON in a file, with what was measured in it. A run that was interrupted
goes on after the last line; another rule can be judged by the figures in the lines.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import msgspec
import numpy as np

from edge.sight.heads import cutout
from edge.sight.judge import Fall, fall_of
from edge.sight.memory import LEARNED, SightMemory
from edge.sight.proof import (
    STEPS,
    HeadShown,
    LivePair,
    ProofEyes,
    SceneChange,
    change_of,
    prove,
    shown,
)
from edge.sight.scene import SceneLook
from tests.fakes import START
from tools.sight.daylight import Daylight, live
from tools.sight.faces import RealScene

UNDAMAGED = "none"
LEAST_PX = 24.0
FACES_SEEN = 30
"""So often each face of a scene has been seen: more than makes it a place."""


drawn = lru_cache(maxsize=None)(cutout)
"""Draws the same head once."""


class ProofFigures(msgspec.Struct, frozen=True):
    """What the rule goes by."""

    right: int
    """Heads that were judged rightly,"""
    shown: int
    """of those that were shown before the rule was sure; 0: the scene alone was worse."""
    normal: float
    moved: tuple[float, float, float]
    blur_px: float
    contrast: float
    haze: float
    haze_most: float
    noise: float
    order: float
    hidden: float
    covered: float
    level: float
    """The mean of the picture."""

    @classmethod
    def of(cls, change: SceneChange, heads: Sequence[HeadShown], normal: float) -> ProofFigures:
        moved, transfers = change.movement, change.transfers
        hazes = [each.haze[0] for each in transfers]
        return cls(
            sum(each.is_right for each in heads),
            len(heads),
            normal,
            (moved.right, moved.down, moved.turned_deg),
            statistics.median(each.blur_px for each in transfers),
            statistics.median(each.contrast for each in transfers),
            statistics.median(hazes),
            max(hazes),
            change.noise,
            change.order,
            change.hidden,
            change.covered,
            float(change.figures.level[..., 0].mean()),
        )


class SightTrial(msgspec.Struct, frozen=True):
    """What became of one trial."""

    scene: int
    kind: str
    level: float
    number: int
    cause: str
    """Of the condition; empty: it was not raised."""
    text: str
    proofs: tuple[ProofFigures, ...]
    """One, or two where the first one was worse than normal."""

    @property
    def key(self) -> tuple[int, str, float, int]:
        return self.scene, self.kind, self.level, self.number


@dataclass(slots=True)
class LearnedScene:
    """A camera before a scene."""

    number: int
    scene: RealScene
    eyes: ProofEyes
    memory: SightMemory = field(default_factory=lambda: SightMemory(None))

    def learn(self) -> None:
        height, width = self.scene.pixels.shape[:2]
        boxes = [box for box, _ in self.scene.faces]
        for _ in range(FACES_SEEN):
            self.memory.passages.add(boxes, width, height)
        chosen = np.random.default_rng(self.number)
        for _ in range(LEARNED):
            looks, pairs = _live(self.scene, Daylight(chosen))
            places = self.memory.places(START)
            proof = prove(looks, pairs, None, places, LEAST_PX, self.eyes)
            self.memory.learn(proof, places)

    def trial(self, kind: str, level: float, number: int) -> SightTrial:
        """Return what two proofs in one light say; the second only where the first is worse."""
        damage = 100 * self.number + number
        chosen = np.random.default_rng((self.number, number, *kind.encode()))
        moment = Daylight(chosen)
        proofs: list[ProofFigures] = []
        fall: Fall | None = None
        for _ in range(2):
            figures, fall = self._proved(moment, kind, level, damage)
            proofs.append(figures)
            if fall is None:
                break
        cause, text = ("", "") if fall is None else (str(fall.cause), fall.text)
        return SightTrial(self.number, kind, level, number, cause, text, tuple(proofs))

    def _proved(
        self, moment: Daylight, kind: str, level: float, seed: int
    ) -> tuple[ProofFigures, Fall | None]:
        if kind == UNDAMAGED:
            looks, pairs = _live(self.scene, moment)
        else:
            looks, pairs = _live(self.scene, moment, kind, level, seed)
        memory = self.memory
        reference, places, normal = (
            memory.reference(START),
            memory.places(START),
            memory.normal(START),
        )
        assert normal is not None
        change = change_of(looks, reference, places, pairs[-1].now)
        heads: list[HeadShown] = []
        # Most damage is noticed without showing a head, which is what takes time.
        fall = fall_of(change, None, normal, 1.0)
        if fall is None:
            every = len(places) * len(STEPS)
            for head in shown(change, pairs, places, LEAST_PX, self.eyes, drawn):
                heads.append(head)
                # As soon as enough are seen for all others not to matter, the rule is sure.
                least = sum(each.is_right for each in heads) / every
                if fall_of(change, least, normal, 1.0) is None:
                    break
            fall = fall_of(change, least, normal, 1.0)
        return ProofFigures.of(change, heads, normal), fall


def run_trials(
    scenes: Sequence[RealScene],
    eyes: ProofEyes,
    plan: Mapping[str, tuple[float, int]],
    results: Path | None,
) -> Iterator[SightTrial]:
    """Yield all trials of each scene: those in `results` as they were, the others made now.

    `plan` has the level of each kind, and how many trials of it there are in each scene.
    """
    known = {each.key: each for each in read_trials(results)}
    for number, scene in enumerate(scenes):
        wanted = [(kind, level, each) for kind, (level, n) in plan.items() for each in range(n)]
        learned: LearnedScene | None = None
        for kind, level, each in wanted:
            trial = known.get((number, kind, level, each))
            if trial is None:
                if learned is None:
                    learned = LearnedScene(number, scene, eyes)
                    learned.learn()
                trial = learned.trial(kind, level, each)
                if results is not None:
                    with results.open("ab") as file:
                        file.write(msgspec.json.encode(trial) + b"\n")
            yield trial


def read_trials(results: Path | None) -> list[SightTrial]:
    """Return what an earlier run has written; a last line that was cut off is made again."""
    if results is None or not results.exists():
        return []
    trials = []
    for line in results.read_bytes().splitlines():
        try:
            trials.append(msgspec.json.decode(line, type=SightTrial))
        except msgspec.DecodeError:
            continue
    return trials


def _live(
    scene: RealScene, moment: Daylight, kind: str = "", level: float = 0, seed: int = 0
) -> tuple[list[SceneLook], list[LivePair]]:
    pairs = list(live(scene.pixels, moment, kind, level, seed))
    return [SceneLook.of(each.before.pixels, each.now.pixels) for each in pairs], pairs[-2:]
