"""The table of status.yml at the widths of terminals, by Ansible itself; without machines."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.needs import lacking

ROOT = Path(__file__).resolve().parents[2]
ANSIBLE = ROOT / ".venv-ansible" / "bin" / "ansible"
PLAYBOOKS = ROOT / "deploy" / "ansible" / "playbooks"
INDENT = 8
WELL: dict[str, Any] = {
    "box": "door-1",
    "state": "well",
    "release": "0.3.0.dev0+g00000a1-fffee695",
    "bundle": None,
    "detector": None,
    "on_trial": None,
    "camera": "running",
    "fps": 9.31,
    "temperature_c": 61.4,
    "queued": 0,
    "clock_steps": 0,
    "certificate_until": "2036-11-25",
    "troubles": [],
}
BOXES: list[dict[str, Any]] = [
    WELL,
    WELL
    | {
        "box": "museum-north-03.museum.example",
        "state": "not well",
        "release": "0.3.0.dev0+g00000b1.dirty-a0ff845d",
        "on_trial": "release",
        "bundle": "masks-0123456789ab",
        "fps": 0.0,
        "queued": 12345,
        "troubles": ["the camera has been lost for 3 min"],
    },
    {"box": "platform-12.station.example", "state": "not reached"},
    {"box": "cafe", "state": "not installed"},
]


def table(columns: int, boxes: list[dict[str, Any]] = BOXES) -> list[str]:
    if not ANSIBLE.exists():
        lacking("no Ansible", "make controller")
    variables = {"tensormask_boxes": boxes, "tensormask_columns": str(columns)}
    message = "{{ lookup('ansible.builtin.template', 'table.j2') | trim }}"
    done = subprocess.run(
        [
            *(str(ANSIBLE), "localhost", "-i", "localhost,", "-m", "debug"),
            *("-a", f'msg="{message}"', "-e", json.dumps(variables)),
            *("--playbook-dir", str(PLAYBOOKS)),
        ],
        env=os.environ
        | {"ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml", "ANSIBLE_NOCOLOR": "1", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    head, _, text = done.stdout.partition("msg: |-\n")
    assert text, head
    return [line[INDENT:] for line in text.rstrip().splitlines()]


@pytest.mark.parametrize("columns", [40, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(columns: int) -> None:
    lines = table(columns)
    for line in lines[: -len(BOXES[1]["troubles"])]:
        assert len(line) <= columns - INDENT or " " not in line.strip(), line
    for box in BOXES:
        assert any(line.startswith(box["box"]) for line in lines)
        assert any(box["state"] in line for line in lines)
        assert any(box.get("release", "") in line for line in lines)
    assert lines[-1] == "museum-north-03.museum.example: the camera has been lost for 3 min"


def test_a_wide_terminal_has_a_line_for_each_box() -> None:
    header, *rows, blank, trouble = table(200)
    assert not blank
    assert trouble
    assert [row.split()[0] for row in rows] == [box["box"] for box in BOXES]
    at = header.index("state")
    assert [row[at:].split("  ")[0] for row in rows] == [
        "well",
        "not well, release on trial",
        "not reached",
        "not installed",
    ]


def test_eighty_columns_have_letters_for_the_releases() -> None:
    others = [WELL | {"box": f"door-{n}"} for n in range(2, 5)]
    assert table(80, [WELL, *others]) == [
        "box     state  release  camera   fps  °C  queued  cert ends",
        *(f"door-{n}  well   A        running  9.3  61       0  2036-11-25" for n in range(1, 5)),
        "",
        "A = 0.3.0.dev0+g00000a1-fffee695",
    ]


def test_forty_columns_have_a_block_for_each_box() -> None:
    assert table(40, [WELL]) == [
        "door-1",
        "  state      well",
        "  release",
        "    0.3.0.dev0+g00000a1-fffee695",
        "  camera     running",
        "  fps        9.3",
        "  °C         61",
        "  queued     0",
        "  cert ends  2036-11-25",
    ]
