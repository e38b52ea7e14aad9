"""Asking before something is gone for good."""

from __future__ import annotations

import sys

from edge.errors import ConfigError


def answers_yes(question: str) -> bool:
    """Ask on the terminal. Raises ConfigError where there is none."""
    if not sys.stdin.isatty():
        raise ConfigError(f"{question} there is no terminal to ask on; give --yes")
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
