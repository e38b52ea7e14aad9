"""The scenes of a street and its table of rates are what is said of them."""

from __future__ import annotations

import numpy as np

from convert.data.voc import LabelledFace
from edge.classify.card import BARE, MASKED, WORN_WRONGLY
from edge.config import parse_settings
from edge.eyes import EyesCard, KnownPeople, NetworkPair
from edge.people import PEOPLE, frames
from edge.records import Box, MaskState, Verdict
from tools.street import HEIGHT, SWAY_PX, WIDTH, Fate, Scene, eyes_card, judge, rates

SETTINGS = parse_settings({"mqtt": {"host": "none"}, "camera": {"source": "none"}}, "street")


def test_what_became_of_each_face_is_what_is_shown() -> None:
    (picture,) = frames(1, 15)
    pixels = np.full((HEIGHT + 2 * SWAY_PX, WIDTH + 2 * SWAY_PX, 3), 120, np.uint8)
    pixels[: picture.shape[0], : picture.shape[1]] = picture
    faces = []
    for figure, label in zip(PEOPLE[1:], (MASKED, BARE), strict=True):
        wide, high = 0.4 * figure.head_px, 0.5 * figure.head_px
        box = Box(figure.x - wide, figure.y - high, figure.x + wide, figure.y + high)
        faces.append(LabelledFace(box, label))
    nobody = LabelledFace(Box(1000, 800, 1040, 850), WORN_WRONGLY)
    scene = Scene(pixels, (*faces, nobody))
    count, fates = judge(scene, SETTINGS, np.random.default_rng(0))
    assert [(each.is_followed, each.verdict) for each in fates] == [
        (True, Verdict.MASKED),
        (True, Verdict.BARE),
        (False, Verdict.UNKNOWN),
    ]
    assert {each.people for each in fates} == {3}
    assert (count["bare, reported"], count["masked, reported"]) == (1, 0)


def test_rates_are_shares_of_all_the_faces_of_a_size_and_of_a_crowd() -> None:
    def fate(label: int, size_px: float, people: int, verdict: Verdict | None) -> Fate:
        is_followed = verdict is not None
        return Fate(label, size_px, people, is_followed, verdict or Verdict.UNKNOWN)

    lines = rates(
        [
            fate(MASKED, 30, 5, Verdict.MASKED),
            fate(MASKED, 30, 5, Verdict.BARE),
            fate(MASKED, 30, 5, Verdict.UNKNOWN),
            fate(MASKED, 30, 5, None),
            fate(BARE, 40, 15, Verdict.BARE),
            fate(WORN_WRONGLY, 16, 15, Verdict.WORN_WRONGLY),
            fate(BARE, 15.9, 15, Verdict.BARE),
        ]
    )
    rows = {line[:16].strip(): line[16:].split() for line in lines[2:]}
    nobody = ["0", "-", "-", "-"]
    certain = ["1", "1.000", "1.000", "1.000"]
    assert rows["24 to 32 px"] == ["4", "0.750", "0.500", "0.250", *nobody, *nobody]
    assert rows["32 to 64 px"] == [*nobody, *certain, *nobody]
    assert rows["16 to 24 px"] == [*nobody, *nobody, *certain]
    assert rows["up to 10 people"] == rows["24 to 32 px"]
    assert rows["11 to 20"] == rows["32 to 64 px"]
    assert rows["21 and more"] == nobody * 3


def test_what_became_of_people_is_what_rates_are_corrected_with() -> None:
    def fate(label: int, size_px: float, verdict: Verdict) -> Fate:
        return Fate(label, size_px, 5, is_followed=True, verdict=verdict)

    fates = [
        fate(MASKED, 30, Verdict.MASKED),
        fate(MASKED, 31.9, Verdict.WORN_WRONGLY),
        fate(MASKED, 200, Verdict.BARE),
        fate(BARE, 15.9, Verdict.BARE),
        fate(BARE, 48, Verdict.UNKNOWN),
        fate(WORN_WRONGLY, 130, Verdict.MASKED),
    ]
    networks = NetworkPair("a", "b")
    assert eyes_card(fates, "drawn", networks) == EyesCard(
        1,
        networks,
        "drawn",
        (
            KnownPeople(MaskState.MASKED, 24, 2, 1, 0, 1),
            KnownPeople(MaskState.MASKED, 128, 1, 0, 1),
            KnownPeople(MaskState.BARE, 48, 1, 0, 0),
            KnownPeople(MaskState.WORN_WRONGLY, 128, 1, 1, 0),
        ),
    )
