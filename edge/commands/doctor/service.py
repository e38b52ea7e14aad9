"""The service under systemd, its user and its files, and what became of releases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from edge.commands.doctor.finding import Finding, reported, well, wrong
from edge.commands.doctor.host import Host, groups_of, shown, user_id
from edge.commands.permission import as_root
from edge.commands.releases import installed
from edge.conditions import Code
from edge.config import SERVICE_USER
from edge.errors import TensorMaskError
from edge.history.store import FILE as HISTORY
from edge.installed import installation
from edge.release.judge import ENDINGS
from edge.release.ledger import TrialOutcome
from edge.release.observed import ServiceState
from edge.release.store import called
from edge.release.unit import UNIT, state_of
from edge.telemetry import Telemetry
from edge.words import count

SHOWN = (
    "LoadState,ActiveState,SubState,Result,ExecMainStatus,NRestarts,UnitFileState,FragmentPath,"
    "DropInPaths,NeedDaemonReload,Job"
)
OWN_DROP_IN = "00-release.conf"
MANY_RESTARTS = 3
_CURES = {
    65: "sudo tensormask models rollback bundle, or install the release again: deploy/install.sh",
    72: "install the release again: sudo deploy/install.sh",
    78: "sudo tensormask check, fix what it says, then: sudo systemctl restart tensormask",
}

_REPORTED = (
    Code.PAUSED,
    Code.RULE_OFF,
    Code.MESSAGES_QUEUED,
    Code.TOO_HOT,
    Code.POWER_WEAK,
    Code.MEMORY_SHORT,
    Code.HISTORY_FAILING,
)
"""The conditions of the running service that no other part looks at."""
_STARTED_BY_FIX = (Code.SERVICE_MASKED, Code.SERVICE_FAILED, Code.SERVICE_STOPPED)


def unit(host: Host, first: str = "") -> Iterator[Finding]:
    """Return how the service is. Without systemd, or a unit, there is none.

    `first` is to be done before the service is started.
    """
    for each in _unit(host):
        is_after = first and each.code in _STARTED_BY_FIX
        yield replace(each, fix=f"{first}; {each.fix}") if is_after else each


def _unit(host: Host) -> Iterator[Finding]:
    if not host.has_systemd:
        yield wrong("service", Code.UNKNOWN, why="there is no systemd here")
        return
    text = host.say("systemctl", "show", f"--property={SHOWN}", UNIT)
    state = shown(text)
    match state.get("LoadState"):
        case "masked":
            yield wrong("service", Code.SERVICE_MASKED)
        case "loaded":
            yield _life(state_of(text))
            yield from _loaded(state)
        case _:
            yield wrong("service", Code.SERVICE_ABSENT)


def _loaded(state: dict[str, str]) -> Iterator[Finding]:
    if state.get("FragmentPath", "").startswith("/etc/systemd/system/"):
        yield wrong("unit", Code.UNIT_HIDDEN, path=state["FragmentPath"])
    elif state.get("NeedDaemonReload") == "yes":
        yield wrong("unit", Code.UNIT_CHANGED)
    if state.get("UnitFileState") == "disabled":
        yield wrong("unit", Code.NOT_AT_BOOT)
    own = [path for path in state.get("DropInPaths", "").split() if not path.endswith(OWN_DROP_IN)]
    if own:
        text = f"changed by {', '.join(own)}"
        yield well("unit", text, f"systemctl cat {UNIT} shows the whole of it")


def _life(state: ServiceState) -> Finding:
    if state.is_changing:
        return wrong("service", Code.SERVICE_CHANGING)
    if state.active == "failed":
        text = ENDINGS.get(state.status, f"it failed ({state.result}, {state.status})")
        return wrong("service", Code.SERVICE_FAILED, _CURES.get(state.status), why=text)
    if state.is_between:
        return wrong("service", Code.CRASH_LOOP, result=state.result, status=state.status)
    if state.active == "inactive":
        return wrong("service", Code.SERVICE_STOPPED)
    if state.restarts > MANY_RESTARTS:
        return wrong("service", Code.SERVICE_RESTARTED, times=count(state.restarts, "time"))
    return well("service", state.active)


def running(telemetry: Telemetry) -> Iterator[Finding]:
    """Return what the running service says of itself, and nothing else here tells."""
    return reported("service", telemetry, _REPORTED)


def files(host: Host, state: Path) -> Iterator[Finding]:
    """Return whether the service's user is there, sees cameras, and owns its state."""
    uid = user_id(SERVICE_USER)
    if uid is None:
        if host.path("/opt/tensormask/current").is_symlink():
            yield wrong("user", Code.USER_MISSING, user=SERVICE_USER)
        return
    if "video" not in groups_of(SERVICE_USER):
        yield wrong("user", Code.USER_WITHOUT_VIDEO, user=SERVICE_USER)
    if state.is_dir():
        yield from _owned(state, uid)


def _owned(state: Path, uid: int) -> Iterator[Finding]:
    try:
        there = [state, *state.iterdir()]
        foreign = [each for each in there if each.lstat().st_uid != uid]
    except OSError as error:
        why = f"{state}: {error.strerror}"
        yield wrong("state", Code.UNKNOWN, as_root("dmesg | tail"), why=why)
        return
    if foreign:
        path = foreign[0]
        yield wrong("state", Code.STATE_FOREIGN, path=path, folder=state, user=SERVICE_USER)
    quarantined = sorted(each.name for each in there if "damaged" in each.name)
    histories = [name for name in quarantined if name.startswith(HISTORY)]
    for code, names in (
        (Code.HISTORY_QUARANTINED, histories),
        (Code.OUTBOX_QUARANTINED, [name for name in quarantined if name not in histories]),
    ):
        if names:
            yield wrong("state", code, name=names[0])


def releases() -> Iterator[Finding]:
    """Return what is on trial and what was undone."""
    if installation() is None:
        return
    try:
        state = installed()
    except TensorMaskError as error:
        yield wrong("releases", Code.LEDGER_DAMAGED, why=error)
        return
    if state.trial is not None:
        name = called(state.trial.name)
        text = f"the {state.trial.slot} {name} is on trial"
        yield well("releases", text, "tensormask release wait")
    if state.entries and state.entries[-1].outcome in (TrialOutcome.REFUSED, TrialOutcome.UNDONE):
        last = state.entries[-1]
        name = called(last.name)
        yield wrong("releases", Code.RELEASE_UNDONE, slot=last.slot, name=name, why=last.reason)


def leftovers(host: Host) -> Iterator[Finding]:
    """Return what former versions have left."""
    for name in ("program", "packages", "venv"):
        path = host.path(f"/opt/tensormask/{name}")
        if path.exists() and host.path("/opt/tensormask/current").is_symlink():
            yield wrong("releases", Code.LEFTOVERS, path=f"/opt/tensormask/{name}")
