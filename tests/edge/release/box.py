"""A device in memory: releases that behave well or badly, a camera, a broker, and power cuts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from edge.installed import Slot
from edge.release.ledger import Ledger, LedgerFile, TrialOutcome
from edge.release.observed import ServiceReport, ServiceState, baseline_of
from edge.release.store import ReleaseStore
from edge.release.switch import Switch
from edge.release.watch import Watcher
from tests.fakes import TurnedClock

WINDOW_S = 600.0
GOOD, WRONG = "good", "wrong"
FORMER, NEW = "0.2.0-aaaa", "0.3.0-bbbb"
State = tuple[ServiceState, ServiceReport | None]


class PowerCutError(BaseException):
    """Everything stops here."""


def up(
    for_s: float,
    camera: bool = True,
    broker: bool = True,
    disk: bool = True,
    scan_ms: float = 30.0,
    frames: int | None = None,
    *,
    frame_ms: float = 60.0,
    fps: float = 15.0,
    camera_fps: float = 15.0,
    oldest_s: float | None = None,
    rss_bytes: float = 140e6,
    page: bool = True,
    restarts: int = 0,
) -> State:
    """It runs, and has done so for `for_s`; whether its page answers is `ServiceState.sub`'s."""
    sub = "running" if page else "without a page"
    state = ServiceState("active", sub, "success", 0, restarts, f"run {restarts}")
    judged = round(15 * for_s) if frames is None else frames
    figures = (frame_ms, fps, camera_fps, oldest_s, round(rss_bytes))
    return state, ServiceReport(camera, broker, disk, judged, False, scan_ms, *figures)


def starting(result: str = "success", status: int = 0, restarts: int = 0) -> State:
    return ServiceState("activating", "start", result, status, restarts, "1"), None


def between(result: str, status: int, restarts: int) -> State:
    return ServiceState("activating", "auto-restart", result, status, restarts, "1"), None


def failed(status: int) -> State:
    return ServiceState("failed", "failed", "exit-code", status, 0, "1"), None


def well(for_s: float) -> State:
    return starting() if for_s < 3 else up(for_s)


def refusing(status: int) -> Callable[[float], State]:
    return lambda for_s: starting() if for_s < 2 else failed(status)


def ending(result: str, status: int, lives_s: float) -> Callable[[float], State]:
    """It lives so long, and is restarted after 5 s each time."""

    def state(for_s: float) -> State:
        lives, this_s = divmod(for_s, lives_s + 5)
        if this_s >= lives_s:
            return between(result, status, int(lives))
        is_up = this_s >= 3
        return up(this_s, restarts=int(lives)) if is_up else starting(result, status, int(lives))

    return state


class Service:
    """Runs whatever is linked, as that release behaves."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self.begun_s = 0.0
        self.is_stopped = False

    def runs(self) -> bool:
        return not self.is_stopped

    def begin(self) -> None:
        self._box.step()
        self.begun_s = self._box.clock.now_s
        self.runs_release = self._box.store.current(Slot.RELEASE)

    def watch(self) -> None:
        self._box.step()

    def unwatch(self) -> None:
        self._box.step()

    def state(self) -> ServiceState:
        if self.is_stopped:
            return ServiceState("inactive", "dead", "success", 0, 0, "")
        return self._now()[0]

    def report(self) -> ServiceReport | None:
        return self._now()[1]

    def _now(self) -> State:
        now_s = self._box.clock.now_s
        # Settings count from the start on.
        if self._box.settings_now(self.begun_s) == WRONG:
            return self._box.wrong(now_s - self.begun_s)
        state, report = self._box.behaviour()(now_s - self.begun_s)
        if report is not None:
            there = self._box.camera(now_s)
            is_connected = self._box.network(now_s)
            report = replace(
                report,
                camera_runs=report.camera_runs and there,
                broker_connected=report.broker_connected and is_connected,
                frames=report.frames if there else 0,
            )
        return state, report


class CutStore(ReleaseStore):
    def __init__(self, prefix: Path, box: Box) -> None:
        super().__init__(prefix)
        self._box = box

    def point(self, slot: Slot, name: str) -> None:
        self._box.step()
        super().point(slot, name)

    def point_to_watcher(self, release: str) -> None:
        self._box.step()
        super().point_to_watcher(release)


class CutLedgerFile(LedgerFile):
    def __init__(self, path: Path, box: Box) -> None:
        super().__init__(path)
        self._box = box

    def write(self, ledger: Ledger) -> None:
        self._box.step()
        super().write(ledger)


@dataclass
class Box:
    """A device on which `FORMER` runs well, and `NEW` is installed beside it."""

    folder: Path
    releases: dict[str, Callable[[float], State]]
    camera: Callable[[float], bool] = lambda now_s: True
    network: Callable[[float], bool] = lambda now_s: True
    starved: Callable[[float], bool] = lambda now_s: False
    settings_now: Callable[[float], str] = lambda now_s: GOOD
    """What is in the settings: they are refused by all releases when that is `WRONG`."""
    wrong: Callable[[float], State] = lambda for_s: failed(78)
    """How all releases end then."""
    clock: TurnedClock = field(default_factory=TurnedClock)
    cut_at: int = -1
    """Before this step the power goes; below 0: never."""
    steps: int = 0
    boots: int = 1

    def __post_init__(self) -> None:
        self.store = CutStore(self.folder, self)
        for name in (FORMER, NEW, *self.releases):
            self.store.folder(Slot.RELEASE, name).mkdir(parents=True, exist_ok=True)
        self.store.point(Slot.RELEASE, FORMER)
        self.service = Service(self)
        self.service.begin()
        self.clock.sleep(60)
        self.switch = self._new_switch()
        self.switch.activate(Slot.RELEASE, FORMER, baseline_of(None))
        self.steps = 0

    def behaviour(self) -> Callable[[float], State]:
        return self.releases.get(self.service.runs_release, well)

    def step(self) -> None:
        if self.steps == self.cut_at:
            self.cut_at = -1
            raise PowerCutError
        self.steps += 1

    def reboot(self) -> None:
        """Everything begins again; what is linked starts by itself."""
        self.boots += 1
        self.service.begun_s = self.clock.now_s
        self.service.runs_release = self.store.current(Slot.RELEASE)
        self.switch = self._new_switch()

    def activate(self, name: str = NEW, *, again: bool = False) -> bool:
        baseline = baseline_of(
            self.service.report(), page_answers=self.page_answers(), settings=self.settings()
        )
        return self.switch.activate(Slot.RELEASE, name, baseline, again=again)

    def watch(self) -> TrialOutcome | None:
        return self._watcher().run()

    def broker_answers(self) -> bool:
        return self.network(self.clock.now_s)

    def page_answers(self) -> bool:
        return self.service.state().sub == "running"

    def settings(self) -> str:
        return self.settings_now(self.clock.now_s)

    def settings_refused(self) -> bool:
        return self.settings() == WRONG

    def is_starved(self, pid: int) -> bool:
        return self.starved(self.clock.now_s)

    def count(self) -> None:
        """What comes before the service at each start of the machine."""
        self._watcher().count()

    def _watcher(self) -> Watcher:
        return Watcher(
            self.switch,
            self.service.report,
            self,
            WINDOW_S,
            f"boot {self.boots}",
        )

    @property
    def current(self) -> str:
        return self.store.current(Slot.RELEASE)

    def outcomes(self) -> Iterator[tuple[str, TrialOutcome]]:
        for entry in self.switch.ledger.entries:
            yield entry.name, entry.outcome

    def _new_switch(self) -> Switch:
        return Switch(
            self.store,
            self.service,
            CutLedgerFile(self.folder / "ledger.json", self),
            clock=self.clock,
        )
