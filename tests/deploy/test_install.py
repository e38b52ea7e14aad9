"""What install.sh and uninstall.sh refuse; what they do is in tests/systemd."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest


@pytest.fixture(scope="module")
def deploy() -> Iterator[Path]:
    """A copy that nobody may read: the checkout may lie below a folder of root's alone."""
    with TemporaryDirectory() as folder:
        source = Path(__file__).resolve().parents[2] / "deploy"
        copy = Path(shutil.copytree(source, Path(folder) / "deploy"))
        subprocess.run(["chmod", "--recursive", "a+rX", folder], check=True)
        yield copy


def _run(*command: str | Path) -> tuple[int, str]:
    """As nobody, so that no test can change this machine."""
    as_nobody = ["setpriv", "--reuid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    answer = subprocess.run(
        [*as_nobody, "bash", *command], capture_output=True, text=True, check=False
    )
    return answer.returncode, answer.stderr


@pytest.mark.parametrize("script", ["install.sh", "uninstall.sh"])
def test_only_root_may(deploy: Path, script: str) -> None:
    assert _run(deploy / script) == (
        1,
        f"deploy/{script}: run it as root: sudo deploy/{script}\n",
    )


@pytest.mark.parametrize("arguments", [["--brokre", "x"], ["x"]])
def test_an_unknown_option_is_answered_with_the_usage(deploy: Path, arguments: list[str]) -> None:
    status, error = _run(deploy / "install.sh", *arguments)
    assert (status, error) == (
        1,
        f"deploy/install.sh: unknown option {arguments[0]}; "
        "usage: sudo deploy/install.sh [--broker HOST[:PORT]]\n",
    )
    assert _run(deploy / "uninstall.sh", *arguments)[0] == 1


@pytest.mark.parametrize(
    "host", ["", "a b", 'x"\n[device]', "mqtt://broker", "box:mqtt", "fe80::1"]
)
def test_a_broker_is_a_host(deploy: Path, host: str) -> None:
    status, error = _run(deploy / "install.sh", "--broker", host)
    assert (status, error) == (
        1,
        "deploy/install.sh: --broker takes HOST, HOST:PORT or [IPv6]:PORT\n",
    )
