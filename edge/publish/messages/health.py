"""How the device is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from edge.acuity import SightState
from edge.conditions import Condition, conditions, health_codes
from edge.publish.messages.common import (
    CameraName,
    Count,
    Message,
    NotNegative,
    Origin,
    PayloadPart,
    Timestamp,
    every_field,
    timestamp,
)
from edge.publish.messages.release import TrialHealth, trial_health
from edge.telemetry import (
    CameraReport,
    CameraState,
    CameraStatus,
    CameraView,
    OutboxState,
    RuleState,
    Strain,
    Telemetry,
    ThrottlingFlag,
)


class Versions(PayloadPart, frozen=True, kw_only=True):
    program: Annotated[str, Meta(description="TensorMask itself")]
    runtime: Annotated[str, Meta(description="The TensorFlow Lite runtime, as `name version`")]
    python: str
    opencv: str
    release: Annotated[
        str | None,
        Meta(description="The installed release, version and digest; null: none is installed"),
    ] = None


class DetectorIdentity(PayloadPart, frozen=True, kw_only=True):
    """What finds faces."""

    name: str
    version: Annotated[str | None, Meta(description="null: it has none")]
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="Digest of its network")]


class LatencyHealth(PayloadPart, frozen=True, kw_only=True):
    """How long one step took for a frame, of the last 500 frames."""

    p50: Annotated[NotNegative, Meta(description="Median, in ms")]
    p95: Annotated[NotNegative, Meta(description="95th percentile, in ms")]


class CameraHealth(PayloadPart, frozen=True, kw_only=True):
    state: Annotated[
        CameraState,
        Meta(description="lost: gone, frozen or without frames; the device keeps trying"),
    ]
    outages: Annotated[Count, Meta(description="How often it was lost since the program started")]
    view: Annotated[
        CameraView | None,
        Meta(description="dark: no light; blinded: too much of it; covered: nothing in the "
             "picture has an edge; null while the camera gives no frames"),
    ]  # fmt: skip
    fps: Annotated[
        NotNegative | None, Meta(description="Frames per second that the camera gives; null: none")
    ]
    slow: Annotated[bool, Meta(description="Too few frames per second to follow people")]
    rotation_wanted_deg: Annotated[
        int | None,
        Meta(description="What [camera] rotation_deg should be: faces are upside down or on their "
             "side, and nobody is judged; null or missing: no change, as far as is known"),
    ] = None  # fmt: skip


class SightHealth(PayloadPart, frozen=True, kw_only=True):
    """The last proof of sight: drawn heads in copies of live pictures."""

    at: Annotated[Timestamp, Meta(description="When it was")]
    masked_px: Annotated[
        Count | None,
        Meta(description="The smallest size of a face with a mask that is seen, in pixels of the "
             "camera's picture; null: none of those shown"),
    ]  # fmt: skip
    bare_px: Annotated[Count | None, Meta(description="The same without a mask")]
    share: Annotated[float, Meta(ge=0, le=1, description="Of all heads, those judged rightly")]
    normal: Annotated[
        float | None,
        Meta(description="The share that is normal at this time of day; null: still learned"),
    ]


class OneCameraHealth(CameraHealth, frozen=True, kw_only=True):
    """One of several cameras."""

    zone: Annotated[str, Meta(description="Which part of the site it watches; may be empty")]
    judged_fps: Annotated[
        NotNegative, Meta(description="Frames judged per second, over the last 10 s")
    ]
    frames: Annotated[Count, Meta(description="Frames judged since the program started")]
    dropped_frames: Annotated[
        Count, Meta(description="Frames of the camera skipped since the program started")
    ]
    paused_for_s: Annotated[
        NotNegative | None, Meta(description="Until judging resumes by itself; null: not paused")
    ] = None
    conditions: Annotated[
        list[str], Meta(description="What is wrong with this camera, as codes, faults first")
    ] = msgspec.field(default_factory=list)
    sight: Annotated[
        SightHealth | None,
        Meta(description="null or missing: nothing was proved here since the start"),
    ] = None


class OutboxCondition(StrEnum):
    ON_DISK = "on_disk"
    REFUSED = "refused"


class DroppedHealth(PayloadPart, frozen=True, kw_only=True):
    """Messages dropped undelivered, since the outbox was created."""

    rows: Annotated[Count, Meta(description="Beyond `[outbox] max_rows`")]
    bytes: Annotated[Count, Meta(description="Beyond `[outbox] max_bytes`")]
    age: Annotated[Count, Meta(description="Beyond `[outbox] max_age_s`")]
    memory: Annotated[Count, Meta(description="Too many while the disk refused them")]


class OutboxHealth(PayloadPart, frozen=True, kw_only=True):
    """The queue of messages for the broker, on disk."""

    rows: Annotated[Count, Meta(description="Messages that the broker has not acknowledged")]
    oldest_age_s: Annotated[
        NotNegative | None, Meta(description="Age of the oldest, at least; null: none")
    ]
    dropped: Annotated[Count, Meta(description="Messages dropped, for any reason")]
    set_aside: Annotated[
        Count,
        Meta(description="Damaged outboxes in quarantine; more than 0: inspect them"),
    ]
    set_aside_at: Annotated[
        Timestamp | None, Meta(description="When the newest of them was quarantined; null: none")
    ]
    state: Annotated[
        OutboxCondition,
        Meta(description="on_disk: normal; refused: the disk is full or broken, and "
             "messages are published from memory"),
    ]  # fmt: skip
    bytes: Annotated[Count, Meta(description="Size of the queued payloads")]
    in_memory: Annotated[Count, Meta(description="Messages among `rows` that a stop would lose")]
    live: Annotated[
        Count,
        Meta(description="Messages delivered that were never on the disk, since the start"),
    ]
    dropped_by: Annotated[DroppedHealth, Meta(description="`dropped` by its reasons")]
    refused: Annotated[
        Count,
        Meta(
            description="Messages that the broker does not take, in quarantine; more than 0: "
            "inspect them"
        ),
    ] = 0


class BrokerHealth(PayloadPart, frozen=True, kw_only=True):
    reconnects: Annotated[Count, Meta(description="Connections after the first")]
    protocol: Annotated[str, Meta(description="The protocol: `MQTT 5` or `MQTT 3.1.1`")]
    retains: Annotated[
        bool, Meta(description="Whether the broker retains states for later subscribers")
    ] = True
    qos: Annotated[
        int,
        Meta(ge=0, le=1, description="QoS of the messages; 0: none is acknowledged"),
    ] = 1
    limits: Annotated[
        list[str], Meta(description="What the broker does not support, in sentences for people")
    ] = msgspec.field(default_factory=list)


class PaceHealth(PayloadPart, frozen=True, kw_only=True):
    """How fast the device may work."""

    max_fps: Annotated[
        NotNegative | None, Meta(description="Frames judged per second at most; null: all of them")
    ]
    reasons: Annotated[list[Strain], Meta(description="Why the rate is limited; empty: it is not")]


class ClockHealth(PayloadPart, frozen=True, kw_only=True):
    """The wall clock; durations do not depend on it."""

    steps: Annotated[Count, Meta(description="How often it was set since the program started")]
    last_step_s: Annotated[
        float | None, Meta(description="By how much the last time; null: never; negative: back")
    ]


class MaskRuleHealth(PayloadPart, frozen=True, kw_only=True):
    """Whether masks have to be worn: by the seasons of the calendar, or by command."""

    on: Annotated[bool, Meta(description="false: people are counted, and nobody is reported")]
    since: Annotated[
        Timestamp | None, Meta(description="null: it has never been otherwise, as far as is known")
    ]
    by: Annotated[str, Meta(description="Who said so: `calendar`, or a name; empty: nobody")]


class HealthMessage(Message, frozen=True, kw_only=True, tag="tensormask/health/1"):
    """How the device is. Retained: every 30 s unless configured otherwise, and when it changes."""

    versions: Versions
    uptime_s: Annotated[NotNegative, Meta(description="Since the program's start")]
    fps: Annotated[NotNegative, Meta(description="Frames judged per second, over the last 10 s")]
    latency_ms: Annotated[
        dict[str, LatencyHealth],
        Meta(description="By step of the pipeline, and `total` for all of them"),
    ]
    frames: Annotated[Count, Meta(description="Frames judged since the program started")]
    dropped_frames: Annotated[
        Count, Meta(description="Frames of the camera skipped since the program started")
    ]
    camera: CameraHealth
    outbox: OutboxHealth
    broker: BrokerHealth
    temperature_c: Annotated[
        float | None, Meta(description="Of the processor; null where it can't be read")
    ]
    throttling: Annotated[
        list[ThrottlingFlag] | None,
        Meta(description="Empty: none; null where it can't be read (no Raspberry Pi)"),
    ]
    rss_bytes: Annotated[Count, Meta(description="The program's memory in use")]
    available_bytes: Annotated[
        Count | None, Meta(description="Memory that it may still take; null where it can't be read")
    ]
    pace: PaceHealth
    clock: ClockHealth
    plan: Annotated[
        str | None,
        Meta(description="How closely frames are looked at: sparing, usual, thorough or full; null "
             "or missing: an older version"),
    ] = None  # fmt: skip
    mask_rule: Annotated[
        MaskRuleHealth | None, Meta(description="null or missing: an older version")
    ] = None
    paused_for_s: Annotated[
        NotNegative | None,
        Meta(
            description="Until judging resumes by itself, after the command pause; null: not paused"
        ),
    ] = None
    detector: DetectorIdentity | None = None
    trial: Annotated[TrialHealth | None, Meta(description="null: nothing is on trial")] = None
    sight: Annotated[
        SightHealth | None,
        Meta(
            description="null or missing: nothing was proved since the start, or `[sight]` is off; "
            "of several cameras it is that of the first"
        ),
    ] = None
    conditions: Annotated[
        list[Annotated[str, Meta(pattern=r"^[a-z]+(-[a-z]+)*$")]] | None,
        Meta(description="What is wrong, as codes, faults first; empty: all is well; null or "
             "missing: an older version. See docs/mqtt.md"),
    ] = None  # fmt: skip
    cameras: Annotated[
        dict[CameraName, OneCameraHealth] | UnsetType,
        Meta(description="Each of several cameras; `camera` is the first of them, frames are those "
             "of all. Missing: there is one camera"),
    ] = UNSET  # fmt: skip


def health_message(
    origin: Origin,
    versions: Versions,
    telemetry: Telemetry,
    at: datetime,
    clock_synchronised: bool,
    detector: DetectorIdentity | None = None,
) -> HealthMessage:
    """Return how the device is, as it was at `at`."""
    paused_for_s = telemetry.paused_for_s
    found = conditions(telemetry)
    return HealthMessage(
        **every_field(origin, at, clock_synchronised),
        versions=versions,
        uptime_s=round(telemetry.uptime_s, 1),
        fps=round(telemetry.fps, 2),
        latency_ms={
            step: LatencyHealth(p50=round(each.p50, 3), p95=round(each.p95, 3))
            for step, each in telemetry.latencies.items()
        },
        frames=telemetry.frames,
        dropped_frames=telemetry.dropped_frames,
        camera=CameraHealth(**_fields(telemetry.camera)),
        outbox=_outbox(telemetry.outbox),
        broker=BrokerHealth(
            reconnects=telemetry.broker.reconnects,
            protocol=telemetry.broker.protocol,
            retains=telemetry.broker.retains,
            qos=telemetry.broker.qos,
            limits=list(telemetry.broker.limits),
        ),
        temperature_c=telemetry.vitals.temperature_c,
        throttling=telemetry.vitals.throttling,
        rss_bytes=telemetry.rss_bytes,
        available_bytes=telemetry.vitals.available_bytes,
        pace=PaceHealth(max_fps=telemetry.pace.max_fps, reasons=list(telemetry.pace.reasons)),
        clock=ClockHealth(steps=telemetry.clock.steps, last_step_s=telemetry.clock.last_step_s),
        plan=telemetry.plan or None,
        mask_rule=_rule(telemetry.rule),
        paused_for_s=None if paused_for_s is None else round(paused_for_s, 1),
        detector=detector,
        trial=trial_health(telemetry.trial),
        sight=_sight(telemetry.sight),
        conditions=[*health_codes(found)],
        cameras={each.name: _one_camera(each, found) for each in telemetry.cameras} or UNSET,
    )


def _fields(camera: CameraStatus) -> dict[str, Any]:
    return {
        "state": camera.state,
        "outages": camera.outages,
        "view": camera.view,
        "fps": camera.fps,
        "slow": camera.slow,
        "rotation_wanted_deg": camera.rotation_wanted_deg,
    }


def _one_camera(camera: CameraReport, found: Sequence[Condition]) -> OneCameraHealth:
    paused_for_s = camera.paused_for_s
    return OneCameraHealth(
        **_fields(camera.status),
        zone=camera.zone,
        judged_fps=round(camera.fps, 2),
        frames=camera.frames,
        dropped_frames=camera.dropped_frames,
        paused_for_s=None if paused_for_s is None else round(paused_for_s, 1),
        conditions=[*health_codes(each for each in found if each.camera == camera.name)],
        sight=_sight(camera.sight),
    )


def _rule(state: RuleState) -> MaskRuleHealth:
    since = None if state.since is None else timestamp(state.since)
    return MaskRuleHealth(on=state.is_on, since=since, by=state.by)


def _outbox(state: OutboxState) -> OutboxHealth:
    aside_at = state.set_aside_at
    return OutboxHealth(
        rows=state.rows,
        oldest_age_s=state.oldest_age_s,
        dropped=state.dropped.total,
        set_aside=state.set_aside,
        set_aside_at=None if aside_at is None else timestamp(aside_at),
        state=OutboxCondition.REFUSED if state.is_refused else OutboxCondition.ON_DISK,
        bytes=state.bytes,
        in_memory=state.in_memory,
        live=state.live,
        dropped_by=DroppedHealth(**asdict(state.dropped)),
        refused=state.refused,
    )


def _sight(state: SightState | None) -> SightHealth | None:
    if state is None or state.at is None or state.share is None:
        return None
    return SightHealth(
        at=timestamp(state.at),
        masked_px=state.masked_px,
        bare_px=state.bare_px,
        share=state.share,
        normal=state.normal,
    )
