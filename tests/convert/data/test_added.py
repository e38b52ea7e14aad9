from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from convert.data import added
from convert.data.added import AddedLabel, AddedLabels, added_to
from convert.data.prepare import read_street
from convert.data.voc import read_boxed
from convert.measure.counting import Kind
from edge.classify.card import MASKED, NOBODY
from edge.errors import ConfigError
from edge.records import Box
from tests.convert.pictures import write_boxed


def test_the_file_that_is_kept_can_be_read() -> None:
    labels = added._all().labels
    assert labels
    for rows in labels.values():
        for row in rows:
            assert row.left < row.right
            assert row.top < row.bottom
    assert added_to("0" * 64) == []


def test_what_was_added_to_a_picture_counts_and_moves_it_to_no_other_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_boxed(tmp_path, 2)
    masked = folder / "annotations" / "0.xml"
    masked.write_text(masked.read_text().replace("without_mask", "with_mask"))
    before = read_boxed(folder)
    first = before.pictures[0].picture
    rows = [
        AddedLabel("bare", 250, 10, 270, 30),
        AddedLabel("unsure", 250, 60, 270, 80),
        AddedLabel("nothing", 250, 110, 270, 130),
    ]
    monkeypatch.setattr(added, "_all", lambda: AddedLabels({first.sha256: rows}))
    after = read_boxed(folder)
    picture = after.pictures[0]
    assert picture.picture == first
    assert len(picture.faces) == len(before.pictures[0].faces) + 1
    assert picture.faces[-1].label == Kind.BARE
    assert picture.unsure == (Box(250, 60, 270, 80),)
    assert picture.nothing == (Box(250, 110, 270, 130),)
    assert after.pictures[1] == before.pictures[1]


def test_a_wrong_label_is_given_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_boxed(tmp_path, 1)
    before = read_boxed(folder).pictures[0]
    first, second, *others = before.faces
    rows = [
        AddedLabel("worn_wrongly", *_sides(first.box)),
        AddedLabel("unsure", *_sides(second.box)),
    ]
    labels = AddedLabels({before.picture.sha256: rows})
    monkeypatch.setattr(added, "_all", lambda: labels)
    after = read_boxed(folder).pictures[0]
    assert after.picture == before.picture
    assert list(after.faces[:-1]) == others
    assert (after.faces[-1].box, after.faces[-1].label) == (first.box, Kind.INCORRECT)
    assert after.unsure == (second.box,)


def _sides(box: Box) -> tuple[float, float, float, float]:
    return box.left, box.top, box.right, box.bottom


def test_a_set_without_annotations_has_the_labels_that_were_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_boxed(tmp_path, 3)
    known = read_boxed(folder).pictures
    shutil.rmtree(folder / "annotations")
    with pytest.raises(ConfigError, match="no usable picture"):
        read_boxed(folder)
    rows = [AddedLabel("masked", 10, 20, 110, 120), AddedLabel("nothing", 250, 110, 270, 130)]
    monkeypatch.setattr(added, "_all", lambda: AddedLabels({known[1].picture.sha256: rows}))
    found = read_boxed(folder)
    (picture,) = found.pictures
    assert picture.picture.sha256 == known[1].picture.sha256
    assert picture.is_of_person
    assert [face.box for face in picture.faces] == [Box(10, 20, 110, 120)]
    assert picture.nothing == (Box(250, 110, 270, 130),)
    assert {item.reason for item in found.skipped} == {"no label was added to it"}
    (street,) = read_street(found, lambda items, name: items)
    assert [label for _, label in street.faces] == [MASKED, NOBODY]
    # A portrait; whom it shows is said by its name, and is not guessed.
    assert street.head is None
