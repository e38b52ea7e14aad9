from __future__ import annotations

import pytest

from tools.soak.memory import LIMIT_MB, Sample, slope_mb


def test_a_leak_of_a_hundred_bytes_a_frame_is_seen_through_the_noise() -> None:
    steady = [Sample(n, 130 + (n // 100) % 3) for n in range(0, 80_000, 200)]
    assert slope_mb(steady) == pytest.approx(0, abs=0.01)
    leaking = [Sample(s.frames, s.rss_mb + 100e-6 * s.frames) for s in steady]
    assert slope_mb(leaking) == pytest.approx(1, abs=0.01)
    assert slope_mb([Sample(s.frames, s.rss_mb + 120e-6 * s.frames) for s in steady]) > LIMIT_MB
