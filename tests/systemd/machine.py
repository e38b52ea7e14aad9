"""A machine with a real systemd as PID 1: an overlay of a root, usually our own, booted by nspawn.

Nothing that happens inside reaches the host: writes go to a tmpfs, the network is a private
loopback, and every mount belongs to a mount namespace that ends with the machine. Needs root and
the Debian package systemd-container, but no systemd running on the host.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

BOOT_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 30.0
_REBOOT = 133
"""With this status nspawn asks its parent to start it again."""
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
}
_MASKED = (
    # Asks questions on a terminal that is not there.
    "systemd-firstboot.service",
    # Of no use on a private loopback, or slow to stop.
    "systemd-networkd.service",
    "systemd-timesyncd.service",
    "e2scrub_reap.service",
    "postgresql.service",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
)
_LAY_ROOT = """
set -e
mount --make-rprivate /
mount -t tmpfs -o size=3g,mode=755 tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
if [ -n "$4" ]; then cp -a "$4/." "$1/upper/"; fi
mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work$3" "$1/root"
echo laid
exec sleep infinity
"""
_JOIN_CGROUPS = 'for group in $CGROUPS; do echo $$ >"$group/cgroup.procs"; done; exec "$@"'
_CHROOT = """
for mounted in proc sys dev; do mount --rbind "/$mounted" "$0/$mounted"; done
mount -t tmpfs tmpfs "$0/run"
cp -L /etc/resolv.conf "$0/run/resolv.conf"
if [ -s "$0/run/resolv.conf" ]; then mount --bind "$0/run/resolv.conf" "$0/etc/resolv.conf"; fi
exec chroot "$0" "$@"
"""


def says_all_is_well(status: str) -> bool:
    """Tell whether `tensormask status` is content.

    The machines share the clock of the one that they run on, which need not follow a time server.
    """
    *_, last = status.splitlines() or [""]
    wrong = [line for line in status.splitlines() if line.startswith(("fault", "hint"))]
    return last == "all is well" or (len(wrong) == 1 and "the clock is not set" in wrong[0])


def wait_until(condition: Callable[[], bool], within_s: float, what: str) -> float:
    """Return after how many seconds `condition` came true; raises TimeoutError with `what`."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > within_s:
            raise TimeoutError(f"not within {within_s:g} s: {what}")
        time.sleep(0.05)
    return time.monotonic() - begun


@dataclass(frozen=True, slots=True)
class _Controller:
    name: str
    path: Path
    """The control group that we are in ourselves, whose limits hold for the machine too."""


def _v1_controllers() -> list[_Controller]:
    """Return memory and pids where they are of cgroup v1; in v2 a machine has them anyway."""
    ours = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        ours.update(dict.fromkeys(names.split(","), path))
    return [
        _Controller(name, Path(f"/sys/fs/cgroup/{name}{ours[name]}"))
        for name in ("memory", "pids")
        if name in ours
    ]


class Machine:
    """Laid out on entering the context; booted by `boot`; gone, with its traces, on leaving."""

    def __init__(
        self,
        folder: Path,
        name: str,
        limits: bool = False,
        network: str | None = None,
        lower: Path = Path("/"),
        within: Sequence[str] = (),
        written: Path | None = None,
    ) -> None:
        """`folder` must be empty; `name` is its host name and names its control groups.

        `network` names the network namespace that it is in; without, it has a loopback of its own.

        With `limits` its systemd gets the host's memory and pids controllers too, if they are of
        cgroup v1, and enforces MemoryMax= and TasksMax=.

        `lower` is the root that it is an overlay of. `within` are the words before a command that
        run it in a user namespace of our own; the machine is then made there. `written` is what
        `save` has kept of another one, and is there from the beginning.
        """
        self._folder = folder
        self._name = name
        self._lower = lower
        self._within = within
        self._written = written
        self._network = (
            "--private-network"
            if network is None
            else f"--network-namespace-path=/run/netns/{network}"
        )
        self._controllers = _v1_controllers() if limits else []
        self._log = folder.with_suffix(".log")
        self._holder: subprocess.Popen[str] | None = None
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._leader: int | None = None

    def __enter__(self) -> Self:
        # Dies with us whatever happens, and takes the mounts along.
        self._holder = subprocess.Popen(
            [
                *self._within,
                *_at_our_death("KILL"),
                *("unshare", "--mount", "sh", "-c", _LAY_ROOT, "sh"),
                # In a user namespace only root outside of it may write the usual attributes.
                *(str(self._folder), str(self._lower), ",userxattr" if self._within else ""),
                "" if self._written is None else str(self._written),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != "laid\n":
            self.__exit__(None, None, None)
            raise RuntimeError("no overlay of the root could be mounted")
        self.write("/etc/machine-id", "")
        self.write("/etc/hostname", f"{self._name}\n")
        for unit in _MASKED:
            self._outside("ln", "-sf", "/dev/null", f"{self.root}/etc/systemd/system/{unit}")
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.power_off()
        finally:
            if self._holder is not None:
                self._holder.kill()
                self._holder.communicate()
            for group in self._cgroups():
                _remove_cgroup(group)

    @property
    def root(self) -> Path:
        """The root directory, as the machine's own mount namespace sees it; not the host."""
        return self._folder / "root"

    def boot(self) -> float:
        """Start systemd; return the seconds until it runs. Raises TimeoutError when it does not."""
        begun = time.monotonic()
        for group in self._cgroups():
            group.mkdir(exist_ok=True)
        with self._log.open("wb") as log:
            self._nspawn = subprocess.Popen(
                [
                    # By force it would leave its systemd behind.
                    *_at_our_death("TERM"),
                    *("sh", "-c", _JOIN_CGROUPS, "sh"),
                    *self._in_mount_namespace(),
                    *("systemd-nspawn", "--quiet", f"--directory={self.root}", "--boot"),
                    *(f"--machine={self._name}", self._network, "--console=pipe"),
                    # There is no machined and no systemd of the host to register with.
                    *("--register=no", "--keep-unit", "--link-journal=no"),
                    *("--resolv-conf=off", "--timezone=off"),
                    # Without BPF systemd enforces neither DeviceAllow= nor IPAddressDeny=. Nobody
                    # may set the clock here, but as on a real machine anybody may ask about it.
                    *("--capability=CAP_BPF", "--system-call-filter=bpf adjtimex clock_adjtime"),
                ],
                env=_ENVIRONMENT
                | {
                    "CGROUPS": " ".join(map(str, self._cgroups())),
                    "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "0" if self._controllers else "1",
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            wait_until(self._is_up, BOOT_TIMEOUT_S, "systemd is running")
        except TimeoutError as late:
            late.add_note(self._log.read_text(errors="replace")[-2000:])
            raise
        for controller in self._controllers:
            # nspawn leaves them to be looked at only.
            self.run("mount", "-o", "remount,rw,bind", f"/sys/fs/cgroup/{controller.name}")
        if self._controllers:
            self.run("systemctl", "daemon-reexec")
        return time.monotonic() - begun

    def run(
        self, *command: str, check: bool = True, timeout_s: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside the booted machine, as root."""
        assert self._leader is not None
        return _run(["nsenter", "-t", str(self._leader), "-a", "--", *command], check, timeout_s)

    def output(self, *command: str) -> str:
        return self.run(*command).stdout.strip()

    def install(self, *command: str, timeout_s: float = 600) -> subprocess.CompletedProcess[str]:
        """Run a command in the machine's root before it boots, with the host's network.

        It inherits our environment but for the search path: package registries are set there.
        """
        environment = os.environ | _ENVIRONMENT
        enter = [*self._in_mount_namespace(), "unshare", "--mount", "sh", "-ec", _CHROOT]
        return _run([*enter, str(self.root), *command], True, timeout_s, environment)

    def write(self, path: str, text: str) -> None:
        """Write a file; in a booted machine too."""
        at = f"{self.root}{path}"
        self._outside("sh", "-ec", 'mkdir -p "$(dirname "$0")"; cat >"$0"', at, stdin=text)

    def copy(self, source: Path, path: str) -> None:
        """Copy a file or folder of the host to `path`, before the machine boots."""
        self._outside("mkdir", "-p", f"{self.root}{Path(path).parent}")
        self._outside("cp", "-rL", "--no-target-directory", str(source), f"{self.root}{path}")

    def save(self, folder: Path) -> None:
        """Keep in `folder` what has been written to the root, for another machine, before a boot.

        What names this machine, the other one writes again.
        """
        self._outside("cp", "-a", f"{self._folder}/upper/.", str(folder))

    def power_off(self) -> None:
        """Shut down in order, by force where that takes too long. Harmless when not booted."""
        nspawn, self._nspawn = self._nspawn, None
        if nspawn is None:
            return
        nspawn.terminate()  # nspawn asks its systemd to power off
        try:
            nspawn.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            if self._leader is not None:
                os.kill(self._leader, signal.SIGKILL)
            nspawn.kill()
            nspawn.wait()
        self._leader = None

    def cut_power(self) -> None:
        """End everything that runs in it at once, without a word; `boot` starts it again."""
        nspawn, self._nspawn = self._nspawn, None
        if nspawn is None or self._leader is None:
            return
        os.kill(self._leader, signal.SIGKILL)  # the first process of its namespace: all go with it
        nspawn.wait(STOP_TIMEOUT_S)
        self._leader = None

    def wait_for_reboot(self) -> None:
        """Return when the machine has asked for a reboot, gone down, and is up again."""
        assert self._nspawn is not None
        status = self._nspawn.wait(BOOT_TIMEOUT_S)
        if status != _REBOOT:
            raise RuntimeError(f"it went down with {status}, not for a reboot")
        self._nspawn = self._leader = None
        self.boot()

    def _is_up(self) -> bool:
        assert self._nspawn is not None
        if self._nspawn.poll() is not None:
            raise TimeoutError("systemd-nspawn ended")
        if self._leader is None:
            self._leader = _child(self._nspawn.pid, "systemd")
            return False
        answer = self.run("systemctl", "is-system-running", check=False).stdout.strip()
        return answer in {"running", "degraded"}

    def _in_mount_namespace(self) -> list[str]:
        assert self._holder is not None
        namespaces = ["--mount", "--user"] if self._within else ["--mount"]
        return ["nsenter", "-t", str(self._holder.pid), *namespaces, "--"]

    def _outside(self, *command: str, stdin: str = "") -> None:
        subprocess.run(
            [*self._in_mount_namespace(), *command], input=stdin, text=True, check=True, timeout=60
        )

    def _cgroups(self) -> list[Path]:
        """A control group of its own in each hierarchy that systemd uses: hybrid, or unified."""
        base = Path("/sys/fs/cgroup")
        hierarchies = [base / name for name in ("unified", "systemd") if (base / name).is_dir()]
        above = [*(hierarchies or [base]), *(group.path for group in self._controllers)]
        return [hierarchy / f"machine-{self._name}" for hierarchy in above]


def _at_our_death(signal_name: str) -> list[str]:
    """Return the words before a command that make it get a signal when this process dies."""
    return ["setpriv", "--pdeathsig", signal_name]


def _run(
    command: list[str], check: bool, timeout_s: float, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command,
        env=environment or _ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout_s,
    )
    if check and done.returncode != 0:
        raise RuntimeError(
            f"{command} ended with {done.returncode}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        )
    return done


def _child(parent: int, name: str) -> int | None:
    """Return the process `name` among the children of `parent`."""
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        if Path(f"/proc/{child}/comm").read_text().strip() == name:
            return int(child)
    return None


def _remove_cgroup(group: Path) -> None:
    for folder in sorted(group.glob("**/"), key=lambda path: len(path.parts), reverse=True):
        # The last processes may still be leaving.
        wait_until(partial(_removed, folder), STOP_TIMEOUT_S, f"{folder} is empty")


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
