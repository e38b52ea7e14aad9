#!/usr/bin/env bash
# Makes a virtual environment, or brings it up to date:
#
#   deploy/venv.sh DIR [--system-site-packages] REQUIREMENTS...
#
# PYTHON names the interpreter (python3). The requirements files are complete lists of pinned
# packages, so they are installed without resolving. When neither they nor Python have changed since
# the last time, nothing is done.
set -euo pipefail

fail() {
    echo "deploy/venv.sh: $*" >&2
    exit 1
}

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

python=${PYTHON:-python3}
directory=""
options=()
requirements=()
for argument in "$@"; do
    case $argument in
    --system-site-packages) options+=("$argument") ;;
    -*) fail "unknown option $argument" ;;
    *) if [ -z "$directory" ]; then directory=$argument; else requirements+=("$argument"); fi ;;
    esac
done
[ ${#requirements[@]} -gt 0 ] || fail "usage: deploy/venv.sh DIR [--system-site-packages] REQUIREMENTS..."

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$python is older than 3.11; set PYTHON to a newer one"

# A file may include its neighbours (-r), so all of them count.
stamp=$(
    "$python" -c 'import sys; print(sys.version, sys.base_prefix)'
    echo "${options[*]}"
    echo "${requirements[*]##*/}"
    for file in "${requirements[@]}"; do
        [ -r "$file" ] || fail "$file cannot be read"
        cat "$(dirname "$file")"/requirements*.txt | sha256sum
    done
)
[ "$(cat "$directory/stamp" 2>/dev/null)" != "$stamp" ] || exit 0

# Another interpreter, or other options, want a new environment; other packages do not.
if [ "$(head -n 2 "$directory/stamp" 2>/dev/null)" != "$(head -n 2 <<<"$stamp")" ]; then
    "$python" -c 'import ensurepip, venv' 2>/dev/null || install_python3_venv
    "$python" -m venv --clear "${options[@]}" "$directory"
fi
rm -f "$directory/stamp"
echo "installing into $directory: ${requirements[*]}"
"$directory/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --no-deps \
    "${requirements[@]/#/--requirement=}"
echo "$stamp" >"$directory/stamp"
