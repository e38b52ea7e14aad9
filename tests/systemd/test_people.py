"""Every command on an installed box: as root, as the service's user, and as an ordinary user.

Each works, or says in one line what it needs.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from edge.commands.parser import build_parser, parsers_of
from tests.systemd.conftest import FRAMES
from tests.systemd.machine import Machine, says_all_is_well, wait_until
from tests.systemd.test_service import GOOD_SETTINGS, SETTINGS, UNIT
from tests.waiting import DEADLINE_S

PROGRAM = "/usr/local/bin/tensormask"
ROOT, SERVICE, VISITOR = "root", "tensormask", "visitor"
PEOPLE = (ROOT, SERVICE, VISITOR)
WORKS = "^"


@dataclass(frozen=True)
class Row:
    """What a command does; for each of the people what it says, as a pattern, and its status."""

    words: str
    status: int = 0
    says: str = WORKS
    service: tuple[int, str] | None = None
    """None: as root's."""
    visitor: tuple[int, str] | None = None
    """None: as root's."""
    is_endless: bool = False

    def for_(self, person: str) -> tuple[int, str]:
        own = {SERVICE: self.service, VISITOR: self.visitor}.get(person)
        return own or (self.status, self.says)


def _sudo(words: str) -> tuple[int, str]:
    return 78, rf"run: sudo tensormask {re.escape(words)}$"


NO_FORMER = "there is no {} to go back to"
ROWS = {
    "run": Row(
        "run",
        78,
        "start the service: sudo systemctl start tensormask",
        service=(1, "another process has it open"),
        visitor=(78, "the service is started by: sudo systemctl start tensormask$"),
    ),
    "check": Row("check", says="broker +ok", visitor=_sudo("check")),
    "doctor": Row("doctor", says="camera: in use by the running service"),
    "status": Row(
        "status",
        says="device   box\n(.*\n)*broker   connected, 0 messages queued\n",
        visitor=(
            0,
            "unknown  /etc/tensormask/tensormask.toml cannot be read: Permission denied",
        ),
    ),
    "replay": Row("replay /srv/clip.avi", says=f"{FRAMES} frames"),
    "watch": Row(
        "watch",
        says="box *is online",
        visitor=(78, "give the broker: --broker HOST; or run: sudo tensormask watch$"),
        is_endless=True,
    ),
    "notify": Row("notify", says=r"no \[\[notify\]\]", visitor=_sudo("notify")),
    "notify list": Row("notify list", says=r"no \[\[notify\]\]", visitor=_sudo("notify list")),
    "notify test": Row(
        "notify test",
        78,
        r"no \[\[notify\]\]",
        visitor=_sudo("notify test"),
    ),
    "outbox": Row("outbox", visitor=_sudo("outbox")),
    "outbox list": Row("outbox list", visitor=_sudo("outbox list")),
    "outbox export": Row("outbox export", visitor=_sudo("outbox export")),
    "outbox drop": Row(
        "outbox drop --all --yes",
        says="0 messages dropped",
        visitor=_sudo("outbox drop --all --yes"),
    ),
    "forget": Row(
        "forget",
        1,
        "the service runs as box, and would publish its states again; stop the service first",
        visitor=_sudo("forget"),
    ),
    "models": Row("models", says="bundle   tensormask"),
    "models list": Row("models list", says="bundle   tensormask"),
    "models fetch": Row(
        "models fetch yunet",
        65,
        "could not be fetched",  # there is no network
        visitor=_sudo("models fetch yunet"),
    ),
    "models install": Row(
        "models install /none.zip --sha256 abc",
        65,
        "/none.zip: No such file",
        service=_sudo("models install /none.zip --sha256 abc"),
        visitor=_sudo("models install /none.zip --sha256 abc"),
    ),
    "models activate": Row(
        "models activate none",
        65,
        "no model 'none' is installed",
        service=_sudo("models activate none"),
        visitor=_sudo("models activate none"),
    ),
    "models rollback": Row(
        "models rollback bundle",
        78,
        NO_FORMER.format("bundle"),
        service=_sudo("models rollback bundle"),
        visitor=_sudo("models rollback bundle"),
    ),
    "models show": Row("models show", says='"name": "tensormask"'),
    "release": Row("release", says="^release "),
    "release activate": Row(
        "release activate none",
        78,
        "no release 'none' is installed",
        service=_sudo("release activate none"),
        visitor=_sudo("release activate none"),
    ),
    "release rollback": Row(
        "release rollback",
        78,
        NO_FORMER.format("release"),
        service=_sudo("release rollback"),
        visitor=_sudo("release rollback"),
    ),
    "release wait": Row("release wait", says="nothing is on trial"),
    "release prove": Row(
        "release prove", says="3 of 3 drawn people were found and judged as drawn"
    ),
    "release watch": Row(
        "release watch", service=_sudo("release watch"), visitor=_sudo("release watch")
    ),
    "release count": Row(
        "release count", service=_sudo("release count"), visitor=_sudo("release count")
    ),
    "acknowledge": Row(
        "acknowledge newest --reason other --remedy none",
        1,
        "alert",
        visitor=_sudo("acknowledge newest --reason other --remedy none"),
    ),
    "alerts": Row("alerts", says="no .*alert", visitor=_sudo("alerts")),
    "alerts list": Row("alerts list", says="no .*alert", visitor=_sudo("alerts list")),
    "history": Row("history", says="outbox.sqlite", visitor=_sudo("history")),
    "history list": Row("history list", says="outbox.sqlite", visitor=_sudo("history list")),
    "history purge": Row(
        "history purge --all --yes",
        1,
        "the service has it open",
        visitor=_sudo("history purge --all --yes"),
    ),
    "qualify": Row("qualify --camera none", 78, "camera"),
    "report": Row("report", says="^Masks worn: day", visitor=_sudo("report")),
    "rule": Row("rule", says="mask rule", visitor=_sudo("rule")),
    "rule list": Row("rule list", says="mask rule", visitor=_sudo("rule list")),
    "rule off": Row("rule off --by ward", says="off", visitor=_sudo("rule off --by ward")),
    "rule on": Row("rule on --by ward", says="on", visitor=_sudo("rule on --by ward")),
    "sight": Row("sight", says="."),
    "sight now": Row("sight now", says=".", visitor=_sudo("sight now")),
    "sight learn": Row("sight learn", says=".", visitor=_sudo("sight learn")),
    "sight trend": Row(
        "sight trend", says="nothing was proved|proofs: ", visitor=_sudo("sight trend")
    ),
    "password": Row("password", 78, "has 0 characters, and needs 8 or more"),
    "bench": Row("bench /srv/clip.avi --frames 5", says="peak memory"),
    "completion": Row("completion bash", says="tensormask"),
    "man": Row("man", says="TENSORMASK 1"),
    "--version": Row("--version", says=r"^tensormask \d"),
    "--help": Row("--help", says="^usage: tensormask"),
}
"""By command, as the parser knows it."""


@pytest.fixture(scope="module")
def box(machine: Machine) -> Iterator[Machine]:
    """A box that does well, with an ordinary user."""
    machine.run("useradd", "--create-home", VISITOR)
    _start(machine)
    yield machine
    machine.run("userdel", "--remove", VISITOR)


def _start(machine: Machine, settings: str = GOOD_SETTINGS) -> None:
    _write(machine, settings)
    machine.run("systemctl", "restart", UNIT)
    _wait_until_well(machine)


def _write(machine: Machine, settings: str) -> None:
    """Have the settings, with the installer's rights."""
    machine.write(SETTINGS, settings)
    machine.run("chgrp", SERVICE, SETTINGS)
    machine.run("chmod", "640", SETTINGS)


def _wait_until_well(machine: Machine) -> None:
    def is_well() -> bool:
        return says_all_is_well(machine.run(PROGRAM, "status", check=False).stdout)

    wait_until(is_well, DEADLINE_S, "all is well")


def _cases() -> Iterator[pytest.ParameterSet]:
    """Each command and person; thorough where somebody who may do less gets the same answer."""
    for command, row in ROWS.items():
        for place, person in enumerate(PEOPLE, 1):
            is_anothers = row.for_(person) in map(row.for_, PEOPLE[place:])
            yield pytest.param(command, person, marks=pytest.mark.thorough if is_anothers else ())


EACH = pytest.mark.parametrize(
    "person", [*(pytest.param(each, marks=pytest.mark.thorough) for each in PEOPLE[:-1]), VISITOR]
)


def _as(
    machine: Machine, person: str, *words: str, timeout_s: float = 60
) -> subprocess.CompletedProcess[str]:
    become = () if person == ROOT else ("runuser", "-u", person, "--")
    return machine.run(*become, *words, check=False, timeout_s=timeout_s)


def test_every_command_has_a_row() -> None:
    names = {each.prog.partition(" ")[2] for each in parsers_of(build_parser())} - {""}
    assert sorted(names) == sorted(each for each in ROWS if not each.startswith("--"))


@pytest.mark.parametrize(("command", "person"), [*_cases()])
def test_it_works_or_says_in_one_line_what_it_needs(
    box: Machine, command: str, person: str
) -> None:
    row = ROWS[command]
    status, says = row.for_(person)
    line = f"{PROGRAM} {row.words}"
    if row.is_endless and not status:
        line = f"timeout 60 {line} | grep -m 1 '{says}'"
    done = _as(box, person, "sh", "-c", line, timeout_s=120)
    said = f"{done.stdout}{done.stderr}".rstrip("\n")
    assert "Traceback" not in said
    assert re.search(says, said, re.MULTILINE), said
    assert done.returncode == status, said
    if status:
        last = done.stderr.splitlines()[-1]
        assert last.startswith("tensormask: "), said
    if status == 78 and "run: sudo" in says:
        assert (done.stdout, done.stderr.count("\n")) == ("", 1), said
    if command in ("forget", "run", "models fetch"):
        _wait_until_well(box)


@EACH
def test_what_an_ordinary_user_needs_to_know_of_a_service_that_does_not_run(
    box: Machine, person: str
) -> None:
    box.run("systemctl", "stop", UNIT)
    done = _as(box, person, PROGRAM, "status")
    assert (done.returncode, done.stdout) == (3, "")
    # Without the right to read the settings, what comes before a start stays unknown.
    lacks = "see what it lacks: sudo tensormask check; then " if person == VISITOR else ""
    assert done.stderr == (
        f"tensormask: the service is not running; {lacks}"
        "start it: sudo systemctl start tensormask\n"
    )
    said = _as(box, VISITOR, PROGRAM, "doctor").stdout
    assert re.search(r"^FAULT +service: stopped\n +fix: sudo systemctl start", said, re.MULTILINE)
    assert re.search(r"^unknown +camera: not looked at", said, re.MULTILINE)
    assert re.search(r"^unknown +broker: not looked at", said, re.MULTILINE)
    box.run("systemctl", "start", UNIT)
    _wait_until_well(box)


def test_an_ordinary_user_watches_a_broker_by_its_name(box: Machine) -> None:
    line = f"timeout 60 {PROGRAM} watch --broker localhost | grep -m 1 'box *is online'"
    assert _as(box, VISITOR, "sh", "-c", line, timeout_s=90).returncode == 0


def test_settings_that_are_not_in_use_yet_are_reported(box: Machine) -> None:
    _write(box, GOOD_SETTINGS.replace("/srv/clip.avi", "/dev/video7"))
    said = _as(box, ROOT, PROGRAM, "check")
    assert said.returncode == 1
    assert re.search(r"^camera +FAULT +/dev/video7: no such device", said.stdout, re.MULTILINE)
    assert re.search(r"^service +hint .*systemctl restart tensormask", said.stdout, re.MULTILINE)
    assert (
        "hint     /etc/tensormask/tensormask.toml was" in _as(box, ROOT, PROGRAM, "status").stdout
    )
    said = _as(box, ROOT, PROGRAM, "doctor")
    assert re.search(r"^hint +configuration: .* was changed", said.stdout, re.MULTILINE)
    assert re.search(r"^FAULT +camera: /dev/video7", said.stdout, re.MULTILINE)
    _start(box)


def test_fetched_weights_leave_nothing_that_the_service_may_not_write(box: Machine) -> None:
    box.write(
        "/srv/fetch.py",
        "from edge.detect.weights import _store\nfrom pathlib import Path\n"
        "_store(b'x', Path('/var/lib/tensormask/models/net.onnx'))\n",
    )
    box.run(
        "sh", "-ec", "cd /opt/tensormask/current; PYTHONPATH=. packages/bin/python /srv/fetch.py"
    )
    said = _as(box, ROOT, PROGRAM, "doctor").stdout
    assert "does not belong to" not in said
    box.run("rm", "-r", "/var/lib/tensormask/models")


@EACH
def test_packages_that_are_missing_are_one_line(box: Machine, person: str) -> None:
    program = box.output("readlink", "-f", "/opt/tensormask/current")
    (site,) = box.output("sh", "-c", f"echo {program}/packages/lib/*/site-packages").split()
    for folder in (f"{site}/numpy", f"{program}/packages"):
        box.run("mv", folder, f"{folder}.away")
        try:
            done = _as(box, person, PROGRAM, "check")
        finally:
            box.run("mv", f"{folder}.away", folder)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (72, "", 1), done
        assert done.stderr.endswith("sudo deploy/install.sh\n")


def test_a_user_without_entry_and_home_gets_one_line(box: Machine) -> None:
    box.run("install", "-m", "644", SETTINGS, "/srv/readable.toml")
    bare = "setpriv --reuid 12345 --regid 12345 --clear-groups env -i PATH=/usr/bin:/bin"
    program = "/opt/tensormask/current/tensormask"
    config = ("--config", "/srv/readable.toml")
    for words in (("run",), ("outbox", "list"), ("check", "--here")):
        done = box.run(*bare.split(), program, *words, *config, check=False)
        said = f"{done.stdout}{done.stderr}"
        assert "Traceback" not in said
        assert "user 12345 has no home directory; set HOME or STATE_DIRECTORY" in said, said
        assert done.returncode == 78
    for words in (("doctor",), ("status",), ("models", "list")):
        done = box.run(*bare.split(), program, *words, check=False)
        assert "Traceback" not in f"{done.stdout}{done.stderr}", words
