"""deploy/venv.sh, which the Makefile and install.sh use."""

from __future__ import annotations

import http.server
import os
import re
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


COPIES = """#!/bin/sh
if [ "$1 $2" = "-m venv" ]; then
    for environment; do :; done
    cp -al "{made}" "$environment"
    cd "$environment"
    # Its settings and scripts name the place, and how it was made.
    exec sed -i "s|-m venv .*|$*|; s|{made}|$environment|" pyvenv.cfg bin/pip
fi
exec "{python}" "$@"
"""
"""A Python that has made an environment before, and makes another one by links to its files."""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is slow, and not what is tested here, made quick."""
    folder = tmp_path_factory.mktemp("programs")
    # It waits for all that anybody writes to this disk; here no power fails.
    (folder / "sync").symlink_to("/bin/true")
    made = folder / "made"
    subprocess.run([sys.executable, "-m", "venv", made], check=True)
    # Once, so that its modules are compiled.
    subprocess.run([made / "bin/python", "-m", "pip", "list"], check=True, capture_output=True)
    (folder / "python").write_text(COPIES.format(made=made, python=sys.executable))
    (folder / "python").chmod(0o755)
    return folder


@pytest.fixture(autouse=True)
def _are_used(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHON", str(programs / "python"))


def _venv(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, *arguments],
        env=os.environ | environment,
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
    # Nor half of it, on a disk that may be small.
    assert not list(tmp_path.glob("venv*"))


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


@pytest.mark.parametrize(
    ("bring", "options", "is_real"),
    [(_moved, (), True), (_copied, ("--system-site-packages",), False)],
)
def test_the_scripts_work_in_a_checkout_that_was_moved(
    tmp_path: Path,
    bring: Callable[[Path, Path], None],
    options: tuple[str, ...],
    is_real: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`is_real`: with environments that Python itself makes, which takes seconds."""
    if is_real:
        monkeypatch.setenv("PYTHON", sys.executable)
    requirements = _list(tmp_path, write_wheel(tmp_path, "tmx", "1.0"))
    (tmp_path / "a checkout").mkdir()
    arguments: tuple[str | Path, ...] = ("--scripts", *options, requirements)
    assert _venv(tmp_path / "a checkout/venv", *arguments).returncode == 0
    bring(tmp_path / "a checkout", tmp_path / "moved")
    again = _venv(tmp_path / "moved/venv", *arguments)
    assert (again.returncode, "installing the packages" in again.stdout) == (0, True), again.stderr
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


def test_an_unfinished_environment_is_made_again_the_next_time(
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
    _venv(tmp_path / "venv", "--system-site-packages", requirements, PYTHON=sys.executable)
    assert "include-system-site-packages = true" in settings.read_text()


CERTIFICATES = """
[ca]
default_ca = ours
[ours]
database = index.txt
new_certs_dir = .
serial = serial
default_md = sha256
policy = any
[any]
commonName = supplied
"""


@contextmanager
def _index(folder: Path, begins: str, ends: str) -> Iterator[dict[str, str]]:
    """Serve a package index whose certificate is valid from `begins` to `ends` (YYYYMMDD)."""
    (folder / "ca.cnf").write_text(CERTIFICATES)
    (folder / "index.txt").touch()
    new_key = "-newkey rsa:2048 -nodes -keyout"
    for command in (
        f"req -x509 {new_key} ca.key -out ca.pem -subj /CN=authority",
        f"req -new {new_key} key.pem -out request.pem -subj /CN=localhost",
        "ca -batch -config ca.cnf -cert ca.pem -keyfile ca.key -in request.pem -out server.pem "
        f"-rand_serial -startdate {begins}000000Z -enddate {ends}000000Z -notext",
    ):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "key.pem")
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {
            "PIP_INDEX_URL": f"https://localhost:{server.server_port}/simple",
            # pip prefers what the other variable says, where somebody has set it.
            "PIP_CERT": str(folder / "ca.pem"),
            "REQUESTS_CA_BUNDLE": str(folder / "ca.pem"),
            "PIP_RETRIES": "1",
            "PIP_CONFIG_FILE": os.devnull,
        }
        server.shutdown()


@pytest.mark.parametrize(
    ("begins", "ends", "reason"),
    [
        ("20900101", "20910101", "certificate is not yet valid"),
        ("20010101", "20020101", "certificate has expired"),
    ],
)
def test_a_certificate_of_another_time_points_to_the_clock(
    tmp_path: Path, begins: str, ends: str, reason: str
) -> None:
    (tmp_path / "requirements.txt").write_text(f"tmx==1.0 --hash=sha256:{'0' * 64}\n")
    with _index(tmp_path, begins, ends) as environment:
        answer = _venv(tmp_path / "venv", tmp_path / "requirements.txt", **environment)
    assert answer.returncode == 1
    assert re.fullmatch(
        rf"deploy/venv.sh: installing the Python packages failed: {reason}. The clock of this "
        r"machine says \d{4}-\d\d-\d\d \d\d:\d\d UTC: .*timedatectl.*\n",
        answer.stderr,
    )


def test_a_registry_that_is_out_of_reach_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(f"tmx==1.0 --hash=sha256:{'0' * 64}\n")
    away = {"PIP_INDEX_URL": "https://localhost:1/simple", "PIP_RETRIES": "1"}
    answer = _venv(
        tmp_path / "venv", tmp_path / "requirements.txt", PIP_CONFIG_FILE=os.devnull, **away
    )
    assert answer.returncode == 1
    assert "the internet cannot be reached, or no name server answers" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_too_small_a_disk_is_reported_before_anything_is_done(
    tmp_path: Path, requirements: Path
) -> None:
    answer = _venv(tmp_path / "venv", "--needs-mb=900000000", requirements)
    assert answer.returncode == 1
    assert re.search(r"need 900000000 MB in /\S*, where \d+ MB are free; make room", answer.stderr)
    assert not list(tmp_path.glob("venv*"))


def test_the_callers_python_and_pip_lead_nowhere_else(tmp_path: Path, requirements: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    answer = _venv(
        tmp_path / "venv",
        requirements,
        PYTHONPATH=str(elsewhere),
        PYTHONHOME=str(elsewhere),
        VIRTUAL_ENV=str(elsewhere),
        PIP_TARGET=str(elsewhere),
        PIP_USER="1",
        PIP_NO_BINARY=":all:",
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    assert _installed(tmp_path / "venv") == "1.0"
    assert not elsewhere.exists()


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
    answer = _venv(tmp_path / "venv", "requirements.txt", PYTHON=str(old))
    assert (answer.returncode, answer.stderr) == (
        1,
        f"deploy/venv.sh: {old} is older than 3.11; set PYTHON to a newer one\n",
    )
