#!/bin/sh
# Lays a Debian userland for any processor into a folder:
#
#   userland.sh FOLDER ARCHITECTURE RELEASE PACKAGES
#
# The packages' files are laid out here, which takes seconds; to have dpkg configure them takes an
# emulated processor five minutes. What their scripts would do, as far as it matters, is below.
set -eu

folder=$1

rm -rf --one-file-system "$folder.new"
mmdebstrap --quiet --mode=root --variant=extract --skip=check/qemu --architectures="$2" \
    --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
    --include='?essential' --include="$4" "$3" "$folder.new"
cd "$folder.new"
[ -e usr/bin/sh ] || ln -s dash usr/bin/sh
cp usr/share/base-passwd/passwd.master etc/passwd
cp usr/share/base-passwd/group.master etc/group
printf 'passwd: files\ngroup: files\nhosts: files dns\n' >etc/nsswitch.conf
echo '127.0.0.1 localhost' >etc/hosts
for kind in account auth password session; do
    echo "$kind required pam_unix.so" >"etc/pam.d/common-$kind"
done
mkdir -p etc/ssl/certs usr/local/bin usr/local/share
cp /etc/ssl/certs/ca-certificates.crt etc/ssl/certs/
touch etc/machine-id etc/resolv.conf
chroot . ldconfig
chroot . systemd-sysusers
printf 'u %s -\n' messagebus mosquitto | chroot . systemd-sysusers -
chroot . chown mosquitto: var/lib/mosquitto
mv -T "$folder.new" "$folder"
