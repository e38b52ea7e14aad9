"""What goes over MQTT: topics and payloads. Pure: times, counts and identity come from outside.

`docs/mqtt.md` is the reference for receivers; `schemas/` beside this has the same as JSON Schema,
made from the structs below. Within a schema's version fields are only ever added.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from edge.config import DeviceSettings
from edge.files import DamagedFileError, decoded
from edge.records import Compliance, ModelId, Tally, Violation, ViolationKind, ViolationState
from edge.telemetry import (
    CameraState,
    CameraView,
    OnTrial,
    OutboxState,
    Software,
    Strain,
    Telemetry,
    ThrottlingFlag,
)

AVAILABILITY: Final = "availability"
VIOLATION: Final = "violation"
COMPLIANCE: Final = "compliance"
HEALTH: Final = "health"
RELEASE: Final = "release"
RESPONSE: Final = "response"
COMMAND: Final = "command"

Timestamp = Annotated[
    str,
    Meta(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
        extra_json_schema={"format": "date-time"},
    ),
]
Count = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
NotNegative = Annotated[float, Meta(ge=0)]


def topic(prefix: str, device_id: str, name: str) -> str:
    """Return the topic of one kind of message of a device; `+` as device_id means every device."""
    return f"{prefix}/{device_id}/{name}"


def retained_topics(prefix: str, device_id: str) -> list[str]:
    """Return the topics under which the broker keeps something of a device."""
    return [topic(prefix, device_id, name) for name in (AVAILABILITY, COMPLIANCE, HEALTH, RELEASE)]


def timestamp(at: datetime) -> str:
    """Return the aware time `at` as UTC, ISO 8601 with milliseconds: `2026-11-23T05:24:05.123Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a payload. Receivers ignore keys that they don't know."""


class ModelIdentity(_Part, frozen=True, kw_only=True):
    """The model that judges."""

    name: str
    version: str
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="Digest of model.tflite")]


class Message(_Part, frozen=True, kw_only=True, tag_field="schema"):
    """What every payload carries."""

    device_id: Annotated[str, Meta(min_length=1, description="Also a level of the topic")]
    site: Annotated[str, Meta(description="Where the device is, as configured; may be empty")]
    zone: Annotated[str, Meta(description="Which part of the site it watches; may be empty")]
    at: Annotated[Timestamp, Meta(description="When what this document says was so")]
    clock_synchronised: Annotated[
        bool,
        Meta(description="Whether the device's clock was set from the network by then; "
             "otherwise its timestamps may be wrong, but never its durations"),
    ]  # fmt: skip
    model: ModelIdentity


class AvailabilityState(StrEnum):
    ONLINE = "online"
    OFFLINE = "offline"
    STOPPED = "stopped"


class AvailabilityMessage(Message, frozen=True, kw_only=True, tag="tensormask/availability/1"):
    """Whether the device is there. Retained.

    The broker itself publishes `offline`, the device's last will; `at` is then the time at which
    the lost connection had begun.
    """

    state: Annotated[
        AvailabilityState,
        Meta(description="online: connected; stopped: ended on purpose; offline: vanished"),
    ]


class ViolationMessage(Message, frozen=True, kw_only=True, tag="tensormask/violation/1"):
    """A person without a mask, or whose mask is worn wrongly where the settings call that a
    violation: once when it is confirmed, once when it is over.

    Delivered at least once and in order; a repeat has the same `event_id` and `state`.
    """

    event_id: Annotated[
        str,
        Meta(pattern="^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
             description="UUID version 7, the same for both states"),
    ]  # fmt: skip
    sequence: Annotated[
        int,
        Meta(ge=1, description="Counts what this device delivers for certain, across restarts; "
             "a gap is a loss"),
    ]  # fmt: skip
    state: Annotated[ViolationState, Meta(description="confirmed, later ended")]
    started_at: Annotated[Timestamp, Meta(description="When the bare face was first seen")]
    confirmed_at: Annotated[Timestamp, Meta(description="When it had been bare for long enough")]
    ended_at: Annotated[
        Timestamp | None, Meta(description="When the bare face was last seen; null until then")
    ]
    duration_s: Annotated[
        NotNegative, Meta(description="From the first bare look to this state, monotonic clock")
    ]
    bare_probability: Annotated[Share, Meta(description="The accumulated evidence")]
    face_px: Annotated[
        NotNegative,
        Meta(description="Size of the largest face judged: geometric mean of width and height"),
    ]
    track_id: Annotated[int, Meta(ge=1, description="Counts people since the program's start")]
    snapshot: Annotated[
        bytes | None,
        Meta(description="The scene when it was confirmed, a JPEG in base64; null: none, as always "
             "unless [snapshots] pictures says otherwise"),
    ] = None  # fmt: skip
    kind: Annotated[
        ViolationKind,
        Meta(description="bare: no mask; worn_wrongly: below the nose or the chin"),
    ] = ViolationKind.BARE
    probability: Annotated[
        Share | None, Meta(description="The accumulated evidence for `kind`")
    ] = None
    interrupted: Annotated[
        bool,
        Meta(description="The program was cut off before the end was seen: told by the next run; "
             "`ended_at` is the last moment that is certain, the confirmation"),
    ] = False  # fmt: skip


class ComplianceTally(_Part, frozen=True, kw_only=True):
    """The people who left in one window of time. Those still in view are not counted yet."""

    seen: Annotated[Count, Meta(description="masked + bare + unknown + worn_wrongly")]
    masked: Count
    bare: Count
    unknown: Annotated[Count, Meta(description="Too small, too blurred or too brief to judge")]
    rate: Annotated[
        Share | None, Meta(description="masked / (masked + bare); null where nobody was judged")
    ]
    watched_s: Annotated[
        NotNegative,
        Meta(description="How much of the window was watched: less after a start, and while the "
             "camera is lost or its view is not clear"),
    ]  # fmt: skip
    worn_wrongly: Annotated[
        Count,
        Meta(description="With a mask below the nose or the chin; in no other count, nor in rate"),
    ] = 0


class ComplianceMessage(Message, frozen=True, kw_only=True, tag="tensormask/compliance/1"):
    """How many people came masked lately. Retained."""

    last_minute: ComplianceTally
    last_hour: ComplianceTally
    last_day: ComplianceTally
    run: Annotated[
        str,
        Meta(description="Which run of the program counts: another one begins at zero"),
    ] = ""
    since_start: Annotated[
        ComplianceTally | None, Meta(description="All since the start of this run")
    ] = None


class Versions(_Part, frozen=True, kw_only=True):
    program: Annotated[str, Meta(description="TensorMask itself")]
    runtime: Annotated[str, Meta(description="The TensorFlow Lite runtime, as `name version`")]
    python: str
    opencv: str
    release: Annotated[
        str | None,
        Meta(description="The installed release, version and digest; null: none is installed"),
    ] = None


class DetectorIdentity(_Part, frozen=True, kw_only=True):
    """What finds faces."""

    name: str
    version: Annotated[str | None, Meta(description="null: it has none")]
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="Digest of its network")]


class TrialHealth(_Part, frozen=True, kw_only=True):
    """A release or model that goes back by itself where it does worse than the former."""

    slot: Annotated[str, Meta(description="release, bundle or detector")]
    name: Annotated[str, Meta(description="Empty: the model that comes with the release")]
    former: Annotated[str, Meta(description="What ran before")]
    begun_at: Timestamp
    watched_s: Annotated[NotNegative, Meta(description="So long it has done well")]


class LatencyHealth(_Part, frozen=True, kw_only=True):
    """How long one step took for a frame, of the last 500 frames."""

    p50: Annotated[NotNegative, Meta(description="Median, in ms")]
    p95: Annotated[NotNegative, Meta(description="95th percentile, in ms")]


class CameraHealth(_Part, frozen=True, kw_only=True):
    state: Annotated[
        CameraState,
        Meta(description="lost: gone, frozen or without frames; it is being tried again"),
    ]
    outages: Annotated[Count, Meta(description="How often it was lost since the program's start")]
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
             "side, and nobody is judged; null or missing: not as far as it is known"),
    ] = None  # fmt: skip


class OutboxCondition(StrEnum):
    ON_DISK = "on_disk"
    REFUSED = "refused"


class DroppedHealth(_Part, frozen=True, kw_only=True):
    """Documents given up undelivered, since the outbox was begun."""

    rows: Annotated[Count, Meta(description="Beyond `[outbox] max_rows`")]
    bytes: Annotated[Count, Meta(description="Beyond `[outbox] max_bytes`")]
    age: Annotated[Count, Meta(description="Beyond `[outbox] max_age_s`")]
    memory: Annotated[Count, Meta(description="Too many while the disk refused them")]


class OutboxHealth(_Part, frozen=True, kw_only=True):
    """What waits on disk for the broker."""

    rows: Annotated[Count, Meta(description="Documents that the broker has not acknowledged")]
    oldest_age_s: Annotated[
        NotNegative | None, Meta(description="Age of the oldest, at least; null: none")
    ]
    dropped: Annotated[Count, Meta(description="Documents dropped, for whatever reason")]
    set_aside: Annotated[
        Count, Meta(description="Damaged outboxes kept beside the new one; more than 0: look")
    ]
    set_aside_at: Annotated[
        Timestamp | None, Meta(description="When the newest of them was set aside; null: none")
    ]
    state: Annotated[
        OutboxCondition,
        Meta(description="on_disk: as it should be; refused: the disk is full or broken, and "
             "documents are published from memory"),
    ]  # fmt: skip
    bytes: Annotated[Count, Meta(description="Size of the payloads that wait")]
    in_memory: Annotated[Count, Meta(description="Documents among `rows` that a stop would lose")]
    live: Annotated[
        Count,
        Meta(description="Documents delivered that were never on the disk, since the start"),
    ]
    dropped_by: Annotated[DroppedHealth, Meta(description="`dropped` by its reasons")]
    refused: Annotated[
        Count,
        Meta(description="Documents that the broker does not take, kept aside; more than 0: look"),
    ] = 0


class BrokerHealth(_Part, frozen=True, kw_only=True):
    reconnects: Annotated[Count, Meta(description="Connections after the first")]
    protocol: Annotated[str, Meta(description="What is spoken: `MQTT 5` or `MQTT 3.1.1`")]
    retains: Annotated[bool, Meta(description="It keeps states for those who subscribe later")] = (
        True
    )
    qos: Annotated[
        int,
        Meta(ge=0, le=1, description="With which messages are sent; 0: none is acknowledged"),
    ] = 1
    limits: Annotated[
        list[str], Meta(description="What is missed at it, in sentences for people")
    ] = msgspec.field(default_factory=list)


class PaceHealth(_Part, frozen=True, kw_only=True):
    """How fast the device lets itself work."""

    max_fps: Annotated[
        NotNegative | None, Meta(description="Frames judged per second at most; null: all of them")
    ]
    reasons: Annotated[list[Strain], Meta(description="Why it is bounded; empty: it is not")]


class ClockHealth(_Part, frozen=True, kw_only=True):
    """The wall clock; durations do not depend on it."""

    steps: Annotated[Count, Meta(description="How often it was set since the program's start")]
    last_step_s: Annotated[
        float | None, Meta(description="By how much the last time; null: never; below 0: back")
    ]


class HealthMessage(Message, frozen=True, kw_only=True, tag="tensormask/health/1"):
    """How the device is. Retained: every 30 s unless configured otherwise, and when it changes."""

    versions: Versions
    uptime_s: Annotated[NotNegative, Meta(description="Since the program's start")]
    fps: Annotated[NotNegative, Meta(description="Frames judged per second, over the last 10 s")]
    latency_ms: Annotated[
        dict[str, LatencyHealth],
        Meta(description="By step of the road, and `total` for all of them"),
    ]
    frames: Annotated[Count, Meta(description="Frames judged since the program's start")]
    dropped_frames: Annotated[
        Count, Meta(description="Frames of the camera passed over since the program's start")
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
    paused_for_s: Annotated[
        NotNegative | None,
        Meta(description="Until judging is resumed by itself, after a command; null: not paused"),
    ] = None
    detector: DetectorIdentity | None = None
    trial: Annotated[TrialHealth | None, Meta(description="null: nothing is on trial")] = None


class Settlement(_Part, frozen=True, kw_only=True):
    """What became of a release or model."""

    slot: Annotated[str, Meta(description="release, bundle or detector")]
    name: Annotated[str, Meta(description="Empty: the model that comes with the release")]
    outcome: Annotated[
        str,
        Meta(description="kept; refused: undone, and not tried again; undone: but the former did "
             "no better; interrupted; activated: without a trial; rolled_back: on command"),
    ]  # fmt: skip
    reason: Annotated[str, Meta(description="Why, for eyes")]
    at: Timestamp


class ReleaseMessage(Message, frozen=True, kw_only=True, tag="tensormask/release/1"):
    """What is installed and runs. Retained: on connecting, and when it changes."""

    current: Annotated[
        dict[str, str],
        Meta(description="By slot; an empty name: the model that comes with the release"),
    ]
    trial: Annotated[TrialHealth | None, Meta(description="null: nothing is on trial")]
    settled: Annotated[list[Settlement], Meta(description="The last ones, the newest last")]


class CommandName(StrEnum):
    """What can be asked of a device, if its settings allow it."""

    PAUSE = "pause"
    RESUME = "resume"
    RESTART = "restart"
    SNAPSHOT = "snapshot"


class CommandOutcome(StrEnum):
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


class ResponseMessage(Message, frozen=True, kw_only=True, tag="tensormask/response/1"):
    """What became of a command. Sent once, not kept for a broker that is away."""

    request_id: Annotated[
        str | None, Meta(description="As in the command; null where none could be read")
    ]
    command: Annotated[CommandName | None, Meta(description="null: there is no such command")]
    outcome: Annotated[
        CommandOutcome,
        Meta(description="refused: not understood or not allowed; failed: not possible now"),
    ]
    reason: Annotated[str | None, Meta(description="Why not, for eyes; null when it is done")]
    snapshot: Annotated[
        bytes | None, Meta(description="The picture that was asked for, a JPEG in base64")
    ]


MESSAGES: Final = {
    AVAILABILITY: AvailabilityMessage,
    VIOLATION: ViolationMessage,
    COMPLIANCE: ComplianceMessage,
    HEALTH: HealthMessage,
    RELEASE: ReleaseMessage,
    RESPONSE: ResponseMessage,
}
"""Every kind of message by the last level of its topic."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who says it: the same in all messages of a process."""

    device_id: str
    site: str
    zone: str
    model: ModelIdentity


def origin(device: DeviceSettings, model: ModelId) -> Origin:
    """Return what our messages say about us."""
    identity = ModelIdentity(name=model.name, version=model.version, sha256=model.sha256)
    return Origin(device.id, device.site, device.zone, identity)


def every_field(origin: Origin, at: datetime, clock_synchronised: bool) -> dict[str, Any]:
    """Return what every payload carries, as the arguments of its struct."""
    return {
        "device_id": origin.device_id,
        "site": origin.site,
        "zone": origin.zone,
        "at": timestamp(at),
        "clock_synchronised": clock_synchronised,
        "model": origin.model,
    }


def availability_message(
    origin: Origin, state: AvailabilityState, at: datetime, clock_synchronised: bool
) -> AvailabilityMessage:
    """Return the announcement of `state`; for the will, `at` is the time of the connection."""
    return AvailabilityMessage(
        **every_field(origin, at, clock_synchronised),
        state=state,
    )


def violation_message(
    origin: Origin,
    violation: Violation,
    sequence: int,
    clock_synchronised: bool,
    snapshot: bytes | None = None,
    *,
    interrupted: bool = False,
) -> ViolationMessage:
    """Return the document of a violation; the outbox gives the `sequence`, a replay counts."""
    ended_at = violation.ended_at
    return ViolationMessage(
        **every_field(origin, ended_at or violation.confirmed_at, clock_synchronised),
        event_id=violation.event_id,
        sequence=sequence,
        state=violation.state,
        started_at=timestamp(violation.started_at),
        confirmed_at=timestamp(violation.confirmed_at),
        ended_at=timestamp(ended_at) if ended_at else None,
        duration_s=round(violation.duration_s, 3),
        bare_probability=round(violation.bare_probability, 4),
        face_px=round(violation.face_px, 1),
        track_id=violation.track_id,
        snapshot=snapshot,
        kind=violation.kind,
        probability=round(violation.probability, 4),
        interrupted=interrupted,
    )


def compliance_message(
    origin: Origin, compliance: Compliance, at: datetime, clock_synchronised: bool, run: str
) -> ComplianceMessage:
    """Return the counts as they are at `at`, of the program's run of that name."""
    return ComplianceMessage(
        **every_field(origin, at, clock_synchronised),
        last_minute=_tally(compliance.last_minute),
        last_hour=_tally(compliance.last_hour),
        last_day=_tally(compliance.last_day),
        run=run,
        since_start=_tally(compliance.since_start),
    )


def release_message(
    origin: Origin, software: Software, at: datetime, clock_synchronised: bool
) -> ReleaseMessage:
    """Return what is installed, as it is at `at`."""
    return ReleaseMessage(
        **every_field(origin, at, clock_synchronised),
        current=dict(software.current),
        trial=_trial(software.trial),
        settled=[
            Settlement(
                slot=each.slot,
                name=each.name,
                outcome=each.outcome,
                reason=each.reason,
                at=timestamp(each.at),
            )
            for each in software.settled
        ],
    )


def _trial(trial: OnTrial | None) -> TrialHealth | None:
    if trial is None:
        return None
    return TrialHealth(
        slot=trial.slot,
        name=trial.name,
        former=trial.former,
        begun_at=timestamp(trial.begun_at),
        watched_s=round(trial.watched_s, 1),
    )


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
        camera=CameraHealth(
            state=telemetry.camera.state,
            outages=telemetry.camera.outages,
            view=telemetry.camera.view,
            fps=telemetry.camera.fps,
            slow=telemetry.camera.slow,
            rotation_wanted_deg=telemetry.camera.rotation_wanted_deg,
        ),
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
        clock=ClockHealth(**asdict(telemetry.clock)),
        paused_for_s=None if paused_for_s is None else round(paused_for_s, 1),
        detector=detector,
        trial=_trial(telemetry.trial),
    )


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


def _tally(tally: Tally) -> ComplianceTally:
    return ComplianceTally(
        seen=tally.seen,
        masked=tally.masked,
        bare=tally.bare,
        unknown=tally.unknown,
        worn_wrongly=tally.worn_wrongly,
        rate=None if tally.rate is None else round(tally.rate, 4),
        watched_s=round(tally.watched_s, 1),
    )


def encode(message: Message) -> bytes:
    """Return the payload: one JSON document in UTF-8, on one line."""
    return msgspec.json.encode(message)


def with_sequence(payload: bytes, sequence: int) -> bytes:
    """Return the same document, of this or another release, with that sequence."""
    return msgspec.json.encode({**msgspec.json.decode(payload), "sequence": sequence})


def without_snapshot(payload: bytes) -> bytes:
    """Return the same document with null for its picture; what carries none is left as it is."""
    try:
        content = decoded(payload, object)
    except DamagedFileError:
        return payload
    if not isinstance(content, dict) or content.get("snapshot") is None:
        return payload
    return msgspec.json.encode({**content, "snapshot": None})
