"""The `report` step: one file that shows what the other steps have measured, for any browser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from convert.files import write_atomically
from convert.report.material import read_material
from convert.report.page import page


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """The options of the command, as the command line describes them."""

    folders: tuple[Path, ...]
    bundle: Path
    detector: Path
    page: Path
    crops: bool = True


def report(options: ReportOptions, say: Callable[[str], None]) -> None:
    """Run the step. The same files make the same page. Raises ConfigError and ModelError."""
    material = read_material(options.folders, options.bundle, options.detector, crops=options.crops)
    content = page(material).encode()
    write_atomically(options.page, content)
    shown = sum(crop is not None for each in material.mistakes for _, crop in each.worst)
    people = f", with {shown} crops of your pictures: do not publish it" if shown else ""
    say(f"{options.page}: {len(content) / 1e6:.1f} MB{people}")
