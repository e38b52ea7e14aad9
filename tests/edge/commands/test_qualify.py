"""`tensormask qualify` with the real service, before which drawn people come and go."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from edge.cli import main
from edge.config import load_settings
from edge.eyes import Qualification, eyes_of_qualification
from edge.history.records import EntryKind
from edge.history.store import HistoryReader
from edge.people import PEOPLE, frames
from edge.qualify.known import eyes_of, networks_of
from edge.qualify.store import FILE, SCHEMA, keep_progress
from edge.qualify.walks import Progress, plan
from edge.records import MaskState, Pixels, Verdict
from tests.broker.conftest import free_port
from tests.edge.capture.fakes import write_clip
from tests.processes import Running
from tests.waiting import DEADLINE_S, until

FPS = 10
_, MASKED, BARE = PEOPLE
RIGHT = {
    MaskState.MASKED: Verdict.MASKED,
    MaskState.BARE: Verdict.BARE,
    MaskState.WORN_WRONGLY: Verdict.WORN_WRONGLY,
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clip in which a person with a mask comes for four seconds, and later one without."""

    def small(picture: Pixels) -> Pixels:
        return np.asarray(cv2.resize(picture, (640, 360), interpolation=cv2.INTER_AREA), np.uint8)

    (nobody,) = (small(each) for each in frames(1, FPS, ()))
    pictures: list[Pixels] = []
    for person in (MASKED, BARE):
        pictures += [nobody] * 8 * FPS
        pictures += [small(each) for each in frames(4 * FPS, FPS, (person,))]
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.avi", pictures, FPS)


@pytest.fixture
def settings(tmp_path: Path, clip: Path) -> Path:
    path = tmp_path / "tensormask.toml"
    path.touch(0o600)
    path.write_text(
        f'[mqtt]\nhost = "127.0.0.1"\nport = {free_port()}\n[device]\nid = "door-1"\n'
        f'[camera]\nsource = "{clip}"\nloop = true\n[outbox]\npath = "{tmp_path}/outbox.sqlite"\n'
        "[tracker]\nstill_missed_s = 1.5\n"
    )
    return path


@pytest.fixture
def service(settings: Path, tmp_path: Path) -> Iterator[None]:
    with (tmp_path / "log").open("wb") as log:
        command = [sys.executable, "-m", "edge", "run", "--config", str(settings)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    socket = tmp_path / "visits.sock"
    until(lambda: socket.exists() or process.poll() is not None, "it runs")
    assert socket.exists(), (tmp_path / "log").read_text()
    yield
    process.kill()
    process.wait()


def begun(settings: Path, left: int) -> Progress:
    """Keep all walks but the last as done, and judged right; return it."""
    walks = plan(is_alone=False)
    progress = Progress(
        SCHEMA, datetime.now(UTC).timestamp(), networks_of(load_settings(settings)), is_alone=False
    )
    for walk in walks[: len(walks) - left]:
        progress = progress.with_done(walk, [RIGHT[walk.state]] * walk.people, [80.0] * walk.people)
    keep_progress(settings.parent, progress)
    return progress


class Conversation:
    """The command, as a process whose answers come from the test."""

    def __init__(self, settings: Path, *options: str) -> None:
        self._said = settings.parent / "said"
        command = [sys.executable, "-m", "edge", "qualify", "--config", str(settings), *options]
        with self._said.open("wb") as said:
            self.process = Running(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said,
                env=os.environ | {"SUDO_USER": "ada"},
            )  # fmt: skip
        self._answered = 0

    @property
    def said(self) -> str:
        return self._said.read_text()

    def answer(self, question: str, answer: str = "") -> None:
        """Wait until something new that is said ends a question, and answer it."""

        def is_asked() -> bool:
            return question in self.said[self._answered :] or self.process.poll() is not None

        until(is_asked, question)
        assert question in self.said[self._answered :], self.said
        self._answered = len(self.said)
        assert self.process.stdin is not None
        self.process.stdin.write(f"{answer}\n".encode())
        self.process.stdin.flush()

    def end(self) -> tuple[int, str]:
        out, _ = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, out.decode()


def test_walks_are_counted_by_the_service_kept_and_put_on_a_sheet(
    settings: Path, tmp_path: Path, service: None
) -> None:
    begun(settings, left=2)
    sheet = tmp_path / "sheet.html"
    talk = Conversation(settings, "--json", "--output", str(sheet))
    for _ in range(2):
        talk.answer("out of the picture")
        talk.answer("done as asked?")
    status, out = talk.end()
    assert "going on after walk 54 of 56" in talk.said
    counted = re.findall(r"^counted: (.*)$", talk.said, re.MULTILINE)
    # Whoever of the two comes first.
    assert sorted(counted) == ["1 with a mask", "1 without a mask"], talk.said
    qualification = msgspec.json.decode(out, type=Qualification)
    assert (status, qualification.is_qualified) == (0, True)
    rows = {each.state: each for each in qualification.people}
    assert rows[MaskState.MASKED].masked == rows[MaskState.BARE].bare == 30
    wrongly = rows[MaskState.WORN_WRONGLY]
    assert (wrongly.shown, wrongly.masked, wrongly.bare, wrongly.worn_wrongly) == (6, 1, 1, 4)
    assert "QUALIFIED: all criteria are met." in sheet.read_text()
    with HistoryReader(tmp_path / "history.sqlite") as reader:
        entries = reader.journal(datetime(1970, 1, 1, tzinfo=UTC), datetime.now(UTC))
    (entry,) = (each for each in entries if each.kind is EntryKind.QUALIFIED)
    assert entry.by == "ada"
    eyes = eyes_of(load_settings(settings))
    assert eyes is not None
    assert eyes == eyes_of_qualification(entry.text, qualification.networks)
    assert eyes.masked[0].right == 30
    assert not (tmp_path / FILE).exists()


def test_a_walk_that_is_repeated_and_one_that_is_stopped_are_kept(
    settings: Path, tmp_path: Path, service: None
) -> None:
    progress = begun(settings, left=3)
    talk = Conversation(settings, "--json")
    talk.answer("out of the picture")
    talk.answer("done as asked?", "r")
    talk.answer("out of the picture", "q")
    assert talk.end()[0] == 1
    assert "run the same command again" in talk.said
    kept = msgspec.json.decode((tmp_path / FILE).read_bytes(), type=Progress)
    assert (kept.done, kept.repeated) == (progress.done, 1)


def test_the_end_of_the_answers_and_an_interrupt_stop_it_and_keep_the_walks(
    settings: Path, tmp_path: Path, service: None
) -> None:
    begun(settings, left=3)
    talk = Conversation(settings, "--json")
    assert talk.end()[0] == 1, "standard input has ended"
    talk = Conversation(settings, "--json")
    until(lambda: "out of the picture" in talk.said, "it asks")
    talk.process.send_signal(2)
    assert talk.end()[0] == 130
    assert "the walks so far are kept" in talk.said
    assert (tmp_path / FILE).exists()


def with_cameras(settings: Path, *names: str) -> None:
    """Have the settings name these cameras; of one, `[camera]` has the name."""
    head, rest = settings.read_text().split("[camera]\n")
    source, rest = rest.split("[outbox]")
    tables = [f'[[camera]]\nname = "{each}"\nsource = "{each}.mp4"\n' for each in names]
    if len(names) == 1:
        tables = [f'[camera]\n{source}name = "{names[0]}"\n']
    settings.write_text(f"{head}{''.join(tables)}[outbox]{rest}")


@pytest.mark.parametrize(
    ("names", "asked", "said"),
    [
        (("door", "hall"), "hal", "there is no camera hal; known are door, hall"),
        (("door", "hall"), "hall", "qualify follows the first camera only, door"),
        (("door",), "hall", "there is no camera hall; known are door"),
        (("",), "hall", "there is no camera hall; known are only one, without a name"),
    ],
)
def test_a_camera_that_is_not_followed_is_refused(
    settings: Path,
    capsys: pytest.CaptureFixture[str],
    names: tuple[str, ...],
    asked: str,
    said: str,
) -> None:
    with_cameras(settings, *names)
    assert main(["qualify", "--config", str(settings), "--camera", asked]) == 78
    out, error = capsys.readouterr()
    assert said in error
    assert not out


@pytest.mark.parametrize("names", [("door", "hall"), ("door",)])
@pytest.mark.parametrize("asked", [(), ("--camera", "door")])
def test_what_was_begun_without_a_camera_begins_again_at_the_named_one(
    settings: Path,
    capsys: pytest.CaptureFixture[str],
    names: tuple[str, ...],
    asked: tuple[str, ...],
) -> None:
    with_cameras(settings, *names)
    begun(settings, left=2)
    assert main(["qualify", "--config", str(settings), *asked]) == 1
    said = capsys.readouterr()
    assert "was begun at another camera, so it begins again" in said.out
    assert "the service does not say who comes" in said.err


def test_the_visits_of_an_only_camera_with_a_name_count(
    settings: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with_cameras(settings, "door")
    request.getfixturevalue("service")
    progress = msgspec.structs.replace(begun(settings, left=1), camera="door")
    keep_progress(tmp_path, progress)
    talk = Conversation(settings, "--json", "--output", str(tmp_path / "sheet.html"))
    talk.answer("out of the picture")
    talk.answer("done as asked?")
    _, out = talk.end()
    assert "counted: 1 with" in talk.said, talk.said
    assert json.loads(out)["camera"] == "door"


def test_a_service_that_does_not_run_is_said(
    settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["qualify", "--config", str(settings)]) == 1
    said = capsys.readouterr()
    assert "the service does not say who comes" in said.err
    assert "tensormask status" in said.err
    assert "56 walks past the camera" in said.out


def test_a_sheet_that_cannot_be_written_loses_no_walk(
    settings: Path, tmp_path: Path, service: None, capsys: pytest.CaptureFixture[str]
) -> None:
    begun(settings, left=0)
    assert main(["qualify", "--config", str(settings), "--output", f"{tmp_path}/no/a.html"]) == 1
    assert "all walks are kept: run it again with --output" in capsys.readouterr().err
    output = tmp_path / "a.html"
    arguments = ["qualify", "--config", str(settings), "--output", str(output), "--json"]
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["faults"] == []
    assert output.exists()
