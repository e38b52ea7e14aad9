"""What a user reads is in the words of CONTRIBUTING.md: the old ones do not come back."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DECISIONS = ROOT / "docs" / "decisions"
OLD = re.compile(
    r"\b(told|anew|whoever|mend(s|ed|ing)?|once more|set aside|hangs? up|hung up|refuses? us|"
    r"lets us in|brokers? (has |have )?refuse[sd]?|documents? waits?|a finds?|"
    r"(colour|grey|centre|licence|labour|behaviour|labelled|authorised)\w*)\b",
    re.IGNORECASE,
)
READ = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").glob("*.md"),
        # Older ones still have some of these words.
        *(each for each in DECISIONS.glob("*.md") if each.name >= "0026"),
        *(ROOT / "deploy").rglob("*.md"),
        *(ROOT / "edge" / "page" / "files").glob("*.html"),
        ROOT / "deploy" / "tensormask.toml",
        ROOT / "Makefile",
    ]
)


def prose(file: Path) -> str:
    """Return its text without code, tags, targets, the table of old words and old releases."""
    text = file.read_text(encoding="utf-8")
    if file.name == "CHANGELOG.md":
        text = text.split("\n## [0")[0]
    if file.name == "CONTRIBUTING.md":
        text = text.split("\n| not | but |")[0]
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"<[^>]*>|`[^`]*`|\]\([^)]*\)|^#\w.*", "", text, flags=re.MULTILINE)


PROGRAMS = sorted(
    file for part in ("edge", "deploy", "tools") for file in (ROOT / part).rglob("*.py")
)


def messages(file: Path) -> Iterator[str]:
    """Give the strings of a module that are sentences, its docstrings apart."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    docstrings = {id(each.value) for each in ast.walk(tree) if isinstance(each, ast.Expr)}
    for each in ast.walk(tree):
        if not isinstance(each, ast.Constant) or id(each) in docstrings:
            continue
        if isinstance(each.value, str) and " " in each.value:
            yield re.sub(r"`[^`]*`", "", each.value)


@pytest.mark.parametrize("file", READ, ids=lambda each: str(each.relative_to(ROOT)))
def test_no_old_word_comes_back(file: Path) -> None:
    lines = prose(file).splitlines()
    assert [line for line in lines if OLD.search(line)] == []


def test_no_old_word_comes_back_in_a_message() -> None:
    said = [(file.name, text) for file in PROGRAMS for text in messages(file)]
    assert [(name, text) for name, text in said if OLD.search(text)] == []


def test_no_old_word_comes_back_in_a_name() -> None:
    """Of a class, a function or a constant; what payloads and files name so stays."""
    old = re.compile(r"(?i)(^|_)(told|anew|whoever|mends?|hangs?_?ups?|stands_still)(_|$)|hung_?up")
    named = [
        (file.name, getattr(each, "name", getattr(each, "id", "")))
        for file in PROGRAMS
        for each in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(each, ast.ClassDef | ast.FunctionDef | ast.Name)
    ]
    assert [(file, name) for file, name in named if old.search(name)] == []
