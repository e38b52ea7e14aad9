"""A camera in the network: `python -m tools.soak.camera PORT FOLDER FPS`.

It serves the folder's JPEG files over and over, as a video over HTTP, to every client. It
is a process of its own, so that it can be frozen and unplugged.
"""

from __future__ import annotations

import itertools
import socket
import sys
import time
from pathlib import Path

_HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=picture\r\n\r\n"


def serve(port: int, folder: Path, fps: float) -> None:
    jpegs = [path.read_bytes() for path in sorted(folder.glob("*.jpg"))]
    listener = socket.create_server(("127.0.0.1", port))
    listener.settimeout(0)
    viewers: list[socket.socket] = []
    begun_s = time.monotonic()
    for number in itertools.count():
        try:
            viewer = listener.accept()[0]
            viewer.settimeout(1)
            viewer.sendall(_HEAD)
            viewers.append(viewer)
        except OSError:
            pass  # nobody new, or gone again
        jpeg = jpegs[number % len(jpegs)]
        head = b"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg)
        for viewer in list(viewers):
            try:
                viewer.sendall(head + jpeg + b"\r\n")
            except OSError:
                viewers.remove(viewer)
                viewer.close()
        time.sleep(max(0.0, begun_s + (number + 1) / fps - time.monotonic()))


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))
