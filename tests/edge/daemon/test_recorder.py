"""The history as the service's outlet: what a turn brought is what is recorded."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from edge.config import Settings, parse_settings
from edge.daemon.lookout import Glance
from edge.daemon.recorder import LONGEST_TURN_S, Recorder, open_history, settings_digest
from edge.daemon.retention import Retention
from edge.decide.policy import Decision
from edge.history.records import (
    EntryKind,
    People,
    Place,
    RunAbout,
    SightProof,
    WatchedTime,
    WatchState,
    minute_of,
)
from edge.history.store import (
    FILE,
    HistoryBatch,
    HistoryError,
    HistoryReader,
    HistoryWriter,
    create,
)
from edge.records import Verdict, Visit
from edge.telemetry import CameraView, ClockState
from tests.edge.notify.samples import ended, violation
from tests.edge.samples import TELEMETRY
from tests.fakes import START, SetClock
from tests.waiting import Stopwatch, until

ABOUT = RunAbout("0.3.0", "0.3.0-abc", "m 1 0", "d 1 0", "1234")
DARK = replace(TELEMETRY, camera=replace(TELEMETRY.camera, view=CameraView.DARK))
MINUTE = minute_of(START)
LONG = START - timedelta(days=365), START + timedelta(days=365)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE


def recorder_at(path: Path, clock: SetClock) -> Recorder:
    return Recorder(path, 400, ABOUT, clock=clock)


@pytest.fixture
def recorder(path: Path, clock: SetClock) -> Iterator[Recorder]:
    opened = recorder_at(path, clock)
    yield opened
    opened.close()


def read(path: Path) -> HistoryBatch:
    with HistoryReader(path) as reader:
        return HistoryBatch(
            reader.people(*LONG),
            reader.watched(*LONG),
            reader.alerts(*LONG),
            reader.conditions(*LONG),
            reader.journal(*LONG),
            reader.sight(*LONG),
        )


def turn(watch: WatchState = WatchState.WATCHED, turn_s: float = 1.0, camera: str = "") -> Glance:
    return Glance(watch=watch, turn_s=turn_s, camera=camera)


def left(
    verdict: Verdict, ended_at: datetime = START, face_px: float = 40.0, is_required: bool = True
) -> Glance:
    began_at = ended_at - timedelta(seconds=5)
    visit = Visit(1, verdict, began_at, ended_at, face_px, "left", is_required)
    return Glance(decision=Decision((), (visit,)), camera="door")


def test_visits_and_time_are_recorded_by_minute(
    recorder: Recorder, path: Path, clock: SetClock
) -> None:
    recorder.start()
    for glance in (left(Verdict.BARE), left(Verdict.BARE), left(Verdict.UNKNOWN, face_px=0)):
        recorder.take(glance, TELEMETRY)
    for watch in (WatchState.WATCHED, WatchState.WATCHED, WatchState.DARK):
        recorder.take(turn(watch, 0.5, "door"), TELEMETRY)
    recorder.close()
    found, place = read(path), Place("door", "left")
    assert found.people == [
        People(MINUTE, place, Verdict.BARE, 32, True, 2),
        People(MINUTE, place, Verdict.UNKNOWN, 0, True, 1),
    ]
    assert found.watched == [
        WatchedTime(MINUTE, "door", WatchState.DARK, 0.5, True),
        WatchedTime(MINUTE, "door", WatchState.WATCHED, 1.0, True),
    ]


def test_a_turn_over_the_end_of_a_minute_is_in_both(
    recorder: Recorder, path: Path, clock: SetClock
) -> None:
    recorder.start()
    clock.sleep(60 - START.second + 0.25)
    recorder.take(turn(turn_s=1.0), TELEMETRY)
    recorder.close()
    assert [(each.minute, each.seconds) for each in read(path).watched] == [
        (MINUTE, pytest.approx(0.75)),
        (MINUTE + 1, pytest.approx(0.25)),
    ]


def test_a_program_that_was_stopped_has_not_watched_meanwhile(
    recorder: Recorder, path: Path
) -> None:
    recorder.start()
    recorder.take(turn(turn_s=600.0), TELEMETRY)
    recorder.close()
    assert sum(each.seconds for each in read(path).watched) == LONGEST_TURN_S


def test_people_of_whom_no_mask_is_required_are_recorded_as_such(
    recorder: Recorder, path: Path
) -> None:
    recorder.start()
    recorder.take(left(Verdict.BARE, is_required=False), TELEMETRY)
    recorder.close()
    assert [each.is_required for each in read(path).people] == [False]


def test_an_alert_is_recorded_when_it_begins_and_when_it_ends(
    recorder: Recorder, path: Path
) -> None:
    recorder.start()
    recorder.take(Glance(decision=Decision((violation(1), violation(2)))), TELEMETRY)
    recorder.take(Glance(decision=Decision((ended(violation(1)),))), TELEMETRY)
    recorder.close()
    over, on = read(path).alerts
    assert (over.ended_at, on.ended_at) == (ended(violation(1)).ended_at, None)


def test_conditions_are_recorded_from_begin_to_end(
    recorder: Recorder, path: Path, clock: SetClock
) -> None:
    recorder.start()
    recorder.take(turn(), DARK)
    until(lambda: recorder._watch._open, "it is seen")
    clock.sleep(30)
    recorder.take(turn(), TELEMETRY)
    until(lambda: not recorder._watch._open, "it is over")
    recorder.close()
    (span,) = read(path).conditions
    assert (span.code, span.severity, span.began_at) == ("view-dark", "fault", START)
    assert span.ended_at == START + timedelta(seconds=30)


def test_the_journal_says_what_ran_and_when_the_clock_was_set(
    recorder: Recorder, path: Path, clock: SetClock
) -> None:
    recorder.start()
    clock.set_by_s = -7200
    stepped = replace(TELEMETRY, clock=ClockState(1, -7200.0, is_synchronised=False))
    for _ in range(3):
        recorder.take(turn(), stepped)
    recorder.close()
    journal = read(path).journal
    assert [each.kind for each in journal] == [
        EntryKind.STARTED,
        EntryKind.CLOCK_STEPPED,
        EntryKind.STOPPED,
    ]
    assert msgspec.json.decode(journal[0].text, type=RunAbout) == ABOUT
    assert journal[1].text == "-7200.0"
    assert [each.clock_is_right for each in read(path).watched] == [False]


def test_a_visit_from_before_the_clock_was_set_counts_in_the_present_minute(
    recorder: Recorder, path: Path, clock: SetClock
) -> None:
    recorder.start()
    recorder.take(left(Verdict.BARE, START - timedelta(days=9)), TELEMETRY)
    recorder.take(left(Verdict.BARE, START + timedelta(days=9)), TELEMETRY)
    recorder.close()
    assert [(each.minute, each.visits) for each in read(path).people] == [(MINUTE, 2)]


def test_what_others_record_is_in_the_file_soon(recorder: Recorder, path: Path) -> None:
    recorder.start()
    recorder.take(Glance(decision=Decision((violation(1),))), TELEMETRY)
    proof = SightProof(START, "door", Verdict.BARE, 32, 10, 9, 8)
    recorder.record(HistoryBatch(sight=[proof]))

    def is_there() -> bool:
        with suppress(HistoryError):
            return read(path).sight == [proof]
        return False

    until(is_there, "it is there")


def test_a_disk_that_hangs_delays_no_turn(recorder: Recorder, path: Path) -> None:
    create(path)
    writer = HistoryWriter(path)
    writer._database.execute("BEGIN IMMEDIATE")  # another process has it
    recorder.start()
    stopwatch = Stopwatch()
    for _ in range(1000):
        recorder.take(left(Verdict.MASKED), TELEMETRY)
    assert stopwatch.elapsed_s < 1.0
    writer._database.execute("ROLLBACK")
    recorder.close()
    assert read(path).people[0].visits == 1000


def settings_in(folder: Path, **history: object) -> Settings:
    tables = {
        "mqtt": {"host": "broker"},
        "outbox": {"path": str(folder / "outbox.sqlite")},
        "history": history,
    }
    return parse_settings(tables, "test")


def test_turned_off_nothing_is_recorded_and_what_is_too_old_still_goes(
    path: Path, tmp_path: Path
) -> None:
    writer = HistoryWriter(path)
    writer.write(HistoryBatch([People(MINUTE - 10**6, Place(), Verdict.BARE, 16, True, 1)]))
    writer.close()
    (tmp_path / "history.json").write_text("{}")
    settings = settings_in(tmp_path, enabled=False, days=10)
    outlet = open_history(settings, ABOUT, None)
    assert isinstance(outlet, Retention)
    outlet.start()
    outlet.take(left(Verdict.BARE), TELEMETRY)
    until(lambda: not read(path).people, "it is deleted")
    outlet.close()
    assert (outlet.state, read(path)) == (None, HistoryBatch())
    assert not (tmp_path / "history.json").exists()


def test_turned_off_no_file_is_made(path: Path, tmp_path: Path) -> None:
    settings = settings_in(tmp_path, enabled=False)
    outlet = open_history(settings, ABOUT, None)
    outlet.start()
    outlet.take(left(Verdict.BARE), TELEMETRY)
    outlet.close()
    assert not path.exists()


def test_the_digest_is_another_with_any_setting_but_not_with_a_cameras_password(
    tmp_path: Path,
) -> None:
    def digest(**tables: object) -> str:
        return settings_digest(parse_settings({"mqtt": {"host": "broker"}} | tables, "test"))

    def cameras(password: str) -> list[dict[str, str]]:
        source = f"rtsp://user:{password}@camera.example/stream"
        return [{"name": name, "source": source + name} for name in ("door", "hall")]

    assert digest() == digest()
    assert digest() != digest(policy={"confirm_s": 3.0})
    assert digest(camera=cameras("a")[0]) == digest(camera=cameras("b")[0])
    assert digest(camera=cameras("a")) == digest(camera=cameras("b"))
    assert digest(camera=cameras("a")) != digest(camera=cameras("a")[0])


def test_its_thread_has_a_name_and_ends(recorder: Recorder) -> None:
    recorder.start()
    assert "history" in [each.name for each in threading.enumerate()]
    recorder.close()
    assert "history" not in [each.name for each in threading.enumerate()]
