"""Starts and stops the process at the pins, as [signal] says.

Root runs this before the service starts (`edge/daemon/activation.py`), outside its sandbox. The
process gets its section of the settings, and nothing else of them: passwords are not for it. It
outlives the service, so what it needs lies in a folder of its own.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from edge.config import SERVICE_USER, SignalSettings
from edge.host.local_socket import make_folder
from edge.host.status_file import DIRECTORY
from edge.release.unit import SIGNAL_UNIT, systemctl
from edge.signal.__main__ import FILE
from edge.signal.wire import FOLDER

USER = SERVICE_USER
GROUP = "tensormask-pins"


def activate(settings: SignalSettings, file: Path = FILE, runtime: Path = DIRECTORY) -> None:
    """Have it run with these settings, or not at all. Raises OSError, TensorMaskError."""
    if not settings.enabled:
        if file.exists():
            systemctl("stop", SIGNAL_UNIT, may_fail=True)
            file.unlink()
        return
    make_folder(runtime / FOLDER, USER, GROUP)
    content = msgspec.json.encode(settings)
    is_new = not file.exists() or file.read_bytes() != content
    if is_new:
        file.parent.mkdir(exist_ok=True)
        file.parent.chmod(0o755)  # whatever the unit's UMask= says
        fresh = file.with_name(f"{file.name}.new")
        fresh.write_bytes(content)
        fresh.chmod(0o644)
        fresh.replace(file)
    # Of one that has ended for good, as without lgpio, nothing is left in the way.
    systemctl("reset-failed", SIGNAL_UNIT, may_fail=True)
    # Not waited for: it waits for the service.
    systemctl("--no-block", "restart" if is_new else "start", SIGNAL_UNIT)
