"""Memory that was used for a frame is there for the next one."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import resource
import numpy as np
from edge.host.heap import keep_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        np.ones((720, 1280, 3), np.uint8), np.ones((720, 1280, 3), np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
before = faults()
assert keep_memory()
faults()
print(before, faults())
"""


def test_frames_after_the_first_ones_cost_no_faults() -> None:
    # In a process of its own: what it sets holds until the end.
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    before, after = map(int, ended.stdout.split())
    assert before > 1000
    assert after < 100
