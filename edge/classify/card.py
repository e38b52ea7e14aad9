"""What a model bundle must be: a folder with `model.tflite` and the `model.json` that describes it.

`convert bundle` writes one, the service loads one, and nothing is used whose digest does not match,
or that fails its golden self-test (`golden`). Both find damage and mistakes. They are no signature:
who may write the folder may write both files.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from edge.errors import ModelError
from edge.records import ModelId

MODEL_FILE = "model.tflite"
CARD_FILE = "model.json"
LABELS = ("with_mask", "without_mask")
"""The classes, in the order of the network's outputs."""
BARE = LABELS.index("without_mask")
DEFAULT_BUNDLE = Path(__file__).parent / "bundle"
"""The bundle that comes with the program."""

MAX_MODEL_BYTES = 32 * 1024 * 1024
MAX_CARD_BYTES = 1024 * 1024

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.+() \-]{1,64}$")]
"""Goes into each message and onto terminals: short, and nothing that controls one."""


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of `model.json`: a key that is not known is an error."""


class Quantization(_Part, frozen=True):
    """real = scale * (int8 - zero_point)."""

    scale: Annotated[float, msgspec.Meta(gt=0)]
    zero_point: Annotated[int, msgspec.Meta(ge=-128, le=127)]


class Thresholds(_Part, frozen=True):
    """Where a probability of `without_mask` becomes a verdict."""

    bare: Share
    """At or above: no mask."""
    masked: Share
    """At or below: masked. Between the two the face is not decided."""


class CurvePoint(_Part, frozen=True):
    """Precision and recall of `without_mask` when faces at or above a threshold are called so."""

    threshold: Share
    precision: Share
    recall: Share


class Measurement(_Part, frozen=True):
    """Metrics, and what they were measured on."""

    data: str
    """The pictures, in words."""
    pictures: Annotated[int, msgspec.Meta(ge=1)]
    runtime: str
    accuracy: Share
    agreement_with_keras: Share | None = None
    """The share of pictures for which the Keras model gives the same answer."""
    per_class: dict[str, dict[str, float]] = {}
    """Precision, recall, F1 and support of each label."""


class TrainingData(_Part, frozen=True):
    name: str
    pictures: Annotated[int, msgspec.Meta(ge=1)]
    digest: Digest
    """sha256 over the sorted sha256 of the pictures used."""


class Golden(_Part, frozen=True):
    """Patterns of `edge.classify.golden`, and how the model answers them."""

    recipe: Literal["blotches/1"]
    """How a pattern is drawn from its number."""
    patterns: Annotated[
        tuple[Annotated[int, msgspec.Meta(ge=0, lt=2**31)], ...],
        msgspec.Meta(min_length=4, max_length=32),
    ]
    bare_answers: tuple[Annotated[int, msgspec.Meta(ge=-128, le=127)], ...]
    """The int8 output `without_mask` for each of them."""

    def __post_init__(self) -> None:
        if len(self.patterns) != len(self.bare_answers):
            raise ValueError("patterns and bare_answers come in pairs")


class ModelCard(_Part, frozen=True, kw_only=True):
    """`model.json`."""

    schema: Annotated[int, msgspec.Meta(ge=1, le=1)] = 1
    name: Name
    version: Name
    labels: tuple[str, ...]
    input_side_px: Annotated[int, msgspec.Meta(ge=16, le=512)]
    crop_margin: Annotated[float, msgspec.Meta(ge=1, le=4)]
    """The crop's side over the longer side of the face box."""
    input: Quantization
    output: Quantization
    thresholds: Thresholds
    threshold_curve: list[CurvePoint] = []
    """What the thresholds were chosen by, on single looks."""
    multiply_adds: Annotated[int, msgspec.Meta(ge=0)]
    """For one face."""
    metrics: list[Measurement]
    golden: Golden
    model_sha256: Digest
    training_data: TrainingData
    licence: str
    provenance: str
    """Where the weights come from: starting weights, program, seed."""
    created_at: str
    """UTC, ISO 8601."""

    @property
    def model_id(self) -> ModelId:
        return ModelId(self.name, self.version, self.model_sha256)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A checked bundle: the description and the bytes it describes."""

    card: ModelCard
    model: bytes
    folder: Path


def digest(content: bytes) -> str:
    """Return the sha256 of `content` in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def load_bundle(location: str | Path = "") -> Bundle:
    """Read and check the bundle in that folder; empty: the one that comes with the program.

    Raises ModelError when a file is missing, too large, malformed, or not the one described.
    """
    folder = Path(location or DEFAULT_BUNDLE)
    card_bytes = _read(folder / CARD_FILE, MAX_CARD_BYTES)
    try:
        card = msgspec.json.decode(card_bytes, type=ModelCard)
    # Text that is no UTF-8, and lists in lists without end, have errors of their own.
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelError(
            f"{folder / CARD_FILE}: {error}; make the bundle anew with `python -m convert bundle`"
        ) from error
    if card.labels != LABELS:
        raise ModelError(
            f"{folder / CARD_FILE}: labels are {list(card.labels)}, but must be {list(LABELS)}"
        )
    if card.thresholds.masked > card.thresholds.bare:
        raise ModelError(f"{folder / CARD_FILE}: thresholds.masked is above thresholds.bare")
    model = _read(folder / MODEL_FILE, MAX_MODEL_BYTES)
    found = digest(model)
    if found != card.model_sha256:
        raise ModelError(
            f"{folder / MODEL_FILE}: sha256 is {found[:12]}…, but {CARD_FILE} says "
            f"{card.model_sha256[:12]}…: the file was changed or damaged; install the bundle again"
        )
    return Bundle(card, model, folder)


def _read(path: Path, limit: int) -> bytes:
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise ModelError(f"{path}: no file")
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise ModelError(
            f"{path}: {error.strerror}; a bundle is a folder with {MODEL_FILE} and {CARD_FILE}"
        ) from error
    if len(content) > limit:
        raise ModelError(f"{path}: larger than {limit} bytes, so no bundle of ours")
    return content
