"""Sealing an image: that it boots elsewhere, and what the disk must not hold. Each script is one part of
``linux_seal.PARTS``.

All may be cut off anywhere and run again. A script's standard output is what it did.
"""

DRIVERS = (
    *("vmw_pvscsi", "vmxnet3", "virtio_blk", "virtio_scsi", "virtio_net", "virtio_pci"),
    *("nvme", "ahci", "megaraid_sas", "mpt3sas", "e1000e"),
)
"""Of the disks and cards that a computer may have which is made from the image."""

HOOKS = r"""limit=$1
folder=/run/vclab-seal
mkdir -p $folder
ran=
for hook in /usr/local/vcl/vcl_pre_capture /etc/init.d/vcl_pre_capture; do
    [ -f $hook ] || continue
    set -- $hook
    [ -x $hook ] || set -- sh $hook
    status=0
    timeout -k 5 "$limit" "$@" > $folder/hook 2>&1 < /dev/null 9>&- || status=$?
    last=$(tail -c 4000 $folder/hook | tail -n 20)
    case $status in
        0) ;;
        124 | 137) refuse "$hook did not end within $limit s: $(echo "$last" | tail -n 2)" ;;
        *) refuse "$hook failed with exit status $status: $(echo "$last" | tail -n 2)" ;;
    esac
    ran="$ran $hook"
    printf '%s\n' "$last" | sed 's/^/| /'
done
echo "${ran:+ran}${ran:-there are none}"
"""

# They would write while all is cleaned, or register the computer anew. They start again at the next boot.
SERVICES = r"""stopped=
for name in cron crond atd anacron apt-daily.timer apt-daily-upgrade.timer unattended-upgrades dnf-automatic.timer \
    dnf-makecache.timer packagekit syslog.socket rsyslog syslog-ng puppet salt-minion rhsmcertd insights-client.timer \
    sssd winbind; do
    if [ -d /run/systemd/system ]; then
        systemctl is-active --quiet "$name" || continue
        systemctl stop "$name" > /dev/null
    else
        [ -x "/etc/init.d/$name" ] && "/etc/init.d/$name" status > /dev/null 2>&1 || continue
        "/etc/init.d/$name" stop > /dev/null 9>&-
    fi
    stopped="$stopped $name"
done
echo "${stopped:+stopped}${stopped:-none of them runs}"
"""

# Names of disks depend on the controller and on how many there are.
FSTAB = r"""! kept /etc/fstab || { echo 'kept by the exclude list'; exit 0; }
changed=0 stays=
if [ -f /etc/fstab ]; then
    cp -a /etc/fstab /etc/fstab.vclab
    unsteady='^/dev/((sd|hd|vd|xvd)[a-z]|nvme[0-9]|disk/by-(path|id)/)'
    for device in $(awk '{ print $1 }' /etc/fstab | grep -E "$unsteady" || true); do
        uuid=$(blkid -p -o value -s UUID "$device" 2> /dev/null) || uuid=
        if [ -z "$uuid" ]; then stays="$stays $device"; continue; fi
        sed -i "s|^\([[:space:]]*\)$device\([[:space:]]\)|\1UUID=$uuid\2|" /etc/fstab.vclab
        changed=$((changed + 1))
    done
    if [ $changed -gt 0 ]; then mv -fT /etc/fstab.vclab /etc/fstab; else rm -f /etc/fstab.vclab; fi
fi
echo "now by UUID: $changed"
[ -z "$stays" ] || echo "by the name of a device, for it has no UUID:$stays"
for file in /etc/default/grub /etc/kernel/cmdline /boot/grub/grub.cfg /boot/grub2/grub.cfg \
    /boot/loader/entries/*.conf; do
    ! grep -qsE '^[^#]*[[:space:]"]root=/dev/((sd|hd|vd|xvd)[a-z]|nvme[0-9])' "$file" ||
        echo "the root file system is given by the name of a device: $file"
done
"""

# Whether one has to be built, and by what.
KERNELS = r"""installed_kernels() {
    for modules in /lib/modules/*/modules.dep; do
        kernel=${modules#/lib/modules/} kernel=${kernel%/modules.dep}
        if [ -e "/boot/vmlinuz-$kernel" ] || [ -e "/lib/modules/$kernel/vmlinuz" ]; then echo "$kernel"; fi
    done
}
initramfs_tool() {
    command -v mkinitramfs || command -v dracut ||
        refuse 'a kernel is installed, but neither initramfs-tools nor dracut: it may not boot on other hardware'
}
"""

INITRAMFS = (
    KERNELS
    + r"""drivers=$*
kernels=$(installed_kernels)
if [ -z "$kernels" ]; then echo 'no kernel is installed'; exit 0; fi
tool=$(initramfs_tool)
there() { case $(modinfo -k "$1" -F filename "$2" 2> /dev/null) in *.ko*) ;; *) return 1 ;; esac; }
inside() { tr - _ < $memory | grep -q "/$1\.ko"; }
memory=/run/vclab-seal/initramfs
mkdir -p ${memory%/*}
if [ "${tool##*/}" = mkinitramfs ]; then
    mkdir -p /etc/initramfs-tools/conf.d /etc/initramfs-tools/hooks
    # The last of them is in force. The hook adds the drivers without having them loaded everywhere.
    echo MODULES=most > /etc/initramfs-tools/conf.d/zz-vclab
    printf '%s\n' '#!/bin/sh' '[ "$1" != prereqs ] || exit 0' '. /usr/share/initramfs-tools/hook-functions' \
        "manual_add_modules $drivers" > /etc/initramfs-tools/hooks/vclab
    chmod 755 /etc/initramfs-tools/hooks/vclab
    update-initramfs -u -k all > /dev/null
    list() { lsinitramfs "/boot/initrd.img-$1"; }
else
    mkdir -p /etc/dracut.conf.d
    echo 'hostonly="no"' > /etc/dracut.conf.d/90-vclab.conf
    for kernel in $kernels; do
        known=$(for driver in $drivers; do ! there "$kernel" "$driver" || echo "$driver"; done)
        dracut --force --no-hostonly --add-drivers "$(echo $known)" --kver "$kernel" > /dev/null
    done
    list() { lsinitrd --kver "$1"; }
fi
for kernel in $kernels; do
    list "$kernel" > $memory
    for driver in $drivers; do
        ! there "$kernel" "$driver" || inside "$driver" || refuse "the initramfs of $kernel lacks the driver $driver"
    done
done
echo made for $kernels
"""
)

ESP = r"""find_esp() {
    for place in /boot/efi /efi /boot; do
        if [ -d $place/EFI ]; then echo $place; return; fi
    done
    [ ! -d /sys/firmware/efi ] || ! grep -qsE '^[^#]*[[:space:]]/(boot/)?efi[[:space:]]' /etc/fstab ||
        refuse 'the EFI system partition is not mounted'
}
"""

# Firmware that does not know the disk looks for one name only.
EFI = (
    ESP
    + r"""esp=$(find_esp)
if [ -z "$esp" ]; then echo 'there is no EFI system partition'; exit 0; fi
for pair in x64:X64 aa64:AA64; do
    cpu=${pair%:*} boot=$esp/EFI/BOOT/BOOT${pair#*:}.EFI
    vendor=
    for loader in shim grub; do
        [ -n "$vendor" ] || vendor=$(find "$esp/EFI" -mindepth 2 -maxdepth 2 -iname "$loader$cpu.efi" \
            ! -ipath '*/EFI/boot/*' | sort | head -n 1)
    done
    [ -n "$vendor" ] || continue
    if [ -s "$boot" ]; then echo "there already: $boot"; continue; fi
    mkdir -p "$esp/EFI/BOOT"
    for part in grub mm; do
        [ ! -e "${vendor%/*}/$part$cpu.efi" ] || cp -f "${vendor%/*}/$part$cpu.efi" "$esp/EFI/BOOT/"
    done
    cp -f "$vendor" "$boot.new"
    mv -f "$boot.new" "$boot"
    sync -f "$boot" 2> /dev/null || sync
    echo "copied to $boot: $vendor"
done
"""
)

SELINUX = r"""mode=$(sed -n 's/^[[:space:]]*SELINUX=//p' /etc/selinux/config 2> /dev/null | tail -n 1)
case $mode in
    enforcing | permissive) : > /.autorelabel && echo 'marked to be relabelled at the first boot' ;;
    *) echo 'SELinux is not used' ;;
esac
"""

# What makes host keys at a boot where there are none; nothing is said where systemd can be told to.
HOST_KEY_MAKER = r"""host_key_maker() {
    if [ -d /run/systemd/system ]; then
        for unit in sshd-keygen@.service sshd-keygen.service sshd-keygen.target sshdgenkeys.service; do
            if systemctl cat "$unit" > /dev/null 2>&1; then echo "$unit"; return; fi
        done
    else
        grep -ls ssh-keygen /etc/init.d/* /etc/rc.local /etc/inittab | grep -m 1 . ||
            refuse 'nothing makes host keys at the boot: the image could not be loaded'
    fi
}
"""

# Debian makes host keys when openssh-server is installed, and never again.
FIRST_BOOT = (
    HOST_KEY_MAKER
    + r"""maker=$(host_key_maker)
if [ -z "$maker" ]; then
    maker=vclab-host-keys.service
    cat > /etc/systemd/system/vclab-host-keys.service <<'UNIT'
[Unit]
Description=SSH host keys of this computer's own (vclab)
Before=ssh.service sshd.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'find /etc/ssh -name "ssh_host_*" -type l -delete; exec ssh-keygen -A'
[Install]
WantedBy=ssh.service sshd.service multi-user.target
UNIT
    for wanted in ssh.service sshd.service multi-user.target; do
        mkdir -p /etc/systemd/system/$wanted.wants
        ln -sf ../vclab-host-keys.service /etc/systemd/system/$wanted.wants/vclab-host-keys.service
    done
fi
echo "$maker makes them"
"""
)

SWAP_SPACES = r"""swap_spaces() {
    {
        awk '$1 !~ /^#/ && $3 == "swap" { print $1 }' /etc/fstab 2> /dev/null || true
        awk 'NR > 1 { print $1 }' /proc/swaps
    } | grep -v zram | sort -u
}
# Its device or file; nothing where it is not there.
swap_device() {
    device=$1
    case $1 in *=*) device=$(findfs "$1" 2> /dev/null) || return 0 ;; esac
    device=$(readlink -f "$device") || return 0
    [ -b "$device" ] || [ -f "$device" ] || return 0
    case $(blkid -p -o value -s TYPE "$device" 2> /dev/null || true) in
        swap | swsuspend) echo "$device" ;;
        *) refuse "$1 is to be swap space, but is not: it may hold something else" ;;
    esac
}
"""

# The header stays, with the UUID that fstab names; all else is overwritten, where it is not zeros already.
SWAP = (
    SWAP_SPACES
    + r"""page=$(getconf PAGESIZE 2> /dev/null) || page=4096
cleared=0
zeros() { command -v cmp > /dev/null && cmp -s -n "$rest" -i "$page:0" "$device" /dev/zero; }
for named in $(swap_spaces); do
    device=$(swap_device "$named")
    if [ -z "$device" ]; then echo "not there: $named"; continue; fi
    if [ -b "$device" ]; then size=$(blockdev --getsize64 "$device"); else size=$(stat -c %s "$device"); fi
    ! grep -q "^$device " /proc/swaps || swapoff "$device"
    rest=$((size - page))
    [ $rest -gt 0 ] && ! zeros || continue
    [ ! -b "$device" ] || blkdiscard -o "$page" -l "$rest" "$device" 2> /dev/null || true
    zeros || dd if=/dev/zero of="$device" bs=1M seek="$page" count="$rest" conv=notrunc,fsync \
        oflag=seek_bytes iflag=fullblock,count_bytes 2> /dev/null
    cleared=$((cleared + 1))
done
echo "overwritten with zeros: $cleared"
"""
)

# The file systems that are on disks and may be written to, each once: their places, as mountinfo writes them.
ON_DISKS = r"""awk '{ for (n = 7; $n != "-"; n++) ; kind = $(n + 1); source = $(n + 2) }
    $6 "," $(n + 3) ~ /(^|,)ro(,|$)/ { next }
    kind ~ /^(ext[234]|xfs|btrfs|f2fs|jfs|reiserfs|vfat)$/ && !seen[source]++ { print $5 }' /proc/self/mountinfo
"""

# What a file held that was removed is still there. A disk that can't be told of free blocks is filled with zeros, in
# files that take all room for a moment: "more" when that takes longer than is given to it.
FREE_BLOCKS = r"""place=$(printf '%b' "$1") first=$2 seconds=$3
file() { echo "$place/.vclab-zeros.$1"; }
[ "$first" != yes ] || rm -f "$(file '')"*
if fstrim "$place" 2> /dev/null; then echo "discarded in $place"; exit 0; fi
number=0
while [ -e "$(file $number)" ]; do number=$((number + 1)); done
until=$(($(date +%s) + seconds))
while :; do
    left=$((until - $(date +%s)))
    if [ $left -le 0 ]; then echo more; exit 0; fi
    true 2> /dev/null > "$(file $number)" || { [ $number -gt 0 ] && break; refuse "no file can be made in $place"; }
    ! command -v chattr > /dev/null || chattr -f +C "$(file $number)" || true # btrfs would compress them to nothing
    timeout "$left" dd if=/dev/zero of="$(file $number)" bs=1M conv=notrunc 2> /dev/null || true
    [ -s "$(file $number)" ] || break
    number=$((number + 1))
done
sync -f "$place" 2> /dev/null || sync
rm -f "$(file '')"*
sync -f "$place" 2> /dev/null || sync
echo "overwritten with zeros in $place"
"""
