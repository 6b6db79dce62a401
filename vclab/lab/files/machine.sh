#!/bin/sh
# The firmware of a lab machine: runs in fresh mount, pid, network, uts and ipc namespaces, plugs the disk and the
# network cards in, and becomes the machine's init. All mounts and cards vanish with the namespaces, so that killing
# the machine leaves nothing behind. This keeps machines apart, but is no jail: their root could break out on purpose.
#
# Environment: BASE, WHERE   the last disk of the chain, and the options that say where in it its file system is
#              CHILDREN      the children before it, nearest last one first, a line each; without any, it is written to
#              ROOT          an empty directory to mount on           CONSOLE  the terminal that is the console
#              MANAGEMENT, CARDS     see kernel.sh
set -eu
. "${0%/*}/kernel.sh"

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

mount -t tmpfs -o mode=755,nosuid,nodev tmpfs run
give_kernel
plug_cards
become /sbin/init
