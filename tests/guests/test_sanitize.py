"""Sanitize on a real machine: users who try to survive it, and a look at everything before and after."""

import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.guests.bench import Bench, Place, interrupted
from vclab.guests.linux import Linux
from vclab.guests.ssh import Shell
from vclab.model.errors import NotOurs, StepFailed
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
