# ruff: noqa: T201 - a command line module
"""Who is followed, judged and reported in a moving street: `make street BOXED=folder:folder`.

Pictures of boxed sets side by side, before a camera that sways and has noise: 1280 pixels wide, six
seconds at 15 frames. The whole road from detect to decide runs with its defaults, which single
pictures cannot show. The second table says how many of the people with a mask, without one and with
one worn wrongly end as what. `EYES=file` writes these counts as the file with which a rate is
corrected (`edge.eyes`).
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import cv2
import msgspec
import numpy as np

from convert.data.voc import BoxedPicture, BoxedSet, LabelledFace, read_boxed
from convert.measure.metrics import MIN_IOU
from edge.classify.card import BARE, MASKED, WORN_WRONGLY, load_bundle
from edge.config import Settings, parse_settings
from edge.detect.card import read_card
from edge.detect.detectors import NAMES as NAMES_OF_DETECTORS
from edge.errors import ConfigError
from edge.eyes import EyesCard, KnownPeople, NetworkPair
from edge.history.records import SIZES_PX
from edge.pipeline import open_pipeline
from edge.pixels import resize
from edge.plan import PLANS, USUAL
from edge.records import Box, Frame, MaskState, Pixels, Verdict, ViolationState
from tests.fakes import START
from tools.cost import multiply_adds
from tools.doors import DOOR_PEOPLE, ShownPicture, at_doors, distinct

WIDTH, HEIGHT = 1280, 960
SWAY_PX = 20
NOISE = 3.0
GRAIN_PX = 64
"""The noise is one larger picture, of which each frame shows another part."""
FPS = 15
SECONDS = 6
COUNTED_PX = 22
"""Smaller faces need not be reported: just above what the daemon judges at all."""
NAMES = {MASKED: "masked", BARE: "bare"}
UNSURE = -1
"""The label of a face that is too unclear to say whether it wears a mask."""
COUNTS = (
    "masked",
    "masked followed",
    "bare",
    "bare followed",
    "bare, reported",
    "reported",
    "masked, reported",
    "worn wrongly, reported",
    "nobody can say",
    "no labeled face",
    "reported twice",
)
"""The first five are faces from COUNTED_PX, the others are violations."""
VERDICTS = {
    MASKED: Verdict.MASKED,
    BARE: Verdict.BARE,
    WORN_WRONGLY: Verdict.WORN_WRONGLY,
}
"""What the people of each label should be counted as."""
STATES_OF_LABELS = {
    MASKED: MaskState.MASKED,
    BARE: MaskState.BARE,
    WORN_WRONGLY: MaskState.WORN_WRONGLY,
}


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a labeled face."""

    label: int
    size_px: float
    people: int
    """Labeled faces in its scene."""
    is_followed: bool
    verdict: Verdict
    """UNKNOWN: not judged."""


GROUPS: dict[str, Callable[[Fate], bool]] = {
    "16 to 24 px": lambda fate: 16 <= fate.size_px < 24,
    "24 to 32 px": lambda fate: 24 <= fate.size_px < 32,
    "32 to 64 px": lambda fate: 32 <= fate.size_px < 64,
    "64 px and more": lambda fate: fate.size_px >= 64,
    "up to 10 people": lambda fate: fate.size_px >= 24 and fate.people <= 10,
    "11 to 20": lambda fate: fate.size_px >= 24 and 10 < fate.people <= 20,
    "21 and more": lambda fate: fate.size_px >= 24 and fate.people > 20,
}
"""By the size of the face, and from 24 px on by the people in sight."""
COSTS = ("million multiply-adds a second", "ms of processor time a second")


@dataclass(frozen=True, slots=True)
class Scene:
    pixels: Pixels
    """Larger than the frame by SWAY_PX on each side."""
    faces: tuple[LabelledFace, ...]

    def frames(self, noise: np.random.Generator) -> Iterator[tuple[Frame, float, float]]:
        """Return each frame, and where its left upper corner is in the scene."""
        size = (HEIGHT + GRAIN_PX, WIDTH + GRAIN_PX, 3)
        grain = NOISE * noise.standard_normal(size, np.float32)
        for number in range(FPS * SECONDS):
            seconds = number / FPS
            left = SWAY_PX * (1 + math.sin(1.9 * seconds))
            top = SWAY_PX * (1 + math.sin(1.3 * seconds + 1)) / 2
            shift = np.array([[1, 0, -left], [0, 1, -top]])
            shown = cv2.warpAffine(self.pixels, shift, (WIDTH, HEIGHT))
            x, y = noise.integers(0, GRAIN_PX, 2)
            here = grain[y : y + HEIGHT, x : x + WIDTH]
            noisy = np.asarray(cv2.add(shown, here, dtype=cv2.CV_8U), np.uint8)
            yield Frame(number, noisy, START + timedelta(seconds=seconds), seconds), left, top

    def face_at(self, box: Box) -> LabelledFace | None:
        """Return whose face a box of the scene is."""
        best = max(self.faces, key=lambda face: face.box.iou(box), default=None)
        return best if best and best.box.iou(box) >= MIN_IOU else None


def pictures_of(boxed: BoxedSet, split: Path | None) -> list[BoxedPicture]:
    """Return those that training has not seen; all without a split. Raises ConfigError."""
    if split is None:
        return list(boxed.pictures)
    return [*boxed.of_part("validation", split), *boxed.of_part("test", split)]


def groups_of(pictures: list[BoxedPicture], columns: int) -> Iterator[list[ShownPicture]]:
    """Return what is shown together, `columns` in each direction; the last few are left out."""
    random.Random(0).shuffle(pictures)
    number = columns**2
    for begin in range(0, len(pictures) - number + 1, number):
        yield [ShownPicture(each) for each in pictures[begin : begin + number]]


def scene_of(pictures: Sequence[ShownPicture], columns: int) -> Scene:
    """Return the pictures beside and below each other."""
    wide, high = WIDTH // columns, HEIGHT // columns
    pixels = np.full((HEIGHT + 2 * SWAY_PX, WIDTH + 2 * SWAY_PX, 3), 120, np.uint8)
    faces = []
    for index, shown in enumerate(pictures):
        each = shown.picture
        picture = each.read()
        ratio = shown.ratio(min(wide / picture.shape[1], high / picture.shape[0]))
        size = (round(picture.shape[1] * ratio), round(picture.shape[0] * ratio))
        picture = resize(picture, size)
        left = SWAY_PX + index % columns * wide
        top = SWAY_PX + index // columns * high
        pixels[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        faces += [
            LabelledFace(face.box.scaled(ratio, ratio).moved(left, top), face.label)
            for face in (*each.faces, *(LabelledFace(box, UNSURE) for box in each.unsure))
        ]
    return Scene(pixels, tuple(faces))


def judge_group(
    job: tuple[int, list[ShownPicture], int, Settings],
) -> tuple[Counter[str], list[Fate]]:
    """Judge one scene: its number, pictures and columns. In a process of its own."""
    number, pictures, columns, settings = job
    return judge(scene_of(pictures, columns), settings, np.random.default_rng(number))


def judge(
    scene: Scene, settings: Settings, noise: np.random.Generator
) -> tuple[Counter[str], list[Fate]]:
    """Count who is there, whom the daemon would report and what that costs; say what became of
    each."""
    pipeline = open_pipeline(settings, load_bundle(), lambda at: str(uuid.uuid4()))
    whose: dict[int, LabelledFace | None] = {}
    reported: list[int] = []
    verdicts: dict[int, Verdict] = {}
    spent_s = 0.0
    for frame, left, top in scene.frames(noise):
        begun_s = time.process_time()
        outcome = pipeline.process(frame)
        spent_s += time.process_time() - begun_s
        for sighting in outcome.sightings:
            box = sighting.reading.face.box.moved(left, top)
            whose[sighting.track_id] = scene.face_at(box)
        reported += [
            violation.track_id
            for violation in outcome.decision.violations
            if violation.state is ViolationState.CONFIRMED
        ]
        verdicts |= {visit.track_id: visit.verdict for visit in outcome.decision.visits}
    verdicts |= {visit.track_id: visit.verdict for visit in pipeline.finish().visits}
    count = _count(scene, whose, reported)
    costs = multiply_adds(pipeline.work), 1000 * spent_s
    count.update({name: round(cost / SECONDS) for name, cost in zip(COSTS, costs, strict=True)})
    return count, _fates(scene, whose, verdicts)


def _fates(
    scene: Scene, whose: dict[int, LabelledFace | None], verdicts: dict[int, Verdict]
) -> list[Fate]:
    fates = []
    for face in scene.faces:
        tracks = [track_id for track_id, each in whose.items() if each == face]
        judged = (verdicts.get(each, Verdict.UNKNOWN) for each in tracks)
        verdict = next((each for each in judged if each is not Verdict.UNKNOWN), Verdict.UNKNOWN)
        fates.append(Fate(face.label, face.box.size_px, len(scene.faces), bool(tracks), verdict))
    return fates


def _count(
    scene: Scene, whose: dict[int, LabelledFace | None], reported: list[int]
) -> Counter[str]:
    count = Counter(dict.fromkeys(COUNTS, 0))
    counted = [face for face in scene.faces if face.box.size_px >= COUNTED_PX]
    followed = [face for face in whose.values() if face is not None]
    for face in counted:
        if face.label in NAMES:
            name = NAMES[face.label]
            count[name] += 1
            count[f"{name} followed"] += face in followed
    faces_reported = [whose[track_id] for track_id in reported]
    count["bare, reported"] = sum(face.label == BARE for face in counted if face in faces_reported)
    count["reported"] = len(reported)
    labels = [face.label for face in faces_reported if face is not None]
    count["masked, reported"] = labels.count(MASKED)
    count["worn wrongly, reported"] = labels.count(WORN_WRONGLY)
    count["nobody can say"] = labels.count(UNSURE)
    count["no labeled face"] = sum(face is None for face in faces_reported)
    count["reported twice"] = (
        len(faces_reported) - len(set(faces_reported) - {None}) - count["no labeled face"]
    )
    return count


def rates(fates: Sequence[Fate]) -> list[str]:
    """Return the lines of a table: for each group and label how many faces there are, and which
    shares of them are followed, judged, and judged as what they are."""
    columns = f"{'faces':>7}{'followed':>10}{'judged':>8}{'right':>8}"
    lines = [
        " " * 16 + "".join(f"{verdict:>{len(columns)}}" for verdict in VERDICTS.values()),
        " " * 16 + columns * len(VERDICTS),
    ]
    for name, belongs in GROUPS.items():
        cells = [f"{name:16}"]
        for label, verdict in VERDICTS.items():
            group = [each for each in fates if each.label == label and belongs(each)]
            judged = [each for each in group if each.verdict is not Verdict.UNKNOWN]
            parts = (
                sum(each.is_followed for each in group),
                len(judged),
                sum(each.verdict is verdict for each in judged),
            )
            cells.append(f"{len(group):7}")
            shares = (f"{part / len(group):.3f}" if group else "-" for part in parts)
            cells += [f"{share:>{width}}" for share, width in zip(shares, (10, 8, 8), strict=True)]
        lines.append("".join(cells))
    return lines


def eyes_card(fates: Sequence[Fate], data: str, networks: NetworkPair) -> EyesCard:
    """Return what became of the people of each state and class of size."""
    people = []
    for label, state in STATES_OF_LABELS.items():
        for begin, end in zip(SIZES_PX[1:], (*SIZES_PX[2:], math.inf), strict=True):
            group = [
                each.verdict
                for each in fates
                if each.label == label and begin <= each.size_px < end
            ]
            counts = (group.count(verdict) for verdict in VERDICTS.values())
            if group:
                people.append(KnownPeople(state, begin, len(group), *counts))
    return EyesCard(1, networks, data, tuple(people))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boxed", type=Path, action="append", required=True)
    parser.add_argument("--detector", choices=NAMES_OF_DETECTORS, default="auto")
    parser.add_argument("--detector-model", default="")
    parser.add_argument("--split", type=Path, help="only pictures that training has not seen")
    parser.add_argument("--columns", type=int, default=2, help="of pictures in a scene")
    parser.add_argument("--plan", choices=PLANS, default=USUAL.name)
    parser.add_argument("--most", type=int, help="scenes of each set (default: all)")
    parser.add_argument(
        "--eyes",
        type=Path,
        help=f"write what rates are corrected with: {DOOR_PEOPLE} people in sight at most, no face "
        "twice, and every size",
    )
    options = parser.parse_args()
    detector = {
        "name": options.detector,
        "model": options.detector_model,
        "plan": options.plan,
    }
    sections = {"mqtt": {"host": "none"}, "camera": {"source": "none"}, "detector": detector}
    settings = parse_settings(sections, "street")
    total: Counter[str] = Counter()
    fates: list[Fate] = []
    shown = 0
    try:
        sets = [pictures_of(read_boxed(folder), options.split) for folder in options.boxed]
    except ConfigError as error:
        parser.error(str(error))
    if options.eyes:
        at_door = at_doors(distinct(sets), options.columns**2)
        groups = [group for of_set in at_door for group in of_set[: options.most]]
    else:
        of_sets = (groups_of(pictures, options.columns) for pictures in sets)
        groups = [group for of_set in of_sets for group in itertools.islice(of_set, options.most)]
    jobs = [(number, group, options.columns, settings) for number, group in enumerate(groups)]
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for count, new in pool.map(judge_group, jobs):
            total.update(count)
            fates += new
            shown += 1
    print(f"{shown} scenes, {options.detector}, plan {options.plan}, faces from {COUNTED_PX} px")
    for name in COSTS:
        total[name] = round(total[name] / max(1, shown))
    for name, number in total.items():
        print(f"{number:6}  {name}")
    print(*rates(fates), sep="\n")
    if options.eyes:
        names = ", ".join(folder.name for folder in options.boxed)
        unseen = "pictures that training has not seen" if options.split else "all pictures"
        networks = NetworkPair(load_bundle().card.model_sha256, read_card().sha256)
        card = eyes_card(fates, f"{unseen} of {names}, in motion", networks)
        options.eyes.write_bytes(msgspec.json.format(msgspec.json.encode(card), indent=1) + b"\n")


if __name__ == "__main__":
    main()
