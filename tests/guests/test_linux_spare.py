"""Whether a real machine can be given to the next user as it is: who was logged in, and what it says it is."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest
from temporalio.testing import ActivityEnvironment

from activities.spares import SpareActivities, SpareInput
from tests.guests.bench import MANAGEMENT, Bench, Place
from vclab.model.attempts import ActivityAttempt
from vclab.model.errors import StepFailed
from vclab.model.plans import Access, NodeStatus, Status, Target


@pytest.fixture(scope="module")
def place(bench: Bench) -> Place:
    """A loaded machine."""
    return bench.machine("spare").load()


def grant(place: Place, access: Access) -> None:
    place.bench.manage(place.bench.linux().grant_access(place.target, place.facts, access))


def tainted(place: Place, access: Access, opened: float = 900.0) -> str:
    guest = place.bench.linux()
    return place.bench.manage(guest.why_tainted(place.target, place.facts, access, opened))


def clean(place: Place, access: Access) -> None:
    place.bench.manage(place.bench.linux().sanitize(place.target, place.facts, access, opened=False))


def status(place: Place, **changes: object) -> NodeStatus:
    target = replace(place.target, **changes)  # type: ignore[arg-type]
    return place.bench.manage(place.bench.linux().node_status(target, place.facts))


def test_nobody_came(place: Place, access: Access) -> None:
    """Access was open, nobody used it: shut, not tainted, clean, and ready for the next."""
    grant(place, access)
    assert "203.0.113.11" in place.inside("nft", "list", "set", "inet", "vclab", "users4")
    assert tainted(place, access) == ""
    assert place.shut("alice")
    clean(place, access)
    assert access.login not in place.inside("cat", "/etc/passwd", "/etc/sudoers.d/README", check=False)
    assert not place.inside("sh", "-c", "ls /etc/sudoers.d | grep vclab || true").strip()
    found = status(place, reservation="r2", generation=2)
    assert (found.status, found.ssh, found.current_image) == (Status.READY, True, "debian-12/1")


def make_spare(place: Place, access: Access) -> str:
    """What the worker does at the end of a reservation whose user was let in."""
    activities = SpareActivities({"linux": place.bench.linux()}, Unfenced(), lambda target, facts, access: access)
    given = SpareInput(place.target, place.facts, access, opened=True, opened_seconds=60.0)
    answer: str = place.bench.manage(ActivityEnvironment().run(activities.make_spare, given))
    return answer


class Unfenced:
    """Nobody else wants the computer."""

    def begin(self, target: Target, attempt: ActivityAttempt) -> None:
        """It may."""

    def check(self, target: Target, attempt: ActivityAttempt | None) -> None:
        """It may."""


async def come_through_the_management_node(place: Place, access: Access, key: Path, *commands: str) -> str:
    """To the private address, from where the firewall lets all in for the worker's sake; no terminal."""
    async with asyncssh.connect(
        place.facts.private_address,
        username=access.login,
        client_keys=[str(key)],
        known_hosts=([asyncssh.import_public_key(place.facts.host_key)], [], []),
        config=None,
        agent_path=None,
    ) as connection:
        ran = [await connection.run(command, check=True) for command in commands]
    return "".join(str(each.stdout) for each in ran)


def test_root_rights_decide_whatever_looks_saw(bench: Bench, access: Access, user_key: Path) -> None:
    """Their user comes over the private network, leaves a job of root's, removes all records, and ends."""
    place, access = bench.machine("rooted").load(), replace(access, sudo=True)
    grant(place, access)
    evil = "echo '* * * * * root touch /run/evil' | sudo tee /etc/cron.d/evil"
    hide = f"sudo rm -f /run/vclab-logins /etc/sudoers.d/vclab-{access.login}"
    bench.manage(come_through_the_management_node(place, access, user_key, evil, hide))
    assert make_spare(place, access) == f"tainted: {access.login} was let in with root rights"
    assert place.inside("ls", "/etc/cron.d/evil")
    assert status(place, reservation="r2", generation=2).status is Status.RELOAD


def test_an_account_with_root_rights_is_never_called_clean(place: Place, access: Access) -> None:
    """That access was not opened is what a workflow says; that the account was made stands on the computer."""
    grant(place, replace(access, sudo=True))
    with pytest.raises(StepFailed, match="had root rights"):
        clean(place, access)
    place.inside("rm", f"/etc/sudoers.d/vclab-{access.login}")
    clean(place, access)


def test_who_comes_through_the_management_node_is_seen(place: Place, access: Access, user_key: Path) -> None:
    """While connected, a little later, and when the records decide; not our own logins."""

    def seen(within: float = 0.0) -> tuple[str, ...]:
        guest = place.bench.linux()
        return place.bench.manage(guest.connections(place.target, place.facts, access, within)).addresses

    async def stay() -> tuple[str, ...]:
        coming = asyncio.create_task(come_through_the_management_node(place, access, user_key, "sleep 3"))
        await asyncio.sleep(1.5)
        found = await place.bench.linux().connections(place.target, place.facts, access)
        await coming
        return found.addresses

    grant(place, access)
    assert seen(3600.0) == () and tainted(place, access) == ""
    grant(place, access)
    assert place.bench.manage(stay()) == (MANAGEMENT,)
    assert seen() == () and seen(60.0) == (MANAGEMENT,)
    assert tainted(place, access) == f"a login from {MANAGEMENT}"
    clean(place, access)


def test_where_sshd_asks_no_pam_nobody_comes_through_the_management_node(
    bench: Bench, access: Access, user_key: Path
) -> None:
    """Nothing could record it."""
    place = bench.machine("without-pam")
    place.wait_for_addresses()
    place.inside("sed", "-i", "s/^UsePAM yes/UsePAM no/", "/etc/ssh/sshd_config")
    place.load()
    grant(place, access)
    assert place.ssh("alice", user_key, access.login, "true").returncode == 0
    with pytest.raises(asyncssh.PermissionDenied):
        bench.manage(come_through_the_management_node(place, access, user_key, "true"))


def test_somebody_came_and_went(place: Place, access: Access, user_key: Path) -> None:
    """Without a terminal, so that no login record tells of it."""
    grant(place, access)
    assert place.ssh("alice", user_key, access.login, "true").returncode == 0
    assert "there was a connection from 203.0.113.11" in tainted(place, access)
    place.bench.manage(place.bench.linux().sanitize(place.target, place.facts, replace(access, sudo=False), False))


@pytest.mark.parametrize("what", ["process", "boot", "firewall", "old"])
def test_what_can_not_be_ruled_out(place: Place, access: Access, what: str) -> None:
    """A process of the user's, a restart, rules that are gone, records that do not go back far enough."""
    grant(place, access)
    login = access.login
    if what == "process":
        place.inside("sh", "-c", f"setsid setpriv --reuid {access.uid} --clear-groups sleep 300 > /dev/null 2>&1 &")
        assert "sleep" in tainted(place, access)
    elif what == "boot":
        other = Place(place.bench, place.machine)
        other.facts = replace(place.facts, boot_id="another")
        assert "restarted" in tainted(other, access)
    elif what == "firewall":
        place.inside("nft", "delete", "table", "inet", "vclab")
        assert "can't be read" in tainted(place, access)
    else:
        assert "longer than" in tainted(place, access, 4000.0)
    clean(place, access)
    assert login not in place.inside("cat", "/etc/passwd")


def _edit(script: str) -> Callable[[Place], object]:
    return lambda place: place.inside("sed", "-i", script, "/root/currentimage.txt")


@pytest.mark.parametrize(
    ("spoil", "wanted"),
    [
        (_edit("/vcld_post_load/d"), Status.POST_LOAD),
        (_edit("$ a vcld_tainted=somebody"), Status.RELOAD),
        (_edit("s/^imagerevision=.*/imagerevision=2/"), Status.RELOAD),
        (_edit("s/^computer_hostname=.*/computer_hostname=vm77/"), Status.RELOAD),
        (_edit("s/^vclab_generation=.*/vclab_generation=9/"), Status.RELOAD),
        (lambda place: place.inside("rm", "/root/currentimage.txt"), Status.RELOAD),
    ],
)
def test_what_it_says_it_is(place: Place, spoil: Callable[[Place], object], wanted: Status) -> None:
    before = place.inside("cat", "/root/currentimage.txt")
    spoil(place)
    found = status(place, reservation="r2", generation=2)
    assert found.status is wanted and found.why
    place.write("/root/currentimage.txt", before)
    assert status(place).status is Status.READY


def test_another_host_key_or_no_answer(place: Place, bench: Bench) -> None:
    """Unknown is not ready."""
    other = Place(bench, place.machine)
    other.facts = replace(place.facts, host_key=bench.new_key("other").with_suffix(".pub").read_text())
    assert status(other).status is Status.RELOAD and "can't be read" in status(other).why
    other.facts = replace(place.facts, private_address="10.77.9.9")
    found = status(other)
    assert (found.status, found.ssh) == (Status.RELOAD, None)
    other.facts = replace(place.facts, host_key="")
    assert status(other).status is Status.RELOAD
