from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.config import MetricsSettings
from tests.edge.page.program import Program, password_file


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """One for all the tests that leave it as it is."""
    program = Program(tmp_path_factory.mktemp("page"))
    yield program
    program.close()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """One with a password."""
    folder = tmp_path_factory.mktemp("guarded")
    program = Program(folder, password_file=password_file(folder))
    yield program
    program.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Starts one with the settings given."""
    started: list[Program] = []

    def begin(metrics: MetricsSettings | None = None, **settings: Any) -> Program:
        started.append(Program(tmp_path, metrics, **settings))
        return started[-1]

    yield begin
    for program in started:
        program.close()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for this machine, signed by itself, and its key."""
    own, key = tmp_path / "own.crt", tmp_path / "own.key"
    request = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    name = "-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
    files = ("-keyout", key, "-out", own)
    subprocess.run([*request.split(), *name.split(), *files], check=True, capture_output=True)
    key.chmod(0o600)
    return own, key
