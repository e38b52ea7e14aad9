from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.host.bucket import TokenBucket


def sent_in(bucket: TokenBucket, duration_s: float, wanted: int) -> int:
    """Return how many of `wanted` go within that time, sent as soon as they may."""
    now_s, sent = 100.0, 0
    while now_s < 100 + duration_s:
        now = min(bucket.ready(now_s), wanted - sent)
        bucket.spend(now)
        sent += now
        now_s += max(bucket.wait_s(), 0.001)
    return sent


@pytest.mark.parametrize(
    ("per_s", "burst", "at_most"), [(50.0, 5.0, 105), (0.5, 1.0, 2), (1000.0, 100.0, 2100)]
)
def test_a_backlog_goes_at_its_pace_and_not_much_slower(
    per_s: float, burst: float, at_most: int
) -> None:
    assert 0.9 * 2 * per_s <= sent_in(TokenBucket(per_s, burst), 2.0, 10_000) <= at_most


def test_after_a_rest_some_go_at_once_but_not_all_that_were_saved_up() -> None:
    bucket = TokenBucket(50.0, 5.0)
    assert bucket.ready(100.0) == 5
    bucket.spend(5)
    assert bucket.ready(100.0) == 0
    assert bucket.wait_s() == pytest.approx(0.02)
    assert bucket.ready(500.0) == 5


@given(st.lists(st.floats(0, 1000), max_size=200).map(sorted))
def test_never_do_more_go_than_it_says(times: list[float]) -> None:
    bucket = TokenBucket(0.5, 5)
    gone = []
    for at_s in times:
        if bucket.ready(at_s):
            bucket.spend(1)
            gone.append(at_s)
    for first in range(len(gone)):
        for last in range(first, len(gone)):
            assert last - first + 1 <= 5 + 0.5 * (gone[last] - gone[first]) + 1e-6
