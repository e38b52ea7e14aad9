from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from edge.commands.completion import completion
from edge.commands.man import manual
from edge.commands.parser import build_parser
from tests.needs import lacking


@pytest.fixture
def script(tmp_path: Path) -> Path:
    file = tmp_path / "tensormask.bash"
    file.write_text(completion(build_parser(), "bash"))
    return file


def _completed(script: Path, *words: str) -> list[str]:
    """Return what bash offers for the last of the words."""
    asks = f"""
        source {script}
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${{#COMP_LINE}}
        $(complete -p tensormask | sed 's/.*-F \\([^ ]*\\).*/\\1/') tensormask "${{!#}}" ""
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    answer = subprocess.run(
        ["bash", "-c", asks, "bash", *words],
        cwd=script.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(filter(None, answer.stdout.split("\n")))


def test_bash_offers_commands_actions_choices_and_files(script: Path) -> None:
    assert _completed(script, "tensormask", "re") == ["release", "replay", "report"]
    assert _completed(script, "tensormask", "outbox", "") == ["drop", "export", "list"]
    assert _completed(script, "tensormask", "check", "--only", "ca") == ["camera"]
    assert _completed(script, "tensormask", "replay", "--js") == ["--json"]
    (script.parent / "door.mp4").touch()
    assert "door.mp4" in _completed(script, "tensormask", "replay", "do")


def test_zsh_reads_its_script() -> None:
    if shutil.which("zsh") is None:
        lacking("no zsh", "sudo apt-get install zsh")
    text = completion(build_parser(), "zsh")
    subprocess.run(["zsh", "-n"], input=text, text=True, check=True)
    assert text.startswith("#compdef tensormask")


def test_the_page_names_every_command_and_option() -> None:
    if shutil.which("man") is None:
        lacking("no man", "sudo apt-get install man-db")
    page = manual(build_parser(), "1.2.3")
    formatted = subprocess.run(
        ["man", "--warnings=w", "--local-file", "-"],
        input=page,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "MANWIDTH": "100", "LC_ALL": "C.UTF-8"},
    )
    assert formatted.stderr == ""
    shown = formatted.stdout
    assert "tensormask - watches a camera and reports over MQTT" in shown
    assert "1.2.3" in shown
    assert "\n         sudo tensormask outbox drop 4711 4712 --yes\n" in shown.replace("‐", "-")
    for part in ("outbox drop", "models fetch", "--every-frame", "--topic TOPIC", "HOST[:PORT]"):
        assert part in shown.replace("‐", "-").replace("−", "-"), part
