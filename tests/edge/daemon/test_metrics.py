"""The metrics: what is counted, and how it reads."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_prometheus

from edge.conditions.running import RUNNING
from edge.daemon.lookout import Glance
from edge.daemon.metrics.outlet import MetricsOutlet, open_metrics
from edge.daemon.software import SoftwareNotice
from edge.decide.policy import Decision
from edge.host.health import BOUNDS_S, Stopwatch
from edge.installed import Slot
from edge.pipeline import STEPS
from edge.publish.messages import DetectorIdentity, Origin, Versions
from edge.publish.messages.common import ModelIdentity
from edge.records import Verdict, Violation, ViolationKind, ViolationState, Visit
from edge.release.ledger import Ledger, TrialEntry, TrialOutcome, write_ledger
from edge.release.store import ReleaseStore
from edge.telemetry import (
    CameraReport,
    CameraState,
    CameraStatus,
    Certificate,
    ClockState,
    Dropped,
    OutboxState,
    Telemetry,
    ThrottlingFlag,
    Vitals,
)
from tests.edge.samples import TELEMETRY
from tests.fakes import START, TurnedClock
from tests.needs import lacking

DOCUMENT = Path(__file__).parents[3] / "docs" / "metrics.md"
NOW = replace(
    TELEMETRY,
    at=START,
    vitals=Vitals(61.5, [ThrottlingFlag.THROTTLED], 123_000_000),
    certificates=(Certificate("[page] certificate_file /etc/x", START + timedelta(days=90)),),
)
"""Of a device that can measure all."""


def outlet(
    stopwatch: Stopwatch | None = None,
    notice: SoftwareNotice | None = None,
    site: str = "Museum",
    places: Callable[[], Sequence[str]] = tuple,
) -> MetricsOutlet:
    return open_metrics(
        Origin("door-1", site, "", ModelIdentity(name="m", version="4", sha256="0" * 64)),
        Versions(program="0.3.0", runtime="litert 2", python="3.11.2", opencv="4.10"),
        DetectorIdentity(name="tensormask", version="2", sha256="0" * 64),
        {"": stopwatch or Stopwatch(STEPS)},
        notice,
        places,
    )


def values(made: MetricsOutlet) -> Mapping[str, float]:
    """Return the value of each line: `name{label="value"}`."""
    lines = made.text(False).decode().splitlines()
    pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in pairs}


def shown(now: Telemetry = NOW, glance: Glance | None = None) -> Mapping[str, float]:
    made = outlet()
    made.take(glance or Glance(), now)
    return values(made)


def visit(verdict: Verdict) -> Visit:
    return Visit(1, verdict, START, START)


def violation(state: ViolationState, kind: ViolationKind) -> Violation:
    return Violation("e", state, 1, START, START, None, 1.0, 0.9, 80.0, 0.9, kind)


def test_people_and_alerts_are_counted_by_zone_and_of_zones_that_there_are_only() -> None:
    places = ["Gate", ""]
    made = outlet(places=lambda: places)
    confirmed = replace(violation(ViolationState.CONFIRMED, ViolationKind.BARE), zone="Gate")
    for zone in ("Gate", "Gate", "", "gone"):
        visits = (replace(visit(Verdict.MASKED), zone=zone),)
        made.take(Glance(decision=Decision((confirmed,), visits)), NOW)
    made.take(Glance(), replace(NOW))
    found = {name: value for name, value in values(made).items() if "_place_" in name and value}
    assert found == {
        'tensormask_place_people_total{place="Gate",verdict="masked"}': 2,
        'tensormask_place_people_total{place="",verdict="masked"}': 2,
        'tensormask_place_alerts_total{kind="bare",place="Gate"}': 4,
    }
    for number in range(100):
        places[:] = [f"Zone {number}", ""]
        made.take(Glance(), replace(NOW))
    assert {name for name in values(made) if "_place_people" in name and "Zone" in name} == {
        f'tensormask_place_people_total{{place="Zone 99",verdict="{each}"}}' for each in Verdict
    }


def test_without_zones_nothing_is_counted_by_zone() -> None:
    confirmed = violation(ViolationState.CONFIRMED, ViolationKind.BARE)
    found = shown(glance=Glance(decision=Decision((confirmed,), (visit(Verdict.BARE),))))
    assert not [name for name in found if "_place_" in name]


def test_promtool_finds_nothing_to_say() -> None:
    if shutil.which("promtool") is None:
        lacking("no promtool", "sudo apt-get install prometheus")
    made = outlet()
    made.take(Glance(), NOW)
    check = subprocess.run(
        ["promtool", "check", "metrics"], input=made.text(False), capture_output=True, check=False
    )
    assert (check.returncode, check.stdout, check.stderr) == (0, b"", b"")


def test_both_forms_say_the_same_and_are_read_by_their_parsers() -> None:
    made = outlet()
    made.take(Glance(), NOW)
    forms = (
        read_prometheus(made.text(False).decode()),
        read_openmetrics(made.text(True).decode()),  # type: ignore[no-untyped-call]
    )
    prometheus, openmetrics = (
        {(each.name, *sorted(each.labels.items())): each.value for family in form
         for each in family.samples}
        for form in forms
    )  # fmt: skip
    assert prometheus == openmetrics
    assert made.text(True).endswith(b"# EOF\n")


def test_the_document_lists_each_metric_and_no_other() -> None:
    made = outlet()
    made.take(Glance(), NOW)
    families = re.findall(r"^# TYPE (\S+) (\S+)$", made.text(False).decode(), re.MULTILINE)
    rows = re.findall(r"^\| `(tensormask_\w+)` \| (\w+) \|", DOCUMENT.read_text(), re.MULTILINE)
    assert rows == families


def test_what_cannot_be_measured_has_a_name_and_no_value() -> None:
    made = outlet()
    made.take(
        Glance(), replace(TELEMETRY, camera=CameraStatus(CameraState.LOST, 2, None, None, False))
    )
    assert b"# TYPE tensormask_cpu_temperature_celsius gauge\n# HELP" in made.text(False)
    found = values(made)
    assert not [name for name in found if re.search("celsius|throttling|camera_frames_per", name)]
    assert found["tensormask_camera_outages_total"] == 2
    assert found['tensormask_camera_state{state="lost"}'] == 1
    assert found['tensormask_camera_view{view="covered"}'] == 0


def test_people_and_alerts_are_counted_once_each() -> None:
    made = outlet()
    confirmed = violation(ViolationState.CONFIRMED, ViolationKind.WORN_WRONGLY)
    ended = violation(ViolationState.ENDED, ViolationKind.WORN_WRONGLY)
    apart = replace(visit(Verdict.BARE), is_required=False)
    left = (visit(Verdict.MASKED), visit(Verdict.MASKED), visit(Verdict.BARE), apart)
    made.take(Glance(decision=Decision((confirmed,), left), watched_s=0.5), NOW)
    made.take(Glance(decision=Decision((ended,)), watched_s=0.25), replace(NOW))
    found = values(made)
    people = {name: value for name, value in found.items() if name.startswith("tensormask_people")}
    assert people == {
        f'tensormask_people_total{{required="{required}",verdict="{verdict}"}}': count
        for required, counts in (("true", (2, 1, 0, 0)), ("false", (0, 1, 0, 0)))
        for verdict, count in zip(
            ("masked", "bare", "unknown", "worn_wrongly"), counts, strict=True
        )
    }
    assert found['tensormask_alerts_total{kind="worn_wrongly"}'] == 1
    assert found['tensormask_alerts_total{kind="bare"}'] == 0
    assert found["tensormask_watched_seconds_total"] == 0.75


def test_figures_are_those_of_the_telemetry() -> None:
    """Taken once a second: what is counted in between shows with the next."""
    made = outlet()
    made.take(Glance(), NOW)
    made.take(Glance(decision=Decision((), (visit(Verdict.MASKED),))), NOW)
    assert values(made)['tensormask_people_total{required="true",verdict="masked"}'] == 0
    made.take(Glance(), replace(NOW))
    assert values(made)['tensormask_people_total{required="true",verdict="masked"}'] == 1


def test_each_condition_is_always_there() -> None:
    found = shown(replace(NOW, broker=replace(NOW.broker, connected=False, trouble="no route")))
    conditions = {name: value for name, value in found.items() if "_condition{" in name}
    assert len(conditions) == len(RUNNING)
    assert [name for name, value in conditions.items() if value] == [
        'tensormask_condition{code="broker-away",severity="fault"}'
    ]
    assert found["tensormask_broker_connected"] == 0


def test_the_queue_is_told_by_length_age_and_loss() -> None:
    outbox = OutboxState(3, 900, 12.5, Dropped(age=2), acknowledged=7, refused=1, in_memory=1)
    found = shown(replace(NOW, outbox=outbox))
    assert found["tensormask_queued_messages"] == 3
    assert found["tensormask_queued_bytes"] == 900
    assert found["tensormask_queue_oldest_age_seconds"] == 12.5
    assert found["tensormask_messages_delivered_total"] == 7
    assert found['tensormask_messages_dropped_total{reason="age"}'] == 2
    assert found['tensormask_messages_dropped_total{reason="rows"}'] == 0
    assert shown()["tensormask_queue_oldest_age_seconds"] == 0


def test_steps_are_a_histogram_whose_classes_include_the_smaller_ones() -> None:
    clock, made_of = TurnedClock(), ("detect", "total")
    stopwatch = Stopwatch(made_of, clock)
    for took_s in (0.0, BOUNDS_S[2], 0.02, 9.0):
        with stopwatch("detect"):
            clock.now_s += took_s
    made = outlet(stopwatch)
    made.take(Glance(), NOW)
    found, name = values(made), "tensormask_step_duration_seconds"
    buckets = {
        bound: found[f'{name}_bucket{{le="{bound}",step="detect"}}']
        for bound in ("0.0001", "0.001", "0.01", "0.025", "2.5", "+Inf")
    }
    assert buckets == {"0.0001": 1, "0.001": 2, "0.01": 2, "0.025": 3, "2.5": 3, "+Inf": 4}
    assert found[f'{name}_count{{step="detect"}}'] == 4
    assert found[f'{name}_sum{{step="detect"}}'] == pytest.approx(9.021)
    assert found[f'{name}_count{{step="total"}}'] == 0


def test_the_start_moves_only_when_the_clock_is_set() -> None:
    """A start that differs by microseconds in each scrape would look like a restart."""
    made = outlet()
    starts = []
    for later_s, steps in ((0.0, 0), (1.000001, 0), (3600.0, 1)):
        at = START + timedelta(seconds=later_s)
        now = replace(NOW, at=at, uptime_s=12.5 + min(later_s, 1.0), clock=ClockState(steps, None))
        made.take(Glance(), now)
        starts.append(values(made)["tensormask_start_time_seconds"])
    begun = START.timestamp() - 12.5
    assert starts == [begun, begun, begun + 3599]


def test_a_change_that_was_undone_shows_until_one_is_kept(tmp_path: Path) -> None:
    file, ledger = tmp_path / "ledger.json", Ledger()
    notice = SoftwareNotice(ReleaseStore(tmp_path), file)
    made, shown = outlet(notice=notice), []
    for name, outcome in (("a", TrialOutcome.UNDONE), ("b", TrialOutcome.KEPT)):
        ledger = ledger.with_entry(TrialEntry(Slot.BUNDLE, name, outcome, "slow", START))
        write_ledger(ledger, file)
        assert notice.has_changed()
        made.take(Glance(), replace(NOW))
        found = values(made)
        shown.append([found[f'tensormask_last_change_undone{{slot="{slot}"}}'] for slot in Slot])
    assert shown == [[0, 1, 0], [0, 0, 0]]


def test_a_certificate_is_named_by_its_section_and_no_path_of_the_box() -> None:
    found = shown()
    ends_at_s = (START + timedelta(days=90)).timestamp()
    assert found['tensormask_certificate_end_time_seconds{section="page"}'] == ends_at_s
    assert not [name for name in found if "/etc" in name]


def test_no_label_can_take_more_than_a_few_values() -> None:
    """A label without a bound fills the memory of who collects it."""
    made = outlet()
    made.take(Glance(), NOW)
    labels: dict[str, set[str]] = {}
    for family in read_prometheus(made.text(False).decode()):
        for sample in family.samples:
            for name, value in sample.labels.items():
                labels.setdefault(name, set()).add(value)
    about_device = {"device", "site", "zone"}
    about_build = {"version", "release", "python", "opencv", "runtime", "model", "model_version",
                   "detector", "detector_version"}  # fmt: skip
    bounded = {"le", "step", "verdict", "kind", "code", "severity", "state", "view", "reason",
               "flag", "section", "slot", "required"}  # fmt: skip
    assert set(labels) == about_device | about_build | bounded
    assert max(len(values) for values in labels.values()) <= 60


def test_any_name_of_a_site_can_be_read_back() -> None:
    site = 'Museum "Alte Schmiede" \\ façade, {a="b"} 1'
    made = outlet(site=site)
    made.take(Glance(), NOW)
    for family in read_prometheus(made.text(False).decode()):
        for sample in family.samples:
            assert sample.labels.get("site", site) == site


def test_what_nobody_has_enabled_is_not_even_imported() -> None:
    says = "import sys, edge.daemon.assembly; print('prometheus_client' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", says], capture_output=True, check=True)
    assert answer.stdout == b"False\n"


def test_before_the_first_turn_there_is_nothing() -> None:
    assert outlet().text(False) == b""


def test_each_of_several_cameras_has_its_own_figures() -> None:
    made = open_metrics(
        Origin("door-1", "", "", ModelIdentity(name="m", version="4", sha256="0" * 64)),
        Versions(program="0.3.0", runtime="litert 2", python="3.11.2", opencv="4.10"),
        DetectorIdentity(name="tensormask", version="2", sha256="0" * 64),
        {"door": Stopwatch(STEPS), "hall": Stopwatch(STEPS)},
        None,
    )
    status = replace(NOW.camera, state=CameraState.LOST)
    door = CameraReport("door", "", NOW.camera, 70, 9.5, 0, {}, "usual")
    now = replace(NOW, cameras=(door, replace(door, name="hall", status=status, frames=3)))
    left = Visit(1, Verdict.MASKED, START, START)
    made.take(Glance(decision=Decision((), (left,)), watched_s=2.0, camera="hall"), now)
    made.take(Glance(watched_s=1.0, camera="door"), replace(now, uptime_s=now.uptime_s + 1))
    found = values(made)
    each = "tensormask_each_camera"
    assert found[f'{each}_running{{camera="door"}}'] == 1
    assert found[f'{each}_running{{camera="hall"}}'] == 0
    assert found[f'{each}_frames_judged_total{{camera="hall"}}'] == 3
    assert found[f'{each}_watched_seconds_total{{camera="hall"}}'] == 2
    assert found[f'{each}_people_total{{camera="hall",verdict="masked"}}'] == 1
    assert found[f'{each}_people_total{{camera="door",verdict="masked"}}'] == 0
    assert found['tensormask_people_total{required="true",verdict="masked"}'] == 1
