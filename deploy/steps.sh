# shellcheck shell=bash
# What install.sh, uninstall.sh and venv.sh share. To be sourced.

fail() {
    echo "deploy/$(basename "$0"): $*" >&2
    exit 1
}

say() {
    echo "== $*"
}

# nearest WORD KNOWN...: the end of a message about WORD, where one of the others is close.
nearest() {
    local near
    near=$(python3 -c 'import difflib, sys; print(*difflib.get_close_matches(*sys.argv[1:2], sys.argv[2:], 1))' \
        "$@" 2>/dev/null) || return 0
    [ -z "$near" ] || echo "; did you mean $near?"
}

# One at a time: the lock is open until this ends, whatever ends it.
take_lock() {
    exec 9>/run/tensormask-install.lock
    # What one that was killed has left running ends soon.
    flock --timeout 5 9 || fail "another install.sh or uninstall.sh is running; wait until it ends"
}

is_booted() {
    [ -d /run/systemd/system ]
}

# quietly WHAT COMMAND...: what the command says is shown only where it fails, unless the reason is
# known and takes one line.
quietly() {
    local what=$1 log said reason
    shift
    # In memory where it may: the disk may be what is full.
    log=$(mktemp --tmpdir=/run 2>/dev/null || mktemp)
    if "$@" >"$log" 2>&1 9>&-; then
        rm "$log"
        return
    fi
    said=$(cat "$log")
    rm "$log"
    reason=$(reason_in "$said")
    [ -n "$reason" ] || tail -n 20 <<<"$said" >&2
    fail "$what failed${reason:+: $reason}; then run this again"
}

reason_in() {
    local found
    if found=$(grep -m 1 -oiE 'certificate (is not yet valid|has expired)|(file for .* is )?not valid yet|file for .* is expired' <<<"$1"); then
        echo "$found. The clock of this machine says $(date -u '+%Y-%m-%d %H:%M') UTC: if that is wrong, set it" \
            "(sudo timedatectl set-ntp true, or sudo date -s '2026-12-31 23:59')"
    elif grep -qiE 'no space left|enough free space' <<<"$1"; then
        echo "the disk is full; make room (df -h; sudo apt-get clean)"
    elif found=$(grep -m 1 -oiE 'could not get lock.*' <<<"$1"); then
        echo "$found; wait until that has ended"
    elif grep -qiE "temporary failure (in name resolution|resolving)|name or service not known|could not resolve|network is unreachable|failed to establish a new connection|could not connect|no route to host" <<<"$1"; then
        echo "the internet cannot be reached, or no name server answers (try: ping deb.debian.org)"
    fi
}
