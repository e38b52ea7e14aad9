#!/usr/bin/env bash
# Installs TensorMask on this machine (Raspberry Pi OS or Debian, 12 or later), or upgrades it:
#
#   sudo deploy/install.sh [--broker HOST[:PORT]] [--source CAMERA]
#                          [--wheels FOLDER] [--without-packages] [--prepare]
#
# CAMERA is a number or device (0, /dev/video0), an address (rtsp://user:password@host/path), or a clip.
# On a terminal it asks for broker and camera, unless an option or the settings name them.
# --wheels takes the Python packages from FOLDER only, --without-packages installs nothing with apt:
# together, nothing is fetched. --prepare makes the release, and changes nothing else.
#
# It can be run again at any time, and does only what is missing. Settings in /etc/tensormask that were
# edited are kept; in others, another broker or camera replaces the former one. A release is made beside
# the one that runs, and is on trial after the switch: if it does worse, the device rolls back by itself.
# If this script is killed, one of them runs. Exit status 0: the service runs, starts at boot, or is not
# started because no broker or no camera is set yet.
set -euo pipefail

# Whatever the caller's environment says: programs of root's, messages that can be read by a program,
# and nothing that leads Python, pip, git or tar elsewhere.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
unset CDPATH TAR_OPTIONS "${!PYTHON@}" "${!GIT_@}"
umask 022

source_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly source_root
readonly prefix=/opt/tensormask
readonly settings=/etc/tensormask/tensormask.toml
readonly state=/var/lib/tensormask
readonly share=/usr/local/share
readonly system_python=/usr/bin/python3
readonly packages_mb=650
# shellcheck source=deploy/steps.sh
. "$source_root/deploy/steps.sh"

refuse_other_systems() {
    local architecture
    command -v apt-get >/dev/null || fail "this is neither Raspberry Pi OS nor Debian: there is no apt-get"
    command -v systemd-sysusers >/dev/null || fail "there is no systemd here: sudo apt-get install systemd"
    architecture=$(dpkg --print-architecture 2>/dev/null)
    case $architecture in
    amd64 | arm64) ;;
    armhf | armel | i386) fail "this system is 32-bit ($architecture): install a 64-bit one" ;;
    *) fail "there are no packages for $architecture; TensorMask runs on arm64 and amd64" ;;
    esac
}

refuse_old_python() {
    [ ! -x $system_python ] || $system_python -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "$($system_python --version) of $(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release) is too old:" \
            "3.11 is needed, which Raspberry Pi OS and Debian have from Bookworm (12) on"
}

# With the password of a camera in its environment, where no other user sees it.
first_settings() {
    BROKER=${given[--broker]:-} SOURCE=${given[--source]:-} PYTHONPATH=$source_root \
        $system_python -BP -m deploy.first_settings "$1" "${2:-$settings}"
}

is_for_somebody() {
    [ -t 0 ] && [ -t 1 ] && [ -z "${CI:-}" ] && [ "${DEBIAN_FRONTEND:-}" != noninteractive ]
}

# know ask|check: what is given, made exact, with what is answered.
know() {
    local answers
    answers=$(first_settings "$1") || exit $?
    given[--broker]=$(sed -n 1p <<<"$answers")
    given[--source]=$(sed -n 2p <<<"$answers")
}

install_packages() {
    local wanted=(python3 python3-venv python3-systemd) missing=() package
    ! grep -qs "Raspberry Pi" /proc/device-tree/model || wanted+=(python3-picamera2)
    for package in "${wanted[@]}"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    quietly "apt-get" fetch_packages "${missing[@]}"
}

fetch_packages() {
    # A list that cannot be fetched may be another's. On a new Pi the first update has the lock.
    apt-get update -q || true
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
        -o DPkg::Lock::Timeout=300 "$@"
}

make_user() {
    install -D -m 644 "$source_root/systemd/tensormask.sysusers" /etc/sysusers.d/tensormask.conf
    quietly systemd-sysusers systemd-sysusers /etc/sysusers.d/tensormask.conf
}

# A file is there as it was or as it is to be, whenever this is killed.
put() {
    install -m "$1" "${@:4}" "$2" "$3.new"
    mv -T "$3.new" "$3"
}

remove_unfinished() {
    rm -rf "$prefix"/releases/.new.*
}

# A folder in $prefix/releases, named by version and content. It is there as a whole or not at all, and
# never changed.
make_release() {
    local partial commit link former
    install -d -m 755 "$prefix/releases"
    remove_unfinished
    partial=$(mktemp -d "$prefix/releases/.new.XXXXXXXX")
    trap remove_unfinished EXIT
    chmod 755 "$partial"
    # Copied, not built: a build would fetch what builds it. The documents' links to each other hold.
    # A clock that is behind the files' times is no reason for a warning about each of them.
    tar -C "$source_root" --exclude=__pycache__ --mode=u=rwX,go=rX --owner=root --group=root \
        -c edge deploy docs systemd LICENSE requirements-pi.txt | tar -C "$partial" --warning=no-timestamp -x
    # A stick of Windows' file system knows no programs, or takes everything for one.
    find "$partial" -type f -exec chmod 644 {} +
    find "$partial/deploy" \( -name '*.sh' -o -name tensormask -type f \) -exec chmod 755 {} +
    # Which commit it is; an archive has that already, wherever it was unpacked.
    if [ -e "$source_root/.git" ] && commit=$(git -C "$source_root" -c safe.directory='*' describe --always --dirty --exclude='*' \
        2>/dev/null); then
        echo "$commit" >"$partial/edge/commit"
    fi
    release=$("$partial/deploy/release_name.sh" "$partial" \
        "$($system_python -c 'import sys; print(sys.implementation.cache_tag)')")
    program=$prefix/releases/$release
    if [ -e "$program" ]; then
        remove_unfinished
        return
    fi
    say "making the release $release in $prefix"
    # Packages that are the same are the same files, by hard links.
    for former in "$prefix"/current/packages.*; do
        if [ -d "$former" ]; then cp -al "$former" "$partial/"; fi
    done
    mkdir "$partial/.fetched"
    if [ -n "${given[--wheels]:-}" ]; then
        # pip would take a blank in the path for the end of it.
        ln -s "$wheels" "$partial/.wheels"
        export PIP_NO_INDEX=1 PIP_FIND_LINKS=$partial/.wheels
    fi
    # The system's own Python, with its packages: picamera2, libcamera and systemd come from apt. What
    # is fetched lies beside the release: /tmp may be small, and root's cache is nobody's to clean.
    PYTHON=$system_python TMPDIR=$partial/.fetched PIP_NO_CACHE_DIR=1 "$partial/deploy/venv.sh" \
        "$partial/packages" --system-site-packages --needs-mb=$packages_mb "$partial/requirements-pi.txt"
    rm -rf "$partial/.fetched" "$partial/.wheels"
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
    if [ ! -e "$settings" ]; then
        put 640 "$example" "$settings" -o root -g tensormask
    elif former=$(/usr/local/bin/tensormask --version 2>/dev/null); then
        # For the way back to a version that does not know what will be written from now on. One that
        # an attempt before this has kept is older, and right.
        former=${former##* }
        kept=$settings.${former//[^A-Za-z0-9.+_-]/}
        if [ "tensormask $former" != "$("$program/tensormask" --version)" ]; then
            [ -e "$kept" ] || put 640 "$settings" "$kept" -o root -g tensormask
            say_if_older "$former"
        fi
    fi
    first_settings write
}

# Of two commits of one version nobody can say which is older.
say_if_older() {
    local former=${1%%+*} version=${release%-*} older
    version=${version%%+*}
    older=$(printf '%s\n' "$former" "$version" | sed 's/[.]dev/~dev/' | sort -V | sed 's/~dev/.dev/; q')
    if [ "$former" != "$version" ] && [ "$older" = "$version" ]; then
        say "$version is older than $former, which is installed: settings and outbox stay, and keys that it" \
            "does not know are ignored"
    fi
}

# Everything outside $prefix leads by way of the link current, so that one step switches all of it.
make_links() {
    local unit link enabled=()
    install -d "$share/doc" "$share/man/man1" "$share/bash-completion/completions"
    ln -sfn "$prefix/current/docs" "$share/doc/tensormask"
    ln -sfn "$prefix/current/tensormask.1" "$share/man/man1/tensormask.1"
    ln -sfn "$prefix/current/completion.bash" "$share/bash-completion/completions/tensormask"
    link_to "$prefix/current/deploy/tensormask.toml" "$settings.example"
    put 755 "$source_root/deploy/tensormask" /usr/local/bin/tensormask
    for unit in "$source_root"/systemd/*.service; do
        unit=${unit##*/}
        link=current
        # What looks after a trial is never of the release on trial.
        [ "$unit" != tensormask-trial.service ] || link=watcher
        make_unit "$unit" "$link"
        ! grep -q '^\[Install\]' "$source_root/systemd/$unit" || enabled+=("$unit")
        # Where 0.2.0 had it, and where it would be the one that counts.
        rm -f "/etc/systemd/system/$unit"
    done
    if is_booted; then systemctl daemon-reload; fi
    systemctl --quiet --force enable "${enabled[@]}"
}

# make_unit NAME LINK: a file that can be enabled, and as its first drop-in, by way of LINK, what the
# release says. Were the unit itself a link, `systemctl enable` would follow it, and tie the service to
# the release of that day.
make_unit() {
    local unit=/usr/local/lib/systemd/system/$1
    install -d "$unit.d"
    # The drop-in first: it makes a whole unit of whatever is there, and the file alone would be none.
    link_to "$prefix/$2/systemd/$1" "$unit.d/00-release.conf"
    {
        echo "# The rest is of the release in use: $1.d/00-release.conf"
        echo "[Unit]"
        grep '^Description=' "$source_root/systemd/$1"
        sed -n '/^\[Install\]/,$p' "$source_root/systemd/$1"
    } >"$unit.new"
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
    "$program/tensormask" release activate "$release" >/dev/null
}

# What versions before the releases have left.
remove_former() {
    rm -rf "$prefix"/program "$prefix"/program.* "$prefix"/packages "$prefix"/packages.* "$prefix/venv" \
        "$prefix/operating.md"
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

# Somebody who has named neither broker nor camera has asked for no more than the installation.
end_without_start() {
    local options=${lacking/broker/--broker HOST}
    options=${options/camera/--source CAMERA}
    switch
    remove_former
    say "installed, not started: no ${lacking/ / and no } named yet; next:" \
        "sudo $source_root/deploy/install.sh $options"
    exit 0
}

# passes SETTINGS: whether the service would start with them. Whatever else the check finds lacking
# (camera, broker), the service waits for.
passes() {
    local status=0
    runuser -u tensormask -- env STATE_DIRECTORY="$state" "$program/tensormask" check --here --config "$1" || status=$?
    [ "$status" -eq 0 ] || [ "$status" -eq 1 ]
}

# As they would be written, a copy: the service that runs may be restarted at any moment.
check_before() {
    local copy=$settings.checked there=$settings status=0
    [ -e "$settings" ] || there=$source_root/deploy/tensormask.toml
    put 640 "$there" "$copy" -o root -g tensormask
    first_settings write "$copy"
    passes "$copy" | sed -u "s|$copy|$settings|g" || status=$?
    rm -f "$copy"
    [ "$status" -eq 0 ] ||
        fail "nothing is changed, and the former release is still running; correct what the check says, and" \
            "install again"
}

check() {
    passes "$settings" || {
        switch
        fail "installed, not started; correct what the check says, then: sudo systemctl restart tensormask"
    }
}

start() {
    if ! is_booted; then
        say "installed; systemd is not running here, so the service starts when this system boots"
        return
    fi
    if "$program/tensormask" release | grep -q '^on trial'; then
        say "$release is on trial, and is rolled back if it does worse; see: tensormask release, sudo tensormask release wait"
        return
    fi
    # What ran before the first release runs from files that are about to go; they tell, too, that an
    # attempt before this was cut off.
    if [ "$first" = yes ] || [ -e "$prefix/program" ] || [ -e "$prefix/venv" ] || [ "$(digest_of_settings)" != "$former_settings" ]; then
        systemctl --no-block restart tensormask.service
    elif is_running; then
        say "running, and nothing has changed; see: tensormask release"
        return
    else
        systemctl --no-block start tensormask.service
    fi
    # A start that fails is said at once; so is a service that ends within its first seconds.
    if ! { sleep 3 && is_running && has_not_restarted; }; then
        fail "installed, but the service does not start; see: journalctl -u tensormask -n 30"
    fi
    say "running; see: tensormask status, sudo tensormask doctor, sudo journalctl -u tensormask -f"
}

digest_of_settings() {
    [ ! -e "$settings" ] || sha256sum <"$settings"
}

first=no wheels=""
declare -A given=()
while [ $# -gt 0 ]; do
    case $1 in
    --*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
    esac
    case $1 in
    --broker | --source | --wheels)
        case ${2:-} in "" | --*) fail "$1 takes a value; see: deploy/install.sh --help" ;; esac
        [ -z "${given[$1]:-}" ] || fail "$1 is given twice"
        given[$1]=$2
        shift 2
        ;;
    --without-packages | --prepare) given[$1]=yes && shift ;;
    --help | -h)
        sed -n '2,/^set/{/^set/d; s/^# \{0,1\}//; p}' "${BASH_SOURCE[0]}"
        exit 0
        ;;
    *)
        fail "unknown option $1$(nearest "$1" --broker --source --wheels --without-packages --prepare --help);" \
            "see: deploy/install.sh --help"
        ;;
    esac
done
if [ -n "${given[--wheels]:-}" ]; then
    wheels=$(cd "${given[--wheels]}" 2>/dev/null && pwd) || fail "--wheels takes a folder"
fi
refuse_other_systems
refuse_old_python
# What is mistyped is said before anything is done, where the machine has a Python already.
[ ! -x $system_python ] || first_settings check /dev/null >/dev/null
[ "$(id -u)" -eq 0 ] || fail "run it as root: sudo deploy/install.sh"

take_lock
if [ -z "${given[--without-packages]:-}" ]; then install_packages; fi
refuse_old_python
if [ -z "${given[--prepare]:-}" ] && is_for_somebody; then know ask; else know check; fi
# A folder of the caller's may be closed to others, whom some of this runs as.
cd /
make_user
make_release
make_directories
if [ -n "${given[--prepare]:-}" ]; then
    echo "$release"
    exit 0
fi
former_settings=$(digest_of_settings)
if is_running; then
    check_before
    write_settings
else
    write_settings
    lacking=$(first_settings lacking)
    [ -z "$lacking" ] || end_without_start
    check
fi
switch
start
remove_former
