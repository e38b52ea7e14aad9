"""Three nodes of RabbitMQ, as `deploy/rabbitmq` has them, each in a Debian trixie of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

from paho.mqtt.enums import MQTTProtocolVersion

from tests.systemd.machine import wait_until

CONFIGURATION = Path(__file__).resolve().parents[2] / "deploy" / "rabbitmq" / "rabbitmq.conf"
RELEASE = "trixie"
PACKAGE = "rabbitmq-server"
READY_WITHIN_S = 120.0
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
_COOKIE = "var/lib/rabbitmq/.erlang.cookie"


def make_userland(userland: Path) -> None:
    """Make a Debian with RabbitMQ, unless it is there: a minute."""
    if userland.exists():
        return
    if shutil.which("mmdebstrap") is None:
        subprocess.run(
            ["apt-get", "install", "-qq", "-y", "--no-install-recommends", "mmdebstrap"], check=True
        )
    new = userland.with_suffix(".new")
    if new.exists():
        shutil.rmtree(new)
    userland.parent.mkdir(parents=True, exist_ok=True)
    options = ("--quiet", "--variant=minbase", f"--include={PACKAGE}")
    subprocess.run(["mmdebstrap", *options, RELEASE, str(new)], check=True)
    new.rename(userland)


class RabbitMq:
    """For a mount, process and network namespace of its own, with whose end everything ends."""

    version = MQTTProtocolVersion.MQTTv5
    nodes: tuple[str, ...] = ("127.0.0.1", "127.0.0.2", "127.0.0.3")

    def __init__(self, userland: Path, folder: Path, users: str, *, quorum: bool = True) -> None:
        """`users` is the content of definitions.json; without `quorum` queues are the default's."""
        self.name = "RabbitMQ" if quorum else "RabbitMQ, classic"
        self._roots = {node: folder / node / "root" for node in self.nodes}
        for node in self.nodes:
            root = self._roots[node]
            _lay_over(userland, root)
            # The daemon that knows the nodes of a machine by their names, epmd, serves all three.
            text = re.sub(r"rabbit@rabbit-(\d)", r"rabbit\1@rabbit-\1", CONFIGURATION.read_text())
            text = text.replace("0.0.0.0:", f"{node}:")
            if not quorum:
                text = text.replace("mqtt.durable_queue_type = quorum\n", "")
            shutil.copy("/etc/hosts", root / "etc/hosts")
            settings = root / "etc/rabbitmq"
            (settings / "rabbitmq.conf").write_text(text)
            (settings / "definitions.json").write_text(users)
            (settings / "enabled_plugins").write_text("[rabbitmq_mqtt].\n")
            (root / _COOKIE).write_text("one-cluster")
            self._run(node, "chown", "rabbitmq:rabbitmq", f"/{_COOKIE}")
            (root / _COOKIE).chmod(0o400)

    def start(self, *nodes: str) -> None:
        """Start these nodes, and wait until they serve."""
        for node in nodes:
            with (self._roots[node] / "var/log/started.log").open("ab") as log:
                subprocess.Popen(
                    ["chroot", str(self._roots[node]), "rabbitmq-server"],
                    env=self._environment(node),
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        for node in nodes:
            wait_until(lambda node=node: _answers(node), READY_WITHIN_S, f"RabbitMQ at {node}")  # type: ignore[misc]

    def kill(self, node: str) -> None:
        os.kill(self._pid(node), signal.SIGKILL)

    def hang(self, node: str) -> None:
        os.kill(self._pid(node), signal.SIGSTOP)

    def go_on(self, node: str) -> None:
        os.kill(self._pid(node), signal.SIGCONT)

    def leaders(self) -> dict[str, str]:
        """Return the leader's node by queue."""
        words = ("rabbitmqctl", "--quiet", "list_queues", "name", "leader", "--formatter", "json")
        queues = json.loads(self._run(self.nodes[0], *words))
        return {each["name"]: self.nodes[int(each["leader"][-1]) - 1] for each in queues}

    def close(self) -> None:
        for node in self.nodes:
            with suppress(OSError, ValueError):
                self.kill(node)

    def _pid(self, node: str) -> int:
        (file,) = self._roots[node].glob("var/lib/rabbitmq/mnesia/*.pid")
        return int(file.read_text())

    def _environment(self, node: str) -> dict[str, str]:
        number = node[-1]
        return _ENVIRONMENT | {
            "RABBITMQ_NODENAME": f"rabbit{number}@rabbit-{number}",
            "RABBITMQ_DIST_PORT": f"2567{number}",
            # Three nodes share this machine: one scheduler each, which does not wait by spinning.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
        }

    def _run(self, node: str, *words: str) -> str:
        return subprocess.run(
            ["chroot", str(self._roots[node]), *words],
            env=self._environment(node),
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout


def _lay_over(userland: Path, root: Path) -> None:
    """Show `userland` at `root`; what is written there stays beside it."""
    upper, work = root.with_name("upper"), root.with_name("work")
    for folder in (root, upper, work):
        folder.mkdir(parents=True)
    layers = f"lowerdir={userland},upperdir={upper},workdir={work}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, root], check=True)
    subprocess.run(["mount", "-t", "proc", "proc", root / "proc"], check=True)


def _answers(node: str) -> bool:
    with suppress(OSError), socket.create_connection((node, 1883), 1):
        return True
    return False
