"""The known clip: a release that judges rightly passes, each kind of blindness has its words."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pytest

from edge.classify.classifier import MaskClassifier
from edge.commands.proof import ProofError, prove
from edge.decide.policy import ViolationPolicy
from edge.detect.yunet import YuNet
from edge.records import Face, Frame, MaskReading, Pixels, Sighting
from tests.fakes import face_read


def test_this_release_judges_the_known_clip_rightly() -> None:
    assert prove().startswith("3 of 3 drawn people were found and judged as drawn, by tensormask")


def test_a_release_that_finds_nobody_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(self: YuNet, pixels: Pixels) -> tuple[Face, ...]:
        return ()

    monkeypatch.setattr(YuNet, "find", nobody)
    with pytest.raises(ProofError, match="of 3 drawn people it found nobody"):
        prove()


@pytest.mark.parametrize(
    ("bare", "judged"), [(0.0, "3 as masked"), (1.0, "3 as bare"), (None, "3 as unknown")]
)
def test_a_release_that_judges_everybody_alike_fails(
    monkeypatch: pytest.MonkeyPatch, bare: float | None, judged: str
) -> None:
    def alike(self: MaskClassifier, frame: Frame, faces: Sequence[Face]) -> list[MaskReading]:
        return [face_read(face, bare) for face in faces]

    monkeypatch.setattr(MaskClassifier, "classify", alike)
    with pytest.raises(ProofError, match=f"2 masked and 1 without a mask, it judged {judged}$"):
        prove()


def test_a_release_that_reports_nobody_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    update = ViolationPolicy.update

    def silent(
        self: ViolationPolicy,
        sightings: Sequence[Sighting],
        ended: Sequence[int],
        returned: Sequence[int] = (),
        lifeless: Collection[int] = (),
    ) -> object:
        decision = update(self, sightings, ended, returned, lifeless)
        return type(decision)((), decision.visits)

    monkeypatch.setattr(ViolationPolicy, "update", silent)
    with pytest.raises(ProofError, match="of 1 drawn people without a mask it reported 0"):
        prove()
