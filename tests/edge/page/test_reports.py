"""Reports are made by another process: one at a time, given once, and none for ever."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.page import reports as module
from edge.page.reports import KEPT_S, MadeReport, ReportMaker, words_of
from edge.page.wire import ReadReport, SignReport
from tests.fakes import TurnedClock
from tests.waiting import until

DAY, MONTH = ReadReport("day", "2026-11-29"), ReadReport("month", form="pdf")
SAYS_WHAT_IT_WAS_ASKED = """
import sys
words = sys.argv[1:]
(output,) = (each[9:] for each in words if each.startswith("--output="))
open(output, "w").write(" ".join(words))
"""
FAILS = "import sys; sys.exit('tensormask: day 2026-11-29 has not begun yet')"
HANGS = "import time; time.sleep(600)"
LARGE = """
import sys
(output,) = (each[9:] for each in sys.argv if each.startswith("--output="))
open(output, "w").write("x" * 5_000_000)
"""

Open = Callable[[str], ReportMaker]


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def begin(tmp_path: Path, clock: TurnedClock) -> Iterator[Open]:
    opened: list[ReportMaker] = []

    def start(program: str) -> ReportMaker:
        command = (sys.executable, "-c", program)
        opened.append(ReportMaker(tmp_path / "t.toml", tmp_path, clock, command))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


def made(maker: ReportMaker, wanted: ReadReport) -> MadeReport:
    found: list[MadeReport] = []

    def ask() -> bool:
        if (answer := maker.ask(wanted)) is not None:
            found.append(answer)
        return bool(found)

    until(ask, "it is made")
    return found[0]


def test_a_report_is_what_the_command_line_makes(begin: Open, tmp_path: Path) -> None:
    maker = begin(SAYS_WHAT_IT_WAS_ASKED)
    words = made(maker, DAY).content.decode().split()
    assert words[:3] == ["--day", "2026-11-29", "--format=json"]
    assert words[-1] == f"--config={tmp_path / 't.toml'}"
    assert made(maker, MONTH).content.decode().startswith("--month --format=pdf --output=")
    assert list(tmp_path.iterdir()) == [], "nothing is left"


def test_a_shift_a_place_and_a_sign_off_are_words_of_the_command_line() -> None:
    shift = ReadReport("shift", "2026-11-29", shift="early", zone="--config=/etc", camera="hall")
    words = ["--shift", "early", "2026-11-29", "--format=json"]
    words += ["--zone=--config=/etc", "--camera=hall"]
    assert words_of(shift) == words
    digest = "0" * 64
    signed = words_of(SignReport(shift, digest, "page A. Example", "-x"))
    assert signed == [*words, "--sign-off=page A. Example", "--note=-x", f"--sha256={digest}"]


def test_it_is_given_once_and_made_again_when_asked_again(begin: Open) -> None:
    maker = begin(SAYS_WHAT_IT_WAS_ASKED)
    assert made(maker, DAY).content
    assert maker.ask(DAY) is None
    assert made(maker, DAY).content


def test_one_is_made_at_a_time(begin: Open) -> None:
    maker = begin(HANGS)
    assert [maker.ask(each) for each in (DAY, DAY, MONTH)] == [None, None, None]
    until(lambda: maker._process is not None, "it is being made")
    assert [each.name for each in threading.enumerate()].count("report") == 1


def test_what_the_command_line_refuses_is_said_in_a_line(begin: Open) -> None:
    assert made(begin(FAILS), DAY).error == "day 2026-11-29 has not begun yet"


def test_one_that_hangs_is_ended(begin: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT_S", 0.2)
    assert "it took longer than 0 s" in made(begin(HANGS), DAY).error


def test_one_that_is_too_large_is_not_sent(begin: Open) -> None:
    assert "too large for the page" in made(begin(LARGE), DAY).error


def test_what_nobody_fetches_is_forgotten(begin: Open, clock: TurnedClock) -> None:
    maker = begin(SAYS_WHAT_IT_WAS_ASKED)
    maker.ask(DAY)
    until(lambda: bool(maker._made), "it is made")
    maker.tick()
    assert maker._made
    clock.now_s += KEPT_S + 1
    maker.tick()
    assert not maker._made


def test_what_is_being_made_ends_with_the_service(begin: Open) -> None:
    maker = begin(HANGS)
    maker.ask(DAY)
    until(lambda: maker._process is not None, "it is being made")
    process = maker._process
    assert process is not None
    maker.close()
    until(lambda: process.poll() is not None, "it has ended")
    until(lambda: (answer := maker.ask(DAY)) is not None and bool(answer.error), "it is said")
