"""The authority of deploy/mosquitto/certificates.sh, killed before and after each of its steps."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "mosquitto" / "certificates.sh"
STEPS = ("openssl", "mv", "cp", "rm", "mkdir", "chmod", "cat")
KILLING = """#!/bin/sh
# Ends the script at its step KILLED_AT: before that, or after it.
echo x >>"$STEPS_TAKEN"
taken=$(wc -l <"$STEPS_TAKEN")
[ "$taken" -ne "$KILLED_AT" ] || [ "$KILLED" = after ] || kill -KILL 0
{program} "$@"
status=$?
[ "$taken" -ne "$KILLED_AT" ] || kill -KILL 0
exit $status
"""


def authority(
    folder: Path, *words: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(SCRIPT), str(folder), *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )


def serial(certificate: Path) -> str:
    command = ["openssl", "x509", "-in", str(certificate), "-noout", "-serial"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()[7:]


def listed(folder: Path) -> set[str]:
    """Return what the list for the broker has."""
    command = ["openssl", "crl", "-in", str(folder / "ca.crl"), "-noout", "-text"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"Serial Number: (\w+)", said))


def indexed(folder: Path) -> set[str]:
    rows = [line.split("\t") for line in (folder / "revoked").read_text().splitlines()]
    return {row[3] for row in rows if row[0] == "R"}


@pytest.fixture(scope="module")
def former(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority with a client that was revoked, and one that has had two certificates."""
    folder = tmp_path_factory.mktemp("former") / "authority"
    assert authority(folder, "client", "door-1").returncode == 0
    assert authority(folder, "revoke", "door-1").returncode == 0
    soon = os.environ | {"DAYS": "1"}
    assert authority(folder, "client", "door-2", environment=soon).returncode == 0
    assert authority(folder, "client", "door-2").returncode == 0
    assert len(list(folder.glob("former/door-2/*.crt"))) == 1
    return folder


# What is there after one step is there before the next, but for what the shell itself does between.
@pytest.mark.parametrize("killed", ["before", pytest.param("after", marks=pytest.mark.thorough)])
def test_revoking_survives_being_killed_at_every_step(
    former: Path, tmp_path: Path, killed: str
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in STEPS:
        (programs / name).write_text(KILLING.format(program=shutil.which(name)))
        (programs / name).chmod(0o755)
    before = listed(former)
    (first,) = former.glob("former/door-2/*.crt")
    both = {serial(former / "clients" / "door-2.crt"), serial(first)}
    for step in range(1, 100):
        folder = tmp_path / f"{step}"
        shutil.copytree(former, folder)
        environment = os.environ | {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "STEPS_TAKEN": str(tmp_path / f"{step}.steps"),
            "KILLED_AT": str(step),
            "KILLED": killed,
        }
        done = authority(folder, "revoke", "door-2", environment=environment)
        # Whatever is done next, nobody who was revoked is let in again.
        assert listed(folder) >= before, step
        other = shutil.copytree(folder, tmp_path / f"{step}-other")
        assert authority(other, "client", "door-3").returncode == 0, step
        assert listed(other) == indexed(other) >= before, step
        again = authority(folder, "revoke", "door-2")
        assert again.returncode == 0, (step, again.stderr)
        assert listed(folder) == indexed(folder) == before | both, step
        assert {path.name for path in (folder / "revoked-clients").iterdir()} == {
            *("door-1.crt", "door-1.key", "door-2.crt", "door-2.key")
        }, step
        assert not list((folder / "clients").glob("door-2.*")), step
        assert "was revoked" in authority(folder, "client", "door-2").stderr, step
        assert not list(folder.glob("*.part*")), step
        if done.returncode == 0:
            break
    assert step > 10


def test_an_index_that_was_lost_between_two_steps_is_found_again(
    former: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(former, tmp_path / "authority")
    before = listed(folder)
    # As openssl leaves it when it is killed while it replaces its index.
    (folder / "revoked").rename(folder / "revoked.old")
    assert authority(folder, "client", "door-4").returncode == 0
    assert listed(folder) == indexed(folder) == before
