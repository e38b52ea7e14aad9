from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.classify.card import load_bundle
from edge.cli import main
from edge.commands.parser import build_parser
from edge.pipeline import STEPS
from edge.version import version


def test_the_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"tensormask {version()}\n"


def commands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield the commands and their actions."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield command
                yield from commands(command)


COMMANDS = [command.prog.removeprefix("tensormask ") for command in commands(build_parser())]


def examples_of(text: str) -> list[str]:
    """Return the examples below a help, without what only the shell reads."""
    _, title, lines = text.partition("\nexamples:\n")
    assert title, "no examples"
    return [re.split(" [|>]", line)[0].strip() for line in lines.splitlines()]


@pytest.mark.parametrize("columns", ["40", "100"])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_examples_that_are_right(
    command: str,
    columns: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert f"tensormask {command}" in " ".join(text.split())
    wanted = {each.prog: each for each in commands(build_parser())}[f"tensormask {command}"]
    for example in examples_of(text):
        program, *words = shlex.split(example.removeprefix("sudo "))
        assert program == "tensormask"
        options = build_parser().parse_args(words)
        assert options.run is wanted.get_default("run"), example


def test_a_command_without_its_configuration_says_where_it_looked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--config", str(tmp_path / "absent.toml")]) == 78
    error = capsys.readouterr().err
    assert "absent.toml: No such file or directory; sudo deploy/install.sh writes one; " in error
    assert error.count("\n") == 1


def test_models_are_listed_and_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TENSORMASK_MODELS", str(tmp_path))
    card = load_bundle().card
    assert main(["models"]) == 0
    bundle, own, yunet, res10 = capsys.readouterr().out.splitlines()
    assert own.endswith("detector.onnx")
    assert f"{card.name} {card.version}" in bundle
    assert "missing; tensormask models fetch yunet" in yunet
    assert res10.endswith(".caffemodel")
    for words in (["models", "--json"], ["models", "list", "--json"], ["models", "--json", "list"]):
        assert main(words) == 0
        models = json.loads(capsys.readouterr().out)
        assert models["bundle"] == {"name": card.name, "version": card.version, "folder": None}
        names = [each["name"] for each in models["detectors"]]
        assert names == ["tensormask", "yunet", "res10"]
    assert main(["models", "show"]) == 0
    assert json.loads(capsys.readouterr().out)["model_sha256"] == card.model_sha256


def test_models_that_come_as_a_package_are_not_fetched(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["models", "fetch", "res10"]) == 65
    assert "is a Python package" in capsys.readouterr().err


def test_a_bench_measures_a_clip_and_the_service(
    carphone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--detector", "res10", "--frames", "20", "--threads", "1,2"]
    assert main(["bench", str(carphone), *options, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [row["threads"] for row in report["rows"]] == [1, 2]
    row = report["rows"][0]
    assert (row["frames"], row["width_px"], row["detector"]) == (20, 176, "res10")
    assert (row["faces"], row["faces_found"], row["scanned"]) == (None, 1, 0.25)
    assert set(row["latency_ms"]) == set(STEPS)
    assert row["latency_ms"]["total"]["p95"] >= row["latency_ms"]["detect"]["p95"]
    assert report["daemon"]["first_frame_s"] > 0
    assert report["daemon"]["peak_rss_mb"] > 20


def test_a_bench_can_scan_every_frame_of_scenes(
    carphone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--detector", "tensormask", "--frames", "3", "--every-frame"]
    scenes = ["--faces", "0,3", "--sizes", "320x240,400x300"]
    assert main(["bench", str(carphone), *options, *scenes]) == 0
    head, *rows, service = capsys.readouterr().out.splitlines()
    assert "faces detector" in head
    assert [row.split()[1:4] for row in rows[::2]] == [
        ["320x240", "0", "tensormask"],
        ["320x240", "3", "tensormask"],
        ["400x300", "0", "tensormask"],
        ["400x300", "3", "tensormask"],
    ]
    assert all("100.0 % (100.0 %)" in row for row in rows[::2])
    assert "peak memory" in service


def test_a_scene_has_room_for_ten(carphone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", str(carphone), "--faces", "11"]) == 78
    assert "room for 10 people" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("bench clip --sizes 640", "argument --sizes: '' is not a whole number from 64 to 4608"),
        ("bench clip --sizes 640x0", "argument --sizes: '0' is not a whole number from 64 to 4608"),
        ("bench clip --faces many", "argument --faces: 'many' is not a whole number from 0"),
        ("bench clip --faces=-1", "argument --faces: '-1' is not a whole number from 0"),
        ("bench clip --threads 0", "argument --threads: '0' is not a whole number from 1 to 16"),
        ("bench clip --frames 0", "argument --frames: '0' is not a whole number from 1"),
        ("bench clip --frames 1.5", "argument --frames: '1.5' is not a whole number from 1"),
        ("replay clip --fps -5", "argument --fps: '-5' is not a number above 0 and up to 120"),
        ("replay clip --fps nan", "argument --fps: 'nan' is not a number above 0 and up to 120"),
        ("replay clip --fps quick", "argument --fps: 'quick' is not a number above 0"),
    ],
)
def test_numbers_that_mean_nothing_are_refused_in_one_line(
    words: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words.split())
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    "words", ["models", "models show", "--help", "check --config CONFIG --only configuration"]
)
def test_output_that_finds_no_room_is_one_line(words: str, tmp_path: Path) -> None:
    config = tmp_path / "tensormask.toml"
    config.write_text('[mqtt]\nhost = "broker"\n')
    command = [sys.executable, "-m", "edge", *words.replace("CONFIG", str(config)).split()]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == "tensormask: standard output: No space left on device; make room\n"


@pytest.mark.parametrize("address", ["broker:0", "mqtt://broker", "a b"])
def test_a_broker_that_is_none_is_one_line(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["watch", "--broker", address]) == 78
    error = capsys.readouterr().err
    assert f"{address!r} is no broker; give HOST, HOST:PORT or [IPv6]:PORT" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "line",
    ["outbox list --config {}", "outbox --config {} list", "outbox drop --all --yes --config {}"],
)
def test_the_settings_are_named_before_or_behind_an_action(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    file = tmp_path / "none.toml"
    assert main(line.format(file).split()) == 78
    assert f"{file}: No such file" in capsys.readouterr().err


def test_an_option_that_is_none_ends_with_the_usage_of_its_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["replay", "clip.mp4", "--shwo", "seen.mp4"])
    said = capsys.readouterr().err
    assert said.startswith("usage: tensormask replay")
    assert said.rstrip().endswith("; did you mean --show?")


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("statsu", "status"),
        ("models actvate tensormask-4", "activate"),
        ("release rolback", "rollback"),
        ("models fetch yunte", "yunet"),
        ("check --only configuraton", "configuration"),
        ("completion bsh", "bash"),
    ],
)
def test_a_mistyped_word_is_answered_with_the_nearest(
    words: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words.split())
    assert ended.value.code == 2
    assert capsys.readouterr().err.rstrip().endswith(f"; did you mean {meant}?")
    with pytest.raises(SystemExit):
        main(["xyzzy"])
    assert "did you mean" not in capsys.readouterr().err
