"""What holds for every run of the tests: order, signals, time limits, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.broker.conftest import free_port
from tests.conftest import LONG
from tests.needs import lacking
from tests.processes import ROOT, WHOLE, Running
from tests.waiting import until

StartRun = Callable[..., list[str]]
FOR_EVER = f"1000000.{os.getpid()}"
"""Another number of seconds than in another run of these tests."""
LEAVE = ["setsid", "--fork", "sleep", FOR_EVER]
"""Starts what is in a session of its own, and nobody's child."""


@pytest.fixture
def run_of(tmp_path: Path) -> StartRun:
    """The command that runs a test of such a text as ours are run; `start` are words before it."""

    def command(text: str, *options: str, start: tuple[str, ...] = ()) -> list[str]:
        file = tmp_path / "test_it.py"
        file.write_text(
            "import os, signal, subprocess, sys, threading, time\nimport pytest\n" + text
        )
        words = (sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"))
        ours = ("-p", "tests.conftest", "-p", "no:cacheprovider", f"--rootdir={tmp_path}")
        return [*start, *words, *ours, *options, str(file)]

    return command


def _done(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("processes", ["0", "1"])
def test_what_a_run_in_the_background_ignores_its_children_do_not(
    run_of: StartRun, processes: str
) -> None:
    text = """
def test_it():
    child = "import signal; print(*(number for number in range(1, 65)" \\
        " if signal.getsignal(number) is signal.SIG_IGN), sep=',')"
    said = subprocess.check_output([sys.executable, "-c", child], text=True)
    # Python's own: a pipe without a reader, a file that is too large.
    assert said == f"{signal.SIGPIPE:d},{signal.SIGXFSZ:d}\\n"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
"""
    in_background = ("sh", "-c", "trap '' INT QUIT HUP TERM; exec \"$@\"", "sh")
    done = _done(run_of(text, f"-n{processes}", start=in_background))
    assert done.returncode == 0, done.stdout


def test_a_run_survives_its_terminal_under_nohup(run_of: StartRun) -> None:
    text = "def test_it(): os.kill(os.getpid(), signal.SIGHUP)"
    assert _done(run_of(text, start=("nohup",))).returncode == 0


HANGS = {
    "in leaving a block": """
def test_it():
    with subprocess.Popen(["sh", "-c", "trap '' INT; sleep 1000"]):
        time.sleep(1000)
""",
    "without Python": """
def test_it():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    time.sleep(1000)
""",
    "in a teardown": """
@pytest.fixture
def hanging():
    yield
    time.sleep(1000)
def test_it(hanging):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    raise AssertionError
""",
    "in a thread that Python waits for": """
def test_it():
    threading.Thread(target=time.sleep, args=(1000,)).start()
""",
}


@pytest.mark.parametrize("hang", HANGS)
def test_a_test_that_hangs_ends_with_its_run_and_the_stacks_are_shown(
    run_of: StartRun, hang: str
) -> None:
    done = _done(run_of(HANGS[hang], "--timeout=4"))
    assert done.returncode != 0
    assert "Timeout (0:00:0" in done.stderr
    assert "most recent call first" in done.stderr


def test_of_two_processes_the_run_goes_on_in_another(run_of: StartRun) -> None:
    text = f"{HANGS['in leaving a block']}\ndef test_another(): pass"
    done = _done(run_of(text, "--timeout=4", "-n1"))
    assert "1 failed, 1 passed" in done.stdout
    assert "crashed while running" in done.stdout


def test_a_block_that_is_left_by_an_error_ends_its_process() -> None:
    with (
        pytest.raises(ZeroDivisionError),
        Running(["sh", "-c", "trap '' TERM; exec sleep 1000"]) as process,
    ):
        raise ZeroDivisionError
    assert process.returncode == -signal.SIGKILL


def test_what_a_run_leaves_behind_is_an_error_and_is_ended(run_of: StartRun) -> None:
    text = f"""
from tests import processes
processes.GRACE_S = 1.0
def test_it(): subprocess.run({LEAVE}, check=True)
"""
    done = _done(run_of(text))
    assert "1 passed, 1 error" in done.stdout
    assert f"['sleep {FOR_EVER}']" in done.stdout
    assert not _is_left()


@pytest.mark.parametrize("processes", ["0", "1"])
def test_what_a_killed_run_has_started_is_ended_and_taken_away(
    run_of: StartRun, tmp_path: Path, processes: str
) -> None:
    begun = tmp_path / "begun"
    text = f"""
import tempfile
from pathlib import Path
from tests.processes import MARK
def test_it():
    subprocess.run({LEAVE}, check=True)
    kept = tempfile.mkdtemp(prefix=os.environ[MARK] + "-")
    Path("{begun}.new").write_text(kept)
    Path("{begun}.new").rename("{begun}")
    time.sleep(1000)
"""
    with Running(run_of(text, f"-n{processes}"), cwd=ROOT, stdout=subprocess.DEVNULL) as run:
        until(lambda: begun.exists() and _is_left(), "what it has started")
        run.kill()
    until(lambda: not _is_left(), "the end of what it has started")
    until(lambda: not Path(begun.read_text()).exists(), "the end of its folder")


def test_what_all_tests_need_is_made_once_for_all_processes_and_taken_away(
    run_of: StartRun, tmp_path: Path
) -> None:
    """And made again where it could not be made."""
    text = f"""
from pathlib import Path
from tests.processes import made_once
LOG = Path({str(tmp_path / "log")!r})
def make(folder):
    number = len(LOG.read_text()) if LOG.exists() else 0
    with LOG.open("a") as log:
        log.write("x")
    (folder / "made").mkdir()
    (folder / "made" / f"part {{number}}").touch()
    if not number:
        raise OSError("for once")
@pytest.mark.parametrize("number", range(6))
def test_it(number):
    try:
        folder = made_once("it", make)
    except OSError:
        folder = made_once("it", make)
    assert [part.name for part in (folder / "made").iterdir()] == ["part 1"]
    Path({str(tmp_path)!r}, f"folder {{number}}").symlink_to(folder)
"""
    environment = {name: value for name, value in os.environ.items() if name != WHOLE}
    command = run_of(text, "-n2", "--dist=load")
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "log").read_text() == "xx"
    folders = {(tmp_path / f"folder {number}").readlink() for number in range(6)}
    assert [each.exists() for each in folders] == [False]


def test_what_a_killed_run_has_mounted_is_taken_away(run_of: StartRun, tmp_path: Path) -> None:
    text = f"""
from pathlib import Path
from tests.disk import SmallDisk
def test_it():
    SmallDisk(Path("{tmp_path}/disk"), "1m")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    if _done(run_of("def test_it(small_disk): pass", "-rs")).stdout.count("skipped"):
        lacking("no file system can be mounted", "sudo make test")
    assert _done(run_of(text)).returncode == -signal.SIGKILL
    until(lambda: not (tmp_path / "disk").is_mount(), "the end of the mount")


def _is_left() -> bool:
    words = f"sleep\0{FOR_EVER}\0".encode()
    return words in [_command(folder) for folder in Path("/proc").iterdir()]


def _command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:  # no process, or one that has ended
        return b""


def test_no_port_is_given_twice() -> None:
    assert len({free_port() for _ in range(300)}) == 300


def test_the_files_that_begin_first_are_there() -> None:
    assert [name for name in LONG if not (ROOT / "tests" / name).is_file()] == []
