#!/bin/sh
# Runs the init of an unpacked imaging environment as a kernel would, in fresh namespaces, on the tree $1; the kernel's
# command line is in the file $2. What the environment would mount itself is there already: /dev and /sys of a kernel
# that is not its own would be the host's.
set -eu
mount --bind "$1" "$1"
cd "$1"
mount -t proc -o nosuid,nodev,noexec proc proc
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
mount -t tmpfs -o mode=755,size=1m tmpfs dev
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts dev/pts
while read -r name major minor; do mknod -m 666 "dev/$name" c "$major" "$minor"; done <<END
null 1 3
zero 1 5
urandom 1 9
tty 5 0
END
ln -s pts/ptmx dev/ptmx
mount --bind "$2" proc/cmdline
exec env -i setpriv --bounding-set -sys_module,-sys_rawio,-sys_time,-mknod,-syslog,-sys_boot \
    sh -c 'pivot_root . . && umount -l . && exec chroot . /init' 2>&1
