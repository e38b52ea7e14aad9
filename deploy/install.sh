#!/usr/bin/env bash
# Installs TensorMask on this machine (Raspberry Pi OS or Debian, 12 or later), or upgrades it:
#
#   sudo deploy/install.sh [--broker HOST]
#
# May be run again at any time. Settings in /etc/tensormask that somebody has edited are kept.
set -euo pipefail

source_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly source_root
readonly prefix=/opt/tensormask
readonly settings=/etc/tensormask/tensormask.toml
readonly state=/var/lib/tensormask

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

install_program() {
    say "installing the program into $prefix"
    install -d -m 755 "$prefix"
    # The system's own Python, with its packages: picamera2, libcamera and systemd come from apt.
    PYTHON=/usr/bin/python3 "$source_root/deploy/venv.sh" "$prefix/venv" --system-site-packages \
        "$source_root/requirements-pi.txt"
    local digest
    digest=$(cd "$source_root" && find edge pyproject.toml -type f ! -name '*.pyc' -print0 |
        sort -z | xargs -0 sha256sum | sha256sum)
    if [ "$(cat "$prefix/venv/program" 2>/dev/null)" != "$digest" ]; then
        # Built from a copy, so that the checkout stays free of build products that belong to root.
        local copy
        copy=$(mktemp -d)
        cp -r "$source_root"/{edge,pyproject.toml,README.md,LICENSE} "$copy"
        rm -f "$prefix/venv/program"
        "$prefix/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
            --no-deps --force-reinstall "$copy"
        rm -rf "$copy"
        echo "$digest" >"$prefix/venv/program"
    fi
    install -m 644 "$source_root/docs/operating.md" "$prefix/operating.md"
    install -m 755 "$source_root/deploy/tensormask" /usr/local/bin/tensormask
}

make_directories() {
    # Readable for the service, not for others: a password file is to lie there.
    install -d -m 750 -o root -g tensormask /etc/tensormask
    install -d -m 755 -o tensormask -g tensormask "$state"
}

write_settings() {
    local example="$source_root/deploy/tensormask.toml"
    install -m 640 -o root -g tensormask "$example" "$settings.example"
    if [ ! -e "$settings" ]; then
        install -m 640 -o root -g tensormask "$example" "$settings"
    fi
    [ -n "$broker" ] || return 0
    if grep -q '^host = ""$' "$settings"; then
        sed -i "s/^host = \"\"\$/host = \"$broker\"/" "$settings"
    elif ! grep -qxF "host = \"$broker\"" "$settings"; then
        say "$settings names a broker already and is left as it is"
    fi
}

install_unit() {
    install -m 644 "$source_root/systemd/tensormask.service" \
        /etc/systemd/system/tensormask.service
    if is_booted; then systemctl daemon-reload; fi
    systemctl --quiet enable tensormask.service
}

is_booted() {
    [ -d /run/systemd/system ]
}

start() {
    local status=0
    runuser -u tensormask -- /usr/local/bin/tensormask check || status=$?
    if [ "$status" -eq 78 ]; then
        say "not started; edit $settings, then: sudo systemctl restart tensormask"
    elif ! is_booted; then
        say "installed; it starts when this system boots"
    else
        # Whatever else the check found lacking (camera, broker), the service waits for.
        systemctl restart tensormask.service
        say "running; see: systemctl status tensormask, journalctl -u tensormask -f"
    fi
}

broker=""
while [ $# -gt 0 ]; do
    case $1 in
    --broker)
        broker=${2:-}
        [[ $broker =~ ^[A-Za-z0-9.:_-]+$ ]] || fail "--broker takes a host name or an address"
        shift 2
        ;;
    *) fail "usage: sudo deploy/install.sh [--broker HOST]" ;;
    esac
done
[ "$(id -u)" -eq 0 ] || fail "run it as root: sudo deploy/install.sh"
command -v apt-get >/dev/null || fail "this is no Debian or Raspberry Pi OS"

umask 022
install_packages
make_user
install_program
make_directories
write_settings
install_unit
start
