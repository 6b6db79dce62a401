#!/bin/sh
# A node's kernel: gives the system in the directory ROOT what a kernel gives, and becomes its first process, PROGRAM. The
# node's firmware calls it (vclab/lab/firmware.py), in the node's namespaces, where its cards are plugged in already.
#
# Environment: ROOT, PROGRAM      CONSOLE       see kernel.sh
#              WORDS              the kernel's command line
#              DISK               "<name> <loop device> <serial> <model> <bytes>"; empty: there is none
#              EFI                not empty: the firmware is a UEFI
#
# Linux knows no disks of a namespace: of the host's, the node is shown its own only, under the name that an ATA disk has,
# with the serial number that a loop device lacks. It is a copy of what sysfs has: enough for whoever looks, for lsblk,
# and for links of udev's names. All loop devices are there, as on any machine: which one is free when the node wants one,
# the kernel says then.
set -eu
. "${0%/*}/kernel.sh"
cd "$ROOT"

give_kernel
printf '%s\n' "$WORDS" > run/cmdline
mount --bind run/cmdline proc/cmdline

mkdir -p dev/disk/by-id dev/disk/by-path
for each in sys/block sys/dev/block sys/class/block; do mount -t tmpfs -o mode=755,size=1m tmpfs "$each"; done
printf 'major minor  #blocks  name\n\n' > run/partitions
if [ -n "$DISK" ]; then
  read -r name device serial model bytes <<END
$DISK
END
  number=$(cat "/sys/block/${device#/dev/}/dev")
  mknod -m 660 "dev/$name" b "${number%:*}" "${number#*:}"
  ln -s "../../$name" "dev/disk/by-id/ata-VCLAB_$serial"
  ln -s "../../$name" dev/disk/by-path/pci-0000:00:1f.2-ata-1
  mkdir -p "sys/block/$name/device" "sys/block/$name/queue" "sys/block/$name/holders" "sys/block/$name/slaves"
  for each in alignment_offset dev discard_alignment hidden removable ro size; do
    cat "/sys/block/${device#/dev/}/$each" > "sys/block/$name/$each"
  done
  for each in "/sys/block/${device#/dev/}/queue"/*; do
    [ ! -f "$each" ] || cat "$each" > "sys/block/$name/queue/${each##*/}" 2>/dev/null || true
  done
  echo "$serial" > "sys/block/$name/device/serial"
  echo "$model" > "sys/block/$name/device/model"
  echo ATA > "sys/block/$name/device/vendor"
  echo 0 > "sys/block/$name/device/type"
  ln -s "../../block/$name" "sys/dev/block/$number"
  ln -s "../../block/$name" "sys/class/block/$name"
  printf '%4d %7d %10d %s\n' "${number%:*}" "${number#*:}" $((bytes / 1024)) "$name" >> run/partitions
fi
mount --bind run/partitions proc/partitions

mknod -m 660 dev/loop-control c 10 237
number=0
while [ $number -lt 256 ]; do
  mknod -m 660 "dev/loop$number" b 7 $number
  number=$((number + 1))
done

if [ -d sys/firmware ]; then
  mount -t tmpfs -o mode=755,size=64k tmpfs sys/firmware
  [ -z "$EFI" ] || mkdir sys/firmware/efi
fi
mount -o remount,bind,ro sys
become "$PROGRAM"
