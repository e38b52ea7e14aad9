"""What the dashboard shows: each query is written here once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

WIDTH = 24
"""Of a dashboard, in Grafana's columns."""
CHOSEN = 'instance=~"$instance"'
"""The devices that are chosen above the panels."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of Prometheus, and how the answer is named."""

    expression: str
    legend: str = "{{instance}}"
    always: bool = True
    """Whether a device that is well has an answer; else it depends on the machine or on events."""

    @property
    def text(self) -> str:
        """The expression for the chosen devices: `name{}` stands for those of a metric."""
        return self.expression.replace("{}", f"{{{CHOSEN}}}").replace("{,", f"{{{CHOSEN},")


@dataclass(frozen=True, slots=True)
class Panel:
    """One of the dashboard."""

    title: str
    kind: str
    unit: str
    queries: Sequence[Query]
    width: int = 6
    height: int = 8
    note: str = ""
    mapped: tuple[tuple[str, str], ...] = ()
    """Texts in place of 0 and 1, with their colors."""
    is_stacked: bool = False


UP = (("no", "red"), ("yes", "green"))
WRONG = (("no", "green"), ("yes", "orange"))
PANELS: dict[str, Sequence[Panel]] = {
    "Now": (
        Panel(
            "Devices that answer",
            "stat",
            "none",
            [Query("count(tensormask_build_info{})", "")],
            4,
            5,
        ),
        Panel(
            "Camera gives pictures",
            "stat",
            "none",
            [Query('tensormask_camera_state{, state="running"}')],
            4,
            5,
            mapped=UP,
        ),
        Panel(
            "Broker is connected",
            "stat",
            "none",
            [Query("tensormask_broker_connected{}")],
            4,
            5,
            mapped=UP,
        ),
        Panel(
            "People in 24 hours",
            "stat",
            "none",
            [Query("sum(increase(tensormask_people_total{}[1d]))", "")],
            4,
            5,
        ),
        Panel(
            "Alerts in 24 hours",
            "stat",
            "none",
            [Query("sum(increase(tensormask_alerts_total{}[1d]))", "")],
            4,
            5,
        ),
        Panel(
            "Wearing rate in 24 hours",
            "stat",
            "percentunit",
            [
                Query(
                    "sum(increase(tensormask_people_total"
                    '{, required="true", verdict="masked"}[1d])) / '
                    "sum(increase(tensormask_people_total"
                    '{, required="true", verdict=~"masked|bare"}[1d]))',
                    "",
                )
            ],
            4,
            5,
            "The share of people with a mask among those with or without one, of whom one was "
            "required.",
        ),
        Panel(
            "What is wrong",
            "state-timeline",
            "none",
            [
                Query(
                    "max by (instance, code) (tensormask_condition{}) > 0",
                    "{{instance}} {{code}}",
                    always=False,
                )
            ],
            WIDTH,
            7,
            "Empty: all is well. The codes are in docs/mqtt.md.",
            WRONG,
        ),
    ),
    "People": (
        Panel(
            "People by verdict, per hour",
            "timeseries",
            "none",
            [Query("sum by (verdict) (increase(tensormask_people_total{}[1h]))", "{{verdict}}")],
            8,
            is_stacked=True,
        ),
        Panel(
            "Alerts by kind, per hour",
            "timeseries",
            "none",
            [
                Query(
                    "sum by (instance, kind) (increase(tensormask_alerts_total{}[1h]))",
                    "{{instance}} {{kind}}",
                )
            ],
            8,
        ),
        Panel(
            "Share of time that was watched",
            "timeseries",
            "percentunit",
            [Query("rate(tensormask_watched_seconds_total{}[$__rate_interval])")],
            8,
            note="Less than all of it: a lost or covered camera, a pause, a restart.",
        ),
    ),
    "Judging": (
        Panel(
            "Frames a second",
            "timeseries",
            "none",
            [
                Query("tensormask_judged_frames_per_second{}", "{{instance}} judged"),
                Query("tensormask_camera_frames_per_second{}", "{{instance}} camera"),
                Query(
                    "rate(tensormask_frames_judged_total{}[$__rate_interval])",
                    "{{instance}} counted",
                ),
                Query(
                    "rate(tensormask_frames_dropped_total{}[$__rate_interval])",
                    "{{instance}} dropped",
                ),
            ],
            8,
        ),
        Panel(
            "A step at the 95th percentile",
            "timeseries",
            "s",
            [
                Query(
                    "histogram_quantile(0.95, sum by (instance, step, le) "
                    "(rate(tensormask_step_duration_seconds_bucket{}[$__rate_interval])))",
                    "{{instance}} {{step}}",
                )
            ],
            8,
        ),
        Panel(
            "Time in judging",
            "timeseries",
            "percentunit",
            [Query('rate(tensormask_step_duration_seconds_sum{, step="total"}[$__rate_interval])')],
            8,
        ),
        Panel(
            "Allowed work",
            "timeseries",
            "percentunit",
            [Query("tensormask_work_allowed_ratio{}")],
            8,
            note="Below 100 %: held back by heat, power or memory.",
        ),
        Panel(
            "Outages of the camera, per day",
            "timeseries",
            "none",
            [Query("increase(tensormask_camera_outages_total{}[1d])")],
            8,
        ),
        Panel("Pause", "timeseries", "s", [Query("tensormask_pause_remaining_seconds{}")], 8),
    ),
    "Messages": (
        Panel(
            "Queued messages",
            "timeseries",
            "none",
            [
                Query("tensormask_queued_messages{}"),
                Query("tensormask_queued_messages_in_memory{}", "{{instance}} in memory only"),
                Query("tensormask_rejected_messages{}", "{{instance}} rejected"),
            ],
            8,
        ),
        Panel(
            "The oldest waits for",
            "timeseries",
            "s",
            [Query("tensormask_queue_oldest_age_seconds{}")],
            8,
        ),
        Panel("Size of the queue", "timeseries", "bytes", [Query("tensormask_queued_bytes{}")], 8),
        Panel(
            "Delivered, per hour",
            "timeseries",
            "none",
            [Query("increase(tensormask_messages_delivered_total{}[1h])")],
            8,
        ),
        Panel(
            "Dropped, per day",
            "timeseries",
            "none",
            [
                Query(
                    "sum by (instance, reason) (increase(tensormask_messages_dropped_total{}[1d]))",
                    "{{instance}} {{reason}}",
                )
            ],
            8,
        ),
        Panel(
            "Reconnects, per hour",
            "timeseries",
            "none",
            [Query("increase(tensormask_broker_reconnects_total{}[1h])")],
            8,
        ),
    ),
    "The machine": (
        Panel(
            "Temperature",
            "timeseries",
            "celsius",
            [Query("tensormask_cpu_temperature_celsius{}", always=False)],
            8,
        ),
        Panel(
            "Memory",
            "timeseries",
            "bytes",
            [
                Query("tensormask_resident_memory_bytes{}", "{{instance}} in use"),
                Query(
                    "tensormask_available_memory_bytes{}", "{{instance}} available", always=False
                ),
            ],
            8,
        ),
        Panel(
            "What the firmware reports",
            "state-timeline",
            "none",
            [Query("tensormask_throttling{} > 0", "{{instance}} {{flag}}", always=False)],
            8,
            note="Of a Raspberry Pi.",
            mapped=WRONG,
        ),
        Panel(
            "Clock set from the network",
            "stat",
            "none",
            [Query("tensormask_clock_synchronized{}")],
            6,
            5,
            mapped=UP,
        ),
        Panel(
            "Certificates end in",
            "stat",
            "s",
            [
                Query(
                    "tensormask_certificate_end_time_seconds{} - time()",
                    "{{instance}} {{section}}",
                    always=False,
                )
            ],
            6,
            5,
        ),
        Panel(
            "Running for", "stat", "s", [Query("time() - tensormask_start_time_seconds{}")], 6, 5
        ),
        Panel(
            "Clock set, per day",
            "stat",
            "none",
            [Query("increase(tensormask_clock_steps_total{}[1d])")],
            6,
            5,
        ),
        Panel(
            "Software",
            "table",
            "none",
            [
                Query(
                    "tensormask_build_info{} * on (instance) group_left (device, site, zone) "
                    "tensormask_device_info{}",
                    "",
                )
            ],
            WIDTH,
            7,
        ),
        Panel(
            "On trial",
            "state-timeline",
            "none",
            [Query("tensormask_on_trial{}", "{{instance}} {{slot}}")],
            12,
            7,
            mapped=WRONG,
        ),
        Panel(
            "Last change was undone",
            "state-timeline",
            "none",
            [Query("tensormask_last_change_undone{}", "{{instance}} {{slot}}")],
            12,
            7,
            mapped=WRONG,
        ),
    ),
}


def queries() -> Iterator[Query]:
    """Yield each of the dashboard."""
    for panels in PANELS.values():
        for panel in panels:
            yield from panel.queries
