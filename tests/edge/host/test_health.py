from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from edge.host.health import (
    FrameMeter,
    Spent,
    Stopwatch,
    cpu_temperature_c,
    nearest_rank,
    read_vitals,
    rss_bytes,
    throttling_flags,
    usable_cores,
)
from edge.telemetry import Latency, ThrottlingFlag, Vitals
from tests.fakes import TurnedClock


def timed(clock: TurnedClock, stopwatch: Stopwatch, step: str, *durations_s: float) -> None:
    for duration_s in durations_s:
        with stopwatch(step):
            clock.sleep(duration_s)


def test_latencies_are_given_by_step_in_milliseconds_to_any_number_of_readers() -> None:
    clock = TurnedClock()
    stopwatch = Stopwatch(["detect", "classify", "track"], clock)
    timed(clock, stopwatch, "detect", *(milliseconds / 1000 for milliseconds in range(1, 101)))
    timed(clock, stopwatch, "classify", 0.25)
    for _ in range(2):
        told = stopwatch.latencies()
        assert set(told) == {"detect", "classify"}
        assert told["detect"].p50 == pytest.approx(50)
        assert told["detect"].p95 == pytest.approx(95)
        assert told["classify"].p50 == pytest.approx(250)
    stopwatch.clear()
    assert stopwatch.latencies() == {}


def test_what_a_step_has_come_to_is_told_in_both_times() -> None:
    clock, processor = TurnedClock(), TurnedClock()
    stopwatch = Stopwatch(["detect", "track"], clock, 2, processor.monotonic_s)
    for _ in range(5):
        with stopwatch("detect"):
            clock.sleep(2.0)
            processor.sleep(3.0)
    assert stopwatch.spent("detect") == Spent(10.0, 15.0)
    assert stopwatch.spent("track") == Spent()
    assert stopwatch.spent("detect").since(Spent(4.0, 5.0)) == Spent(6.0, 10.0)


@pytest.mark.parametrize(
    ("quota", "share"), [("max 100000", 1), ("25000 100000", 0.25), (None, 1), ("99999999 1000", 1)]
)
def test_a_quota_of_systemd_leaves_a_part_of_the_cores(
    tmp_path: Path, quota: str | None, share: float
) -> None:
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "self/cgroup").write_text("0::/system.slice/tensormask.service\n")
    own = groups / "system.slice/tensormask.service"
    own.mkdir(parents=True)
    if quota is not None:
        (own / "cpu.max").write_text(f"{quota}\n")
    all_of_them = len(os.sched_getaffinity(0))
    assert usable_cores(proc, groups) == (all_of_them if share == 1 else share)


def test_only_the_last_durations_count() -> None:
    clock = TurnedClock()
    stopwatch = Stopwatch(["detect"], clock, window=4)
    timed(clock, stopwatch, "detect", 9.0, 9.0, 0.5, 0.5, 0.5, 0.5)
    assert stopwatch.latencies() == {"detect": Latency(500.0, 500.0)}


def test_a_step_that_was_not_named_is_refused() -> None:
    with pytest.raises(KeyError), Stopwatch(["detect"])("detekt"):
        pass


@pytest.mark.parametrize(
    ("share", "value"), [(0.0, 1), (0.5, 10), (0.95, 19), (0.951, 20), (1, 20)]
)
def test_a_quantile_is_one_of_the_values(share: float, value: int) -> None:
    assert nearest_rank(list(range(20, 0, -1)), share) == value


def test_no_values_have_no_quantile() -> None:
    with pytest.raises(ValueError, match="needs values"):
        nearest_rank([], 0.5)


def test_a_steady_camera_has_its_rate() -> None:
    meter = FrameMeter(window_s=10)
    assert meter.fps(0.0) == 0.0
    for number in range(301):
        meter.add(number / 15)
    assert meter.fps(20.0) == pytest.approx(15.0)
    assert meter.frames == 301


def test_the_rate_is_right_from_the_second_frame_on() -> None:
    meter = FrameMeter()
    meter.add(100.0)
    meter.add(100.5)
    assert meter.fps(100.5) == 2.0


def test_a_frozen_camera_falls_to_no_rate() -> None:
    meter = FrameMeter(window_s=10)
    for number in range(100):
        meter.add(number / 10)
    assert [round(meter.fps(now), 1) for now in (9.9, 14.9, 30.0)] == [10.0, 5.0, 0.0]


def test_meters_do_not_grow() -> None:
    frames, stopwatch = FrameMeter(), Stopwatch(["detect"])

    def run(start: int) -> int:
        for number in range(start, start + 20_000):
            frames.add(number / 1000)
            with stopwatch("detect"):
                pass
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        assert run(20_000) >= run(0) - 10_000
    finally:
        tracemalloc.stop()


def _zone(zones: Path, name: str, kind: str, millidegrees: str) -> None:
    (zones / name).mkdir(parents=True)
    (zones / name / "type").write_text(kind + "\n")
    (zones / name / "temp").write_text(millidegrees + "\n")


def test_the_processor_is_found_among_the_thermal_zones(tmp_path: Path) -> None:
    _zone(tmp_path, "thermal_zone0", "battery", "20000")
    _zone(tmp_path, "thermal_zone1", "cpu-thermal", "61835")
    assert cpu_temperature_c(tmp_path) == 61.835


def test_a_machine_without_thermal_zones_has_no_temperature(tmp_path: Path) -> None:
    assert cpu_temperature_c(tmp_path) is None


@pytest.mark.parametrize("soc", ["soc", "soc@107c000000"])
@pytest.mark.parametrize(
    ("word", "flags"),
    [
        ("0\n", []),
        (
            "50005\n",
            ["under_voltage", "throttled", "under_voltage_occurred", "throttled_occurred"],
        ),
        ("0x80008\n", ["soft_temperature_limit", "soft_temperature_limit_occurred"]),
        ("20002\n", ["frequency_capped", "frequency_capped_occurred"]),
    ],
)
def test_the_firmware_tells_what_holds_the_pi_back(
    tmp_path: Path, soc: str, word: str, flags: list[str]
) -> None:
    firmware = tmp_path / soc / f"{soc}:firmware"
    firmware.mkdir(parents=True)
    (firmware / "get_throttled").write_text(word)
    assert throttling_flags(tmp_path) == flags


@pytest.mark.parametrize(("alarm", "flags"), [("1", [ThrottlingFlag.UNDER_VOLTAGE]), ("0", [])])
def test_a_mainline_kernel_tells_under_voltage(
    tmp_path: Path, alarm: str, flags: list[str]
) -> None:
    hwmon = tmp_path / "soc/soc:firmware/raspberrypi-hwmon/hwmon/hwmon2"
    hwmon.mkdir(parents=True)
    (hwmon / "in0_lcrit_alarm").write_text(alarm + "\n")
    assert throttling_flags(tmp_path) == flags


def test_another_computer_has_no_throttling_flags(tmp_path: Path) -> None:
    assert throttling_flags(tmp_path) is None


def _machine(
    root: Path, available_kib: int, group: str = "/system.slice/tensormask.service"
) -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/meminfo").write_text(
        f"MemTotal:        948304 kB\nMemAvailable:    {available_kib} kB\n"
    )
    (root / "proc/self/cgroup").write_text(f"1:name=systemd:/\n0::{group}\n")
    limited = root / "sys/fs/cgroup" / group.lstrip("/")
    limited.mkdir(parents=True, exist_ok=True)
    return limited


def test_memory_is_what_the_kernel_has_available(tmp_path: Path) -> None:
    (_machine(tmp_path, 300_000) / "memory.max").write_text("max\n")
    assert read_vitals(tmp_path) == Vitals(None, None, 300_000 * 1024)


@pytest.mark.parametrize("group", ["/system.slice/tensormask.service", "/"])
def test_a_limit_of_the_service_counts_where_it_leaves_less(tmp_path: Path, group: str) -> None:
    limited = _machine(tmp_path, 300_000, group)
    (limited / "memory.max").write_text("200000000\n")
    (limited / "memory.current").write_text("150000000\n")
    (limited / "memory.stat").write_text("anon 120000000\ninactive_file 20000000\n")
    assert read_vitals(tmp_path).available_bytes == 70_000_000


def test_memory_that_cannot_be_read_is_not_known(tmp_path: Path) -> None:
    assert read_vitals(tmp_path) == Vitals()


def test_this_machine_has_memory_left() -> None:
    assert (read_vitals().available_bytes or 0) > 1_000_000


def test_this_process_occupies_memory() -> None:
    resident_kib = int(
        next(
            line.split()[1]
            for line in Path("/proc/self/status").read_text().splitlines()
            if line.startswith("VmRSS:")
        )
    )
    assert rss_bytes() / 1024 == pytest.approx(resident_kib, rel=0.2)
