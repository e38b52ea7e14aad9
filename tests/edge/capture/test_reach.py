from __future__ import annotations

import socket
from typing import Any

import pytest

from edge.capture.reach import reason_not_reached


def test_an_address_of_a_family_that_the_machine_does_not_speak_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        foreign: Any = (socket.AF_APPLETALK, socket.SOCK_STREAM, 0, "", ("camera", port))
        ours: Any = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [foreign, ours])
        assert reason_not_reached("camera", port, 5.0) is None
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [foreign])
        reason = reason_not_reached("camera", port, 5.0)
    assert reason is not None
    assert "not supported" in reason
