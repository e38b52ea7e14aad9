"""What the pipeline's work costs, counted: see the multiply-adds in docs/performance.md."""

from __future__ import annotations

from edge.plan import Work

WHOLE, CLOSE_UP, QUICK, LOOK = 207.0 + 12.9, 207.0, 51.6, 55.2
"""Millions of multiply-adds in a scan or a classification."""


def multiply_adds(work: Work) -> float:
    """Return the millions of multiply-adds in `work`."""
    return WHOLE * work.full + CLOSE_UP * work.close_ups + QUICK * work.quick + LOOK * work.looks
