# ruff: noqa: T201 - a command line module
"""What a station advises to people, and how soon: `make gate BOXED=folder:folder`.

A person of a boxed picture stands before a camera of 1280 x 720 that sways and has noise, for five
seconds at 15 frames: the largest face is 120 px wide and high, all others are farther away. It is
there in the first frame, and so known to be alive later than a person who walks up. The whole road
runs with its defaults. What counts is the advice of `edge.station`: how many may go, are
stopped or wait, and after how long. The people of a real clip are judged with `--clip`.
"""

from __future__ import annotations

import argparse
import random
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np

from convert.data.voc import BoxedPicture, LabelledFace, read_boxed
from edge.classify.card import BARE, MASKED, WORN_WRONGLY, load_bundle
from edge.config import Settings, parse_settings
from edge.pipeline import open_pipeline
from edge.pixels import resize
from edge.plan import PLANS, USUAL
from edge.records import Advice, Frame, Pixels
from edge.station import AS_NEAR, Station
from tests.clips import pictures_of as frames_of_clip
from tests.edge.samples import TELEMETRY
from tests.fakes import START
from tools.street import FPS, Scene, pictures_of

WIDTH, HEIGHT = 1280, 720
MARGIN_PX = 40
FACE_PX = 120
SECONDS = 5
LEAST_PX = 48
"""Smaller ones would be blurred at the station."""
LABELS = {MASKED: "masked", BARE: "no mask", WORN_WRONGLY: "worn wrongly"}
ANSWERS = (Advice.GO, Advice.NO_MASK, Advice.WORN_WRONGLY)


@dataclass(frozen=True, slots=True)
class Passage:
    """One person's."""

    said: tuple[tuple[float, Advice], ...]
    """Each change, and after how many seconds."""

    @property
    def first(self) -> tuple[float, Advice] | None:
        return next((each for each in self.said if each[1] in ANSWERS), None)

    def has_had(self, advice: Advice) -> bool:
        return any(said is advice for _, said in self.said)


def person_in(item: BoxedPicture) -> tuple[LabelledFace, float] | None:
    """Return who is nearest, and by how much the picture is to be scaled; None: nobody is alone."""
    faces = sorted(item.faces, key=lambda face: -face.box.size_px)
    others = [face.box.size_px for face in faces[1:]] + [box.size_px for box in item.unsure]
    if not faces or faces[0].box.size_px < LEAST_PX or faces[0].label not in LABELS:
        return None
    nearest = faces[0].box.size_px
    is_alone = max(others, default=0.0) < 0.9 * AS_NEAR * nearest
    return (faces[0], FACE_PX / nearest) if is_alone else None


def scene_of(item: BoxedPicture) -> tuple[int, Scene] | None:
    """Return the label, and the picture before a gray wall, its face in the middle."""
    found = person_in(item)
    if found is None:
        return None
    face, ratio = found
    picture = item.read()
    size = (max(1, round(picture.shape[1] * ratio)), max(1, round(picture.shape[0] * ratio)))
    picture = resize(picture, size)
    x, y = (round(part * ratio) for part in face.box.centre)
    wall = np.full((HEIGHT + MARGIN_PX, WIDTH + MARGIN_PX, 3), 120, np.uint8)
    left, top = wall.shape[1] // 2 - x, wall.shape[0] // 2 - y
    shift = np.array([[1.0, 0, left], [0, 1, top]])
    cv2.warpAffine(
        picture,
        shift,
        (wall.shape[1], wall.shape[0]),
        dst=wall,
        borderMode=cv2.BORDER_TRANSPARENT,
    )
    return face.label, Scene(wall, ())


def moving(scene: Scene) -> Iterator[Pixels]:
    noise = np.random.default_rng(0)
    for number, (frame, _, _) in enumerate(scene.frames(noise)):
        if number >= SECONDS * FPS:
            return
        yield np.ascontiguousarray(frame.pixels[:HEIGHT])


def passage(pictures: Iterator[Pixels], fps: float, settings: Settings) -> Passage:
    """Return what is advised from the first picture on."""
    pipeline = open_pipeline(settings, load_bundle(), lambda at: str(uuid.uuid4()))
    station = Station.of(settings)
    said: list[tuple[float, Advice]] = []
    for number, pixels in enumerate(pictures):
        seconds = number / fps
        frame = Frame(number, pixels, START + timedelta(seconds=seconds), seconds)
        advice = station.take(frame, pipeline.process(frame), TELEMETRY)
        if not said or said[-1][1] is not advice:
            said.append((seconds, advice))
    return Passage(tuple(said))


def table(passages: dict[int, list[Passage]]) -> Iterator[str]:
    yield (
        f"{'':14}{'people':>8}"
        + "".join(f"{each.value:>14}" for each in ANSWERS)
        + (f"{'none':>8}{'ever go':>9}{'ever stop':>11}   seconds p50, p90, within 2 s")
    )
    for label, name in LABELS.items():
        group = passages.get(label, [])
        if not group:
            continue
        firsts = [each.first for each in group]
        counts = [sum(bool(first and first[1] is answer) for first in firsts) for answer in ANSWERS]
        times = sorted(first[0] for first in firsts if first)
        stops = sum(
            each.has_had(Advice.NO_MASK) or each.has_had(Advice.WORN_WRONGLY) for each in group
        )
        quantiles = [times[int(share * (len(times) - 1))] for share in (0.5, 0.9)] if times else []
        within = sum(each <= 2.0 for each in times) / len(group)
        yield (
            f"{name:14}{len(group):8}"
            + "".join(f"{count:14}" for count in counts)
            + f"{firsts.count(None):8}{sum(each.has_had(Advice.GO) for each in group):9}{stops:11}"
            + "   "
            + ", ".join(f"{each:.2f}" for each in quantiles)
            + f", {within:.0%}"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boxed", type=Path, action="append", default=[])
    parser.add_argument("--clip", type=Path, action="append", default=[])
    parser.add_argument("--split", type=Path, help="only pictures that training has not seen")
    parser.add_argument("--plan", choices=PLANS, default=USUAL.name)
    parser.add_argument("--most", type=int, default=100, help="people of each label and set")
    options = parser.parse_args(arguments)
    settings = parse_settings(
        {
            "mqtt": {"host": "none"},
            "camera": {"source": "none"},
            "detector": {"plan": options.plan},
            "station": {"enabled": True},
        },
        "gate",
    )
    for clip in options.clip:
        fps = cv2.VideoCapture(str(clip)).get(cv2.CAP_PROP_FPS)
        said = passage(frames_of_clip(clip), fps, settings).said
        print(clip.name, ", ".join(f"{seconds:.1f} s {advice}" for seconds, advice in said))
    for folder in options.boxed:
        pictures = pictures_of(read_boxed(folder), options.split)
        random.Random(1).shuffle(pictures)
        passages: dict[int, list[Passage]] = defaultdict(list)
        for item in pictures:
            found = scene_of(item)
            if found is None or len(passages[found[0]]) >= options.most:
                continue
            label, scene = found
            passages[label].append(passage(moving(scene), FPS, settings))
            wrong = passages[label][-1].has_had(Advice.GO) != (label == MASKED)
            if wrong:
                print(item.picture.path, LABELS[label], passages[label][-1].said, flush=True)
        print(folder.name)
        print("\n".join(table(passages)), flush=True)


if __name__ == "__main__":
    main()
