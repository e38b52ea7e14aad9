#!/usr/bin/env bash
# Removes what deploy/install.sh has made:
#
#   sudo deploy/uninstall.sh [--purge]
#
# Settings and the outbox stay for a later installation, unless --purge removes them and the user
# too. Packages from apt stay.
set -euo pipefail

purge=no
case "${1:-}" in
"") ;;
--purge) purge=yes ;;
*)
    echo "usage: sudo deploy/uninstall.sh [--purge]" >&2
    exit 1
    ;;
esac
if [ "$(id -u)" -ne 0 ]; then
    echo "deploy/uninstall.sh: run it as root: sudo deploy/uninstall.sh" >&2
    exit 1
fi

units=/usr/local/lib/systemd/system
booted=no
[ ! -d /run/systemd/system ] || booted=yes

if [ "$booted" = yes ]; then systemctl stop tensormask-page.socket 2>/dev/null || true; fi
for unit in tensormask-trial.service tensormask.service tensormask-page.service; do
    if systemctl cat "$unit" >/dev/null 2>&1 || [ -e "$units/$unit" ]; then
        [ "$booted" = no ] || systemctl stop "$unit"
        systemctl --quiet disable "$unit"
    fi
    rm -rf "${units:?}/$unit" "$units/$unit.d" "/etc/systemd/system/$unit"
done
[ "$booted" = no ] || systemctl daemon-reload
# What the broker keeps for subscribers that come later would tell of this device for ever.
if [ -x /usr/local/bin/tensormask ]; then
    timeout 30 runuser -u tensormask -- /usr/local/bin/tensormask forget ||
        echo "== the broker could not be told to forget this device: its retained states stay there"
fi
share=/usr/local/share
rm -rf /opt/tensormask /var/lib/tensormask-releases /usr/local/bin/tensormask /etc/sysusers.d/tensormask.conf "$share/doc/tensormask" \
    "$share/man/man1/tensormask.1" "$share/bash-completion/completions/tensormask"

if [ "$purge" = yes ]; then
    rm -rf /etc/tensormask /etc/systemd/system/tensormask.service.d /var/lib/tensormask
    if getent passwd tensormask >/dev/null; then userdel tensormask; fi
    if getent group tensormask >/dev/null; then groupdel tensormask; fi
    if getent group tensormask-web >/dev/null; then groupdel tensormask-web; fi
    echo "== TensorMask is removed, with its settings and what it had kept"
else
    echo "== TensorMask is removed; /etc/tensormask and /var/lib/tensormask stay (--purge)"
fi
