"""deploy/receiver: the hours of fifty boxes in a real database, and the report of them."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from deploy.receiver.documents import Delivered, Unreadable, read
from deploy.receiver.fleet import ALL, FleetHour, FleetRate, FleetRow, as_data, read_fleet
from deploy.receiver.report import NOTES, as_csv, as_html, as_json, as_table
from deploy.receiver.store import DocumentStore
from edge.history.hours import HourOfHistory, VisitsOfHour, WatchOfHour
from edge.history.records import Place, WatchState
from edge.publish.messages import encode, hour_message
from edge.rates import Counted, Eyes, rate_of
from edge.records import Verdict
from tests.broker.samples import ORIGIN
from tests.deploy.postgres import Postgres

ROOT = Path(__file__).resolve().parents[2]
BERLIN = ZoneInfo("Europe/Berlin")
BEGIN = datetime(2026, 3, 28, tzinfo=BERLIN).astimezone(UTC)
END = datetime(2026, 3, 31, tzinfo=BERLIN).astimezone(UTC)
HOUR = timedelta(hours=1)
HOURS = [BEGIN + number * HOUR for number in range((END - BEGIN) // HOUR)]
"""71: one is missing in the night to the 29th."""
NOW = END + timedelta(days=1)
KINDS = (Verdict.MASKED, Verdict.BARE, Verdict.UNKNOWN, Verdict.WORN_WRONGLY)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    server.create("fleet").close()
    yield server
    server.close()


class FleetDatabase:
    """An empty database, and the receiver's way into it."""

    def __init__(self, server: Postgres) -> None:
        self.connection = server.connect("fleet")
        self.environment = server.environment("fleet")
        self.connection.execute("TRUNCATE hour, state, violation, unreadable")
        self._store = DocumentStore()

    def store(self, *payloads: bytes) -> None:
        """Store messages as the receiver does."""
        messages = [
            Delivered(f"tensormask/{json.loads(each)['device_id']}/hour", each, False, NOW)
            for each in payloads
        ]
        for start in range(0, len(messages), 200):
            batch = messages[start : start + 200]
            self._store.write([(each, read(each, pictures=False)) for each in batch])

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql.encode()).fetchall()

    def hours(self, begin: datetime = BEGIN, end: datetime = END) -> list[FleetHour]:
        return list(read_fleet(self.connection, begin, end).cells)

    def rows(self) -> list[FleetRow]:
        return list(read_fleet(self.connection, BEGIN, END).rows)

    def close(self) -> None:
        self._store.__exit__()
        self.connection.close()


@pytest.fixture
def database(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[FleetDatabase]:
    for key, value in postgres.environment("fleet").items():
        monkeypatch.setenv(key, value)
    opened = FleetDatabase(postgres)
    yield opened
    opened.close()


def an_hour(
    began_at: datetime,
    visits: dict[Verdict, int] | None = None,
    *,
    follows: datetime | None = None,
    history: str = "a",
    watched_s: float = 3600.0,
    is_required: bool = True,
    size_px: int = 48,
) -> HourOfHistory:
    counted = Counter(visits or {})
    return HourOfHistory(
        history,
        began_at,
        round(1000 * watched_s) + counted.total(),
        follows,
        tuple(
            VisitsOfHour(Place("", ""), is_required, size_px, verdict, count)
            for verdict, count in counted.items()
        ),
        (WatchOfHour("", WatchState.WATCHED, True, watched_s),),
    )


def message(hour: HourOfHistory, device_id: str = "box", eyes: Eyes | None = None) -> bytes:
    origin = dataclasses.replace(ORIGIN, device_id=device_id)
    return encode(hour_message(origin, hour, NOW, True, eyes))


def accounts(cells: list[FleetHour]) -> str:
    """Return what is known of each hour, as one letter each."""
    return "".join(cell.account[0] for cell in cells)


def test_fifty_boxes_meet_their_ledger_in_one_query(database: FleetDatabase) -> None:
    """Twice, out of order, some first as they were before they grew; two boxes are replaced."""
    chance = random.Random(24)
    ledger: dict[tuple[str, datetime], Counter[Verdict]] = {}
    payloads: list[bytes] = []
    for number in range(50):
        name = f"box-{number:02}"
        before: HourOfHistory | None = None
        for at in HOURS:
            visits = {verdict: chance.randrange(20) for verdict in KINDS}
            ledger[name, at] = Counter(visits)
            history, follows = "old", at - HOUR if before else None
            if number < 2 and at > HOURS[40]:
                history, follows = "new", at - HOUR if at > HOURS[41] else None
            before = an_hour(at, visits, follows=follows, history=history)
            payloads.append(message(before, name))
            if chance.random() < 0.1:
                fewer = {verdict: count // 2 for verdict, count in visits.items()}
                payloads.append(message(replace(before, revision=1), name))
                payloads.append(message(an_hour(at, fewer, history=history, watched_s=9), name))
            if number < 2 and at == HOURS[40]:  # the new disk has counted in the same hour
                rest = dict.fromkeys(KINDS, 3)
                payloads.append(message(an_hour(at, rest, history="new", watched_s=60), name))
                ledger[name, at] += Counter(rest)
    payloads += chance.sample(payloads, len(payloads) // 4)
    chance.shuffle(payloads)
    database.store(*payloads)
    cells = database.hours()
    assert {
        (cell.device_id, cell.hour): Counter(
            dict(
                zip(
                    KINDS,
                    (cell.masked, cell.bare, cell.unknown, cell.worn_wrongly),
                    strict=True,
                )
            )
        )
        for cell in cells
    } == ledger
    rows = database.ask(
        "SELECT count(*), sum(masked), sum(bare), sum(unknown), sum(worn_wrongly), sum(missing), "
        "min(reported), max(hours) FROM fleet_report('2026-03-28 00:00+01', '2026-03-31 00:00+02')"
    )
    sums = [sum(each[verdict] for each in ledger.values()) for verdict in KINDS]
    assert rows == [(50, *sums, 0, 71, 71)]
    assert database.ask("SELECT * FROM unreadable") == []


def test_a_gap_is_no_message_and_a_box_that_was_off_says_so(database: FleetDatabase) -> None:
    h = HOURS
    database.store(
        message(an_hour(h[2])),
        message(an_hour(h[3], follows=h[2])),
        message(an_hour(h[6], follows=h[3])),  # off in 4 and 5
        message(an_hour(h[9], follows=h[8])),  # 8 was lost, and so, perhaps, was 7
        message(an_hour(h[11], history="b")),  # a new disk: nobody knows of 10
    )
    assert accounts(database.hours(end=h[14])) == "bbrroormmrmrmm"
    database.store(message(an_hour(h[8], follows=h[6])))
    assert accounts(database.hours(end=h[14])) == "bbrroororrmrmm", (
        "8 has come, and says what 7 was"
    )
    fleet = read_fleet(database.connection, BEGIN, h[14])
    assert [(gap.why, gap.hours) for gap in fleet.gaps] == [
        ("not running", 2),
        ("not running", 1),
        ("no message", 1),
        ("no message", 2),
    ]
    (row,) = fleet.rows
    assert (row.hours, row.reported, row.off, row.missing, row.before) == (14, 6, 3, 3, 2)
    assert row.watched_share == pytest.approx(6 / 12)


def test_an_hour_of_a_wrong_clock_is_marked_and_is_no_beginning(database: FleetDatabase) -> None:
    h, year = HOURS, BEGIN - timedelta(days=365)
    wrong = an_hour(year, {Verdict.MASKED: 5})
    watched = tuple(replace(each, clock_is_right=False) for each in wrong.watched)
    database.store(
        message(replace(wrong, watched=watched)),
        message(replace(an_hour(h[2], follows=year), watched=watched)),
        message(an_hour(h[3], {Verdict.MASKED: 1}, follows=h[2])),
        message(an_hour(h[4], {Verdict.MASKED: 7}, follows=h[3])),
        message(an_hour(h[7], follows=h[4])),
    )
    assert accounts(database.hours(end=h[8])) == "bbrrroor"
    assert accounts(database.hours(year - HOUR, year + 2 * HOUR)) == "bmb"
    fleet = read_fleet(database.connection, year - HOUR, year + 2 * HOUR)
    (row,) = fleet.rows
    assert (row.misdated, row.masked, row.rated_masked, row.missing) == (1, 5, 0, 0)
    assert [(gap.why, gap.begin) for gap in fleet.gaps] == [("wrong clock", year)]
    # A message that came before its hour, and one that takes back what it said.
    database.ask(f"UPDATE hour SET received_at = hour - interval '1 day' WHERE hour = '{h[4]}' "
                 "RETURNING 1")  # fmt: skip
    taken_back = replace(an_hour(h[3], follows=h[2]), people=(), watched=(), revision=10**9)
    database.store(message(taken_back))
    cells = database.hours(end=h[8])
    assert [cell.account for cell in cells[2:5]] == ["reported", "missing", "misdated"]
    assert sum(cell.masked for cell in cells) == 7


@pytest.mark.parametrize(
    ("history", "is_set", "known"),
    [
        ("a", False, "rroooooor"),
        ("a", True, "mmbbbbbbr"),
        ("b", True, "rrmmmmmmr"),
    ],
    ids=["it was off", "its clock was set", "it has a new disk"],
)
def test_a_box_that_was_off_before_its_first_time_server_keeps_what_it_counted(
    database: FleetDatabase, history: str, *, is_set: bool, known: str
) -> None:
    first, later = BEGIN, BEGIN + timedelta(days=3)
    for at, follows in ((first, None), (first + HOUR, first)):
        hour = an_hour(at, {Verdict.MASKED: 5}, follows=follows)
        watched = tuple(replace(each, clock_is_right=False) for each in hour.watched)
        database.store(message(replace(hour, watched=watched)))
    database.store(
        message(an_hour(later, follows=None if is_set else first + HOUR, history=history))
    )
    cells = accounts(database.hours(end=later + HOUR))
    assert cells[:5] + cells[-4:] == known


def test_a_box_of_an_older_release_is_a_gap_and_one_that_is_not_over_is_none(
    database: FleetDatabase,
) -> None:
    database.ask(
        "INSERT INTO state VALUES ('old', 'health', 's', 'z', now(), now(), '{}') RETURNING 1"
    )
    assert accounts(database.hours(end=BEGIN + 3 * HOUR)) == "mmm"
    (row,) = database.rows()
    assert (row.device_id, row.site, row.zone, row.missing) == ("old", "s", "z", 71)
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    assert accounts(database.hours(now - 2 * HOUR, now + 9 * HOUR)) == "mm"


def test_a_season_without_the_rule_and_hours_that_were_hardly_watched_are_in_no_rate(
    database: FleetDatabase,
) -> None:
    h, people = HOURS, {Verdict.MASKED: 9, Verdict.BARE: 1}
    database.store(
        message(an_hour(h[0], people)),
        message(an_hour(h[1], {Verdict.BARE: 50}, is_required=False)),
        message(an_hour(h[2], {Verdict.BARE: 20}, watched_s=2699)),
        message(an_hour(h[3], {Verdict.MASKED: 1, Verdict.UNKNOWN: 2})),
        message(an_hour(h[4], {Verdict.MASKED: 10}, size_px=96)),
    )
    fleet = read_fleet(database.connection, BEGIN, END)
    (row,) = fleet.rows
    assert (row.masked, row.bare, row.unknown, row.no_rule) == (20, 21, 2, 50)
    assert (row.rated_masked, row.rated_bare, row.rated_hours) == (19, 1, 3)
    assert {gap.why for gap in fleet.gaps} == {"no message"}, "each night would be one"
    found = fleet.rate("box")
    assert found.rate is not None
    assert found.rate.naive == 0.95
    assert (found.rate.naive_low, found.rate.naive_high) == pytest.approx(
        (0.7639, 0.9911), abs=1e-4
    )
    assert (found.rate.corrected, found.why_not) == (None, "the box says nothing of its eyes")
    assert [(size.size_px, size.masked, size.bare) for size in fleet.sizes] == [
        (48, 9, 1),
        (96, 10, 0),
    ]


def test_a_rate_is_corrected_as_on_the_box_and_all_together_only_with_the_same_eyes(
    database: FleetDatabase,
) -> None:
    early = Eyes({0: Counted(50, 60)}, {0: Counted(50, 60)}, "of an earlier model")
    eyes = Eyes(
        {0: Counted(90, 100, 120), 48: Counted(97, 100, 110)}, {0: Counted(45, 50, 60)}, "at a fair"
    )
    h, counts = HOURS, {24: (40, 10), 96: (150, 20)}
    for name in ("door", "gate"):
        for number, (size_px, (masked, bare)) in enumerate(counts.items()):
            visits = {Verdict.MASKED: masked, Verdict.BARE: bare}
            of_hour = an_hour(h[number], visits, size_px=size_px)
            database.store(message(of_hour, name, eyes if number else early))
    fleet = read_fleet(database.connection, BEGIN, END)
    for name in ("door", "gate"):
        assert fleet.rate(name) == FleetRate(rate_of(counts, eyes), "at a fair", "")
    twice = {size_px: (2 * masked, 2 * bare) for size_px, (masked, bare) in counts.items()}
    assert fleet.rate(ALL) == FleetRate(rate_of(twice, eyes), "at a fair", "")
    table = as_table(fleet, BERLIN)
    assert "door, gate, all: corrected, at a fair" in table
    (row,) = (each for each in as_data(fleet)["devices"] if each["device_id"] == "door")
    assert row["corrected"] == pytest.approx(fleet.rate("door").rate.corrected)  # type: ignore[union-attr]
    database.store(message(an_hour(h[5], {Verdict.MASKED: 1}), "gate"))
    fleet = read_fleet(database.connection, BEGIN, END)
    assert fleet.rate("gate").why_not == "the box says nothing of its eyes"
    assert fleet.rate(ALL).why_not == "the boxes have different eyes"
    assert fleet.rate("door").why_not == ""
    assert "gate: not corrected, the box says nothing" in as_html(fleet, BERLIN)


@pytest.mark.parametrize(
    "eyes", [None, [], {"classes": [{}]}, {"classes": [{"state": "x", "right": 2, "of": 1}]}, "x"]
)
def test_eyes_that_cannot_be_read_are_none(eyes: Any, database: FleetDatabase) -> None:
    document = {**json.loads(message(an_hour(BEGIN, {Verdict.MASKED: 1}))), "eyes": eyes}
    database.store(json.dumps(document).encode())
    assert read_fleet(database.connection, BEGIN, END).eyes == {}


CLASS = {"size_px": 0, "right": 5, "of": 6, "shown": 6}
USABLE = {"source": "at a fair", "classes": [{**CLASS, "state": s} for s in ("masked", "bare")]}


@pytest.mark.parametrize(
    ("eyes", "is_used"),
    [
        (USABLE, True),
        ({**USABLE, "source": "x" * 201}, False),
        ({**USABLE, "source": "\x1b[2Jat a fair"}, False),
        ({**USABLE, "source": ["at", "a", "fair"]}, False),
        *(
            (
                {**USABLE, "classes": [{**CLASS, "state": "masked", **bad}, *USABLE["classes"]]},
                False,
            )
            for bad in (
                {"of": int("9" * 400), "shown": None},
                {"of": int("9" * 4300), "shown": None},
                {"right": -1},
                {"size_px": 1_000_001},
                {"shown": "6"},
                {"right": True},
            )
        ),
    ],
)
def test_what_one_box_says_of_its_eyes_does_not_keep_the_others_from_a_report(
    eyes: Any, is_used: bool, database: FleetDatabase
) -> None:
    for device_id, said in (("odd", eyes), ("other", USABLE)):
        hour = json.loads(message(an_hour(BEGIN, {Verdict.MASKED: 9, Verdict.BARE: 1}), device_id))
        database.store(json.dumps({**hour, "eyes": said, "site": "\x1b]0;x\x07"}).encode())
    fleet = read_fleet(database.connection, BEGIN, END)
    assert fleet.rate("other").eyes == "at a fair"
    assert (fleet.rate("odd").why_not == "") is is_used
    table = as_table(fleet, BERLIN)
    assert ("odd: not corrected" in table) is not is_used
    assert all(line.isprintable() for line in table.split("\n"))


def test_two_cameras_are_one_box_and_each_part_of_a_picture_is_counted_once(
    database: FleetDatabase,
) -> None:
    hour = HourOfHistory(
        "a",
        BEGIN,
        5,
        None,
        (
            VisitsOfHour(Place("in", "left"), True, 48, Verdict.MASKED, 2),
            VisitsOfHour(Place("in", "right"), True, 48, Verdict.MASKED, 3),
            VisitsOfHour(Place("out", ""), True, 48, Verdict.BARE, 4),
        ),
        (
            WatchOfHour("in", WatchState.WATCHED, True, 3000.0),
            WatchOfHour("in", WatchState.CROWDED, False, 600.0),
            WatchOfHour("out", WatchState.LOST, True, 3600.0),
        ),
    )
    database.store(message(hour), message(hour))
    (cell,) = database.hours(end=BEGIN + HOUR)
    assert (cell.masked, cell.bare, cell.watched_s, cell.misdated_s) == (5, 4, 1500, 300)
    assert database.ask("SELECT camera, place, masked FROM hour_people ORDER BY 1, 2") == [
        ("in", "left", 2),
        ("in", "right", 3),
        ("out", "", 0),
    ]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"hour": "2026-03-28T01:30:00.000Z"}, "its hour is not a whole one"),
        ({"people": [{"camera": ""}]}, "missing required field `place`"),
        ({"history": "x" * 201}, "length <= 200"),
        ({"watched": [{"seconds": -1}]}, "Object missing|Expected `float` >= 0"),
        ({"schema": "tensormask/hour/2"}, "tensormask/hour/2"),
    ],
)
def test_an_hour_that_cannot_be_counted_is_put_aside(fields: dict[str, Any], reason: str) -> None:
    payload = json.dumps({**json.loads(message(an_hour(BEGIN))), **fields}).encode()
    reading = read(Delivered("tensormask/box/hour", payload, False, NOW), pictures=False)
    assert isinstance(reading, Unreadable)
    assert re.search(reason, reading.reason)


def test_what_an_hour_says_in_addition_is_kept(database: FleetDatabase) -> None:
    document = json.loads(message(an_hour(BEGIN, {Verdict.MASKED: 1})))
    document["people"][0]["hats"] = 1
    document["weather"] = "rain"
    database.store(json.dumps(document).encode())
    assert database.ask("SELECT document FROM hour") == [(document,)]
    assert database.hours()[0].masked == 1


def some_boxes(database: FleetDatabase) -> None:
    for name, bare in (("=door", 1), ("gate", 3)):
        database.store(
            *(
                message(
                    an_hour(at, {Verdict.MASKED: 9, Verdict.BARE: bare}, follows=at - HOUR), name
                )
                for at in HOURS
                if name == "gate" or at != HOURS[30]
            )
        )


def test_every_format_says_the_same(database: FleetDatabase) -> None:
    some_boxes(database)
    fleet = read_fleet(database.connection, BEGIN, END)
    table = as_table(fleet, BERLIN)
    assert table.startswith("From 2026-03-28 00:00+01:00 to 2026-03-31 00:00+02:00: 2 boxes\n")
    assert "=door: 2026-03-29 07:00+02:00 to 2026-03-29 08:00+02:00 (1 h): no message" in table
    assert re.search(r"all +141 +1 +0 +99\.3 % +1552 +1269 +283 ", table)
    data = json.loads(as_json(fleet, BERLIN))
    assert (data["all"]["masked"], data["all"]["bare"], data["all"]["missing"]) == (1269, 283, 1)
    assert data["all"]["rate"] == pytest.approx(1269 / 1552)
    lines = list(csv.DictReader(io.StringIO(as_csv(fleet, BERLIN))))
    assert len(lines) == 142
    assert sum(int(line["masked"]) for line in lines) == 1269
    assert {line["device_id"] for line in lines} == {"'=door", "gate"}
    nights = [line["hour"] for line in lines if line["hour"].startswith("2026-03-29T0")][:4]
    assert [night[11:] for night in nights] == [
        "00:00:00+01:00",
        "01:00:00+01:00",
        "03:00:00+02:00",
        "04:00:00+02:00",
    ]
    page = as_html(fleet, BERLIN)
    assert "<td>1269</td>" in page
    assert "<td class=gap>96</td>" in page
    assert all(note.replace("`", "`") in page for note in NOTES[:1])
    assert "http" not in page, "it needs nothing else"


def report(database: FleetDatabase, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deploy.receiver", "report", *options]
    return subprocess.run(
        command, cwd=ROOT, env=database.environment, capture_output=True, text=True
    )


def test_the_command_prints_a_month_and_says_in_a_line_what_is_wrong(
    database: FleetDatabase,
) -> None:
    some_boxes(database)
    period = ("--from", "2026-03-01", "--to", "2026-04-01", "--timezone", "Europe/Berlin")
    answer = report(database, *period)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "1269" in answer.stdout
    for options, line in (
        (("--from", "March", "--to", "2026-04-01"), "'March' is no date"),
        (("--from", "2026-03-01", "--to", "2026-03-01"), "--to must be after --from"),
        ((*period[:4], "--timezone", "Europe/Berlon"), "no time zone 'Europe/Berlon'"),
        ((*period[:4], "--timezone", "Asia/Kolkata"), "2026-03-01 is no whole hour of UTC"),
    ):
        answer = report(database, *options)
        assert answer.returncode == 2
        assert line in answer.stderr.splitlines()[-1]
    database.connection.execute("ALTER FUNCTION fleet_report RENAME TO other")
    answer = report(database, *period)
    database.connection.execute("ALTER FUNCTION other RENAME TO fleet_report")
    assert answer.returncode == 1
    assert answer.stderr.strip().endswith("the database is older; run: psql -q -f schema.sql")


def test_a_database_of_the_first_release_is_brought_up_to_date_and_keeps_its_rows(
    postgres: Postgres,
) -> None:
    schema = (ROOT / "deploy" / "receiver" / "schema.sql").read_bytes()
    first = (Path(__file__).parent / "receiver_schemas" / "1.sql").read_bytes()
    shapes = []
    for name, statements in (("updated", [first, schema, schema]), ("fresh", [schema])):
        with postgres.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        with postgres.connect(name) as connection:
            for number, each in enumerate(statements):
                connection.execute(each)
                if name == "updated" and number == 0:
                    connection.execute("INSERT INTO ignored VALUES ('x', 7, now())")
            if name == "updated":
                rows = connection.execute("SELECT kind, documents FROM ignored").fetchall()
                assert rows == [("x", 7)]
            shapes.append(
                connection.execute(
                    "SELECT table_name, column_name, data_type FROM information_schema.columns "
                    "WHERE table_schema = 'public' UNION ALL "
                    "SELECT tablename, indexname, indexdef FROM pg_indexes "
                    "WHERE schemaname = 'public' UNION ALL "
                    "SELECT proname, prosrc, '' FROM pg_proc WHERE pronamespace = "
                    "'public'::regnamespace ORDER BY 1, 2, 3"
                ).fetchall()
            )
    assert shapes[0] == shapes[1]
