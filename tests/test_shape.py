"""The shape of the sources: what is read in one go, and one name for one thing."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PARTS = ("edge", "convert", "deploy", "tools")
MOST_MODULE_LINES = 400
MOST_CLASS_LINES = 220


def modules() -> list[Path]:
    return [path for part in PARTS for path in sorted((ROOT / part).rglob("*.py"))]


def classes() -> Iterator[tuple[str, ast.ClassDef]]:
    """Give every class with the name of its module."""
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                yield str(path.relative_to(ROOT)), node


def test_no_module_is_too_long_to_be_read_in_one_go() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in modules()
    }
    assert {name: lines for name, lines in lengths.items() if lines > MOST_MODULE_LINES} == {}


def test_no_class_does_so_much_that_it_is_longer_than_220_lines() -> None:
    lengths = {
        f"{module}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for module, node in classes()
    }
    assert {name: lines for name, lines in lengths.items() if lines > MOST_CLASS_LINES} == {}


def test_a_class_name_means_one_thing_in_all_of_the_sources() -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for module, node in classes():
        found[node.name].add(module)
    several = {
        name: sorted(where)
        for name, where in found.items()
        if len(where) > 1 and not name.startswith("_")
    }
    assert several == {}
