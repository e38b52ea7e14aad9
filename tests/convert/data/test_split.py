from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from convert.data import split as splits
from convert.data.dataset import Picture, digest_of
from convert.data.split import (
    KNOWN_DIGITS,
    LEAK_LIMIT,
    SHARES,
    Assignment,
    HeldOut,
    LeakError,
    Split,
    SplitPart,
    face_likeness,
    held_out,
    kept_parts,
    leak_fingerprints,
    make_split,
    nearest_pairs,
    read_split,
    refuse_leak,
    same_faces,
)
from convert.files import write_document
from edge.errors import ConfigError
from tests.convert.pictures import draw_face, face_box


def pictures_of(labels: list[int]) -> list[Picture]:
    return [Picture(f"{i}.png", label, f"{i:064d}") for i, label in enumerate(labels)]


def test_what_is_held_out_is_known_without_the_split(tmp_path: Path) -> None:
    digests = [f"{i:016x}" + 48 * "0" for i in range(80)]
    pictures = [Picture(f"{i}.png", i % 2, digest) for i, digest in enumerate(digests)]
    split = make_split(pictures, np.arange(80), 7)
    held = held_out([split])
    assert held.training_digest == digest_of(split.part(SplitPart.TRAINING))
    write_document(tmp_path / "held-out.json", held)
    for part in (SplitPart.VALIDATION, SplitPart.TEST):
        # Beside pictures that it has never heard of.
        shown = [*pictures, Picture("other.png", 0, 64 * "f")]
        found = splits.pictures_of(shown, part.value, tmp_path / "held-out.json")
        assert found == split.part(part)
    with pytest.raises(ConfigError, match="0 in the training part"):
        splits.pictures_of(pictures, "training", tmp_path / "held-out.json")


@settings(max_examples=60)
@given(
    members=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 40)), min_size=8, max_size=200),
    seed=st.integers(0, 1000),
)
def test_no_group_straddles_two_parts(members: list[tuple[int, int]], seed: int) -> None:
    labels = [label for label, _ in members] + [0, 1]
    groups = np.array([group for _, group in members] + [41, 42])
    split = make_split(pictures_of(labels), groups, seed)
    parts: dict[int, set[SplitPart]] = {}
    for item in split.assignments:
        parts.setdefault(item.group, set()).add(item.part)
    assert all(len(found) == 1 for found in parts.values())
    assert [item.picture for item in split.assignments] == pictures_of(labels)


def test_each_class_gets_its_share_in_each_part() -> None:
    labels = [0] * 400 + [1] * 240
    split = make_split(pictures_of(labels), np.arange(640) // 2, 7)
    for part, share in SHARES.items():
        found = np.bincount([picture.label for picture in split.part(part)])
        assert np.abs(found - share * np.array([400, 240])).max() <= 2


def test_a_seed_gives_one_split_and_another_seed_another() -> None:
    pictures, groups = pictures_of([0, 1] * 50), np.arange(100)
    assert make_split(pictures, groups, 1) == make_split(pictures, groups, 1)
    assert make_split(pictures, groups, 1) != make_split(pictures, groups, 2)


def test_a_crowd_of_one_person_is_for_training_only() -> None:
    groups = np.array([0] * 30 + list(range(1, 171)))
    split = make_split(pictures_of([0, 1] * 100), groups, 3)
    assert {item.part for item in split.assignments if item.group == 0} == {SplitPart.TRAINING}


def test_kinds_of_faces_are_shared_out_and_not_only_classes() -> None:
    # Every tenth picture is a crowd of ten rare faces.
    shown = np.array([[0, 10, 1] if i % 10 == 0 else [1, 0, 1] for i in range(400)])
    split = make_split(pictures_of([0] * 400), np.arange(400), 5, shown)
    for part, share in SHARES.items():
        inside = np.array([item.part is part for item in split.assignments])
        assert np.abs(shown[inside].sum(0) - share * shown.sum(0)).max() <= 10


def test_a_group_that_has_its_part_keeps_it() -> None:
    placed = dict.fromkeys(range(10), SplitPart.TEST)
    split = make_split(pictures_of([0, 1] * 20), np.arange(40), 1, placed=placed)
    assert {item.part for item in split.assignments[:10]} == {SplitPart.TEST}


def two_parts(one: int, other: int, mirrored: bool) -> tuple[Split, NDArray[np.float32]]:
    first, second = draw_face(0, one), draw_face(0, other)
    if mirrored:
        second = np.ascontiguousarray(second[:, ::-1])
    pictures = pictures_of([0, 0])
    split = Split(
        1,
        (
            Assignment(pictures[0], 0, SplitPart.TRAINING),
            Assignment(pictures[1], 1, SplitPart.TEST),
        ),
    )
    views = [(first, face_box()), (second, face_box())]
    return split, face_likeness(leak_fingerprints(views))


@pytest.mark.parametrize("mirrored", [False, True])
def test_one_picture_in_two_parts_fails_the_run(mirrored: bool) -> None:
    (pair,) = nearest_pairs(*two_parts(1, 1, mirrored), 1)
    assert pair.likeness > LEAK_LIMIT
    with pytest.raises(LeakError, match=r"0\.png and 1\.png"):
        refuse_leak(pair)


def test_two_strangers_in_two_parts_pass() -> None:
    (pair,) = nearest_pairs(*two_parts(1, 2, False), 1)
    refuse_leak(pair)
    assert pair.likeness < LEAK_LIMIT


def test_a_leak_inside_one_part_is_none() -> None:
    split, likeness = two_parts(1, 1, False)
    one_part = Split(
        1, tuple(msgspec.structs.replace(item, part=SplitPart.TEST) for item in split.assignments)
    )
    assert nearest_pairs(one_part, likeness, 1) == ()
    refuse_leak(None)


def test_a_split_survives_its_file(tmp_path: Path) -> None:
    split = make_split(pictures_of([0, 1] * 10), np.arange(20), 1)
    (tmp_path / "split.json").write_bytes(msgspec.json.encode(split))
    assert read_split(tmp_path / "split.json") == split


def test_a_missing_or_foreign_split_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_split(tmp_path / "split.json")
    (tmp_path / "split.json").write_text("{}")
    with pytest.raises(ConfigError, match="not written by `train`"):
        read_split(tmp_path / "split.json")


def test_what_was_held_out_or_trained_on_stays_so_beside_a_new_source() -> None:
    pictures = pictures_of([0] * 8)
    pictures = [Picture(p.path, p.label, f"{i:016x}" + 48 * "0") for i, p in enumerate(pictures)]
    digits = [picture.sha256[:KNOWN_DIGITS] for picture in pictures]
    held = HeldOut("0" * 64, validation=(digits[0], digits[2]), test=(digits[1], digits[3]))
    # Of the third source nothing was known; its picture 6 resembles the held-out picture 1.
    sources = [0, 0, 1, 1, 0, 1, 2, 2]
    groups = np.array([0, 1, 2, 2, 3, 4, 1, 5])
    assert kept_parts(pictures, sources, groups, held) == {
        0: SplitPart.VALIDATION,
        1: SplitPart.TEST,
        2: SplitPart.TEST,
        3: SplitPart.TRAINING,
        4: SplitPart.TRAINING,
    }


def test_one_face_in_two_pictures_is_known_by_itself_mirrored_too() -> None:
    one, other = draw_face(0, 1), draw_face(1, 5)
    views = [(pixels, face_box()) for pixels in (one, other, one[:, ::-1])]
    assert same_faces(face_likeness(leak_fingerprints(views))) == [(0, 2)]
