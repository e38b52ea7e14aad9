# ruff: noqa: T201 - a command line module
"""The daemon's publishers against clusters of three nodes that lose one: `make clusters` (root).

Real brokers, set up as `deploy/rabbitmq` and `deploy/nats` have it. While people pass, a node is
killed or hangs, and comes back; every message that an outbox accepted must arrive. Everything runs
in namespaces of its own for mounts, processes and network, and ends with them. The outboxes lie in
memory, the brokers on this machine's disk.
"""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from deploy.users import main as users_for
from tools.fleet.nats import Nats
from tools.fleet.rabbitmq import RabbitMq, make_userland
from tools.fleet.trials import NAME, Cluster, NodeFault, Trials, together

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "clusters"
USERLAND = WORK / "rabbitmq"
NATS_SERVER = ROOT / ".venv-clusters" / "bin" / "nats-server"
CLUSTERS = ("rabbitmq", "nats")

DEVICES_NODE = NodeFault("killed: the devices' node", lambda cluster, _: cluster.nodes[0])
SUBSCRIBERS_NODE = NodeFault("killed: the subscriber's node", lambda _, subscriber: subscriber.node)
HANG = NodeFault("hangs: the devices' node", lambda cluster, _: cluster.nodes[0], hangs=True)
FOR_GOOD = NodeFault(
    "killed for good: that of a subscriber who is away",
    lambda _, subscriber: subscriber.node,
    for_good=True,
)
META_LEADER = NodeFault(
    "killed: the leader of the cluster", lambda cluster, _: cluster.leaders()["cluster"]
)
STREAM_LEADER = NodeFault(
    "killed: the leader of the messages", lambda cluster, _: cluster.leaders()["$MQTT_msgs"]
)


HEAD = (
    *("accepted", "received", "lost", "repeated", "waiting", "p50 s", "p99 s", "max s"),
    *("devices out, s", "subscriber out, s"),
)


def try_out(
    which: str, devices: int, per_s: float, rounds: int, folder: Path
) -> tuple[bool, list[str]]:
    """Run all trials of a cluster.

    Returns whether nothing was lost where nothing may be, and the rows of a table.
    """
    names = ["desk", "operator", *(f"box-{number:05}" for number in range(devices))]
    passwords = {name: secrets.token_urlsafe(12) for name in names}
    users = users_for(which, (f"{name} {password}" for name, password in passwords.items()))
    good, rows = True, []
    for number, kind in enumerate(kinds(which, users)):
        own = folder / f"{which}-{number}"
        own.mkdir()
        cluster = kind.make(own)
        try:
            cluster.start(*cluster.nodes)
            trials = Trials(cluster, passwords, own, per_s)
            if not kind.is_control:
                wrong = trials.rules()
                good &= not wrong
                say(f"{cluster.name}: rules: {'; '.join(wrong) or 'as they should be'}")
                for line in trials.retained():
                    say(f"{cluster.name}: {line}")
            for fault in kind.faults:
                done = []
                for _ in range(rounds):
                    done.append(trials.run(fault))
                    say(row(cluster.name, fault.name, *done[-1].cells()))
                total = together(done)
                good &= kind.is_control or total.lost == total.waiting == 0
                rows.append(row(cluster.name, fault.name, *total.cells()))
        finally:
            cluster.close()
    return good, rows


@dataclass(frozen=True)
class ClusterKind:
    """A cluster to try, and what happens to it."""

    make: Callable[[Path], Cluster]
    faults: Sequence[NodeFault]
    is_control: bool = False
    """Whether it may lose messages."""


def kinds(which: str, users: str) -> list[ClusterKind]:
    if which == "nats":
        faults = [DEVICES_NODE, SUBSCRIBERS_NODE, FOR_GOOD, META_LEADER, STREAM_LEADER, HANG]
        return [ClusterKind(partial(Nats, NATS_SERVER, users=users), faults)]
    make = partial(RabbitMq, USERLAND, users=users)
    classic = partial(make, quorum=False)
    return [
        ClusterKind(make, [DEVICES_NODE, SUBSCRIBERS_NODE, FOR_GOOD, HANG]),
        ClusterKind(classic, [SUBSCRIBERS_NODE, FOR_GOOD], is_control=True),
    ]


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def say(line: str) -> None:
    print(line, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="The fleet against clusters that lose nodes.")
    parser.add_argument("cluster", nargs="?", choices=CLUSTERS, help="default: each")
    parser.add_argument("--devices", type=int, default=40)
    parser.add_argument("--per-s", type=float, default=20.0, help="violations, of all together")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--inside", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    clusters = [options.cluster] if options.cluster else CLUSTERS
    if options.inside is None:
        return _go_inside(clusters)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process ends us
    logging.disable()
    _lay_network(options.inside)
    head = row("cluster", "node", *HEAD)
    say(head)
    good, rows = True, []
    for which in clusters:
        is_good, more = try_out(
            which, options.devices, options.per_s, options.rounds, options.inside
        )
        good &= is_good
        rows += more
    say(f"\nall {options.rounds} rounds together:\n{head}")
    say("\n".join(rows))
    return 0 if good else 1


def _go_inside(clusters: Sequence[str]) -> int:
    """Run again in new namespaces, whose end removes every process and mount."""
    if os.geteuid() != 0:
        sys.exit("only root may make namespaces: sudo make clusters")
    WORK.mkdir(parents=True, exist_ok=True)
    if "rabbitmq" in clusters:
        make_userland(USERLAND)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with suppress(KeyboardInterrupt), tempfile.TemporaryDirectory(dir=WORK) as folder:
        alone = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
        again = (sys.executable, "-m", "tools.fleet.clusters", "--inside", folder)
        return subprocess.run([*alone, *again, *sys.argv[1:]], check=False).returncode
    return 130


def _lay_network(folder: Path) -> None:
    """Give the cluster a name with three addresses, and each node its own."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    hosts = folder / "hosts"
    hosts.write_text(
        "127.0.0.1 localhost\n"
        + "".join(f"127.0.0.{n} {NAME} nats-{n} rabbit-{n}\n" for n in (1, 2, 3))
    )
    subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)


if __name__ == "__main__":
    sys.exit(main())
