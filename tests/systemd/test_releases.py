"""A release on trial under a real systemd: kept, undone, and through power cuts.

Half an hour: `make systemd-test` runs all of them, `make test` one that is undone and one that is
refused. One that is kept and left is in tests/installed/newcomer.py, too.
"""

from __future__ import annotations

import json
import random
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest

from edge.people import PEOPLE, frames
from tests.systemd.conftest import FPS, installed
from tests.systemd.machine import Machine, wait_until
from tests.systemd.test_upgrade import GOOD_SETTINGS, SETTINGS
from tests.waiting import DEADLINE_S

# Installations, starts and trials take minutes on a busy machine.
pytestmark = pytest.mark.timeout(1200)

UNIT = "tensormask.service"
TRIAL_UNIT = "tensormask-trial.service"
LOCK = "/var/lib/tensormask-releases/lock"
RELEASES = "/opt/tensormask/releases"
SHORT_TRIAL = """
[release]
trial_s = 10
keep = 20
"""
PAGE = """
[page]
enabled = true
"""
LONG_TRIAL = SHORT_TRIAL.replace("10", "300")
ASKED = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/health')"
"""Does the page answer?"""
PROOF_S = 300
"""The known clip takes seconds, but not on a machine that does ten other things."""
TRIAL_S = 900
PATIENCE = """
[Service]
TimeoutStartSec=8s
WatchdogSec=6s
RestartSec=3s
"""
"""Between two attempts it must stand longer than the trial takes from look to look, as it does in
the unit that is installed."""
OTHERWISE = 'case $1 in run) ;; *) exec /opt/tensormask/watcher/tensormask "$@" ;; esac\n'
READY_AND_THEN_NOTHING = (
    "import os, socket, time; "
    "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)"
    '.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"]); '
    "time.sleep(999)"
)
PROGRAMS = {
    "refuses": "exit 78",
    "lacks": "exit 72",
    "crashes": "exit 70",
    "hangs": "exec sleep infinity",
    "freezes": f"exec /usr/bin/python3 -c '{READY_AND_THEN_NOTHING}'",
}
"""In place of its program: what that does when it is the service."""
LATER = """
import os, random, sys, threading, time
def later(after_s, does):
    def soon():
        time.sleep(after_s)
        does()
    if sys.argv[1:2] == ["run"]:
        threading.Thread(target=soon, daemon=True).start()
"""
CHANGES = {
    "leaks": """
held = []
def leak():
    while True:
        held.append(b"x" * 3_000_000)
        time.sleep(1)
later(2, leak)
""",
    "sends-nothing": """
from edge.publish.delivery import Delivery
Delivery.send = lambda self, room, is_idle, post: 1.0
""",
    "masks-everybody": """
from edge.classify.classifier import MaskClassifier
from edge.records import MaskReading, MaskState
MaskClassifier.classify = lambda self, frame, faces: tuple(
    MaskReading(face, {MaskState.MASKED: 1.0, MaskState.BARE: 0.0}) for face in faces
)
""",
    "finds-nobody": """
from edge.detect.yunet import YuNet
YuNet.find = lambda self, pixels: ()
""",
    "is-slow": """
from edge.track import Tracker
update = Tracker.update
def slowly(self, *given, **named):
    time.sleep(0.7)
    return update(self, *given, **named)
if sys.argv[1:2] == ["run"]:
    Tracker.update = slowly
""",
    "loses-the-camera": "later(6, lambda: os._exit(69))",
    "writes-a-wrong-byte": """
from edge.host.status_file import StatusFile
write = StatusFile.write
def wrong(self, telemetry):
    write(self, telemetry)
    self._path.write_bytes(self._path.read_bytes().replace(b'"running"', b'"run\\xffing"'))
StatusFile.write = wrong
""",
    "writes-a-pipe": """
from edge.host.status_file import StatusFile
def write(self, telemetry):
    self._path.exists() or os.mkfifo(self._path)
StatusFile.write = write
""",
    "crashes-at-random": "later(random.uniform(1, 12), lambda: os.abort())",
}
"""What is different in the program of a bad release, but for its name."""
BAD = {
    "refuses": "it refuses the configuration (exit status 78)",
    "lacks": "a package is missing (exit status 72)",
    "crashes": "it crashed 3 times (exit-code, 70)",
    "hangs": "it hung 2 times (timeout)",
    "freezes": "it hung 2 times (watchdog)",
    "leaks": "its memory grows by",
    "sends-nothing": "a message has waited for",
    "is-slow": "one frame in twenty takes",
    "loses-the-camera": "it ended 3 times because of the camera, which ran before (exit-code, 69)",
    "writes-a-wrong-byte": "it runs, but its status file is missing, stale or cannot be read",
    "writes-a-pipe": "it runs, but its status file is missing, stale or cannot be read",
    "crashes-at-random": "it crashed 3 times (signal, 6)",
    "ends-its-page": "its page does not answer, unlike before",
}
"""How the reason begins for which each is undone."""
BLIND = {
    "masks-everybody": "of 3 drawn people, 2 masked and 1 without a mask, it judged 3 as masked",
    "finds-nobody": "of 3 drawn people it found nobody",
}
"""How the reason begins for which each is refused before it is used."""
GOOD_CHANGES = {
    "good": "",
    "better": "",
    "takes-a-step": "held = []; later(5, lambda: held.append(b'x' * 60_000_000))",
    "starts-slowly": "time.sleep(5 if sys.argv[1:2] == ['run'] else 0)",
}


def _each(names: Iterable[str], one: str) -> list[pytest.ParameterSet]:
    """Return the parameters of a test that is a thorough one for all names but `one`."""
    return [pytest.param(name, marks=() if name == one else pytest.mark.thorough) for name in names]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with installed(tmp_path_factory) as machine:
        clip = tmp_path_factory.mktemp("clip") / "people.avi"
        write_people(clip)
        machine.copy(clip, "/srv/people.avi")
        _set(machine, SHORT_TRIAL)
        # In place of what all of these tests have.
        machine.write("/etc/systemd/system/tensormask.service.d/patience.conf", PATIENCE)
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "restart", UNIT)
        for name, does in PROGRAMS.items():
            _release(machine, name, f"#!/bin/sh\n{OTHERWISE}{does}\n")
        launcher = machine.output("cat", "/opt/tensormask/current/tensormask")
        for name, change in (CHANGES | GOOD_CHANGES).items():
            _release(machine, name, launcher.replace("\ntry:\n", "\nimport changed\n\ntry:\n"))
            machine.write(f"{RELEASES}/{name}/changed.py", LATER + change)
        _release(machine, "ends-its-page", launcher)
        page = f"{RELEASES}/ends-its-page/edge/page/__main__.py"
        machine.run("rm", page)
        machine.write(page, "raise SystemExit(1)\n")
        yield machine


def write_people(path: Path) -> None:
    """A bare person for four seconds, and an empty hall for four: a visit, over and over."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (640, 360))
    for people in (PEOPLE[-1:], ()):
        for picture in frames(4 * FPS, FPS, people):
            writer.write(cv2.resize(picture, (640, 360), interpolation=cv2.INTER_AREA))
    writer.release()


def _release(machine: Machine, name: str, program: str) -> None:
    copied, folder = _current(machine), f"{RELEASES}/{name}"
    machine.run("cp", "-al", copied, folder)
    machine.run("rm", f"{folder}/tensormask")
    # It starts with its own Python: that of the copied one may be removed by then.
    machine.write(f"{folder}/tensormask", program.replace(copied, folder) + "\n")
    machine.run("chmod", "755", f"{folder}/tensormask")


def _set(machine: Machine, trial: str) -> None:
    machine.write(SETTINGS, GOOD_SETTINGS.replace("clip.avi", "people.avi") + PAGE + trial)


def _say(line: str) -> None:
    """Shown with pytest -s: what came of each."""
    sys.stdout.write(f"\n{line}\n")


def _current(machine: Machine) -> str:
    return machine.output("readlink", "-f", "/opt/tensormask/current")


def _state(machine: Machine) -> dict[str, Any]:
    state: dict[str, Any] = json.loads(machine.output("tensormask", "release", "--json"))
    return state


def _over(machine: Machine) -> dict[str, Any]:
    """Wait for the end of the trial; return what became of it."""
    # After a bad one the former is looked at, for three minutes at most.
    wait_until(lambda: _state(machine)["trial"] is None, TRIAL_S, "the trial is over")
    last: dict[str, Any] = _state(machine)["entries"][-1]
    return last


def _invocation(machine: Machine) -> str:
    return machine.output("systemctl", "show", "--property=InvocationID", UNIT)


def _wait_until_it_is_known(machine: Machine) -> None:
    """Return when service and page run with the present settings, and have for ten seconds."""
    machine.run("systemctl", "restart", UNIT)
    _wait_until_it_runs(machine)
    path = "/run/tensormask/telemetry.json"

    def knows() -> bool:
        said = json.loads(machine.run("cat", path, check=False).stdout or "{}")
        asked = machine.run("python3", "-c", ASKED, check=False)
        is_known = said.get("uptime_s", 0) > 10 and said["broker"]["connected"]
        return bool(is_known and asked.returncode == 0)

    wait_until(knows, 60, "the service has judged for ten seconds")


def _wait_until_it_runs(machine: Machine) -> None:
    wait_until(
        lambda: machine.run("systemctl", "is-active", UNIT, check=False).stdout == "active\n",
        DEADLINE_S,
        "the service runs",
    )


@pytest.mark.parametrize("name", _each(BAD, "hangs"))
def test_a_bad_release_is_undone_by_the_device(machine: Machine, name: str) -> None:
    before = _current(machine)
    _set(machine, LONG_TRIAL)
    _wait_until_it_is_known(machine)
    machine.run("tensormask", "release", "activate", name, timeout_s=PROOF_S)
    assert _current(machine) == f"{RELEASES}/{name}"
    last = _over(machine)
    _say(f"{name}: {last['outcome']}: {last['reason']}")
    assert (last["name"], last["outcome"]) == (name, "refused")
    assert last["reason"].startswith(BAD[name])
    assert _current(machine) == before
    assert machine.output("systemctl", "is-active", UNIT) == "active"
    again = machine.run("tensormask", "release", "activate", name, check=False)
    assert again.returncode == 78
    assert "--again" in again.stderr


@pytest.mark.parametrize("name", _each(BLIND, "finds-nobody"))
def test_a_release_that_does_not_judge_rightly_is_refused_before_it_is_used(
    machine: Machine, name: str
) -> None:
    before, runs = _current(machine), _invocation(machine)
    refused = machine.run("tensormask", "release", "activate", name, check=False, timeout_s=PROOF_S)
    _say(refused.stderr)
    assert refused.returncode == 78
    assert f"{name} failed its test, and nothing was switched: {BLIND[name]}" in refused.stderr
    assert (_current(machine), _invocation(machine)) == (before, runs)
    last = _state(machine)["entries"][-1]
    assert (last["name"], last["outcome"]) == (name, "refused")


@pytest.mark.thorough
def test_a_good_release_is_kept_and_can_be_left(machine: Machine) -> None:
    before = _current(machine).rpartition("/")[2]
    _set(machine, SHORT_TRIAL)
    _wait_until_it_is_known(machine)
    answer = machine.run("tensormask", "release", "activate", "good", timeout_s=PROOF_S)
    assert answer.stdout == "good is in use; on trial for 10 s\n"
    waited = machine.run("tensormask", "release", "wait", timeout_s=120)
    assert waited.stdout.startswith("release good: kept, ")
    assert "release good on trial: well for 0 s of 10 s" in waited.stderr
    assert machine.output("tensormask", "release", "rollback") == f"{before} is in use"
    _wait_until_it_runs(machine)


def _commanded(machine: Machine) -> None:
    for _ in range(4):
        time.sleep(4)
        machine.run("systemctl", "restart", UNIT)


def _without_broker(machine: Machine) -> None:
    machine.run("systemctl", "stop", "mosquitto.service")
    time.sleep(100)
    machine.run("systemctl", "start", "mosquitto.service")


def _edited(machine: Machine) -> None:
    _set(machine, "[detector]\nlongest_side_px = 320\n" + SHORT_TRIAL)
    machine.run("systemctl", "restart", UNIT)


def _with_a_typo(machine: Machine) -> None:
    # It takes the length of the trial from the settings, as long as they can be read.
    log = ("journalctl", "--unit", TRIAL_UNIT, "--output=cat", "--since=-30s")
    wait_until(
        lambda: "is on trial for 10 s" in machine.output(*log), DEADLINE_S, "it is looked after"
    )
    _set(machine, "[detector]\nlongest_site_px = 320\n" + SHORT_TRIAL)
    machine.run("systemctl", "restart", UNIT, check=False)
    text = "the settings are wrong for the former release too"
    wait_until(lambda: text in machine.output("tensormask", "release"), 60, text)
    _set(machine, SHORT_TRIAL)
    time.sleep(5)
    machine.run("systemctl", "restart", UNIT)


CREDENTIAL = "/etc/systemd/system/tensormask.service.d/credential.conf"
WRONG = {
    "a detector": '[detector]\nname = "yunett"\n',
    "weights": '[detector]\nmodel = "/nowhere/own.onnx"\n',
    "a bundle": '[classifier]\nbundle = "/nowhere/bundle"\n',
    "a password that root alone reads": '[mqtt]\nusername = "door"\n'
    'password_file = "/etc/tensormask/of-root"\n',
    "a credential": '[mqtt]\nusername = "door"\npassword_file = "credential:none"\n',
    "an authority": '[mqtt]\ntls = true\nca_file = "/etc/hostname"\n',
    "a clip": '[camera]\nsource = "/srv/nowhere.avi"\n',
    "a folder": '[outbox]\npath = "/etc/hostname/outbox.sqlite"\n',
}
"""What the service refuses of what the settings name. None of it is the release's fault."""


def _with_what_is_not_there(machine: Machine) -> None:
    log = ("journalctl", "--unit", TRIAL_UNIT, "--output=cat", "--since=-30s")
    wait_until(
        lambda: "is on trial for 10 s" in machine.output(*log), DEADLINE_S, "it is looked after"
    )
    machine.write("/etc/tensormask/of-root", "secret\n")
    machine.run("chmod", "600", "/etc/tensormask/of-root")
    good = GOOD_SETTINGS.replace("clip.avi", "people.avi") + PAGE + SHORT_TRIAL
    for what, lines in WRONG.items():
        section, _, keys = lines.partition("\n")
        keys = good.replace(section, lines) if section in good else good + lines
        if what == "a clip":
            keys = good.replace("/srv/people.avi", "/srv/nowhere.avi")
        _is_borne_with(machine, what, keys)
    machine.write(CREDENTIAL, "[Service]\nLoadCredential=none:/nowhere/password\n")
    machine.run("systemctl", "daemon-reload")
    _is_borne_with(machine, "a credential's file", good)
    machine.run("rm", CREDENTIAL)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", UNIT)


def _is_borne_with(machine: Machine, what: str, settings: str) -> None:
    machine.write(SETTINGS, settings)
    machine.run("systemctl", "restart", UNIT, check=False)
    states = ("failed\n", "activating\n")
    ended = ("systemctl", "is-active", UNIT)
    wait_until(lambda: machine.run(*ended, check=False).stdout in states, DEADLINE_S, what)
    # A look is taken every two seconds, and three crashes would be too many.
    time.sleep(25 if what.startswith(("a folder", "a credential's")) else 8)
    trial = _state(machine)["trial"]
    _say(f"{what}: {trial and trial['stage']}")
    assert trial is not None
    assert trial["stage"] == "running"


def _stopped(machine: Machine) -> None:
    machine.run("systemctl", "stop", UNIT)
    time.sleep(20)
    machine.run("systemctl", "start", UNIT)


def _busy(machine: Machine) -> None:
    loops = "for n in 1 2 3 4; do timeout 60 sh -c 'while :; do :; done' & done; wait"
    machine.run("sh", "-c", loops, timeout_s=120)


def _nothing(machine: Machine) -> None:
    pass


HAPPENS: dict[str, tuple[str, Callable[[Machine], None]]] = {
    "its memory takes a step": ("takes-a-step", _nothing),
    "it starts slowly": ("starts-slowly", _nothing),
    "it is restarted on command": ("good", _commanded),
    "the broker is away": ("better", _without_broker),
    "the settings are edited": ("good", _edited),
    "the settings are broken for a while": ("better", _with_a_typo),
    "the settings name what is not there": ("good", _with_what_is_not_there),
    "somebody stops it for a while": ("good", _stopped),
    "the machine is busy with something else": ("better", _busy),
}


@pytest.mark.thorough
@pytest.mark.parametrize("what", HAPPENS)
def test_what_a_release_cannot_help_does_not_undo_it(machine: Machine, what: str) -> None:
    name, happens = HAPPENS[what]
    _set(machine, SHORT_TRIAL)
    _wait_until_it_is_known(machine)
    if _current(machine) == f"{RELEASES}/{name}":
        machine.run("tensormask", "release", "rollback")
        _wait_until_it_is_known(machine)
    machine.run("tensormask", "release", "activate", name, timeout_s=PROOF_S)
    happens(machine)
    last = _over(machine)
    _say(f"{what}: {last['outcome']}: {last['reason']}")
    assert (last["name"], last["outcome"]) == (name, "kept")
    assert _current(machine) == f"{RELEASES}/{name}"
    _wait_until_it_runs(machine)


@pytest.mark.thorough
def test_a_release_without_a_page_leaves_its_port_free(machine: Machine) -> None:
    _set(machine, LONG_TRIAL)
    _wait_until_it_is_known(machine)
    _release(machine, "pageless", machine.output("cat", f"{_current(machine)}/tensormask"))
    units = f"{RELEASES}/pageless/systemd"
    service = machine.output("cat", f"{units}/{UNIT}")
    beside = [f"{units}/tensormask-{each}.service" for each in ("page", "signal")]
    machine.run("rm", f"{units}/{UNIT}", *beside)
    machine.write(f"{units}/{UNIT}", re.sub(r"\nExecStartPre=.*edge\.daemon.*", "", service) + "\n")
    machine.run("tensormask", "release", "activate", "pageless", "--again")
    _wait_until_it_runs(machine)
    socket = ("systemctl", "is-active", "tensormask-page.socket")
    assert machine.run(*socket, check=False).stdout == "inactive\n"
    assert ":8080" not in machine.output("ss", "-ltn")
    machine.run("tensormask", "release", "rollback")
    _wait_until_it_is_known(machine)


@pytest.mark.thorough
def test_while_one_activation_is_under_way_nothing_else_is_switched(machine: Machine) -> None:
    _set(machine, SHORT_TRIAL)
    _wait_until_it_is_known(machine)
    name = "good" if _current(machine) != f"{RELEASES}/good" else "better"
    machine.run("systemd-run", "--collect", "tensormask", "release", "activate", name)

    def is_held() -> bool:
        return machine.run("flock", "--nonblock", LOCK, "true", check=False).returncode == 1

    wait_until(is_held, 60, "it is under way")
    wait_until(lambda: _current(machine) == f"{RELEASES}/{name}", PROOF_S, "it is in use")
    assert _over(machine)["name"] == name
    # As long as this takes, and not as long as an activation does on this machine.
    machine.run("systemd-run", "--unit=other", "--collect", "flock", LOCK, "sleep", "infinity")
    wait_until(is_held, 60, "another one is under way")
    for command in (("activate", "refuses", "--again"), ("rollback",)):
        refused = machine.run("tensormask", "release", *command, check=False)
        assert refused.returncode == 78
        assert "another activation or rollback is in progress" in refused.stderr
    machine.run("systemctl", "stop", "other.service")
    assert _current(machine) == f"{RELEASES}/{name}"
    _wait_until_it_runs(machine)


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["better", "refuses"])
def test_power_cuts_at_random_change_nothing_of_the_end(machine: Machine, name: str) -> None:
    before = _current(machine)
    moments = random.Random(7)
    _set(machine, SHORT_TRIAL)
    _wait_until_it_is_known(machine)
    machine.run("tensormask", "release", "activate", name, "--again")
    for _ in range(3):
        time.sleep(moments.uniform(0, 6))
        machine.cut_power()
        machine.boot()
        machine.run("systemctl", "start", "mosquitto.service")
    last = _over(machine)
    kept = name == "better"
    assert (last["name"], last["outcome"]) == (name, "kept" if kept else "refused")
    assert _current(machine) == (f"{RELEASES}/{name}" if kept else before)
    _wait_until_it_runs(machine)


@pytest.mark.thorough
def test_a_model_that_does_not_run_is_undone_too(machine: Machine) -> None:
    own = "/opt/tensormask/current/edge/classify/bundle"
    packing = ("python3", "-m", "zipfile", "-c", "/srv/model.zip")
    machine.run(*packing, f"{own}/model.tflite", f"{own}/model.json")
    sha256 = machine.output("sha256sum", "/srv/model.zip").split()[0]
    said = machine.output("tensormask", "models", "install", "/srv/model.zip", "--sha256", sha256)
    name = said.rpartition(" ")[2]
    machine.run("sh", "-ec", f"echo >>/opt/tensormask/bundles/{name}/model.tflite")
    machine.run("tensormask", "models", "activate", name, "--again")
    last = _over(machine)
    assert (last["slot"], last["name"], last["outcome"]) == ("bundle", name, "refused")
    assert last["reason"] == "its model is damaged or cannot be used (exit status 65)"
    assert _state(machine)["current"]["bundle"] == ""
    _wait_until_it_runs(machine)


@pytest.mark.thorough
def test_a_box_starts_the_release_in_use_when_the_first_one_is_gone(machine: Machine) -> None:
    first = _current(machine)
    # An administrator may do so at any time; systemctl follows links when it enables.
    machine.run("systemctl", "disable", UNIT)
    machine.run("systemctl", "enable", UNIT)
    for name in ("second", "third"):
        release = f"{RELEASES}/{name}"
        machine.run("cp", "-al", first, release)
        # It starts with its own Python: that of the copied one may be removed by then.
        _, _, program = machine.output("cat", f"{first}/tensormask").partition("\n")
        machine.run("rm", f"{release}/tensormask")
        machine.write(f"{release}/tensormask", f"#!{release}/packages/bin/python\n{program}\n")
        machine.run("chmod", "755", f"{release}/tensormask")
        unit = machine.output("cat", f"{release}/systemd/{UNIT}")
        machine.run("rm", f"{release}/systemd/{UNIT}")
        marked = unit.replace("[Service]\n", f"[Service]\nEnvironment=IS={name}\n")
        machine.write(f"{release}/systemd/{UNIT}", marked)
        machine.run("tensormask", "release", "activate", name)
        machine.run("tensormask", "release", "wait", name, timeout_s=120)
    machine.run("rm", "-rf", first)
    machine.cut_power()
    machine.boot()
    _wait_until_it_runs(machine)
    assert "IS=third" in machine.output("systemctl", "show", "--property=Environment", UNIT)
    # With nothing on trial, nothing of it runs at a start of the machine.
    assert machine.output("systemctl", "show", "--property=Result", TRIAL_UNIT) == (
        "Result=exec-condition"
    )
    assert machine.output("systemctl", "is-enabled", UNIT) == "enabled"
