"""What the box records: on the installed box, over kills, restarts and power cuts."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.installed.lab.box import OWNER, STATE, UNIT, VISITOR, Box
from tests.systemd.machine import wait_until

FILE = f"{STATE}/history.sqlite"


@pytest.fixture(autouse=True)
def _empty(box: Box) -> Iterator[None]:
    box.empty()
    yield
    box.configure()


def asked(box: Box, statement: str) -> list[list[object]]:
    """Return what root gets from the file, or nothing where it has no such table yet."""
    program = (
        "import json, sqlite3, sys; "
        f"base = sqlite3.connect('file:{FILE}?mode=ro', uri=True); "
        "print(json.dumps(base.execute(sys.argv[1]).fetchall()))"
    )
    answer = box.machine.run("python3", "-c", program, statement, check=False).stdout
    return list(json.loads(answer)) if answer else []


def visits(box: Box, verdict: str) -> int:
    rows = asked(box, f"SELECT ifnull(sum(visits), 0) FROM people WHERE verdict = '{verdict}'")
    return int(str(rows[0][0])) if rows else 0


def pass_by(box: Box) -> str:
    """Have somebody come without a mask and leave; return the event's id."""
    box.camera.show("bare")
    box.until_reported("confirmed")
    box.camera.show("nobody")
    return str(box.until_reported("confirmed", "ended")[0]["event_id"])


@pytest.mark.thorough
def test_a_visit_and_its_alert_are_in_the_history_after_a_stop(box: Box) -> None:
    before = visits(box, "bare")
    event = pass_by(box)
    box.machine.run("systemctl", "restart", UNIT)
    box.until_well()
    assert visits(box, "bare") == before + 1
    ((ended_at,),) = asked(box, f"SELECT ended_at FROM alerts WHERE event_id = '{event}'")
    assert ended_at is not None
    owner = box.machine.output("stat", "-c", "%U %a", FILE)
    assert owner == "tensormask 600", "nobody else may read it"


def test_a_kill_loses_nobody(box: Box) -> None:
    before = visits(box, "bare")
    pass_by(box)
    box.machine.run("systemctl", "kill", "--signal=KILL", UNIT)
    wait_until(lambda: box.telemetry() == {}, 10, "no old status is left by what was killed")
    box.until_well()
    wait_until(lambda: visits(box, "bare") == before + 1, 30, "the next run has written it")
    box.machine.run("systemctl", "restart", UNIT)
    box.until_well()
    assert visits(box, "bare") == before + 1, "and nobody twice"


@pytest.mark.thorough
def test_a_power_cut_leaves_a_history_that_goes_on(box: Box) -> None:
    pass_by(box)
    box.machine.run("systemctl", "restart", UNIT)
    box.until_well()
    before = visits(box, "bare")
    box.machine.cut_power()
    box.machine.boot()
    box.until_well()
    assert visits(box, "bare") >= before
    assert asked(box, "PRAGMA quick_check") == [["ok"]]
    assert "history" not in box.machine.output("ls", STATE).replace("history.sqlite", "")


@pytest.mark.thorough
def test_a_damaged_history_is_quarantined_and_judging_goes_on(box: Box) -> None:
    box.machine.run("systemctl", "stop", UNIT)
    box.machine.run("sh", "-c", f"head -c 20000 /dev/urandom >{FILE}; rm -f {FILE}-wal")
    box.start()
    box.until_well()
    wait_until(lambda: bool(asked(box, "SELECT kind FROM journal")), 30, "a new one is begun")
    assert "history.sqlite.damaged-" in box.machine.output("ls", STATE)
    assert "history-failing" not in box.by(VISITOR, "tensormask status --json").stdout
    box.machine.run("sh", "-c", f"rm {FILE}.damaged-*")


def test_a_history_that_is_removed_under_the_service_is_said_and_a_new_one_has_all_since(
    box: Box,
) -> None:
    box.machine.run("sh", "-c", f"rm {FILE}*")

    def is_said() -> bool:
        return "it was removed" in box.by(VISITOR, "tensormask status --json").stdout

    wait_until(is_said, 10, "the service has noticed")
    wait_until(lambda: bool(asked(box, "SELECT code FROM conditions")), 30, "a new one is begun")
    pass_by(box)
    box.machine.run("systemctl", "restart", UNIT)
    box.until_well()
    assert visits(box, "bare") == 1
    spans = asked(box, "SELECT code, ended_at IS NOT NULL FROM conditions")
    assert ["history-failing", 1] in spans, "a report says that something is missing"


def test_what_is_kept_is_listed_for_root_in_full_and_refused_to_others(box: Box) -> None:
    listed = box.by(OWNER, "sudo tensormask history list --json", check=True).stdout.splitlines()
    items = [json.loads(line) for line in listed]
    assert [each for each in items if "not known" in each["holds"]] == []
    assert {"people", "watched", "alerts", "journal"} <= {each["table"] for each in items}
    waiting = [each["rows"] for each in items if each["file"] == "history-queue.json"]
    assert sum(waiting) > 0, "what is not written yet is said, too"
    for user in (VISITOR, OWNER):
        refused = box.by(user, "tensormask history list")
        assert refused.returncode == 78, refused.stderr
        assert refused.stderr.endswith("run: sudo tensormask history list\n")


@pytest.mark.thorough
def test_what_is_purged_is_gone_from_the_bytes(box: Box) -> None:
    event = pass_by(box)
    running = box.by("root", "tensormask history purge --all --yes")
    assert running.returncode == 1
    assert "sudo systemctl stop tensormask" in running.stderr
    box.machine.run("systemctl", "stop", UNIT)
    assert box.machine.run("grep", "-q", event, FILE, check=False).returncode == 0
    box.by("root", "tensormask history purge --before 2100-01-01 --yes", check=True)
    assert box.machine.run("grep", "-qr", event, FILE, check=False).returncode == 1
    assert asked(box, "SELECT count(*) FROM alerts") == [[0]]
    box.by("root", "tensormask history purge --all --yes", check=True)
    assert asked(box, "SELECT by FROM journal WHERE kind = 'deleted'") == [["root"]] * 2
    box.start()
    box.until_well()
    owner = box.machine.output("stat", "-c", "%U", FILE)
    assert owner == "tensormask", "the service can go on with it"


@pytest.mark.thorough
def test_turned_off_nothing_is_recorded(box: Box) -> None:
    box.configure(history={"enabled": False})
    before = visits(box, "bare")
    pass_by(box)
    box.machine.run("systemctl", "restart", UNIT)
    box.until_well()
    assert visits(box, "bare") == before
