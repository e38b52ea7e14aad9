"""Classify: how likely each face is masked, bare, or what else the network tells apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.classify.card import Bundle
from edge.classify.golden import self_test
from edge.classify.network import open_network
from edge.classify.preprocess import crop_face, face_sharpness
from edge.config import ClassifierSettings
from edge.errors import ModelError
from edge.records import Face, Frame, MaskReading, MaskState, Pixels


class MaskClassifier:
    """Looks at faces with the network of a bundle."""

    def __init__(self, bundle: Bundle, settings: ClassifierSettings) -> None:
        """Load the network and have it pass its self-test.

        Raises ModelError when it is not what `model.json` describes.
        """
        card = bundle.card
        self._network = open_network(card.format, bundle.model, settings.threads)
        described = (card.input_side_px, len(card.labels))
        found = (self._network.side_px, self._network.labels)
        if found != described:
            raise ModelError(
                f"{bundle.folder}: model.json describes input side and labels {described}, "
                f"the model has {found}; make the bundle again"
            )
        for end, numbers in (
            (card.input, self._network.input_quantization),
            (card.output, self._network.output_quantization),
        ):
            if (end.scale, end.zero_point) != numbers:
                raise ModelError(
                    f"{bundle.folder}: model.json describes the quantization "
                    f"{(end.scale, end.zero_point)}, the model has {numbers}; make the bundle again"
                )
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
        return MaskReading(face, dict(zip(self._states, answers, strict=True)))
