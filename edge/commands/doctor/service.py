"""The service under systemd, its user and its files, and what became of releases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edge.commands.doctor.finding import Finding, Level, as_root
from edge.commands.doctor.host import Host, groups_of, shown, user_id
from edge.commands.releases import installed
from edge.conditions import Code, conditions
from edge.config import SERVICE_USER
from edge.errors import TensorMaskError
from edge.installed import installation
from edge.release.judge import ENDINGS
from edge.release.ledger import TrialOutcome
from edge.release.store import called
from edge.release.unit import UNIT
from edge.telemetry import Telemetry

SHOWN = (
    "LoadState,ActiveState,SubState,Result,ExecMainStatus,NRestarts,UnitFileState,FragmentPath,"
    "DropInPaths,NeedDaemonReload,Job"
)
OWN_DROP_IN = "00-release.conf"
MANY_RESTARTS = 3
_CURES = {
    65: "sudo tensormask models rollback bundle, or install the release again: deploy/install.sh",
    72: "install the release again: sudo deploy/install.sh",
    78: "sudo tensormask check, mend what it says, then: sudo systemctl restart tensormask",
}

_TOLD = (
    Code.PAUSED,
    Code.MESSAGES_QUEUED,
    Code.TOO_HOT,
    Code.POWER_WEAK,
    Code.MEMORY_SHORT,
)
"""The conditions of the running service that no other part looks at."""


def unit(host: Host) -> Iterator[Finding]:
    """Return how the service is. Without systemd, or a unit, there is none."""
    if not host.has_systemd:
        yield Finding("service", Level.UNKNOWN, "there is no systemd here")
        return
    state = shown(host.say("systemctl", "show", f"--property={SHOWN}", UNIT))
    match state.get("LoadState"):
        case "masked":
            cure = f"sudo systemctl unmask {UNIT}; sudo systemctl enable --now {UNIT}"
            yield Finding("service", Level.FAULT, "masked: nothing may start it", cure)
        case "loaded":
            yield from _loaded(state)
        case _:
            text = "not installed: nothing starts it"
            yield Finding("service", Level.HINT, text, "sudo deploy/install.sh")


def _loaded(state: dict[str, str]) -> Iterator[Finding]:
    yield _life(state)
    if state.get("FragmentPath", "").startswith("/etc/systemd/system/"):
        path = state["FragmentPath"]
        cure = f"sudo rm {path}; sudo systemctl daemon-reload; sudo systemctl restart {UNIT}"
        yield Finding("unit", Level.FAULT, f"{path} hides the installed one", cure)
    elif state.get("NeedDaemonReload") == "yes":
        cure = f"sudo systemctl daemon-reload; sudo systemctl restart {UNIT}"
        yield Finding("unit", Level.HINT, "it has changed, and systemd has not read it yet", cure)
    if state.get("UnitFileState") == "disabled":
        cure = f"sudo systemctl enable {UNIT}"
        yield Finding("unit", Level.HINT, "the service does not start when the box does", cure)
    own = [path for path in state.get("DropInPaths", "").split() if not path.endswith(OWN_DROP_IN)]
    if own:
        text = f"changed by {', '.join(own)}"
        yield Finding("unit", Level.OK, text, f"systemctl cat {UNIT} shows the whole of it")


def _life(state: dict[str, str]) -> Finding:
    active, status = state.get("ActiveState", ""), int(state.get("ExecMainStatus") or 0)
    restarts = int(state.get("NRestarts") or 0)
    journal = f"journalctl -u {UNIT} -n 30"
    is_between = state.get("SubState", "").startswith("auto-restart")
    is_on_the_way = state.get("Job", "") not in ("", "0") or active.endswith("ing")
    if is_on_the_way and not is_between:
        text = "it is being started, stopped or restarted"
        return Finding("service", Level.HINT, text, "look again in some seconds")
    if active == "failed":
        text = ENDINGS.get(status, f"it failed ({state.get('Result')}, {status})")
        cure = _CURES.get(status, f"{journal}; sudo systemctl restart {UNIT}")
        return Finding("service", Level.FAULT, text, cure)
    if is_between:
        text = f"it ends again and again ({state.get('Result')}, {status})"
        return Finding("service", Level.FAULT, text, journal)
    if active == "inactive":
        return Finding("service", Level.FAULT, "stopped", f"sudo systemctl start {UNIT}")
    if restarts > MANY_RESTARTS:
        text = f"started anew {restarts} times since it was last started by somebody"
        return Finding("service", Level.HINT, text, journal)
    return Finding("service", Level.OK, active)


def told(telemetry: Telemetry) -> Iterator[Finding]:
    """Return what the running service says of itself, and nothing else here tells."""
    for condition in conditions(telemetry):
        if condition.code in _TOLD:
            yield Finding("service", Level.HINT, condition.text, condition.fix)


def files(host: Host, state: Path) -> Iterator[Finding]:
    """Return whether the service's user is there, sees cameras, and owns its state."""
    uid = user_id(SERVICE_USER)
    if uid is None:
        if host.path("/opt/tensormask/current").is_symlink():
            text = f"there is no user {SERVICE_USER}, whom the service runs as"
            yield Finding("user", Level.FAULT, text, "sudo deploy/install.sh")
        return
    if "video" not in groups_of(SERVICE_USER):
        yield Finding(
            "user",
            Level.HINT,
            f"{SERVICE_USER} is not in the group video; the unit puts the service there",
            f"sudo usermod -aG video {SERVICE_USER}",
        )
    if state.is_dir():
        yield from _owned(state, uid)


def _owned(state: Path, uid: int) -> Iterator[Finding]:
    try:
        there = [state, *state.iterdir()]
        foreign = [each for each in there if each.lstat().st_uid != uid]
    except OSError as error:
        yield Finding("state", Level.UNKNOWN, f"{state}: {error.strerror}", as_root("dmesg | tail"))
        return
    if foreign:
        yield Finding(
            "state",
            Level.FAULT,
            f"{foreign[0]} does not belong to {SERVICE_USER}: the service cannot write there",
            f"sudo chown -R {SERVICE_USER}: {state}",
        )
    set_aside = [each.name for each in there if "damaged" in each.name]
    if set_aside:
        yield Finding(
            "state",
            Level.HINT,
            f"a damaged outbox was set aside: {set_aside[0]}",
            "what is in it can be saved: docs/operating.md, An outbox that is damaged",
        )


def releases() -> Iterator[Finding]:
    """Return what is on trial and what was undone."""
    if installation() is None:
        return
    try:
        state = installed()
    except TensorMaskError as error:
        yield Finding("releases", Level.FAULT, str(error))
        return
    if state.trial is not None:
        name = called(state.trial.name)
        text = f"the {state.trial.slot} {name} is on trial"
        yield Finding("releases", Level.OK, text, "tensormask release wait")
    if state.entries and state.entries[-1].outcome in (TrialOutcome.REFUSED, TrialOutcome.UNDONE):
        last = state.entries[-1]
        yield Finding(
            "releases",
            Level.HINT,
            f"the {last.slot} {called(last.name)} was undone: {last.reason}",
            "mend that, then: sudo tensormask release activate NAME --again",
        )


def leftovers(host: Host) -> Iterator[Finding]:
    """Return what former versions have left."""
    for name in ("program", "packages", "venv"):
        path = host.path(f"/opt/tensormask/{name}")
        if path.exists() and host.path("/opt/tensormask/current").is_symlink():
            text = f"/opt/tensormask/{name} is of an older version, and used by nothing"
            yield Finding("releases", Level.HINT, text, f"sudo rm -r /opt/tensormask/{name}")
