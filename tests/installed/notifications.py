"""Notifications of an installed box: to a web server in the street, which verifies who sends."""

from __future__ import annotations

import base64
import hmac
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.installed.lab.box import STATE, UNIT, VISITOR, Box, settings_text
from tests.installed.lab.street import VISITOR as STREET
from tests.processes import Running
from tests.systemd.machine import wait_until

PORT = 8099
SECRET = base64.b64encode(bytes(range(32))).decode()
FILE = "/etc/tensormask/hook-secret"
DROP_IN = f"/etc/systemd/system/{UNIT}.d/hook.conf"
_SERVER = """
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Hook(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        said = {"headers": {k.lower(): v for k, v in self.headers.items()}, "body": body.decode()}
        print(json.dumps(said), flush=True)
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_):
        pass
ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Hook).serve_forever()
"""


class Hook:
    """The web server, in the street; it can be away."""

    def __init__(self, box: Box, folder: Path) -> None:
        self._box = box
        self._file = folder / "received"
        self._file.touch()
        self._process: Running | None = None

    def open(self) -> None:
        place = self._box.street.within(self._box.street.street)
        command = [*place, sys.executable, "-c", _SERVER, STREET, str(PORT)]
        with self._file.open("ab") as file:
            self._process = Running(command, stdout=file, stderr=subprocess.DEVNULL)

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def received(self) -> list[dict[str, Any]]:
        """Return the notifications that have come, each with a signature that is right."""
        found = []
        for line in self._file.read_text().splitlines():
            said = json.loads(line)
            headers, body = said["headers"], said["body"]
            signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}"
            digest = hmac.digest(base64.b64decode(SECRET), signed.encode(), "sha256")
            assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
            assert abs(time.time() - int(headers["webhook-timestamp"])) < 300
            found.append(json.loads(body))
        return found

    def of(self, what: str) -> list[dict[str, Any]]:
        return [each for each in self.received() if each["what"] == what]


def with_hook(**keys: object) -> str:
    """Return the usual settings and a target."""
    table = {
        "name": "hook",
        "kind": "webhook",
        "url": f"http://{STREET}:{PORT}/door",
        "secret_file": "credential:hook",
        "snapshot": True,
        "pause_s": 0,
        "timeout_s": 3,
        **keys,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    return "\n".join([settings_text(), "[[notify]]", *lines, ""])


@pytest.fixture(scope="module")
def _credential(box: Box) -> Iterator[None]:
    box.machine.write(FILE, f"whsec_{SECRET}\n")
    box.machine.run("chmod", "600", FILE)
    box.machine.run("mkdir", "-p", str(Path(DROP_IN).parent))
    box.machine.write(DROP_IN, f"[Service]\nLoadCredential=hook:{FILE}\n")
    box.machine.run("systemctl", "daemon-reload")
    yield
    box.machine.run("rm", DROP_IN, FILE)
    box.machine.run("systemctl", "daemon-reload")


@pytest.fixture
def hook(box: Box, _credential: None, tmp_path: Path) -> Iterator[Hook]:
    box.empty()
    opened = Hook(box, tmp_path)
    box.write_settings(with_hook())
    box.machine.run("systemctl", "restart", UNIT)
    box.until_well()
    yield opened
    opened.close()
    box.configure()


def waiting(box: Box) -> list[int]:
    return [each["waiting"] for each in box.telemetry().get("notifiers", ())]


def conditions(box: Box) -> str:
    return box.by(VISITOR, "tensormask status").stdout


def test_a_person_without_a_mask_is_notified_once_though_the_receiver_was_away(
    box: Box, hook: Hook
) -> None:
    box.camera.show("bare")
    (reported,) = box.until_reported("confirmed")
    wait_until(lambda: "notifications to hook: " in conditions(box), 30, "status says so")
    assert hook.received() == []
    # The queue outlives a kill, too.
    killed = box.show("MainPID")
    box.machine.run("systemctl", "kill", "--signal=SIGKILL", UNIT)
    wait_until(lambda: box.show("MainPID") not in (killed, "0"), 30, "it is started again")
    box.until_well()
    hook.open()
    wait_until(lambda: bool(hook.of("no_mask")), 60, "it has come")
    wait_until(lambda: waiting(box) == [0], 30, "nothing waits")
    first = hook.of("no_mask")[0]
    assert first["event_id"] == reported["event_id"]
    assert base64.b64decode(first["snapshot"])[:2] == b"\xff\xd8"
    ids = [each["id"] for each in hook.of("no_mask")]
    assert len(ids) == len(set(ids))
    assert "notifications to hook: " not in conditions(box)
    assert box.machine.output("stat", "--format=%U %a", f"{STATE}/notify-hook.sqlite") == (
        "tensormask 600"
    )


@pytest.mark.thorough
def test_a_test_is_sent_by_root_and_refused_to_others_with_a_reason(box: Box, hook: Hook) -> None:
    hook.open()
    wait_until(lambda: box.by("root", "tensormask notify test").returncode == 0, 20, "it listens")
    tested = box.by("root", "tensormask notify test hook")
    assert tested.returncode == 0
    assert tested.stdout.splitlines()[-1].split() == ["hook", "webhook", "arrived"]
    assert [each["device_id"] for each in hook.of("test")] == ["door-1"] * 2
    assert "hook              webhook" in box.by("root", "tensormask notify list").stdout
    refused = box.by(VISITOR, "tensormask notify test")
    assert refused.returncode == 78
    assert "only root and the service may read the settings" in refused.stderr
    assert "sudo tensormask notify test" in refused.stderr
    hook.close()
    failed = box.by("root", "tensormask notify test")
    assert failed.returncode == 1
    assert "FAILED; http://10.79.0.2:8099: it refuses the connection" in failed.stdout


@pytest.mark.thorough
def test_check_takes_a_credential_and_refuses_a_secret_that_is_missing(
    box: Box, hook: Hook
) -> None:
    assert box.by("root", "tensormask check --only configuration").returncode == 0
    box.write_settings(with_hook(secret_file="/etc/tensormask/nothing"))
    checked = box.by("root", "tensormask check --only configuration")
    assert checked.returncode == 78
    assert "[[notify]] hook secret_file: /etc/tensormask/nothing" in checked.stdout
    # A door that is watched without notifications is better than one that is not.
    box.machine.run("systemctl", "restart", UNIT)
    box.until_well()
    assert box.by("root", "tensormask notify test --here").returncode == 1
