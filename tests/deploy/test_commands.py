"""The documents' links, and their commands: those that stand apart, and our own in sentences.

Each is run by a test, or it is said here why not.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from convert.arguments import build_parser as build_convert_parser
from edge.commands.parser import build_parser

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "deploy").rglob("*.md"),
    ]
)
RUN = {
    "make demo": "tests/deploy/test_demo.py",
    "make train": "tests/convert/test_end_to_end.py",
    "make report": "tests/convert/report/test_report.py",
    "make bench": "tests/tools/test_baseline.py",
    "make test-repeatedly": "tests/tools/test_repeatedly.py",
    "make help": "tests/deploy/test_makefile.py",
    "make lock": "tests/deploy/test_lock.py",
    "make schemas": "tests/edge/publish/test_messages.py",
    "make venv": "tests/deploy/test_venv.py",
    "make soak": "tests/tools/test_soak.py",
    "make memory": "tests/tools/test_memory.py",
    "make dashboard": "tests/deploy/test_prometheus.py",
    "python -m convert": "tests/convert/test_end_to_end.py",
    "python -m convert detector": "tests/convert/detector/test_training.py",
    "deploy/install.sh": "tests/systemd/test_upgrade.py",
    "deploy/uninstall.sh": "tests/systemd/test_install.py",
    "deploy/venv.sh": "tests/deploy/test_venv.py",
    "deploy/mosquitto/certificates.sh": "tests/broker/test_mosquitto_example.py",
    "make collection": "tests/deploy/test_collection.py",
    "ansible-galaxy": "tests/deploy/test_collection.py",
    "python3 deploy/users.py": "tests/deploy/test_users.py",
    "python -m deploy.receiver": "tests/deploy/test_receiver.py",
    "tensormask bench": "tests/edge/test_cli.py",
    "tensormask check": "tests/systemd/test_check.py",
    "tensormask doctor": "tests/systemd/test_doctor.py",
    "tensormask forget": "tests/broker/test_retained.py",
    "tensormask models": "tests/systemd/test_releases.py",
    "tensormask password": "tests/edge/commands/test_password.py",
    "tensormask notify": "tests/edge/commands/test_notify.py",
    "tensormask outbox": "tests/edge/commands/test_outbox.py",
    "tensormask release": "tests/systemd/test_releases.py",
    "tensormask replay": "tests/edge/commands/test_replay.py",
    "tensormask man": "tests/edge/commands/test_manual.py",
    "tensormask completion": "tests/edge/commands/test_manual.py",
    "tensormask run": "tests/edge/test_process.py",
    "tensormask report": "tests/edge/commands/test_report.py",
    "tensormask history": "tests/edge/commands/test_history.py",
    "tensormask alerts": "tests/systemd/test_people.py",
    "tensormask acknowledge": "tests/systemd/test_people.py",
    "tensormask rule": "tests/systemd/test_people.py",
    "tensormask qualify": "tests/edge/commands/test_qualify.py",
    "tensormask sight": "tests/systemd/test_people.py",
    "tensormask status": "tests/systemd/test_doctor.py",
    "tensormask watch": "tests/broker/test_watch.py",
    "systemctl": "tests/systemd/test_service.py",
    "journalctl": "tests/systemd/test_service.py",
    "mosquitto_sub": "tests/systemd/test_service.py",
}
"""By how a command begins: the test that runs it, or what it calls."""
NOT_RUN = {
    "make test": "runs the tests",
    "make check": "CI runs it",
    "make arm64": "a target of its own: an hour under emulation",
    "make arm64-counts": "a target of its own, with a plugin of qemu",
    "make home-assistant": "a target of its own, with two versions of Home Assistant",
    "make gate": "a target of its own, with pictures that are not here",
    "make node-red": "a target of its own, with what npm fetches",
    "make prometheus": "a target of its own, with a real Prometheus",
    "make integrations-test": "as above, and all others of its kind",
    "make camera-test": "a target of its own, with libcamera and its virtual cameras",
    "make herd": "a target of its own, with a hundred devices",
    "make wear": "a target of its own, with a disk of its own",
    "make clusters": "a target of its own: half an hour, with six brokers",
    "make fleet": "a target of its own, with a thousand devices",
    "make fleet-test": "a target of its own, with three machines",
    "make controller": "part of make check",
    "make pack": "part of make fleet-test",
    "make street": "a target of its own, with pictures that are not here",
    "make heads": "as above",
    "make crowd": "as above",
    "make coverage": "a target of its own; tests/tools/test_coverage.py has a small one",
    "make month": "a target of its own; tests/tools/test_month.py lives through two days",
    "make sight": "a target of its own, with pictures that are not here",
    "make extras": "a target of its own: some minutes of measuring",
    "make two-cameras": "a target of its own: some minutes of measuring",
    "make viewers": "a target of its own, with twenty viewers",
    "make systemd-test": "runs the tests of systemd, those marked thorough included",
    "make convert-test": "runs the tests of the conversion, those marked thorough included",
    "make installed-test": "a target of its own, with two Debian releases",
    "make installed-essential": "CI runs it",
    "ansible-playbook": "make fleet-test runs each playbook",
    "git": "fetches what is tested",
    "cd": "leads to what is tested",
    "apt-get": "the distribution's, with packages that .ci/run and install.sh install",
    "install": "puts a file of the example into place; the test takes it where it is",
    "cp": "as above",
    "rm": "as above",
    "sed": "as above",
    "sudoedit": "opens an editor",
    "for": "makes passwords by chance",
    "createdb": "the test makes its own",
    "sqlite3": "a backup by SQLite's own shell",
    "psql": "the test lays the same schema by the driver",
    "rabbitmq-plugins": "make clusters has its own way to begin a node",
    "nats-server": "make clusters runs it",
    "rpicam-hello": "needs a Pi",
    "ffprobe": "needs a camera",
    "chromium": "needs a screen; the installed box shows it in tests/installed/sign.py",
    "curl": "the installed box answers it in tests/installed/metrics.py",
    "openssl": "makes a token by chance",
    "echo": "makes a secret by chance",
    "jq": "part of a line that tests/broker/test_shell_recipes.py runs",
    "while": "as above",
    "[": "as above",
    "last=$event": "as above",
}
"""By how a command begins: why no test of the suite runs it."""
WHAT_MAKE_TAKES = re.compile(r"\b[A-Z][A-Z_]+(?==)")


_INLINE = re.compile(
    r"`(?:sudo )?((?:tensormask|make|python -m convert|deploy/\w+\.sh) [a-z][^`]*)`"
)
"""One in a sentence."""


def _blocks(document: Path) -> Iterator[str]:
    """Return the lines of a document that are commands."""
    is_fenced, language, paragraph_before = False, "", False
    for line in document.read_text().splitlines():
        if line.startswith("```"):
            is_fenced, language = not is_fenced, line[3:]
        elif is_fenced and language == "sh":
            yield line
        elif is_fenced and not language and line.startswith("$ "):
            yield line[2:]
        elif not is_fenced and line.startswith("    ") and not paragraph_before:
            yield line[4:]
            continue
        paragraph_before = bool(line) and not is_fenced and not line.startswith("```")


def _commands(lines: Iterable[str]) -> Iterator[str]:
    """Return each single one, without sudo, variables and comments."""
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        bare = re.sub(r"(^|\s)#.*", "", line).strip().replace("$part", "test")
        for part in bare.split(" && "):
            command = re.sub(
                r"^(\(umask 077; )?(sudo (-u \w+ )?)?([A-Z_]+=\S+ )*(\S*/?\.venv[\w-]*/bin/)?",
                "",
                part.strip(),
            )
            if command not in ("", "done"):
                yield command


MAKEFILE = (ROOT / "Makefile").read_text()
WRITTEN = sorted({(each, command) for each in DOCUMENTS for command in _commands(_blocks(each))})
"""To be typed as they are."""
MENTIONED = sorted(
    {
        (each, command)
        for each in DOCUMENTS
        for command in _commands(_INLINE.findall(" ".join(each.read_text().split("\n"))))
    }
)
"""In a sentence: what they work on may be left out."""


ALL = WRITTEN + MENTIONED


def _named(command: str) -> str | None:
    """Return the longest beginning of it that is known here."""
    known = [each for each in (*RUN, *NOT_RUN) if f"{command} ".startswith(f"{each} ")]
    return max(known, key=len, default=None)


def test_every_command_is_run_by_a_test_or_it_is_said_why_not() -> None:
    unknown = [
        f"{each.relative_to(ROOT)}: {command}" for each, command in ALL if not _named(command)
    ]
    assert unknown == []
    known = {_named(command) for _, command in ALL}
    assert [each for each in (*RUN, *NOT_RUN) if each not in known] == [], "in no document any more"


def _evidence(beginning: str) -> Iterator[str]:
    """Return patterns of which a test that runs it has one."""
    first, *words = beginning.split()
    if first == "make":
        recipe = re.search(rf"^{words[0]}:.*\n((\t.*\n)*)", MAKEFILE, re.MULTILINE)
        assert recipe is not None
        yield f'"{words[0]}"'
        for script in re.findall(r"[\w-]+\.sh", recipe[1]):
            yield re.escape(script)
        if "$(CONVERT)" in recipe[1]:
            yield r"from convert\b"
        for module in re.findall(r"-m ([\w.]+)", recipe[1]):
            package, _, name = module.rpartition(".")
            yield rf"\b{re.escape(module)}\b|from {re.escape(package)} import .*\b{name}\b"
    elif first == "tensormask":
        yield rf"[\"']{words[0]}[\"']|import .*\b{words[0]}\b"
    elif first.startswith("python"):
        yield rf"\b{re.escape(words[-1].removesuffix('.py').replace('/', '.'))}\b"
    else:
        yield re.escape(first.rpartition("/")[2])


@pytest.mark.parametrize("beginning", RUN)
def test_the_test_is_there_and_names_what_it_runs(beginning: str) -> None:
    text = (ROOT / RUN[beginning]).read_text()
    evidence = list(_evidence(beginning))
    assert any(re.search(each, text) for each in evidence), evidence


def _alternatives(command: str) -> Iterator[str]:
    """`a|b [--c]` is `a`, `b`, `a --c` and `b --c`."""
    for one in {re.sub(r" ?\[[^]]*\]", "", command), re.sub(r"[\[\]]", "", command)}:
        words = one.split()
        choices = max((word.count("|") for word in words), default=0) + 1
        for choice in range(choices):
            yield " ".join(word.split("|")[min(choice, word.count("|"))] for word in words)


def _ours(found: Iterable[tuple[Path, str]]) -> list[str]:
    commands = {command for _, command in found}
    return sorted(
        each for each in commands if each.startswith(("tensormask ", "python -m convert"))
    )


def _parse(command: str) -> None:
    is_convert = command.startswith("python")
    parser = build_convert_parser() if is_convert else build_parser()
    for each in _alternatives(re.split(r" [<>|] ?\S", command)[0]):
        words = shlex.split(each)[3 if is_convert else 1 :]
        if "--help" not in words:
            parser.parse_args(words)


@pytest.mark.parametrize("command", _ours(WRITTEN))
def test_our_own_commands_are_taken_as_they_are_written(command: str) -> None:
    _parse(command)


@pytest.mark.parametrize("command", _ours(MENTIONED))
def test_commands_in_a_sentence_lack_at_most_what_they_work_on(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        _parse(command)
    except SystemExit:
        assert re.search(r"argument\S* .*required", capsys.readouterr().err)


def test_make_knows_its_targets_and_variables() -> None:
    for document, command in ALL:
        if command.startswith("make "):
            target = command.split()[1]
            assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), (document, command)
            for name in WHAT_MAKE_TAKES.findall(command):
                assert re.search(rf"\b{name}\b", MAKEFILE), (document, command)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda each: str(each.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    lost = []
    for link in re.findall(r"\]\(([^)\s]+)\)|<(https?://[^>]+)>", document.read_text()):
        target = link[0] or link[1]
        if re.match(r"https?://", target):
            continue
        path, _, anchor = unquote(target).partition("#")
        file = (document.parent / path).resolve() if path else document
        if not file.exists() or (anchor and anchor not in _anchors(file)):
            lost.append(target)
    assert lost == []


def _anchors(document: Path) -> set[str]:
    """Return the names that GitHub gives to headings."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", each) for each in headings]
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in plain}
