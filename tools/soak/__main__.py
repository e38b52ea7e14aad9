"""`make soak`: the real daemon under random faults, with a real broker. Nothing may be lost."""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from pathlib import Path

from tests.disk import SmallDisk
from tools.soak.broker import SoakBroker, SoakSubscriber
from tools.soak.faults import SoakFault, all_faults, let_loose
from tools.soak.ledger import Findings, compare, left_open, said_in
from tools.soak.rig import (
    STOP_WITHIN_S,
    Cable,
    FaultyCalls,
    SoakCamera,
    SoakDevice,
    WallClock,
    empty_folder,
    move_into_namespaces,
    wait_until,
)

# ruff: noqa: T201 - a command line

_PROGRESS_S = 30.0
_DRAIN_S = 120.0
_SETTLE_S = 2.0
"""For the acknowledgements of what was repeated."""
_LEAST_A_MINUTE = 30
_SHOWN = 50
"""Problems; all of them are in a file."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--folder", type=Path, default=Path("build/soak"), help="for the logs")
    options = parser.parse_args()
    move_into_namespaces("tools.soak", [*sys.argv[1:], f"--seed={options.seed}"])
    print(f"seed {options.seed}, {options.minutes:g} minutes, logs in {options.folder}", flush=True)
    return soak(empty_folder(options.folder), options.minutes, options.seed)


def soak(folder: Path, minutes: float, seed: int) -> int:
    network = Cable()
    broker = SoakBroker(folder)
    subscriber = SoakSubscriber()
    broker.remember_sessions()
    camera, disk, clock = (
        SoakCamera(folder, network),
        SmallDisk(folder / "state", "8m", inodes=100),
        WallClock(folder),
    )
    calls = FaultyCalls(folder, disk.folder)
    both = {"LD_PRELOAD": f"{clock.environment['LD_PRELOAD']}:{calls.environment['LD_PRELOAD']}"}
    environment = {**clock.environment, **calls.environment, **both}
    device = SoakDevice(folder, network, disk.folder, SoakCamera.settings, environment)
    device.before_start = clock.boot
    device.start()
    faults = all_faults(device, broker, subscriber, network, camera, disk, clock, calls)
    begun_s = shown_s = time.monotonic()

    def look() -> None:
        nonlocal shown_s
        device.supervise()
        subscriber.acknowledge()
        if time.monotonic() - shown_s >= _PROGRESS_S:
            shown_s = time.monotonic()
            received = len(subscriber.received)
            print(f"{shown_s - begun_s:5.0f} s  {received} received, {device.kills} kills of the "
                  "device", flush=True)  # fmt: skip

    let_loose(faults, seed, begun_s + 60 * minutes, look)
    drain(device, camera, subscriber)
    log = device.log_path.read_text(errors="replace")
    findings = compare(said_in(log), device.on_disk, subscriber.received)
    problems = [*findings.problems, *device_problems(device, log)]
    problems += left_open(said_in(log), subscriber.received)
    if findings.unlogged > device.kills:  # each can take one line; else the log is no witness
        problems.append(f"{findings.unlogged} messages came that the log does not mention")
    if findings.received < _LEAST_A_MINUTE * minutes:
        problems.append("so little was accepted that this proves nothing")
    print(report(faults, device, broker, findings, log))
    (folder / "broken").write_text("".join(f"{problem}\n" for problem in problems))
    for kind, count in Counter(problem.partition(":")[0] for problem in problems).items():
        print(f"BROKEN  {count:>6} {kind}; all of them are in {folder / 'broken'}")
    for problem in problems[:_SHOWN]:
        print(f"BROKEN  {problem}")
    print(f"{len(problems)} promises broken" if problems else "nothing lost, nothing altered")
    return 1 if problems else 0


def drain(device: SoakDevice, camera: SoakCamera, subscriber: SoakSubscriber) -> None:
    """Repair everything, and let the device deliver its queue, without a camera that adds to it."""
    device.supervise()
    camera.kill()
    device.stop()
    end_s = time.monotonic() + _DRAIN_S
    while time.monotonic() < end_s:
        try:
            deliver(device, subscriber)
        except TimeoutError as error:
            print(error)
        device.stop()
        if not device.waiting():
            return  # else it was stopped before an acknowledgement came


def deliver(device: SoakDevice, subscriber: SoakSubscriber) -> None:
    """Raises TimeoutError where the subscriber lacks messages in the end."""
    said_before = device.log_path.stat().st_size
    device.start()

    def has_connected() -> bool:
        return b"connected to the broker" in device.log_path.read_bytes()[said_before:]

    def has_all() -> bool:
        subscriber.acknowledge()
        log = device.log_path.read_text(errors="replace")
        findings = compare(said_in(log), device.on_disk, subscriber.received)
        time.sleep(0.5)
        return not any(problem.startswith("lost") for problem in findings.problems)

    wait_until(has_connected, "the device's last connection", _DRAIN_S)
    wait_until(has_all, "what the device has accepted", _DRAIN_S)
    time.sleep(_SETTLE_S)


def device_problems(device: SoakDevice, log: str) -> list[str]:
    problems = [f"quarantined needlessly: {name}" for name in device.set_aside()]
    problems += [f"crash: {line}" for line in log.splitlines() if line.startswith("Traceback")]
    problems += [
        f"slow: SIGTERM took {took_s:.1f} s" for took_s in device.stops_s if took_s > STOP_WITHIN_S
    ]
    if left := len(device.waiting()):
        problems.append(f"{left} messages are still in the outbox")
    return problems


def report(
    faults: list[SoakFault], device: SoakDevice, broker: SoakBroker, findings: Findings, log: str
) -> str:
    lines = [f"{fault.name:<24} {fault.count:>6}" for fault in faults]
    lines += [
        f"{name:<24} {count:>6}"
        for name, count in (
            ("  by SIGKILL", device.kills),
            ("  by SIGTERM", len(device.stops_s)),
            *(
                (f"  by itself, status {status}", count)
                for status, count in sorted(device.ended_itself.items())
            ),
            ("accepted", findings.accepted),
            ("received", findings.received),
            ("  compared with disk", findings.compared),
            ("  killed before said", findings.unlogged),
            ("  from memory", findings.from_memory),
            ("repeats", findings.repeats),
            ("skipped numbers", findings.skipped),
            ("  by numbers that are drawn", findings.unrecorded),
            ("acknowledged twice", broker.proxy.doubled),
            ("refused by the disk", log.count(" is lost: ")),
        )
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
