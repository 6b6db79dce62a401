# What a kernel gives the first process of a system, for machine.sh and node.sh: both read this file. In the machine's own
# namespaces, so all of it vanishes with them.

# Below the current directory: /proc, /sys, /dev and the console. /run is the caller's.
give_kernel() {
  mount -t proc -o nosuid,nodev,noexec proc proc
  mount -t sysfs -o nosuid,nodev,noexec sysfs sys
  mount -t tmpfs -o mode=755,size=4m tmpfs dev
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
}

# CARDS: "eth0,<mac>,<bridge>,<peer> …"; a card without a bridge is not connected. The bridges are in MANAGEMENT.
plug_cards() {
  for card in $CARDS; do
    IFS=, read -r name mac bridge peer <<END
$card
END
    ip -n "$MANAGEMENT" link del "$peer" 2>/dev/null || true # of this machine's last boot, if the kernel still has it
    ip link add "$name" address "$mac" type veth peer name "$peer" netns "$MANAGEMENT"
    [ -z "$bridge" ] || ip -n "$MANAGEMENT" link set "$peer" master "$bridge" up
  done
}

# Becomes the program of the tree in the current directory, with the console.
become() {
  exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=linux \
    setpriv --bounding-set -sys_module,-sys_rawio,-sys_time,-mknod,-syslog,-wake_alarm \
    sh -c "pivot_root . . && umount -l . && exec chroot . $1" <"$CONSOLE" >"$CONSOLE" 2>&1
}
