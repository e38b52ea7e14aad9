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
from edge.files import DamagedFileError, decoded
from edge.installed import Slot, activated
from edge.records import MaskState, ModelId

MODEL_FILE = "model.tflite"
CARD_FILE = "model.json"
LABELS = ("with_mask", "without_mask", "worn_wrongly", "nobody")
"""The classes of the networks that we make, in the order of their outputs."""
MASKED, BARE, WORN_WRONGLY, NOBODY = range(len(LABELS))
"""Their places in the networks that we make; in others the card's labels tell them."""
STATES = {
    "with_mask": MaskState.MASKED,
    "without_mask": MaskState.BARE,
    "worn_wrongly": MaskState.WORN_WRONGLY,
    "mask_weared_incorrect": MaskState.WORN_WRONGLY,
    "nobody": None,
}
"""What each label that a card may have means; None: that there is no face."""
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

    @property
    def numbers(self) -> tuple[float, int]:
        """Scale and zero point."""
        return self.scale, self.zero_point


class Features(Quantization, frozen=True):
    """The network's second output: what its last layer judges by."""

    size: Annotated[int, msgspec.Meta(ge=8, le=4096)]
    """How many numbers describe a face."""


class CardThresholds(_Part, frozen=True):
    """Where the probabilities of no mask and of one worn wrongly, added up, become a verdict."""

    bare: Share
    """At or above: mouth and nose are not covered."""
    masked: Share
    """At or below: masked. Between the two the face is not decided."""
    somebody: Share | None = None
    """At or above, the detector's score times 1 - `nobody` is surely a face. None: the score that
    the detector itself calls sure."""


class CurvePoint(_Part, frozen=True):
    """Precision and recall of `without_mask` when faces at or above a threshold are called so."""

    threshold: Share
    precision: Share
    recall: Share


class Measurement(_Part, frozen=True):
    """Metrics, and what they were measured on."""

    data: str
    """The pictures, as text."""
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
    answers: tuple[tuple[Annotated[int, msgspec.Meta(ge=-128, le=127)], ...], ...] = ()
    """All int8 outputs for each of them: needed where there are more than two, of which one does
    not tell the others."""
    features: tuple[tuple[Annotated[int, msgspec.Meta(ge=-128, le=127)], ...], ...] = ()
    """The int8 features of each of them, where the network gives features."""

    def __post_init__(self) -> None:
        if len(self.patterns) != len(self.bare_answers):
            raise ValueError("patterns and bare_answers come in pairs")
        if self.answers and len(self.patterns) != len(self.answers):
            raise ValueError("patterns and answers come in pairs")
        if self.features and len(self.patterns) != len(self.features):
            raise ValueError("patterns and features come in pairs")


class ModelCard(_Part, frozen=True, kw_only=True):
    """`model.json`."""

    schema: Annotated[int, msgspec.Meta(ge=1, le=1)] = 1
    name: Name
    version: Name
    format: Name = "tflite-int8"
    """What runs the model, see `edge.classify.network`."""
    labels: tuple[str, ...]
    input_side_px: Annotated[int, msgspec.Meta(ge=16, le=512)]
    crop_margin: Annotated[float, msgspec.Meta(ge=1, le=4)]
    """The crop's side over the longer side of the face box."""
    input: Quantization
    output: Quantization
    features: Features | None = None
    """None: the network has one output, the answers."""
    thresholds: CardThresholds
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
    def states(self) -> tuple[MaskState | None, ...]:
        """What each answer of the network is the probability of; None: that there is no face."""
        return tuple(STATES[label] for label in self.labels)

    @property
    def model_id(self) -> ModelId:
        return ModelId(self.name, self.version, self.model_sha256)

    @property
    def tells_nobody(self) -> bool:
        """Whether the network also says that there is no face."""
        return None in self.states


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
    """Read and check the bundle in that folder; empty: the one in use, see `edge.installed`.

    Raises ModelError when a file is missing, too large, malformed, or not the one described.
    """
    folder = Path(location or activated(Slot.BUNDLE) or DEFAULT_BUNDLE)
    card_bytes = _read(folder / CARD_FILE, MAX_CARD_BYTES)
    try:
        card = decoded(card_bytes, ModelCard)
    except DamagedFileError as error:
        raise ModelError(
            f"{folder / CARD_FILE}: {error}; make the bundle again with `python -m convert bundle`"
        ) from error
    _refuse_odd_labels(card, str(folder / CARD_FILE))
    _refuse_odd_features(card, str(folder / CARD_FILE))
    if card.thresholds.masked > card.thresholds.bare:
        raise ModelError(f"{folder / CARD_FILE}: thresholds.masked is above thresholds.bare")
    if card.thresholds.somebody is not None and not card.tells_nobody:
        raise ModelError(
            f"{folder / CARD_FILE}: thresholds.somebody needs the label {LABELS[NOBODY]}; leave it "
            "out, or make the bundle again"
        )
    model = _read(folder / MODEL_FILE, MAX_MODEL_BYTES)
    found = digest(model)
    if found != card.model_sha256:
        raise ModelError(
            f"{folder / MODEL_FILE}: sha256 is {found[:12]}…, but {CARD_FILE} says "
            f"{card.model_sha256[:12]}…: the file was changed or damaged; install the bundle again"
        )
    return Bundle(card, model, folder)


def _refuse_odd_labels(card: ModelCard, origin: str) -> None:
    means = {STATES[label] for label in card.labels if label in STATES}
    is_each_once = len(means) == len(card.labels)
    if not is_each_once or not {MaskState.MASKED, MaskState.BARE} <= means:
        raise ModelError(
            f"{origin}: labels are {list(card.labels)}, but must be {list(LABELS[:2])}, "
            f"perhaps {' and '.join(LABELS[2:])}, each once"
        )
    if any(len(row) != len(card.labels) for row in card.golden.answers):
        raise ModelError(f"{origin}: golden.answers does not have one answer for each label")
    if len(card.labels) > 2 and not card.golden.answers:
        raise ModelError(f"{origin}: golden.answers is missing; more than two labels need it")


def _refuse_odd_features(card: ModelCard, origin: str) -> None:
    size = 0 if card.features is None else card.features.size
    rows = card.golden.features
    if bool(size) != bool(rows) or any(len(row) != size for row in rows):
        raise ModelError(
            f"{origin}: golden.features does not have the {size} features of each pattern; "
            "make the bundle again with `python -m convert bundle`"
        )


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
        raise ModelError(f"{path}: larger than {limit} bytes, so not a bundle of this program")
    return content
