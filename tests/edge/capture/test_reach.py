from __future__ import annotations

import socket
from typing import Any

import pytest

from edge.capture.reach import connected
from edge.errors import CameraError


def test_an_address_of_a_family_that_the_machine_does_not_speak_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        foreign: Any = (socket.AF_APPLETALK, socket.SOCK_STREAM, 0, "", ("camera", port))
        ours: Any = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [foreign, ours])
        connected("camera", port, 5.0).close()
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [foreign])
        with pytest.raises(CameraError, match="not supported"):
            connected("camera", port, 5.0)
