#!/usr/bin/env bash
# Installs TensorMask on this machine (Raspberry Pi OS or Debian, 12 or later), or upgrades it:
#
#   sudo deploy/install.sh [--broker HOST[:PORT]]
#
# May be run again at any time. Settings in /etc/tensormask that somebody has edited are kept. The new
# version is made beside the old one, which goes when the new one runs: whenever this is killed, one of
# them runs. It ends with 0 only where the service runs, is to start at boot, or waits for a broker's
# name.
set -euo pipefail

source_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly source_root
readonly prefix=/opt/tensormask
readonly settings=/etc/tensormask/tensormask.toml
readonly state=/var/lib/tensormask
readonly share=/usr/local/share

fail() {
    echo "deploy/install.sh: $*" >&2
    exit 1
}

say() {
    echo "== $*"
}

install_packages() {
    local wanted=(python3 python3-venv python3-systemd) missing=() package
    if grep -qs "Raspberry Pi" /proc/device-tree/model; then
        wanted+=(python3-picamera2)
    fi
    for package in "${wanted[@]}"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "ok installed" ||
            missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
}

make_user() {
    install -D -m 644 "$source_root/systemd/tensormask.sysusers" /etc/sysusers.d/tensormask.conf
    systemd-sysusers /etc/sysusers.d/tensormask.conf
}

# A file is there as it was or as it is to be, whenever this is killed.
put() {
    install -m "$1" "${@:4}" "$2" "$3.new"
    mv -T "$3.new" "$3"
}

# The program in a folder of its own, $program, beside the one that may be running.
make_program() {
    say "installing the program into $prefix"
    install -d -m 755 "$prefix"
    # The system's own Python, with its packages: picamera2, libcamera and systemd come from apt.
    PYTHON=/usr/bin/python3 "$source_root/deploy/venv.sh" "$prefix/packages" --keep \
        --system-site-packages "$source_root/requirements-pi.txt"
    packages=$prefix/$(basename "$(readlink -f "$prefix/packages")")
    program=$(mktemp -d "$prefix/program.XXXXXXXX")
    chmod 755 "$program"
    # Copied, not built: a build would fetch what builds it. The documents' links to each other hold.
    tar -C "$source_root" --exclude=__pycache__ --mode=u=rwX,go=rX --owner=root --group=root \
        -c edge deploy docs systemd LICENSE | tar -C "$program" -x
    # Which commit it is; an archive has that already, wherever it was unpacked.
    if [ -e "$source_root/.git" ] && commit=$(git -C "$source_root" -c safe.directory='*' describe --always --dirty --exclude='*' \
        2>/dev/null); then
        echo "$commit" >"$program/edge/commit"
    fi
    cat >"$program/tensormask" <<END
#!$packages/bin/python
import sys
from pathlib import Path

# Not by way of the link to this folder, which an upgrade sets to another.
sys.path[0] = str(Path(__file__).resolve().parent)
from edge.cli import main

sys.exit(main())
END
    chmod 755 "$program/tensormask"
    "$packages/bin/python" -m compileall -q "$program/edge"
    "$program/tensormask" --version >/dev/null
    sync -f "$program"
}

make_directories() {
    # Readable for the service, not for others: a password file is to lie there.
    install -d -m 750 -o root -g tensormask /etc/tensormask
    install -d -m 755 -o tensormask -g tensormask "$state"
}

write_settings() {
    local example="$source_root/deploy/tensormask.toml" former kept
    put 640 "$example" "$settings.example" -o root -g tensormask
    if [ ! -e "$settings" ]; then
        put 640 "$example" "$settings" -o root -g tensormask
    elif former=$(/usr/local/bin/tensormask --version 2>/dev/null); then
        # For the way back to a version that does not know what will be written from now on. One that
        # an attempt before this has kept is older, and right.
        former=${former##* }
        kept=$settings.${former//[^A-Za-z0-9.+_-]/}
        [ "tensormask $former" = "$("$program/tensormask" --version)" ] || [ -e "$kept" ] ||
            put 640 "$settings" "$kept" -o root -g tensormask
    fi
    [ -n "$broker" ] || return 0
    (cd "$program" && "$packages/bin/python" -m deploy.broker "$settings" "$broker")
}

# From here on the new program is the one that runs.
switch() {
    ln -sfn "$(basename "$program")" "$prefix/program.link"
    mv -T "$prefix/program.link" "$prefix/program"
    put 755 "$source_root/deploy/tensormask" /usr/local/bin/tensormask
    install -d "$share/doc" "$share/man/man1" "$share/bash-completion/completions"
    ln -sfn "$prefix/program/docs" "$share/doc/tensormask"
    "$program/tensormask" man >"$share/man/man1/tensormask.1"
    "$program/tensormask" completion bash >"$share/bash-completion/completions/tensormask"
    put 644 "$source_root/systemd/tensormask.service" /etc/systemd/system/tensormask.service
    if is_booted; then systemctl daemon-reload; fi
    systemctl --quiet enable tensormask.service
}

remove_former() {
    local former
    for former in "$prefix"/program.* "$prefix"/packages.*; do
        case $former in
        "$program" | "$packages") ;;
        *) rm -rf "$former" ;;
        esac
    done
    # Where 0.1.0 had them.
    rm -rf "$prefix/venv" "$prefix/operating.md"
}

is_booted() {
    [ -d /run/systemd/system ]
}

# Or about to: between two of its attempts, too.
is_running() {
    case $(is_booted && systemctl is-active tensormask.service) in
    active | activating | reloading) ;;
    *) return 1 ;;
    esac
}

has_not_restarted() {
    [ "$(systemctl show --value --property NRestarts tensormask.service)" = 0 ]
}

check() {
    local status=0
    runuser -u tensormask -- env STATE_DIRECTORY="$state" "$program/tensormask" check || status=$?
    # Whatever else the check found lacking (camera, broker), the service waits for.
    [ "$status" -ne 0 ] && [ "$status" -ne 1 ] || return 0
    if is_running; then
        rm -rf "$program"
        fail "nothing is changed, and the former version runs on; mend what the check says, and" \
            "install again"
    fi
    switch
    if grep -qxF 'host = ""' "$settings"; then
        say "not started: no broker yet; name it in $settings, then: sudo systemctl restart tensormask"
        exit 0
    fi
    fail "not started; mend what the check says, then: sudo systemctl restart tensormask"
}

start() {
    if ! is_booted; then
        say "installed; it starts when this system boots"
        return
    fi
    # A start that fails is said at once; so is a service that ends within its first seconds.
    if ! { systemctl restart tensormask.service && sleep 3 && is_running && has_not_restarted; }; then
        fail "installed, but the service does not come up; see: journalctl -u tensormask -n 30"
    fi
    say "running; see: systemctl status tensormask, journalctl -u tensormask -f"
}

broker=""
while [ $# -gt 0 ]; do
    case $1 in
    --broker)
        broker=${2:-}
        [[ $broker =~ ^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?$ ]] ||
            fail "--broker takes HOST, HOST:PORT or [IPv6]:PORT"
        shift 2
        ;;
    *) fail "unknown option $1; usage: sudo deploy/install.sh [--broker HOST[:PORT]]" ;;
    esac
done
[ "$(id -u)" -eq 0 ] || fail "run it as root: sudo deploy/install.sh"
command -v apt-get >/dev/null || fail "this is no Debian or Raspberry Pi OS"

umask 022
install_packages
make_user
make_program
make_directories
write_settings
check
switch
start
remove_former
