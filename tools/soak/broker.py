"""The broker of the soak, and its clients beside the device: a subscriber and an intruder."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge.publish.messages import VIOLATION, topic
from tools.soak.doubling import DoublingProxy
from tools.soak.rig import BROKER, DEVICE_PORT, PORT, SoakProcess, wait_until


class SoakBroker(SoakProcess):
    """A Mosquitto that remembers its sessions, though not what is on its way to a subscriber."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
        if program is None:
            sys.exit("mosquitto is not installed: apt-get install mosquitto")
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"listener {PORT} {BROKER}\nlistener {PORT} 127.0.0.1\nuser root\n"
            "allow_anonymous true\nmax_inflight_messages 0\nmax_queued_messages 0\n"
            f"persistence true\npersistence_location {folder}/\nautosave_interval 0\n"
        )
        log = (folder / "mosquitto.log").open("ab")
        super().__init__([program, "-c", str(self._config)], log)
        self.proxy = DoublingProxy((BROKER, DEVICE_PORT), ("127.0.0.1", PORT))

    def remember_sessions(self) -> None:
        self._process.send_signal(signal.SIGUSR1)
        wait_until((self._config.parent / "mosquitto.db").exists, "the sessions on disk")


class SoakSubscriber:
    """Keeps what it receives, over a session that the broker keeps.

    It acknowledges only when asked to, and never while the broker is about to be killed: writing to
    a broker that is dead would make it disconnect at what that had sent before.
    """

    def __init__(self, name: str = VIOLATION) -> None:
        """Receive the device's messages of that name."""
        self.received: list[bytes] = []
        self._topic = topic("tensormask", "soak", name)
        self._in_sync = threading.Event()
        self._acknowledges = True
        self._noted: list[tuple[int, int]] = []
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            "ledger",
            clean_session=False,
            protocol=MQTTProtocolVersion.MQTTv311,
            manual_ack=True,
        )
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = lambda *_: self._in_sync.clear()
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 1)
        wait_until(self._connects, "the broker")
        self._client.loop_start()
        wait_until(self.is_in_sync, "the subscription")

    def is_in_sync(self) -> bool:
        """Return whether all that the broker had queued for us has arrived."""
        return self._in_sync.is_set()

    def acknowledge(self) -> None:
        while self._acknowledges and self._noted:
            self._client.ack(*self._noted.pop(0))

    def hold_back(self) -> None:
        """Acknowledge nothing more on this connection."""
        self._acknowledges = False

    def _connects(self) -> bool:
        try:
            self._client.connect("127.0.0.1", PORT, keepalive=3600)
        except OSError:
            return False
        return True

    def _on_connect(self, client: paho.Client, *_: object) -> None:
        self._noted.clear()
        self._acknowledges = True
        client.subscribe([(self._topic, 1), ("probe", 1)])
        # What the broker has queued for us comes before this does.
        client.publish("probe", qos=1)

    def _on_message(self, client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        self._noted.append((message.mid, message.qos))
        if message.topic == "probe":
            self._in_sync.set()
        else:
            self.received.append(bytes(message.payload))


class Intruder:
    """A client with the device's client id, so that the broker disconnects the device."""

    def __init__(self) -> None:
        self._client: paho.Client | None = None

    def come(self) -> bool:
        client = paho.Client(
            CallbackAPIVersion.VERSION2, "tensormask-soak", protocol=MQTTProtocolVersion.MQTTv311
        )
        client.connect_timeout = 1.0
        try:
            client.connect("127.0.0.1", PORT)
        except OSError:
            return False
        client.reconnect_delay_set(60, 60)
        client.loop_start()
        self._client = client
        return True

    def go(self) -> None:
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
