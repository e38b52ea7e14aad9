#!/usr/bin/env bash
# Makes a virtual environment of pinned packages, unless it is there already:
#
#   deploy/venv.sh DIR [--system-site-packages] [--keep] [--scripts] [--needs-mb=N] REQUIREMENTS...
#
# --scripts: its commands are used, and not its Python alone. They name their place, so an environment
# that was made elsewhere, in a checkout that was moved or copied since, is made again.
#
# PYTHON names the interpreter (python3). The requirements files are complete lists with the digest of
# every file (make lock), so they are installed without resolving, and nothing is built.
#
# DIR is a link to DIR.<digest of interpreter, options and lists>. An environment is never changed:
# another one is made beside it, the link is set when that is complete, and the former ones are then
# removed (--keep: not yet). --needs-mb: nothing is begun with less room on the disk. Whenever this is killed, DIR is the old environment or the new one.
set -euo pipefail

# shellcheck source=deploy/steps.sh
. "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

# Debian and Raspberry Pi OS ship python3 without ensurepip.
install_python3_venv() {
    local as_root=(env)
    if [ "$(id -u)" -ne 0 ]; then
        sudo -n true 2>/dev/null ||
            fail "$python cannot make virtual environments; run: sudo apt-get install python3-venv"
        as_root=(sudo)
    fi
    command -v apt-get >/dev/null ||
        fail "$python cannot make virtual environments; install its venv and ensurepip modules"
    "${as_root[@]}" apt-get update -q
    "${as_root[@]}" DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends python3-venv
}

# Of what the caller's shell says to Python and pip counts only where packages come from, and how.
leave_callers_environment() {
    local name
    for name in "${!PIP_@}"; do
        case ${name#PIP_} in
        INDEX_URL | EXTRA_INDEX_URL | FIND_LINKS | NO_INDEX | CONFIG_FILE | PROXY | CERT | CLIENT_CERT | \
            TRUSTED_HOST | KEYRING_PROVIDER | TIMEOUT | DEFAULT_TIMEOUT | RETRIES | CACHE_DIR | NO_CACHE_DIR) ;;
        *) unset "$name" ;;
        esac
    done
    unset PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONUSERBASE VIRTUAL_ENV
    # Which a file of pip's may say too.
    export PIP_USER=0
}

refuse_a_full_disk() {
    local there free_mb
    there=$(dirname "$directory")
    free_mb=$(df --output=avail -BM "$there" | tr -dc '0-9\n' | tail -n 1)
    [ "$free_mb" -ge "$needs_mb" ] ||
        fail "the packages need $needs_mb MB in $(df --output=target "$there" | tail -n 1), where $free_mb MB" \
            "are free; make room (sudo apt-get clean; df -h), and run this again"
}

# What the lists and those that they include (-r) name, without comments.
packages_of() {
    local file included
    for file in "$@"; do
        [ -r "$file" ] || fail "$file cannot be read"
        sed '/^ *\(#.*\)\?$/d' "$file"
        sed -n 's/^-r *//p' "$file" | while read -r included; do
            packages_of "$(dirname "$file")/$included"
        done
    done
}

make_environment() {
    "$python" -c 'import ensurepip, venv' 2>/dev/null || install_python3_venv
    say "installing the packages of ${requirements[*]##*/}: this takes minutes"
    rm -rf "$environment"
    refuse_a_full_disk
    # A disk that was too small is not to stay full.
    trap 'rm -rf "$environment"' EXIT
    quietly "python3 -m venv" "$python" -m venv "${options[@]}" "$environment"
    # What the system has too is installed all the same: two boxes are to be the same box.
    quietly "installing the Python packages" "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
        --no-deps --require-hashes --only-binary=:all: --ignore-installed \
        "${requirements[@]/#/--requirement=}"
    sync -f "$environment"
    echo "$stamp" >"$environment/stamp"
    trap - EXIT
}

set_link() {
    ln -sfn "$(basename "$environment")" "$directory.link"
    # Once it was the environment itself.
    [ -L "$directory" ] || [ ! -e "$directory" ] || mv "$directory" "$directory.former"
    mv -T "$directory.link" "$directory"
}

remove_former() {
    local former
    for former in "$directory".*; do
        if [ "$former" != "$environment" ] && [ -e "$former/pyvenv.cfg" ]; then rm -rf "$former"; fi
    done
}

# pyvenv.cfg ends its line "command" with the place. A release is made in one place and moved to another.
is_in_place() {
    local made_at
    [ "$scripts" = yes ] || return 0
    made_at=$(sed -n 's/^command = .* -m venv \(--[a-z-]* \)*//p' "$environment/pyvenv.cfg")
    [ "$made_at" -ef "$environment" ]
}

python=${PYTHON:-python3}
directory=""
keep=no
needs_mb=0
scripts=no
options=()
requirements=()
for argument in "$@"; do
    case $argument in
    --system-site-packages) options+=("$argument") ;;
    --keep) keep=yes ;;
    --needs-mb=*) needs_mb=${argument#*=} ;;
    --scripts) scripts=yes ;;
    -*) fail "unknown option $argument" ;;
    *) if [ -z "$directory" ]; then directory=${argument%/}; else requirements+=("$argument"); fi ;;
    esac
done
[ ${#requirements[@]} -gt 0 ] ||
    fail "usage: deploy/venv.sh DIR [--system-site-packages] [--keep] [--scripts] [--needs-mb=N] REQUIREMENTS..."

leave_callers_environment
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$python is older than 3.11; set PYTHON to a newer one"

stamp=$(
    "$python" -c 'import sys; print(sys.implementation.cache_tag, sys.base_prefix)'
    echo "${options[*]}"
    packages_of "${requirements[@]}"
)
environment=$directory.$(sha256sum <<<"$stamp" | cut -c -12)

{ [ "$(cat "$environment/stamp" 2>/dev/null)" = "$stamp" ] && is_in_place; } || make_environment
[ "$(readlink "$directory")" = "$(basename "$environment")" ] || set_link
[ "$keep" = yes ] || remove_former
