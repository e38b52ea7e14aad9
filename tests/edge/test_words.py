from __future__ import annotations

import pytest

from edge.words import count, duration, percent, size


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (89, "89 s"), (90, "2 min"), (5399, "90 min"), (7200, "2 h"), (200_000, "2 days")],
)
def test_a_duration_has_the_unit_that_people_would_use(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("number", "text"), [(0, "0 cats"), (1, "1 cat"), (2, "2 cats")])
def test_a_count_has_its_plural(number: int, text: str) -> None:
    assert count(number, "cat") == text


def test_a_share_is_in_percent() -> None:
    assert [percent(share) for share in (0.0, 0.974, 1.0)] == ["0 %", "97 %", "100 %"]


@pytest.mark.parametrize(
    ("number", "said"),
    [(12, "12 B"), (3_400, "3.4 kB"), (15_400, "15 kB"), (2e6, "2.0 MB"), (3e9, "3.0 GB")],
)
def test_a_size_is_said_in_its_unit(number: float, said: str) -> None:
    assert size(int(number)) == said
