"""A month of a history and a drawn area for pictures of the page, each time the same."""

from __future__ import annotations

import json
import random
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from edge.history.alert_book import AlertBook
from edge.history.records import (
    Alert,
    AlertAcknowledgement,
    People,
    Place,
    Remedy,
    WatchedTime,
    WatchState,
)
from edge.history.store import FILE, HistoryBatch, HistoryWriter
from edge.records import Verdict, ViolationKind

MOST_VISITS = {Verdict.MASKED: 60, Verdict.BARE: 5, Verdict.WORN_WRONGLY: 3, Verdict.UNKNOWN: 5}
REGION = [[0.28, 0.2], [0.72, 0.16], [0.78, 0.97], [0.2, 0.97]]
POSTER = [[0.05, 0.14], [0.21, 0.14], [0.21, 0.48], [0.05, 0.48]]
ZONES = {"Entrance": 0.7, "Hall": 0.3}


def write_past(state: Path) -> None:
    """Write down a month of visits, by day more than by night, with an afternoon unwatched."""
    draw = random.Random(5)
    now = datetime.now(UTC)
    present = int(now.timestamp()) // 3600
    batch = HistoryBatch()
    for began in range(present - 29 * 24, present):
        at = datetime.fromtimestamp(3600 * began, UTC)
        busy = max(0.0, 1 - abs(at.hour - 12) / 7) * (0.3 if at.weekday() > 4 else 1)
        if present - 9 <= began < present - 6:
            continue
        minutes = 60 if present - began != 10 else 25
        batch.watched += [
            WatchedTime(60 * began + minute, "", WatchState.WATCHED, 60, True)
            for minute in range(minutes)
        ]
        for verdict, most in MOST_VISITS.items():
            for zone, share in ZONES.items():
                visits = round(busy * share * draw.uniform(0.5, 1) * most)
                if visits:
                    row = People(60 * began + 5, Place(zone=zone), verdict, 48, True, visits)
                    batch.people.append(row)
    said = []
    for number in range(12, 0, -1):
        alert = _alert(number, now - timedelta(minutes=37 * number * number), draw)
        batch.alerts.append(alert)
        if number % 5 > 1:
            said.append(_said(alert, draw))
    with closing(HistoryWriter(state / FILE)) as writer, AlertBook(state / FILE) as book:
        writer.write(batch)
        for each in said:
            book.write(each)


def _alert(number: int, started: datetime, draw: random.Random) -> Alert:
    event = f"019ab11c-92d2-7f3a-8d1e-{number:012}"
    stay_s = round(draw.uniform(1, 40), 1)
    kind = ViolationKind.WORN_WRONGLY if number % 4 == 1 else ViolationKind.BARE
    ended = started + timedelta(seconds=stay_s)
    sure = round(draw.uniform(0.85, 0.99), 2)
    place = Place(zone="Entrance" if number % 3 else "Hall")
    return Alert(event, place, kind, started, started, ended, stay_s, sure)


def _said(alert: Alert, draw: random.Random) -> AlertAcknowledgement:
    at = alert.confirmed_at + timedelta(minutes=draw.randint(1, 15))
    remedy = draw.choice(("mask-handed-out", "mask-put-on"))
    return AlertAcknowledgement(
        alert.event_id, at, "page reception", "forgotten", msgspec.convert(remedy, Remedy)
    )


def write_area(state: Path) -> None:
    named = [{"points": REGION, "name": "Door"}, {"points": POSTER, "name": "Poster"}]
    (state / "area.json").write_text(json.dumps({"regions": [REGION], "excluded": [POSTER]}))
    (state / "area.names.json").write_text(json.dumps({"present": named, "before": []}))
