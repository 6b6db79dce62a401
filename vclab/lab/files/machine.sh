#!/bin/sh
# The firmware of a lab machine: runs in fresh mount, pid, network, uts and ipc namespaces, plugs the disk and the
# network cards in, and becomes the machine's init. All mounts and cards vanish with the namespaces, so that killing
# the machine leaves nothing behind. This keeps machines apart, but is no jail: their root could break out on purpose.
#
# Environment: BASE, WHERE   the last disk of the chain, and the options that say where in it its file system is
#              CHILDREN      the children before it, nearest last one first, a line each; without any, it is written to
#              ROOT          an empty directory to mount on           CONSOLE  the terminal that is the console
#              MANAGEMENT    the namespace with the bridges           CARDS    "eth0,<mac>,<bridge>,<peer> …"; a
#              card without a bridge is not connected
set -eu

mount -t tmpfs -o mode=755,size=1m tmpfs "$ROOT"
cd "$ROOT"
mkdir disk
if [ -z "$CHILDREN" ]; then
  mount -t ext4 -o "loop,$WHERE" "$BASE" disk
else
  mkdir base
  mount -t ext4 -o "ro,noload,loop,$WHERE" "$BASE" base
  number=0 lower=
  while read -r child; do
    mkdir "child$number"
    if [ $number = 0 ]; then
      mount -t ext4 -o loop,discard "$child" child0
    else
      mount -t ext4 -o ro,noload,loop "$child" "child$number"
      lower="$lower$ROOT/child$number/upper:"
    fi
    number=$((number + 1))
  done <<END
$CHILDREN
END
  mount -t overlay overlay -o "lowerdir=$lower$ROOT/base,upperdir=$ROOT/child0/upper,workdir=$ROOT/child0/work" disk
fi
cd disk

mount -t proc -o nosuid,nodev,noexec proc proc
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
mount -t tmpfs -o mode=755,size=4m tmpfs dev
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs run
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts dev/pts
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs dev/shm
while read -r name major minor; do mknod -m 666 "dev/$name" c "$major" "$minor"; done <<END
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
END
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
: > dev/console
mount --bind "$CONSOLE" dev/console

# The kernel is the host's: what is not per namespace may be read only. Each boot has its own boot id, as on metal.
cat proc/sys/kernel/random/uuid > run/boot_id
mount --bind proc/sys proc/sys
mount --bind proc/sys/net proc/sys/net
mount -o remount,bind,ro proc/sys
mount --bind run/boot_id proc/sys/kernel/random/boot_id
mount -o remount,bind,ro proc/sys/kernel/random/boot_id
[ ! -e proc/sysrq-trigger ] || mount --bind dev/null proc/sysrq-trigger

for card in $CARDS; do
  IFS=, read -r name mac bridge peer <<END
$card
END
  ip -n "$MANAGEMENT" link del "$peer" 2>/dev/null || true # of this machine's last boot, if the kernel still has it
  ip link add "$name" address "$mac" type veth peer name "$peer" netns "$MANAGEMENT"
  [ -z "$bridge" ] || ip -n "$MANAGEMENT" link set "$peer" master "$bridge" up
done

exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=linux \
  setpriv --bounding-set -sys_module,-sys_rawio,-sys_time,-mknod,-syslog,-wake_alarm \
  sh -c 'pivot_root . . && umount -l . && exec chroot . /sbin/init' <"$CONSOLE" >"$CONSOLE" 2>&1
