"""A failed step is not a failed reservation: another place, an operator's help, and only then it has failed."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.service import RPCError

import worker
from activities.drivers import Drivers
from tests import fakes
from tests.fakes import FakeGuest, FakeModule, World
from tests.people import People
from tests.targets import target_of
from tests.workflows.conftest import ENDPOINT, QUEUE, Life, seed
from vclab.fake_world import Behaviour
from vclab.fake_world import World as Pretended
from vclab.model import ids
from vclab.model.catalog import Computer, ComputerKind, IdentityPool
from vclab.model.errors import Refused, StepFailed
from vclab.model.inventory import HostFacts
from vclab.model.messages import Acknowledge, End, Extend, How, Resolve, workflow_id
from vclab.model.plans import Facts, NodeStatus, Plan, Status, Step, StepInput, Target
from vclab.model.reservations import FailedStep, ReservationView, ReserveRequest
from vclab.model.states import ComputerState
from vclab.model.steps import AsyncStep, BlockingStep, StepContext
from vclab.model.traits import Operation
from vclab.provisioning.base import ProvisioningModule, capturer, inspector, sealer
from vclab.provisioning.fake import Fake
from vclab.provisioning.fake_metal import FakeMetal
from vclab.provisioning.standalone import Standalone
from vclab.provisioning.vsphere.module import VSphere
from vclab.settings import Settings
from vclab.store import catalog, failed_steps, load_log, reservations, tenures
from vclab.store.engine import Store, open_store
from vclab.store.needs_help import waiting

TWO = tuple(HostFacts(f"esx{n}", 16, 65536, datastores=("ds1",)) for n in (1, 2))


# --- every step of every plan -----------------------------------------------------------------------------------------


WAKEABLE = Computer(
    "vm01", ComputerKind.LAB, ComputerState.AVAILABLE, power="wol://02-76-63-99-00-08@127.0.0.1/127.255.255.255"
)
MODULES: Mapping[str, ProvisioningModule] = {
    "vsphere": VSphere(lambda _: ENDPOINT, lambda _: "", "vclab", 1),
    "standalone": Standalone(lambda _: [WAKEABLE], lambda _: "", lambda _, fence: None, lambda _, context: None),
    "fake": Fake(Pretended(Behaviour()), "vclab"),
    "fake-metal": FakeMetal(Pretended(Behaviour()), "vclab", lambda _: []),
}


def plans() -> dict[str, tuple[Step, ...]]:
    """The plans as the modules really give them: from nothing, and with a machine that is there already."""
    target = target_of()
    found = {name: module.load_plan(target, NodeStatus()).steps for name, module in MODULES.items()}
    own = replace(target, dedicated=True)
    found |= {f"{name}-own": MODULES[name].load_plan(own, NodeStatus()).steps for name in ("vsphere", "fake")}
    there = replace(target, spare="420f0000-0000-0000-0000-000000000001")
    for name, status in (
        ("vsphere", Status.READY),
        ("vsphere", Status.POST_LOAD),
        ("fake", Status.READY),
        ("fake-metal", Status.READY),  # as from POST_LOAD
    ):
        found[f"{name}-{status}"] = MODULES[name].load_plan(there, NodeStatus(status)).steps
    return found


PLANS = plans()


def test_every_step_of_a_load_is_in_a_plan_here() -> None:
    """Those of captures are tried in test_capture_faults.py; those of inspections are of no load."""
    named = {step.name for steps in PLANS.values() for step in steps}
    for module in MODULES.values():
        assert set(module.steps()) - captures(module) - inspections(module) <= named


def inspections(module: ProvisioningModule) -> set[str]:
    """The steps that only inspections have."""
    if not module.traits.can(Operation.INSPECT):
        return set()
    planned = [inspector(module).inspect(target_of(), NodeStatus(power=word)) for word in ("on", "off")]
    return {name for plan in planned for step in plan.steps for name in (step.name, step.undo)}


def captures(module: ProvisioningModule) -> set[str]:
    """The steps that only captures have."""
    if not module.traits.seals:
        return set()
    made = sealer(module)
    target = target_of()
    planned = (capturer(module).capture(target), made.seal(target), made.publish(target))
    steps = [step for plan in planned for step in plan.steps]
    loads = {step.name for steps in PLANS.values() for step in steps}
    return ({step.name for step in steps} | {step.undo for step in steps}) - loads


@dataclass
class Scripted(World):
    """Fails that step of that reservation as long as it stands there: in each generation up to that one."""

    plan: tuple[Step, ...] = ()
    fails: dict[tuple[str, str], int] = field(default_factory=dict)
    ran: list[tuple[str, str, int]] = field(default_factory=list)  #: reservation, step, generation: what succeeded


class Module(FakeModule):
    """The plan that the world says; its steps are all that there are in any plan."""

    world: Scripted

    def load_plan(self, target: Target, status: NodeStatus) -> Plan:
        """The world's."""
        return Plan(self.world.plan, status)

    def steps(self) -> Mapping[str, BlockingStep]:
        """All that any plan has, the guests' too."""
        return {step.name: self._step for steps in PLANS.values() for step in steps}

    def _step(self, context: StepContext, given: StepInput) -> Facts:
        context.fence()
        at = (given.target.reservation, given.step)
        if given.target.generation <= self.world.fails.get(at, 0):
            raise StepFailed(f"{given.step} is broken")
        self.world.ran.append((*at, given.target.generation))
        return Facts(private_address="10.77.0.9", host_key="ssh-ed25519 AAAA", public_address="203.0.113.9")

    def remove(self, context: StepContext, target: Target) -> None:
        """Gone."""
        self.world.ran.append((target.reservation, "remove", target.generation))


class Silent(FakeGuest):
    """Its steps are the module's here."""

    def steps(self) -> Mapping[str, AsyncStep]:
        """None."""
        return {}


class Lab:
    """Many reservations at once, one for each step of a plan, each of which fails at another one."""

    def __init__(self, client: Client, store: Store, world: Scripted) -> None:
        self.operator, self.client = People(client, QUEUE, store, "olga", operator=True), client
        self.store, self.world = store, world
        self.of = {step.name: ids.new_id() for step in world.plan}

    async def reserve(self) -> None:
        """All, at once."""
        requests = [ReserveRequest(one, "alice", "debian-12", 3600) for one in self.of.values()]
        await asyncio.gather(*(self.operator.reserve(request) for request in requests))

    async def until(self, word: str) -> None:
        """All show this word."""
        async with asyncio.timeout(120):
            while any(view is None or view.word != word for view in map(self.view, self.of.values())):
                await asyncio.sleep(0.05)

    def view(self, one: str) -> ReservationView | None:
        """The store's projection."""
        with self.store.read() as session:
            return reservations.view(session, one)

    def ran(self, one: str) -> list[tuple[str, int]]:
        """The steps that succeeded, with the generation, in order."""
        return [(step, generation) for reservation, step, generation in self.world.ran if reservation == one]


@pytest.fixture(params=PLANS)
async def lab(time_client: Client, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Lab]:
    """Two hosts with room for all."""
    settings = Settings(database=f"sqlite:///{tmp_path}/vclab.db")
    store = open_store(settings.database)
    seed(store)
    store.run(lambda session: catalog.put_pool(session, IdentityPool("vm", 20)))
    world = Scripted(plan=PLANS[request.param], hosts=TWO)
    drivers = Drivers({"vsphere": Module(world)}, {"linux": Silent(world)})
    made = Lab(time_client, store, world)
    async with AsyncExitStack() as stack:
        for each in worker.build(time_client, settings, store, drivers):
            await stack.enter_async_context(each)
        yield made
        for one in made.of.values():
            with suppress(RPCError):
                await time_client.get_workflow_handle(workflow_id(one)).terminate("the test is over")
    store.close()


async def test_every_step_is_resumed_and_those_before_it_do_not_run_again(lab: Lab) -> None:
    """It fails in both places; an operator mends it; it goes on from there, and is ready."""
    for step, one in lab.of.items():
        lab.world.fails[one, step] = 2
    await lab.reserve()
    await lab.until("Needs help")
    names = [step.name for step in lab.world.plan]
    for number, (step, one) in enumerate(lab.of.items(), start=1):
        view = lab.view(one)
        assert view is not None and view.help_until is not None
        assert f"step {number}, " in view.reason and f"{step} is broken" in view.reason
        before = [(name, 1) for name in names[: number - 1]]
        again = [(name, 2) for name in names[: number - 1]]
        assert lab.ran(one) == [*before, ("remove", 1), *again]
    lab.world.fails.clear()
    await asyncio.gather(*(lab.operator.resolve(one, Resolve(How.RETRY)) for one in lab.of.values()))
    await lab.until("Ready")
    for one in lab.of.values():
        second = [ran for ran in lab.ran(one) if ran[1] == 2]
        assert second == [(name, 2) for name in names], "each once, in order"
        with lab.store.read() as session:
            rows = load_log.steps(session, one)
        assert Counter(row.name for row in rows if row.outcome == "done" and row.generation == 2) == Counter(names)


async def test_every_step_that_fails_is_tried_in_one_other_place(lab: Lab) -> None:
    """What was made is removed first, and all is done anew there."""
    for step, one in lab.of.items():
        lab.world.fails[one, step] = 1
    await lab.reserve()
    await lab.until("Ready")
    names = [step.name for step in lab.world.plan]
    for number, one in enumerate(lab.of.values()):
        before = [(name, 1) for name in names[:number]]
        assert lab.ran(one) == [*before, ("remove", 1), *((name, 2) for name in names)]
        view = lab.view(one)
        assert view is not None and view.generation == 2
        with lab.store.read() as session:
            (trouble,) = failed_steps.of(session, one)
            assert {trouble.host, view.host} == {"esx1", "esx2"}
            assert (trouble.number, trouble.cause) == (number + 1, f"{names[number]} is broken")
            assert tenures.held(session, view.computer, 2)


# --- what an operator sees and does -----------------------------------------------------------------------------------

POWER_ON = "vsphere.power_on"


async def needs_help(life: Life, step: str = POWER_ON, hours: float = 1.0) -> ReservationView:
    """It fails in the only place there is."""
    life.world.fail[step] = StepFailed("esx1 refuses: InsufficientResourcesFault")
    await life.reserve(hours)
    return await word(life, "Needs help")


async def word(life: Life, wanted: str) -> ReservationView:
    """Wait for it."""
    await life.when(lambda: getattr(life.view(), "word", "") == wanted, 60)
    view = life.view()
    assert view is not None
    return view


def told(life: Life) -> Sequence[FailedStep]:
    with life.store.read() as session:
        return failed_steps.of(session, life.id)


async def test_what_is_told_while_it_needs_help(life: Life) -> None:
    """The step, the cause, what was seen, why no other place; what is done is kept; and it is found in Temporal."""
    view = await needs_help(life)
    assert view.state == "new" and view.ending is None
    assert "step 4, Power on: esx1 refuses" in view.reason
    assert "there is no other place" in view.reason and "its load failed here" in view.reason
    assert "remove" not in life.world.done
    (trouble,) = told(life)
    assert (trouble.step, trouble.host, trouble.evidence.power) == (POWER_ON, "esx1", "on")
    assert trouble.evidence.endpoint == (f"vm01-{life.id}-g1 on esx1",)
    assert trouble.evidence.missing == ("vm01 itself: it was not reached by then",)
    with life.store.read() as session:
        assert [id for id, _ in waiting(session)] == [life.id]
    status = await life.reservations.status(life.id)
    assert (status.word, status.then) == ("Needs help", "it ends as failed")
    assert status.waits_for == "help: Power on has failed"
    assert status.until is not None and view.help_until is not None
    assert abs(status.until - view.help_until) < timedelta(seconds=5)
    attributes = (await life.handle.describe()).typed_search_attributes
    assert "needs-help" in [pair.value for pair in attributes]
    with pytest.raises(Refused, match="Needs help"):
        await life.reservations.acknowledge(life.id, Acknowledge("203.0.113.101"))


async def test_the_guests_own_words_are_evidence_without_secrets(life: Life) -> None:
    """Once it was reached by SSH."""
    await needs_help(life, "linux.post_load")
    (trouble,) = told(life)
    assert trouble.evidence.console[0].startswith("Kernel panic")
    assert "s3cr3t" not in " ".join(trouble.evidence.console)


async def test_the_users_clock_stands_still(life: Life) -> None:
    """The time waited is given back; the same word twice is one."""
    view = await needs_help(life, hours=2)
    end = view.end
    await life.skip(minutes=30)
    life.world.fail.clear()
    message = Resolve(How.RETRY, "q1")
    done = await life.operator.resolve(life.id, message)
    assert timedelta(minutes=30) <= done.end - end < timedelta(minutes=31)
    assert (await life.operator.resolve(life.id, message)).end == done.end
    view = await life.until("reserved")
    assert view.end == done.end and "the end is now" in view.reason
    assert life.world.done.count("vsphere.copy_disk") == 1
    with pytest.raises(Refused, match="it does not need help: it is Ready"):
        await life.operator.resolve(life.id, Resolve(How.RETRY))


async def test_nobody_helps_in_time(life: Life) -> None:
    """The site's limit: it has failed, and is taken back."""
    await needs_help(life, hours=4)
    await life.skip(seconds=7100)
    assert (await word(life, "Needs help")).ending is None
    await life.skip(seconds=200)
    view = await life.until("failed")
    assert view.ending == "failed" and view.reason.startswith("no operator helped in time: step 4, Power on")
    assert life.world.done[-1] == "remove"
    with pytest.raises(WorkflowFailureError):
        await life.handle.result()


async def test_the_end_comes_before_anybody_helps(life: Life) -> None:
    """Not one moment longer than it was reserved for; unless it is extended meanwhile."""
    view = await needs_help(life, hours=1)
    await life.reservations.extend(life.id, Extend(view.end + timedelta(minutes=30)))
    await life.skip(minutes=70)
    assert (await word(life, "Needs help")).ending is None
    await life.skip(minutes=25)
    assert (await life.until("failed")).ending == "failed"


async def test_cancelled_while_it_needs_help(life: Life) -> None:
    """At once."""
    await needs_help(life)
    assert (await life.reservations.end(life.id, End())).ending == "deleted"
    view = await life.until("complete")
    assert (view.word, view.help_since) == ("Ended", None)
    assert life.world.done[-1] == "remove"


async def test_given_up(life: Life) -> None:
    """By an operator: it has failed, and says by whom."""
    await needs_help(life)
    assert (await life.operator.resolve(life.id, Resolve(How.GIVE_UP))).ending == "failed"
    view = await life.until("failed")
    assert view.reason.startswith("given up by olga: step 4, Power on: esx1 refuses")


async def test_two_operators_at_the_same_moment(life: Life) -> None:
    """The first one's choice counts, and the other is refused."""
    await needs_help(life)
    life.world.fail.clear()
    operators = life.operator, life.operator.of("otto", operator=True)
    acts = (each.resolve(life.id, Resolve(How.RETRY)) for each in operators)
    said = await asyncio.gather(*acts, return_exceptions=True)
    assert [type(each) for each in sorted(said, key=str)].count(Refused) == 1
    await life.until("reserved")


async def test_an_unknown_resolution_and_help_that_is_not_needed(life: Life) -> None:
    """Refused."""
    life.world.hold["vsphere.copy_disk"] = threading.Event()
    await life.reserve()
    with pytest.raises(Refused, match="it does not need help"):
        await life.operator.resolve(life.id, Resolve(How.RETRY))
    life.world.hold["vsphere.copy_disk"].set()
    await life.until("reserved")
    with pytest.raises(Refused, match="choose one of retry, elsewhere, give-up"):
        await life.operator.resolve(life.id, Resolve("hope"))


async def test_elsewhere_by_an_operators_word(life: Life) -> None:
    """A host was added meanwhile."""
    await needs_help(life)
    life.world.hosts = TWO
    life.world.fail.clear()
    await life.operator.resolve(life.id, Resolve(How.ELSEWHERE))
    view = await life.until("reserved")
    assert (view.host, view.generation) == ("esx2", 2)
    assert life.world.done.count("remove") == 1 and life.world.done.count("vsphere.copy_disk") == 2


async def test_a_computer_that_cannot_even_be_looked_at(life: Life) -> None:
    """Before there is a plan: the same help, and the plan is made then."""
    view = await needs_help(life, "node_status")
    assert "a look at vm01" in view.reason
    life.world.fail.clear()
    await life.operator.resolve(life.id, Resolve(How.RETRY))
    await life.until("reserved")


async def test_what_cannot_be_removed_is_not_left_behind(life: Life) -> None:
    """No other place is taken then: it needs help where it is, and the other claim is given back."""
    life.world.hosts = TWO
    life.world.fail["remove"] = StepFailed("a foreign snapshot is in the way")
    life.world.fail[POWER_ON] = StepFailed("esx1 refuses")
    await life.reserve()
    await life.when(lambda: bool(told(life)), 60)
    await life.skip(minutes=11)
    view = await word(life, "Needs help")
    assert view.host == "esx1" and "foreign snapshot" in view.reason
    life.world.fail.clear()
    await life.operator.resolve(life.id, Resolve(How.RETRY))
    assert (await life.until("reserved")).host == "esx1"


@pytest.mark.parametrize("life", [{"step_ceiling": 600, "load_ceiling": 700}], indirect=True)
async def test_a_whole_load_has_a_ceiling_too(life: Life) -> None:
    """Its last step gets what is left of it."""
    life.world.not_yet = {"vsphere.find_address": 8, "linux.wait_ssh": 10_000}
    await life.reserve()
    await life.when(lambda: "vsphere.power_on" in life.world.done)
    for _ in range(20):
        await life.skip(minutes=1)
        if getattr(life.view(), "word", "") == "Needs help":
            break
    view = await word(life, "Needs help")
    assert "the load as a whole has reached its ceiling" in view.reason


@pytest.mark.parametrize("life", [{"step_ceiling": 60, "load_ceiling": 120}], indirect=True)
async def test_a_step_has_the_time_that_its_bytes_need(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the ceilings of steps and loads, which are for all else."""
    steps = [
        replace(each, least_seconds=3600.0) if each.name == "vsphere.find_address" else each for each in fakes.STEPS
    ]
    monkeypatch.setattr(fakes, "STEPS", tuple(steps))
    life.world.not_yet = {"vsphere.find_address": 10_000}
    await life.reserve()
    await life.when(lambda: POWER_ON in life.world.done)
    await life.skip(minutes=50)
    assert getattr(life.view(), "word", "") != "Needs help"
    life.world.not_yet = {}
    await life.until("reserved")


async def test_a_user_who_cannot_be_let_in_is_told_and_connects_again(life: Life) -> None:
    """A fault of ours at Connect ends nothing."""
    await life.ready()
    life.world.fail["grant_access"] = StepFailed("useradd: cannot lock /etc/passwd")
    await life.reservations.acknowledge(life.id, Acknowledge("203.0.113.101"))
    await life.when(lambda: "cannot lock /etc/passwd" in getattr(life.view(), "reason", ""), 60)
    view = life.view()
    assert view is not None
    assert (view.state, view.remote_addresses, view.access_open) == ("reserved", (), False)
    life.world.fail.clear()
    life.world.connected = [True]
    await life.reservations.acknowledge(life.id, Acknowledge("203.0.113.101"))
    view = await life.until("inuse")
    assert view.access_open and life.world.granted == [("203.0.113.101",)]
