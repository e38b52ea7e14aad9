from __future__ import annotations

from pathlib import Path

from edge.durable import replace_file


def test_a_file_is_replaced_as_a_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    (tmp_path / "ledger.json.new").write_bytes(b"what a kill has left")
    for content, mode in ((b"one", 0o644), (b"other", 0o600)):
        replace_file(path, content, mode)
        assert path.read_bytes() == content
        assert path.stat().st_mode & 0o777 == mode
    assert [each.name for each in tmp_path.iterdir()] == ["ledger.json"]
