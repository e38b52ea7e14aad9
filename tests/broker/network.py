"""Networks that can be broken: a relay that meddles, and a network namespace with a cable to it."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from tests.processes import Running
from tests.waiting import until

PUBACK = 4


class Relay:
    """Passes bytes on between a device and a broker, and the broker's PUBACKs as the test says."""

    def __init__(self, port: int) -> None:
        self._broker_port = port
        self.swallows = False
        """Whether PUBACKs vanish."""
        self.delay_s = 0.0
        """How long each of them takes."""
        self.connections = 0
        self._wires: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def _start(self, target: Callable[..., None], *arguments: socket.socket) -> None:
        self._threads.append(threading.Thread(target=target, args=arguments))
        self._threads[-1].start()

    def close(self) -> None:
        """Disconnect, and wait until all is closed."""
        for wire in [self._listener, *self._wires]:
            with suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                device, _ = self._listener.accept()
                try:
                    broker = socket.create_connection(("127.0.0.1", self._broker_port))
                except ConnectionRefusedError:  # as the broker would
                    device.close()
                    continue
                self._wires += [device, broker]
                self.connections += 1
                self._start(self._upstream, device, broker)
                self._start(self._downstream, device, broker)

    def _upstream(self, device: socket.socket, broker: socket.socket) -> None:
        with device, broker, suppress(OSError):
            while piece := device.recv(65536):
                broker.sendall(piece)

    def _downstream(self, device: socket.socket, broker: socket.socket) -> None:
        with device, broker, broker.makefile("rb") as stream:
            with suppress(OSError):
                while head := stream.read(2):
                    # All that a broker says to a device is shorter than 128 bytes.
                    packet = head + stream.read(head[1])
                    if head[0] >> 4 == PUBACK:
                        if self.swallows:
                            continue
                        time.sleep(self.delay_s)
                    device.sendall(packet)
            with suppress(OSError):  # closing alone does not wake who reads from it
                device.shutdown(socket.SHUT_RDWR)


class Island:
    """A network of our own, and a cable to it that can be pulled. It is gone when its holder is."""

    def __init__(self, number: int) -> None:
        """Raises CalledProcessError where that is not allowed. `number`: 0 to 16383."""
        _ip("link", "show")  # or there is no program, and nothing to hold
        self._holder = Running(["unshare", "--net", "sleep", "infinity"])
        theirs = Path(f"/proc/{self._holder.pid}/ns/net")
        ours = Path("/proc/self/ns/net").readlink()
        until(lambda: self._holder.poll() or theirs.readlink() != ours, "a network of our own")
        self.within = ("nsenter", f"--net={theirs}", "--")
        network = f"10.213.{number >> 6 & 255}.{(number & 63) * 4}"
        base, _, last = network.rpartition(".")
        self.address = f"{base}.{int(last) + 2}"
        cable = f"tm{number}"
        try:
            _ip(*f"link add {cable} type veth peer eth0 netns {self._holder.pid}".split())
            _ip("address", "add", f"{base}.{int(last) + 1}/30", "dev", cable)
            _ip("link", "set", cable, "up")
            _ip("address", "add", f"{self.address}/30", "dev", "eth0", within=self.within)
            self.plug_in()
        except subprocess.CalledProcessError:
            self.close()
            raise

    def plug_in(self) -> None:
        _ip("link", "set", "eth0", "up", within=self.within)

    def pull(self) -> None:
        _ip("link", "set", "eth0", "down", within=self.within)

    def close(self) -> None:
        self._holder.kill()
        self._holder.wait()


def _ip(*arguments: str, within: Sequence[str] = ()) -> None:
    subprocess.run([*within, "ip", *arguments], check=True, capture_output=True)
