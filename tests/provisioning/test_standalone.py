"""Lab machines that are there without us: real Debian machines, checked, prepared, given away, sanitized."""

import asyncio
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from tests.guests.bench import ALICE, Bench, Context, Place, run_in, target_of
from vclab.model.catalog import Computer, ComputerKind
from vclab.model.errors import Fenced, NotOurs, NotYet, StepFailed
from vclab.model.plans import Access, Facts, Profile, StepInput, Target
from vclab.model.states import ComputerState
from vclab.provisioning.standalone import Standalone
from vclab.provisioning.standalone import __name__ as module_name

pytestmark = pytest.mark.lab

T = TypeVar("T")
SAT_DOWN = "setsid -c sh -c 'exec sleep 1000' < /dev/console > /dev/console 2>&1 &"


class Group:
    """The lab machines of an endpoint, with the module and guest as a worker has them."""

    def __init__(self, bench: Bench, names: tuple[str, ...]) -> None:
        self.bench = bench
        self.places = {name: bench.machine(name) for name in names}
        self.computers = {name: self._computer(name, place) for name, place in self.places.items()}
        self.linux = bench.linux()
        self.access: Access | None = None
        self.woken: list[str] = []
        self.module = Standalone(
            group=lambda endpoint: list(self.computers.values()),
            why_not_free=lambda one: asyncio.run(self.linux.why_not_free(one.private_address, one.host_key)),
            sanitize=lambda target, fence: asyncio.run(
                self.linux.sanitize(target, self.facts(target), self.access, fence=fence)
            ),
            wake=lambda one, context: self.woken.append(one.name),
            answer_seconds=0.5,
        )

    @staticmethod
    def _computer(name: str, place: Place) -> Computer:
        address = place.wait_for_addresses()[place.machine.spec.cards[0].mac]
        place.facts = Facts(private_address=address)
        place.wait_ssh()
        return Computer(name, ComputerKind.LAB, ComputerState.AVAILABLE, "labs", private_address=address)

    def facts(self, target: Target) -> Facts:
        return self.places[target.computer].facts

    def target(self, name: str, generation: int = 1) -> Target:
        target = target_of(self.places[name].machine.spec, computer=name, generation=generation, module="standalone")
        return replace(target, endpoint="labs", host=name, storage="", reservation=f"r{generation}")

    def managing(self, work: Callable[[], T]) -> T:
        """Do something that blocks, in the management node's place."""

        async def done() -> T:
            return await asyncio.get_running_loop().run_in_executor(None, work)

        return run_in(self.bench.layout.management, done())

    def why_not(self) -> dict[str, str]:
        return {host.name: host.why_not for host in self.managing(lambda: self.module.survey("labs")).hosts}

    def load(self, target: Target, facts: Facts | None = None) -> Place:
        """As the workflow does it: the recorded plan, step by step."""
        place = self.places[target.computer]
        place.target, place.facts = target, facts or Facts()
        status = self.managing(lambda: self.module.node_status(target))
        for step in self.module.load_plan(target, status).steps:
            if step.name.startswith("linux."):
                place.facts = place.facts.merged(place.step(step.name))
            else:
                given = StepInput(step.name, step.title, target, place.facts)
                run = self.module.steps()[step.name]
                place.facts = place.facts.merged(self.managing(lambda run=run, given=given: run(Context(), given)))  # type: ignore[misc]
        return place

    def take_back(self, target: Target, access: Access | None = None) -> None:
        self.access = access
        self.managing(lambda: self.module.remove(Context(), target))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """The networks and DHCP."""
    if os.geteuid():
        pytest.skip("real machines need root")
    made = Bench(Path(tmp_path_factory.mktemp("labs")))
    try:
        made.up()
        yield made
    finally:
        made.down()


@pytest.fixture(scope="module")
def group(bench: Bench) -> Group:
    return Group(bench, ("lab01", "lab02"))


@pytest.fixture(scope="module")
def key(bench: Bench) -> Path:
    return bench.new_key("alice")


@pytest.fixture
def access(key: Path) -> Access:
    return Access("alice", 20001, (key.with_suffix(".pub").read_text(),), (ALICE,))


def test_the_plan(group: Group) -> None:
    target = group.target("lab01")
    status = group.managing(lambda: group.module.node_status(target))
    assert (status.power, status.ssh) == ("on", True)
    steps = group.module.load_plan(target, status).steps
    assert [(step.name, step.profile) for step in steps] == [
        ("standalone.check", Profile.LOOK),
        ("linux.wait_ssh", Profile.LOOK),
        ("linux.check_free", Profile.SHORT),
        ("linux.prepare", Profile.SHORT),
        ("linux.read_public_address", Profile.SHORT),
    ]


def test_free_machines_can_be_given_away(group: Group) -> None:
    assert group.why_not() == {"lab01": "", "lab02": ""}


def test_a_whole_life_and_the_next_one(group: Group, access: Access, key: Path) -> None:
    for generation in (10, 11):
        target = group.target("lab01", generation)
        place = group.load(target)
        assert place.shut("alice")
        group.bench.manage(group.linux.grant_access(target, place.facts, access))
        said = place.ssh("alice", key, "alice", "ls /var/tmp; touch /var/tmp/mine; setsid sleep 999 > /dev/null 2>&1 &")
        assert (said.returncode, said.stdout) == (0, ""), said
        group.take_back(target, access)
        assert place.shut("alice")
        assert "alice" not in place.inside("cat", "/etc/passwd")
        assert "sleep" not in place.inside("sh", "-c", "cat /proc/[0-9]*/comm")


def test_what_is_the_owners_stays(group: Group) -> None:
    place = group.places["lab02"]
    place.inside(
        "sh", "-c", "echo pc-17 > /etc/hostname; echo 'PRIVATE KEY-----' > /root/.ssh/id; echo root:own | chpasswd"
    )
    files = ["/etc/hostname", "/etc/hosts", "/root/.ssh/id", "/root/.ssh/authorized_keys", "/etc/shadow"]
    before = place.inside("cat", *files)
    target = group.target("lab02", 20)
    group.load(target)
    group.take_back(target)
    assert place.inside("cat", *files) == before


def test_the_host_key_is_pinned_at_the_first_contact_or_given(group: Group) -> None:
    key = group.places["lab02"].inside("cat", "/etc/ssh/ssh_host_ed25519_key.pub").split()
    assert group.load(group.target("lab02", 21)).facts.host_key.split() == key[:2]
    other = group.bench.new_key("other").with_suffix(".pub").read_text()
    known = group.computers["lab02"]
    group.computers["lab02"] = replace(known, host_key=other)
    try:
        with pytest.raises(StepFailed, match="was pinned"):
            group.load(group.target("lab02", 22))
        assert "was pinned" in group.why_not()["lab02"]
    finally:
        group.computers["lab02"] = known


@pytest.mark.parametrize("login", ["login -f root", "sh -c 'exec sleep 1000'", "setpriv --reuid 1 sleep 1000"])
def test_a_machine_at_which_somebody_sits_is_not_given_away(group: Group, login: str) -> None:
    place = group.places["lab02"]
    begin = f"setsid -c {login} < /dev/console > /dev/console 2>&1 & echo $!"
    pid = place.inside("sh", "-c", f"({begin}) 2> /dev/null").strip()
    try:
        why = group.why_not()
        assert why["lab01"] == ""
        assert why["lab02"].startswith("somebody is logged in at it: ")
        with pytest.raises(StepFailed, match="lab02 is not available now: somebody is logged in at it"):
            group.load(group.target("lab02", 30))
    finally:
        place.inside("sh", "-c", f"pkill -KILL -s {pid}; kill -KILL {pid}; true > /run/utmp", check=False)
    assert group.why_not()["lab02"] == ""


def test_what_waits_at_the_console_does_not_count(group: Group) -> None:
    place = group.places["lab02"]
    pid = place.inside(
        "sh", "-c", "(setsid -c login < /dev/console > /dev/console 2>&1 & echo $!) 2> /dev/null"
    ).strip()
    assert group.why_not()["lab02"] == ""
    place.inside("kill", "-KILL", pid)


def test_a_machine_that_is_held_is_not_looked_into(group: Group) -> None:
    known = group.computers["lab02"]
    group.computers["lab02"] = replace(known, holder="r9", private_address="10.77.200.200")
    try:
        assert group.why_not()["lab02"] == ""
    finally:
        group.computers["lab02"] = known


def test_a_machine_that_is_off(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    known = group.computers["lab02"]
    group.computers["lab02"] = replace(known, private_address="10.77.200.200")
    target = group.target("lab02", 40)
    try:
        assert "it does not answer SSH at 10.77.200.200" in group.why_not()["lab02"]
        assert group.managing(lambda: group.module.node_status(target)).ssh is False
        with pytest.raises(NotYet, match="does not answer"):
            group.load(target)
        monkeypatch.setattr(f"{module_name}.WAIT_SECONDS", -1.0)
        with pytest.raises(StepFailed, match="is it on"):
            group.load(target)
    finally:
        group.computers["lab02"] = known


def test_one_that_is_not_clean_is_neither_taken_back_nor_given_away_until_it_is_mended(
    group: Group, access: Access
) -> None:
    target = group.target("lab02", 50)
    place = group.load(target)
    group.bench.manage(group.linux.grant_access(target, place.facts, access))
    hold = "install -o alice /dev/null /var/tmp/stays; chattr +i /var/tmp/stays; mv /usr/bin/chattr /chattr"
    place.inside("sh", "-c", hold)
    with pytest.raises(StepFailed, match="lab02 is not clean: file /var/tmp/stays of alice stays"):
        group.take_back(target, access)
    with pytest.raises(StepFailed, match="lab02 is not clean: file /var/tmp/stays of alice stays"):
        group.load(group.target("lab02", 51))
    place.inside("mv", "/chattr", "/usr/bin/chattr")
    group.load(group.target("lab02", 52))
    assert place.inside("ls", "/var/tmp", "/home").split() == ["/home:", "/var/tmp:"]


def test_what_another_installation_left_is_not_ours_to_remove(group: Group) -> None:
    place = group.places["lab02"]
    place.inside("sh", "-c", "mkdir -p /etc/vclab; echo bob 2002 other/r1/0/1 > /etc/vclab/accounts")
    with pytest.raises(StepFailed, match="lab02 is not clean: bob of other/r1/0/1 is still there"):
        group.load(group.target("lab02", 55))
    place.inside("rm", "/etc/vclab/accounts")


def test_after_root_rights_it_is_for_its_owner_to_mend(group: Group, access: Access) -> None:
    target = group.target("lab01", 60)
    place = group.load(target)
    access = replace(access, sudo=True)
    group.bench.manage(group.linux.grant_access(target, place.facts, access))
    with pytest.raises(StepFailed, match="alice had root rights on lab01"):
        group.take_back(target, access)
    place.inside("rm", "/etc/sudoers.d/vclab-alice")
    group.take_back(target)


def test_a_stale_tenure_and_another_installation_touch_nothing(group: Group) -> None:
    target = group.target("lab01", 70)
    group.load(target)
    with pytest.raises(Fenced):
        group.managing(lambda: group.module.remove(Context(stale=Fenced("given to another")), target))
    for stale in (group.target("lab01", 69), replace(group.target("lab01", 71), installation="others")):
        with pytest.raises(NotOurs):
            group.load(stale)
        with pytest.raises(NotOurs):
            group.take_back(stale)


def test_without_macs_the_address_that_is_known_is_the_public_one(group: Group) -> None:
    place = group.load(replace(group.target("lab01", 80), private_mac="", public_mac=""))
    assert place.facts.public_address == group.computers["lab01"].private_address


def test_what_it_can_not_do_it_says(group: Group) -> None:
    target = group.target("lab01", 90)
    with pytest.raises(StepFailed, match="no longer a machine of labs"):
        group.managing(
            lambda: group.module.steps()["standalone.check"](
                Context(), StepInput("s", "s", replace(target, computer="x"), Facts())
            )
        )
