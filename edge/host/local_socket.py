"""Sockets of the service for the other units on the machine: the page, the process at the pins."""

from __future__ import annotations

import grp
import os
import pwd
import socket
from pathlib import Path

from edge.host.status_file import runtime_directory


def make_folder(folder: Path, user: str, group: str) -> None:
    """As root, make a folder in which `user` makes a socket, and `group` finds it."""
    folder.mkdir(mode=0o700, exist_ok=True)
    os.chown(folder, pwd.getpwnam(user).pw_uid, grp.getgrnam(group).gr_gid)
    # What is made in it belongs to the group, too.
    folder.chmod(0o2750)


def listening_at(path: Path, kind: socket.SocketKind, backlog: int) -> socket.socket:
    """Return a socket that listens at `path`, in place of what is there. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, kind)
    try:
        listener.bind(str(path))
        # Under systemd the folder is for the other unit's group; elsewhere it may be open to all.
        runtime = runtime_directory()
        is_shared = runtime is not None and path.is_relative_to(runtime)
        path.chmod(0o660 if is_shared else 0o600)
        listener.listen(backlog)
    except OSError:
        listener.close()
        raise
    return listener
