"""Does this release judge what is known as it should? What another one asks before it is used.

A clip of drawn people goes the whole road, from the capture to the documents, with the networks in
use and no settings of the device's: what those are for, nobody else can know.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import cv2
import msgspec

from edge.classify.card import load_bundle
from edge.commands.replay import ClipSummary, replay
from edge.config import CameraSettings, MqttSettings, Settings
from edge.errors import TensorMaskError
from edge.people import HEIGHT_PX, PEOPLE, WIDTH_PX, frames
from edge.records import Verdict, Violation, ViolationState

FPS = 10
LENGTH_S = 4


class ProofError(TensorMaskError):
    """Do not use this release: it does not judge what is known as it should."""


def prove() -> str:
    """Judge the known clip; return what came of it in a line. Raises ProofError."""
    documents: list[dict[str, object]] = []

    def take(violation: Violation, payload: bytes) -> None:
        documents.append(msgspec.json.decode(payload, type=dict[str, object]))

    with tempfile.TemporaryDirectory(prefix="tensormask-") as folder:
        clip = Path(folder) / "people.avi"
        _write(clip)
        camera = CameraSettings(source=str(clip), realtime=False)
        settings = Settings(mqtt=MqttSettings(host="localhost"), camera=camera)
        summary = replay(settings, load_bundle(), take)
    confirmed = sum(each["state"] == ViolationState.CONFIRMED for each in documents)
    _compare(summary, confirmed)
    return (
        f"{len(summary.people)} of {len(PEOPLE)} drawn people were found and judged as drawn, by "
        f"{summary.detector} and {summary.model}"
    )


def _write(path: Path) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (WIDTH_PX, HEIGHT_PX))
    for picture in frames(FPS * LENGTH_S, FPS):
        writer.write(picture)
    writer.release()


def _compare(summary: ClipSummary, confirmed: int) -> None:
    if summary.frames != FPS * LENGTH_S:
        raise ProofError(f"of a clip of {FPS * LENGTH_S} frames it read {summary.frames}")
    found = Counter(person.verdict for person in summary.people)
    masked = sum(each.mask is not None for each in PEOPLE)
    bare = len(PEOPLE) - masked
    if found.total() != len(PEOPLE):
        who = "nobody" if not found else f"{found.total()}"
        raise ProofError(f"of {len(PEOPLE)} drawn people it found {who}")
    if found != Counter({Verdict.MASKED: masked, Verdict.BARE: bare}):
        taken = " and ".join(f"{count} as {verdict}" for verdict, count in sorted(found.items()))
        raise ProofError(
            f"of {len(PEOPLE)} drawn people, {masked} masked and {bare} without a mask, it judged "
            f"{taken}"
        )
    if confirmed != bare:
        raise ProofError(f"of {bare} drawn people without a mask it reported {confirmed}")
