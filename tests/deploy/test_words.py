"""What a user reads is in the words of CONTRIBUTING.md: the old ones do not come back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OLD = re.compile(
    r"\b(told|anew|whoever|mend(s|ed|ing)?|once more|set aside|hangs? up|hung up|refuses? us|"
    r"lets us in|documents? waits?|a finds?|"
    r"(colour|grey|centre|licence|labour|behaviour|labelled|authorised)\w*)\b",
    re.IGNORECASE,
)
READ = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "deploy").rglob("*.md"),
        *(ROOT / "edge" / "page" / "files").glob("*.html"),
        ROOT / "deploy" / "tensormask.toml",
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


@pytest.mark.parametrize("file", READ, ids=lambda each: str(each.relative_to(ROOT)))
def test_no_old_word_comes_back(file: Path) -> None:
    lines = prose(file).splitlines()
    assert [line for line in lines if OLD.search(line)] == []
