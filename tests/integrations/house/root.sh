#!/bin/bash
# Lays a Debian userland with a real Home Assistant into a folder, once:
#
#   root.sh FOLDER RELEASE VERSION
#
# RELEASE is the Debian release whose Python that version of Home Assistant needs. Needs root and
# Debian's and Python's packages; takes some two minutes and 1 GB.
set -euo pipefail

folder=$1 release=$2 version=$3
here=$(cd "$(dirname "$0")" && pwd)
new=$folder.new

if grep -qF " $new/" /proc/mounts; then
    echo "something is mounted below $new; unmount it first" >&2
    exit 1
fi
rm -rf --one-file-system "$new"
mkdir -p "$(dirname "$new")"
# A release that is not out yet is not signed again each week.
mmdebstrap --quiet --mode=root --variant=minbase --aptopt='Acquire::Check-Valid-Until "false"' \
    --include=ca-certificates,gcc,libc6-dev,python3-dev,python3-venv "$release" "$new"
# The host's, so that pip trusts whom the host trusts.
cp /etc/ssl/certs/ca-certificates.crt "$new/etc/ssl/certs/ca-certificates.crt"
inside=("$here/inside.sh" "$new" /tmp)
"${inside[@]}" python3 -m venv /opt/venv
"${inside[@]}" /opt/venv/bin/pip install --quiet --no-cache-dir uv
# The resolver of pip takes minutes.
"${inside[@]}" /opt/venv/bin/uv pip install --quiet --no-cache --python /opt/venv/bin/python \
    "homeassistant==$version" paho-mqtt==2.1.0 aiohasupervisor
rm -rf "$new/var/cache/apt" "$new/var/lib/apt/lists"
mv -T "$new" "$folder"
