"""What the documents name is there."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from edge.commands.parser import build_parser

ROOT = Path(__file__).parents[1]
DESIGN = ROOT / "docs/design.md"


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/design.md"])
def test_each_path_below_the_top_level_exists(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:edge|convert|deploy|tests|tools|docs|systemd)/[\w./-]*)`", text))
    assert named
    assert sorted(each for each in named if not (ROOT / each).exists()) == []


def test_each_module_that_the_design_names_exists() -> None:
    there = {path.name for path in (ROOT / "edge").rglob("*.py")}
    named = set(re.findall(r"`(\w+\.py)`", DESIGN.read_text(encoding="utf-8")))
    assert named - there == set()


def test_the_layers_name_each_module_and_folder_of_the_edge() -> None:
    text = DESIGN.read_text(encoding="utf-8")
    layers = text[text.index("## Layers") : text.index("## Threads")]
    modules = {path.name for path in (ROOT / "edge").glob("*.py")} - {"__init__.py"}
    folders = {f"{path.parent.name}/" for path in (ROOT / "edge").glob("*/__init__.py")}
    assert sorted(each for each in modules | folders if each not in layers) == []


def test_the_first_page_names_each_command() -> None:
    (commands,) = (
        each.choices
        for each in build_parser(())._actions
        if isinstance(each, argparse._SubParsersAction)
    )
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    # These two are for the installer.
    wanted = [each for each in commands if each not in {"completion", "man"}]
    assert [each for each in wanted if f"\n| `tensormask {each}" not in text] == []
