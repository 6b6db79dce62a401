#!/bin/sh
# Runs a command line as on a node whose disks are these loop devices, and no others: of this machine's own devices it
# sees none.
#   unshare --mount sh alone.sh loop3:SERIAL,loop4:SERIAL 'COMMAND LINE'
set -eu
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /etc
mount -t tmpfs -o mode=755 tmpfs /dev
mkdir -p /etc/vclab /dev/disk/by-id
echo "imaging environment of the tests" >/etc/vclab/environment
mknod -m 666 /dev/null c 1 3
mknod -m 666 /dev/zero c 1 5
mknod -m 666 /dev/urandom c 1 9
for disk in $(echo "$1" | tr , ' '); do
    name=${disk%%:*}
    mknod "/dev/$name" b 7 "${name#loop}"
    ln -s "../../$name" "/dev/disk/by-id/ata-VCLAB_${disk#*:}"
done
exec sh -c "$2"
