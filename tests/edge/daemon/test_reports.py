"""The messages about today, yesterday and last week."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.daemon.reports import ReportPublisher, pause_s
from edge.publish.messages import ModelIdentity, Origin
from edge.records import Verdict
from edge.report.source import ReportSource
from tests.edge.report.scene import BERLIN, BOX, Scene, berlin
from tests.fakes import TurnedClock

ORIGIN = Origin("door-1", "clinic", "north", ModelIdentity(name="m", version="1", sha256="0f" * 32))


class Noon(TurnedClock):
    """A clock at noon in Berlin."""

    def utc(self) -> datetime:
        return berlin("2026-11-29 12:16").astimezone(UTC) + timedelta(seconds=self.now_s)


class Broker:
    """Keeps what is published."""

    def __init__(self) -> None:
        self.documents: list[dict[str, Any]] = []
        self.has_one = threading.Event()

    def publish_state(self, name: str, payload: bytes) -> None:
        assert name == "report"
        self.documents.append(json.loads(payload))
        self.has_one.set()


def published(path: Path, broker: Broker) -> None:
    source = ReportSource(path, BERLIN, BOX)
    publisher = ReportPublisher(source, ORIGIN, broker, Noon(), after_start_s=0.0)
    publisher.start()
    broker.has_one.wait(10)
    publisher.close()


def test_it_says_what_the_reports_say(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.watch("2026-11-28 00:00", "2026-11-29 12:05")
    scene.people("2026-11-28 09:00", 4)
    scene.people("2026-11-29 09:00", 9)
    scene.people("2026-11-29 09:10", 1, Verdict.BARE)
    scene.alert("2026-11-29 09:10", 30)
    scene.write()
    broker = Broker()
    published(scene.path, broker)
    (document,) = broker.documents
    today, yesterday, week = (document[name] for name in ("today", "yesterday", "week"))
    assert (today["period"], today["is_over"], today["seen"], today["rate"]) == (
        "2026-11-29",
        False,
        10,
        0.9,
    )
    assert today["until"] == "2026-11-29T11:05:00.000Z"
    assert (today["alerts"], today["alerts_open"], today["median_remedy_s"]) == (1, 1, 30.0)
    assert (yesterday["is_over"], yesterday["masked"]) == (True, 4)
    assert week["period"] == "2026-W47"
    assert week["unwatched_s"] == {"no-history": 7 * 86_400}


def test_it_is_small(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.watch("2026-11-28 00:00", "2026-11-29 12:05")
    scene.write()
    broker = Broker()
    published(scene.path, broker)
    assert len(json.dumps(broker.documents[0])) < 2500


def test_without_a_history_nothing_is_published_and_that_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.daemon.reports.RETRY_S", 0.01)
    source = ReportSource(tmp_path / "history.sqlite", BERLIN, BOX)
    tried = threading.Semaphore(0)

    class Counting(Noon):
        def utc(self) -> datetime:
            tried.release()
            return super().utc()

    broker = Broker()
    publisher = ReportPublisher(source, ORIGIN, broker, Counting(), after_start_s=0.0)
    publisher.start()
    for _ in range(4):
        assert tried.acquire(timeout=10)
    publisher.close()
    assert broker.documents == []
    assert len([each for each in caplog.messages if "no report is published" in each]) == 1


@pytest.mark.parametrize(
    ("now", "pause_min"), [("12:00", 16), ("12:15", 1), ("12:16", 60), ("12:59", 17)]
)
def test_it_comes_once_an_hour_when_all_is_written(now: str, pause_min: int) -> None:
    assert pause_s(berlin(f"2026-11-29 {now}")) == pause_min * 60
