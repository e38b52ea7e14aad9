"""What a test needs that not every machine has."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def lacking(what: str, bring: str) -> NoReturn:
    """Skip the test that asks, or fail it where CI promises that all is there.

    `bring` is the one command that brings `what`; equal reasons are listed together at the end.
    """
    reason = f"{what}: {bring}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def refuse_without_machines(bring: str) -> None:
    """Skip where no machine can be booted; `bring` is the tests' own command, as root."""
    if os.geteuid() != 0:
        lacking("no systemd can be booted without root", bring)
    if shutil.which("systemd-nspawn") is None:
        lacking("no systemd-nspawn", "sudo apt-get install systemd-container")
