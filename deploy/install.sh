#!/usr/bin/env bash
# Installs TensorMask on this machine (Raspberry Pi OS or Debian, 12 or later), or upgrades it:
#
#   sudo deploy/install.sh [--broker HOST[:PORT]] [--wheels FOLDER] [--without-packages] [--prepare]
#
# --wheels takes the Python packages from FOLDER and from nowhere else, --without-packages leaves apt
# alone: together nothing is fetched. --prepare makes the release, and changes nothing else.
#
# May be run again at any time: what is there already is not made again. Settings in /etc/tensormask
# that somebody has edited are kept. A release is made beside the one that runs, and is on trial after
# the switch: where it does worse, the device goes back by itself. Whenever this is killed, one of them
# runs. It ends with 0 only where the service runs, is to start at boot, or waits for a broker's name.
set -euo pipefail

source_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly source_root
readonly prefix=/opt/tensormask
readonly settings=/etc/tensormask/tensormask.toml
readonly state=/var/lib/tensormask
readonly share=/usr/local/share
readonly system_python=/usr/bin/python3

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

# A folder in $prefix/releases, named by version and content. It is there as a whole or not at all, and
# never changed.
make_release() {
    local partial commit link former
    install -d -m 755 "$prefix/releases"
    rm -rf "$prefix"/releases/.new.*
    partial=$(mktemp -d "$prefix/releases/.new.XXXXXXXX")
    chmod 755 "$partial"
    # Copied, not built: a build would fetch what builds it. The documents' links to each other hold.
    tar -C "$source_root" --exclude=__pycache__ --mode=u=rwX,go=rX --owner=root --group=root \
        -c edge deploy docs systemd LICENSE requirements-pi.txt | tar -C "$partial" -x
    # Which commit it is; an archive has that already, wherever it was unpacked.
    if [ -e "$source_root/.git" ] && commit=$(git -C "$source_root" -c safe.directory='*' describe --always --dirty --exclude='*' \
        2>/dev/null); then
        echo "$commit" >"$partial/edge/commit"
    fi
    release=$("$partial/deploy/release_name.sh" "$partial" \
        "$($system_python -c 'import sys; print(sys.implementation.cache_tag)')")
    program=$prefix/releases/$release
    if [ -e "$program" ]; then
        rm -rf "$partial"
        return
    fi
    say "making the release $release in $prefix"
    # Packages that are the same are the same files, by hard links.
    for former in "$prefix"/current/packages.*; do
        if [ -d "$former" ]; then cp -al "$former" "$partial/"; fi
    done
    # The system's own Python, with its packages: picamera2, libcamera and systemd come from apt.
    PYTHON=$system_python "$partial/deploy/venv.sh" "$partial/packages" --system-site-packages \
        "$partial/requirements-pi.txt"
    write_launcher "$partial"
    link=$partial/packages/bin/python
    "$link" -m compileall -q -s "$partial" -p "$program" "$partial/edge"
    "$link" "$partial/tensormask" man >"$partial/tensormask.1"
    "$link" "$partial/tensormask" completion bash >"$partial/completion.bash"
    sync -f "$partial"
    mv -T "$partial" "$program"
    sync -f "$program"
}

write_launcher() {
    cat >"$1/tensormask" <<END
#!$program/packages/bin/python
import os
import sys
from pathlib import Path

# Not by way of the link to this folder, which an upgrade sets to another.
here = Path(__file__).resolve().parent
sys.path[0] = str(here)
os.environ["TENSORMASK_PREFIX"] = str(here.parent.parent)
try:
    from edge.__main__ import main

    status = main()
except Exception:
    sys.excepthook(*sys.exc_info())
    status = 70  # EX_SOFTWARE: the program itself is at fault
sys.exit(status)
END
    chmod 755 "$1/tensormask"
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
    (cd "$program" && packages/bin/python -B -m deploy.broker "$settings" "$broker")
}

# Everything outside $prefix leads by way of the link current, so that one step switches all of it.
make_links() {
    install -d "$share/doc" "$share/man/man1" "$share/bash-completion/completions"
    ln -sfn "$prefix/current/docs" "$share/doc/tensormask"
    ln -sfn "$prefix/current/tensormask.1" "$share/man/man1/tensormask.1"
    ln -sfn "$prefix/current/completion.bash" "$share/bash-completion/completions/tensormask"
    put 755 "$source_root/deploy/tensormask" /usr/local/bin/tensormask
    make_unit tensormask.service current
    make_unit tensormask-trial.service watcher
    make_unit tensormask-page.service current
    # Where 0.2.0 had it, and where it would be the one that counts.
    rm -f /etc/systemd/system/tensormask.service /etc/systemd/system/tensormask-trial.service
    if is_booted; then systemctl daemon-reload; fi
    systemctl --quiet --force enable tensormask.service tensormask-trial.service
}

# make_unit NAME LINK: a file that can be enabled, and as its first drop-in, by way of LINK, what the
# release says. Were the unit itself a link, `systemctl enable` would follow it, and tie the service to
# the release of that day.
make_unit() {
    local unit=/usr/local/lib/systemd/system/$1
    install -d "$unit.d"
    # The drop-in first: it makes a whole unit of whatever is there, and the file alone would be none.
    link_to "$prefix/$2/systemd/$1" "$unit.d/00-release.conf"
    cat >"$unit.new" <<END
# The rest is of the release in use: $1.d/00-release.conf
[Unit]
$(grep '^Description=' "$source_root/systemd/$1")

[Install]
WantedBy=multi-user.target
END
    chmod 644 "$unit.new"
    # An empty file, as a power cut may leave one, is a unit that nothing may start.
    sync "$unit.new"
    mv -T "$unit.new" "$unit"
    sync "$(dirname "$unit")"
}

link_to() {
    ln -sfn "$1" "$2.new"
    mv -T "$2.new" "$2"
}

# From here on the new release is the one that runs.
switch() {
    if [ ! -L "$prefix/current" ]; then
        first=yes
        link_to "releases/$release" "$prefix/current"
        link_to "releases/$release" "$prefix/watcher"
    fi
    make_links
    "$program/tensormask" release activate "$release"
}

# What versions before the releases have left.
remove_former() {
    rm -rf "$prefix"/program "$prefix"/program.* "$prefix"/packages "$prefix"/packages.* "$prefix/venv" \
        "$prefix/operating.md"
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
        fail "nothing is changed, and the former release runs on; mend what the check says, and" \
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
    if "$program/tensormask" release | grep -q '^on trial'; then
        say "on trial, and undone where it does worse; see: tensormask release, tensormask release wait"
        return
    fi
    # What ran before the first release runs from files that are about to go; they tell, too, that an
    # attempt before this was cut off.
    if [ "$first" = yes ] || [ -e "$prefix/program" ] || [ -e "$prefix/venv" ] || [ "$(sha256sum <"$settings")" != "$former_settings" ]; then
        systemctl --no-block restart tensormask.service
    elif is_running; then
        say "running, and nothing has changed; see: tensormask release"
        return
    else
        systemctl --no-block start tensormask.service
    fi
    # A start that fails is said at once; so is a service that ends within its first seconds.
    if ! { sleep 3 && is_running && has_not_restarted; }; then
        fail "installed, but the service does not come up; see: journalctl -u tensormask -n 30"
    fi
    say "running; see: tensormask release, systemctl status tensormask, journalctl -u tensormask -f"
}

broker=""
packages=yes
prepare=no
first=no
while [ $# -gt 0 ]; do
    case $1 in
    --broker)
        broker=${2:-}
        [[ $broker =~ ^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?$ ]] ||
            fail "--broker takes HOST, HOST:PORT or [IPv6]:PORT"
        shift 2
        ;;
    --wheels)
        [ -d "${2:-}" ] || fail "--wheels takes a folder"
        export PIP_NO_INDEX=1 PIP_FIND_LINKS=$2
        shift 2
        ;;
    --without-packages)
        packages=no
        shift
        ;;
    --prepare)
        prepare=yes
        shift
        ;;
    *) fail "unknown option $1; usage: sudo deploy/install.sh [--broker HOST[:PORT]]" ;;
    esac
done
[ "$(id -u)" -eq 0 ] || fail "run it as root: sudo deploy/install.sh"
command -v apt-get >/dev/null || fail "this is no Debian or Raspberry Pi OS"

umask 022
if [ "$packages" = yes ]; then install_packages; fi
make_user
make_release
make_directories
if [ "$prepare" = yes ]; then
    echo "$release"
    exit 0
fi
former_settings=$(sha256sum <"$settings" 2>/dev/null || true)
write_settings
check
switch
start
remove_former
