"""The page's listening socket: systemd holds it, as [page] says, and starts the page for a browser.

Root runs this before the service starts (`edge/daemon/activation.py`), outside its sandbox. The
socket is a transient unit, since its address is in the settings: there is one place to change it,
and no unit to edit. The service's user could not open it to the page's, which is another one.
"""

from __future__ import annotations

import subprocess
from contextlib import suppress

from edge.address import bracketed
from edge.config import SERVICE_USER, PageSettings
from edge.errors import ConfigError
from edge.host.local_socket import make_folder
from edge.host.status_file import DIRECTORY
from edge.page.wire import FAILURE, FOLDER
from edge.release.unit import PAGE_SOCKET, PAGE_UNIT, systemctl

GROUP = "tensormask-web"
BACKLOG = 64


def activate(settings: PageSettings) -> None:
    """Have systemd listen as `settings` say, or not at all. Raises OSError, TensorMaskError."""
    wanted = f"{bracketed(settings.address)}:{settings.port}" if settings.enabled else ""
    if wanted:
        make_folder(DIRECTORY / FOLDER, SERVICE_USER, GROUP)
        (DIRECTORY / FOLDER / FAILURE).unlink(missing_ok=True)
    if listened() == wanted:
        return
    systemctl("stop", PAGE_SOCKET, PAGE_UNIT, may_fail=True)
    if wanted:
        done = subprocess.run(
            [
                *("systemd-run", "--quiet", "--collect", f"--unit={PAGE_UNIT}"),
                f"--description=TensorMask: the page's address, {wanted}",
                *(f"--socket-property=ListenStream={wanted}", "--socket-property=FreeBind=yes"),
                f"--socket-property=Backlog={BACKLOG}",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            systemctl("reset-failed", PAGE_SOCKET, may_fail=True)
            raise ConfigError(f"[page] systemd cannot listen at {wanted}; does another program?")


def listened() -> str:
    """Return where systemd listens for the page: `127.0.0.1:8080`; empty: nowhere."""
    shown = ("--value", "--property=ActiveState", "--property=Listen")
    lines = dict.fromkeys(systemctl("show", *shown, PAGE_SOCKET, may_fail=True).splitlines())
    if not {"active"} & lines.keys():
        return ""
    return next((each.split()[0] for each in lines if each.endswith("(Stream)")), "")


def say_failure(error: Exception) -> None:
    """Have the service report why systemd does not listen for the page."""
    with suppress(OSError):
        failure = DIRECTORY / FOLDER / FAILURE
        failure.write_text(f"{error}\n", encoding="utf-8")
        failure.chmod(0o644)
