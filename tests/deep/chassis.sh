#!/bin/sh
# What ipmi_sim asks and tells the chassis of a virtual machine: FOLDER get|set|check NAME [VALUE] … In the folder of the
# node are start.none, start.pxe and start.default: each starts its QEMU, which writes its process id into qemu.pid.
# "pxe" holds for one start. ipmi_sim says "default" for the disk, and "none" for what the firmware is set to.
cd "$1" || exit 1
act=$2
shift 2

is_on() { [ -e qemu.pid ] && kill -0 "$(cat qemu.pid)" 2>/dev/null; }
put() { echo "$2" >"$1.new.$$" && mv "$1.new.$$" "$1"; }

on() {
    is_on && return
    device=$(cat boot)
    [ "$device" = pxe ] && put boot none
    sh "./start.$device" >>qemu.log 2>&1
}

# As if the plug were pulled. It is off when the process is gone.
off() {
    is_on || return
    kill -9 "$(cat qemu.pid)"
    while is_on; do sleep 0.02; done
    rm -f qemu.pid
}

[ "$act" = set ] && echo "$*" >>told
while [ $# -gt 0 ]; do
    case $act.$1 in
        get.power) if is_on; then echo power:1; else echo power:0; fi ;;
        get.boot) echo "boot:$(cat boot)" ;;
        get.*) echo "$1:0" ;;
        set.power) if [ "$2" = 1 ]; then on; else off; fi ;;
        set.boot) put boot "$2" ;;
        set.reset) off; on ;;
        set.shutdown) ;; # the system has nobody who listens to its button
    esac
    if [ "$act" = set ]; then shift 2; else shift; fi
done
