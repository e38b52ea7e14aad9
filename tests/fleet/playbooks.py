"""`make fleet-test`: the playbooks against three machines. In order: each goes on from the last."""

# ruff: noqa: T201 - what it measures is what it is run for

from __future__ import annotations

import os
import shutil
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
from tests.systemd.machine import wait_until

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


def test_a_second_run_changes_nothing(boxes: Boxes) -> None:
    rows = recap(_play(boxes, "site.yml"))
    for name in boxes.names:
        assert {key: rows[name][key] for key in UNCHANGED} == UNCHANGED, name


def test_a_change_reaches_only_the_box_that_it_is_of(boxes: Boxes) -> None:
    before = {name: _main_pid(boxes, name) for name in boxes.names}
    boxes.say("box-2", tensormask_zone="cellar")
    foreseen = recap(_play(boxes, "site.yml", "--check", "--diff"))
    rows = recap(_play(boxes, "site.yml"))
    assert [rows[name]["changed"] for name in boxes.names] == [0, 2, 0]
    assert foreseen["box-2"]["changed"] >= 1
    after = {name: _main_pid(boxes, name) for name in boxes.names}
    assert [name for name in boxes.names if before[name] != after[name]] == ["box-2"]


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
    boxes.mend("box-2")
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
    boxes.mend("box-2")
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


def test_all_can_be_seen_rolled_back_and_taken_off(boxes: Boxes) -> None:
    said = _play(boxes, "status.yml")
    for name in boxes.names:
        assert boxes.current(name) in said
        assert f"{name} " in said
    before = boxes.current("box-1")
    _play(boxes, "rollback.yml")
    assert boxes.current("box-1") != before
    _play(boxes, "uninstall.yml", "-e", "tensormask_purge=true")
    for machine in boxes.machines.values():
        assert machine.run("test", "-e", "/opt/tensormask", check=False).returncode == 1
