"""Sealing a Linux computer, so that an image can be made of its disk: what belongs to one computer or person goes.

It runs on a throw-away machine that boots from a child of the raw copy, so it is thorough; nobody outside is told. The
parts run in the order of ``PARTS``. Each can be cut off anywhere and run again, and says what it did or why it did not
apply; one that fails makes all fail, by its name. The computer can be reached until the last part has begun.

The image's maker keeps paths from being removed by ``/root/.vclcontrol/vcl_exclude_list`` (VCL's file and form), and
runs what they like by ``/usr/local/vcl/vcl_pre_capture``. VCL's Linux.pm pre_capture does less.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from vclab.guests import linux_sanitize
from vclab.guests import linux_seal_boot as boot
from vclab.guests import linux_seal_files as files
from vclab.guests import linux_seal_identity as identity
from vclab.guests.linux_sanitize import Account
from vclab.guests.ssh import Shell
from vclab.model import reported
from vclab.model.errors import StepFailed
from vclab.model.plans import Access, Target
from vclab.model.sealing import EndState, SealedPart

HOOK_SECONDS = 300  #: for one hook (VCL: 300, one try)
FILL_SECONDS = 300  #: for one go at filling a disk with zeros
_MOST_LINES = 40  #: of a hook's output


@dataclass(frozen=True)
class Sealing:
    """What the parts are given. ``key``: the management key's public half, base64; ``ours``: where we come from."""

    shell: Shell
    target: Target
    access: Access
    end_state: EndState
    password: str = field(repr=False)
    key: str
    ours: str


Run = Callable[[Sealing, str], Awaitable[str]]


@dataclass(frozen=True)
class Part:
    """One part: its name, what it does in words for people, and its coroutine, whose text says what it did."""

    name: str
    what: str
    run: Run


def _script(script: str, words: Callable[[Sealing], Sequence[str]] = lambda sealing: ()) -> Run:
    async def run(sealing: Sealing, what: str) -> str:
        return await sealing.shell.act(what, files.LIBRARY + script, *words(sealing))

    return run


# Paths that are kept are handed to root, and so are the folders they are in: the user's own are removed as a whole.
# Says the home when something of it is kept.
_HAND_OVER = (
    linux_sanitize.LIBRARY
    + files.KEEP
    + r"""[ "$keep" != -false ] || exit 0
eval "everywhere \\( $keep \\) \\( \"\$@\" \\) -exec chown -h 0:0 -- {} +"
eval "everywhere \\( $keep \\) -printf '%h\\0'" | sort -zu | encoded | while IFS= read -r line; do
    folder=$(decoded "$line") folder=${folder%.}
    while [ -n "$folder" ]; do
        find "$folder" -maxdepth 0 \( "$@" \) -exec chown 0:0 -- {} +
        case $folder in "/home/$login" | "/home/$login"/*) echo "/home/$login" ;; esac
        folder=${folder%/*}
    done
done | sort -u
if kept "/home/$login"; then echo "/home/$login"; fi
"""
)


async def _accounts(sealing: Sealing, what: str) -> str:
    shell = sealing.shell
    found = await linux_sanitize.accounts(shell, sealing.access)
    for account in found:
        await linux_sanitize.remove_from_image(shell, sealing.target, account, await _home_that_stays(shell, account))
    return f"removed: {', '.join(each.login for each in found)}" if found else "there are none"


async def _home_that_stays(shell: Shell, account: Account) -> str:
    said = await shell.act(f"keep what the exclude list names of {account.login}", _HAND_OVER, *account.words())
    return said.strip().partition("\n")[0]


async def _passwords(sealing: Sealing, what: str) -> str:
    return await sealing.shell.act(what, files.LIBRARY + identity.PASSWORDS, secret=sealing.password)


async def _free_blocks(sealing: Sealing, what: str) -> str:
    places = (await sealing.shell.look("list the file systems on disks", boot.ON_DISKS)).splitlines()
    emptied = [await _emptied(sealing.shell, what, place) for place in places]
    return "\n".join(emptied) or "no file system says on which disk it is"


async def _emptied(shell: Shell, what: str, place: str) -> str:
    said, first = "more", "yes"
    while said == "more":
        said = (await shell.act(what, boot.FREE_BLOCKS, place, first, str(FILL_SECONDS))).strip()
        first = "no"
    return said


PARTS = (
    Part(
        "hooks",
        "runs `/usr/local/vcl/vcl_pre_capture`, then `/etc/init.d/vcl_pre_capture`, as root, if they are there",
        _script(boot.HOOKS, lambda sealing: (str(HOOK_SECONDS),)),
    ),
    Part(
        "services",
        "stops what writes or registers meanwhile: cron, at, syslog, automatic updates, Puppet, Salt, SSSD, winbind",
        _script(boot.SERVICES),
    ),
    Part(
        "accounts",
        "removes the accounts of the reservation's users, and every file, process, job and mailbox of theirs, wherever",
        _accounts,
    ),
    Part(
        "passwords",
        "sets a random password of the revision for root and for each account that has one; old hashes go",
        _passwords,
    ),
    Part(
        "root's keys",
        "removes private keys in `/root/.ssh`, and all lines of root's `authorized_keys` but the management key's",
        _script(identity.ROOT_KEYS, lambda sealing: (sealing.key,)),
    ),
    Part(
        "directory",
        "removes keytabs, SSSD's databases, Samba's secrets, `sssd.conf` of members of an AD or IPA domain",
        _script(identity.MEMBERSHIP),
    ),
    Part(
        "registrations",
        "removes those of Red Hat (RHSM, Insights), Ubuntu Pro, Puppet and Salt; nobody is told",
        _script(identity.REGISTRATIONS),
    ),
    Part("cloud-init", "runs `cloud-init clean`", _script(identity.CLOUD_INIT)),
    Part(
        "network",
        "removes ties to MACs: netplan and networkd files (DHCP for all cards instead), and lines of NetworkManager, "
        "ifcfg, ifupdown and udev",
        _script(identity.NETWORK),
    ),
    Part("leases", "removes leases and identifiers of DHCP clients", _script(files.LEASES)),
    Part("host name", "sets `localhost`; each load gives a name", _script(identity.HOST_NAME)),
    Part(
        "storage names",
        "removes the iSCSI initiator's name, and NVMe's `hostnqn` and `hostid`",
        _script(identity.STORAGE_NAMES),
    ),
    Part("fstab", "names disks by UUID, and tells of those that have none", _script(boot.FSTAB)),
    Part(
        "initramfs",
        f"makes it anew for all hardware (dracut `--no-hostonly`, initramfs-tools `MODULES=most`), with "
        f"{', '.join(boot.DRIVERS)}",
        _script(boot.INITRAMFS, lambda sealing: boot.DRIVERS),
    ),
    Part("EFI", "copies the boot loader to `EFI/BOOT`, where any firmware finds it", _script(boot.EFI)),
    Part("SELinux", "marks the disk to be relabelled at the first boot", _script(boot.SELINUX)),
    Part(
        "first boot",
        "puts `vclab-host-keys.service` in place where nothing else makes host keys",
        _script(boot.FIRST_BOOT),
    ),
    Part("mail", "removes mail, mail queues and print jobs", _script(files.MAIL)),
    Part(
        "histories",
        "removes the histories of shells, editors, databases and languages, and `known_hosts`, of all accounts",
        _script(files.HISTORIES),
    ),
    Part("temporary files", "removes what is in `/tmp` and `/var/tmp`", _script(files.TEMPORARY)),
    Part("swap", "overwrites swap space with zeros", _script(boot.SWAP)),
    Part("random seed", "removes it", _script(identity.RANDOM_SEED)),
    Part("machine-id", "empties `/etc/machine-id`: each computer makes its own", _script(identity.MACHINE_ID)),
    Part(
        "vclab's own",
        "removes `/etc/vclab`, `/root/currentimage.txt`, the firewall and what was set of sshd and PAM; sees that root "
        "can log in with a key",
        _script(files.OURS, lambda sealing: (sealing.ours,)),
    ),
    Part("logs", "removes old logs, journals and core dumps, and empties all other logs", _script(files.LOGS)),
    Part("host keys", "removes them; each computer makes its own", _script(files.HOST_KEYS)),
    Part(
        "free blocks",
        "discards the blocks that no file has any more, where the disk can; else overwrites them with zeros",
        _free_blocks,
    ),
    Part(
        "end",
        "empties the logs again, writes all to the disk, and shuts the computer down",
        _script(files.FINISH, lambda sealing: (sealing.end_state.value,)),
    ),
)
"""In their order. ``docs/images.md`` has this table."""


async def seal(sealing: Sealing, progress: Callable[[str], None] = lambda text: None) -> tuple[SealedPart, ...]:
    """Do all parts; ``progress`` is told of each that begins. Raises ``StepFailed``, naming the part that failed."""
    done = []
    for number, part in enumerate(PARTS, 1):
        progress(f"part {number} of {len(PARTS)}: {part.name}")
        done.append(await _done(part, sealing))
    return tuple(done)


async def _done(part: Part, sealing: Sealing) -> SealedPart:
    try:
        said = await part.run(sealing, f"seal the image ({part.name})")
    except StepFailed as error:
        raise StepFailed(f"{sealing.target.computer} can't be sealed, its part {part.name!r} failed: {error}") from None
    lines = said.splitlines()
    output = [reported.line(line[2:]) for line in lines if line.startswith("| ")]
    did = "; ".join(line for line in lines if not line.startswith("| "))
    return SealedPart(part.name, reported.line(did), tuple(output[-_MOST_LINES:]))
