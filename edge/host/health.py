"""Whether the box is well: speed, losses, temperature, power, memory.

The meters are plain values without a thread; the readings come from files that the
kernel offers, and are None where a machine does not have them.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge.clock import SYSTEM_CLOCK, Clock
from edge.telemetry import Latency, ThrottlingFlag, Vitals

RATE_WINDOW_S = 10.0
RECENT_FRAMES = 500
"""How many count for the latencies."""
BOUNDS_S = (1e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Up to where each class of a `Distribution` goes: from deciding nothing to scanning a picture in
full size on a hot Pi."""
_MAX_SAMPLES = 4096


@dataclass(frozen=True, slots=True)
class Spent:
    """How long something took, by the clock and by the processor's, all cores together."""

    wall_s: float = 0.0
    cpu_s: float = 0.0

    def since(self, before: Spent) -> Spent:
        return Spent(self.wall_s - before.wall_s, self.cpu_s - before.cpu_s)


@dataclass(frozen=True, slots=True)
class Distribution:
    """How long a step took, since the start: how often up to each of BOUNDS_S, and longer."""

    counts: tuple[int, ...]
    """One more than there are bounds; each run in one class only."""
    sum_s: float


class Stopwatch:
    """Measures named steps: the durations of the last frames, at most `window` of each step, and
    what each has come to since the start."""

    def __init__(
        self,
        steps: Sequence[str],
        clock: Clock = SYSTEM_CLOCK,
        window: int = RECENT_FRAMES,
        cpu_s: Callable[[], float] = time.process_time,
    ) -> None:
        self._clock = clock
        self._cpu_s = cpu_s
        self._spent = dict.fromkeys(steps, Spent())
        self._counts = {step: [0] * (len(BOUNDS_S) + 1) for step in steps}
        self._durations_s: dict[str, deque[float]] = {step: deque(maxlen=window) for step in steps}

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        """Time what is done in the context.

        Raises KeyError for a step that was not named at the start: there is no room for it.
        """
        durations_s = self._durations_s[step]
        begun_s, begun_cpu_s = self._clock.monotonic_s(), self._cpu_s()
        yield
        duration_s = self._clock.monotonic_s() - begun_s
        durations_s.append(duration_s)
        self._counts[step][bisect_left(BOUNDS_S, duration_s)] += 1
        before = self._spent[step]
        self._spent[step] = Spent(
            before.wall_s + duration_s, before.cpu_s + self._cpu_s() - begun_cpu_s
        )

    def spent(self, step: str) -> Spent:
        """Return what the step has come to. What other threads of the program did meanwhile counts
        too: those of the neural networks, and little else."""
        return self._spent[step]

    def distributions(self) -> dict[str, Distribution]:
        """Return what each step took since the start, also of those that have not run."""
        return {
            step: Distribution(tuple(counts), self._spent[step].wall_s)
            for step, counts in self._counts.items()
        }

    def latencies(self) -> dict[str, Latency]:
        """Return the latencies by step, without the steps that have not run."""
        return {
            step: Latency(1000 * nearest_rank(durations, 0.5), 1000 * nearest_rank(durations, 0.95))
            for step, durations in self._durations_s.items()
            if durations
        }

    def clear(self) -> None:
        """Forget what was measured so far."""
        for durations in self._durations_s.values():
            durations.clear()


def nearest_rank(values: Sequence[float] | deque[float], share: float) -> float:
    """Return the smallest value that at least `share` (0 to 1) of all values do not exceed.

    Raises ValueError when there are none.
    """
    if not values:
        raise ValueError("a quantile needs values")
    ordered = sorted(values)
    # Rounded first: 0.95 * 20 is a hair above 19 in binary, and would ask for the 20th.
    rank = -int(-round(share * len(ordered), 9) // 1)
    return ordered[max(rank, 1) - 1]


class FrameMeter:
    """How many frames were judged, and how many a second lately."""

    def __init__(self, window_s: float = RATE_WINDOW_S) -> None:
        self.frames = 0
        self._window_s = window_s
        self._first_s = 0.0
        self._arrivals_s: deque[float] = deque(maxlen=_MAX_SAMPLES)

    def add(self, monotonic_s: float) -> None:
        """Count a frame."""
        if self.frames == 0:
            # The first frame begins the time that the later ones fill.
            self._first_s = monotonic_s
        else:
            self._arrivals_s.append(monotonic_s)
        self.frames += 1

    def fps(self, now_s: float) -> float:
        """Return frames per second over the window that ends at `now_s`; 0 when none came."""
        while self._arrivals_s and self._arrivals_s[0] <= now_s - self._window_s:
            self._arrivals_s.popleft()
        elapsed_s = min(self._window_s, now_s - self._first_s)
        return len(self._arrivals_s) / elapsed_s if elapsed_s > 0 else 0.0


def read_vitals(root: Path = Path("/")) -> Vitals:
    """Return the readings that say how fast the box may work; `root` has `proc` and `sys`."""
    return Vitals(
        cpu_temperature_c(root / "sys/class/thermal"),
        throttling_flags(root / "sys/devices/platform"),
        available_bytes(root / "proc", root / "sys/fs/cgroup"),
    )


def cpu_temperature_c(zones: Path) -> float | None:
    """Return the processor's temperature, or None where the kernel shows no thermal zone of it."""
    for kind in ("cpu-thermal", "cpu_thermal", "soc-thermal", "x86_pkg_temp", "acpitz"):
        for zone in sorted(zones.glob("thermal_zone*")):
            if _read_text(zone / "type") == kind:
                millidegrees = _read_text(zone / "temp")
                return None if millidegrees is None else int(millidegrees) / 1000
    return None


_THROTTLING_BITS = {
    0: ThrottlingFlag.UNDER_VOLTAGE,
    1: ThrottlingFlag.FREQUENCY_CAPPED,
    2: ThrottlingFlag.THROTTLED,
    3: ThrottlingFlag.SOFT_TEMPERATURE_LIMIT,
    16: ThrottlingFlag.UNDER_VOLTAGE_OCCURRED,
    17: ThrottlingFlag.FREQUENCY_CAPPED_OCCURRED,
    18: ThrottlingFlag.THROTTLED_OCCURRED,
    19: ThrottlingFlag.SOFT_TEMPERATURE_LIMIT_OCCURRED,
}
"""The firmware's get_throttled word: the state now below bit 16, the same since the boot above."""
_UNDER_VOLTAGE_ALARM = "*/*:firmware/raspberrypi-hwmon/hwmon/hwmon*/in0_lcrit_alarm"


def throttling_flags(devices: Path) -> list[ThrottlingFlag] | None:
    """Return what holds a Raspberry Pi back; empty: nothing; None: it cannot be known, or no Pi.

    Raspberry Pi's kernel shows the firmware's word in hexadecimal at `soc/soc:firmware` (a Pi 5's
    names carry an address). A mainline kernel has no such file; its hwmon driver tells
    under-voltage only.
    """
    for path in sorted(devices.glob("*/*:firmware/get_throttled")):
        if word := _read_text(path):
            value = int(word, 16)
            return [flag for bit, flag in _THROTTLING_BITS.items() if value >> bit & 1]
    for path in sorted(devices.glob(_UNDER_VOLTAGE_ALARM)):
        if alarm := _read_text(path):
            return [ThrottlingFlag.UNDER_VOLTAGE] if alarm == "1" else []
    return None


def rss_bytes() -> int:
    """Return how much memory this process occupies."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def available_bytes(proc: Path, cgroups: Path) -> int | None:
    """Return how much memory this process may still take before somebody is killed for it.

    That is what the kernel has available, or what the control group (version 2, the service's own
    under systemd) leaves of its MemoryMax=, where that is less. None where neither can be read.
    """
    bounds = []
    for line in (_read_text(proc / "meminfo") or "").splitlines():
        if line.startswith("MemAvailable:"):
            bounds.append(1024 * int(line.split()[1]))
    group = cgroups / _own_cgroup(proc).lstrip("/")
    limit, used = _read_text(group / "memory.max"), _read_text(group / "memory.current")
    if limit and used and limit != "max":
        # The page cache counts as used, but is given back when it is needed.
        stat = dict(line.split() for line in (_read_text(group / "memory.stat") or "").splitlines())
        bounds.append(int(limit) - int(used) + int(stat.get("inactive_file", 0)))
    return max(0, min(bounds)) if bounds else None


def usable_cores(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> float:
    """Return how many cores this process may keep busy: what systemd's CPUQuota= leaves of them."""
    cores = len(os.sched_getaffinity(0))
    group = cgroups / _own_cgroup(proc).lstrip("/")
    quota_us, _, period_us = (_read_text(group / "cpu.max") or "max").partition(" ")
    return cores if quota_us == "max" else min(cores, int(quota_us) / int(period_us))


def _own_cgroup(proc: Path) -> str:
    for line in (_read_text(proc / "self/cgroup") or "").splitlines():
        if line.startswith("0::"):
            return line[3:]
    return ""


def _read_text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return None
