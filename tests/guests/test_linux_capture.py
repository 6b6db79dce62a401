"""The guest's steps of a capture on real machines: a source that is checked and shut down, a throw-away machine made of
its disk that is sealed, and one made of that disk that is tried. Then what each of them refuses.
"""

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.guests.bench import Bench, Context, Place, interrupted, wait_until_off
from tests.guests.manifest import manifest
from tests.guests.test_linux_seal import part
from vclab.guests.capture import TEST_LOGIN
from vclab.guests.linux_seal import PARTS
from vclab.lab.process_tree import Ended
from vclab.model.errors import Fenced, NotOurs, NotYet, StepFailed, Unreachable
from vclab.model.plans import Access, Becomes, Facts

pytestmark = pytest.mark.lab

HOOK = "#!/bin/sh\necho cleaning; echo the licence password=hunter2\n"


def becomes(access: Access | None = None) -> Becomes:
    return Becomes("c1", "class", 3, reservation="r1", computer="vm01", generation=1, access=access)


class Terminal:
    """A login of a user's from their own place, with a terminal that is watched."""

    def __init__(self, place: Place, login: str, key: Path) -> None:
        known = place.bench.layout.folder / f"known-{login}"
        known.write_text(f"{place.facts.public_address} {place.facts.host_key}\n")
        enter = ["ip", "netns", "exec", place.bench.layout.person(login), "ssh", "-tt", "-F", "none", "-i", str(key)]
        options = ["-o", f"UserKnownHostsFile={known}", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"]
        self._process = subprocess.Popen(
            [*enter, *options, f"{login}@{place.facts.public_address}", "trap '' TERM HUP; echo ready; sleep 1000"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.shown = ""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self.shown += line

    def shows(self, text: str) -> bool:
        """Whether it comes within 10 s."""
        deadline = time.monotonic() + 10
        while text not in self.shown and time.monotonic() < deadline:
            time.sleep(0.05)
        return text in self.shown

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@dataclass
class Story:
    """A capture as far as the guest knows of it."""

    unlike: tuple[str, ...] = ()
    terminal: Terminal | None = None
    checked: list[str] = field(default_factory=list)
    shut: list[str] = field(default_factory=list)
    source_ended: Ended | None = None
    sealing: Context = field(default_factory=Context)
    logged: list[str] = field(default_factory=list)
    sealed_ended: Ended | None = None
    trying: Context = field(default_factory=Context)


@pytest.fixture(scope="module")
def alice(user_key: Path) -> Access:
    public = user_key.with_suffix(".pub").read_text()
    return Access("alice", 3001, (public,), ("203.0.113.11",), "", sudo=True)


@pytest.fixture(scope="module")
def source(bench: Bench) -> Place:
    return bench.machine("source").load()


@pytest.fixture(scope="module")
def story(source: Place, alice: Access, user_key: Path) -> Iterator[Story]:
    """The first half: the source is checked while somebody works on it, then shut down."""
    source.bench.manage(source.bench.linux().grant_access(source.target, source.facts, alice))
    assert source.ssh("alice", user_key, "alice", "echo mine > ~/thesis").returncode == 0
    source.inside("mkdir", "-p", "/usr/local/vcl")
    source.write("/usr/local/vcl/vcl_pre_capture", HOOK)
    told = Story(terminal=Terminal(source, "alice", user_key))
    assert told.terminal and told.terminal.shows("ready")
    try:
        before, context = manifest(source), Context()
        told.unlike = source.step("linux.check_capture", context, becomes=becomes(alice)).unlike
        assert manifest(source) == before
        told.checked, context = context.said, Context()
        source.step("linux.shut_down", context, becomes=becomes(alice))
        told.shut, told.source_ended = context.said, wait_until_off(source)
        yield told
    finally:
        told.terminal.close()


@pytest.fixture(scope="module")
def sealed(source: Place, story: Story, alice: Access) -> Place:
    """A throw-away machine of the source's disk: its host key and mark, other addresses, another boot."""
    place = source.bench.machine("throw-away", source)
    place.target = replace(place.target, member=1, computer="img01", isolated=True)
    address = place.wait_for_addresses()[place.target.private_mac]
    place.facts = Facts(private_address=address, unlike=story.unlike)
    place.facts = place.facts.merged(place.wait_ssh())
    assert place.facts.host_key == source.facts.host_key
    with pytest.MonkeyPatch().context() as patch:
        patch.setattr("vclab.guests.linux.log.info", lambda text, *words: story.logged.append(text % words))
        place.step("linux.seal", story.sealing, becomes=becomes(alice))
    story.sealed_ended = wait_until_off(place)
    return place


@pytest.fixture(scope="module")
def tried(sealed: Place, story: Story, alice: Access) -> Place:
    """A machine of the sealed disk, loaded as for a user, and tried."""
    place = sealed.bench.machine("boot-test", sealed)
    place.target = replace(place.target, member=1, computer="img02", image="class", revision=3)
    place.load()
    place.facts = replace(place.facts, unlike=story.unlike)
    assert place.step("linux.try_login", story.trying, becomes=becomes(alice)) == Facts()
    return place


def test_what_the_source_is_known_by(source: Place, story: Story) -> None:
    known = {source.facts.host_key, source.facts.private_address, source.facts.public_address, source.facts.boot_id}
    assert known | {"vm01"} <= set(story.unlike)
    [machine_id] = set(story.unlike) - known - {"vm01"}
    assert len(machine_id) == 32


def test_who_is_logged_in_is_told(story: Story) -> None:
    assert story.terminal
    assert story.terminal.shows("This computer is being captured as class/3. Save your work now: it is about to shut")
    assert story.terminal.shows("This computer is being captured as class/3 and shuts down now.")
    [said] = story.checked
    assert said.startswith("it can be sealed; told: ") and said.endswith("alice on /dev/pts/0")


def test_the_source_shuts_down_whatever_its_users_run(story: Story) -> None:
    assert story.shut == ["it shuts down"]
    assert story.source_ended is Ended.POWER_OFF


def test_a_source_that_is_off_is_shut_down(source: Place, story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vclab.guests.linux.OFF_PAUSE", 0.0)
    context = Context()
    assert source.step("linux.shut_down", context, becomes=becomes()) == Facts()
    assert context.said == ["it does not answer: it may be off already"]
    with pytest.raises(NotYet, match="the database"):
        source.step("linux.shut_down", Context(stale=Unreachable("the database is away")), becomes=becomes())


@pytest.mark.usefixtures("sealed")
def test_sealing_tells_how_far_it_is(story: Story) -> None:
    assert story.sealing.said == [f"part {n} of {len(PARTS)}: {part.name}" for n, part in enumerate(PARTS, 1)]
    assert story.sealing.fences >= len(PARTS)
    assert story.sealed_ended is Ended.POWER_OFF


@pytest.mark.usefixtures("sealed")
def test_what_hooks_wrote_is_logged_without_secrets(story: Story, bench: Bench) -> None:
    logged = "\n".join(story.logged)
    assert "class/3, hooks: ran /usr/local/vcl/vcl_pre_capture; cleaning; the licence password=***" in logged
    assert "hunter2" not in logged and bench.secrets.get("revision/class/3/root") not in logged
    assert "class/3, accounts: removed: alice" in logged


def test_a_user_can_work_on_the_copy_and_is_gone_again(tried: Place, story: Story, bench: Bench) -> None:
    assert story.trying.said[1:] == ["logging in as vclab-test", "a user can log in and work"]
    assert story.trying.fences > 5
    assert not tried.inside("sh", "-c", f"getent passwd {TEST_LOGIN}; ls -d /home/{TEST_LOGIN}", check=False)
    assert not tried.inside("sh", "-c", "ls /etc/vclab/accounts; find / -xdev -uid 59000", check=False)
    assert "elements" not in tried.inside("nft", "list", "set", "inet", "vclab", "users4")
    assert len(bench.secrets.get(f"tenure/img02/1/{TEST_LOGIN}")) == 16


# What they refuse.


def refused(place: Place, step: str, access: Access | None = None, facts: Facts | None = None) -> str:
    """What a step says that fails."""
    kept = place.facts
    place.facts = facts or kept
    try:
        with pytest.raises(StepFailed) as caught:
            place.step(step, becomes=becomes(access))
    finally:
        place.facts = kept
    return str(caught.value)


@pytest.fixture(scope="module")
def other(bench: Bench) -> Place:
    return bench.machine("unsealed").load()


def test_only_a_throw_away_machine_is_sealed(other: Place) -> None:
    """Whatever the workflow believes: neither by what it was told nor by what answers can it be the source."""
    before, facts, target = manifest(other), other.facts, other.target
    known = replace(facts, unlike=("vm01", "0" * 32))
    other.target = replace(target, isolated=True)
    assert "vm01 is the captured computer itself" in refused(other, "linux.seal", facts=known)
    other.target = replace(target, computer="img01")
    assert "no throw-away computer" in refused(other, "linux.seal", facts=known)
    other.target = replace(target, computer="img01", isolated=True)
    assert "nothing is known of vm01" in refused(other, "linux.seal")
    unlike = (*known.unlike, facts.private_address)
    assert "is vm01's own address" in refused(other, "linux.seal", facts=replace(facts, unlike=unlike))
    unlike = (*known.unlike, facts.boot_id)
    assert "it may be vm01 itself" in refused(other, "linux.seal", facts=replace(facts, unlike=unlike))
    other.target = target
    assert manifest(other) == before
    with pytest.raises(StepFailed, match="is a step of captures"):
        other.step("linux.seal")


def test_another_computers_mark_is_respected(other: Place) -> None:
    made = replace(becomes(), reservation="r9")
    target, other.facts = other.target, replace(other.facts, unlike=("vm09",))
    try:
        other.target = replace(target, computer="img01", isolated=True)
        with pytest.raises(NotOurs, match="nothing was done to it"):
            other.step("linux.seal", becomes=made)
        other.target = replace(target, reservation="r9")
        for step in ("linux.check_capture", "linux.shut_down", "linux.try_login"):
            with pytest.raises(NotOurs, match="nothing was done to it"):
                other.step(step, becomes=made)
    finally:
        other.target, other.facts = target, replace(other.facts, unlike=())


@pytest.mark.parametrize("step", ["linux.check_capture", "linux.shut_down", "linux.seal", "linux.try_login"])
def test_a_stale_one_touches_nothing(other: Place, step: str) -> None:
    before, target = manifest(other), other.target
    other.facts = replace(other.facts, unlike=("vm09",))
    if step == "linux.seal":
        other.target = replace(target, computer="img01", isolated=True)
    try:
        with pytest.raises(Fenced):
            other.step(step, Context(stale=Fenced("somebody newer has it")), becomes=becomes())
    finally:
        other.target, other.facts = target, replace(other.facts, unlike=())
    assert manifest(other) == before
    time.sleep(1.2)
    assert other.machine.ended() is None


KERNEL = "mkdir -p /lib/modules/6.1-x; touch /lib/modules/6.1-x/modules.dep /lib/modules/6.1-x/vmlinuz"


@pytest.mark.parametrize(
    ("prepare", "undo", "why"),
    [
        (
            "mount --bind /var/log /var/log; mount -o remount,bind,ro /var/log",
            "umount /var/log",
            "/var/log is read only",
        ),
        ("mount -o remount,bind,ro /", "mount -o remount,bind,rw /", "/ is read only"),
        (f"{KERNEL}", "rm -r /lib/modules/6.1-x", "neither initramfs-tools nor dracut"),
        (
            f"{KERNEL}; ln -s /bin/true /usr/local/bin/dracut; mount -t tmpfs -o size=20m tmpfs /boot",
            "umount /boot; rm -r /lib/modules/6.1-x /usr/local/bin/dracut",
            "/boot has 20 MiB left, and 150 are needed to build an initramfs",
        ),
        (
            "echo data > /precious; echo '/precious none swap sw 0 0' > /etc/fstab",
            "rm /precious; : > /etc/fstab",
            "/precious is to be swap space, but is not",
        ),
        (
            "grep -l ssh-keygen /etc/init.d/* | xargs sed -i s/ssh-keygen/sshkeygen/",
            "grep -l sshkeygen /etc/init.d/* | xargs sed -i s/sshkeygen/ssh-keygen/",
            "nothing makes host keys at the boot",
        ),
        (
            "mkdir -p /etc/vclab; echo 'root 0 x' > /etc/vclab/accounts",
            "rm /etc/vclab/accounts",
            "/etc/vclab/accounts .* is damaged",
        ),
    ],
)
def test_what_sealing_would_refuse_is_refused_before(other: Place, prepare: str, undo: str, why: str) -> None:
    other.inside("sh", "-ec", prepare)
    try:
        with pytest.raises(StepFailed, match=f"no image can be made of vm01: .*{why}"):
            other.step("linux.check_capture", becomes=becomes())
    finally:
        other.inside("sh", "-c", undo)
    assert other.step("linux.check_capture", becomes=becomes()).unlike


def test_a_disk_that_fills_while_it_is_sealed_is_named(bench: Bench, alice: Access) -> None:
    """By the image's own hook: each part that writes then finds no room."""
    place = bench.machine("full").load()
    fill = 'while free=$(df -k --output=avail / | tail -n 1) && [ "$free" -gt 0 ]; do'
    fill += " fallocate -l ${free}K /opt/filler.$free || break; done; echo x >> /opt/last; true"
    place.inside("mkdir", "-p", "/usr/local/vcl")
    place.write("/usr/local/vcl/vcl_pre_capture", fill)
    place.target = replace(place.target, computer="img01", isolated=True)
    facts = replace(place.facts, unlike=("vm00",))
    said = refused(place, "linux.seal", alice, facts)
    assert "vm01 can't be sealed, its part '" in said and "No space left on device" in said
    place.inside("sh", "-c", "rm -f /opt/filler.* /usr/local/vcl/vcl_pre_capture")
    place.facts = facts
    place.step("linux.seal", becomes=becomes(alice))
    assert wait_until_off(place) is Ended.POWER_OFF


# A computer that is too like the source, or that nobody can work on.


@pytest.mark.parametrize(
    "kind", ["host key", "machine-id", "host name", "private address", "public address", "boot id"]
)
def test_what_is_like_the_source_is_named(tried: Place, kind: str) -> None:
    values = {
        "host key": tried.facts.host_key,
        "machine-id": tried.inside("cat", "/etc/machine-id").strip(),
        "host name": "img02",
        "private address": tried.facts.private_address,
        "public address": tried.facts.public_address,
        "boot id": tried.facts.boot_id,
    }
    said = refused(tried, "linux.try_login", facts=replace(tried.facts, unlike=(values[kind],)))
    assert f"its {kind} {values[kind][:80]} is the captured computer's own" in said


def test_what_is_left_of_the_users_is_named(tried: Place, alice: Access) -> None:
    tried.inside("sh", "-c", "echo old > /opt/old; chown 3001 /opt/old")
    assert "img02 is not clean: the file /opt/old of alice" in refused(tried, "linux.try_login", alice)
    tried.inside("sh", "-c", "rm /opt/old; useradd -u 3001 alice")
    assert "the account alice:" in refused(tried, "linux.try_login", alice)
    tried.inside("userdel", "alice")


@contextmanager
def wrapped(place: Place, tool: str, after: str) -> Iterator[None]:
    """The image's own program, which does something more."""
    place.write(f"/usr/local/sbin/{tool}", f'#!/bin/sh\n/usr/sbin/{tool} "$@" || exit\n{after}\n')
    place.inside("chmod", "755", f"/usr/local/sbin/{tool}")
    try:
        yield
    finally:
        place.inside("rm", f"/usr/local/sbin/{tool}")


def gone_again(place: Place) -> bool:
    return not place.inside("sh", "-c", f"getent passwd {TEST_LOGIN}; ls /etc/vclab/accounts", check=False)


def test_an_image_that_forces_a_password_change(tried: Place) -> None:
    with wrapped(tried, "chpasswd", f"chage -d 0 {TEST_LOGIN}"):
        said = refused(tried, "linux.try_login")
    assert "no user could work on img02: vclab-test is let in, but a command of theirs ends with exit status" in said
    assert "change" in said.lower() and "password" in said.lower()
    assert gone_again(tried)


def test_an_image_without_a_login_shell_for_new_users(tried: Place) -> None:
    with wrapped(tried, "useradd", f"usermod -s /usr/sbin/nologin {TEST_LOGIN}"):
        said = refused(tried, "linux.try_login")
    assert "This account is currently not available" in said
    assert gone_again(tried)


def test_an_image_that_refuses_new_users(tried: Place) -> None:
    tried.inside("sh", "-c", f"cp /etc/ssh/sshd_config /run/was; echo 'DenyUsers {TEST_LOGIN}' >> /etc/ssh/sshd_config")
    try:
        read_again(tried)
        said = refused(tried, "linux.try_login")
    finally:
        tried.inside("cp", "/run/was", "/etc/ssh/sshd_config")
        read_again(tried)
    assert "sshd refuses vclab-test, who has the right key: Permission denied" in said
    assert gone_again(tried)


def read_again(place: Place) -> None:
    """Have sshd read its configuration."""
    place.inside("sh", "-c", "kill -HUP $(cat /run/sshd.pid); sleep 0.3")
    assert place.wait_ssh().host_key == place.facts.host_key


def test_an_image_that_says_something_else(tried: Place) -> None:
    with wrapped(tried, "useradd", f"printf 'echo welcome\\n' > /etc/skel/.bashrc; usermod -s /bin/bash {TEST_LOGIN}"):
        said = refused(tried, "linux.try_login")
    assert "to vclab-test's `id -un` it says welcome" in said
    tried.inside("cp", "/etc/bash.bashrc", "/etc/skel/.bashrc")
    assert gone_again(tried)
    tried.step("linux.try_login", becomes=becomes())


@pytest.mark.long
def test_a_login_is_tried_again_wherever_it_was_cut_off(tried: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    acts = interrupted(monkeypatch, lambda: tried.step("linux.try_login", becomes=becomes()))
    assert acts == 10
    assert gone_again(tried)


# Free blocks.


@pytest.fixture
def disk(other: Place) -> Iterator[str]:
    """A small disk of the machine's, from which a file was deleted."""
    other.inside("sh", "-ec", "truncate -s 64M /disk.img; mkfs.ext4 -q /disk.img; mkdir -p '/mnt/a b'")
    other.inside("sh", "-ec", DEVICES)
    other.inside("sh", "-ec", "mount -o loop /disk.img '/mnt/a b'; yes of-alice-77c1 | head -c 8M > '/mnt/a b/secret'")
    other.inside("sh", "-ec", "sync; rm '/mnt/a b/secret'; echo kept > '/mnt/a b/kept'; sync")
    assert holds(other)
    yield "/mnt/a b"
    other.inside("sh", "-c", "umount '/mnt/a b'; rm -r /disk.img '/mnt/a b'")


DEVICES = """[ -e /dev/loop-control ] || mknod /dev/loop-control c 10 237
n=$(losetup -f | tr -dc 0-9); for m in $n $((n + 1)) $((n + 2)); do
[ -e /dev/loop$m ] || mknod /dev/loop$m b 7 $m; done"""


def holds(place: Place) -> bool:
    return place.inside("sh", "-c", "grep -c of-alice-77c1 /disk.img", check=False).strip() != "0"


def free_blocks(place: Place) -> str:
    return part(place, "free blocks")


def test_free_blocks_are_discarded(other: Place, disk: str) -> None:
    assert free_blocks(other) == f"discarded in {disk}"
    assert not holds(other)


def test_free_blocks_are_overwritten_where_a_disk_can_not_discard(
    other: Place, disk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In several goes; what one that was cut off has left is removed first."""
    other.inside(
        "sh", "-c", "ln -s /bin/false /usr/local/sbin/fstrim; head -c 1M /dev/urandom > '/mnt/a b/.vclab-zeros.7'"
    )
    other.write("/usr/local/sbin/dd", '#!/bin/sh\n/bin/dd "$@" count=20 iflag=fullblock\n')
    other.inside("chmod", "755", "/usr/local/sbin/dd")
    assert free_blocks(other) == f"overwritten with zeros in {disk}"
    other.inside("rm", "/usr/local/sbin/fstrim", "/usr/local/sbin/dd")
    assert not holds(other)
    assert other.inside("ls", "-A", disk).split() == ["kept", "lost+found"]
