from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from edge.files import DamagedFileError, decoded, read_file, read_json, text_in


class Note(msgspec.Struct):
    text: str


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b'{"text": 1}',
        b'{"text": "caf\xe9"}',
        b"\xff\xfe{",
        b"\x80" * 100,
        b"[" * 5000,
        b'{"text": "' + b"x" * 10_000 + b'"}',
    ],
)
def test_whatever_is_in_a_damaged_file_it_is_one_kind_of_error(
    content: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "note.json"
    file.write_bytes(content)
    with pytest.raises(DamagedFileError) as raised:
        read_json(file, Note, 10_000)
    assert str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_document_is_read(tmp_path: Path) -> None:
    (tmp_path / "note.json").write_text('{"text": "é"}', encoding="utf-8")
    assert read_json(tmp_path / "note.json", Note, 100).text == "é"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_text_is_read_with_a_byte_order_mark_and_without(mark: bytes) -> None:
    assert text_in(mark + "Café\r\n".encode()) == "Café\r\n"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_text_in_latin_1_is_reported_by_line_and_column(mark: bytes) -> None:
    content = mark + "# ü\n".encode() + "zone = 'Café'\n".encode("latin-1")
    with pytest.raises(DamagedFileError) as raised:
        text_in(content)
    assert str(raised.value) == (
        "line 2, column 12 is not UTF-8, probably Latin-1; save it as UTF-8"
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_text_in_utf_16_is_called_so(encoding: str) -> None:
    with pytest.raises(DamagedFileError, match=r"saved as UTF-16 or UTF-32; save it as UTF-8"):
        text_in("[mqtt]\n".encode(encoding))


def test_no_more_is_read_than_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert read_file(tmp_path / "file", 3) == b"123"


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", ".", "missing"):
        with pytest.raises(OSError, match=name):
            read_file(tmp_path / name, 3)


@pytest.mark.parametrize("content", [b'["\xff"]', b"[" * 60_000, b"[1e999]", b"", b"{}"])
def test_whatever_is_wrong_with_a_document_is_one_error(content: bytes) -> None:
    with pytest.raises(DamagedFileError):
        decoded(content, list[str])
