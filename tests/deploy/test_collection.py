"""The collection: built from the checkout, installed elsewhere, and complete there."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from edge.version import RELEASE
from tests.needs import lacking

ROOT = Path(__file__).resolve().parents[2]
ANSIBLE = ROOT / ".venv-ansible" / "bin"
PLAYBOOKS = ("site", "update", "model", "rollback", "status", "uninstall")


def output(*command: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but the collection, as `ansible-galaxy` installs it."""
    if not (ANSIBLE / "ansible-galaxy").exists():
        lacking("no Ansible", "make controller")
    folder = tmp_path_factory.mktemp("elsewhere")
    built = tmp_path_factory.mktemp("built")
    output(ANSIBLE / "python", "-m", "deploy.collection", built, cwd=ROOT)
    (archive,) = built.glob("tensormask-fleet-*.tar.gz")
    install = (ANSIBLE / "ansible-galaxy", "collection", "install", archive, "-p", folder)
    output(*install, "--offline", cwd=folder)
    return folder


def test_its_version_is_that_of_the_program() -> None:
    text = (ROOT / "deploy" / "ansible" / "galaxy.yml").read_text()
    assert re.findall(r"^version: (.*)$", text, re.MULTILINE) == [RELEASE.replace(".dev", "-dev")]


def test_the_example_is_an_inventory_of_fifty_boxes_for_the_checkout() -> None:
    if not (ANSIBLE / "ansible-playbook").exists():
        lacking("no Ansible", "make controller")
    folder = ROOT / "deploy" / "ansible"
    play = (ANSIBLE / "ansible-playbook", "-i", "example", "playbooks/site.yml", "--list-hosts")
    assert "hosts (50):" in output(*play, cwd=folder)


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_each_playbook_is_found_and_whole_there(installed: Path, name: str) -> None:
    said = output(
        *(ANSIBLE / "ansible-playbook", "-i", "box,", f"tensormask.fleet.{name}", "--list-tasks"),
        cwd=installed,
        ANSIBLE_COLLECTIONS_PATH=str(installed),
    )
    assert "TAGS" in said


def test_it_carries_the_release_that_the_checkout_is(installed: Path) -> None:
    carried = installed / "ansible_collections" / "tensormask" / "fleet" / "release"
    assert os.access(carried / "deploy" / "install.sh", os.X_OK)
    assert os.access(carried / "deploy" / "mosquitto" / "certificates.sh", os.X_OK)
    naming = "import pathlib, sys, deploy.pack as p; p.copy_release(pathlib.Path(sys.argv[1]))"
    names = []
    for source, tree in ((ROOT, "ours"), (carried, "theirs")):
        output(ANSIBLE / "python", "-Bc", naming, installed / tree, cwd=source)
        script = installed / tree / "deploy" / "release_name.sh"
        names.append(output(script, installed / tree, "cpython-311", cwd=installed).strip())
    assert names[0] == names[1]


def test_a_role_without_a_release_says_where_one_comes_from(
    installed: Path, tmp_path: Path
) -> None:
    role = "deploy/ansible/roles/tensormask"
    output("cp", "-r", ROOT / role, tmp_path / "tensormask", cwd=tmp_path)
    play = [{"hosts": "localhost", "gather_facts": False, "roles": ["tensormask"]}]
    (tmp_path / "play.yml").write_text(json.dumps(play))
    done = subprocess.run(
        [ANSIBLE / "ansible-playbook", "-i", "localhost,", "-c", "local", "play.yml"],
        cwd=tmp_path,
        env=os.environ | {"ANSIBLE_ROLES_PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "make collection" in done.stdout + done.stderr
