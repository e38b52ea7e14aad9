"""A box as it hangs on a wall: installed from a release, booted, with its broker and its camera."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from deploy.pack import pack
from tests.installed.lab.camera import URL, Camera
from tests.installed.lab.roots import Root
from tests.installed.lab.street import Street
from tests.systemd.machine import Machine, wait_until

UNIT = "tensormask.service"
PAGE_UNIT = "tensormask-page.service"
SOURCES = "/usr/src/tensormask"
SETTINGS = "/etc/tensormask/tensormask.toml"
STATE = "/var/lib/tensormask"
DEVICE = "door-1"
VISITOR, OWNER = "visitor", "owner"
"""Ordinary users: one in no group, and one who may use sudo."""
REPORTS = "/srv/reports"
_SUBSCRIBER = f"""
[Unit]
After=mosquitto.service
[Service]
ExecStart=/usr/bin/mosquitto_sub -h localhost -c -i eyes -q 1 -t 'tensormask/+/violation' -F %%p
StandardOutput=append:{REPORTS}
Restart=always
RestartSec=200ms
[Install]
WantedBy=multi-user.target
"""
"""With a session that the broker keeps: what is published while it is away comes later."""
_BEFORE = f"""
[mqtt]
host = "localhost"
[camera]
source = "rtsp://{URL.rpartition("@")[2]}"
"""
"""Without the camera's password: the service, which alone may read it, has no user yet."""
Section = Mapping[str, object]
USUAL: Mapping[str, Section] = {
    "mqtt": {"host": "localhost", "keepalive_s": 5},
    "device": {"id": DEVICE, "site": "Museum", "zone": "north entrance"},
    "camera": {"source": URL},
    "commands": {"allowed": ["pause", "resume", "restart", "snapshot"]},
    "snapshots": {"pictures": "pixelated"},
    "page": {"enabled": True},
    "health": {"interval_s": 2},
    "release": {"trial_s": 10},
    # One test's person is not the next one's, though they stand at the same place seconds later.
    "tracker": {"still_missed_s": 1.5},
}


def settings_text(**sections: Section | Sequence[Section]) -> str:
    """Return the usual settings, with these sections' keys in place of theirs; a list is a section
    that comes several times."""
    lines = ["# tensormask settings 5"]
    for name in {**USUAL, **sections}:
        given = sections.get(name, {})
        if isinstance(given, Mapping):
            lines += [f"[{name}]", *_keys({**USUAL.get(name, {}), **given})]
        else:
            lines += [line for each in given for line in (f"[[{name}]]", *_keys(each))]
    return "\n".join([*lines, ""])


def _keys(section: Section) -> list[str]:
    # TOML takes what JSON has for texts, numbers, true, false and lists.
    return [f"{key} = {json.dumps(value)}" for key, value in section.items()]


@dataclass
class Box:
    """The machine, and what surrounds it."""

    machine: Machine
    street: Street
    camera: Camera
    _configured: str = field(default="", init=False)

    def configure(self, **sections: Section | Sequence[Section]) -> None:
        """Have the service run with these settings, see `settings_text`; wait until it is well."""
        text = settings_text(**sections)
        if text != self._configured:
            self.write_settings(text)
            self.machine.run("systemctl", "restart", UNIT)
            self._configured = text
        self.start()
        self.until_well()

    def write_settings(self, text: str) -> None:
        self._configured = ""
        self.machine.write(SETTINGS, text)
        self.machine.run("chown", "root:tensormask", SETTINGS)
        self.machine.run("chmod", "640", SETTINGS)

    def start(self) -> None:
        self.machine.run("systemctl", "reset-failed", UNIT, check=False)
        self.machine.run("systemctl", "start", "mosquitto.service", UNIT)

    def until_well(self, within_s: float = 60) -> None:
        wait_until(self.is_well, within_s, f"it is well: {self.telemetry()}")

    def is_well(self) -> bool:
        now = self.telemetry()
        return bool(
            now
            and now["camera"]["state"] == "running"
            and now["broker"]["connected"]
            and now["fps"]
        )

    def telemetry(self) -> dict[str, Any]:
        """Return what the service says of itself; nothing where it does not run."""
        answer = self.machine.run("cat", "/run/tensormask/telemetry.json", check=False).stdout
        return dict(json.loads(answer)) if answer else {}

    def by(
        self, user: str, command: str, check: bool = False, timeout_s: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a line in a login shell of root, the visitor or the owner, or as the service."""
        has_shell = user != "tensormask"
        words = ["su", "-", user] if has_shell else ["runuser", "-u", user, "--", "sh"]
        return self.machine.run(*words, "-c", command, check=check, timeout_s=timeout_s)

    def show(self, name: str, unit: str = UNIT) -> str:
        return self.machine.output("systemctl", "show", "--value", "--property", name, unit)

    def journal(self, *options: str) -> str:
        return self.machine.output("journalctl", "--no-pager", "--output=cat", *options)

    def now(self) -> str:
        """Return a mark for `journal("--since", mark)`."""
        return self.machine.output("date", "+%F %T")

    def retained(self, topic: str) -> dict[str, Any]:
        """Return what a subscriber gets who comes now; nothing where nothing is retained."""
        asked = f"mosquitto_sub -h localhost -t tensormask/{DEVICE}/{topic} -C 1 -W 5"
        answer = self.machine.run(*asked.split(), check=False).stdout
        return dict(json.loads(answer)) if answer.strip() else {}

    def violations(self) -> list[dict[str, Any]]:
        """Return what the subscriber has got since `forget_violations`, one for each delivery."""
        lines = self.machine.run("cat", REPORTS, check=False).stdout.splitlines()
        return [json.loads(line) for line in lines]

    def forget_violations(self) -> None:
        self.machine.run("truncate", "--size=0", REPORTS)

    def until_reported(self, *states: str, within_s: float = 30) -> list[dict[str, Any]]:
        """Wait for violations in these states, in any order; return all that have come."""
        wait_until(
            lambda: sorted(each["state"] for each in self.violations()) == sorted(states),
            within_s,
            f"{states} have come",
        )
        return self.violations()

    def expect_no_report(self, scene: str) -> None:
        """Show a scene for six seconds' frames; a violation in it is confirmed after one or two."""
        self.camera.show(scene)
        frames = self.telemetry()["frames"]
        wait_until(lambda: self.telemetry()["frames"] > frames + 60, 60, "sixty frames are judged")
        assert self.violations() == []

    def empty(self) -> None:
        """Have nobody in sight, and nothing in the outbox; forget what was reported."""
        self.camera.show("nobody")
        self.configure()
        wait_until(partial(self._is_empty), 30, "nobody is there and nothing waits")
        self.forget_violations()

    def _is_empty(self) -> bool:
        opened = [each["event_id"] for each in self.violations() if each["state"] == "confirmed"]
        ended = [each["event_id"] for each in self.violations() if each["state"] == "ended"]
        return self.telemetry()["outbox"]["rows"] == 0 and set(opened) <= set(ended)


def unpacked(root: Root, packs: Path, folder: Path) -> Path:
    """Return the folder of a release with its wheels, as a device without internet gets it."""
    archive = pack(packs, root.target)["file"]
    subprocess.run(["tar", "-C", folder, "-xf", archive], check=True)
    return folder


def lay_release(machine: Machine, release: Path, do: Callable[..., object]) -> None:
    """Put a release into a machine that is not booted, with what `do` then installs it by."""
    machine.copy(release, SOURCES)
    machine.write(SETTINGS, _BEFORE)
    do(f"{SOURCES}/deploy/install.sh", "--wheels", f"{SOURCES}/wheels", "--without-packages")


def furnish(machine: Machine) -> None:
    """Add users, a subscriber, and a broker that starts at boot."""
    machine.write("/etc/systemd/system/eyes.service", _SUBSCRIBER)
    machine.write(f"/etc/sudoers.d/{OWNER}", f"{OWNER} ALL=(ALL:ALL) NOPASSWD: ALL\n")
    machine.install(
        "sh",
        "-ec",
        # What Debian's installer writes, and a bare Debian 12 lacks.
        "grep -qs localhost /etc/hosts || echo 127.0.0.1 localhost >>/etc/hosts; "
        "echo 127.0.1.1 $(cat /etc/hostname) >>/etc/hosts; mkdir -p /var/lib/systemd/linger; "
        f"for user in {VISITOR} {OWNER}; do useradd -m -s /bin/bash $user; done; "
        # A session need not wait until the user's own systemd has started, or ended: two minutes.
        f"for user in root {VISITOR} {OWNER}; do touch /var/lib/systemd/linger/$user; done; "
        f"chmod 440 /etc/sudoers.d/{OWNER}; systemctl -q enable eyes.service mosquitto.service",
    )
