#!/bin/sh
# A private authority for the broker and its clients:
#
#   deploy/mosquitto/certificates.sh FOLDER broker HOST...    names or addresses that clients use
#   deploy/mosquitto/certificates.sh FOLDER client NAME...    devices and receivers
#   deploy/mosquitto/certificates.sh FOLDER revoke NAME       a stolen device
#
# Run it on a machine of your own, and keep FOLDER there: with ca.key, anyone can make certificates.
# Existing certificates are kept until a month before they expire, so it can be run again at any time; if
# it is killed, the next run completes the rest. With DAYS=365 in the environment, new certificates are
# valid for that long instead of ten years. Needs openssl.
set -eu
umask 077

readonly authority_days=7300
readonly certificate_days="${DAYS:-3650}"

fail() {
    echo "certificates.sh: $*" >&2
    exit 1
}

usage() {
    fail "usage: certificates.sh FOLDER broker HOST... | client NAME... | revoke NAME"
}

new_key() {
    # To the end or not at all: half a key would be kept the next time.
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.part"
    mv "$1.part" "$1"
}

make_authority() {
    [ -e ca.key ] || new_key ca.key
    if [ ! -e ca.crt ]; then
        openssl req -x509 -new -key ca.key -days $authority_days -subj "/CN=TensorMask authority" \
            -config "$settings" -extensions authority -out ca.crt.part
        mv ca.crt.part ca.crt
    fi
    chmod 644 ca.crt
    # openssl replaces its index in two steps; one that was killed between them has left the former.
    if [ ! -e revoked ] && [ -e revoked.old ]; then cp revoked.old revoked.part && mv revoked.part revoked; fi
    [ -e revoked ] || : >revoked
    revoke_all
    list_revoked
}

# issue PATH NAME KIND: PATH.key and PATH.crt.
issue() {
    [ -e "$1.key" ] || new_key "$1.key"
    if [ -e "$1.crt" ] && openssl x509 -in "$1.crt" -noout -checkend $((renewed_days * 24 * 3600)) >/dev/null; then
        echo "$1.crt exists already; remove it to make another"
        return
    fi
    # It is good until its end, so it is kept for being revoked.
    if [ -e "$1.crt" ]; then
        mkdir -p "former/$2"
        cp "$1.crt" "former/$2/$(openssl x509 -in "$1.crt" -noout -serial | cut -d= -f2).crt"
    fi
    openssl req -new -key "$1.key" -subj "/CN=$2" -config "$settings" -out "$1.csr"
    openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -days "$certificate_days" \
        -set_serial "0x$(openssl rand -hex 16)" -extfile "$settings" -extensions "$3" \
        -out "$1.crt.part" 2>/dev/null
    rm "$1.csr"
    mv "$1.crt.part" "$1.crt"
    chmod 644 "$1.crt"
    echo "made $1.crt and $1.key"
}

# What lies in revoked-clients, and what was issued to the same name before, is in the index; all of it
# gets there in one step.
revoke_all() {
    cp revoked revoked.part
    for certificate in revoked-clients/*.crt; do
        name=$(basename "$certificate" .crt)
        for each in "$certificate" "former/$name"/*.crt; do
            if [ -e "$each" ] && ! serials revoked.part | grep -qx "$(openssl x509 -in "$each" -noout -serial | cut -d= -f2)"; then
                openssl ca -config "$settings" -revoke "$each" 2>/dev/null || fail "$each could not be revoked"
            fi
        done
    done
    cmp -s revoked revoked.part || mv revoked.part revoked
    rm -f revoked.part*
}

# serials INDEX: those of the certificates that it has as revoked.
serials() {
    awk -F '\t' '$1 == "R" { print $4 }' "$1" | sort
}

# The list for the broker has what the index has.
list_revoked() {
    if [ -e ca.crl ] && [ "$(openssl crl -in ca.crl -noout -text | sed -n 's/^ *Serial Number: //p' | sort)" = "$(serials revoked)" ]; then
        return
    fi
    cp revoked revoked.part
    openssl ca -config "$settings" -gencrl -out ca.crl.part 2>/dev/null
    chmod 644 ca.crl.part
    mv ca.crl.part ca.crl
    rm -f revoked.part*
}

is_name() {
    case $1 in
    "" | [.-]* | *[!A-Za-z0-9_.-]*) return 1 ;;
    esac
    [ ${#1} -le 64 ]
}

# Clients check that the broker's certificate names the host that they connect to.
alternatives() {
    list=""
    for host in "$@"; do
        case $host in
        *:*) list="$list,IP:$host" ;;
        *[!0-9.]*) list="$list,DNS:$host" ;;
        *) list="$list,IP:$host" ;;
        esac
    done
    echo "${list#,}"
}

write_settings() {
    # A client's certificate is no broker's, and neither can sign.
    cat >"$settings" <<END
[req]
distinguished_name = name
prompt = no
[name]
[authority]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[broker]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = ${1:-DNS:none.invalid}
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[ca]
default_ca = revocation
[revocation]
database = revoked.part
certificate = ca.crt
private_key = ca.key
default_md = sha256
default_crl_days = $authority_days
unique_subject = no
END
}

[ $# -ge 3 ] || usage
case $certificate_days in "" | *[!0-9]* | 0*) fail "DAYS=$certificate_days: a number of days" ;; esac
# What ends within a month, or a third of its life, is made again, for its own key.
renewed_days=$((certificate_days < 90 ? certificate_days / 3 : 30))
folder=$1
command=$2
shift 2
for name in "$@"; do
    case $command in
    broker) case $name in *[!A-Za-z0-9.:_-]*) fail "$name is not a host name or address" ;; esac ;;
    *) is_name "$name" || fail "$name: a name has letters, digits, _ . and - only" ;;
    esac
done
mkdir -p "$folder/clients"
cd "$folder"
settings=$PWD/openssl.cnf.part
trap 'rm -f "$settings"' EXIT

case $command in
broker)
    write_settings "$(alternatives "$@")"
    make_authority
    issue broker "$1" broker
    ;;
client)
    write_settings
    make_authority
    for name in "$@"; do
        [ ! -e "revoked-clients/$name.crt" ] ||
            fail "$name was revoked; to make a new certificate, remove revoked-clients/$name.crt and .key"
    done
    for name in "$@"; do
        issue "clients/$name" "$name" client
    done
    ;;
revoke)
    [ -e "clients/$1.crt" ] || [ -e "revoked-clients/$1.crt" ] || fail "$folder/clients/$1.crt does not exist"
    write_settings
    # From the first of these steps on it is revoked: every run completes the rest.
    mkdir -p revoked-clients
    for file in "$1.crt" "$1.key"; do
        [ ! -e "clients/$file" ] || mv "clients/$file" revoked-clients/
    done
    make_authority
    echo "copy the new $folder/ca.crl to the broker, and restart it"
    ;;
*) usage ;;
esac
