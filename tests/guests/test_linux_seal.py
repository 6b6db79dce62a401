"""Sealing a real machine, and a look at its disk: what is gone, what stays, and that it boots as another computer.

The machine of the long story is dirtied by a user with root rights, sealed with the worker dying after each act, sealed
again, left off, looked at from outside, and booted. Single parts are tried on a second machine.
"""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.guests.bench import MANAGEMENT, PATIENCE, Bench, Place, wait_until_off
from vclab.guests import linux_seal, ssh
from vclab.guests.linux_seal import PARTS, Sealing
from vclab.guests.linux_seal_boot import DRIVERS
from vclab.guests.ssh import Shell
from vclab.lab import disks
from vclab.lab.process_tree import Ended
from vclab.model.errors import Fenced, NotOurs, Refused, StepFailed
from vclab.model.plans import Access, Facts
from vclab.model.sealing import EndState, SealedPart

pytestmark = pytest.mark.lab

MARKER = "of-alice-4b1d"
"""In everything that must not be in the image. What stays has no such text in it."""

PASSWORD = "revision/class/3/root"

# As alice, who has root rights: her own files, and what she does as an administrator.
BY_THE_USER = f"""
echo {MARKER} > ~/thesis; echo 'mysql -p{MARKER}' > ~/.bash_history; mkdir ~/keep; echo data > ~/keep/data
sudo mkdir -p /opt/lab/made /srv/work; sudo chown $(id -u) /opt/lab/made /srv/work
echo {MARKER} > /opt/lab/made/loose; echo {MARKER} > /srv/work/notes; echo kept > /srv/work/kept.txt
echo {MARKER} > /tmp/upload; echo '* * * * * echo {MARKER}' | crontab -; echo 'echo {MARKER}' | at now + 1 day
echo tool | sudo tee /opt/lab/tool > /dev/null
"""

# All that an imaging reservation may leave elsewhere, each a line: path, content.
LEFT = f"""
/root/.bash_history|{MARKER}
/root/.python_history|{MARKER}
/root/.viminfo|{MARKER}
/root/.ssh/known_hosts|{MARKER}
/root/.ssh/id_rsa|-----BEGIN OPENSSH PRIVATE KEY-----{MARKER}
/root/.ssh/id_rsa.pub|{MARKER}
/home/debian/.bash_history|{MARKER}
/var/log/app.log|{MARKER}
/var/log/syslog.1|{MARKER}
/var/log/nginx/access.log-20260101|{MARKER}
/var/log/journal/0123/system.journal|{MARKER}
/var/lib/systemd/coredump/core.x.1000.zst|{MARKER}
/var/crash/x.crash|{MARKER}
/var/mail/root|{MARKER}
/var/spool/postfix/deferred/A/A1|{MARKER}
/var/spool/cups/d00001-001|{MARKER}
/var/tmp/left|{MARKER}
/var/lib/dhcp/dhclient.eth0.leases|{MARKER}
/var/lib/NetworkManager/secret_key|{MARKER}
/etc/krb5.keytab|{MARKER}
/etc/sssd/sssd.conf|id_provider = ad {MARKER}
/var/lib/sss/db/cache_x.ldb|{MARKER}
/var/lib/samba/private/secrets.tdb|{MARKER}
/etc/pki/consumer/key.pem|{MARKER}
/var/lib/ubuntu-advantage/private/machine-token.json|{MARKER}
/etc/apt/auth.conf.d/90ubuntu-advantage|{MARKER}
/etc/puppetlabs/puppet/ssl/private_keys/vm01.pem|{MARKER}
/etc/salt/pki/minion/minion.pem|{MARKER}
/etc/salt/minion_id|{MARKER}
/etc/iscsi/initiatorname.iscsi|InitiatorName={MARKER}
/etc/nvme/hostnqn|{MARKER}
/etc/netplan/50-cloud-init.yaml|x: {{match: {{macaddress: "02:00:aa:bb:cc:dd"}}}} # {MARKER}
/etc/udev/rules.d/70-persistent-net.rules|{MARKER}
/var/lib/systemd/random-seed|{MARKER}
/var/lib/urandom/random-seed|{MARKER}
/etc/security/opasswd|{MARKER}
"""

STAYS = """
/etc/netplan/01-all.yaml|network: {version: 2}
/etc/puppetlabs/puppet/puppet.conf|server = puppet.example.edu
/etc/sssd/conf.d/ldap.conf|id_provider = ldap
/opt/app/readme|an application
/var/log/keep/audit.log|kept by the list
/home/debian/notes|of the image's own account
"""

EXCLUDED = """
# What must survive
 /srv/work/kept.txt
/home/alice/keep/
/var/log/keep/*
"""

PREPARE = r"""set -e
useradd -m -u 1500 debian; echo debian:debian | chpasswd
while IFS='|' read -r path text; do
    [ -n "$path" ] || continue
    mkdir -p "${path%/*}"; printf '%s\n' "$text" > "$path"
done
mkdir -p /root/.vclcontrol /usr/local/vcl
printf '%s' "$1" > /root/.vclcontrol/vcl_exclude_list
printf '#!/bin/sh\necho preparing the image\ntouch /opt/hook-ran\n' > /usr/local/vcl/vcl_pre_capture
chmod 755 /usr/local/vcl/vcl_pre_capture
echo "ssh-ed25519 AAAA$2 alice@home" >> /root/.ssh/authorized_keys
printf '[connection]\nid=lab\n[ethernet]\nmac-address=02:00:AA:BB:CC:DD\n' > /etc/NetworkManager.lab
mkdir -p /etc/NetworkManager/system-connections
mv /etc/NetworkManager.lab /etc/NetworkManager/system-connections/lab.nmconnection
chmod 600 /etc/NetworkManager/system-connections/lab.nmconnection
truncate -s 1M /swapfile; chmod 600 /swapfile; mkswap -U 11111111-2222-4333-8444-555555555555 /swapfile > /dev/null
printf '%s' "$2" | dd of=/swapfile bs=1 seek=500000 conv=notrunc 2> /dev/null
printf '/swapfile none swap sw 0 0\n/dev/sdz1 /data ext4 defaults 0 2\n/dev/mapper/vg-home /home ext4 defaults 0 2\n' \
    > /etc/fstab
"""


@dataclass
class Story:
    """What happened to the machine that was sealed."""

    before: Facts
    machine_id: str
    hashes: dict[str, str]
    first: tuple[SealedPart, ...] = ()
    acts: list[str] = field(default_factory=list)
    once: set[str] = field(default_factory=set)
    twice: set[str] = field(default_factory=set)
    ended: Ended | None = None
    disk: dict[str, bytes] = field(default_factory=dict)  #: what is different from the master, by path


class Died(Exception):
    """The worker, for the test."""


def seal(place: Place, access: Access, end_state: EndState = EndState.OFF) -> tuple[SealedPart, ...]:
    """As the provisioning module calls it."""
    guest = place.bench.linux()
    return place.bench.manage(guest.pre_capture(place.target, place.facts, access, end_state, PASSWORD))


NOBODY = Access("", 0)


def part(place: Place, name: str, access: Access = NOBODY) -> str:
    """Run one part only; what it said."""
    [found] = [each for each in PARTS if each.name == name]

    async def run() -> SealedPart:
        async with ssh.connect(place.facts.private_address, place.facts.host_key, place.bench.key, PATIENCE) as shell:
            key = ssh.public_line(place.bench.key).split()[1]
            given = Sealing(shell, place.target, access, EndState.ON, "a-secret", key, MANAGEMENT)
            return await linux_seal._done(found, given)

    return place.bench.manage(run()).did


@contextmanager
def dying(patch: pytest.MonkeyPatch, every: int = 0, before: str = "") -> Iterator[list[str]]:
    """The worker dies after every so many new acts, or before one; all acts that were done."""
    real, done = Shell.act, list[str]()

    async def act(self: Shell, what: str, script: str, *arguments: str, text: str = "", secret: str = "") -> str:
        if before and before in what:
            raise Died
        said = await real(self, what, script, *arguments, text=text, secret=secret)
        if what not in done:
            done.append(what)
            if every and (len(done) % every == 0 or "(host keys)" in what):
                raise Died
        return said

    with patch.context() as patched:
        patched.setattr(Shell, "act", act)
        yield done


def seal_dying(place: Place, access: Access, every: int) -> list[str]:
    """Seal until all but the end is done; the acts."""
    with dying(pytest.MonkeyPatch(), every) as done:
        while not done or "(host keys)" not in done[-1]:
            with pytest.raises(Died):
                seal(place, access)
    return done


def seal_but_for_the_end(place: Place, access: Access) -> set[str]:
    """What is in the computer then."""
    with dying(pytest.MonkeyPatch(), before="(end)"), pytest.raises(Died):
        seal(place, access)
    return everything(place)


def everything(place: Place) -> set[str]:
    """Each file with mode, owner and content, but for what lives: this connection, and clocks."""
    look = (
        "find / -xdev ! -type f -printf '%p %y %U:%G %m %l\\n'; find / -xdev -type f -printf '%p %U:%G %m\\n';"
        "find /etc /root /home /opt /srv /var /swapfile -xdev -type f ! -path /etc/shadow -exec sha256sum {} +"
    )
    found = place.inside("sh", "-c", f"({look}) 2> /dev/null | grep -av '^/proc\\|^/sys'", check=False)
    return set(found.splitlines())


def content(place: Place) -> dict[str, bytes]:
    """What the machine's own disk holds by path, read from outside while it is off. A path that was removed is None."""
    delta = disks.data_of(place.machine.spec.disk, child=True)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["mount", "-o", "ro,noload,loop", str(delta), folder], check=True)
        try:
            upper = Path(folder) / "upper"
            return {
                f"/{p.relative_to(upper)}": p.read_bytes()
                for p in upper.rglob("*")
                if p.is_file() and not p.is_symlink()
            }
        finally:
            subprocess.run(["umount", folder], check=True)


@pytest.fixture(scope="module")
def alice(user_key: Path) -> Access:
    public = user_key.with_suffix(".pub").read_text()
    return Access("alice", 3001, (public,), ("203.0.113.11",), "", sudo=True)


@pytest.fixture(scope="module")
def place(bench: Bench) -> Place:
    return bench.machine("sealed").load()


@pytest.fixture(scope="module")
def story(bench: Bench, place: Place, alice: Access, user_key: Path) -> Story:
    make_dirty(place, alice, user_key)
    told = Story(
        place.facts,
        place.inside("cat", "/etc/machine-id"),
        {user: place.hash_of(user) for user in ("root", "debian")},
    )
    told.acts = seal_dying(place, alice, every=8)
    told.once = everything(place)
    told.twice = seal_but_for_the_end(place, alice)
    told.first = seal(place, alice)
    told.ended = wait_until_off(place)
    told.disk = content(place)
    place.machine.start()
    place.target = replace(place.target, reservation="r2", computer="vm02", generation=7)
    place.load()
    return told


def make_dirty(place: Place, alice: Access, user_key: Path) -> None:
    """An imaging reservation with all that it may leave; MARKER is in each of its things."""
    place.bench.manage(place.bench.linux().grant_access(place.target, place.facts, alice))
    run = [*_enter(place), "sh", "-c", PREPARE, "sh", EXCLUDED, MARKER]
    prepared = subprocess.run(run, input=LEFT + STAYS, capture_output=True, text=True)
    assert prepared.returncode == 0, prepared.stderr
    ran = place.ssh("alice", user_key, "alice", BY_THE_USER)
    assert ran.returncode == 0, ran.stderr
    found = place.inside("grep", "-rl", MARKER, "/root", "/home", "/etc", "/var", "/opt", "/srv", "/tmp", "/swapfile")
    assert len(found.splitlines()) >= 45


def _enter(place: Place) -> list[str]:
    return ["nsenter", "-t", str(place.machine.init()), "-m", "-p", "-n", "-u", "-i", "-r", "-w"]


def test_nothing_of_the_user_is_on_the_disk(story: Story) -> None:
    assert [path for path, data in story.disk.items() if MARKER.encode() in data] == []
    assert [path for path, data in story.disk.items() if b"alice" in data and path.startswith("/etc")] == []
    assert not [path for path in story.disk if path.startswith("/home/alice/") and "/keep/" not in path]


def test_what_the_image_is_made_for_stays(story: Story) -> None:
    kept = {path: text for path, _, text in (line.partition("|") for line in STAYS.splitlines()) if path}
    found = {path: story.disk.get(path, b"gone").decode().rstrip("\n") for path in kept}
    assert found == kept
    assert story.disk["/opt/lab/tool"] == b"tool\n"  # made with root rights


def test_the_exclude_list_is_kept_and_its_paths_are_roots(story: Story, place: Place) -> None:
    assert story.disk["/srv/work/kept.txt"] == b"kept\n" and story.disk["/home/alice/keep/data"] == b"data\n"
    paths = ("/srv/work", "/srv/work/kept.txt", "/home/alice", "/home/alice/keep", "/home/alice/keep/data")
    assert place.inside("stat", "-c", "%u:%g", *paths).split() == ["0:0"] * 5
    assert "/srv/work/notes" not in story.disk


def test_it_is_the_same_when_it_is_sealed_again(story: Story) -> None:
    """Cut off now and then, and done again; once more changes nothing."""
    assert len(story.acts) == len(PARTS) + 1  # removing an account is four; no disk is seen whose blocks are free
    assert sorted(story.once ^ story.twice) == []


@pytest.mark.long
def test_it_is_the_same_wherever_it_was_cut_off(bench: Bench, alice: Access, user_key: Path) -> None:
    place = bench.machine("cut-off").load()
    make_dirty(place, alice, user_key)
    seal_dying(place, alice, every=1)
    assert sorted(everything(place) ^ seal_but_for_the_end(place, alice)) == []
    assert not place.inside("grep", "-rl", MARKER, "/root", "/home", "/etc", "/var", "/opt", "/srv", check=False)


def test_each_part_says_what_it_did(story: Story) -> None:
    assert [each.part for each in story.first] == [each.name for each in PARTS]
    said = {each.part: each.did for each in story.first}
    assert all(said.values())
    assert said["initramfs"] == "no kernel is installed"
    assert said["fstab"] == "now by UUID: 0; by the name of a device, for it has no UUID: /dev/sdz1"
    assert said["passwords"] == "set for root debian"
    assert said["free blocks"] == "no file system says on which disk it is"
    assert said["end"] == "the computer is left off"
    assert story.first[0] == SealedPart("hooks", "ran /usr/local/vcl/vcl_pre_capture", ("preparing the image",))


def test_passwords_are_the_revisions(story: Story, bench: Bench, place: Place) -> None:
    shadow = dict(line.split(":")[:2] for line in story.disk["/etc/shadow"].decode().splitlines())
    secret = bench.secrets.get(PASSWORD)
    for user in ("root", "debian"):
        assert shadow[user] != story.hashes[user]
        assert place.crypt(secret, shadow[user]) == shadow[user]
    assert "/etc/shadow-" not in story.disk
    assert secret not in str(story.first)


def test_it_was_shut_down(story: Story) -> None:
    assert story.ended is Ended.POWER_OFF
    assert not [path for path in story.disk if path.startswith("/etc/ssh/ssh_host_")]
    assert story.disk["/etc/machine-id"] == b""
    assert story.disk["/etc/hostname"] == b"localhost\n"
    assert "/root/currentimage.txt" not in story.disk
    assert not [path for path in story.disk if "vclab" in path and path != "/etc/netplan/90-vclab.yaml"]


def test_ties_to_the_source_are_gone(story: Story) -> None:
    assert b"02:00" not in story.disk["/etc/NetworkManager/system-connections/lab.nmconnection"].lower()
    assert b"dhcp4: true" in story.disk["/etc/netplan/90-vclab.yaml"]


def test_swap_is_zeros_behind_its_header(story: Story) -> None:
    swap = story.disk["/swapfile"]
    assert len(swap) == 1 << 20 and not any(swap[4096:])
    assert swap[1036:1052].hex() == "11111111222243338444555555555555"


def test_it_boots_as_another_computer(story: Story, place: Place) -> None:
    """``load`` has logged in with the management key, and set it up anew."""
    assert place.facts.host_key != story.before.host_key
    new = place.inside("cat", "/etc/machine-id")
    assert len(new.strip()) == 32 and new != story.machine_id
    assert place.inside("cat", "/etc/hostname") == "vm02\n"
    assert place.inside("wc", "-l", "/root/.ssh/authorized_keys").split()[0] == "1"
    assert not place.inside("getent", "passwd", "alice", check=False)
    assert place.inside("getent", "passwd", "debian")


# Single parts, and what goes wrong, on a machine that nothing is destroyed of.


@pytest.fixture(scope="module")
def other(bench: Bench) -> Place:
    return bench.machine("half-sealed").load()


def hook(place: Place, script: str) -> None:
    place.inside("mkdir", "-p", "/usr/local/vcl")
    place.write("/usr/local/vcl/vcl_pre_capture", script)


def test_a_hook_that_fails_stops_it_with_its_words(other: Place, alice: Access) -> None:
    hook(other, "echo no licence server >&2; exit 7")
    before = everything(other)
    with pytest.raises(StepFailed, match=r"part 'hooks' failed: .*exit status 7: no licence server"):
        seal(other, alice)
    assert everything(other) == before
    other.inside("rm", "/usr/local/vcl/vcl_pre_capture")


def test_a_hook_that_hangs_is_ended(other: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linux_seal, "HOOK_SECONDS", 1)
    hook(other, "echo waiting; sleep 1000")
    with pytest.raises(StepFailed, match=r"did not end within 1 s: waiting"):
        part(other, "hooks")
    other.inside("rm", "/usr/local/vcl/vcl_pre_capture")
    assert part(other, "hooks") == "there are none"


def test_what_can_not_be_removed_is_named(other: Place) -> None:
    other.inside("sh", "-c", "mkdir -p /var/mail; touch /var/mail/root; chattr +i /var/mail/root")
    with pytest.raises(StepFailed, match=r"vm01 can't be sealed, its part 'mail' failed: .*/var/mail/root"):
        part(other, "mail")
    other.inside("chattr", "-i", "/var/mail/root")
    assert part(other, "mail") == "files removed: 1"
    assert part(other, "mail") == "nothing to do"


def test_only_paths_of_the_list_are_kept(other: Place) -> None:
    """As VCL has it: "*" stands for anything, all else for itself; what makes no sense keeps nothing."""
    names = ("a.txt", "ab.txt", "it's", "q?", "qq", "[x]", "x", " lead", "deep/er/one")
    for name in names:
        other.inside("sh", "-c", 'mkdir -p "$(dirname "/tmp/$1")"; touch "/tmp/$1"', "sh", name)
    other.inside("mkdir", "-p", "/root/.vclcontrol")
    lines = "\n\n# comment\n^/tmp/a.*$\n/tmp/it's\n/tmp/q?\n/tmp/[x]\n/tmp/*er/one\n/\n*\n"
    other.write("/root/.vclcontrol/vcl_exclude_list", lines)
    assert part(other, "temporary files") == "files removed: 4; kept by the exclude list: 5"
    left = other.inside("find", "/tmp", "-type", "f", "-printf", "%P\n").splitlines()
    assert sorted(left) == sorted(["a.txt", "it's", "q?", "[x]", "deep/er/one"])
    other.inside("rm", "/root/.vclcontrol/vcl_exclude_list")
    part(other, "temporary files")
    assert other.inside("ls", "-A", "/tmp") == ""


def test_an_account_is_found_when_root_removed_the_list(other: Place, alice: Access) -> None:
    other.bench.manage(other.bench.linux().grant_access(other.target, other.facts, alice))
    other.inside("sh", "-c", "rm /etc/vclab/accounts; useradd -u 1600 guest")
    assert part(other, "accounts", replace(alice, login="guest", uid=1600)) == "there are none"  # the image's own
    assert part(other, "accounts", alice) == "removed: alice"
    assert not other.inside("sh", "-c", "getent passwd alice; ls -d /home/alice", check=False)
    assert other.inside("getent", "passwd", "guest")


def test_disks_are_named_by_uuid(other: Place) -> None:
    other.inside("sh", "-c", "truncate -s 1M /dev/sdy1; mkswap -U 99999999-2222-4333-8444-555555555555 /dev/sdy1")
    other.write("/etc/fstab", "# disks\n/dev/sdy1\tnone swap sw 0 0\n/dev/vda10 /x ext4 defaults 0 0\n")
    assert part(other, "fstab") == "now by UUID: 1; by the name of a device, for it has no UUID: /dev/vda10"
    expected = "# disks\nUUID=99999999-2222-4333-8444-555555555555\tnone swap sw 0 0\n/dev/vda10 /x ext4 defaults 0 0\n"
    assert other.inside("cat", "/etc/fstab") == expected
    other.inside("sh", "-c", "rm /dev/sdy1; : > /etc/fstab")


def test_what_is_no_swap_space_is_not_overwritten(other: Place) -> None:
    other.write("/precious", "data")
    other.write("/etc/fstab", "/precious none swap sw 0 0\n")
    with pytest.raises(StepFailed, match="/precious is to be swap space, but is not"):
        part(other, "swap")
    assert other.inside("cat", "/precious") == "data"
    other.inside("sh", "-c", "rm /precious; : > /etc/fstab")


TOOL = '#!/bin/sh\necho "$0 $*" >> /run/tools\n'


def test_an_initramfs_without_a_driver_is_refused(other: Place) -> None:
    """The programs are stand-ins: the machine has no kernel of its own."""
    tools = {
        "modinfo": f"{TOOL}case $5 in e1000e) echo '(builtin)' ;; *) echo /lib/modules/$5.ko.xz ;; esac",
        "dracut": TOOL,
        "lsinitrd": "#!/bin/sh\ncat /run/listed",
    }
    for name, text in tools.items():
        other.write(f"/usr/local/sbin/{name}", text)
        other.inside("chmod", "755", f"/usr/local/sbin/{name}")
    other.inside(
        "sh", "-c", "mkdir -p /lib/modules/6.1-x; touch /lib/modules/6.1-x/modules.dep /lib/modules/6.1-x/vmlinuz"
    )
    names = [name for name in DRIVERS if name not in ("e1000e", "mpt3sas")]
    other.write(
        "/run/listed", "".join(f"-rw-r--r-- usr/lib/modules/{name.replace('_', '-')}.ko.xz\n" for name in names)
    )
    with pytest.raises(StepFailed, match=r"the initramfs of 6.1-x lacks the driver mpt3sas"):
        part(other, "initramfs")
    other.inside("sh", "-c", "echo /mpt3sas.ko >> /run/listed")
    assert part(other, "initramfs") == "made for 6.1-x"
    ran = other.inside("grep", "dracut", "/run/tools").splitlines()[-1]
    assert "--force --no-hostonly --add-drivers vmw_pvscsi" in ran and "e1000e" not in ran
    assert other.inside("cat", "/etc/dracut.conf.d/90-vclab.conf") == 'hostonly="no"\n'
    other.inside("sh", "-c", "rm -r /usr/local/sbin/* /lib/modules/6.1-x /etc/dracut.conf.d")


def test_a_kernel_without_a_tool_is_refused(other: Place) -> None:
    other.inside(
        "sh", "-c", "mkdir -p /lib/modules/6.1-x; touch /lib/modules/6.1-x/modules.dep /lib/modules/6.1-x/vmlinuz"
    )
    with pytest.raises(StepFailed, match="neither initramfs-tools nor dracut"):
        part(other, "initramfs")
    other.inside("rm", "-r", "/lib/modules/6.1-x")


def test_any_firmware_finds_the_boot_loader(other: Place) -> None:
    other.inside("mkdir", "-p", "/boot/efi/EFI/debian")
    for name in ("shimx64.efi", "grubx64.efi", "mmx64.efi"):
        other.write(f"/boot/efi/EFI/debian/{name}", name)
    assert "BOOTX64.EFI: /boot/efi/EFI/debian/shimx64.efi" in part(other, "EFI")
    assert (
        other.inside("cat", "/boot/efi/EFI/BOOT/BOOTX64.EFI", "/boot/efi/EFI/BOOT/grubx64.efi")
        == "shimx64.efigrubx64.efi"
    )
    assert part(other, "EFI") == "there already: /boot/efi/EFI/BOOT/BOOTX64.EFI"
    other.inside("rm", "-r", "/boot/efi")


def test_selinux_and_cloud_init_where_they_are(other: Place) -> None:
    assert part(other, "SELinux") == "SELinux is not used"
    assert part(other, "cloud-init") == "cloud-init is not installed"
    other.inside("mkdir", "-p", "/etc/selinux", "/var/lib/cloud/instances/i-1")
    other.write("/etc/selinux/config", "SELINUX=enforcing\nSELINUXTYPE=targeted\n")
    other.write("/usr/local/bin/cloud-init", TOOL)
    other.inside("chmod", "755", "/usr/local/bin/cloud-init")
    part(other, "SELinux")
    part(other, "cloud-init")
    assert other.inside("ls", "/.autorelabel")
    assert "cloud-init clean --logs" in other.inside("cat", "/run/tools")
    assert other.inside("ls", "/var/lib/cloud") == ""
    other.inside("rm", "-r", "/etc/selinux", "/usr/local/bin/cloud-init", "/.autorelabel", "/var/lib/cloud")


def test_an_image_that_would_shut_us_out_is_opened(other: Place) -> None:
    """Our own sshd settings go with the rest, and what the user wrote is in force again."""
    other.inside("sh", "-c", "cp /etc/ssh/sshd_config /run/was; echo 'PermitRootLogin no' >> /etc/ssh/sshd_config")
    assert "it does now" in part(other, "vclab's own")
    assert "permitrootlogin without-password" in other.inside("sshd", "-T", "-C", "user=root,host=x,addr=10.77.0.1")
    other.inside("sh", "-c", "echo 'AllowUsers admin' >> /etc/ssh/sshd_config")
    with pytest.raises(StepFailed, match="could not be loaded"):
        part(other, "vclab's own")
    other.inside("cp", "/run/was", "/etc/ssh/sshd_config")
    assert "it does now" not in part(other, "vclab's own")
    assert "vclab" not in other.inside("cat", "/etc/pam.d/sshd", "/etc/group")
    assert other.inside("find", "/etc", "-name", "*vclab*") == ""


def test_another_computer_is_not_touched(bench: Bench, alice: Access) -> None:
    place = bench.machine("strangers").load()
    place.target = replace(place.target, reservation="r9")
    with pytest.raises(NotOurs, match="nothing was done to it"):
        seal(place, alice)
    with pytest.raises(Refused, match="no secret of a revision"):
        bench.manage(bench.linux().pre_capture(place.target, place.facts, alice, EndState.OFF, "tenure/vm01/1/root"))


def test_a_stale_one_touches_nothing(other: Place, alice: Access) -> None:
    def fence() -> None:
        raise Fenced("somebody newer has it")

    before = everything(other)
    with pytest.raises(Fenced):
        other.bench.manage(
            other.bench.linux().pre_capture(other.target, other.facts, alice, EndState.OFF, PASSWORD, fence)
        )
    assert everything(other) == before


@pytest.mark.parametrize("end_state", [EndState.REBOOT, EndState.ON])
def test_it_is_left_as_asked(other: Place, end_state: EndState) -> None:
    """The last tests of this machine."""
    said = seal(other, NOBODY, end_state)
    assert said[-1].did == f"the computer is left {end_state}"
    if end_state is EndState.REBOOT:
        assert wait_until_off(other) is Ended.REBOOT
        other.machine.start()
        other.load()
        return
    time.sleep(1.5)
    assert other.machine.ended() is None
    assert not other.inside("sh", "-c", "ls /etc/ssh | grep ssh_host_", check=False)
