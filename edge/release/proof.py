"""Before a switch: what is to be used judges a known clip, in a process of its own program."""

from __future__ import annotations

import logging
import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge.installed import LINKS, Slot
from edge.isolated import ending_of
from edge.release.store import OWN, ReleaseStore, called

_log = logging.getLogger(__name__)

COMMAND = ("release", "prove")
KNOWN_BY = Path("edge/commands/proof.py")
"""A release that has this file knows the command."""
TIMEOUT_S = 240.0
"""It takes some 20 s on a Raspberry Pi 4."""
USER = "tensormask"


@dataclass(frozen=True, slots=True)
class Proof:
    """Has the releases and models of an installation prove themselves."""

    store: ReleaseStore

    def __call__(self, slot: Slot, name: str) -> str | None:
        """Return why what is to be used does not judge the known clip rightly; None: it does.

        Where what is used now does no better, it is not to blame; nor where it has no proof.
        """
        reason = self._failure(slot, name)
        if reason is None:
            return None
        present = self.store.current(slot)
        before = self._failure(slot, present)
        if before is None:
            return reason
        _log.warning("%s; so does the %s %s, in use now: %s", reason, slot, called(present), before)
        return None

    def _failure(self, slot: Slot, name: str) -> str | None:
        release = name if slot is Slot.RELEASE else self.store.current(Slot.RELEASE)
        folder = self.store.folder(Slot.RELEASE, release)
        if not (folder / KNOWN_BY).is_file():
            return None
        with self._models(slot, name) as models:
            return _run([str(folder / "tensormask"), *COMMAND, "--models", models])

    @contextmanager
    def _models(self, slot: Slot, name: str) -> Iterator[str]:
        """Give a folder with the links to the models in use, that of `slot` among them."""
        with tempfile.TemporaryDirectory(prefix="tensormask-") as given:
            folder = Path(given)
            folder.chmod(0o755)
            for each in (Slot.BUNDLE, Slot.DETECTOR):
                used = name if each is slot else self.store.current(each)
                if used != OWN:
                    (folder / LINKS[each]).symlink_to(self.store.folder(each, used))
            yield given


def _run(command: list[str]) -> str | None:
    """Run it as the service's user where this is root's process; return why it failed."""
    user: str | None = None
    if os.geteuid() == 0 and _is_known(USER):
        user = USER
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            cwd="/",
            env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"},
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            check=False,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return f"it does not judge the test clip within {TIMEOUT_S:.0f} s"
    except OSError as error:
        return f"it cannot be run: {error.strerror}"
    return ending_of(done).removeprefix("tensormask: ") if done.returncode else None


def _is_known(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
