"""Standard output on terminals of every encoding."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge.commands.parser import build_parser, parsers_of
from tests.terminal import Terminal

ROOT = Path(__file__).resolve().parents[3]
ENCODINGS = ("ascii", "iso-8859-1", "cp437", "utf-8")
ZONE = "Café “Nord” → 2 · ▁▃█ ┌─┐ 北"


def _said(
    encoding: str, *words: str | bytes, folder: Path = ROOT
) -> subprocess.CompletedProcess[bytes]:
    environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "edge", *words]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("words", ["--help", "bench --help", "man", "completion bash", "models"])
def test_what_is_said_of_the_commands_can_be_written(encoding: str, words: str) -> None:
    done = _said(encoding, *words.split())
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode(encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_names_and_messages_can_be_written(encoding: str, tmp_path: Path, carphone: Path) -> None:
    folder = os.fsencode(tmp_path)
    clip, text = folder + b"/clip-\xe9-caf\xc3\xa9.mp4", folder + b"/caf\xc3\xa9.txt"
    Path(os.fsdecode(clip)).write_bytes(carphone.read_bytes())
    Path(os.fsdecode(text)).write_bytes(b"text")
    done = _said(encoding, "replay", clip)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode(encoding)
    done = _said(encoding, "replay", text)
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1), done.stderr
    assert done.stderr.decode(encoding)
    for written, wanted in (
        ("ascii", b"cafe.txt: no video"),
        ("utf-8", b"caf\xc3\xa9.txt: no video"),
    ):
        assert (written != encoding) or wanted in done.stderr


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_json_says_the_same_on_every_terminal(encoding: str, tmp_path: Path) -> None:
    config = tmp_path / f"{ZONE.replace('/', '')}.toml"
    config.write_text('[mqtt]\nhost = "127.0.0.1"\nport = 1\n')
    words = ("check", "--json", "--only", "configuration", "--config")
    done = _said(encoding, *words, str(config))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.decode(encoding))["text"] == str(config)
    odd = os.fsencode(tmp_path) + b"/\xe9.toml"
    shutil.copy(os.fsencode(config), odd)
    done = _said(encoding, *words, odd)
    assert done.returncode == 0, done.stderr
    assert os.fsencode(json.loads(done.stdout.decode(encoding))["text"]) == odd


def test_signs_that_are_lacking_become_what_comes_closest() -> None:
    code = (
        "import sys; from edge.commands.output import write_everything;"
        "write_everything(sys.stdout);"
        f"print({ZONE!r})"
    )
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert done.stdout.decode() == 'Cafe "Nord" -> 2 - ### +-+ ?\n', done.stderr


@pytest.mark.parametrize("columns", [40, 60, 100])
@pytest.mark.parametrize("command", [each.prog for each in parsers_of(build_parser())])
def test_no_word_of_a_help_is_broken(
    command: str, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    (parser,) = [each for each in parsers_of(build_parser()) if each.prog == command]
    whole = parser.format_help().split()
    monkeypatch.setenv("COLUMNS", str(columns))
    assert parser.format_help().split() == whole


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("is_colored", [False, True])
def test_on_a_terminal_severity_is_a_word_and_a_color_and_no_word_is_broken(
    columns: int, is_colored: bool, tmp_path: Path
) -> None:
    config = tmp_path / "tensormask.toml"
    config.write_text('[mqtt]\nhost = "127.0.0.1"\nport = 1\n')
    words = ["check", "--config", str(config), "--only", "broker"]
    environment = {"PYTHONPATH": str(ROOT), "NO_COLOR": "" if is_colored else "1"}
    command = [sys.executable, "-m", "edge", *words]
    terminal = Terminal(command, columns=columns, environment=environment)
    assert terminal.end() == 1
    said = terminal.shown
    assert ("\x1b[1;31mFAULT\x1b[0m" in said) is is_colored
    plain = re.sub(r"\x1b\[[0-9;]*m", "", said)
    assert "FAULT" in plain
    assert str(config) in plain, "a path is left whole"
    short = [each for each in plain.splitlines() if str(config) not in each]
    assert max(map(len, short)) < columns
