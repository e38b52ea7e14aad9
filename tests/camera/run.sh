#!/bin/bash
# Runs virtual_camera.py on the genuine picamera2 and libcamera, in a Debian trixie userland of its
# own: Debian's libcamera carries the virtual camera, and picamera2 is for a Python that has its
# bindings. Needs root and Debian's and Python's packages. The userland stays under build/ for the
# next run.
set -euo pipefail

packages=ca-certificates,gcc,libc6-dev,libcamera-ipa,libcap-dev,python3-dev,python3-libcamera
packages+=,python3-numpy,python3-prctl,python3-venv
wheels="picamera2==0.3.38 av==18.1.0 opencv-python-headless==4.14.0.94 msgspec==0.22.0 pytest==9.2.0 pytest-timeout==2.4.0"

project=$(cd "$(dirname "$0")/../.." && pwd)
work=$project/build/camera
userland=$work/userland

# Every mount is made in a mount namespace of its own, which ends with its last process: whatever
# happens here, nothing stays mounted, and nothing of the host is below what is removed.
# shellcheck disable=SC2016
inside() {
    unshare --mount --pid --fork --kill-child --propagation private bash -euc '
        userland=$1 project=$2 shown=$3; shift 3
        mount -t proc proc "$userland/proc"
        mount --rbind /sys "$userland/sys"
        mount --rbind /dev "$userland/dev"
        mount -t tmpfs tmpfs "$userland/tmp"
        mount --bind "$project" "$userland/project"
        mount -o remount,bind,ro "$userland/project"
        mount --bind "$shown" "$userland/out"
        cd "$userland"
        exec chroot . env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
            PIP_CERT=/etc/ssl/certs/ca-certificates.crt PIP_DISABLE_PIP_VERSION_CHECK=1 \
            PYTHONDONTWRITEBYTECODE=1 "$@"
    ' - "$1" "$project" "$work/shown" "${@:2}"
}

discard() {
    if grep -qF " $1/" /proc/mounts; then
        echo "something is mounted below $1; unmount it first" >&2
        exit 1
    fi
    rm -rf --one-file-system "$1"
}

build() {
    local started=$SECONDS new=$userland.new
    echo "making a Debian trixie userland with libcamera and picamera2"
    discard "$new"
    command -v mmdebstrap >/dev/null || apt-get install -y --no-install-recommends mmdebstrap
    mmdebstrap --quiet --variant=minbase --include="$packages" trixie "$new"
    # The host's, so that pip trusts whom the host trusts.
    cp /etc/ssl/certs/ca-certificates.crt "$new/etc/ssl/certs/ca-certificates.crt"
    mkdir -p "$new/project" "$new/out" "$new/usr/share/libcamera/pipeline/virtual"
    inside "$new" python3 -m venv --system-site-packages /opt/venv
    # shellcheck disable=SC2086
    inside "$new" /opt/venv/bin/pip install --quiet --no-cache-dir $wheels
    echo "$packages $wheels" >"$new/made-of"
    discard "$userland"
    mv "$new" "$userland"
    echo "made in $((SECONDS - started)) s"
}

if [ "$(id -u)" != 0 ]; then
    echo "only root may change into another userland: sudo make camera-test" >&2
    exit 1
fi
mkdir -p "$work/shown"
if [ "$(cat "$userland/made-of" 2>/dev/null)" != "$packages $wheels" ]; then
    build
fi
cp "$project/tests/camera/virtual.yaml" "$userland/usr/share/libcamera/pipeline/virtual/"
# Warnings are no errors here: they are picamera2's own. A camera stack that hangs is ended.
inside "$userland" sh -c 'cd /project && exec timeout --kill-after=10 180 /opt/venv/bin/python \
    -m pytest --noconftest -p no:cacheprovider -W ignore \
    tests/camera/virtual_camera.py'
echo "a frame of each camera: $work/shown"
