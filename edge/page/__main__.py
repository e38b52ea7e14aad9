"""The page's program: a web server without a camera, a model or a disk.

On a device it is the unit tensormask-page.service, which systemd starts for the first browser and
hands the listening socket. Elsewhere it listens where the daemon says.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import socket
import ssl
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette

from edge.errors import ConfigError
from edge.host.status_file import DIRECTORY
from edge.page.door import REQUEST_S, Door
from edge.page.guard import Guard
from edge.page.hub import Hub
from edge.page.origin import Site
from edge.page.server import application, unavailable
from edge.page.sign import SignLink, SignPass, SignView
from edge.page.wire import FOLDER, PROGRAM, SIGN_SOCKET, SOCKET, Front

DAEMON = DIRECTORY / FOLDER / SOCKET
PATIENCE_S = 10.0
"""How long a browser waits for a daemon that is starting, before it is said to be missing."""
GRACE_S = 1.0
"""How long the last requests may take before the process ends, for the next to serve otherwise."""
FIRST_FD = 3
BUSY = 98
"""Exit status: the address is in use, or not this machine's."""


async def serve(daemon: Path, listeners: Sequence[socket.socket]) -> int:
    """Serve until the daemon wants it otherwise; return an exit status."""
    hub = Hub(daemon)
    until: asyncio.Future[Any] = asyncio.create_task(hub.keep_connected())
    listening: asyncio.Task[None] | None = None
    patience_s = PATIENCE_S if listeners else None
    await asyncio.wait([hub.front, until], timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
    if until.done():
        until.result()
        return 0  # another release by now, of another form
    if not hub.front.done():
        door, until = Door(_config(unavailable())), hub.front
    elif (front := hub.front.result()).program != PROGRAM:
        return 0  # another release by now: started again, it is that one
    else:
        listeners = listeners or [_bound(front.address, front.port)]
        link = SignLink(daemon.with_name(SIGN_SOCKET)) if front.has_sign else None
        if link is not None:
            listening = asyncio.create_task(link.keep_connected())
        door = _door(hub, front, link)
    gc.freeze()  # for collecting what connections leave to take a millisecond
    serving = asyncio.create_task(door.serve(listeners))
    await asyncio.wait([until, serving], return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()
    serving.cancel()
    if listening is not None:
        listening.cancel()
    await door.answered(GRACE_S)  # who comes now waits for the next process
    return 0


def _door(hub: Hub, front: Front, link: SignLink | None) -> Door:
    site = Site(front.cookie_key.hex()[:8], bool(front.password), front.external_url)
    guard = Guard(front.password, front.cookie_key)
    sign = None if link is None else SignView(link, SignPass(front, guard, site))
    app = application(hub, guard, site, front, sign)
    tls = None
    if front.certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with _in_memory(front.certificate) as certificate, _in_memory(front.key) as key:
            tls.load_cert_chain(certificate, key)
    return Door(_config(app, front.proxies), tls)


def _config(app: Starlette, proxies: Sequence[str] = ()) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies),
        timeout_keep_alive=int(REQUEST_S),
    )


@contextlib.contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    """Give a path at which OpenSSL reads `content`, which is on no disk."""
    descriptor = os.memfd_create("pem")
    try:
        os.write(descriptor, content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _bound(address: str, port: int) -> socket.socket:
    """Return a listening socket. Raises ConfigError."""
    try:
        return socket.create_server(
            (address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET
        )
    except OSError as error:
        raise ConfigError(
            f"[page] {address} port {port}: {os.strerror(error.errno or 0)}"
        ) from error


def inherited() -> list[socket.socket]:
    """Return the listening sockets that systemd has handed over, see sd_listen_fds(3)."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = int(os.environ.get("LISTEN_FDS", "0"))
    return [socket.socket(fileno=FIRST_FD + each) for each in range(count)]


def _is_fault(record: logging.LogRecord) -> bool:
    """Return whether it is one: a request that is cancelled as the process ends is none."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m edge.page", description=__doc__)
    parser.add_argument("--daemon", type=Path, default=DAEMON, help="the daemon's socket")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    # A line for each malformed request would fill the log of a device that is scanned.
    server_log = logging.getLogger("uvicorn.error")
    server_log.setLevel(logging.ERROR)
    server_log.addFilter(_is_fault)
    try:
        return asyncio.run(serve(options.daemon, inherited()))
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the unit's log
        return BUSY
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
