"""How the C library keeps the memory of frames: for the next one, instead of giving it back.

A frame is some megabytes, and so are its copies on the way into the networks. By default glibc
returns each of them to the kernel as soon as it is free, and gets it again page by page, 1,000
faults for each frame of 1280 x 720: a fifth of all the processor time, and cameras that are judged
side by side wait for each other, since a process has one lock for its pages.
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Of mallopt(3)."""
KEPT_BYTES = 16 * 1024 * 1024
"""So much stays with each thread that has had it, and blocks from here on are given back as before.
A frame of 1920 x 1080 takes 6 MB."""


def keep_memory() -> bool:
    """Have freed memory stay in the process, within bounds; return whether this C library can.

    Early in the process: what has been allocated before stays as it is.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    # The first alone would fix the other at 128 kB, and that is worse than what it is by itself.
    return all(mallopt(each, KEPT_BYTES) == 1 for each in (_MMAP_THRESHOLD, _TRIM_THRESHOLD))
