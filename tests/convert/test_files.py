from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from convert.files import read_document, write_atomically, write_document
from edge.errors import ConfigError


class Note(msgspec.Struct, frozen=True):
    words: list[str]


class Table(msgspec.Struct, frozen=True):
    columns: int
    rows: list[Note]
    others: dict[str, list[list[int]]]
    none: list[int]


def test_a_document_is_read_back_as_it_was(tmp_path: Path) -> None:
    note = Note(["one", "two"])
    write_document(tmp_path / "folder" / "note.json", note)
    assert read_document(tmp_path / "folder" / "note.json", Note, "train") == note


def test_a_document_has_a_line_for_each_item_of_its_fields(tmp_path: Path) -> None:
    table = Table(2, [Note(["one", "  [two\n]"]), Note([])], {"more": [[1, 2], [3]]}, [])
    write_document(tmp_path / "table.json", table)
    assert (tmp_path / "table.json").read_text().splitlines() == [
        "{",
        ' "columns": 2,',
        ' "rows": [',
        r'  {"words": ["one","  [two\n]"]},',
        '  {"words": []}',
        " ],",
        ' "others": {',
        '  "more": [[1,2],[3]]',
        " },",
        ' "none": []',
        "}",
    ]
    assert read_document(tmp_path / "table.json", Table, "train") == table


def test_a_missing_document_names_the_step_that_writes_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"note\.json: No such file .*; `train` writes it$"):
        read_document(tmp_path / "note.json", Note, "train")


@pytest.mark.parametrize("content", ["", "{}", '{"words": 1}', "\0"])
def test_a_foreign_document_says_what_is_wrong_and_what_to_do(tmp_path: Path, content: str) -> None:
    (tmp_path / "note.json").write_text(content)
    with pytest.raises(ConfigError, match=r"not written by `train` \(.+\); delete it and run"):
        read_document(tmp_path / "note.json", Note, "train")


def test_what_is_written_leaves_no_other_file_behind(tmp_path: Path) -> None:
    write_atomically(tmp_path / "note", b"old")
    write_atomically(tmp_path / "note", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["note"]
    assert (tmp_path / "note").read_bytes() == b"new"
