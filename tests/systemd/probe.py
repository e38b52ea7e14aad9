"""Run in the service's sandbox by the tests: tries what a burglar would, and what we need.

Prints one JSON object: the name of each attempt and `ok`, or the error's name.
"""

from __future__ import annotations

import ctypes
import errno
import json
import mmap
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: object) -> None:
    if getattr(LIBC, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)


def _read_clock_state() -> None:
    _call("adjtimex", ctypes.create_string_buffer(512))


def _set_user_id_file() -> None:
    path = Path(os.environ["STATE_DIRECTORY"]) / "probe"
    path.touch()
    path.chmod(0o4755)


def _write(path: str) -> Callable[[], object]:
    return lambda: Path(path, "probe").write_text("x")


ATTEMPTS: dict[str, Callable[[], object]] = {
    "write its state": _write(os.environ["STATE_DIRECTORY"]),
    "write a world-writable folder": _write("/srv/open"),
    "write the settings": lambda: os.open("/etc/tensormask/tensormask.toml", os.O_WRONLY),
    "write the program": _write("/opt/tensormask"),
    "read the settings": Path("/etc/tensormask/tensormask.toml").read_text,
    "read a home": Path("/home/somebody/diary").read_text,
    "read what belongs to video": Path("/srv/camera").read_text,
    "read /proc/cpuinfo": Path("/proc/cpuinfo").read_text,
    "see other processes": Path("/proc/1/status").read_text,
    "open /dev/null": lambda: os.open("/dev/null", os.O_RDWR),
    "open another device": lambda: os.open("/srv/device", os.O_RDWR),
    "make memory executable": lambda: mmap.mmap(
        -1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    ),
    "open an IP socket": lambda: socket.socket(socket.AF_INET),
    "open a netlink socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "open a packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "make a namespace": lambda: _call("unshare", 0x10000000),
    "make a set-user-id file": _set_user_id_file,
    "ask about the clock": _read_clock_state,
    "set the clock": lambda: time.clock_settime(time.CLOCK_REALTIME, time.time()),
    "mount": lambda: _call("mount", b"tmpfs", b"/srv", b"tmpfs", 0, None),
    "trace a process": lambda: _call("ptrace", 16, os.getppid(), None, None),
    "run a program": lambda: os.waitstatus_to_exitcode(os.system("true")),
}


def attempt(action: Callable[[], object]) -> str:
    try:
        action()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "ok"


if __name__ == "__main__":
    print(json.dumps({name: attempt(action) for name, action in ATTEMPTS.items()}))  # noqa: T201
