"""How the device is doing: values that are read, reported and acted on; no picture among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from urllib.parse import urlsplit

from edge.acuity import SightState
from edge.keeping import HistoryState
from edge.software import InUse, OnTrial
from edge.words import duration

SCAN = "scan"
"""The step under which the detector's scans in full size are timed: their picture always has the
same size."""
CLASSIFY = "classify"
TOTAL = "total"
"""All steps for one frame."""


class CameraState(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    LOST = "lost"


class CameraView(StrEnum):
    """What the picture is good for. But for `clear`, nobody can be seen, and nobody is counted."""

    CLEAR = "clear"
    DARK = "dark"
    BLINDED = "blinded"
    COVERED = "covered"


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """How the camera does."""

    state: CameraState
    outages: int
    """How often it was lost since the program started."""
    view: CameraView | None
    """None while it gives no frames."""
    fps: float | None
    """Frames a second that it gives, whether or not they are judged; None while it gives none."""
    slow: bool
    """Too few of them to follow people."""
    trouble: str = ""
    """Why it is lost."""
    refuses: bool = False
    """A network camera is there, and refuses what `[camera] source` asks for."""
    rotation_wanted_deg: int | None = None
    """What `[camera] rotation_deg` should be: faces are turned, and nobody is judged. None: not as
    far as it is known."""
    lifeless_places: tuple[tuple[tuple[float, float], ...], ...] = ()
    """Where a face has never moved for long: polygons, as `[detector] excluded` takes them."""


@dataclass(frozen=True, slots=True)
class CameraReport:
    """One of several cameras, and how its frames are judged."""

    name: str
    zone: str
    status: CameraStatus
    frames: int
    fps: float
    """Frames judged per second, over the last 10 s."""
    dropped_frames: int
    latencies: Mapping[str, Latency]
    plan: str
    paused_for_s: float | None = None
    """None: it is not paused."""
    is_stuck: bool = False
    """Whether the thread that judges its frames does not go on."""
    sight: SightState | None = None


class ThrottlingFlag(StrEnum):
    """What the Raspberry Pi's firmware reports; the flags `_occurred` are since boot."""

    UNDER_VOLTAGE = "under_voltage"
    FREQUENCY_CAPPED = "frequency_capped"
    THROTTLED = "throttled"
    SOFT_TEMPERATURE_LIMIT = "soft_temperature_limit"
    UNDER_VOLTAGE_OCCURRED = "under_voltage_occurred"
    FREQUENCY_CAPPED_OCCURRED = "frequency_capped_occurred"
    THROTTLED_OCCURRED = "throttled_occurred"
    SOFT_TEMPERATURE_LIMIT_OCCURRED = "soft_temperature_limit_occurred"


class Strain(StrEnum):
    """What the device suffers from."""

    HEAT = "heat"
    POWER = "power"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Vitals:
    """What was read from the machine; None: it cannot be."""

    temperature_c: float | None = None
    throttling: list[ThrottlingFlag] | None = None
    available_bytes: int | None = None


ALL_WORK_FPS = 8.0
"""So many frames a second are all of the work: the others are not scanned."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How many frames may be judged a second (None: all), and why no more."""

    max_fps: float | None = None
    reasons: tuple[Strain, ...] = ()

    @property
    def interval_s(self) -> float:
        """The least time from one frame to the next."""
        return 0.0 if self.max_fps is None else 1 / self.max_fps

    @property
    def share(self) -> float:
        """The share of its work that the box may do."""
        return 1.0 if self.max_fps is None else min(1.0, self.max_fps / ALL_WORK_FPS)


@dataclass(frozen=True, slots=True)
class Latency:
    """How long one step of the road takes for a frame, in ms."""

    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Dropped:
    """How many messages were given up undelivered, by the limit that they exceeded."""

    rows: int = 0
    bytes: int = 0
    age: int = 0
    memory: int = 0
    """While the disk refused them: more than the memory takes."""

    @property
    def total(self) -> int:
        return self.rows + self.bytes + self.age + self.memory


_NONE_DROPPED = Dropped()


@dataclass(frozen=True, slots=True)
class OutboxState:
    """What waits for the broker."""

    rows: int = 0
    """Documents that wait, on the disk and in memory."""
    bytes: int = 0
    """The size of the payloads kept."""
    oldest_age_s: float | None = None
    """As far as it is certain, see `Moment.age_s`. None: empty."""
    dropped: Dropped = _NONE_DROPPED
    is_refused: bool = False
    """Whether the disk refuses documents."""
    in_memory: int = 0
    """Documents that wait in memory only."""
    live: int = 0
    """Documents that were delivered without ever being on the disk, since the start."""
    set_aside: int = 0
    """Damaged files that lie beside this one, at most 5."""
    refused: int = 0
    """Documents that the broker does not take, kept beside those that wait."""
    set_aside_at: datetime | None = None
    """When the newest of them was quarantined."""
    delivered: tuple[int, ...] = ()
    """Sequences that the broker has acknowledged and that are still in the file: deleted within ten
    minutes. A thousand at most."""
    acknowledged: int = 0
    """Documents that the broker has acknowledged, since the start."""


@dataclass(frozen=True, slots=True)
class BrokerState:
    """How we stand with the broker."""

    connected: bool
    reconnects: int
    """Connections after the first."""
    protocol: str
    """The protocol: `MQTT 5` or `MQTT 3.1.1`; `none` before the first time."""
    trouble: str = ""
    """Why it is not connected, in a sentence."""
    refusal: str = ""
    """Why it does not take the documents that wait, in a sentence; empty: it does."""
    retains: bool = True
    """Whether the broker retains states for later subscribers."""
    qos: int = 1
    """0: it acknowledges nothing."""
    limits: tuple[str, ...] = ()
    """What is missed at it, in sentences."""


@dataclass(frozen=True, slots=True)
class PageState:
    """The page for a browser, where it is enabled."""

    url: str
    """Where it listens."""
    trouble: str = ""
    """Why it cannot be served, in a sentence; empty: nothing that the daemon knows of."""

    @property
    def port(self) -> int | None:
        return urlsplit(self.url).port


@dataclass(frozen=True, slots=True)
class NotifierState:
    """One target of notifications."""

    name: str
    kind: str
    waiting: int
    """Events that wait: for its server, the end of a pause or of quiet hours."""
    oldest_age_s: float | None = None
    """None: none waits."""
    dropped: int = 0
    """Events that were given up: too old, or too many."""
    trouble: str = ""
    """Why nothing arrives, in a sentence; empty: all does, as far as is known."""
    tested_at: datetime | None = None
    """When the last test was over; None: none was since the start."""
    test: str = ""
    """Why that failed; empty: it arrived."""
    is_quiet: bool = False
    """Whether it is in its quiet hours, in which nothing is sent."""


@dataclass(frozen=True, slots=True)
class SignalState:
    """The lamps, sounds and the relay at the door, where they are enabled."""

    shows: str
    """What is on: `green, relay`; `all off`."""
    muted_for_s: float | None = None
    """None: sounds are made."""
    trouble: str = ""
    """Why they do not do what they should, in a sentence; empty: they do."""

    @property
    def in_words(self) -> str:
        """What is on, for people."""
        muted = "" if self.muted_for_s is None else f"; muted for {duration(self.muted_for_s)}"
        return f"{self.shows}{muted}"


@dataclass(frozen=True, slots=True)
class RuleState:
    """Whether masks have to be worn, and since when that holds."""

    is_on: bool
    since: datetime | None = None
    """None: it has never been otherwise."""
    by: str = ""
    """Who said so: `calendar`, or a name; empty: nobody."""


@dataclass(frozen=True, slots=True)
class ClockState:
    """The wall clock; durations do not depend on it."""

    steps: int
    """How often it was set since the program started."""
    last_step_s: float | None
    """By how much the last time; None: never; below 0: back."""
    is_synchronised: bool = True
    """Set from the network."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """One that this box shows to others."""

    key: str
    """Where the settings name it."""
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Telemetry:
    """All that the device reports about itself, as it was at one moment.

    Taken by the loop once a second; any thread may read the last one, as often as it likes.
    """

    uptime_s: float
    frames: int
    """Judged since the program's start."""
    fps: float
    """Frames judged per second, over the last 10 s."""
    latencies: Mapping[str, Latency]
    """By step of the road, and `total`: of the last frames."""
    dropped_frames: int
    """Of the camera, passed over since the program's start."""
    camera: CameraStatus
    outbox: OutboxState
    broker: BrokerState
    vitals: Vitals
    rss_bytes: int
    pace: Pace
    clock: ClockState
    paused_for_s: float | None
    """Until judging is resumed by itself; None: it is not paused."""
    trial: OnTrial | None = None
    page: PageState | None = None
    in_use: InUse | None = None
    """None: of an older version, which does not say."""
    at: datetime | None = None
    """When it was taken; None: of an older version."""
    certificates: tuple[Certificate, ...] = ()
    plan: str = ""
    """How closely frames are looked at, see `edge.plan`; empty: of an older version."""
    notifiers: tuple[NotifierState, ...] = ()
    signal: SignalState | None = None
    history: HistoryState | None = None
    rule: RuleState = RuleState(is_on=True)
    sight: SightState | None = None
    """Of several cameras that of the first; None: sight is not proved."""
    cameras: tuple[CameraReport, ...] = ()
    """Each of several cameras; empty: there is one. `camera` is the first then, frames are those of
    all, and latencies and the plan those of the one that takes longest."""

    @property
    def each_camera(self) -> tuple[tuple[str, CameraStatus], ...]:
        """The cameras by name, which is empty where there is one."""
        several = tuple((each.name, each.status) for each in self.cameras)
        return several or (("", self.camera),)

    def of(self, name: str) -> Telemetry:
        """Return what is to be said of one of several cameras, as if it were the only one; of a
        name that there is not, everything."""
        found = next((each for each in self.cameras if each.name == name), None)
        if found is None:
            return self
        return replace(
            self,
            camera=found.status,
            frames=found.frames,
            fps=found.fps,
            dropped_frames=found.dropped_frames,
            latencies=found.latencies,
            plan=found.plan,
            paused_for_s=found.paused_for_s,
            sight=found.sight,
            cameras=(),
        )

    @property
    def summary(self) -> str:
        """Return the condition in one line, for people."""
        paused = "" if self.paused_for_s is None else f"paused for {self.paused_for_s:.0f} s; "
        broker = "connected" if self.broker.connected else "away"
        refused = ", the disk refuses them" if self.outbox.is_refused else ""
        rule = "" if self.rule.is_on else "mask rule off; "
        return (
            f"{paused}{rule}{self._cameras_in_words}, {self.fps:.1f} fps; "
            f"broker {broker}, {self.outbox.rows} queued{refused}"
        )

    @property
    def _cameras_in_words(self) -> str:
        if not self.cameras:
            return f"camera {_in_words(self.camera)}"
        return ", ".join(f"camera {name} {_in_words(status)}" for name, status in self.each_camera)


def _in_words(camera: CameraStatus) -> str:
    sees = camera.state if camera.view in (None, CameraView.CLEAR) else camera.view
    turned = "" if camera.rotation_wanted_deg is None else ", faces turned: nobody is judged"
    return f"{sees}{turned}"
