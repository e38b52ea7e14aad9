"""What a test needs that not every machine has."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def lacking(what: str, bring: str) -> NoReturn:
    """Skip the test that asks, or fail it where CI promises that all is there.

    `bring` is the one command that brings `what`; equal reasons are told together at the end.
    """
    reason = f"{what}: {bring}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
