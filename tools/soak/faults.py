"""Faults that strike at random times, each kind for itself, so that they meet."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.disk import SmallDisk
from tools.soak.broker import Intruder, SoakBroker, SoakSubscriber
from tools.soak.rig import (
    Cable,
    FaultyCalls,
    SoakCamera,
    SoakDevice,
    WallClock,
)

_TURN_S = 0.02
_NOT_NOW_S = 0.2
Range = tuple[float, float]


@dataclass
class SoakFault:
    """Something that breaks and is repaired again."""

    name: str
    pause_s: Range
    """How long it stays whole."""
    hold_s: Range
    """How long it stays broken."""
    strike: Callable[[random.Random], bool | None]
    """False: not now."""
    relieve: Callable[[], None]
    chance: random.Random = field(default_factory=random.Random)
    count: int = 0
    _is_broken: bool = False
    _due_s: float = 0.0

    def begin(self, seed: int, now_s: float) -> None:
        self.chance = random.Random(f"{seed} {self.name}")
        self._due_s = now_s + self.chance.uniform(*self.pause_s)

    def advance(self, now_s: float) -> None:
        if now_s < self._due_s:
            return
        if self._is_broken:
            self.repair()
            self._due_s = now_s + self.chance.uniform(*self.pause_s)
        elif self.strike(self.chance) is False:
            self._due_s = now_s + _NOT_NOW_S
        else:
            self._is_broken = True
            self.count += 1
            self._due_s = now_s + self.chance.uniform(*self.hold_s)

    def repair(self) -> None:
        if self._is_broken:
            self._is_broken = False
            self.relieve()


def all_faults(
    device: SoakDevice,
    broker: SoakBroker,
    subscriber: SoakSubscriber,
    network: Cable,
    camera: SoakCamera,
    disk: SmallDisk,
    clock: WallClock,
    calls: FaultyCalls,
) -> list[SoakFault]:
    intruder = Intruder()

    def end_device(chance: random.Random) -> None:
        way = chance.random()
        if way < 0.5:
            device.kill()
        elif way < 0.95:
            device.kill_while_it_writes(chance)
        else:
            device.stop()

    def kill_broker(chance: random.Random) -> bool:
        if not subscriber.is_in_sync():
            return False  # what it holds for the subscriber, it holds in memory only
        subscriber.hold_back()
        broker.kill()
        return True

    def step_clock(chance: random.Random) -> None:
        clock.step_to(chance.choice((-86400, -3600, -2, 2, 3600, 86400, 1e8)))

    def fill_disk(chance: random.Random) -> bool:
        if disk.is_read_only or disk.lacks_inodes:
            return False
        disk.fill()
        return True

    def use_up_inodes(chance: random.Random) -> bool:
        if disk.is_read_only:
            return False
        disk.use_up_inodes()
        return True

    def protect_card(chance: random.Random) -> bool:
        """It becomes read-only where an error makes it so, and the device is started again."""
        if disk.is_full or disk.lacks_inodes:
            return False
        restart_with("ro")
        return True

    def restart_with(how: str) -> None:
        device.kill()
        disk.remount(how)
        device.start()

    def take_battery(chance: random.Random) -> None:
        clock.has_battery = False

    def put_battery() -> None:
        clock.has_battery = True
        clock.step_to(0)

    def double(chance: random.Random) -> None:
        broker.proxy.doubles = True

    def single() -> None:
        broker.proxy.doubles = False

    return [
        SoakFault("device ended", (0.2, 12), (0.0, 0.4), end_device, device.start),
        SoakFault("broker killed", (4, 14), (0.1, 5), kill_broker, broker.start),
        SoakFault(
            "cable unplugged", (8, 40), (0.5, 10), lambda _: network.unplug(), network.plug_in
        ),
        SoakFault(
            "answers swallowed",
            (8, 40),
            (0.5, 10),
            lambda _: network.swallow_answers(),
            network.let_answers_through,
        ),
        SoakFault("camera frozen", (10, 40), (1, 12), lambda _: camera.freeze(), camera.thaw),
        SoakFault("camera unplugged", (20, 60), (1, 6), lambda _: camera.kill(), camera.start),
        SoakFault("disk full", (8, 40), (1, 8), fill_disk, disk.make_room),
        SoakFault("inodes used up", (8, 40), (1, 8), use_up_inodes, disk.give_inodes_back),
        SoakFault("card read-only", (20, 60), (3, 15), protect_card, lambda: restart_with("rw")),
        SoakFault("fsync fails", (5, 30), (1, 8), lambda _: calls.fail(syncs=100), calls.fail),
        SoakFault("pwrite fails", (5, 30), (1, 8), lambda _: calls.fail(writes=60), calls.fail),
        SoakFault("broker stopped", (8, 40), (0.5, 8), lambda _: broker.freeze(), broker.thaw),
        SoakFault("broker acknowledges twice", (5, 20), (2, 10), double, single),
        SoakFault(
            "another client's id", (30, 90), (0.2, 3), lambda _: intruder.come(), intruder.go
        ),
        SoakFault("clock without battery", (10, 40), (10, 40), take_battery, put_battery),
        SoakFault("clock stepped", (3, 15), (3, 15), step_clock, lambda: clock.step_to(0)),
    ]


def let_loose(
    faults: Sequence[SoakFault], seed: int, until_s: float, look: Callable[[], None]
) -> None:
    """Break and repair until a time on the monotonic clock, then repair all; `look` in between."""
    for fault in faults:
        fault.begin(seed, time.monotonic())
    while (now_s := time.monotonic()) < until_s:
        for fault in faults:
            fault.advance(now_s)
        look()
        time.sleep(_TURN_S)
    for fault in faults:
        fault.repair()
