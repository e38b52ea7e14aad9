"""Classify: how likely each face is masked, bare, or what else the network tells apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from edge.classify.card import Bundle, ModelCard
from edge.classify.golden import self_test
from edge.classify.network import Network, open_network
from edge.classify.preprocess import crop_face, face_sharpness
from edge.config import ClassifierSettings
from edge.errors import ModelError
from edge.records import Face, Frame, MaskReading, MaskState, Pixels

STEP: Final = 1 / 256
"""The least difference of two int8 probabilities."""


class MaskClassifier:
    """Looks at faces with the network of a bundle."""

    def __init__(self, bundle: Bundle, settings: ClassifierSettings) -> None:
        """Load the network and have it pass its self-test.

        Raises ModelError when it is not what `model.json` describes.
        """
        card = bundle.card
        self._network = open_network(card.format, bundle.model, settings.threads)
        _refuse_another(self._network, card, str(bundle.folder))
        self._states = card.states
        self_test(self._network, card.golden, self._states.index(MaskState.BARE))
        self._margin = card.crop_margin
        self._min_face_px = settings.min_face_px
        self._min_sharpness = settings.min_sharpness

    def classify(self, frame: Frame, faces: Sequence[Face]) -> tuple[MaskReading, ...]:
        """Return a reading for each face, in their order."""
        return tuple(self._read(frame.pixels, face) for face in faces)

    def _read(self, pixels: Pixels, face: Face) -> MaskReading:
        if face.box.size_px < self._min_face_px:
            return MaskReading(face, None)
        if face_sharpness(pixels, face.box) < self._min_sharpness:
            return MaskReading(face, None)
        crop = crop_face(pixels, face.box, self._margin, self._network.side_px)
        answers = self._network.probabilities(crop[np.newaxis])[0].tolist()
        said = {
            state: answer
            for state, answer in zip(self._states, answers, strict=True)
            if state is not None
        }
        if len(said) == len(answers):
            return MaskReading(face, said)
        return MaskReading(face, _given_somebody(said), answers[self._states.index(None)])


def _refuse_another(network: Network, card: ModelCard, origin: str) -> None:
    """Raise ModelError unless the network has the sizes and scales that the card describes."""
    features = card.features
    for what, described, found in (
        (
            "input side, labels and features",
            (card.input_side_px, len(card.labels), features.size if features else 0),
            (network.side_px, network.labels, network.features_size),
        ),
        ("the quantization", card.input.numbers, network.input_quantization),
        ("the quantization", card.output.numbers, network.output_quantization),
        (
            "the quantization",
            features.numbers if features else None,
            network.features_quantization,
        ),
    ):
        if found != described:
            raise ModelError(
                f"{origin}: model.json describes {what} {described}, the model has {found}; "
                "make the bundle again"
            )


def _given_somebody(said: Mapping[MaskState, float]) -> dict[MaskState, float]:
    """Return the probabilities of the states if there is a face; they add up to 1.

    One step of the network's output, spread over all states, keeps what is next to nothing from
    looking sure.
    """
    whole = sum(said.values()) + STEP
    return {state: (p + STEP / len(said)) / whole for state, p in said.items()}
