"""From a checkout to the first message, another release and away, as the documents say it.

One machine, from which nothing is expected but Debian; the tests follow each other. What stands in
README.md, docs/quickstart.md and docs/operating.md is typed as it stands there.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge.commands.status import JUST_STARTED_S
from tests.installed.lab.box import OWNER, SETTINGS, UNIT, Box, furnish
from tests.installed.lab.camera import URL, Camera
from tests.installed.lab.roots import Root
from tests.installed.lab.street import Street
from tests.installed.lab.visitor import expect_alerts_there, expect_live, open_page
from tests.systemd.machine import Machine, says_all_is_well, wait_until

if TYPE_CHECKING:
    from tests.installed.conftest import Start

pytestmark = pytest.mark.timeout(1200)

ROOT = Path(__file__).resolve().parents[2]
REPOSITORY = "/srv/tensormask.git"
CHECKOUT = f"/home/{OWNER}/tensormask"
WATCHED = "/etc /opt /root /srv /usr /var/lib /home /boot"
"""Where an installation might leave something."""
NOT_OURS = (
    r"/(systemd|dbus|apt|dpkg|mosquitto|sudo|python3|man-db|\.cache|__pycache__|lastlog)(/|$)"
)
OURS = ("/srv/heard", "/srv/answers", "/srv/asks.py")
"""What these tests leave there."""
ENABLES_PAGE = (
    r"sudo sed -i 's/^#\[page\]/[page]/; "
    rf"/^\[page\]/,/enabled/ s/^#enabled = false/enabled = true/' {SETTINGS}"
)
STAYS = (
    "/etc/tensormask",
    "/var/lib/tensormask",
)
"""docs/operating.md: settings and outbox stay, unless they are purged."""
INSTALL_S = 900
ANSWERS = "/srv/answers"
ASKS = """
import time, urllib.error, urllib.request
while True:
    try:
        print(urllib.request.urlopen("http://localhost:8080/health", timeout=60).status)
    except urllib.error.HTTPError as error:
        print(error.code)
    except OSError as error:
        print(error)
    time.sleep(0.1)
"""
"""Asks the page repeatedly, as an open browser would."""


@pytest.fixture(scope="module")
def street() -> Iterator[Street]:
    with Street() as street:
        yield street


@pytest.fixture(scope="module")
def home(
    root: Root, release: Path, street: Street, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Box]:
    """A machine without TensorMask, with a camera in its network, and a mirror of the packages."""
    with ExitStack() as stack:
        camera = stack.enter_context(Camera(street, tmp_path_factory.mktemp("scenes")))
        name = f"home-{os.getpid()}-{root.release}"
        machine = stack.enter_context(
            Machine(tmp_path_factory.mktemp("home"), name, network=street.box, lower=root.path)
        )
        machine.copy(release / "wheels", "/usr/src/wheels")
        # A registry cannot be reached from here; what this machine's root says of one counts not.
        machine.install("rm", "-rf", "/root/.config/pip")
        machine.write("/etc/pip.conf", "[global]\nno-index = true\nfind-links = /usr/src/wheels\n")
        repository = tmp_path_factory.mktemp("repository")
        commit(repository, "as it is here")
        repository.chmod(0o755)  # pytest's folders are for its own user
        machine.copy(repository, REPOSITORY)
        furnish(machine)
        machine.boot()
        yield Box(machine, street, camera)


def commit(repository: Path, version: str) -> None:
    """Make the tree as it is here, uncommitted changes too, the head of a repository."""
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard", "-z"],
        capture_output=True,
        check=True,
    ).stdout.split(b"\0")
    for name in filter(None, map(os.fsdecode, listed)):
        source, target = ROOT / name, repository / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    identity = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
    for words in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-q", "-m", version)):
        subprocess.run(["git", "-C", repository, *identity, *words], check=True)


def files(box: Box) -> set[str]:
    """Return what lies where an installation might leave something."""
    found = box.machine.run(
        "find", *WATCHED.split(), "-xdev", "!", "-path", f"/home/{OWNER}/*", check=False
    )
    return {line for line in found.stdout.splitlines() if not re.search(NOT_OURS, line)}


@pytest.fixture(scope="module")
def before(home: Box) -> set[str]:
    return files(home)


def test_git_clone_and_install_sh_are_all_it_takes(home: Box, before: set[str]) -> None:
    assert not any("tensormask" in each for each in before if not each.startswith(REPOSITORY))
    home.by(OWNER, "sudo apt-get install mosquitto mosquitto-clients", check=True)
    home.by(OWNER, "sudo apt-get install git", check=True)
    trust = "git config --global --add safe.directory '*'"
    home.by(OWNER, f"{trust}; git clone -q {REPOSITORY} tensormask", check=True)
    install = f"sudo deploy/install.sh --broker localhost --source '{URL}'"
    answer = home.by(OWNER, f"cd tensormask && {install}", timeout_s=INSTALL_S)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    # Five lines with ok, and at last that the service runs.
    for part in ("configuration", "model", "detector", "camera", "broker"):
        assert re.search(rf"{part} +ok", answer.stdout), answer.stdout
    assert "No such file" not in answer.stdout + answer.stderr
    assert "running" in answer.stdout.splitlines()[-1]
    assert URL.rpartition("@")[0].rpartition(":")[2] not in answer.stdout + answer.stderr


def test_is_it_well(home: Box) -> None:
    home.until_well()
    if home.telemetry()["uptime_s"] < JUST_STARTED_S / 2:
        assert "hint     started " in home.by(OWNER, "tensormask status").stdout
    wait_until(lambda: home.telemetry()["uptime_s"] > JUST_STARTED_S, 30, "it knows how it does")
    answer = home.by(OWNER, "tensormask status")
    assert answer.returncode == 0, answer.stderr
    assert says_all_is_well(answer.stdout), answer.stdout
    doctor = home.by(OWNER, "sudo tensormask doctor")
    assert doctor.returncode == 0, doctor.stdout


def test_look_through_it(home: Box, chromium: Start) -> None:
    """Step 5: the section of the example is made to count, by an editor."""
    home.by(OWNER, ENABLES_PAGE, check=True)
    applied = "sudo tensormask check && sudo systemctl restart tensormask"
    answer = home.by(OWNER, applied, timeout_s=120)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    home.camera.show("bare")
    browser = chromium(home.street, home.street.box)
    page = browser.new_page()
    open_page(page, "http://localhost:8080")
    expect_live(page, 1)
    expect_alerts_there(page, 1)
    home.camera.show("nobody")
    expect_alerts_there(page, 0)
    browser.close()


def test_subscribe(home: Box) -> None:
    """Step 8."""
    listen = "mosquitto_sub -h localhost -t 'tensormask/+/violation' -C 2 -W 60"
    home.machine.run("systemd-run", "--unit=hear", "--property=StandardOutput=append:/srv/heard",
                     "sh", "-c", listen)  # fmt: skip
    home.camera.show("bare")
    wait_until(lambda: len(_heard(home)) == 1, 40, "one message")
    home.camera.show("nobody")
    wait_until(lambda: len(_heard(home)) == 2, 40, "and once more")
    assert [each["state"] for each in _heard(home)] == ["confirmed", "ended"]


def _heard(box: Box) -> list[dict[str, object]]:
    lines = box.machine.run("cat", "/srv/heard", check=False).stdout.splitlines()
    return [json.loads(line) for line in lines]


def test_installing_again_changes_nothing(home: Box) -> None:
    pid = home.show("MainPID")
    answer = home.by(OWNER, f"cd {CHECKOUT} && sudo deploy/install.sh", timeout_s=INSTALL_S)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert home.show("MainPID") == pid


def test_a_release_proves_itself_to_everybody(home: Box) -> None:
    answer = home.by("visitor", "tensormask release prove", timeout_s=300)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith("3 of 3 drawn people were found and judged as drawn, by ")
    # Whatever the present release could do: what is asked of another one is that it can fail.
    blind = "sudo sh -c 'mkdir /srv/blind && ln -s /nowhere /srv/blind/bundle'"
    home.by(OWNER, blind, check=True)
    answer = home.by("visitor", "tensormask release prove --models /srv/blind", timeout_s=300)
    home.by(OWNER, "sudo rm -r /srv/blind", check=True)
    assert answer.returncode == 65, answer.stdout + answer.stderr


def _current(box: Box) -> str:
    return box.machine.output("readlink", "-f", "/opt/tensormask/current").rpartition("/")[2]


def _example(box: Box) -> str:
    """Return the commented settings, as somebody reads them who looks for a key."""
    return box.machine.output("cat", f"{SETTINGS}.example")


def _settle(box: Box) -> None:
    """Let a trial be as short as it may be, and the page enabled whatever was tried before."""
    box.by(OWNER, ENABLES_PAGE, check=True)
    box.by(OWNER, rf"sudo sed -i 's/^#\[release\]/[release]/; s/^#trial_s = .*/trial_s = 10/' "
                  f"{SETTINGS} && sudo systemctl restart tensormask", check=True)  # fmt: skip
    box.until_well()


def test_another_release_is_on_trial_kept_and_left(home: Box) -> None:
    _settle(home)
    first = _current(home)
    home.machine.write("/srv/asks.py", ASKS)
    to_file = f"--property=StandardOutput=append:{ANSWERS}"
    home.machine.run("systemd-run", "--unit=asks", to_file, "python3", "-u", "/srv/asks.py")
    another = "echo '# another' | tee -a edge/version.py >>deploy/tensormask.toml"
    home.by(OWNER, f"cd {CHECKOUT} && {another}", check=True)
    answer = home.by(OWNER, f"cd {CHECKOUT} && sudo deploy/install.sh", timeout_s=INSTALL_S)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    second = _current(home)
    assert second != first
    waited = home.by(OWNER, "sudo tensormask release wait", timeout_s=300)
    assert waited.returncode == 0, waited.stdout + waited.stderr
    home.machine.run("systemctl", "stop", "asks")
    answers = home.machine.output("sort", "-u", ANSWERS).splitlines()
    assert {"200"} <= {*answers} <= {"200", "503"}, answers
    shown = home.by("visitor", "tensormask release")
    assert shown.returncode == 0
    assert second in shown.stdout
    assert _example(home).endswith("# another")
    home.until_well()
    home.by(OWNER, "sudo tensormask release rollback", check=True)
    assert _current(home) == first
    assert not _example(home).endswith("# another")
    home.until_well()
    home.by(OWNER, f"sudo tensormask release activate {second} --again", check=True)
    home.by(OWNER, "sudo tensormask release wait", check=True, timeout_s=300)
    assert _current(home) == second


@pytest.mark.thorough
def test_a_release_that_crashes_is_undone(home: Box) -> None:
    good = _current(home)
    crash = "raise RuntimeError('a bad release')"
    home.by(OWNER, f'cd {CHECKOUT} && echo "{crash}" >>edge/daemon/lookout.py', check=True)
    home.by(OWNER, f"cd {CHECKOUT} && sudo deploy/install.sh", timeout_s=INSTALL_S)
    waited = home.by(OWNER, "sudo tensormask release wait", timeout_s=300)
    assert _current(home) == good
    assert waited.returncode in {0, 1}
    home.until_well()


def test_uninstalling_leaves_what_is_documented(home: Box, before: set[str]) -> None:
    home.by(OWNER, f"sudo {CHECKOUT}/deploy/uninstall.sh", check=True, timeout_s=120)
    left = {each for each in files(home) - before if not each.startswith(OURS)}
    assert {each for each in left if not each.startswith(STAYS)} == set()
    assert any(each.startswith("/etc/tensormask/") for each in left)
    assert any(each.startswith("/var/lib/tensormask/outbox") for each in left)
    retained = "mosquitto_sub -h localhost -t 'tensormask/#' --retained-only -W 2"
    assert home.by("root", f"timeout 5 {retained}").stdout == ""
    units = home.machine.run("systemctl", "list-units", "--all", "--no-legend", "tensormask*")
    assert units.stdout.strip() == ""


def test_purging_leaves_nothing(home: Box, before: set[str]) -> None:
    home.by(OWNER, f"sudo {CHECKOUT}/deploy/uninstall.sh --purge", check=True, timeout_s=120)
    assert {each for each in files(home) - before if not each.startswith(OURS)} == set()
    for kind in ("passwd", "group"):
        assert "tensormask" not in home.machine.output("getent", kind)
    assert home.show("LoadState", UNIT) == "not-found"
