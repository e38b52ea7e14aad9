"""The table in CONTRIBUTING.md: which test proves which feature on an installed box."""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from edge.commands.parser import build_parser
from edge.config import Settings
from edge.config.cameras import SEVERAL

HERE = Path(__file__).parent
TABLE = HERE.parents[1] / "CONTRIBUTING.md"
ROW = re.compile(r"^\| (?P<feature>[^|]+) \| (?P<tests>`[a-z_]+\.py::test_[^|]+) \|$", re.MULTILINE)


def rows() -> dict[str, list[str]]:
    """Return the tests by feature."""
    text = TABLE.read_text(encoding="utf-8")
    return {
        match["feature"]: re.findall(r"`([^`]+)`", match["tests"]) for match in ROW.finditer(text)
    }


def features() -> set[str]:
    """Return each that a row's first column names between backticks."""
    return {name for feature in rows() for name in re.findall(r"`([^`]+)`", feature)}


def commands(parser: argparse.ArgumentParser, prefix: str = "tensormask") -> Iterator[str]:
    """Return each command, and the actions of those that have some in place of themselves."""
    subparsers = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    if not subparsers:
        yield prefix
    for action in subparsers:
        for name, below in action.choices.items():
            yield from commands(below, f"{prefix} {name}")


def proofs() -> set[str]:
    """Return every test that is beside this one, as `file.py::test`."""
    return {
        f"{path.name}::{each.name}"
        for path in HERE.glob("*.py")
        for each in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(each, ast.FunctionDef) and each.name.startswith("test_")
    }


def test_every_command_has_a_row() -> None:
    assert set(commands(build_parser())) - features() == set()


def test_every_section_of_the_settings_has_a_row() -> None:
    names = {field.name for field in msgspec.structs.fields(Settings)} - {SEVERAL}
    sections = {"[[camera]]", *(f"[{name}]" for name in names)}
    assert sections - features() == set()


def test_every_row_names_tests_that_exist() -> None:
    named = {test for tests in rows().values() for test in tests}
    assert named - proofs() == set()
    assert len(rows()) > 20
