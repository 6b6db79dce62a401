"""What the steps of a capture do in a Linux computer but for the sealing itself (``linux_seal``).

The computer that is captured is asked whether it can be sealed, and shut down. A computer that is made from the sealed
copy is compared with it, and tried as a user would.
"""

import asyncssh

from vclab.guests import linux_accounts, linux_lab, linux_look, linux_sanitize, linux_seal_boot, linux_seal_files, ssh
from vclab.guests.capture import TEST_LOGIN
from vclab.guests.ssh import Patience, Shell
from vclab.model import reported
from vclab.model.errors import NotYet, StepFailed, Unreachable
from vclab.model.plans import Access, Facts, Target
from vclab.model.redaction import redacted

ROOT_ROOM, BOOT_ROOM, BUILD_ROOM = 16, 150, 400
"""MiB that must be free: in /, and for an initramfs with all drivers in /boot and, while it is built, in /var/tmp."""

_UIDS_FROM = 59_000  #: the first that the test login may have, if the image has nobody of that id

# What a part of the sealing would refuse, in the words of that part. Nothing is changed.
_WHY_NOT = (
    linux_sanitize.LIBRARY
    + linux_seal_boot.KERNELS
    + linux_seal_boot.ESP
    + linux_seal_boot.HOST_KEY_MAKER
    + linux_seal_boot.SWAP_SPACES
    + f"root={ROOT_ROOM} boot={BOOT_ROOM} build={BUILD_ROOM}\n"
    + r"""for folder in / /boot /etc /home /root /tmp /usr /var /var/log /var/tmp; do
    [ ! -d $folder ] || [ -w $folder ] || refuse "$folder is read only"
done
awk '$5 == "/" { for (n = 7; $n != "-"; n++) ; root = $(n + 1) " " $(n + 2) " " $3 } END { print root }' \
    /proc/self/mountinfo | {
    read -r kind source number
    case $kind in
        overlay) exit 0 ;; # the disk is below it, and not seen from here
        ext[234] | xfs | btrfs | f2fs | jfs | reiserfs | bcachefs) ;;
        *) refuse "the root file system is of the kind $kind: only one on a disk can be captured" ;;
    esac
    [ -b "$source" ] || source=/dev/block/$number
    [ -n "$(blkid -p -o value -s UUID "$source")" ] || refuse "the root file system has no UUID to be found by"
}
room() {
    free=$(df -Pm "$1" | awk 'END { print $4 }')
    [ "$free" -ge "$2" ] || refuse "$1 has $free MiB left, and $2 are needed${3:-}"
}
room / $root
if [ -n "$(installed_kernels)" ]; then
    initramfs_tool > /dev/null
    room /boot $boot ' to build an initramfs'
    room /var/tmp $build ' to build an initramfs'
fi
find_esp > /dev/null
for named in $(swap_spaces); do swap_device "$named" > /dev/null; done
host_key_maker > /dev/null
hidden=$(disks -false | tr '\0' ';')
[ -z "$hidden" ] || refuse "${hidden%;}"
"""
    + linux_seal_files.RUN_IS_MEMORY
)

# Lines "what value".
_IDENTITY = r"""echo "boot-id $(cat /proc/sys/kernel/random/boot_id)"
echo "machine-id $(cat /etc/machine-id 2> /dev/null || true)"
echo "name $(uname -n)"
{
    sshd -T 2> /dev/null | sed -n 's/^hostkey //p'
    find /etc/ssh -name 'ssh_host_*_key'
} | sort -u | while IFS= read -r key; do
    echo "host-key $(ssh-keygen -y -f "$key" 2> /dev/null < /dev/null | cut -d ' ' -f 1,2)"
done
"""
_MOST_KNOWN = 20  #: lines
_WORDS = {"boot-id": "boot id", "machine-id": "machine-id", "name": "host name", "host-key": "host key"}

_OPEN_TERMINALS = "for each in /dev/pts/[0-9]*; do [ ! -c $each ] || stat -c '%U on %n' $each; done"

# A second later, so that this session ends before the computer does. Whatever hangs is killed by init in its time.
_SHUT_DOWN = "(sleep 1; exec shutdown -h -P now) > /dev/null 2>&1 < /dev/null 9>&- &"

# What is left of the users who were let in to the captured computer.
_LEFT = (
    linux_sanitize.LIBRARY
    + r"""getent passwd "$login" | sed 's/^/the account /' || true
everywhere \( "$@" \) -printf 'the file %p\n' -quit || echo 'a folder that can not be searched'
"""
)

_UID = """login=$1 uid=$2
found=$(getent passwd "$login" | cut -d: -f3) || found=
[ -z "$found" ] || uid=$found
while [ -z "$found" ] && getent passwd "$uid" > /dev/null; do uid=$((uid + 1)); done
echo "$uid"
"""

_TRY = 'id -un && cd && touch .vclab-test && rm .vclab-test && echo "$HOME"'


async def why_not_sealable(shell: Shell, computer: str, access: Access) -> None:
    """Raise ``StepFailed`` with what keeps the computer from being sealed, as far as it can be told before."""
    try:
        await linux_sanitize.accounts(shell, access)
        await shell.look("tell whether it can be sealed", _WHY_NOT, access.login, str(access.uid), "")
    except StepFailed as error:
        raise StepFailed(f"no image can be made of {computer}: {error}") from None


async def identity(shell: Shell, target: Target, facts: Facts) -> list[tuple[str, str]]:
    """What a computer is known by, as (what, value): host keys, machine-id, host name, boot id, its addresses."""
    said = (await shell.look("tell what it is known by", _IDENTITY)).splitlines()
    found = [_known(*line.partition(" ")[::2]) for line in said[:_MOST_KNOWN]]
    found += [("host key", facts.host_key), ("private address", facts.private_address)]
    found += [("public address", each) for each in (facts.public_address, await _public_address(shell, target))]
    return [each for each in dict.fromkeys(found) if all(each)]


def _known(what: str, value: str) -> tuple[str, str]:
    return _WORDS.get(what, ""), reported.host_key(value) if what == "host-key" else reported.line(value, 100)


async def _public_address(shell: Shell, target: Target) -> str:
    try:
        return (await linux_look.public_address(shell, target.public_mac or target.private_mac)).public_address
    except (NotYet, Unreachable):
        return ""  # it has none now


async def boot_id(shell: Shell) -> str:
    """The kernel's, of this boot."""
    return (await shell.look("tell its boot id", "cat /proc/sys/kernel/random/boot_id")).strip()


async def tell(shell: Shell, text: str) -> str:
    """Show a text on all terminals; who is logged in there, and at the console."""
    open_now = (await shell.look("list its terminals", _OPEN_TERMINALS)).splitlines()
    there = [await linux_lab.who_sits(shell), *(reported.line(each, 80) for each in open_now[:5])]
    await linux_look.notify(shell, text)
    return ", ".join(filter(None, there))


async def shut_down(shell: Shell) -> None:
    """Have it shut down, a second from now. Harmless when it does so already."""
    await shell.act("begin to shut it down", _SHUT_DOWN)


async def refuse_leftovers(shell: Shell, computer: str, access: Access) -> None:
    """Raise ``StepFailed`` if an account or a file of who was let in to the captured computer came along."""
    if not access.login:
        return
    left = (await shell.look("look for what users left", _LEFT, access.login, str(access.uid), "")).splitlines()
    if left:
        raise StepFailed(f"{computer} is not clean: {reported.line(left[0])} of {access.login} is in the sealed copy")


async def made_up_user(shell: Shell, target: Target, key: asyncssh.SSHKey, ours: str) -> Access:
    """Of somebody who does not exist, let in from our own address. The same account for each attempt."""
    uid = reported.number((await shell.look("find a user id", _UID, TEST_LOGIN, str(_UIDS_FROM))).strip())
    reference = f"tenure/{target.computer}/{target.generation}/{TEST_LOGIN}"
    access = Access(TEST_LOGIN, uid or _UIDS_FROM, (ssh.one_line(key),), (ours,), reference)
    linux_accounts.check(access)
    return access


async def log_in(target: Target, facts: Facts, key: asyncssh.SSHKey, patience: Patience) -> None:
    """Log in as the made-up user and work. Raises ``StepFailed`` with what was seen."""
    address = facts.private_address
    try:
        said = await ssh.try_login(address, facts.host_key, TEST_LOGIN, key, patience, _TRY)
    except StepFailed as error:
        raise StepFailed(f"no user could work on {target.computer}: {redacted(str(error))}") from None
    if said.splitlines()[:1] != [TEST_LOGIN]:
        seen = redacted(reported.line(said, 200)) or "nothing"
        raise StepFailed(f"no user could work on {target.computer}: to {TEST_LOGIN}'s `id -un` it says {seen}")


async def remove_test_account(shell: Shell, target: Target, access: Access) -> None:
    """Remove the made-up user with all that is theirs."""
    tenure = linux_sanitize.mark(target)
    for account in await linux_sanitize.accounts(shell):
        if (account.login, account.mark) == (access.login, tenure):
            await linux_sanitize.remove(shell, target, account)
    await linux_sanitize.forget(shell, tenure)
