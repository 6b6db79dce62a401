#!/bin/sh
# What ipmi_sim asks and tells its chassis: FOLDER get|set|check NAME [VALUE] …  The folder is a node's (vclab/lab/bmcs.py).
cd "$1" || exit 1
act=$2
shift 2

fault() { [ -e "faults/$1" ]; }
# Written beside it and moved there: whoever reads it meanwhile reads no half of it.
put() { echo "$2" >"$1.new.$$" && mv "$1.new.$$" "$1"; }

off() { put power off; put cut "$(cat /proc/sys/kernel/random/uuid)"; }
press() { if [ -e runs ]; then put button "$(cat /proc/sys/kernel/random/uuid)"; else off; fi; }

fault slow && sleep "$(cat faults/slow)"
if [ "$act" = set ]; then
    echo "$*" >>told
    fault unplugged-when-told && kill -STOP "$(cat pid)"
    fault lying && exit 0
fi
while [ $# -gt 0 ]; do
    case $act.$1 in
        get.power) if [ "$(cat power)" = on ]; then echo power:1; else echo power:0; fi ;;
        get.boot) echo "boot:$(cat boot)" ;;
        get.*) echo "$1:0" ;;
        set.power) if [ "$2" = 1 ]; then put power on; else off; fi ;;
        set.reset) put cut "$(cat /proc/sys/kernel/random/uuid)" ;;
        set.boot) put boot "$2" ;;
        set.shutdown) fault deaf || press ;;
    esac
    if [ "$act" = set ]; then shift 2; else shift; fi
done
