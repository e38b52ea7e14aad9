"""deploy/receiver, from the device to the row: a real broker, a real database, and both fail."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import publish

from deploy.receiver.documents import Delivered, Unreadable, read
from edge.config import MqttSettings
from edge.daemon.hours import HourSender
from edge.publish.messages import HEALTH, VIOLATION, encode, timestamp, topic, violation_message
from edge.records import ViolationState
from tests.broker.conftest import Mosquitto, find_mosquitto
from tests.broker.device import QUICK, Device
from tests.broker.samples import ORIGIN, a_violation
from tests.broker.test_mosquitto_example import certificates, configuration
from tests.deploy.postgres import Postgres
from tests.edge.history.test_hours import write
from tests.needs import lacking
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "receiver"
PICTURE = bytes(range(256)) * 4
PUBACK = "Received PUBACK from tensormask-receiver"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    yield server
    server.close()


class Database:
    """One database of the server, asked over a new connection each time: the server may restart."""

    def __init__(self, server: Postgres, name: str) -> None:
        self.server = server
        self.name = name

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        with self.server.connect(self.name) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def one(self, sql: str) -> Any:
        return self.ask(sql)[0][0]

    @property
    def sequences(self) -> list[int]:
        return [row[0] for row in self.ask("SELECT sequence FROM violation ORDER BY arrival")]

    @property
    def gaps(self) -> list[tuple[Any, ...]]:
        return self.ask("SELECT first, last, documents FROM gap ORDER BY before, first")

    @property
    def silent(self) -> list[str]:
        return [row[0] for row in self.ask("SELECT device_id FROM silent ORDER BY device_id")]


@pytest.fixture
def database(postgres: Postgres, request: pytest.FixtureRequest) -> Database:
    name = re.sub(r"\W", "_", request.node.name)[-60:]
    postgres.create(name).close()
    return Database(postgres, name)


def mosquitto() -> str:
    program = find_mosquitto()
    if program is None:
        lacking("no mosquitto", "sudo apt-get install mosquitto")
    return program


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    settings = f"allow_anonymous true\npersistence true\npersistence_location {tmp_path}/"
    started = Mosquitto(mosquitto(), tmp_path, settings)
    yield started
    started.kill()


class Receiver:
    """The program itself, with its session at the broker."""

    def __init__(self, folder: Path, port: int, environment: dict[str, str], *options: str) -> None:
        self._log = folder / "receiver.log"
        before = self.log.count("receiving")
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deploy.receiver", f"127.0.0.1:{port}", *options],
                cwd=ROOT,
                env={**os.environ, **environment},
                stderr=log,
            )
        until(lambda: self.log.count("receiving") > before, "the receiver's session")

    @property
    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


StartReceiver = Callable[..., Receiver]


@pytest.fixture
def start_receiver(
    tmp_path: Path, broker: Mosquitto, database: Database
) -> Iterator[StartReceiver]:
    started: list[Receiver] = []

    def start(*options: str, **environment: str) -> Receiver:
        names = {**database.server.environment(database.name), **environment}
        started.append(Receiver(tmp_path, broker.port, names, *options))
        return started[-1]

    yield start
    for receiver in started:
        receiver.kill()


@pytest.fixture
def device(tmp_path: Path, broker: Mosquitto) -> Iterator[Device]:
    """The product's own publisher and outbox."""
    settings = MqttSettings(port=broker.port, **QUICK)  # type: ignore[arg-type]
    started = Device(tmp_path / "outbox.sqlite", settings)
    yield started
    started.close()


Say = Callable[..., None]


@pytest.fixture
def say(broker: Mosquitto) -> Say:
    """Publishes what no device of ours would; returns when the broker has it."""

    def publish_one(
        kind: str, payload: object, name: str = "door-1", *, retain: bool = False
    ) -> None:
        raw = payload if isinstance(payload, bytes) else json.dumps(payload)
        where = f"tensormask/{name}/{kind}"
        publish.single(where, raw, 1, retain, hostname="127.0.0.1", port=broker.port)

    return publish_one


def examples() -> dict[str, dict[str, Any]]:
    """The documents of docs/mqtt.md by their kind; of violations the one that is over."""
    blocks = re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "mqtt.md").read_text(), re.DOTALL)
    documents = [json.loads(block) for block in blocks]
    return {each["schema"].split("/")[1]: each for each in documents if "schema" in each}


def a_document(sequence: int, **fields: object) -> dict[str, Any]:
    """A violation as a device sends it, each sequence another one."""
    content = encode(violation_message(ORIGIN, a_violation(sequence), sequence, True))
    return {**json.loads(content), **fields}


def a_state(kind: str, at: datetime, **fields: object) -> dict[str, Any]:
    return {**examples()[kind], "at": timestamp(at), **fields}


def test_both_documents_of_a_violation_come_whole(
    start_receiver: StartReceiver, device: Device, database: Database
) -> None:
    start_receiver()
    place = topic("tensormask", ORIGIN.device_id, VIOLATION)
    sent = []
    for sequence, state in enumerate([ViolationState.CONFIRMED, ViolationState.ENDED], 1):
        sent.append(encode(violation_message(ORIGIN, a_violation(7, state), sequence, True)))
        device.outbox.append(place, lambda sequence: sent[sequence - 1])
    device.publisher.wake()
    until(lambda: len(database.sequences) == 2, "both rows")
    rows = database.ask(
        "SELECT state, sequence, zone, kind, ended_at IS NULL, document FROM violation "
        "ORDER BY arrival"
    )
    assert [row[:-1] for row in rows] == [
        ("confirmed", 1, "north entrance", "bare", True),
        ("ended", 2, "north entrance", "bare", False),
    ]
    assert [row[-1] for row in rows] == [json.loads(each) for each in sent]


def test_a_violation_is_stored_once_although_the_receiver_is_killed_before_it_acknowledges(
    start_receiver: StartReceiver, device: Device, database: Database, broker: Mosquitto
) -> None:
    """The database commits, and holds its answer back for a replica that there is not."""
    receiver = start_receiver()
    until(lambda: database.one("SELECT count(*) FROM device"), "the device's own word")
    database.ask("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    database.ask("SELECT pg_reload_conf()")
    try:
        sequences = device.report(50)
        until(
            lambda: database.one(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' "
                "AND application_name = 'tensormask-receiver'"
            ),
            "a commit that waits",
        )
        receiver.kill()
    finally:
        database.ask("ALTER SYSTEM RESET synchronous_standby_names")
        database.ask("SELECT pg_reload_conf()")
    until(lambda: database.sequences, "what was committed")
    assert broker.log_count(PUBACK) == 0
    start_receiver()
    until(lambda: broker.log_count(PUBACK) == 50, "all acknowledgements")
    assert database.sequences == sequences
    assert "(d1, q1" in broker.log  # it did come again


def test_a_database_that_was_stopped_lacks_nothing(
    start_receiver: StartReceiver, device: Device, database: Database
) -> None:
    receiver = start_receiver()
    sequences = device.report(20)
    until(lambda: len(database.sequences) == 20, "the first rows")
    database.server.stop()
    try:
        sequences += device.report(300)
        until(lambda: "waiting: " in receiver.log, "the receiver to notice")
        until(lambda: device.waiting() == 0, "the broker to have all")
    finally:
        database.server.start()
    until(lambda: len(database.sequences) == 320, "all rows")
    assert database.sequences == sequences
    assert database.gaps == []


def test_a_broker_that_was_restarted_lacks_nothing(
    start_receiver: StartReceiver, device: Device, database: Database, broker: Mosquitto
) -> None:
    receiver = start_receiver()
    sequences = device.report(20)
    until(lambda: len(database.sequences) == 20, "the first rows")
    receiver.kill()
    sequences += device.report(20)
    until(lambda: device.waiting() == 0, "the broker to have all")
    broker.stop()
    sequences += device.report(20)
    broker.start()
    start_receiver()
    until(lambda: len(database.sequences) == 60, "all rows")
    assert database.sequences == sequences


def test_a_receiver_that_loses_its_broker_comes_back_by_itself(
    start_receiver: StartReceiver, device: Device, database: Database, broker: Mosquitto
) -> None:
    receiver = start_receiver()
    broker.stop()
    sequences = device.report(20)
    until(lambda: "waiting: the broker" in receiver.log, "the receiver to notice")
    broker.start()
    until(lambda: len(database.sequences) == 20, "all rows")
    assert database.sequences == sequences


def test_a_repeat_is_not_stored_again(
    start_receiver: StartReceiver, say: Say, database: Database
) -> None:
    start_receiver()
    for sequence in (1, 2, 1, 2, 3):
        say("violation", a_document(sequence))
    until(lambda: 3 in database.sequences, "the last row")
    assert database.sequences == [1, 2, 3]


def test_a_gap_is_shown_and_goes_when_it_is_filled(
    start_receiver: StartReceiver, say: Say, database: Database
) -> None:
    start_receiver()

    def after(*sequences: int) -> list[tuple[Any, ...]]:
        count = len(database.sequences) + len(sequences)
        for sequence in sequences:
            say("violation", a_document(sequence))
        until(lambda: len(database.sequences) == count, "the rows")
        return database.gaps

    assert after(500, 501, 505) == [(502, 504, 3)]
    assert after(503) == [(502, 502, 1), (504, 504, 1)]
    assert after(504, 502) == []
    # A device that can write nothing counts from far on, each run elsewhere, and comes back.
    far, further = 1_234_567_890_123_456, 4_321_098_765_432_109
    assert after(further, further + 1, far, far + 1, 506) == []
    assert after(far + 4) == [(far + 2, far + 3, 2)]
    assert after(far + 2, far + 3) == []
    # One that has lost its count goes on beyond 10^12.
    assert after(1_000_123_456_789, 1_000_123_456_790) == []
    # Another card: it is a new device with the same name.
    assert after(1, 2) == []
    assert after(4) == [(3, 3, 1)]


def test_the_gaps_of_one_device_are_not_those_of_another(
    start_receiver: StartReceiver, say: Say, database: Database
) -> None:
    start_receiver()
    say("violation", a_document(1))
    say("violation", a_document(2, device_id="door-2"), "door-2")
    say("violation", a_document(4))
    say("violation", a_document(5, device_id="door-2"), "door-2")
    until(lambda: len(database.sequences) == 4, "the rows")
    assert database.ask("SELECT device_id, first, last FROM gap ORDER BY device_id") == [
        ("door-1", 2, 3),
        ("door-2", 3, 4),
    ]


def test_an_acknowledgement_is_stored_once_counted_with_violations_and_the_last_one_shown(
    start_receiver: StartReceiver, say: Say, database: Database
) -> None:
    start_receiver()
    event = a_document(1)["event_id"]
    said = {**examples()["acknowledgement"], "event_id": event}
    say("violation", a_document(1))
    say("acknowledgement", {**said, "sequence": 2, "reason": "refused"})
    say("acknowledgement", {**said, "sequence": 2, "reason": "refused"})
    corrected = {**said, "sequence": 3, "reason": "exempt", "at": "2026-11-23T15:00:00.000Z"}
    say("acknowledgement", corrected)
    say("violation", a_document(5))
    until(lambda: database.sequences == [1, 5], "the violations")
    assert database.ask("SELECT sequence, reason FROM acknowledgement ORDER BY at") == [
        (2, "refused"),
        (3, "exempt"),
    ]
    assert database.ask("SELECT sequence, reason FROM acknowledgement ORDER BY arrival") == [
        (2, "refused"),
        (3, "exempt"),
    ]
    assert database.ask("SELECT event_id::text, reason, remedy FROM alert ORDER BY reason") == [
        (event, "exempt", "mask-handed-out"),
        (a_document(5)["event_id"], None, None),
    ]
    assert database.ask("SELECT first, last FROM gap") == [(4, 4)]


def test_what_was_said_while_the_receiver_was_away_comes_later(
    start_receiver: StartReceiver, say: Say, database: Database
) -> None:
    receiver = start_receiver()
    say("violation", a_document(1))
    until(lambda: database.sequences == [1], "it receives")
    receiver.kill()
    say("acknowledgement", examples()["acknowledgement"])
    start_receiver()
    until(lambda: database.one("SELECT count(*) FROM acknowledgement") == 1, "it came")


def test_a_device_is_silent_when_it_has_left(
    start_receiver: StartReceiver, device: Device, database: Database
) -> None:
    start_receiver()
    device.publisher.publish_state(
        HEALTH, json.dumps(a_state("health", datetime.now(UTC), clock_synchronised=False)).encode()
    )
    until(lambda: database.silent == [] and database.ask("SELECT * FROM device"), "its word")
    device.close()
    until(lambda: database.silent == ["door-1"], "its goodbye")
    assert database.one("SELECT availability FROM silent") == "stopped"


def test_what_the_broker_has_kept_does_not_make_a_device_present(
    start_receiver: StartReceiver, say: Say, database: Database
) -> None:
    now = datetime.now(UTC)
    before = now - timedelta(hours=1)
    ahead = now + timedelta(days=900)
    for kind in ("availability", "health"):
        say(kind, a_state(kind, before), retain=True)
        wrong = a_state(kind, ahead, clock_synchronised=False, device_id="door-2")
        say(kind, wrong, "door-2", retain=True)
    start_receiver()
    until(lambda: len(database.ask("SELECT * FROM state")) == 4, "what the broker has kept")
    assert database.silent == ["door-1", "door-2"]
    assert database.one("SELECT max(heard_at) FROM device") == before.replace(
        microsecond=before.microsecond // 1000 * 1000
    )
    say("health", a_state("health", datetime.now(UTC)))
    until(lambda: database.silent == ["door-2"], "the first to be heard")
    say("health", wrong, "door-2")
    until(lambda: database.silent == [], "the second to be heard, whatever its clock says")


def test_the_last_will_is_no_sign_of_life(
    start_receiver: StartReceiver, say: Say, database: Database
) -> None:
    start_receiver()
    now = datetime.now(UTC)
    say("availability", a_state("availability", now))
    until(lambda: database.one("SELECT count(*) FROM device"), "the device")
    heard_at = database.one("SELECT heard_at FROM device")
    say("availability", a_state("availability", now, state="offline", clock_synchronised=False))
    until(lambda: database.silent == ["door-1"], "the will")
    assert database.one("SELECT heard_at FROM device") == heard_at


def test_a_device_that_was_taken_down_is_forgotten(
    start_receiver: StartReceiver, say: Say, database: Database
) -> None:
    start_receiver()
    say("availability", a_state("availability", datetime.now(UTC)), retain=True)
    until(lambda: database.one("SELECT count(*) FROM device"), "the device")
    say("availability", b"", retain=True)
    until(lambda: database.one("SELECT count(*) FROM device") == 0, "it to be forgotten")


def test_what_cannot_be_read_is_put_aside_and_stops_nothing(
    start_receiver: StartReceiver, say: Say, database: Database, broker: Mosquitto
) -> None:
    start_receiver()
    say("violation", b"{no json")
    say("violation", b"\xff\xd8\xff")
    say("violation", a_document(2, schema="tensormask/violation/2"))
    say("violation", a_document(3, device_id="door\0"))
    say("violation", a_document(4, at="yesterday"))
    say("violation", a_document(5, site="a\0b"))
    say("violation", a_document(1 << 63))
    say("violation", b'{"a":' * 5000 + b"1" + b"}" * 5000)
    # Of those with a picture each is read again, and what msgspec passes over is not then.
    with_picture = json.dumps(a_document(6, snapshot="x"))[:-1]
    say("violation", f'{with_picture}, "more": {"9" * 5000}}}'.encode())
    say("violation", a_document(1))
    until(lambda: broker.log_count(PUBACK) == 10, "all acknowledgements")
    assert database.sequences == [1]
    reasons = " ".join(row[0] for row in database.ask("SELECT reason FROM unreadable"))
    for reason in (
        "JSON is malformed: object keys must be strings",
        "JSON is malformed: invalid character",
        "tensormask/violation/2",
        r"it is of 'door\x00'",
        "Invalid RFC3339",
        "cannot contain NUL",
        "bigint out of range",
        "maximum recursion depth",
        "Exceeds the limit",
    ):
        assert reasons.count(reason) == 1, reason


def test_a_picture_is_dropped_unless_it_is_asked_for(
    start_receiver: StartReceiver, say: Say, database: Database
) -> None:
    picture = base64.b64encode(PICTURE).decode()
    start_receiver("--pictures", "--client-id=with-pictures").kill()
    start_receiver()
    say("violation", a_document(1, snapshot=picture))
    say("violation", a_document(2, snapshot=picture, schema="tensormask/violation/2"))
    until(lambda: database.sequences and database.ask("SELECT * FROM unreadable"), "the row")
    assert database.one("SELECT document FROM violation") == a_document(1, snapshot=None)
    aside = json.loads(database.one("SELECT payload FROM unreadable"))
    assert aside == a_document(2, snapshot="[…]", schema="tensormask/violation/2")
    database.ask("DELETE FROM violation")
    start_receiver("--pictures", "--client-id=with-pictures")
    until(lambda: database.sequences, "the row with its picture")
    assert database.one("SELECT document ->> 'snapshot' FROM violation") == picture


def test_what_it_does_not_know_is_kept_or_counted(
    start_receiver: StartReceiver, say: Say, database: Database
) -> None:
    start_receiver()
    say("weather", b"rain")
    say("weather", b"sun")
    say("response", examples()["response"])
    document = a_document(1, kind="on_the_elbow", colour={"name": "blue", "big": 1 << 70})
    say("violation", document)
    until(lambda: database.sequences, "the row")
    assert database.ask("SELECT kind, documents FROM ignored ORDER BY kind") == [
        ("response", 1),
        ("weather", 2),
    ]
    assert database.ask("SELECT kind, document FROM violation") == [("on_the_elbow", document)]


HOUR = datetime(2026, 11, 23, 14, tzinfo=UTC)


@dataclass(frozen=True)
class Counts:
    """What a device tells this many minutes after HOUR."""

    minutes: int
    last_hour: int
    since_start: int | None = None
    run: str = ""

    @property
    def document(self) -> dict[str, Any]:
        def tally(masked: int) -> dict[str, object]:
            seconds = {"watched_s": 60.0 * masked, "rate": 1.0}
            return {"seen": masked, "masked": masked, "bare": 0, "unknown": 0, **seconds}

        at = HOUR + timedelta(minutes=self.minutes)
        document = a_state("compliance", at, last_hour=tally(self.last_hour), run=self.run)
        if self.since_start is None:
            del document["run"], document["since_start"]
            return document
        return {**document, "since_start": tally(self.since_start)}


@pytest.mark.parametrize(
    ("told", "masked_by_hour"),
    [
        pytest.param(
            [Counts(10, 1), Counts(59, 36), Counts(30, 2), Counts(61, 5)],
            [36, 5],
            id="an older device: the last that was told in the hour",
        ),
        pytest.param(
            [Counts(30, 60, 60, "a"), Counts(35, 0, 0, "b"), Counts(59, 10, 10, "b")],
            [70],
            id="a restart in the hour",
        ),
        pytest.param(
            [Counts(30, 5, 905, "a"), Counts(59, 9, 912, "a"), Counts(61, 9, 914, "a"),
             Counts(70, 2, 2, "b"), Counts(119, 8, 8, "b"), Counts(65, 9, 915, "a")],
            [12, 11],
            id="hours join without a gap, and what comes late counts",
        ),
        pytest.param(
            [Counts(30, 60, 60, "a"), Counts(300, 7, 400, "a"), Counts(310, 8, 401, "a")],
            [60, 8],
            id="after hours that were not heard the last one counts",
        ),
        pytest.param(
            [Counts(30, 60, 60, "a"), Counts(30, 60, 60, "a")], [60], id="a repeat counts once"
        ),
    ],
)  # fmt: skip
def test_an_hour_has_all_who_came_in_it(
    start_receiver: StartReceiver,
    say: Say,
    database: Database,
    told: list[Counts],
    masked_by_hour: list[int],
) -> None:
    start_receiver()
    for each in told:
        say("compliance", each.document)
    say("compliance", Counts(6000, 1).document)
    until(lambda: database.one("SELECT count(*) FROM compliance WHERE masked = 1"), "the last one")
    rows = database.ask(
        "SELECT sum(masked), sum(seen), sum(watched_s) FROM compliance GROUP BY hour ORDER BY hour"
    )[:-1]
    assert [masked for masked, _, _ in rows] == masked_by_hour
    assert all(seen == masked and watched_s == 60 * masked for masked, seen, watched_s in rows)


def test_an_hour_has_all_who_came_in_it_by_place(
    start_receiver: StartReceiver, say: Say, database: Database
) -> None:
    def tally(masked: int, bare: int = 0) -> dict[str, object]:
        counts = {"seen": masked + bare, "masked": masked, "bare": bare, "unknown": 0}
        return {**counts, "worn_wrongly": 0, "rate": None, "watched_s": 60.0}

    def counted(hour: int, run: str, **masked: int) -> dict[str, Any]:
        at = datetime(2026, 11, 23, hour, 59, 50, tzinfo=UTC)
        places = [
            {
                "place": place.strip("_"),
                "last_hour": tally(0),
                "last_day": tally(0),
                "since_start": tally(count, 1),
            }
            for place, count in masked.items()
        ]
        return a_state("compliance", at, run=run, places=places)

    start_receiver()
    say("compliance", counted(8, "a", Gate=10, _=1))
    say("compliance", counted(9, "a", Gate=14, _=1))
    say("compliance", counted(9, "b", Gate=2, _=3))
    # The zone was drawn anew.
    say("compliance", counted(10, "b", Gate=1, _=5))
    say("compliance", counted(11, "b", Gate=1, _=6))
    until(lambda: database.one("SELECT count(*) FROM place") == 10, "all rows")
    rows = database.ask(
        "SELECT extract(hour FROM hour AT TIME ZONE 'UTC')::int, place, sum(masked)::int, "
        "sum(bare)::int FROM place_hour GROUP BY hour, place ORDER BY hour, place DESC"
    )
    assert rows == [
        (8, "Gate", 10, 1),
        (8, "", 1, 1),
        (9, "Gate", 4 + 2, 1),
        (9, "", 0 + 3, 1),
        (10, "Gate", 1, 1),
        (10, "", 2, 0),
        (11, "Gate", 0, 0),
        (11, "", 1, 0),
    ]


def test_an_hour_comes_from_a_devices_history_to_the_report_through_outages(
    start_receiver: StartReceiver, device: Device, database: Database, tmp_path: Path
) -> None:
    """The receiver, then the database is away; the device is restarted, and repeats one."""
    start_receiver().kill()
    history = tmp_path / "history.sqlite"
    hours = [HOUR + timedelta(hours=number) for number in range(30)]
    for number, at in enumerate(hours):
        write(history, at, number)
    publisher = device.publisher
    sent = [HourSender(history, ORIGIN, "tensormask", publisher.mailbox, publisher.wake)]
    assert sent[0].send_due()
    start_receiver()
    until(lambda: database.one("SELECT count(*) FROM hour") == 30, "all hours")
    database.server.stop()
    try:
        write(history, hours[3], 100)
        publisher = device.publisher
        sent.append(HourSender(history, ORIGIN, "tensormask", publisher.mailbox, publisher.wake))
        assert sent[1].send_due(), "the broker has it"
    finally:
        database.server.start()
    until(lambda: database.one("SELECT max(masked) FROM hour_people") == 103, "the hour that grew")
    report = database.ask(
        f"SELECT reported, off, missing, masked FROM fleet_report('{hours[0]}', '{hours[-1]}')"
    )
    assert report == [(29, 0, 0, 100 + sum(range(29)))]


def test_it_forgets_by_the_time_of_arrival(
    start_receiver: StartReceiver, say: Say, database: Database
) -> None:
    start_receiver()
    say("violation", a_document(1, at="2035-01-01T00:00:00.000Z"))
    say("violation", b"{")
    until(lambda: database.ask("SELECT * FROM unreadable"), "the rows")
    database.ask("SELECT forget(1)")
    assert database.sequences == [1]
    database.ask("SELECT forget(0)")
    assert database.sequences == []
    assert database.ask("SELECT * FROM unreadable") == []


def test_the_readme_is_right(start_receiver: StartReceiver, say: Say, database: Database) -> None:
    """Its queries run, and the rights that it grants suffice and are no more."""
    for block in re.findall(r"```sql\n(.*?)```", (FOLDER / "README.md").read_text(), re.DOTALL):
        database.ask(block)
    start_receiver(PGUSER="tensormask-receiver")
    for kind, document in examples().items():
        say(kind, document)
    say("violation", b"{")
    say("health", b"")
    # The last message takes a row away again: it has come when all counts are right. Ignored are
    # the answer to a command, `presence`, which says nothing of any time but its own, and the
    # box's own report.
    counts = {
        "violation": 1, "acknowledgement": 1, "hour": 1, "state": 3,
        "compliance": 1, "ignored": 3, "unreadable": 1,
    }  # fmt: skip
    until(
        lambda: counts == {each: database.one(f"SELECT count(*) FROM {each}") for each in counts},
        f"rows: {counts}",
    )
    database.ask('DROP OWNED BY "tensormask-receiver"')
    database.ask('DROP ROLE "tensormask-receiver"')


def test_it_gets_into_a_broker_that_lets_nobody_in(tmp_path: Path, database: Database) -> None:
    """deploy/mosquitto as it ships: TLS, and a certificate for each client."""
    certificates(tmp_path, "broker", "127.0.0.1")
    certificates(tmp_path, "client", ORIGIN.device_id, "desk")
    broker = Mosquitto(mosquitto(), tmp_path, configuration(tmp_path))
    authority, clients = tmp_path / "ca.crt", tmp_path / "clients"
    environment = database.server.environment(database.name)
    options = (
        f"--ca={authority}",
        f"--certificate={clients}/desk.crt",
        f"--key={clients}/desk.key",
    )
    receiver = Receiver(tmp_path, broker.port, environment, *options)
    settings = MqttSettings(
        port=broker.port,
        tls=True,
        ca_file=str(authority),
        certificate_file=f"{clients}/{ORIGIN.device_id}.crt",
        key_file=f"{clients}/{ORIGIN.device_id}.key",
        **QUICK,  # type: ignore[arg-type]
    )
    device = Device(tmp_path / "outbox.sqlite", settings)
    sequences = device.report(3)
    until(lambda: database.sequences == sequences, "the rows")
    device.close()
    receiver.kill()
    broker.kill()


@pytest.mark.parametrize("kind", sorted(examples().keys() - {"response"}))
def test_every_example_of_the_reference_is_read(kind: str) -> None:
    payload = json.dumps(examples()[kind]).encode()
    message = Delivered(f"tensormask/door-1/{kind}", payload, False, datetime.now(UTC))
    assert not isinstance(read(message, pictures=False), Unreadable)


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None,
    reason="no systemd-analyze: sudo apt-get install systemd",
)
def test_the_unit_is_without_fault_and_closed(tmp_path: Path) -> None:
    unit = tmp_path / "tensormask-receiver.service"
    text = (FOLDER / unit.name).read_text()
    unit.write_text(re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", text))
    answer = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    assert (answer.returncode, answer.stderr) == (0, "")
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(unit)]
    assert subprocess.run(command, capture_output=True).returncode == 0
