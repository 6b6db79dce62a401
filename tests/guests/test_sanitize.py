"""Sanitize on a real machine: users who try to survive it, and a look at everything before and after."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.guests.bench import Bench, Place, interrupted
from vclab.guests.linux import Linux
from vclab.guests.ssh import Shell
from vclab.model.errors import Fenced, NotOurs, StepFailed
from vclab.model.plans import Access

pytestmark = pytest.mark.lab

# What ends up different though it is clean: logs, locks, what a pid or a clock is in.
UNSTEADY = (
    r"^(/proc|/sys|/dev/pts|/run/lock|/run/vclab\.lock|/var/log|/run/utmp|/run/sshd\.pid|/var/spool/cron/atjobs/\.SEQ)"
)

# What comes and goes with our own connections: the one who looks, sshd before and after a login.
OURS = {"cat 0", "sshd 0", "sshd 100"}

HOSTILE = r"""
loop() { trap '' TERM HUP INT QUIT USR1 USR2 TSTP TTIN TTOU; while :; do sleep 0.2; done; }
loop > /dev/null 2>&1 &                                               # ignores what can be ignored
(setsid sh -c 'trap "" HUP TERM; while :; do sleep 0.3; done' > /dev/null 2>&1 < /dev/null &)   # double fork
nohup setsid sleep 100000 > /dev/null 2>&1 < /dev/null &
cat > /var/tmp/phoenix <<'END'
#!/bin/sh
trap '' TERM HUP                                                      # each starts the other again
while :; do
    pgrep -f "phoenix $2 $1" > /dev/null || setsid sh "$0" "$2" "$1" > /dev/null 2>&1 < /dev/null &
    sleep 0.1
done
END
setsid sh /var/tmp/phoenix one two > /dev/null 2>&1 < /dev/null &
for n in 1 2 3 4 5; do                                                # a light bomb
    setsid sh -c 'while :; do sleep 0.4 & sleep 0.02; done' > /dev/null 2>&1 < /dev/null &
done
perl -e '$SIG{$_} = "IGNORE" for keys %SIG; while (1) { exit 0 if fork; select undef, undef, undef, 0.02 }' \
    > /dev/null 2>&1 < /dev/null &                                    # a new process id each 20 ms
printf '@reboot touch /var/tmp/again\n* * * * * touch /var/tmp/minute\n' | crontab -
echo 'touch /var/tmp/later' | at now + 1 minute 2> /dev/null
echo 'touch /var/tmp/tomorrow' | at now + 1 day 2> /dev/null
mkdir -p ~/.config/systemd/user/default.target.wants ~/.ssh
echo x > ~/.config/systemd/user/evil.service
echo 'ssh-ed25519 AAAA evil' >> ~/.ssh/authorized_keys
cd /var/tmp
touch "$(printf 'a\nb')" ./-rf ' blank ' '*' "$(printf '\033[2J\377')"
mkdir .hidden; cp /bin/true .hidden/suid; chmod 6755 .hidden/suid
mkdir shut; touch shut/in; chmod 0 shut
ln -s /etc/passwd link; ln -s /root dirlink; mkfifo pipe
mkdir many; (cd many; seq 1 5000 | xargs touch)
mkdir deep; (cd deep; for n in $(seq 1 60); do d=$(printf 'd%.0s' $(seq 1 100)); mkdir $d; cd $d; done; touch bottom)
echo x > /dev/shm/segment; echo x > /tmp/.X99-lock; echo x > /run/lock/theirs
perl -e '
    shmget(4711, 4096, 01600) // die; shmget(0, 4096, 01600) // die; semget(4712, 2, 01600) // die;
    my $id = msgget(4713, 01600) // die;
    my $given = msgget(4714, 01666) // die;       # given away: the creator stays the user
    my $room = "\0" x 512; msgctl($given, 2, $room); substr($room, 4, 4) = pack("L", 0);
    msgctl($given, 1, $room) // die;
    my $name = "evil"; syscall(240, $name, 0102, 0600, 0) >= 0 or die "mq_open: $!"'
(unshare -Ur sh -c 'trap "" TERM; while :; do sleep 0.3; done' > /dev/null 2>&1 < /dev/null &)
sleep 1
echo survived so far
"""


def grant(place: Place, access: Access) -> None:
    place.bench.manage(place.bench.linux().grant_access(place.target, place.facts, access))


def sanitize(place: Place, access: Access | None = None, opened: bool = True, linux: Linux | None = None) -> None:
    guest = linux or place.bench.linux()
    place.bench.manage(guest.sanitize(place.target, place.facts, access, opened))


def everything(place: Place) -> dict[str, set[str]]:
    """Files with owner, mode and (below /etc, /root, /var/spool) content; accounts; processes; IPC; firewall."""
    form = r"%p %y %U:%G %m %l\n"
    files = place.inside("sh", "-c", f"find / -printf '{form}' 2>/dev/null | grep -avE '{UNSTEADY}' | cat -v")
    content = place.inside("sh", "-c", "find /etc /root /var/spool /home -type f -exec sha256sum {} +")
    ipc = "tail -n +2 -q /proc/sysvipc/*; unshare -m sh -c 'mount -t mqueue m /mnt; ls -A /mnt'"
    return {
        "files": set(files.splitlines()),
        "content": {line for line in content.splitlines() if not line.endswith(("/currentimage.txt", "/.SEQ"))},
        "accounts": set(place.inside("cat", "/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow").splitlines()),
        "processes": processes(place),
        "ipc": set(place.inside("sh", "-c", ipc).splitlines()),
        "firewall": set(place.inside("nft", "list", "ruleset").splitlines()),
    }


def processes(place: Place) -> set[str]:
    """Name and user id of each process but those that look."""
    found = {}
    for text in place.inside("sh", "-c", "cat /proc/[0-9]*/status", check=False).split("Name:")[1:]:
        lines = (line.partition(":") for line in text.splitlines()[1:])
        word = {key: value.split()[0] for key, _, value in lines if value.strip()}
        found[word["Pid"]] = (word["PPid"], f"{text.split()[0]} {word['Uid']}")
    return {name for pid, (parent, name) in found.items() if parent in found or pid == "1"} - OURS


def differences(before: dict[str, set[str]], after: dict[str, set[str]]) -> list[str]:
    return [f"{kind}: {line}" for kind in before for line in sorted(before[kind] ^ after[kind])]


def assert_as_it_was(before: dict[str, set[str]], place: Place) -> None:
    """What ends by itself, such as a job of cron's that ran just then, is given a moment."""
    deadline = time.monotonic() + 5
    while (found := differences(before, everything(place))) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert found == []


@pytest.fixture(scope="module")
def place(bench: Bench, user_key: Path) -> Place:
    """A loaded machine on which an account has been made and removed once, so that the group vclab is there."""
    place = bench.machine("sanitized").load()
    access = Access("first", 1999, (user_key.with_suffix(".pub").read_text(),), (), "", sudo=False)
    grant(place, access)
    sanitize(place, access)
    return place


@pytest.fixture
def access(access: Access) -> Access:
    return replace(access, password_ref="")


def as_user(place: Place, access: Access, key: Path, script: str) -> "subprocess.CompletedProcess[str]":
    return place.ssh("alice", key, access.login, script)


def test_a_hostile_user_leaves_nothing(place: Place, access: Access, user_key: Path) -> None:
    before = everything(place)
    grant(place, access)
    ran = as_user(place, access, user_key, HOSTILE)
    assert "survived so far" in ran.stdout, ran
    dirty = differences(before, everything(place))
    assert len(dirty) > 5000  # they really have left something, of each kind
    assert {line.partition(":")[0] for line in dirty} == set(before)
    sanitize(place, access)
    assert differences(before, everything(place)) == []
    assert place.shut("alice")
    time.sleep(2)
    assert differences(before, everything(place)) == []


@pytest.mark.long
def test_jobs_that_were_planned_do_not_run(place: Place, access: Access, user_key: Path) -> None:
    grant(place, access)
    planned = (
        "printf '* * * * * touch /var/tmp/cron-ran\\n' | crontab -; echo 'touch /var/tmp/at-ran' | at now + 1 minute"
    )
    assert as_user(place, access, user_key, planned).returncode == 0
    control = "touch /run/at-ran' | at now + 1 minute; echo '* * * * * touch /run/cron-ran' | crontab -"
    place.inside("sh", "-c", f"echo '{control}")
    sanitize(place, access)
    grant(place, access)  # the same login again: what was planned must not wake up with it
    time.sleep(62 - time.time() % 60)  # past the minute for which they were planned
    assert sorted(place.inside("find", "/var/tmp", "/run", "-name", "*-ran").split()) == [
        "/run/at-ran",
        "/run/cron-ran",
    ]
    place.inside("sh", "-c", "crontab -r; rm /run/*-ran")
    sanitize(place, access)


def test_twice_is_harmless_and_without_an_account_too(place: Place, access: Access) -> None:
    before = everything(place)
    sanitize(place, access)
    grant(place, access)
    sanitize(place, access)
    sanitize(place, access)
    sanitize(place)
    assert_as_it_was(before, place)


def test_an_interrupted_sanitize_converges(
    place: Place, access: Access, user_key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything(place)
    grant(place, access)
    assert (
        as_user(
            place, access, user_key, "touch /var/tmp/x; (setsid sleep 1000 > /dev/null 2>&1 < /dev/null &)"
        ).returncode
        == 0
    )
    assert interrupted(monkeypatch, lambda: sanitize(place, access)) == 3  # at last only what is done always
    assert_as_it_was(before, place)


def test_an_image_with_the_users_own_login_is_left_alone(place: Place, access: Access) -> None:
    place.inside("useradd", "-m", "-u", str(access.uid), access.login)
    before = everything(place)
    with pytest.raises(StepFailed, match="exists in this image"):
        grant(place, access)
    sanitize(place, access)
    assert_as_it_was(before, place)
    place.inside("userdel", "-r", access.login, check=False)


def test_other_users_things_are_left_alone(place: Place, access: Access, user_key: Path) -> None:
    place.inside(
        "sh", "-c", "touch /var/tmp/roots; chmod 666 /var/tmp/roots; install -o daemon /dev/null /var/tmp/daemons"
    )
    grant(place, access)
    as_user(
        place,
        access,
        user_key,
        "mkdir /var/tmp/mine; ln -s /var/tmp/roots /var/tmp/mine/link; ln -s / /var/tmp/mine/all",
    )
    sanitize(place, access)
    assert place.inside("ls", "/var/tmp").split() == ["daemons", "roots"]
    place.inside("rm", "/var/tmp/roots", "/var/tmp/daemons")


def test_immutable_files_go_too(place: Place, access: Access) -> None:
    grant(place, access)
    make = f"mkdir -p /var/tmp/d; echo x > /var/tmp/d/f; chown -R {access.uid} /var/tmp/d; chattr -R +i /var/tmp/d"
    place.inside("sh", "-c", make)
    sanitize(place, access)
    assert place.inside("ls", "/var/tmp") == ""


def test_what_can_not_be_removed_is_named(place: Place, access: Access) -> None:
    """It is gone with the next attempt once that is mended."""
    grant(place, access)
    place.inside("sh", "-c", f"install -o {access.uid} /dev/null /var/tmp/stays; chattr +i /var/tmp/stays")
    place.inside("mv", "/usr/bin/chattr", "/usr/bin/chattr.away")
    with pytest.raises(StepFailed, match=r"vm01 is not clean: file /var/tmp/stays of user\d+ stays"):
        sanitize(place, access)
    assert place.inside("getent", "passwd", access.login)  # locked, and still on the list
    place.inside("mv", "/usr/bin/chattr.away", "/usr/bin/chattr")
    sanitize(place, access)
    assert not place.inside("getent", "passwd", access.login, check=False)


def test_ids_lent_for_containers_are_the_users_too(place: Place, access: Access) -> None:
    place.inside("sh", "-c", "touch /etc/subuid /etc/subgid")
    grant(place, access)
    start = f"usermod -v 300000-365535 {access.login}; install -o 300005 /dev/null /var/tmp/container"
    run = "; setsid setpriv --reuid 365535 --clear-groups sleep 1000 > /dev/null 2>&1 < /dev/null &"
    place.inside("sh", "-c", start + run)
    sanitize(place, access)
    assert place.inside("ls", "/var/tmp") == ""
    assert "365535" not in place.inside("sh", "-c", "cat /proc/[0-9]*/status")
    assert place.inside("cat", "/etc/subuid") == ""
    place.inside("rm", "/etc/subuid", "/etc/subgid")


def test_after_root_rights_it_is_refused_and_nothing_is_touched(place: Place, access: Access) -> None:
    access = replace(access, sudo=True)
    grant(place, access)
    before = everything(place)
    for known in (access, None):  # also when only the computer knows of it
        with pytest.raises(StepFailed, match=r"had root rights on vm01 .* only be loaded anew"):
            sanitize(place, known)
    after = everything(place)
    assert [line for line in differences(before, after) if not line.startswith(("firewall", "content"))] == []
    place.inside("rm", f"/etc/sudoers.d/vclab-{access.login}")
    sanitize(place, replace(access, sudo=False))


def test_root_rights_that_were_never_opened_are_no_hindrance(place: Place, access: Access) -> None:
    sanitize(place, replace(access, sudo=True), opened=False)


def test_another_computer_is_not_touched(bench: Bench, place: Place, access: Access) -> None:
    grant(place, access)
    for other in (replace(place.target, installation="other"), replace(place.target, computer="vm02")):
        with pytest.raises(NotOurs, match="nothing was done to it"):
            bench.manage(bench.linux().sanitize(other, place.facts, access))
    assert place.inside("getent", "passwd", access.login)
    sanitize(place, access)


def test_a_look_that_finds_nothing_is_not_taken_for_clean_when_it_fails(
    place: Place, access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account stays, so that the next attempt knows that it has work."""
    grant(place, access)
    real = Shell.look

    async def failing(self: Shell, what: str, script: str, *arguments: str) -> str:
        if "left anything" in what:
            script = "exit 1"
        return await real(self, what, script, *arguments)

    monkeypatch.setattr(Shell, "look", failing)
    with pytest.raises(StepFailed):
        sanitize(place, access)
    monkeypatch.undo()
    assert place.inside("getent", "passwd", access.login)
    sanitize(place, access)


# What a look could pass over


@contextmanager
def mounted(place: Place, image: Path, kind: str, where: str, *options: str) -> Iterator[None]:
    """A file system of its own in the machine, on a disk of 128 MB."""
    with image.open("wb") as file:
        file.truncate(128 << 20)
    subprocess.run([f"mkfs.{kind}", "-q", str(image)], check=True)
    init = str(place.machine.init())
    with disk(image) as device:
        place.inside("mkdir", "-p", where)
        subprocess.run(
            ["nsenter", "-t", init, "-m", "--", "sh", "-c", _MOUNT, "sh", device, where, *options], check=True
        )
        try:
            yield
        finally:
            place.inside("sh", "-c", f"umount {where}; rmdir {where}", check=False)


_MOUNT = """[ -b "$1" ] || { mknod "$1" b 7 "${1#/dev/loop}"; made=1; }
mount "$@"
[ -z "${made:-}" ] || rm "$1" """


@contextmanager
def disk(image: Path) -> Iterator[str]:
    found = subprocess.run(["losetup", "--find", "--show", str(image)], capture_output=True, text=True, check=True)
    try:
        yield found.stdout.strip()
    finally:
        subprocess.run(["losetup", "--detach", found.stdout.strip()], check=True)


def test_what_is_read_only_at_that_moment_is_searched(
    place: Place, access: Access, user_key: Path, tmp_path: Path
) -> None:
    """A disk with errors goes read only by itself."""
    with mounted(place, tmp_path / "disk", "ext4", "/srv/data"):
        place.inside("chmod", "1777", "/srv/data")
        grant(place, access)
        assert as_user(place, access, user_key, "echo evil > /srv/data/evil").returncode == 0
        place.inside("mount", "-o", "remount,ro", "/srv/data")
        with pytest.raises(StepFailed, match="file /srv/data/evil of"):
            sanitize(place, access)
        place.inside("mount", "-o", "remount,rw", "/srv/data")
        sanitize(place, access)
        assert place.inside("ls", "/srv/data").split() == ["lost+found"]


def test_nested_subvolumes_are_searched(place: Place, access: Access, user_key: Path, tmp_path: Path) -> None:
    """Anybody may make one, and find(1) takes it for another file system."""
    with mounted(place, tmp_path / "disk", "btrfs", "/srv/data"):
        subprocess.run(_made_subvolumes(place), check=True)
        grant(place, access)
        leave = (
            "echo evil > /srv/data/outer/inner/evil; mkdir /srv/data/outer/evils; echo evil > /srv/data/outer/evils/one"
        )
        assert as_user(place, access, user_key, leave).returncode == 0
        sanitize(place, access)
        assert place.inside("find", "/srv/data", "-mindepth", "1").split() == [
            "/srv/data/outer",
            "/srv/data/outer/inner",
        ]


def _made_subvolumes(place: Place) -> list[str]:
    root = f"/proc/{place.machine.init()}/root/srv/data"
    script = 'for one in outer outer/inner; do btrfs -q subvolume create "$1/$one" && chmod 1777 "$1/$one"; done'
    return ["sh", "-c", script, "sh", root]


def test_a_disk_that_is_mounted_no_more_is_searched(
    place: Place, access: Access, user_key: Path, tmp_path: Path
) -> None:
    with mounted(place, tmp_path / "disk", "ext4", "/srv/data"):
        place.inside("chmod", "1777", "/srv/data")
        grant(place, access)
        assert as_user(place, access, user_key, "echo evil > /srv/data/evil").returncode == 0
    with disk(tmp_path / "disk") as device:
        init = str(place.machine.init())
        make = ["nsenter", "-t", init, "-m", "--", "mknod", device, "b", "7", device.removeprefix("/dev/loop")]
        subprocess.run(make, check=True)
        with pytest.raises(StepFailed, match=f"file evil on the unmounted disk {device} of"):
            sanitize(place, access)
        place.inside("rm", device)
    sanitize(place, access)


def test_what_others_own_and_everybody_may_write_to(place: Place, access: Access, user_key: Path) -> None:
    """Nobody knows who wrote it, so it is neither removed nor called clean."""
    place.inside("sh", "-c", "echo before > /var/tmp/shared; chmod 666 /var/tmp/shared")
    grant(place, access)
    assert as_user(place, access, user_key, "echo evil > /var/tmp/shared").returncode == 0
    with pytest.raises(StepFailed, match=r"file /var/tmp/shared \(of others, written to\) of"):
        sanitize(place, access)
    place.inside("rm", "/var/tmp/shared")
    sanitize(place, access)


def test_core_dumps_and_journals_of_the_user_go(place: Place, access: Access) -> None:
    """They are root's, and named after the user's id."""
    grant(place, access)
    found = (
        f"/var/lib/systemd/coredump/core.evil.{access.uid}.0123.77.1700000000.zst",
        f"/var/log/journal/0123/user-{access.uid}.journal",
        f"/var/log/journal/0123/user-{access.uid}@0001-0002.journal",
        f"/var/crash/_usr_bin_evil.{access.uid}.crash",
        f"/var/log/journal/0123/user-{access.uid}7.journal",
    )
    for path in found:
        place.inside("sh", "-c", 'mkdir -p "${1%/*}"; echo secret > "$1"', "sh", path)
    sanitize(place, access)
    left = place.inside("find", "/var/lib/systemd/coredump", "/var/log/journal", "/var/crash", "-type", "f")
    assert left.split() == [found[-1]]  # somebody else's
    place.inside("rm", "-r", "/var/lib/systemd/coredump", "/var/log/journal", "/var/crash", check=False)


@pytest.mark.parametrize("queued", ["/var/spool/cups/d00001-001", "/var/spool/postfix/deferred/A/A1"])
def test_print_jobs_and_mail_are_named(place: Place, access: Access, queued: str) -> None:
    make = 'mkdir -p "${1%/*}"; install -o daemon /dev/null "$1"'
    place.inside("sh", "-c", make, "sh", f"{queued}-older")
    grant(place, access)
    place.inside("sh", "-c", make, "sh", queued)
    with pytest.raises(StepFailed, match=f"print job or mail {queued} of"):
        sanitize(place, access)
    place.inside("rm", queued)
    sanitize(place, access)
    place.inside("rm", "-r", "/".join(queued.split("/")[:4]))


def test_nothing_beyond_a_border_of_file_systems_is_removed(place: Place, access: Access) -> None:
    """A home on a file server is the user's, and its content stays. A file system for message queues stands for that
    here: its content is not looked for among the files of the computer either."""
    grant(place, access)
    place.inside("mkdir", "/srv/home")
    place.inside("mount", "-t", "mqueue", "server", "/srv/home")
    place.inside("sh", "-c", f"touch /srv/home/thesis; chown {access.uid} /srv/home")
    with pytest.raises(StepFailed, match="file /srv/home of"):
        sanitize(place, access)
    assert place.inside("ls", "/srv/home") == "thesis\n"
    place.inside("sh", "-c", "rm /srv/home/thesis; chown root /srv/home; umount /srv/home; rmdir /srv/home")
    sanitize(place, access)


def test_a_stale_one_touches_nothing(place: Place, access: Access) -> None:
    """It lost the computer after it had connected: the next user's firewall stays open."""
    grant(place, access)
    asked = []

    def fence() -> None:
        asked.append(1)
        if len(asked) == stale:
            raise Fenced("somebody newer has it")

    for stale in (1, 2):
        asked.clear()
        with pytest.raises(Fenced):
            place.bench.manage(place.bench.linux().sanitize(place.target, place.facts, access, fence=fence))
        if stale == 1:
            assert place.opens("alice") and place.inside("getent", "passwd", access.login)
    sanitize(place, access)


def test_a_stale_close_leaves_the_next_users_firewall(place: Place, access: Access) -> None:
    grant(place, access)

    def fence() -> None:
        raise Fenced("somebody newer has it")

    with pytest.raises(Fenced):
        place.bench.manage(place.bench.linux().close_access(place.target, place.facts, access, fence))
    assert place.opens("alice")
    sanitize(place, access)
