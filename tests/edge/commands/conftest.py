from __future__ import annotations

import time
from collections.abc import Iterator

import pytest


@pytest.fixture
def _berlin_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
