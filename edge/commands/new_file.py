"""Files that a command makes: one that is there already is never overwritten."""

from __future__ import annotations

from pathlib import Path

from edge.errors import ConfigError


def refuse_existing(path: Path, option: str) -> None:
    """Raise ConfigError where there is something at `path`, which `option` names."""
    if path.exists() or path.is_symlink():
        raise ConfigError(f"{option}: {path} is there already; remove it, or give another name")
