"""`make fleet-test`: the playbooks against three machines. In order: each goes on from the last."""

# ruff: noqa: T201 - what it measures is what it is run for

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fleet.boxes import ROOT, UNIT, Boxes, recap
from tests.needs import lacking
from tests.systemd.conftest import write_clip
from tests.systemd.machine import Machine, wait_until

OF_DEBIAN = ("python3-venv", "python3-systemd")
# Each installs on three machines, or waits for their trials.
pytestmark = pytest.mark.timeout(1800)

ONE_BY_ONE = '{"tensormask_waves": [1]}'
UNCHANGED = {"changed": 0, "failed": 0, "unreachable": 0}


@pytest.fixture(scope="module")
def boxes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Boxes]:
    ansible = ROOT / ".venv-ansible" / "bin"
    if os.geteuid() != 0:
        lacking("no machine can be booted without root", "sudo make fleet-test")
    for program, package in (
        ("systemd-nspawn", "systemd-container"),
        ("mosquitto", "mosquitto"),
        ("/usr/sbin/sshd", "openssh-server"),
    ):
        if shutil.which(program) is None:
            lacking(f"no {program}", f"sudo apt-get install {package}")
    if not (ansible / "ansible-playbook").exists():
        lacking("no Ansible", "make controller")
    folder = tmp_path_factory.mktemp("fleet")
    clip = folder / "clip.avi"
    write_clip(clip)
    with Boxes(folder, clip, ansible, Path(sys.executable)) as boxes:
        yield boxes


def _play(boxes: Boxes, book: str, *options: str) -> str:
    """Run a playbook that must succeed; return what it said."""
    begun = time.monotonic()
    status, said = boxes.play(book, *options)
    print(f"\n{book} {' '.join(options)}: {time.monotonic() - begun:.0f} s")
    print("\n".join(f"  {name}: {figures}" for name, figures in recap(said).items()))
    assert status == 0, said[-6000:]
    return said


def _main_pid(boxes: Boxes, name: str) -> str:
    return boxes.machines[name].output("systemctl", "show", "--value", "-p", "MainPID", UNIT)


def test_fresh_boxes_without_internet_are_installed_and_say_that_they_are_well(
    boxes: Boxes,
) -> None:
    for machine in boxes.machines.values():
        assert machine.run("ip", "route", "get", "192.0.2.1", check=False).returncode != 0
    # What would be done can be looked at first, with nothing there yet.
    foreseen = recap(_play(boxes, "site.yml", "--check", "--diff"))
    _play(boxes, "site.yml")
    assert all(foreseen[name]["changed"] > 0 for name in boxes.names)
    for name, machine in boxes.machines.items():
        assert machine.output("systemctl", "is-active", UNIT) == "active"
        assert f'id = "{name}"' in machine.output("cat", "/etc/tensormask/tensormask.toml")


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a Debian with next to nothing: no venv, no apt for Python, no lists of apt."""
    if shutil.which("mmdebstrap") is None:
        lacking("no mmdebstrap", "sudo apt-get install mmdebstrap")
    root = ROOT / "build" / "fleet" / "bookworm"
    if not root.exists():
        fresh = tmp_path_factory.mktemp("debian") / "root"
        packages = "systemd,systemd-sysv,dbus,openssh-server,python3"
        command = ("mmdebstrap", "--quiet", "--variant=minbase", f"--include={packages}")
        subprocess.run([*command, "bookworm", fresh], check=True)
        root.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(fresh, root)
    return root


def test_what_a_fresh_debian_would_get_can_be_looked_at_first(boxes: Boxes, debian: Path) -> None:
    dropins = '{ nice: "[Service]\\nNice=5\\n" }'
    options = {"tensormask_os_packages": "true", "tensormask_dropins": dropins}
    with boxes.another("fresh", debian, **options) as machine:
        before = _files(machine)
        said = _play(boxes, "site.yml", "--check", "--diff", "--limit", "fresh")
        for would in (
            "would install python3-venv, python3-systemd",
            "would make ",
            "would write /etc/tensormask/ca.crt",
            "would write /etc/tensormask/tensormask.toml:",
            'id = "fresh"',
            "would write /etc/systemd/system/tensormask.service.d/nice.conf:",
            "would switch to ",
        ):
            assert would in said, would
        assert recap(said)["fresh"]["changed"] > 0
        assert _files(machine) == before
        # What is foreseen then comes true. Its apt is given the network that a box has.
        for words in (("update",), ("install", "-y", "--no-install-recommends", *OF_DEBIAN)):
            machine.install("apt-get", "-q", *words)
        _play(boxes, "site.yml", "--limit", "fresh")
        assert machine.output("systemctl", "is-active", UNIT) == "active"
        machine.run("mv", "/usr/bin/python3", "/usr/bin/python3.away")
        said = _play(boxes, "site.yml", "--check", "--diff", "--limit", "fresh")
        assert "would install python3, then TensorMask" in said


def _files(machine: Machine) -> str:
    return machine.output(
        "find", "/etc", "/opt", "/usr/local", "/var/lib", "-newer", "/run/systemd"
    )


def test_a_second_run_changes_nothing(boxes: Boxes) -> None:
    rows = recap(_play(boxes, "site.yml"))
    for name in boxes.names:
        assert {key: rows[name][key] for key in UNCHANGED} == UNCHANGED, name


def test_a_change_reaches_only_the_box_that_it_is_of(boxes: Boxes) -> None:
    before = {name: _main_pid(boxes, name) for name in boxes.names}
    page = "{ enabled: true, address: 0.0.0.0, password_file: /etc/tensormask/page-password }"
    boxes.say(
        "box-2",
        tensormask_zone="cellar",
        tensormask_box_settings=f"{{ page: {page} }}",
        tensormask_page_password="correct horse battery",
    )
    foreseen = recap(_play(boxes, "site.yml", "--check", "--diff"))
    rows = recap(_play(boxes, "site.yml"))
    assert [rows[name]["changed"] for name in boxes.names] == [0, 3, 0]
    assert foreseen["box-2"]["changed"] >= 2
    after = {name: _main_pid(boxes, name) for name in boxes.names}
    assert [name for name in boxes.names if before[name] != after[name]] == ["box-2"]
    # The page needs nothing else.
    asking = ("curl", "--silent", "--fail", "--max-time", "5", "http://127.0.0.1:8080/health")
    machine = boxes.machines["box-2"]
    wait_until(lambda: machine.run(*asking, check=False).returncode == 0, 60, "the page answers")


def test_a_certificate_is_renewed_before_its_end(boxes: Boxes) -> None:
    (boxes.authority / "clients" / "box-3.crt").unlink()
    boxes.certify("client", "box-3", days=20)
    soon = recap(_play(boxes, "site.yml"))
    assert [soon[name]["changed"] for name in boxes.names] == [0, 0, 3]
    assert [recap(_play(boxes, "site.yml"))[name]["changed"] for name in boxes.names] == [0, 0, 0]


def test_settings_that_the_release_refuses_reach_no_box(boxes: Boxes) -> None:
    boxes.say("box-1", tensormask_box_settings="{ camera: { suorce: x } }")
    status, said = boxes.play("site.yml")
    boxes.say("box-1", tensormask_box_settings="{}")
    assert status != 0
    assert "did you mean source?" in said
    assert boxes.machines["box-1"].output("systemctl", "is-active", UNIT) == "active"


@pytest.fixture(scope="module")
def model(boxes: Boxes) -> Path:
    own = ROOT / "edge" / "classify" / "bundle"
    archive = boxes.project.with_name("model.zip")
    with zipfile.ZipFile(archive, "w") as file:
        for name in ("model.tflite", "model.json"):
            file.write(own / name, name)
    return archive


def test_a_damaged_model_is_refused_by_the_box(boxes: Boxes, model: Path) -> None:
    damaged = model.with_name("damaged.zip")
    with zipfile.ZipFile(model) as file, zipfile.ZipFile(damaged, "w") as other:
        other.writestr("model.tflite", file.read("model.tflite")[:-1])
        other.writestr("model.json", file.read("model.json"))
    status, said = boxes.play("model.yml", "-e", f"tensormask_model={damaged}", "-e", ONE_BY_ONE)
    assert status != 0
    assert "not well: box-1" in said
    assert boxes.models() == ["", "", ""]


def test_a_bad_model_is_undone_by_the_box_and_stops_the_rest(boxes: Boxes, model: Path) -> None:
    boxes.impair("box-2", "test ! -e /opt/tensormask/bundle")
    status, said = boxes.play("model.yml", "-e", f"tensormask_model={model}", "-e", ONE_BY_ONE)
    assert status != 0
    assert "not well: box-2" in said
    first, *others = boxes.models()
    assert first
    assert others == ["", ""]
    assert [boxes.runs(name) for name in boxes.names] == [True] * 3
    boxes.repair("box-2")
    boxes.machines["box-2"].run("tensormask", "models", "activate", first, "--again")
    boxes.machines["box-2"].run("tensormask", "release", "wait")
    rows = recap(_play(boxes, "model.yml", "-e", f"tensormask_model={model}", "-e", ONE_BY_ONE))
    assert [rows[name]["changed"] for name in boxes.names] == [0, 0, 1]
    assert boxes.models() == [first] * 3


@pytest.mark.parametrize(("commit", "does"), [("0000002", "exit 1"), ("0000003", "sleep infinity")])
def test_an_update_stops_at_a_bad_box_and_undoes_its_wave(
    boxes: Boxes, commit: str, does: str
) -> None:
    before = boxes.current("box-3")
    # On this box whatever is not the present release ends at once, or hangs.
    boxes.impair("box-2", f"readlink /opt/tensormask/current | grep -q {before} || {does}")
    boxes.new_release(commit)
    status, said = boxes.play("update.yml", "-e", ONE_BY_ONE)
    assert status != 0
    assert "not well: box-2" in said
    assert boxes.current("box-1") != before
    assert boxes.current("box-2") == before
    assert boxes.current("box-3") == before
    for name in boxes.names:
        wait_until(lambda name=name: boxes.runs(name), 60, "it runs")  # type: ignore[misc]


def test_a_wave_goes_back_as_a_whole(boxes: Boxes) -> None:
    before = {name: boxes.current(name) for name in boxes.names}
    boxes.new_release("0000004")
    status, said = boxes.play("update.yml", "-e", '{"tensormask_waves": ["100%"]}')
    assert status != 0
    assert "not well: box-2" in said
    assert {name: boxes.current(name) for name in boxes.names} == before


def test_a_box_that_is_away_stops_nobody_and_is_caught_up(boxes: Boxes) -> None:
    boxes.repair("box-2")
    boxes.new_release("0000005")
    before = boxes.current("box-3")
    boxes.cut_off("box-3")
    said = _play(boxes, "update.yml", "-e", '{"tensormask_waves": [1, "100%"]}')
    assert "not reached, run this again later: box-3" in said
    assert boxes.current("box-1") == boxes.current("box-2") != before
    boxes.reconnect("box-3")
    assert boxes.current("box-3") == before
    _play(boxes, "update.yml", "-e", '{"tensormask_waves": [1, "100%"]}')
    assert boxes.current("box-3") == boxes.current("box-1")


def test_a_power_cut_in_the_middle_is_caught_up(boxes: Boxes) -> None:
    boxes.new_release("0000006")
    before = boxes.current("box-1")
    machine = boxes.machines["box-1"]

    waves = '{"tensormask_waves": ["100%"]}'
    # The play in the thread: a machine ends with the thread that has booted it.
    with ThreadPoolExecutor(1) as pool:
        playing = pool.submit(boxes.play, "update.yml", "-e", waves)
        wait_until(lambda: boxes.current("box-1") != before or playing.done(), 300, "the switch")
        machine.cut_power()
        machine.boot()
        status, said = playing.result()
    print(f"\nupdate.yml with a power cut: exit status {status}", recap(said))
    wait_until(
        lambda: '"trial": null' in machine.output("tensormask", "release", "--json"),
        120,
        "its trial is over",
    )
    _play(boxes, "update.yml", "-e", waves)
    assert len({boxes.current(name) for name in boxes.names}) == 1
    assert boxes.current("box-1") != before


@pytest.mark.parametrize(("commit", "may_vanish"), [("0000007", 0), ("0000008", 1)])
def test_a_box_that_vanishes_after_the_switch_counts_against_its_wave(
    boxes: Boxes, commit: str, may_vanish: int
) -> None:
    boxes.new_release(commit)
    before = {name: boxes.current(name) for name in boxes.names}
    words = ("-e", f"tensormask_may_vanish={may_vanish} tensormask_back_within_s=15")
    waves = ("-e", '{"tensormask_waves": [2, 1]}')
    with ThreadPoolExecutor(1) as pool:
        playing = pool.submit(boxes.play, "update.yml", *waves, *words)
        wait_until(
            lambda: boxes.current("box-2") != before["box-2"] or playing.done(), 600, "the switch"
        )
        boxes.cut_off("box-2")
        status, said = playing.result()
    boxes.reconnect("box-2")
    assert "no answer from box-2" in said
    assert boxes.current("box-2") != before["box-2"]
    if may_vanish:
        assert status == 0
        assert "not reached, run this again later: box-2" in said
        assert boxes.current("box-1") == boxes.current("box-3") == boxes.current("box-2")
    else:
        assert status != 0
        assert "vanished after the switch: box-2" in said
        assert boxes.current("box-1") == before["box-1"]
        assert boxes.current("box-3") == before["box-3"]


def test_an_update_says_which_wave_and_how_long(boxes: Boxes) -> None:
    boxes.new_release("0000009")
    # Ansible breaks lines where it likes.
    said = " ".join(_play(boxes, "update.yml").split())
    assert "3 of 3 boxes answer, in 3 waves of 1, 1, 1" in said
    assert "each wave takes 0.2 min for its trial" in said
    assert "a wave of 1, to box 2 of 3: box-2" in said
    assert "on trial: 1, for 1 min more" in said
    assert "through their trial: 1 of 1" in said


def test_the_collection_alone_updates_the_boxes(boxes: Boxes) -> None:
    boxes.new_release("000000a")
    before = boxes.current("box-1")
    boxes.install_collection()
    status, said = boxes.play_collection("update", "-e", '{"tensormask_waves": ["100%"]}')
    assert status == 0, said[-6000:]
    assert len({boxes.current(name) for name in boxes.names}) == 1
    assert boxes.current("box-1") != before
    status, said = boxes.play_collection("status")
    assert status == 0, said[-6000:]
    assert boxes.current("box-1") in said


def test_all_can_be_seen_rolled_back_and_taken_off(boxes: Boxes) -> None:
    listed = boxes.project.with_name("fleet.json")
    said = _play(boxes, "status.yml", "-e", f"tensormask_json={listed}")
    told = json.loads(listed.read_text())
    assert [(box["box"], box["state"]) for box in told] == [(name, "well") for name in boxes.names]
    for name in boxes.names:
        assert boxes.current(name) in said
        assert f"{name} " in said
    before = boxes.current("box-1")
    _play(boxes, "rollback.yml")
    assert boxes.current("box-1") != before
    _play(boxes, "uninstall.yml", "-e", "tensormask_purge=true")
    for machine in boxes.machines.values():
        assert machine.run("test", "-e", "/opt/tensormask", check=False).returncode == 1
