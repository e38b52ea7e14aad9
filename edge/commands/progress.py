"""How far long work has come: a bar on standard error, where that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")


def progress(
    items: Iterable[T], text: str, total: int | None, unit: str, scale: int = 1
) -> Iterable[T]:
    """Return the same `items`, with a bar that grows with them; each counts `scale` units.

    Without `total` only their number is shown. Nothing is shown of what is over at once.
    """
    if not sys.stderr.isatty():
        return items
    from tqdm import tqdm

    bar: Iterable[T] = tqdm(
        items,
        text,
        total,
        unit=unit,
        unit_scale=scale if scale > 1 else False,
        delay=0.5,
        dynamic_ncols=True,
        leave=False,
    )
    return bar


def say(line: str) -> None:
    """Print a line at once, above the bar where there is one."""
    if not sys.stderr.isatty():
        print(line, flush=True)  # noqa: T201 - a command's output
        return
    from tqdm import tqdm

    with tqdm.external_write_mode(file=sys.stdout):
        print(line, flush=True)  # noqa: T201 - a command's output
