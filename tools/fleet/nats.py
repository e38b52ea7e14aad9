"""Three nodes of NATS with JetStream, as `deploy/nats` has them."""

from __future__ import annotations

import json
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from paho.mqtt.enums import MQTTProtocolVersion

from tests.systemd.machine import wait_until

CONFIGURATION = Path(__file__).resolve().parents[2] / "deploy" / "nats" / "nats.conf"
READY_WITHIN_S = 60.0


class Nats:
    name = "NATS"
    version = MQTTProtocolVersion.MQTTv311
    nodes: tuple[str, ...] = ("127.0.0.1", "127.0.0.2", "127.0.0.3")

    def __init__(self, program: Path, folder: Path, users: str) -> None:
        """`users` is the content of users.conf."""
        self._program = program
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        (folder / "users.conf").write_text(users)
        for number, node in enumerate(self.nodes, 1):
            text = CONFIGURATION.read_text().replace(
                "server_name: nats-1", f"server_name: nats-{number}"
            )
            text = text.replace("127.0.0.1:", f"{node}:").replace("0.0.0.0:", f"{node}:")
            text = text.replace("/var/lib/nats", str(folder / node))
            (folder / f"{node}.conf").write_text(text)

    def start(self, *nodes: str) -> None:
        """Start these nodes, and wait until they serve."""
        for node in nodes:
            with (self._folder / f"{node}.log").open("ab") as log:
                self._processes[node] = subprocess.Popen(
                    [self._program, "-c", self._folder / f"{node}.conf"],
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        for node in nodes:
            wait_until(lambda node=node: _is_healthy(node), READY_WITHIN_S, f"NATS at {node}")  # type: ignore[misc]

    def kill(self, node: str) -> None:
        process = self._processes.pop(node)
        process.kill()
        process.wait()

    def hang(self, node: str) -> None:
        self._processes[node].send_signal(signal.SIGSTOP)

    def go_on(self, node: str) -> None:
        self._processes[node].send_signal(signal.SIGCONT)

    def leaders(self) -> dict[str, str]:
        """Return the leader's node by what it leads."""
        for node in self.nodes:
            with suppress(OSError):
                state = _asked(node, "jsz?accounts=1&streams=1")
                found = {"cluster": state["meta_cluster"]["leader"]}
                for account in state["account_details"]:
                    for stream in account["stream_detail"]:
                        found[stream["name"]] = stream["cluster"]["leader"]
                return {what: self.nodes[int(name[-1]) - 1] for what, name in found.items()}
        raise TimeoutError("no node answers")

    def close(self) -> None:
        for node in list(self._processes):
            self.kill(node)


def _asked(node: str, path: str) -> Any:
    with urlopen(f"http://{node}:8222/{path}", timeout=2) as answer:
        return json.load(answer)


def _is_healthy(node: str) -> bool:
    with suppress(OSError):
        return bool(_asked(node, "healthz")["status"] == "ok")
    return False
