"""deploy/venv.sh, which the Makefile and install.sh use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deploy.wheels import digest, write_wheel

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "venv.sh"


KILLED_AT = """
set -o functrace
commands=0
trap 'commands=$((commands + 1)); [ $commands -lt $KILL_AT ] || kill -KILL $$' DEBUG
"""
"""Read by bash before a script: ends it before its command number KILL_AT."""


def _venv(
    *arguments: str | Path, python: str = sys.executable, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, *arguments],
        env=os.environ | {"PYTHON": python} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    """A list of a package of our own, so that no registry is asked."""
    return _list(tmp_path, write_wheel(tmp_path, "tmx", "1.0"))


def _list(folder: Path, *packages: Path) -> Path:
    """Write the list of these files, each with its digest."""
    path = folder / "requirements.txt"
    path.write_text("".join(f"{package} --hash=sha256:{digest(package)}\n" for package in packages))
    return path


def _installed(venv: Path) -> str:
    code = "import tmx; print(tmx.version)"
    return subprocess.run(
        [venv / "bin/python", "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_it_installs_once_and_again_only_after_a_change(tmp_path: Path, requirements: Path) -> None:
    venv = tmp_path / "venv"
    first = _venv(venv, requirements)
    assert (first.returncode, _installed(venv)) == (0, "1.0"), first.stderr
    requirements.write_text(f"# Only a comment.\n{requirements.read_text()}")
    again = _venv(venv, requirements)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    _list(tmp_path, write_wheel(tmp_path, "tmx", "2.0"))
    assert _venv(venv, requirements).returncode == 0
    assert _installed(venv) == "2.0"


def test_a_change_in_an_included_list_counts_and_in_a_neighbour_not(
    tmp_path: Path, requirements: Path
) -> None:
    (tmp_path / "requirements-more.txt").write_text("-r requirements.txt\n")
    _venv(tmp_path / "venv", tmp_path / "requirements-more.txt")
    (tmp_path / "requirements-other.txt").write_text("other==1.0\n")
    assert _venv(tmp_path / "venv", tmp_path / "requirements-more.txt").stdout == ""
    _list(tmp_path, write_wheel(tmp_path, "tmx", "2.0"))
    _venv(tmp_path / "venv", tmp_path / "requirements-more.txt")
    assert _installed(tmp_path / "venv") == "2.0"


def test_a_package_that_the_list_no_longer_names_is_gone(
    tmp_path: Path, requirements: Path
) -> None:
    both = [write_wheel(tmp_path, "tmx", "1.0"), write_wheel(tmp_path, "tmy", "1.0")]
    _list(tmp_path, *both)
    assert _venv(tmp_path / "venv", requirements).returncode == 0
    assert list((tmp_path / "venv").glob("lib/*/site-packages/tmy.py")) != []
    _list(tmp_path, both[0])
    assert _venv(tmp_path / "venv", requirements).returncode == 0
    assert list((tmp_path / "venv").glob("lib/*/site-packages/tmy.py")) == []


def test_a_file_that_is_not_the_listed_one_is_refused(tmp_path: Path, requirements: Path) -> None:
    with write_wheel(tmp_path, "tmx", "1.0").open("ab") as wheel:
        wheel.write(b"tampered")
    answer = _venv(tmp_path / "venv", requirements)
    assert answer.returncode != 0
    assert "DO NOT MATCH THE HASHES" in answer.stderr
    requirements.write_text(f"{tmp_path}/tmx-1.0-py3-none-any.whl\n")
    assert "--require-hashes" in _venv(tmp_path / "venv", requirements).stderr
    assert not (tmp_path / "venv").exists()


def test_whenever_it_is_killed_the_old_environment_works_or_the_new_one(
    tmp_path: Path, requirements: Path
) -> None:
    venv = tmp_path / "venv"
    (tmp_path / "killer").write_text(KILLED_AT)
    assert _venv(venv, requirements).returncode == 0
    _list(tmp_path, write_wheel(tmp_path, "tmx", "2.0"))
    found = []
    for kill_at in range(1, 200):
        answer = _venv(venv, requirements, BASH_ENV=str(tmp_path / "killer"), KILL_AT=str(kill_at))
        found.append(_installed(venv))
        if answer.returncode == 0:
            break
        assert answer.returncode in {-signal.SIGKILL, 128 + signal.SIGKILL}, answer.stderr
    assert len(found) > 20
    assert sorted(found) == found
    assert set(found) == {"1.0", "2.0"}
    assert sorted(path.name for path in tmp_path.glob("venv*")) == ["venv", str(venv.readlink())]


def _moved(checkout: Path, place: Path) -> None:
    checkout.rename(place)


def _copied(checkout: Path, place: Path) -> None:
    subprocess.run(["cp", "-a", checkout, place], check=True)


@pytest.mark.parametrize("bring", [_moved, _copied])
@pytest.mark.parametrize("options", [(), ("--system-site-packages",)])
def test_the_scripts_work_in_a_checkout_that_was_moved(
    tmp_path: Path, bring: Callable[[Path, Path], None], options: tuple[str, ...]
) -> None:
    requirements = _list(tmp_path, write_wheel(tmp_path, "tmx", "1.0"))
    (tmp_path / "a checkout").mkdir()
    arguments: tuple[str | Path, ...] = ("--scripts", *options, requirements)
    assert _venv(tmp_path / "a checkout/venv", *arguments).returncode == 0
    bring(tmp_path / "a checkout", tmp_path / "moved")
    again = _venv(tmp_path / "moved/venv", *arguments)
    assert (again.returncode, again.stdout.startswith("installing into")) == (0, True), again.stderr
    script = tmp_path / "moved/venv/bin/pip"
    said = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert str(tmp_path / "moved") in said.stdout
    assert _venv(tmp_path / "moved/venv", *arguments).stdout == ""
    # By another way to the same place, too.
    (tmp_path / "link").symlink_to(tmp_path / "moved")
    assert _venv(tmp_path / "link/venv", *arguments).stdout == ""


def test_a_release_is_made_in_one_place_and_used_in_another(
    tmp_path: Path, requirements: Path
) -> None:
    (tmp_path / "new").mkdir()
    _venv(tmp_path / "new/venv", requirements)
    (tmp_path / "new").rename(tmp_path / "release")
    assert _venv(tmp_path / "release/venv", requirements).stdout == ""


def test_an_environment_of_former_days_gives_way(tmp_path: Path, requirements: Path) -> None:
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    assert _venv(venv, requirements).returncode == 0
    assert _installed(venv) == "1.0"
    assert sorted(path.name for path in tmp_path.glob("venv*")) == ["venv", str(venv.readlink())]


def test_the_former_environment_stays_where_it_is_wanted(
    tmp_path: Path, requirements: Path
) -> None:
    _venv(tmp_path / "venv", requirements)
    former = (tmp_path / "venv").resolve()
    _list(tmp_path, write_wheel(tmp_path, "tmx", "2.0"))
    assert _venv(tmp_path / "venv", "--keep", requirements).returncode == 0
    assert (_installed(former), _installed(tmp_path / "venv")) == ("1.0", "2.0")
    _venv(tmp_path / "venv", requirements)
    assert not former.exists()


def test_an_unfinished_environment_is_made_anew_the_next_time(
    tmp_path: Path, requirements: Path
) -> None:
    right = requirements.read_text()
    requirements.write_text("./is-not-here.whl\n")
    assert _venv(tmp_path / "venv", requirements).returncode != 0
    requirements.write_text(right)
    assert _venv(tmp_path / "venv", requirements).returncode == 0
    assert _installed(tmp_path / "venv") == "1.0"


def test_system_packages_are_seen_only_when_asked_for(tmp_path: Path, requirements: Path) -> None:
    settings = tmp_path / "venv" / "pyvenv.cfg"
    _venv(tmp_path / "venv", requirements)
    assert "include-system-site-packages = false" in settings.read_text()
    _venv(tmp_path / "venv", "--system-site-packages", requirements)
    assert "include-system-site-packages = true" in settings.read_text()


@pytest.mark.parametrize("arguments", [(), ("venv",), ("venv", "--upgrade", "requirements.txt")])
def test_wrong_arguments_are_refused(arguments: tuple[str, ...]) -> None:
    answer = _venv(*arguments)
    assert answer.returncode == 1
    assert answer.stderr.startswith("deploy/venv.sh: ")
    assert len(answer.stderr.splitlines()) == 1


def test_an_old_python_is_refused(tmp_path: Path) -> None:
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    answer = _venv(tmp_path / "venv", "requirements.txt", python=str(old))
    assert (answer.returncode, answer.stderr) == (
        1,
        f"deploy/venv.sh: {old} is older than 3.11; set PYTHON to a newer one\n",
    )
