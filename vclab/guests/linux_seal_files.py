"""Sealing an image: the files that must not be in it. Each script is one part of ``linux_seal.PARTS``.

All may be cut off anywhere and run again. A script's standard output is what it did.
"""

# A line of the exclude list is a path in which "*" stands for anything, "/" too; what is below it is kept with it (VCL:
# /root/.vclcontrol/vcl_exclude_list).
KEEP = r"""exclude=/root/.vclcontrol/vcl_exclude_list keep=-false
if [ -f $exclude ]; then
    keep="-false$(sed -e 's/^[[:space:]^]*//; s/[[:space:]$]*$//; s/\/*$//; s/[][?\\]/\\&/g; /^[/*]./!d' \
        -e "s/'/'\\\\''/g; s|.*| -o -path '&' -o -path '&/*'|" $exclude | tr -d '\n')"
fi
kept() { eval "[ -n \"\$(find \"\$1\" -maxdepth 0 \\( $keep \\) 2> /dev/null)\" ]"; }
"""

# What the scripts of the parts share.
LIBRARY = (
    KEEP
    + r"""erased=0 emptied=0 spared=0 deep=0 folders=go

# find(1) with these words at and below a path, on its own file system, for what is not kept, deepest first.
search() {
    path=$1
    shift
    [ -e "$path" ] || [ -L "$path" ] || return 0
    eval "find \"\$path\" -mindepth $deep -xdev -depth ! \\( $keep \\) \"\$@\""
}
number() { printf '%s' "$(search "$@" -printf x | wc -c)"; }

# Remove paths with all that is in them. Folders in which something is kept stay.
erase() {
    for place in "$@"; do
        [ -e "$place" ] || [ -L "$place" ] || continue
        all=$(find "$place" -mindepth $deep -xdev ! -type d -printf x | wc -c)
        goes=$(number "$place" ! -type d)
        erased=$((erased + goes)) spared=$((spared + all - goes))
        search "$place" ! -type d -delete
        left=$(search "$place" ! -type d -print | head -n 3 | tr '\n' ' ')
        [ -z "$left" ] || refuse "can't be removed: $left"
        [ $folders = go ] || continue
        search "$place" -type d -exec rmdir --ignore-fail-on-non-empty -- {} + 2> /dev/null || true # where others mount
    done
}

# Remove what is in folders; only the files where a service needs the folders.
clear_out() {
    deep=1
    for folder in "$@"; do
        [ ! -d "$folder" ] || erase "$(readlink -f "$folder")"
    done
    deep=0
}
clear_files() {
    folders=stay
    clear_out "$@"
    folders=go
}

# Empty files, which stay with their owner and mode: services need them.
empty() {
    for place in "$@"; do
        emptied=$((emptied + $(number "$place" -type f -size +0)))
        search "$place" -type f -size +0 -exec truncate -s 0 -- {} +
    done
}

# Whether nobody but us may change the file: it is there and not kept.
ours_to_change() {
    [ -f "$1" ] || return 1
    ! kept "$1" || { spared=$((spared + 1)) && return 1; }
}

told() {
    [ "$erased$emptied$spared" != 000 ] || echo 'nothing to do'
    [ $erased = 0 ] || echo "files removed: $erased"
    [ $emptied = 0 ] || echo "files emptied: $emptied"
    [ $spared = 0 ] || echo "kept by the exclude list: $spared"
}
"""
)

MAIL = r"""clear_files /var/mail /var/spool/mail
for queue in postfix/maildrop postfix/incoming postfix/active postfix/deferred postfix/hold postfix/defer \
    postfix/bounce postfix/corrupt exim4/input exim4/msglog mqueue mqueue-client clientmqueue nullmailer/queue \
    cups lpd lprng; do
    [ ! -d /var/spool/$queue ] || erase $(search /var/spool/$queue -type f -printf '%p\n')
done
told
"""

# Of root and of the accounts that people have; each user's own account is gone by now.
HISTORIES = r"""homes=$(awk -F: '($3 == 0 || $3 >= 1000) && $6 ~ "^/." { print $6 }' /etc/passwd | sort -u)
IFS=$nl
for home in /root $homes; do
    unset IFS
    [ -d "$home" ] || continue
    erase "$home"/.*_history "$home"/.*_history-*.tmp "$home"/.history "$home"/.zhistory "$home"/.histfile \
        "$home"/.lesshst "$home"/.local/state/lesshst "$home"/.viminfo "$home"/.vim/.netrwhist "$home"/.octave_hist \
        "$home"/.Rhistory "$home"/.dbshell "$home"/.nano/search_history "$home"/.local/share/nano/search_history \
        "$home"/.local/share/fish/fish_history "$home"/.ipython/profile_default/history.sqlite \
        "$home"/.local/share/recently-used.xbel "$home"/.local/share/Trash "$home"/.wget-hsts "$home"/.Xauthority \
        "$home"/.ICEauthority "$home"/.xsession-errors "$home"/.sudo_as_admin_successful \
        "$home"/.ssh/known_hosts "$home"/.ssh/known_hosts.old
done
told
"""

TEMPORARY = r"""clear_out /tmp /var/tmp
told
"""

# Old logs and binary ones go; the others are emptied, for many a service can't make its own in /var/log. journald goes
# on in memory until the next boot.
LOGS = r"""! command -v journalctl > /dev/null || journalctl --relinquish-var > /dev/null 2>&1 || true
clear_files /var/log/journal /var/log/sa /var/log/sysstat
if [ -d /var/log ]; then
    deep=1
    old=$(search /var/log -type f \( -name '*.gz' -o -name '*.xz' -o -name '*.bz2' -o -name '*.zst' -o -name '*.old' \
        -o -name '*.[0-9]' -o -name '*.[0-9][0-9]' -o -name '*.[0-9].log' -o -name '*-20[0-9][0-9]*' \) -print)
    deep=0
    IFS=$nl
    set -f
    for file in $old; do erase "$file"; done
    set +f
    unset IFS
    empty /var/log
fi
clear_out /var/crash /var/lib/systemd/coredump /var/lib/systemd/pstore /var/spool/abrt /var/tmp/abrt
erase /var/lib/wtmpdb/wtmp.db /var/lib/lastlog/lastlog2.db /run/faillock
told
"""

LEASES = r"""erase /var/lib/dhcp/*.lease* /var/lib/dhclient/*.lease* /var/lib/NetworkManager/*.lease \
    /var/lib/NetworkManager/secret_key /var/lib/NetworkManager/seen-bssids /var/lib/NetworkManager/timestamps \
    /var/lib/dhcpcd/*.lease* /var/lib/dhcpcd5/*.lease* /var/lib/dhcpcd/duid /var/lib/dhcpcd/secret \
    /var/db/dhcpcd/*.lease* /var/lib/udhcpc /var/lib/misc/udhcpc* /var/lib/systemd/network/*.lease \
    /var/lib/wicked/lease-*.xml /var/lib/wicked/duid.xml /var/lib/wicked/iaid.xml
told
"""

# The next load makes all of it anew.
OURS = r"""address=$1
keep=-false # the exclude list is the image maker's, and this is not theirs
if command -v update-rc.d > /dev/null && [ -e /etc/init.d/vclab-firewall ]; then
    update-rc.d vclab-firewall remove > /dev/null
fi
if [ -f /etc/pam.d/sshd ] && grep -q /etc/vclab/login /etc/pam.d/sshd; then
    # Both lines that were added, and these only.
    sed -i -e '/pam_succeed_if.so quiet uid = 0$/{N;/\/etc\/vclab\/login$/d}' \
        -e '/\/etc\/vclab\/login$/d' /etc/pam.d/sshd
fi
erase /etc/vclab /etc/init.d/vclab-firewall /etc/systemd/system/vclab-firewall.service \
    /etc/systemd/system/sysinit.target.wants/vclab-firewall.service /etc/ssh/sshd_config.d/00-vclab.conf* \
    /etc/ssh/sshd_config.vclab /etc/pam.d/sshd.vclab /etc/hosts.vclab /etc/sudoers.d/vclab-* /etc/sudoers.d/vclab.new \
    /root/currentimage.txt /root/.currentimage.new /root/reservation_info.json /run/vclab-logins
if getent group vclab > /dev/null; then
    group=$(getent group vclab | cut -d: -f3)
    if awk -F: -v group="$group" '$4 == group { found = 1 } END { exit !found }' /etc/passwd; then
        echo 'the group vclab stays: accounts of the image are in it'
    else
        groupdel vclab
        rm -f /etc/group- /etc/gshadow-
    fi
fi
told
# As the image is now, we must be let in at its first boot.
mkdir -p /run/sshd
lets_us_in() {
    seen=$(sshd -T -C user=root,host=x,addr="$address") || refuse "sshd does not take the image's configuration"
    echo "$seen" | grep -qxE 'permitrootlogin (yes|prohibit-password|without-password)' || return 1
    users=$(echo "$seen" | sed -n 's/^allowusers //p')
    [ -z "$users" ] || echo "$users" | grep -q '^root\(@\|$\)' || return 1
    echo "$seen" | grep -qx 'pubkeyauthentication yes'
}
if ! lets_us_in; then
    mkdir -p /etc/ssh/sshd_config.d
    printf '%s\n' '# Written by vclab when this image was sealed: else it could not be loaded.' \
        'PermitRootLogin prohibit-password' 'PubkeyAuthentication yes' > /etc/ssh/sshd_config.d/00-vclab.conf
    lets_us_in || refuse "the image's sshd would not let root in with a key, so it could not be loaded"
    echo 'sshd of the image would not let root in with a key: it does now'
fi
"""

# Where the host's private keys and what belongs to them are, or links to them.
_HOST_KEYS = r"""memory=/run/vclab-seal/ssh
mkdir -p /run/sshd
host_keys() {
    {
        sshd -T 2> /dev/null | sed -n 's/^hostkey \(.*\)/\1\n\1.pub/p'
        find /etc/ssh -name 'ssh_host_*'
    } | sort -u
}
"""

RUN_IS_MEMORY = r"""
case $(stat -f -c %T /run) in tmpfs | ramfs) ;; *) refuse '/run is on the disk: host keys would stay' ;; esac
"""

# sshd reads its keys anew for each connection: until the last part they are in memory, and links lead there.
HOST_KEYS = (
    _HOST_KEYS
    + RUN_IS_MEMORY
    + r"""umask 077
mkdir -p $memory
for key in $(host_keys); do
    [ ! -L "$key" ] && ours_to_change "$key" || continue
    cp -a "$key" "$memory/${key##*/}"
    ln -sfn "$memory/${key##*/}" "${key%/*}/.vclab-key"
    mv -fT "${key%/*}/.vclab-key" "$key"
    erased=$((erased + 1))
done
told
"""
)

# The computer is reached no more afterwards: what our own visit left in the logs goes, too.
FINISH = (
    _HOST_KEYS
    + r"""for key in $(host_keys); do
    case $(readlink "$key") in $memory/*) rm -f "$key" ;; esac
    kept "$key" || [ ! -e "$key" ] || refuse "the host key $key is still there"
done
cleaned=$(
"""
    + LOGS
    + r""")
sync
case $1 in
    off) (sleep 1; exec shutdown -h -P now) > /dev/null 2>&1 < /dev/null 9>&- & ;;
    reboot) (sleep 1; exec shutdown -r now) > /dev/null 2>&1 < /dev/null 9>&- & ;;
esac
echo "the computer is left $1"
"""
)
