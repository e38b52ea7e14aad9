#!/bin/bash
# Runs a command in a userland that root.sh has laid, in a folder of this machine:
#
#   inside.sh ROOT FOLDER COMMAND...
#
# FOLDER is /work there. The network is this machine's. Every mount is made in a mount namespace of
# its own, which ends with the command: nothing stays mounted, and killing this ends it all.
set -euo pipefail

# shellcheck disable=SC2016
exec unshare --mount --pid --fork --kill-child --propagation private bash -euc '
    root=$1 folder=$2; shift 2
    mount -t proc proc "$root/proc"
    mount -t tmpfs -o mode=755 dev "$root/dev"
    for device in null zero full random urandom tty; do
        touch "$root/dev/$device"
        mount --bind "/dev/$device" "$root/dev/$device"
    done
    mkdir "$root/dev/shm"
    mount -t tmpfs tmpfs "$root/tmp"
    mkdir -p "$root/work"
    mount --bind "$folder" "$root/work"
    cd "$root"
    exec chroot . env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/work LANG=C.UTF-8 \
        PIP_DISABLE_PIP_VERSION_CHECK=1 SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt "$@"
' - "$@"
