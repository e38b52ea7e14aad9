from __future__ import annotations

import io
import sys

import pytest

from edge.cli import main
from edge.page.password import matches


def test_a_hash_is_made_of_what_is_given(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("open sesame\n"))
    assert main(["password"]) == 0
    assert matches("open sesame", capsys.readouterr().out.strip())
    monkeypatch.setattr(sys, "stdin", io.StringIO("1234567\n"))
    assert main(["password"]) == 78
    told = capsys.readouterr()
    assert (told.out, "has 7 characters, and needs 8 or more" in told.err) == ("", True)
