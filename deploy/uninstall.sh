#!/usr/bin/env bash
# Removes what deploy/install.sh has made, also after an interrupted installation:
#
#   sudo deploy/uninstall.sh [--purge]
#
# Settings and the outbox stay for a later installation; --purge removes them and the user too.
# Packages from apt stay. If it is killed, run it again.
set -euo pipefail

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
unset CDPATH "${!PYTHON@}"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
readonly units=/usr/local/lib/systemd/system
readonly share=/usr/local/share
readonly state=/var/lib/tensormask
# shellcheck source=deploy/steps.sh
. "$here/steps.sh"

# Each has its first drop-in from install.sh; the page's socket is made by the service itself.
ours() {
    local unit
    printf '%s\n' tensormask-trial.service tensormask-page.socket tensormask-page.service \
        tensormask-signal.service tensormask.service
    for unit in "$units"/tensormask*.service.d/00-release.conf; do
        unit=${unit%.d/*}
        echo "${unit##*/}"
    done
}

# All at once: a socket would start its service again.
stop() {
    local unit
    # What is not there cannot be stopped, and need not be.
    systemctl stop "$@" 2>/dev/null || true
    for unit in "$@"; do
        ! systemctl is-active --quiet "$unit" || fail "$unit cannot be stopped; see: systemctl status $unit"
    done
}

# Masked, enabled, half written or overridden: whatever leads to the unit. Drop-ins of an
# administrator are settings.
remove_unit() {
    local unit=$1
    rm -rf "${units:?}/$unit" "$units/$unit.new" "$units/$unit.d"
    rm -f "/etc/systemd/system/$unit" "/run/systemd/system/$unit" \
        /etc/systemd/system/*.wants/"$unit" /etc/systemd/system/*.requires/"$unit"
}

# What the broker keeps for subscribers that come later would tell of this device for ever.
forget() {
    if [ -x /usr/local/bin/tensormask ] && [ -e "$state/outbox.sqlite" ]; then
        timeout 30 runuser -u tensormask -- /usr/local/bin/tensormask forget ||
            say "the retained messages of this device could not be cleared at the broker;" \
                "the line above says why, and how to clear them later"
    fi
}

# Whatever of an installation is there, whole or cut off.
is_installed() {
    compgen -G "/opt/tensormask" || compgen -G "/usr/local/bin/tensormask*" || compgen -G "$units/tensormask*" ||
        compgen -G "/etc/systemd/system/tensormask*.service" || compgen -G "/etc/sysusers.d/tensormask.conf"
} >/dev/null

kept() {
    local folder
    for folder in /etc/tensormask "$state"; do
        [ ! -e "$folder" ] || echo "$folder"
    done
}

remove_user() {
    if getent passwd tensormask >/dev/null; then
        userdel tensormask 2>/dev/null ||
            fail "a process of the user tensormask still runs (ps -u tensormask); end it, and run this again"
    fi
    for group in tensormask tensormask-web tensormask-pins; do
        if getent group "$group" >/dev/null; then groupdel "$group"; fi
    done
}

# The folders that install.sh may have made, and nobody else uses; a package's stay.
remove_empty() {
    local folder
    for folder in "$share"/{doc,man/man1,bash-completion/completions,bash-completion} \
        "$units" "${units%/*}" /etc/sysusers.d; do
        [ -d "$folder" ] || continue
        dpkg-query --search "$folder" >/dev/null 2>&1 || rmdir --ignore-fail-on-non-empty "$folder"
    done
}

purge=no
for argument in "$@"; do
    case $argument in
    --purge) purge=yes ;;
    --help | -h)
        sed -n '2,/^set/{/^set/d; s/^# \{0,1\}//; p}' "${BASH_SOURCE[0]}"
        exit 0
        ;;
    *) fail "unknown option $argument$(nearest "$argument" --purge --help); usage: sudo deploy/uninstall.sh [--purge]" ;;
    esac
done
[ "$(id -u)" -eq 0 ] || fail "run it as root: sudo deploy/uninstall.sh"
take_lock
cd /

said="TensorMask is not installed here"
! is_installed || said="TensorMask is removed"
mapfile -t names < <(ours | awk '!seen[$0]++')
if is_booted; then stop "${names[@]}"; fi
for unit in "${names[@]}"; do remove_unit "$unit"; done
if is_booted; then
    systemctl daemon-reload
    systemctl reset-failed "${names[@]}" 2>/dev/null || true
fi
forget
rm -rf /var/lib/tensormask-releases /run/tensormask /run/tensormask-signal "$share/doc/tensormask" /etc/tensormask/*.new \
    /etc/tensormask/tensormask.toml.example
rm -f /usr/local/bin/tensormask /usr/local/bin/tensormask.new /etc/sysusers.d/tensormask.conf \
    "$share/man/man1/tensormask.1" "$share/bash-completion/completions/tensormask"
remove_empty
mapfile -t folders < <(kept)
if [ "$purge" = yes ]; then
    [ ${#folders[@]} -eq 0 ] || said="TensorMask is removed, with its settings and its state"
    for unit in "${names[@]}"; do rm -rf "/etc/systemd/system/$unit.d"; done
    rm -rf /etc/tensormask "$state"
    remove_user
elif [ ${#folders[@]} -gt 0 ]; then
    said+="; kept (--purge removes it): ${folders[*]}"
fi
# At last: where only the release itself has this script, it can still be run again.
rm -rf /opt/tensormask
say "$said"
