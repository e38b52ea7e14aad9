from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from edge.untrusted import decoded, read_file


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
    with pytest.raises(msgspec.DecodeError):
        decoded(content, list[str])
