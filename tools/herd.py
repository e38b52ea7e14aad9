# ruff: noqa: T201 - a command line module
"""A hundred devices and a broker that restarts, with jitter and without: `make herd`."""

from __future__ import annotations

import logging
import random
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from edge.config import MqttSettings
from edge.publish.broker import Backoff
from edge.publish.messages import Origin
from edge.publish.outbox.outbox import Outbox
from edge.publish.publisher import MqttPublisher
from tests.broker.conftest import Mosquitto, find_mosquitto, until
from tests.broker.samples import ORIGIN

CLIENTS = 100


class NoJitter(random.Random):
    """Always draws the largest."""

    def uniform(self, a: float, b: float) -> float:
        return b


def connections(
    folder: Path, mosquitto: str, down_s: float, first_s: float, *, jitter: bool
) -> list[float]:
    """Return when each of the clients was back, in seconds after the broker's restart."""
    broker = Mosquitto(
        mosquitto,
        folder,
        "allow_anonymous true\nmax_connections -1",
    )
    with ExitStack() as stack:
        stack.callback(broker.kill)
        clients = []
        for number in range(CLIENTS):
            outbox = Outbox(folder / str(number) / "outbox.sqlite")
            stack.callback(outbox.close)
            backoff = Backoff(random.Random(number) if jitter else NoJitter(), first_s)
            settings = MqttSettings(host="127.0.0.1", port=broker.port)
            who = Origin(f"door-{number}", "", "", ORIGIN.model)
            clients.append(MqttPublisher(settings, who, outbox, backoff=backoff))
            stack.callback(clients[-1].close, 1.0)
            clients[-1].start()
        until(lambda: all(client.connected for client in clients), "all of them", 60)
        broker.kill()
        until(lambda: not any(client.connected for client in clients), "none of them", 60)
        time.sleep(down_s)
        broker.start()
        back_s = time.monotonic()
        arrivals_s: dict[MqttPublisher, float] = {}
        while len(arrivals_s) < CLIENTS:
            for client in clients:
                if client.connected and client not in arrivals_s:
                    arrivals_s[client] = time.monotonic() - back_s
            time.sleep(0.002)
    return sorted(arrivals_s.values())


def most_within(window_s: float, moments_s: Iterable[float]) -> int:
    """Return how many of the moments lie within any window of this length at most."""
    moments = list(moments_s)
    return max(sum(0 <= other - one < window_s for other in moments) for one in moments)


def main() -> None:
    logging.disable()
    down_s = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    mosquitto = find_mosquitto()
    if mosquitto is None:
        sys.exit("mosquitto is not installed: apt-get install mosquitto")
    print(f"{CLIENTS} devices, the broker away for {down_s:g} s")
    for jitter in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            found = connections(Path(folder), mosquitto, down_s, 1.0, jitter=jitter)
        print(
            f"{'with' if jitter else 'without'} jitter: at most {most_within(1.0, found)} within a "
            f"second, {most_within(0.1, found)} within 0.1 s; half of them after "
            f"{found[CLIENTS // 2]:.1f} s, the last after {found[-1]:.1f} s"
        )


if __name__ == "__main__":
    main()
