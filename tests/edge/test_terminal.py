"""Every command on a terminal and in a pipe: interrupts, readers that go away, bars and colors."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.processes import Running
from tests.terminal import Terminal
from tests.waiting import DEADLINE_S


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        yield port


def words_of(text: str, folder: Path, clip: Path, port: int = 1) -> list[str]:
    """Return a command's words, with a configuration whose camera and broker are at `port`."""
    config = folder / "tensormask.toml"
    config.write_text(
        f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\n'
        f'[camera]\nsource = "rtsp://127.0.0.1:{port}/live"\n'
        f'[outbox]\npath = "{folder}/outbox.sqlite"\n'
    )
    places = {"CONFIG": str(config), "CLIP": str(clip)}
    return [sys.executable, "-m", "edge", *(places.get(word, word) for word in text.split())]


@pytest.mark.parametrize(
    "command",
    [
        "--help",
        "replay --help",
        "check --config CONFIG --here --only configuration",
        "check --config CONFIG --here --only configuration --json",
        "doctor --config CONFIG",
        "doctor --config CONFIG --json",
        "models",
        "models list --json",
        "models show",
        "outbox --config CONFIG export",
        "completion bash",
        "man",
        "replay CLIP",
        "replay CLIP --json",
        "bench CLIP --frames 3",
        "watch --broker 127.0.0.1:1",
    ],
)
def test_a_reader_that_goes_away_is_no_error(command: str, carphone: Path, tmp_path: Path) -> None:
    line = words_of(command, tmp_path, carphone)
    with Running(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_a_reader_that_goes_away_while_nothing_comes_is_noticed() -> None:
    line = [sys.executable, "-m", "edge", "watch", "--broker", "127.0.0.1:1"]
    with Running(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.stdout.close()  # as `| head -1` does; the next line would come with another fault
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("watch --config CONFIG", ""),
        ("watch --config CONFIG --json", ""),
        ("check --config CONFIG --here --only camera", "configuration  ok"),
        ("doctor --config CONFIG", "packages"),
        ("forget --config CONFIG", ""),
        ("replay CLIP", "no mask"),
        ("replay CLIP --json", '"confirmed"'),
        ("bench CLIP --frames 1000000", ""),
    ],
)
def test_an_interrupt_ends_every_command_quietly(
    command: str, says: str, carphone: Path, tmp_path: Path, silent: int
) -> None:
    """No traceback, and 130, as shells have it."""
    line = words_of(command, tmp_path, carphone, silent)
    with Running(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        if says:
            assert says.encode() in process.stdout.readline()
        else:
            until_at_work(process.pid)
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == b""
    assert process.returncode == 130


def until_at_work(pid: int) -> None:
    """Wait until the program has opened a socket, or has loaded OpenCV: its main is running."""
    until_s = time.monotonic() + DEADLINE_S
    while time.monotonic() < until_s:
        time.sleep(0.01)
        mapped = Path(f"/proc/{pid}/maps").read_text()
        if "/cv2/" in mapped or any("socket:" in link for link in links_of(pid)):
            return
    pytest.fail("it is not at work")


def links_of(pid: int) -> Iterator[str]:
    """Yield what a process has open."""
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed by now
            yield str(each.readlink())


@pytest.mark.parametrize(
    ("module", "status"), [("edge.cli", -signal.SIGINT), ("edge.commands.models", 130)]
)
def test_an_interrupt_while_modules_are_being_loaded_is_quiet_too(module: str, status: int) -> None:
    program = f"""
        import os, signal, sys
        class Interrupted:
            def find_spec(self, name, path=None, target=None):
                if name == {module!r}:
                    os.kill(os.getpid(), signal.SIGINT)
        sys.meta_path.insert(0, Interrupted())
        from edge.__main__ import main
        sys.argv = ["tensormask", "models"]
        sys.exit(main())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (status, b"")


@pytest.mark.parametrize("asked", ["__hash__", "__del__"])
def test_an_interrupt_is_not_lost_where_an_extension_passes_over_it(asked: str) -> None:
    program = f"""
        import os, signal, sys, time
        import msgspec
        from edge import cli
        class Passed:
            __origin__ = list  # what msgspec takes for a generic type, and looks up
            __args__ = (int,)
            def {asked}(self):
                os.kill(os.getpid(), signal.SIGINT)
                return 1
        def obey(arguments):
            try:
                msgspec.json.decode(b"[]", type=Passed())
            except TypeError:
                pass
            time.sleep(60)
        cli._obey = obey
        sys.exit(cli.main([]))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        check=False,
        timeout=DEADLINE_S,
    )
    assert (done.returncode, done.stderr) == (130, b"")


def test_the_service_loads_nothing_that_is_for_terminals() -> None:
    program = (
        "import sys, edge.cli, edge.daemon.assembly\n"
        "print(sorted({'rich', 'tqdm', 'pygments'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_a_bar_shows_how_far_a_replay_is_and_leaves_the_lines(
    on_terminal: type[Terminal], carphone: Path, tmp_path: Path
) -> None:
    line = words_of("replay CLIP --config CONFIG --show SEEN", tmp_path, carphone)
    line[-1] = str(tmp_path / "seen.mp4")
    with (tmp_path / "tensormask.toml").open("a") as config:  # to cover heads takes ten seconds
        config.write('[page]\nheads = "faces"\nmay_show_faces = true\n')
    terminal = on_terminal(line, columns=40)
    assert terminal.end() == 0
    bars = [part for part in re.split(r"[\r\n]", terminal.shown) if "%|" in part]
    assert bars
    assert max(map(len, bars)) <= 40
    shown = [part.strip() for part in re.split(r"[\r\n]", terminal.shown) if part.strip()]
    assert any("person 1: no mask" in each and "%|" not in each for each in shown)
    assert "\x1b[3" not in terminal.shown, "no colour"


def test_a_bar_is_no_part_of_what_is_piped(
    on_terminal: type[Terminal], carphone: Path, tmp_path: Path
) -> None:
    line = words_of("bench CLIP --frames 100 --json", tmp_path, carphone)
    output = tmp_path / "report.json"
    with output.open("wb") as file:
        terminal = on_terminal(line, output=file.fileno())
        assert terminal.end() == 0
    assert json.loads(output.read_text())["rows"][0]["frames"] == 100
    assert ", 2 threads" in terminal.shown, "a bar for what takes long enough"
