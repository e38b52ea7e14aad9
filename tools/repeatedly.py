# ruff: noqa: T201 - a command line module
"""Runs the tests repeatedly under load, as a script in the background does: which fail?

    make test-repeatedly TIMES=10 MINUTES=120 ARGS=tests/broker

Each run ignores SIGINT, and shares each processor with a busy loop. Prints at the end how often
which test failed, and with which message.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

from tests.processes import ROOT, Guardian

_LOAD = "while :; do :; done"
_IN_BACKGROUND = ("sh", "-c", "trap '' INT; exec \"$@\"", "sh")
_WORDS = 90


def main() -> int:
    parser = argparse.ArgumentParser(prog="make test-repeatedly", description=__doc__)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=120, help="no run begins later")
    parser.add_argument("arguments", nargs="*", help="for pytest")
    options = parser.parse_args()
    guardian = Guardian()
    until_s = time.monotonic() + 60 * options.minutes
    failures: dict[str, list[str]] = defaultdict(list)
    runs = 0
    with tempfile.TemporaryDirectory() as folder, _busy():
        while runs < options.times and time.monotonic() < until_s:
            begun_s = time.monotonic()
            found, status = run(Path(folder) / f"{runs}.xml", options.arguments)
            runs += 1
            for name, words in found:
                failures[name].append(words)
            took_s = time.monotonic() - begun_s
            print(f"run {runs}: {len(found)} failed, {took_s:.0f} s, status {status}", flush=True)
    guardian.end()
    print(f"\n{runs} runs" + ("" if failures else ", and nothing failed"))
    for name, said in sorted(failures.items(), key=lambda each: (-len(each[1]), each[0])):
        print(f"{len(said):4} of {runs}  {name}")
        for words in dict.fromkeys(said):
            print(f"{'':12}{words[:_WORDS]}")
    return 1 if failures or not runs else 0


@contextmanager
def _busy() -> Iterator[None]:
    """Keep each processor busy, as kindly as the tests run."""
    loops = [subprocess.Popen(["sh", "-c", _LOAD]) for _ in range(os.cpu_count() or 1)]
    yield
    for loop in loops:
        loop.kill()
        loop.wait()


def run(report: Path, arguments: Sequence[str]) -> tuple[list[tuple[str, str]], int]:
    """Return the name of each test that failed in one run, with its message; and the status."""
    pytest = (sys.executable, "-m", "pytest", f"--junitxml={report}", "-p", "no:cacheprovider")
    done = subprocess.run(
        [*_IN_BACKGROUND, *pytest, *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    failures = list(failed(report)) if report.exists() else []
    if done.returncode and not failures:
        failures.append(("the run itself", f"status {done.returncode}: {done.stdout[-2000:]}"))
    return failures, done.returncode


def failed(report: Path) -> Iterator[tuple[str, str]]:
    """Yield the tests that a report in JUnit's form says have failed, and their messages."""
    for test in ElementTree.parse(report).iter("testcase"):
        for trouble in (*test.findall("failure"), *test.findall("error")):
            name = f"{test.get('classname', '')}::{test.get('name')}"
            yield name, " ".join((trouble.get("message") or "").split())


if __name__ == "__main__":
    sys.exit(main())
