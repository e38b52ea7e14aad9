"""A place where programs for arm64 run on another processor: qemu's user-mode emulation.

The emulator is registered in a user namespace of our own, and since Linux 6.7 each has its own
binfmt_misc: so no other program of this machine sees it, and nothing is to be undone, it ends
with us. Root there is root here, but has no say over what is not of that namespace.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Self

CPU = "cortex-a72"
"""A Pi 4. Newer processors sign their pointers, which qemu takes 15 times as long for."""
_SOURCES = """\
Types: deb deb-src
URIs: http://deb.debian.org/debian
Suites: trixie
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""
_APT = """
apt="apt-get -qq -o Dir::Etc::sourcelist=$1/qemu.sources -o Dir::Etc::sourceparts=- \
  -o Dir::State::lists=$1/lists -o Dir::Cache=$1/cache -o APT::Sandbox::User=root"
mkdir -p lists/partial cache/archives/partial
$apt update
"""
_FETCH = f"""{_APT}
$apt download qemu-user
dpkg --fsys-tarfile qemu-user_*.deb | tar -x --strip-components=3 ./usr/bin/qemu-aarch64
rm -r cache lists qemu-user_*.deb
"""
_BUILD = f"""{_APT}
$apt source --download-only qemu
mkdir -p source
tar -C source --strip-components=1 -xf qemu_*.orig.tar.xz
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check meson pycotap setuptools
mkdir -p built
cd built
PATH=$1/python/bin:$PATH ../source/configure --python="$1/python/bin/python" \
    --target-list=aarch64-linux-user --without-default-features --enable-plugins \
    --disable-system --disable-tools --disable-docs --disable-install-blobs
ninja -j"$(nproc)" qemu-aarch64
cc -O2 -Wall -Wextra -Wno-unused-parameter -shared -fPIC -I../source/include/qemu \
    $(pkg-config --cflags glib-2.0) -o count.so "$2"
"""
_NEEDED = "build-essential libglib2.0-dev ninja-build pkg-config python3-venv"
_MAGIC = (
    r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
    r":\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
)
"""The head of an executable or library for arm64, and which of its bits count."""
_HOLD = """
mount --make-rprivate /
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
printf %s ":tensormask-arm64:M::$0:$1:FOC" >/proc/sys/fs/binfmt_misc/register
echo ready
# Ends with its input, which is ours: when we leave, or die.
exec cat >/dev/null
"""


def fetched_qemu(folder: Path) -> Path:
    """Return Debian 13's emulator, fetched into `folder` once: LiteRT crashes in older ones."""
    qemu = folder / "qemu-aarch64"
    if not qemu.exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "qemu.sources").write_text(_SOURCES)
        subprocess.run(["sh", "-euc", _FETCH, "sh", folder.resolve()], cwd=folder, check=True)
    return qemu.resolve()


def built_qemu(folder: Path) -> Path:
    """Return the same emulator, but one that takes plugins, built in `folder` once; see `_NEEDED`.

    Beside it is `count.so`, made of `count.c`.
    """
    work = folder.resolve() / "counting"
    qemu = work / "built" / "qemu-aarch64"
    if not (work / "built" / "count.so").exists():
        work.mkdir(parents=True, exist_ok=True)
        (work / "qemu.sources").write_text(_SOURCES)
        source = Path(__file__).with_name("count.c").resolve()
        try:
            subprocess.run(["sh", "-euc", _BUILD, "sh", work, source], cwd=work, check=True)
        except subprocess.CalledProcessError as error:
            error.add_note(f"does it lack a package? sudo apt-get install {_NEEDED}")
            raise
    return qemu


class Emulation:
    """Lasts from entering the context to leaving it. Needs root."""

    def __init__(self, qemu: Path) -> None:
        """`qemu` runs the programs; within a root it needs no file there, but its libraries."""
        self._qemu = qemu
        self._holder: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._holder = subprocess.Popen(
            [
                *("unshare", "--user", "--mount"),
                # Only a program that is started with the numbers in place is root there.
                *("sh", "-ec", 'echo new; read -r numbers; exec sh -ec "$@"', "sh"),
                *(_HOLD, _MAGIC, str(self._qemu)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdin is not None
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() == "new\n":
            for numbers in ("uid_map", "gid_map"):
                Path(f"/proc/{self._holder.pid}/{numbers}").write_text("0 0 65536")
            self._holder.stdin.write("set\n")
            self._holder.stdin.flush()
        if self._holder.stdout.readline() != "ready\n":
            self.__exit__(None, None, None)
            raise RuntimeError("no emulation: it takes root, and Linux 6.7 or later")
        return self

    def __exit__(self, *_: object) -> None:
        if self._holder is not None:
            self._holder.communicate()

    @property
    def within(self) -> list[str]:
        """The words before a command that run it there."""
        assert self._holder is not None
        return ["nsenter", "-t", str(self._holder.pid), "--user", "--mount", "--"]
