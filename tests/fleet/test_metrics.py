"""What the role writes for a Prometheus, by Ansible itself; without machines."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deploy.test_prometheus import rules
from tests.needs import lacking

ROOT = Path(__file__).resolve().parents[2]
ANSIBLE = ROOT / "deploy" / "ansible"
PLAY = """
- hosts: tensormask
  gather_facts: false
  become: false
  tasks:
    - ansible.builtin.include_role: {name: tensormask, tasks_from: metrics.yml}
"""
INVENTORY = """
tensormask:
  hosts:
    door-1.example: {tensormask_zone: north entrance}
    door-2.example:
      ansible_host: 192.0.2.7
      tensormask_box_settings: {page: {port: 8443, certificate_file: /etc/tensormask/page.crt}}
monitors: {hosts: {monitor.example: }}
"""
TOKEN = "0123456789abcdef0123"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    if not (ROOT / ".venv-ansible" / "bin" / "ansible-playbook").exists():
        lacking("no Ansible", "make controller")
    if shutil.which("promtool") is None:
        lacking("no promtool", "sudo apt-get install prometheus")
    (tmp_path / "play.yml").write_text(PLAY)
    (tmp_path / "hosts.yml").write_text(INVENTORY)
    (tmp_path / "variables.json").write_text(
        json.dumps(
            {
                "ansible_connection": "local",
                "tensormask_prometheus_host": "monitor.example",
                "tensormask_prometheus_folder": str(tmp_path / "tensormask"),
                "tensormask_prometheus_group": "root" if os.geteuid() == 0 else os.getegid(),
                "tensormask_prometheus_unit": "",
                "tensormask_metrics_token": TOKEN,
                "tensormask_site": "Museum",
            }
        )
    )
    return tmp_path


def play(folder: Path, *options: str, status: int = 0) -> str:
    """Run it, to that exit status; return how each machine has fared."""
    if os.geteuid() != 0:
        pytest.skip("the files are root's")
    environment = {
        "ANSIBLE_CONFIG": str(ANSIBLE / "ansible.cfg"),
        "ANSIBLE_ROLES_PATH": str(ANSIBLE / "roles"),
        "ANSIBLE_STDOUT_CALLBACK": "default",
        "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
    }
    answer = subprocess.run(
        [ROOT / ".venv-ansible/bin/ansible-playbook", "-i", "hosts.yml", "play.yml",
         "-e", "@variables.json", *options],
        cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == status, answer.stdout + answer.stderr
    assert TOKEN not in answer.stdout + answer.stderr
    return answer.stdout.partition("PLAY RECAP")[2]


def test_each_box_is_named_for_prometheus_and_a_second_run_changes_nothing(folder: Path) -> None:
    assert set(re.findall(r"changed=(\d+)", play(folder, "--check"))) == {"1"}
    assert not (folder / "tensormask").exists()
    play(folder)
    found = {
        path.name: json.loads(path.read_text()) for path in (folder / "tensormask").glob("*.json")
    }
    labels = {"site": "Museum"}
    assert found == {
        "door-1.json": [
            {
                "targets": ["door-1.example:8080"],
                "labels": labels
                | {"device": "door-1", "zone": "north entrance", "__scheme__": "http"},
            }
        ],
        "door-2.json": [
            {
                "targets": ["192.0.2.7:8443"],
                "labels": labels | {"device": "door-2", "zone": "", "__scheme__": "https"},
            }
        ],
    }
    token = folder / "tensormask" / "token"
    assert token.read_text() == f"{TOKEN}\n"
    assert token.stat().st_mode & 0o777 == 0o640
    assert set(re.findall(r"changed=(\d+)", play(folder))) == {"0"}


IN_A_WAVE = """
    - ansible.builtin.set_fact: {tensormask_wave: "{{ ansible_play_batch }}"}
"""


@pytest.mark.parametrize("trouble", ["it refuses the folder", "it cannot be reached"])
def test_a_prometheus_in_trouble_is_said_and_undoes_no_wave(folder: Path, trouble: str) -> None:
    if trouble == "it cannot be reached":
        variables = json.loads((folder / "variables.json").read_text())
        connection = variables.pop("ansible_connection")
        (folder / "variables.json").write_text(json.dumps(variables))
        away = "{ansible_host: 127.0.0.1, ansible_port: 1}"
        ours = f"tensormask:\n  vars: {{ansible_connection: {connection}}}"
        hosts = INVENTORY.replace("monitor.example: }", f"monitor.example: {away}}}")
        (folder / "hosts.yml").write_text(hosts.replace("tensormask:", ours))
    else:
        (folder / "tensormask").write_text("a file")
    fared = play(folder, status=2)
    assert "failed=1" in fared
    (folder / "play.yml").write_text(PLAY.replace("  tasks:\n", f"  tasks:{IN_A_WAVE}"))
    fared = play(folder)
    assert set(re.findall(r"(?:failed|unreachable)=(\d+)", fared)) == {"0"}


def test_the_settings_of_the_document_take_these_files(folder: Path) -> None:
    play(folder)
    text = (ROOT / "docs" / "fleet.md").read_text()
    block = re.search(r"```yaml\n(rule_files:.*?)```", text, re.DOTALL)
    assert block
    assert yaml.safe_load(block[1])["scrape_configs"][0]["job_name"] == "tensormask"
    (folder / "prometheus.yml").write_text(block[1])
    answer = subprocess.run(
        ["promtool", "check", "config", "prometheus.yml"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert f"{len(rules())} rules found" in answer.stdout
