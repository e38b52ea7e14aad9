from __future__ import annotations

import pytest

from edge.bucket import TokenBucket


def sent_in(bucket: TokenBucket, duration_s: float, wanted: int) -> int:
    """Return how many of `wanted` go within that time, sent as soon as they may."""
    now_s, sent = 100.0, 0
    while now_s < 100 + duration_s:
        now = min(bucket.ready(now_s), wanted - sent)
        bucket.spend(now)
        sent += now
        now_s += max(bucket.wait_s(), 0.001)
    return sent


@pytest.mark.parametrize(("per_s", "at_most"), [(50.0, 105), (0.5, 2), (1000.0, 2100)])
def test_a_backlog_goes_at_its_pace_and_not_much_slower(per_s: float, at_most: int) -> None:
    assert 0.9 * 2 * per_s <= sent_in(TokenBucket(per_s), 2.0, 10_000) <= at_most


def test_after_a_rest_some_go_at_once_but_not_all_that_were_saved_up() -> None:
    bucket = TokenBucket(50.0)
    assert bucket.ready(100.0) == 5
    bucket.spend(5)
    assert bucket.ready(100.0) == 0
    assert bucket.wait_s() == pytest.approx(0.02)
    assert bucket.ready(500.0) == 5
