"""Removing from a Linux computer all that a user without root rights could have left, and seeing that it is gone.

The firewall is shut before any of this. Then, for each account that was made in the tenure (``/etc/vclab/accounts``):
the account expires, so that neither cron nor at nor sshd begins anything for it; what would begin later is removed;
all processes are frozen, then killed, until none is left; then everything that carries the user's id is removed, and
all that is left is listed. Only when that list is empty the account goes, and its line in the list of accounts last of
all: so an attempt that was cut off anywhere is taken up again by the next one.

What could not be searched is left too: a disk that can't be mounted, a print job or mail of the time since the account
was made, a file of others to which everybody may write and that was changed since. File servers are not the computer's:
nothing of them is removed, even where they are mounted in a user's home.

VCL's Linux.pm sanitize does less: firewall, userdel, sudoers.
"""

from dataclasses import dataclass

from vclab.guests.linux_accounts import LOGIN, LOWEST_UID
from vclab.guests.ssh import Shell
from vclab.model.errors import NotOurs, StepFailed
from vclab.model.plans import Access, Target

SECONDS = 900.0
"""For one script: a disk with millions of files is searched twice."""

_LEDGER = """[ ! -e /etc/vclab/accounts ] || cat /etc/vclab/accounts
echo --
[ ! -r /etc/subuid ] || cat /etc/subuid
echo --
find /etc/sudoers.d -name 'vclab-*' 2> /dev/null || true
echo --
for one in "$@"; do getent passwd "$one" || true; done
"""

# What all scripts below know: whose things are looked for, and where.
LIBRARY = r"""login=$1 uid=$2 lent=$3 # lent: ranges "first-last" of ids that subuid(5) lends to the user
image=${4:-} stays=${5:-} # image: one is made of this computer; stays: a path with the user's name that is not removed
set -- -uid "$uid"
for range in $lent; do
    set -- "$@" -o -uid "+$((${range%-*} - 1))" -uid "-$((${range#*-} + 1))"
done
theirs='function theirs(id,   n, range, parts) {
    n = split(ids, range, " ")
    for (; n > 0; n--) { split(range[n], parts, "-"); if (id + 0 >= parts[1] + 0 && id + 0 <= parts[2] + 0) return 1 }
    return 0
}'
ids="$uid-$uid $lent"
since=/etc/vclab/since # made before the first account of the tenure

# Lines "pid name". By any of the four ids, so that running a setuid program hides nothing; zombies have ended.
processes() {
    cat /proc/[0-9]*/status 2> /dev/null | awk -v ids="$ids" "$theirs"'
        $1 == "Name:" { name = $2 }
        $1 == "State:" { state = $2 }
        $1 == "Pid:" { pid = $2 }
        $1 == "Uid:" && state !~ /[ZX]/ && (theirs($2) || theirs($3) || theirs($4) || theirs($5)) { print pid, name }'
}

# Paths on lines of their own, as in mountinfo: \040 for a blank. What printf's %b makes of one ends in a dot here, for
# the shell would cut off a line end.
encoded() { sed -z 's/\\/\\0134/g; s/\n/\\012/g' | tr '\0' '\n'; }
decoded() { printf '%b.' "$1"; }

# Subvolumes below, the deepest first: find(1) and rm(1) take them for other file systems, but they are mounted nowhere.
subvolumes() {
    find "$1" -xdev -mindepth 1 -type d -inum "$2" -print0 | encoded | while IFS= read -r below; do
        inner=$(decoded "$below")
        (subvolumes "${inner%.}" "$2")
        printf '%s\n' "$below"
    done
}

# Local file systems, also those that are read only at this moment: they may not have been so before. What is on a file
# server is not the computer's, and some kinds are never written to.
places() {
    awk '{ for (n = 7; $n != "-"; n++) ; kind = $(n + 1) }
        kind ~ /^(proc|sysfs|devpts|cgroup2?|mqueue|bpf|pstore|autofs|nsfs|fusectl|rpc_pipefs|selinuxfs)$/ { next }
        kind ~ /^(securityfs|debugfs|tracefs|configfs|efivarfs|binfmt_misc|squashfs|erofs|iso9660|udf)$/ { next }
        kind ~ /^(nfs|nfs4|cifs|smb3|ceph|glusterfs|lustre|afs|9p|fuse|fuse\..*)$/ { next }
        { print kind, $5 }' /proc/self/mountinfo | while read -r kind place; do
        root=$(decoded "$place")
        case $kind in
            btrfs) subvolumes "${root%.}" 256 ;;
            bcachefs) subvolumes "${root%.}" 4096 ;;
        esac
        printf '%s\n' "$place"
    done
}

# find(1) in each of these places.
everywhere() {
    places | {
        outcome=0
        while IFS= read -r place; do
            root=$(decoded "$place")
            find "${root%.}" -ignore_readdir_race -xdev "$@" || outcome=1
        done
        exit $outcome
    }
}

# Whether it is on a file server, and lives on there.
remote() {
    case $(stat -f -c %T -- "$1" 2> /dev/null) in
        nfs* | cifs | smb* | ceph | gluster* | lustre | afs | v9fs | fuse*) return 0 ;;
        *) return 1 ;;
    esac
}

# POSIX message queues are files of a file system that need not be mounted anywhere.
queues() {
    ! grep -q 'mqueue$' /proc/filesystems ||
        unshare --mount sh -c 'mount -t mqueue mqueue /mnt && exec find /mnt -mindepth 1 "$@"' sh "$@"
}

# System V IPC by owner and by creator, for an owner may give it away. Lines "shm 5".
ipc() {
    for kind in shm msg sem; do
        [ -r /proc/sysvipc/$kind ] || continue
        awk -v ids="$ids" -v kind=$kind "$theirs"'
            NR == 1 { for (n = 1; n <= NF; n++) column[$n] = n; next }
            theirs($column["uid"]) || theirs($column["cuid"]) { print kind, $2 }' /proc/sysvipc/$kind
    done
}

# Mounts of the user's: their runtime directory, their media, what they mounted by FUSE.
mounts() {
    awk -v login="$login" -v uid="$uid" '
        function below(path) { return index($5 "/", path "/") == 1 }
        below("/run/user/" uid) || below("/home/" login) || below("/media/" login) || below("/run/media/" login) ||
            $NF ~ "(^|,)user_id=" uid "(,|$)" { print $5 }' /proc/self/mountinfo
}

# What carries the user's name or id and may belong to root.
names() {
    for path in "/home/$login" "/home/$login.vclab" "/run/user/$uid" "/etc/sudoers.d/vclab-$login" \
        "/var/mail/$login" "/var/spool/mail/$login" "/var/spool/cron/crontabs/$login" \
        "/run/sudo/ts/$login" "/run/sudo/ts/$uid" "/var/lib/sudo/lectured/$login" "/var/lib/sudo/lectured/$uid" \
        "/run/faillock/$login" "/var/lib/systemd/linger/$login" \
        "/var/lib/AccountsService/users/$login" "/var/lib/AccountsService/icons/$login" \
        /var/log/journal/*/"user-$uid.journal" /var/log/journal/*/"user-$uid@"* \
        /run/log/journal/*/"user-$uid.journal" /run/log/journal/*/"user-$uid@"* \
        /var/lib/systemd/coredump/core.*."$uid".* /var/crash/*."$uid".crash; do
        [ "$path" != "$stays" ] && { [ -e "$path" ] || [ -L "$path" ]; } && ! remote "$path" || continue
        echo "$path"
    done
    [ ! -f "/var/spool/cron/$login" ] || echo "/var/spool/cron/$login"
    for path in /var/spool/abrt/*/uid /var/tmp/abrt/*/uid; do
        [ "$(head -c 20 "$path" 2> /dev/null)" != "$uid" ] || echo "${path%/uid}"
    done
}

# Print jobs and mail that came in since; whose they are is known to the service only.
jobs() {
    for spool in /var/spool/cups /var/spool/lpd /var/spool/lprng /var/spool/exim4/input /var/spool/mqueue \
        /var/spool/mqueue-client /var/spool/clientmqueue /var/spool/nullmailer/queue /var/spool/postfix/maildrop \
        /var/spool/postfix/incoming /var/spool/postfix/active /var/spool/postfix/deferred /var/spool/postfix/hold; do
        [ ! -d $spool ] || find $spool -ignore_readdir_race -type f -cnewer $since -printf '%p\0'
    done
}

# Local disks that are mounted nowhere: somebody may have written to them before. Lines "name kind".
unmounted() {
    for device in /sys/class/block/*; do
        name=${device##*/}
        [ -b "/dev/$name" ] && [ "$(cat "$device/size")" != 0 ] || continue
        [ -z "$(ls -A "$device/holders" 2> /dev/null)" ] || continue
        for used in /sys/fs/btrfs/*/devices/"$name"; do [ ! -e "$used" ] || continue 2; done
        ! awk -v number="$(cat "$device/dev")" '$3 == number { found = 1 } END { exit !found }' /proc/self/mountinfo ||
            continue
        ! grep -q "^/dev/$name " /proc/swaps || continue
        kind=$(blkid -p -o value -s TYPE "/dev/$name" 2> /dev/null) || [ $? -ne 127 ] || kind=unknown
        case $kind in
            '' | swap | swsuspend | *_member | squashfs | erofs | iso9660 | udf) ;;
            *) echo "$name $kind" ;;
        esac
    done
}

# What is on them. Foreign systems keep no owners: they count where users may mount them.
disks() {
    unmounted | while read -r name kind; do
        case $kind in
            ext[234]) how=ro,noload ;;
            xfs) how=ro,norecovery ;;
            btrfs | f2fs | jfs | reiserfs | bcachefs) how=ro ;;
            *)
                ! users_mount "$name" || printf 'the unmounted disk /dev/%s (%s) can not be searched\0' "$name" "$kind"
                continue
                ;;
        esac
        unshare --mount sh -c '
            place=$1 kind=$2 how=$3
            shift 3
            mount -t "$kind" -o "$how" "$place" /mnt && exec find /mnt "$@" -printf "%P on the unmounted disk $place\0"
        ' sh "/dev/$name" "$kind" "$how" \( "$@" \) 2> /dev/null ||
            printf 'the unmounted disk /dev/%s (%s) can not be searched\0' "$name" "$kind"
    done
}
users_mount() {
    command -v udisksctl > /dev/null || awk -v source="/dev/$1" -v uuid="$(blkid -o value -s UUID "/dev/$1")" '
        ($1 == source || $1 == "UUID=" uuid) && $4 ~ /(^|,)(user|users|owner|group)(,|$)/ { found = 1 }
        END { exit !found }' /etc/fstab 2> /dev/null
}
"""

_STOP = (
    LIBRARY
    + """
if getent passwd "$login" > /dev/null; then usermod --expiredate 1 --lock "$login"; fi
if [ -d /run/systemd/system ]; then
    loginctl disable-linger "$login" || true
    systemctl stop "user@$uid.service" "user-$uid.slice" || true
fi
for spool in /var/spool/cron/crontabs /var/spool/cron/atjobs /var/spool/cron /var/spool/at; do
    [ -d $spool ] || continue
    find $spool -xdev -type f \\( "$@" \\) -delete
    [ ! -f "$spool/$login" ] || rm -f "$spool/$login"
    touch -d "@$(($(date +%s) + 1))" $spool # cron reads again what is newer: this is, even in the same second
done

# To -1 as the user: the kernel reaches all of their processes at one instant, so not even a fork bomb is faster. By
# number for those that are reached by root only. Frozen ones can neither stop us nor start others meanwhile.
signal() {
    timeout 10 setpriv --reuid "$uid" --regid 65534 --clear-groups sh -c "kill -s $1 -- -1" 9>&- 2> /dev/null || true
    found=$(processes | cut -d ' ' -f 1)
    [ -z "$found" ] || kill -s "$1" $found 2> /dev/null || true
}
round=0
while [ -n "$(processes)" ]; do
    round=$((round + 1))
    [ $round -le 60 ] || refuse "processes do not die: $(processes | head -n 5 | tr '\\n' ';')"
    signal STOP
    signal KILL
    sleep 0.1
done
"""
)

_PURGE = (
    LIBRARY
    + """
mounts | while IFS= read -r place; do umount -l "$(printf '%b' "$place")" || true; done
ipc | while read -r kind number; do
    case $kind in shm) ipcrm -m "$number" ;; msg) ipcrm -q "$number" ;; sem) ipcrm -s "$number" ;; esac || true
done
queues \\( "$@" \\) -delete || true
# A directory of the user's goes with all that is in it, but never what is mounted there: that may be a file server's.
# A terminal that they were given goes back to root.
purge() {
    places | while IFS= read -r place; do
        root=$(decoded "$place")
        device=$(stat -c %d -- "${root%.}")
        find "${root%.}" -ignore_readdir_race -xdev \\( "$@" \\) \\( \\
            \\( -type b -o -type c \\) -exec chown -h 0:0 {} + -o ! -type d -exec rm -f -- {} + \\
            -o -prune -printf '%D %p\\0' \\) |
            sed -z -n "s/^$device //p" | xargs -0 -r rm -rf --one-file-system --
    done
}
unlock() {
    ! command -v chattr > /dev/null ||
        everywhere \\( "$@" \\) \\( -type f -o -type d \\) -exec chattr -f -i -a -- {} +
}
purge "$@" 2> /dev/null || true
unlock "$@" 2> /dev/null || true
purge "$@" 2> /dev/null || true
names | while IFS= read -r path; do rm -rf --one-file-system -- "$path" || true; done
"""
)

_LEFT = (
    LIBRARY
    + """
few() { sed "s/^/$1 /" | head -n 5; }
processes | few process
mounts | few mount
names | few file
ipc | few IPC
{ queues \\( "$@" \\) -printf '%P\\0' || printf 'that can not be listed\\0'; } | tr '\\n\\0' '?\\n' | few queue
# What can't be searched is not clean. Files of others that everybody may write to hold what somebody wrote; in an image
# they are the image's.
mine() {
    if [ -n "$image" ]; then
        set -- "$@" -printf '%p\\0'
    elif [ ! -e $since ]; then
        printf 'that others may have written: it is not known since when this tenure lasts\\0'
        set -- "$@" -printf '%p\\0'
    else
        set -- \\( "$@" \\) -printf '%p\\0' -o -type f -perm -o+w -cnewer $since -printf '%p (of others, written to)\\0'
    fi
    everywhere "$@"
}
{ mine "$@" || printf 'that can not be found\\0'; } | tr '\\n\\0' '?\\n' | few file
[ -n "$image" ] || [ ! -e $since ] || jobs | tr '\\n\\0' '?\\n' | few 'print job or mail'
disks "$@" | tr '\\n\\0' '?\\n' | few file
"""
)

# userdel also takes the login out of all groups. Its backups are of no use to anybody.
_ACCOUNT = (
    LIBRARY
    + """
if getent passwd "$login" > /dev/null; then userdel "$login"; fi
for file in passwd shadow subuid subgid; do
    [ ! -e /etc/$file- ] || sed -i "/^$login:/d" /etc/$file-
done
for file in passwd shadow group gshadow subuid subgid; do
    [ -r /etc/$file ] || continue
    ! awk -F: -v login="$login" '$1 == login && FILENAME !~ /group|gshadow/ { found = 1 }
        FILENAME ~ /group|gshadow/ { n = split($4, of, ","); for (; n > 0; n--) if (of[n] == login) found = 1 }
        END { exit !found }' /etc/$file || refuse "$login still stands in /etc/$file"
done
[ -z "$(processes)" ] || refuse "new processes came up: $(processes | head -n 5 | tr '\\n' ';')"
"""
)

_FORGET = """mark=$1 list=/etc/vclab/accounts
[ -e $list ] || { rm -f /etc/vclab/since /run/vclab-logins; exit 0; }
awk -v mark="$mark" '$3 != mark' $list > $list.new
chmod 600 $list.new
if [ -s $list.new ]; then mv -f $list.new $list; else rm -f $list.new $list /etc/vclab/since /run/vclab-logins; fi
"""


@dataclass(frozen=True)
class Account:
    """An account that was made for a tenure. ``lent``: ranges of ids that subuid(5) lends to it."""

    login: str
    uid: int
    mark: str  #: of the tenure
    lent: tuple[tuple[int, int], ...] = ()
    sudo: bool = False

    def words(self) -> tuple[str, str, str]:
        """As the scripts want it."""
        return self.login, str(self.uid), " ".join(f"{first}-{last}" for first, last in self.lent)


def mark(target: Target) -> str:
    """How the list of accounts names a tenure (``linux_accounts.make``)."""
    return f"{target.installation}/{target.reservation}/{target.member}/{target.generation}"


def refuse_foreign(tags: dict[str, str], target: Target) -> None:
    """Raise ``NotOurs`` for a computer of another installation, or another computer of ours.

    An older mark of this very computer is no hindrance: its tenure may have ended before anything was done to it.
    """
    found = (tags.get("vclab_installation"), tags.get("computer_hostname"))
    if found[0] is not None and found != (target.installation, target.computer):
        raise NotOurs(
            f"the computer at hand says it is {found[1]} of the installation {found[0]}, not {target.computer} of "
            f"{target.installation}: nothing was done to it"
        )


async def accounts(shell: Shell, access: Access | None = None) -> list[Account]:
    """The accounts that were made, of whichever tenure. Raises ``StepFailed`` for a line that we can't have written.

    ``access``: who is known to have been let in, should somebody with root rights have removed the list. It is never
    taken for an account of the image's own.
    """
    words = (access.login, str(access.uid)) if access and access.login else ()
    lines, lent, sudoers, known = (
        part.strip("\n").splitlines()
        for part in (await shell.look("list the accounts that were made", _LEDGER, *words)).split("--\n")
    )
    if words and not any(line.startswith(f"{words[0]} ") for line in lines) and _made(known, *words):
        lines.append(f"{words[0]} {words[1]} -")
    found = []
    for line in lines:
        login, uid, tenure = (*line.split(" "), "", "", "")[:3]
        if not LOGIN.fullmatch(login) or not uid.isdecimal() or int(uid) < LOWEST_UID or not tenure:
            raise StepFailed(f"/etc/vclab/accounts at {shell.address} is damaged: {_shown(line)}")
        sudo = f"/etc/sudoers.d/vclab-{login}" in sudoers
        found.append(Account(login, int(uid), tenure, tuple(_ranges(lent, login, uid)), sudo))
    return found


def _made(known: list[str], login: str, uid: str) -> bool:
    """Whether what passwd(5) has of a login and its user id was made by us, or is gone."""
    found = [(*line.split(":"), "", "", "", "", "")[:5] for line in known]
    return all((name, number, comment) == (login, uid, f"vclab {login}") for name, _, number, _, comment in found)


def _ranges(lines: list[str], login: str, uid: str) -> list[tuple[int, int]]:
    fields = (line.split(":") for line in lines)
    ours = (f for f in fields if len(f) == 3 and f[0] in (login, uid) and f[1].isdecimal() and f[2].isdecimal())
    return [(int(first), int(first) + int(count) - 1) for _, first, count in ours if int(count) > 0]


async def remove(shell: Shell, target: Target, account: Account) -> None:
    """Remove the account with all that is the user's. Raises ``StepFailed``, naming what stays."""
    if account.sudo:
        raise StepFailed(had_root(target, account.login))
    await _remove(shell, target, account.login, *account.words())


async def remove_from_image(shell: Shell, target: Target, account: Account, stays: str = "") -> None:
    """The same where an image is made of the computer, whatever rights the user had: what they changed as root is the
    image. ``stays``: their home, when something of it is kept. Raises ``StepFailed``, naming what stays."""
    await _remove(shell, target, account.login, *account.words(), "image", stays)


async def _remove(shell: Shell, target: Target, login: str, *words: str) -> None:
    await shell.act(f"end what runs for {login}", _STOP, *words)
    await shell.act(f"remove what {login} left", _PURGE, *words)
    left = (await shell.look(f"see whether {login} left anything", _LEFT, *words)).splitlines()
    if left:
        raise StepFailed(f"{target.computer} is not clean: {'; '.join(map(_shown, left))[:800]} of {login} stays")
    await shell.act(f"remove the account {login}", _ACCOUNT, *words)


async def forget(shell: Shell, tenure: str) -> None:
    """Nothing of the accounts of the tenure with this mark is left: take them off the list."""
    await shell.act("forget the accounts", _FORGET, tenure)


def had_root(target: Target, login: str) -> str:
    """Why nothing that the computer says can be relied on."""
    return f"{login} had root rights on {target.computer} and may have changed anything: it can only be loaded anew"


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)[:200]
