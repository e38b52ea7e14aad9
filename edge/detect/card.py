"""What comes with the program as its own detector: the network, its description and a self-test.

`convert detector bundle` writes both files. The test finds what a digest cannot: an OpenCV that
calculates wrongly, or reads the file in another way.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.errors import ModelError
from edge.files import DamagedFileError, decoded
from edge.patterns import draw

FOLDER = Path(__file__).parent / "bundle"
NETWORK_FILE = "detector.onnx"
CARD_FILE = "detector.json"
TOLERANCE = 0.05
"""How far an answer may be off, as a share of the largest. OpenCV 4.11 and 4.14 are off by less
than 0.0001 from each other; a network with swapped colors or another training by 0.2 and more."""
PATTERN_PX = 160
OUTPUTS = ("bbox_8", "bbox_16", "bbox_32")

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of `detector.json`: a key that is not known is an error."""


class FoundFaces(_Part, frozen=True, kw_only=True):
    """How many labeled faces of a kind and size are found."""

    data: str
    """The pictures, as text."""
    kind: Literal["masked", "bare", "worn_wrongly"]
    size_px: str
    """Geometric mean of width and height, as `16-32` or `>= 32`."""
    faces: Annotated[int, msgspec.Meta(ge=0)]
    found: Annotated[int, msgspec.Meta(ge=0)]


class DetectorGolden(_Part, frozen=True, kw_only=True):
    """Patterns of `edge.patterns`, and what the network answers to them."""

    recipe: Literal["blotches/1"] = "blotches/1"
    patterns: Annotated[tuple[int, ...], msgspec.Meta(min_length=2, max_length=16)]
    answers: tuple[tuple[float, ...], ...]
    """For each pattern the means over each of `OUTPUTS`, four each."""


class DetectorCard(_Part, frozen=True, kw_only=True):
    """`detector.json`."""

    schema: Annotated[int, msgspec.Meta(ge=1, le=1)] = 1
    name: str
    version: str
    architecture: str
    parameters: int
    sha256: Digest
    """Of `detector.onnx`."""
    started_from: Digest
    """sha256 of the file that training started from."""
    licence: str
    provenance: str
    """What it was trained from and on, and by which command."""
    created_at: str
    """UTC, ISO 8601."""
    confidence: Share
    """The score from which on it takes something for a face."""
    sure: Share
    """The score from which on it is sure."""
    found: list[FoundFaces]
    """At `confidence`."""
    golden: DetectorGolden


FROM_16_PX = ("16-32", ">= 32")
"""The sizes that together are all faces that it is made for."""


def found_shares(card: DetectorCard) -> dict[str, float]:
    """Return by kind the share that it finds of faces from 16 px on; none of a kind not counted."""
    shares = {}
    for kind in ("masked", "bare"):
        counted = [each for each in card.found if each.kind == kind and each.size_px in FROM_16_PX]
        faces = sum(each.faces for each in counted)
        if faces:
            shares[kind] = sum(each.found for each in counted) / faces
    return shares


def read_card(folder: Path = FOLDER) -> DetectorCard:
    """Read the description. Raises ModelError."""
    path = folder / CARD_FILE
    try:
        return decoded(path.read_bytes(), DetectorCard)
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}; install the program again") from error
    except DamagedFileError as error:
        raise ModelError(f"{path}: {error}; install the program again") from error


def self_test(network: bytes, golden: DetectorGolden) -> None:
    """Raise ModelError unless the network answers its patterns as the description says."""
    wanted = np.array(golden.answers)
    answers = answers_to(network, golden.patterns)
    off = float(np.abs(answers - wanted).max() / np.abs(wanted).max())
    if off > TOLERANCE:
        raise ModelError(
            f"the detector fails its self-test: its answers are off by {off:.0%}, "
            f"{TOLERANCE:.0%} are allowed; OpenCV {cv2.__version__} gives wrong results on this "
            "machine: install the program and its packages again"
        )


def answers_to(network: bytes, patterns: tuple[int, ...]) -> NDArray[np.float64]:
    """Return (patterns, 12): the means over the maps of boxes."""
    net = cv2.dnn.readNetFromONNX(np.frombuffer(network, np.uint8))
    rows = []
    for number in patterns:
        net.setInput(cv2.dnn.blobFromImage(draw(number, PATTERN_PX)))
        maps = net.forward(OUTPUTS)
        rows.append(np.concatenate([np.asarray(each).reshape(-1, 4).mean(0) for each in maps]))
    return np.array(rows, np.float64)
