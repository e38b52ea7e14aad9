"""The settings that the role writes, by Ansible itself; without machines."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import msgspec

from edge.config import Settings, WebhookSettings, load_settings
from tests.needs import lacking

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "deploy" / "ansible" / "roles" / "tensormask"
PLAY = f"""
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.include_vars: "{ROLE}/defaults/main.yml"
    - ansible.builtin.include_vars: "{ROLE}/vars/main.yml"
    - ansible.builtin.template:
        src: "{ROLE}/templates/tensormask.toml.j2"
        dest: "{{{{ folder }}}}/tensormask.toml"
        mode: "0600"
"""


def written(folder: Path, settings: dict[str, Any]) -> Settings:
    """Return what the role makes of the inventory's settings, as the program reads it."""
    program = ROOT / ".venv-ansible" / "bin" / "ansible-playbook"
    if not program.exists():
        lacking("no Ansible", "make controller")
    (folder / "play.yml").write_text(PLAY)
    (folder / "variables.json").write_text(
        json.dumps(
            {
                "folder": str(folder),
                "tensormask_project": str(ROOT),
                "tensormask_device_id": "door-1",
                "tensormask_site_settings": {"mqtt": {"host": "broker"}, **settings},
            }
        )
    )
    answer = subprocess.run(
        [program, "-i", "localhost,", "-c", "local", "play.yml", "-e", "@variables.json"],
        cwd=folder, env=os.environ | {"ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return load_settings(folder / "tensormask.toml")


def test_sections_that_come_several_times_and_tables_within_them_are_written(
    tmp_path: Path,
) -> None:
    hook = {
        "kind": "webhook",
        "name": "hook",
        "url": "https://hooks.example/door",
        "headers": {"X-Place": 'the "north" door'},
        "on": ["no_mask", "camera-lost"],
        "quiet": ["22:00-06:00"],
        "pause_s": 30.0,
    }
    phone = {"kind": "ntfy", "name": "phone", "topic": "a-long-random-name"}
    regions = [[[0.0, 0.0], [1.0, 0.0], [1.0, 0.5]]]
    found = written(
        tmp_path,
        {
            "notify": [hook, phone],
            "zone": [{"name": "Gate", "polygon": regions[0], "hours": ["06:00-22:00"]}],
            "detector": {"regions": regions},
            "camera": {"fps": None},
        },
    )
    assert [target.name for target in found.notify] == ["hook", "phone"]
    assert [(zone.name, zone.hours) for zone in found.zone] == [("Gate", ("06:00-22:00",))]
    assert found.zone[0].polygon == found.detector.regions[0]
    first = found.notify[0]
    assert isinstance(first, WebhookSettings)
    assert msgspec.to_builtins(first.headers) == hook["headers"]
    assert list(first.on) == hook["on"]
    assert msgspec.to_builtins(found.detector.regions) == tuple(
        tuple(tuple(point) for point in region) for region in regions
    )
    assert found.device.id == "door-1"


def test_several_cameras_are_written_one_section_each(tmp_path: Path) -> None:
    cameras: list[dict[str, Any]] = [
        {
            "name": "door",
            "source": "picamera2:0",
            "excluded": [[[0.0, 0.0], [0.2, 0.0], [0.2, 0.2]]],
        },
        {"name": "hall", "source": "rtsp://camera-7.museum.example/live", "zone": "hall, east"},
    ]
    found = written(tmp_path, {"camera": cameras})
    assert [(each.name, each.source) for each in found.cameras] == [
        (each["name"], each["source"]) for each in cameras
    ]
    assert len(found.of(found.cameras[0]).detector.excluded) == 1
    assert found.of(found.cameras[1]).device.zone == "hall, east"
