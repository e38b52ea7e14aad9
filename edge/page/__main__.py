# ruff: noqa: T201 - the daemon takes its last line for why it ended
"""The page's process: a web server without a camera, a model or a disk. Started by the daemon."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys

import msgspec
import uvicorn

from edge.page.guard import Guard
from edge.page.hub import Hub
from edge.page.server import application
from edge.page.wire import ANSWER_HEAD_BYTES, Front, answer_sizes

BUSY = 98
"""Exit status: the address is in use, or not this machine's."""


async def serve(ours: socket.socket) -> int:
    """Serve until the daemon has gone; return an exit status."""
    reader, writer = await asyncio.open_connection(sock=ours)
    size, _ = answer_sizes(await reader.readexactly(ANSWER_HEAD_BYTES))
    front = msgspec.json.decode(await reader.readexactly(size), type=Front)
    hub = Hub(reader, writer)
    is_tls = bool(front.certificate_file)
    family = socket.AF_INET6 if ":" in front.address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((front.address, front.port))
    except OSError as error:
        print(f"{front.address} port {front.port}: {error.strerror}", file=sys.stderr)
        return BUSY
    server = uvicorn.Server(
        uvicorn.Config(
            application(hub, Guard(front.password), is_tls=is_tls),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=100,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=1,
            ssl_certfile=front.certificate_file or None,
            ssl_keyfile=front.key_file or None,
        )
    )
    ending = asyncio.create_task(_end_with(hub, server))
    await server.serve(sockets=[listener])
    ending.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await ending
    return 0


async def _end_with(hub: Hub, server: uvicorn.Server) -> None:
    """Stop when the daemon has gone: asked now and then, it answers."""
    while not hub.has_ended.is_set():
        with contextlib.suppress(ConnectionError):
            await hub.report()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(hub.has_ended.wait(), 5)
    server.should_exit = True


def main() -> int:
    # Whoever stops the daemon stops this by that.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as ours:
        return asyncio.run(serve(ours))


if __name__ == "__main__":
    sys.exit(main())
