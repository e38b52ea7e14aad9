"""Three machines with a real systemd and sshd on a network of their own, and their controller.

Nothing listens outside the namespaces that are made here. Needs root, systemd-container,
openssh-server, iproute2, mosquitto, and mmdebstrap for a fresh Debian.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

from tests.systemd.machine import Machine, wait_until

ROOT = Path(__file__).resolve().parents[2]
UNIT = "tensormask.service"
BROKEN = f"/etc/systemd/system/{UNIT}.d/broken.conf"
LAB = f"tmlab{os.getpid()}"
CONTROLLER = "10.77.0.1"
IGNORED = (".git", ".venv*", "build", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis")
PLAY_S = 1800
FLEET = """---
tensormask:
  vars:
    ansible_user: root
    tensormask_os_packages: false
    tensormask_camera: ""
    tensormask_controller_config: {folder}/controller.toml
    tensormask_authority: {folder}/authority
    tensormask_site: Laboratory
    tensormask_fleet_settings:
      mqtt:
        host: {broker}
        tls: true
        ca_file: /etc/tensormask/ca.crt
        certificate_file: /etc/tensormask/client.crt
        key_file: /etc/tensormask/client.key
      camera: {{ source: /srv/clip.avi, loop: true }}
      health: {{ interval_s: 5 }}
      release: {{ trial_s: 10 }}
"""
OF_CHECKOUT = """    tensormask_controller_python: {python}
    tensormask_packs: {folder}/packs
"""


def ip(*words: str, check: bool = True) -> None:
    subprocess.run(["ip", *words], check=check, capture_output=True)


class Boxes:
    """`box-1` to `box-3`, reachable from the controller's namespace only."""

    names = ("box-1", "box-2", "box-3")

    def __init__(self, folder: Path, clip: Path, ansible: Path, python: Path) -> None:
        self.project = folder / "project"
        """The controller's checkout: a copy, in which a test may make another release."""
        self.authority = folder / "authority"
        self.machines: dict[str, Machine] = {}
        self._folder = folder
        self._clip = clip
        self._ansible = ansible
        self._python = python
        self._key = folder / "key"
        self._ending = ExitStack()
        self._variables: dict[str, dict[str, str]] = {name: {} for name in self.names}

    def __enter__(self) -> Self:
        try:
            self._lay_network()
            self._begin()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    def play(self, book: str, *options: str) -> tuple[int, str]:
        """Run a playbook of the checkout; return its exit status and what it said."""
        folder = self.project / "deploy" / "ansible"
        environment = {"ANSIBLE_CONFIG": str(folder / "ansible.cfg")}
        return self._play(folder, OF_CHECKOUT, environment, f"playbooks/{book}", *options)

    def play_collection(self, book: str, *options: str) -> tuple[int, str]:
        """Run a playbook of the collection, in an empty folder, while there is no checkout."""
        elsewhere = self._folder / "empty"
        elsewhere.mkdir(exist_ok=True)
        environment = {
            "ANSIBLE_COLLECTIONS_PATH": str(self._folder / "collections"),
            "XDG_CACHE_HOME": str(self._folder / "cache"),
        }
        away = self.project.rename(self.project.with_name("away"))
        try:
            return self._play(elsewhere, "", environment, f"tensormask.fleet.{book}", *options)
        finally:
            away.rename(self.project)

    def install_collection(self) -> None:
        """Build the collection of the present release and install it; fetch what it would fetch."""
        built = self._folder / "built"
        build = (self._ansible / "python", "-m", "deploy.collection", built)
        subprocess.run(build, cwd=self.project, check=True, capture_output=True)
        (archive,) = built.glob("*.tar.gz")
        folder = self._folder / "collections"
        install = (self._ansible / "ansible-galaxy", "collection", "install", archive)
        subprocess.run(
            [*install, "-p", folder, "--offline", "--force"], check=True, capture_output=True
        )
        # The registry cannot be reached from within.
        release = folder / "ansible_collections" / "tensormask" / "fleet" / "release"
        cache = self._folder / "cache" / "tensormask"
        self._pack(release, cache / "packs")
        subprocess.run(
            [release / "deploy" / "venv.sh", cache / "python", release / "requirements-pi.txt"],
            env=os.environ | {"PYTHON": str(self._ansible / "python")},
            check=True,
            capture_output=True,
        )

    @contextmanager
    def another(self, name: str, lower: Path, **variables: str) -> Iterator[Machine]:
        """Have one more box in the inventory, of another root."""
        number = len(self._variables) + 1
        with ExitStack() as ending:
            self._connect(number, name, ending)
            machine = self._booted(number, name, lower, ending)
            self._variables[name] = variables
            ending.callback(self._variables.pop, name)
            yield machine

    def _play(
        self, folder: Path, more: str, variables: dict[str, str], *words: str
    ) -> tuple[int, str]:
        inventory = self._write_inventory(more)
        command = [
            *("ip", "netns", "exec", LAB),
            *(str(self._ansible / "ansible-playbook"), "-i", str(inventory)),
            *words,
        ]
        environment = {
            "ANSIBLE_HOST_KEY_CHECKING": "False",
            "ANSIBLE_PRIVATE_KEY_FILE": str(self._key),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCAL_TEMP": str(self._folder / "tmp"),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self._folder / "cp"),
            "ANSIBLE_TIMEOUT": "8",
            "LC_ALL": "C.UTF-8",
        }
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | environment | variables,
            capture_output=True,
            text=True,
            timeout=PLAY_S,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def say(self, name: str, **variables: str) -> None:
        """Have the inventory say something else of a box."""
        self._variables[name] |= variables

    def new_release(self, commit: str) -> None:
        """Make the controller's checkout another release."""
        (self.project / "edge" / "commit").write_text(f"{commit}\n")

    def cut_off(self, name: str) -> None:
        ip("-n", LAB, "link", "set", f"v{name}", "down")

    def reconnect(self, name: str) -> None:
        ip("-n", LAB, "link", "set", f"v{name}", "up")

    def current(self, name: str) -> str:
        return self.machines[name].output("readlink", "/opt/tensormask/current").rpartition("/")[2]

    def models(self) -> list[str]:
        """Return the bundle that each box uses; an empty name: the release's own."""
        link = "/opt/tensormask/bundle"
        return [
            machine.run("readlink", link, check=False).stdout.strip().rpartition("/")[2]
            for machine in self.machines.values()
        ]

    def runs(self, name: str) -> bool:
        asked = self.machines[name].run("systemctl", "is-active", UNIT, check=False)
        return asked.stdout == "active\n"

    def impair(self, name: str, script: str) -> None:
        """Have the service start on this box only where `script` succeeds, within 4 s."""
        self.machines[name].write(
            BROKEN,
            f'[Service]\nRestartSec=1\nTimeoutStartSec=4\nExecStartPre=/bin/sh -c "{script}"\n',
        )
        self.machines[name].run("systemctl", "daemon-reload")

    def repair(self, name: str) -> None:
        self.machines[name].run("rm", BROKEN)
        self.machines[name].run("systemctl", "daemon-reload")

    def _lay_network(self) -> None:
        ip("netns", "add", LAB)
        self._ending.callback(ip, "netns", "del", LAB, check=False)
        ip("-n", LAB, "link", "set", "lo", "up")
        ip("-n", LAB, "link", "add", "br0", "type", "bridge")
        ip("-n", LAB, "addr", "add", f"{CONTROLLER}/24", "dev", "br0")
        ip("-n", LAB, "link", "set", "br0", "up")
        for number, name in enumerate(self.names, 1):
            self._connect(number, name, self._ending)

    def _connect(self, number: int, name: str, ending: ExitStack) -> None:
        space = f"{LAB}{number}"
        ip("netns", "add", space)
        ending.callback(ip, "netns", "del", space, check=False)
        ip("-n", LAB, "link", "add", f"v{name}", "type", "veth", "peer", "name", "host0")
        ip("-n", LAB, "link", "set", "host0", "netns", space)
        ip("-n", LAB, "link", "set", f"v{name}", "master", "br0", "up")
        ip("-n", space, "addr", "add", f"10.77.0.{10 + number}/24", "dev", "host0")
        ip("-n", space, "link", "set", "lo", "up")
        ip("-n", space, "link", "set", "host0", "up")

    def _begin(self) -> None:
        shutil.copytree(ROOT, self.project, ignore=shutil.ignore_patterns(*IGNORED))
        self.new_release("0000001")
        # The packages come from the registry, which cannot be reached from within.
        self._pack(self.project, self._folder / "packs")
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self._key)], check=True
        )
        self._start_broker()
        for number, name in enumerate(self.names, 1):
            self.machines[name] = self._booted(number, name, Path("/"), self._ending)

    def _booted(self, number: int, name: str, lower: Path, ending: ExitStack) -> Machine:
        folder = self._folder / name
        folder.mkdir()
        machine = ending.enter_context(
            Machine(folder, f"{name}-{os.getpid()}", network=f"{LAB}{number}", lower=lower)
        )
        machine.write("/root/.ssh/authorized_keys", self._key.with_suffix(".pub").read_text())
        machine.write("/etc/hostname", f"{name}\n")
        machine.copy(self._clip, "/srv/clip.avi")
        machine.boot()
        wait_until(lambda: self._answers(number), 30, "sshd answers")
        return machine

    def _pack(self, source: Path, packs: Path) -> None:
        packing = ("-Bm", "deploy.pack", packs, "--python=3.11", f"--machine={platform.machine()}")
        subprocess.run(
            [self._ansible / "python", *packing], cwd=source, check=True, capture_output=True
        )

    def certify(self, *words: str, days: int = 3650) -> None:
        """Have the authority do something, see deploy/mosquitto/certificates.sh."""
        script = self.project / "deploy" / "mosquitto" / "certificates.sh"
        subprocess.run(
            [script, self.authority, *words],
            env=os.environ | {"DAYS": str(days)},
            check=True,
            capture_output=True,
        )

    def _start_broker(self) -> None:
        """Start Mosquitto as deploy/mosquitto has it, but for its address and its paths."""
        self.certify("broker", CONTROLLER)
        self.certify("client", "controller")
        example = self.project / "deploy" / "mosquitto"
        text = (example / "tensormask.conf").read_text()
        for ours, theirs in (
            ("listener 8883", f"user root\nlistener 8883 {CONTROLLER}"),
            ("/etc/mosquitto/tensormask/acl", str(example / "acl")),
            ("/etc/mosquitto/tensormask", str(self.authority)),
        ):
            text = text.replace(ours, theirs)
        settings = self._folder / "mosquitto.conf"
        settings.write_text(text)
        (self._folder / "controller.toml").write_text(
            f'[mqtt]\nhost = "{CONTROLLER}"\ntls = true\nca_file = "{self.authority}/ca.crt"\n'
            f'certificate_file = "{self.authority}/clients/controller.crt"\n'
            f'key_file = "{self.authority}/clients/controller.key"\n'
        )
        with (self._folder / "mosquitto.log").open("wb") as log:
            broker = subprocess.Popen(
                ["ip", "netns", "exec", LAB, "mosquitto", "-c", str(settings)],
                stdout=log,
                stderr=log,
            )
        self._ending.callback(broker.wait)
        self._ending.callback(broker.kill)

    def _answers(self, number: int) -> bool:
        command = ["ip", "netns", "exec", LAB, "ssh-keyscan", "-T", "2", f"10.77.0.{10 + number}"]
        time.sleep(0.2)
        return bool(subprocess.run(command, capture_output=True, check=False).stdout)

    def _write_inventory(self, more: str) -> Path:
        text = FLEET + more + "  hosts:\n"
        text = text.format(broker=CONTROLLER, python=self._python, folder=self._folder)
        for number, (name, variables) in enumerate(self._variables.items(), 1):
            text += f"    {name}:\n      ansible_host: 10.77.0.{10 + number}\n"
            for key, value in variables.items():
                text += f"      {key}: {value}\n"
        inventory = self._folder / "hosts.yml"
        inventory.write_text(text)
        return inventory


def recap(said: str) -> dict[str, dict[str, int]]:
    """Return the figures at the end of a play by box."""
    rows = {}
    for line in said.partition("PLAY RECAP")[2].splitlines():
        name, _, figures = line.partition(" : ")
        if figures:
            rows[name.strip()] = {
                key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", figures)
            }
    return rows
