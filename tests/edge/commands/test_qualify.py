"""`tensormask qualify` with the real service, before which drawn people come and go."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from edge.cli import main
from edge.config import load_settings
from edge.daemon.visits import VisitsOutlet
from edge.eyes import Qualification, eyes_of_qualification
from edge.history.records import EntryKind
from edge.history.store import HistoryReader
from edge.host.visits import VisitReader
from edge.observers import Observers
from edge.people import PEOPLE
from edge.qualify.dialog import Dialog, Waits
from edge.qualify.known import eyes_of, networks_of
from edge.qualify.store import FILE, SCHEMA, keep_progress
from edge.qualify.walks import Progress, plan
from edge.records import MaskState, Verdict
from tests.clips import QUICK, come_and_gone
from tests.processes import Running
from tests.waiting import DEADLINE_S, until

PORT = 1
"""Nothing listens there."""
_, MASKED, BARE = PEOPLE
RIGHT = {
    MaskState.MASKED: Verdict.MASKED,
    MaskState.BARE: Verdict.BARE,
    MaskState.WORN_WRONGLY: Verdict.WORN_WRONGLY,
}
WAITS = Waits(empty_s=0.3)
"""People come and go faster than at a door."""


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "tensormask.toml"
    path.touch(0o600)
    path.write_text(
        f'[mqtt]\nhost = "127.0.0.1"\nport = {PORT}\n[device]\nid = "door-1"\n'
        f'[camera]\nsource = "{tmp_path}/clip.avi"\nloop = true\n'
        f'[outbox]\npath = "{tmp_path}/outbox.sqlite"\n' + QUICK
    )
    return path


@pytest.fixture
def service(settings: Path, tmp_path: Path) -> Iterator[None]:
    """The service before these people."""
    come_and_gone(tmp_path / "clip.avi", (MASKED, BARE), stay_s=2.0)
    with (tmp_path / "log").open("wb") as log:
        command = [sys.executable, "-m", "edge", "run", "--config", str(settings)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    socket = tmp_path / "visits.sock"
    until(lambda: socket.exists() or process.poll() is not None, "it runs")
    assert socket.exists(), (tmp_path / "log").read_text()
    yield
    process.kill()
    process.wait()


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[None]:
    """What the service says, where nobody comes."""
    outlet = VisitsOutlet(tmp_path / "visits.sock", {"": Observers()})
    outlet.start()
    yield
    outlet.close()


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


@dataclass
class Walker:
    """A terminal at which somebody presses Enter."""

    said: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.said.append(text)

    def ask(self, text: str, meanwhile: Callable[[], None]) -> str:
        meanwhile()
        return ""


def test_people_who_walk_past_are_judged_by_the_service(
    settings: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with_cameras(settings, "door")
    request.getfixturevalue("service")
    progress = begun(settings, left=2)
    walker = Walker()
    keep = lambda new: keep_progress(tmp_path, new)  # noqa: E731
    with closing(VisitReader(tmp_path / "visits.sock")) as ears:
        done = Dialog(walker, ears, keep, "door", waits=WAITS).run(progress).done
    counted = [each.removeprefix("counted: ") for each in walker.said if "counted" in each]
    # The one of the two who comes first.
    assert sorted(counted) == ["1 with a mask", "1 without a mask"], walker.said
    assert all(px > 40 for each in done[54:] for px in each.faces_px)
    kept = msgspec.json.decode((tmp_path / FILE).read_bytes(), type=Progress)
    assert kept.done == done


def test_walks_that_are_done_are_put_on_a_sheet_and_into_the_history(
    settings: Path,
    tmp_path: Path,
    quiet: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SUDO_USER", "ada")
    progress = begun(settings, left=2)
    for verdict in (Verdict.MASKED, Verdict.BARE):
        progress = progress.with_done(plan(is_alone=False)[-1], [verdict], [80.0])
    keep_progress(tmp_path, progress)
    sheet = tmp_path / "sheet.html"
    assert main(["qualify", "--config", str(settings), "--json", "--output", str(sheet)]) == 0
    said = capsys.readouterr()
    assert "going on after walk 56 of 56" in said.err
    qualification = msgspec.json.decode(said.out, type=Qualification)
    assert qualification.is_qualified
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


def talk(settings: Path, answers: bytes) -> Running:
    """Start the command, whose answers come from the test."""
    command = [sys.executable, "-m", "edge", "qualify", "--config", str(settings)]
    running = Running(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert running.stdin is not None
    running.stdin.write(answers)
    running.stdin.flush()
    return running


def test_q_and_the_end_of_the_answers_stop_it_and_keep_the_walks(
    settings: Path, tmp_path: Path, quiet: None
) -> None:
    progress = begun(settings, left=3)
    for answers in (b"what?\nq\n", b""):
        running = talk(settings, answers)
        out, _ = running.communicate(timeout=DEADLINE_S)
        assert running.returncode == 75
        assert "run the same command again" in out.decode()
        assert ("'what?' is none of these" in out.decode()) == bool(answers)
    kept = msgspec.json.decode((tmp_path / FILE).read_bytes(), type=Progress)
    assert kept == progress


def test_an_interrupt_stops_it_and_keeps_the_walks(
    settings: Path, tmp_path: Path, quiet: None
) -> None:
    begun(settings, left=3)
    running = talk(settings, b"")
    assert running.stdout is not None
    said = [running.stdout.readline().decode()]
    while "out of the picture" not in said[-1]:
        said.append(running.stdout.readline().decode())
        assert said[-1], said
    running.send_signal(2)
    out, _ = running.communicate(timeout=DEADLINE_S)
    assert running.returncode == 130
    assert "the walks so far are kept" in out.decode()
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
        (("door", "hall"), "", "say which one you walk past: --camera door or --camera hall"),
        (("door",), "hall", "there is no camera hall; known are door"),
        (("",), "hall", "there is no camera hall; known are only one, without a name"),
    ],
)
def test_it_is_not_guessed_which_camera_is_meant(
    settings: Path,
    capsys: pytest.CaptureFixture[str],
    names: tuple[str, ...],
    asked: str,
    said: str,
) -> None:
    with_cameras(settings, *names)
    camera = ["--camera", asked] if asked else []
    assert main(["qualify", "--config", str(settings), *camera]) == 78
    out, error = capsys.readouterr()
    assert said in error
    assert not out


@pytest.mark.parametrize(
    ("names", "asked"),
    [
        (("door", "hall"), ("--camera", "door")),
        (("door", "hall"), ("--camera", "hall")),
        (("door",), ("--camera", "door")),
        (("door",), ()),
    ],
)
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


def test_a_service_that_does_not_run_is_said(
    settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["qualify", "--config", str(settings)]) == 1
    said = capsys.readouterr()
    assert "the service does not say who comes" in said.err
    assert "tensormask status" in said.err
    assert "56 walks past the camera" in said.out


def test_a_sheet_that_cannot_be_written_loses_no_walk(
    settings: Path, tmp_path: Path, quiet: None, capsys: pytest.CaptureFixture[str]
) -> None:
    begun(settings, left=0)
    assert main(["qualify", "--config", str(settings), "--output", f"{tmp_path}/no/a.html"]) == 1
    assert "all walks are kept: run it again with --output" in capsys.readouterr().err
    output = tmp_path / "a.html"
    arguments = ["qualify", "--config", str(settings), "--output", str(output), "--json"]
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["faults"] == []
    sheet = output.read_text()
    assert main(arguments) == 78  # before anybody walks once more
    assert f"--output: {output} is there already" in capsys.readouterr().err
    assert output.read_text() == sheet
