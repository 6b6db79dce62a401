"""Loads that nobody waits for: who may begin one, what it leaves, and who waits for it after all."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from tests.store.lab import HOUR, NOW, RULES, image, inventory, reserve
from vclab.model.catalog import AfterUse, Computer, Endpoint, Thing
from vclab.model.errors import Fenced, Refused
from vclab.model.ids import new_id
from vclab.model.intents import VCLAB, Author, Intent
from vclab.model.inventory import HostFacts, Inventory
from vclab.model.messages import Reload
from vclab.model.plans import Evidence, Facts, StepInput, Target, lasting_uuid
from vclab.model.power import PowerAddress, network_of
from vclab.model.reservations import FailedStep, Placed, Refusal, ReserveRequest
from vclab.model.rules import Idle, Rules
from vclab.model.states import ComputerState, Ending
from vclab.store import (
    Store,
    audit,
    background_loads,
    catalog,
    computers,
    failed_steps,
    failures,
    intents,
    load_log,
    locks,
    maintenance,
    placement,
    power,
    reservations,
    retirement,
    revisions,
    scheduling,
    tenures,
)

BY_HAND = Author("olga", operator=True, act="a1")
IMAGE = replace(image("metal", 1024), module="fake-metal", module_data="")
FACTS = Facts("10.0.0.1", "203.0.113.1", "ssh-ed25519 AAAA", "b1")
SOON = NOW + timedelta(minutes=5)


@pytest.fixture
def room(lab: Store) -> Store:
    """Two computers of one group, and a lab machine that can't be loaded."""

    def fill(session: Session) -> None:
        catalog.put_endpoint(session, Endpoint("room", "fake-metal", "", "", "", ""))
        catalog.put_endpoint(session, Endpoint("labs", "standalone", "", "", "", ""))
        catalog.put_image(session, IMAGE)
        catalog.put_image(session, replace(IMAGE, name="other"))
        for number in (1, 2):
            catalog.put_lab_computer(session, f"m{number}", "", "room", f"10.0.0.{number}")
        catalog.put_lab_computer(session, "pc07", endpoint="labs", address="10.0.1.7")

    lab.run(fill)
    return lab


def computer(store: Store, name: str = "m1") -> Computer:
    with store.read() as session:
        return catalog.computer(session, name)


def place(room: Store, user: str = "alice", image: str = "metal") -> Placed | Refusal:
    heard = (inventory(), Inventory("room", NOW, tuple(HostFacts(name, 0, 0) for name in ("m1", "m2"))))
    return reserve(room, user, image, inventories=heard)


def placed(room: Store, user: str = "alice", image: str = "metal") -> Placed:
    outcome = place(room, user, image)
    assert isinstance(outcome, Placed), outcome
    return outcome


def begin(room: Store, name: str = "m1", image: str = "metal", by: Author = BY_HAND) -> Target:
    return room.run(lambda s: background_loads.begin(s, Reload(name, image, by.act), by, RULES, NOW))


def step(room: Store, target: Target) -> None:
    """Its first step is logged, which is no reservation's."""
    given = StepInput("fake-metal.deploy", "Write", target, Facts())
    room.run(lambda s: load_log.started(s, given, 1, NOW))


def test_loaded_for_nobody(room: Store) -> None:
    """A tenure of its own, and nothing is known meanwhile; then it is available with its image. Twice is the same."""
    target = begin(room)
    assert target == begin(room)
    assert (target.reservation, target.generation, target.host) == ("computer-m1", 1, "m1")
    assert target.instance_uuid == lasting_uuid("test", "m1")
    found = computer(room)
    assert (found.state, found.image, found.holder) == ("reloading", "", "computer-m1")
    step(room, target)
    for _ in range(2):
        room.run(lambda s: background_loads.finished(s, target, FACTS, SOON))
    found = computer(room)
    assert (found.state, found.image, found.revision, found.holder) == ("available", "metal", 1, "")
    assert (found.public_address, found.host_key) == ("203.0.113.1", "ssh-ed25519 AAAA")
    second = placed(room)
    assert second.target.computer == "m1", "what holds the image goes first"
    with room.read() as session:
        assert background_loads.due(session, ["fake-metal"]) == []


def test_a_taint_goes_with_a_completed_load_only(room: Store) -> None:
    """Used, given back as unknown, and due; a load that fails leaves it tainted; one that succeeds does not."""
    there = placed(room)
    step(room, there.target)

    def use(session: Session) -> None:
        reservations.ready(session, there.reservation, FACTS, NOW)
        reservations.connected(session, there.reservation, NOW)
        reservations.ended(session, there.reservation, Ending.RELEASED, "", NOW)
        assert "logged in" in reservations.kept(session, there.reservation, 60, NOW)
        reservations.finished(session, there.reservation, NOW)

    room.run(use)
    found = computer(room)
    assert (found.state, found.image, found.tainted) == ("available", "", True)
    with room.read() as session:
        assert background_loads.due(session, ["fake-metal"]) == ["m1"]
    target = begin(room, image="", by=VCLAB)
    assert (target.image, target.generation) == ("metal", 2), "what it was loaded with before"
    room.run(lambda s: background_loads.failed(s, target, "step 1: the disk is broken", SOON))
    found = computer(room)
    assert (found.state, found.tainted, found.holder) == (ComputerState.FAILED, True, "")
    assert found.why_out_of_service == "its load with metal failed: step 1: the disk is broken"
    with room.read() as session:
        assert background_loads.due(session, ["fake-metal"]) == [], "an operator has to look at it"
    target = begin(room)
    room.run(lambda s: background_loads.finished(s, target, FACTS, SOON))
    found = computer(room)
    assert (found.state, found.tainted, found.why_out_of_service) == ("available", False, "")


def fail(room: Store, target: Target, name: str = "fake.post_load") -> None:
    """A step of a load that nobody waits for fails for good."""
    seen = Evidence("on", ("m1 in room",), ("panic",))
    one = FailedStep(
        SOON, target.computer, target.generation, target.host, name, 5, "Prepare it", "no answer", seen, True
    )
    for _ in range(2):
        room.run(lambda s: failed_steps.note(s, replace(target, guest="fake"), one, RULES.health))
    room.run(lambda s: background_loads.failed(s, target, "step 5, Prepare it: no answer", SOON))


def test_what_failed_is_kept_and_counts(room: Store) -> None:
    """With its evidence, for operators; a good load clears it."""
    target = begin(room)
    fail(room, target)
    with room.read() as session:
        (trouble,) = failed_steps.of_loads(session)
        assert trouble in failed_steps.of(session, "computer-m1")
        assert (trouble.computer, trouble.cause, trouble.evidence.console) == ("m1", "no answer", ("panic",))
        (failure,) = failures.of_reservation(session, "computer-m1")
        assert (failure.host, failure.in_guest) == ("m1", True)
    target = begin(room)
    room.run(lambda s: background_loads.finished(s, target, FACTS, SOON))
    with room.read() as session:
        assert failed_steps.of_loads(session) == []


def test_a_suspect_revision_marks_no_computer(room: Store) -> None:
    """It failed inside on both: nobody has to look at these, and neither is loaded with it again by itself."""
    for name in ("m1", "m2"):
        target = begin(room, name)
        step(room, target)
        fail(room, target)
        if name == "m1":
            assert computer(room, "m1").state is ComputerState.FAILED
    for name in ("m1", "m2"):
        found = computer(room, name)
        assert (found.state, found.why_out_of_service, found.image, found.holder) == ("available", "", "", "")
    with room.read() as session:
        assert [(each.image, each.revision) for each in failures.suspects(session)] == [("metal", 1)]
        assert failed_steps.of_loads(session) == [] and background_loads.due(session, ["fake-metal"]) == []
    assert placed(room, image="other").target.computer == "m1"
    room.run(lambda s: catalog.put_image(s, replace(IMAGE, revision=2)))
    with room.read() as session:
        assert background_loads.due(session, ["fake-metal"]) == ["m2"], "with the new revision"


def test_what_can_not_be_loaded(room: Store) -> None:
    room.run(lambda s: catalog.put_image(s, replace(IMAGE, revision=2)))
    room.run(lambda s: revisions.retire(s, "metal", 1, NOW))
    held = placed(room).target.computer
    for given, why in (
        (Reload("vm01", "metal", "a1"), "each reservation makes a virtual one anew"),
        (Reload("pc07", "metal", "a1"), "its module standalone can't reload"),
        (Reload("m2", "debian-12", "a1"), "room can't load the image debian-12: it is for the module vsphere"),
        (Reload("m2", "", "a1"), "nothing was ever loaded on m2"),
        (Reload("m2", "metal", "a1", 1), "revision 1 of metal is retired"),
        (Reload(held, "metal", "a1"), f"{held} is held by"),
    ):
        if given.computer != held:
            with room.read() as session, pytest.raises(Refused, match=why):
                background_loads.planned(session, given, RULES)
        with pytest.raises(Refused, match=why):
            room.run(lambda s, given=given: background_loads.begin(s, given, BY_HAND, RULES, NOW))  # type: ignore[misc]


def test_one_that_was_terminated(room: Store) -> None:
    """Due again, with the image that it was loaded with; what the first one left running is fenced off."""
    first = begin(room, image="other")
    with room.read() as session:
        assert background_loads.due(session, ["fake-metal"]) == ["m1"]
    second = room.run(lambda s: background_loads.begin(s, Reload("m1"), VCLAB, RULES, SOON))
    assert (second.image, second.generation) == ("other", first.generation + 1)
    with pytest.raises(Fenced), room.read() as session:
        tenures.check(session, "m1", first.generation)
    room.run(lambda s: background_loads.failed(s, first, "late", SOON))
    assert computer(room).state is ComputerState.RELOADING


def test_who_waits_for_it(room: Store) -> None:
    """None is free: one that is being loaded with the image, and no other, will do; it is taken when that is done."""
    targets = [begin(room, "m1"), begin(room, "m2", "other")]
    waiting = placed(room)
    assert (waiting.target.computer, waiting.held, waiting.state) == ("m1", False, "new")
    assert waiting.loaded_by is not None and waiting.loaded_by > NOW
    refused = place(room, "bob")
    assert isinstance(refused, Refusal) and "is promised to" in refused.text()
    heard = (Inventory("room", NOW, tuple(HostFacts(name, 0, 0) for name in ("m1", "m2"))),)
    early = room.run(lambda s: scheduling.begin(s, waiting.reservation, heard, RULES, SOON))
    assert isinstance(early, Refusal) and "is held by computer-m1" in early.text()
    room.run(lambda s: background_loads.finished(s, targets[0], FACTS, SOON))
    taken = room.run(lambda s: scheduling.begin(s, waiting.reservation, heard, RULES, SOON + HOUR / 60))
    assert isinstance(taken, Placed)
    assert (taken.target.computer, taken.target.generation, taken.loaded_by) == ("m1", 2, None)
    assert taken.target.spare == lasting_uuid("test", "m1")


def want(room: Store, name: str = "m1", image: str = "", revision: int = 0) -> None:
    """An operator wants it loaded anew."""
    asked = Intent("a1", NOW, "olga", "account", ("operator",), "computers.reload", arguments={"names": [name]})
    room.run(lambda s: intents.write(s, asked))
    room.run(lambda s: background_loads.want(s, Reload(name, image, asked.id, revision)))


def due(room: Store) -> list[str]:
    with room.read() as session:
        return background_loads.due(session, ["fake-metal"])


def test_wanted_while_somebody_has_it(room: Store) -> None:
    """Nothing is done until it is free; then the next load is that one, whoever starts it, in the operator's name."""
    room.run(lambda s: catalog.put_image(s, replace(IMAGE, name="other", revision=2)))
    held = placed(room)
    want(room, held.target.computer, "other", 1)
    assert due(room) == []
    with pytest.raises(tenures.TenureHeld):
        begin(room, held.target.computer, "", VCLAB)
    room.run(lambda s: reservations.ended(s, held.reservation, Ending.RELEASED, "", NOW))
    room.run(lambda s: reservations.finished(s, held.reservation, NOW))
    assert due(room) == ["m1"]
    for _ in range(2):
        target = begin(room, "m1", "", VCLAB)
        assert (target.image, target.revision, target.generation) == ("other", 1, 2)
    assert computer(room).load_intent == ""
    with room.read() as session:
        (event,) = [e for e in audit.events(session, "computer-m1") if e.what == "load begins"]
        assert event.who == "olga"


def test_what_is_wanted_lasts_until_a_load_begins(room: Store) -> None:
    """Nobody gets the computer at once before, and one for later does; it is loaded out of service, too."""
    for name in ("m1", "m2"):
        want(room, name, "metal")
    refused = place(room)
    assert isinstance(refused, Refusal) and "m1: is to be loaded anew first" in refused.text()
    heard = (inventory(), Inventory("room", NOW, tuple(HostFacts(name, 0, 0) for name in ("m1", "m2"))))
    later = ReserveRequest(new_id(), "alice", "metal", 3600, start=NOW + 5 * HOUR)
    assert isinstance(room.run(lambda s: placement.place(s, later, BY_HAND, heard, RULES, NOW)), Placed)
    room.run(lambda s: computers.put_out_of_service(locks.computer(s, "m1"), ComputerState.FAILED, "no disk"))
    assert due(room) == ["m1", "m2"]
    room.run(lambda s: catalog.set_computer(s, "m2", ComputerState.MAINTENANCE))
    assert due(room) == ["m1"], "an operator wants something else by now"


def test_what_is_wanted_and_can_not_be_done_is_told(room: Store) -> None:
    want(room, "m1", "metal")
    want(room, "m2", "other")
    room.run(lambda s: retirement.disable(s, Thing.IMAGE, "other", "it has a bug", NOW))
    for _ in range(2):
        room.run(lambda s: background_loads.tend(s, RULES, NOW))
    assert (computer(room, "m1").load_intent, computer(room, "m2").load_intent) == ("a1", "")
    with room.read() as session:
        (event,) = audit.events(session, "computer-m2")
    assert (event.what, "the image other is disabled" in event.detail) == ("not loaded", True)


def test_one_that_goes_out_of_service(room: Store) -> None:
    held = placed(room).target.computer
    room.run(lambda s: maintenance.take_out(s, held, "a new fan", True, None))
    with room.read() as session, pytest.raises(Refused, match=f"`vclab computer enable {held}` keeps it"):
        background_loads.planned(session, Reload(held, "metal", "a1"), RULES)


def test_a_lost_load_of_a_revision(room: Store) -> None:
    """It is loaded with that again; with the one in production, when that is retired meanwhile."""
    room.run(lambda s: catalog.put_image(s, replace(IMAGE, revision=2)))
    asked = Reload("m1", "metal", "a1", 1)
    room.run(lambda s: background_loads.begin(s, asked, BY_HAND, RULES, NOW))
    again = room.run(lambda s: background_loads.begin(s, Reload("m1"), VCLAB, RULES, SOON))
    assert again.revision == 1
    room.run(lambda s: revisions.retire(s, "metal", 1, NOW))
    again = room.run(lambda s: background_loads.begin(s, Reload("m1"), VCLAB, RULES, SOON + HOUR))
    assert again.revision == 2


# --- after use, and how many at one time ------------------------------------------------------------------------------

FEW = replace(RULES, idle=Idle(loads_per_network=2, loads_per_site=3))


def group(room: Store, name: str, network: str, count: int, site: str = "default") -> list[str]:
    """A group of computers that were used, and whose BMCs are in this network: they are due."""
    names = [f"{name}{number}" for number in range(count)]

    def fill(session: Session) -> None:
        catalog.put_endpoint(session, Endpoint(name, "fake-metal", "", "", "", "", site=site))
        for number, each in enumerate(names):
            catalog.put_lab_computer(session, each, "", name, f"10.1.{len(name)}.{number}")
            if network:
                power.set_address(session, each, PowerAddress(f"ipmi://vclab@{network}.{number + 1}", "power/x"))

    room.run(fill)
    for each in names:
        step(room, begin(room, each))
        room.run(lambda s, each=each: used(s, each))  # type: ignore[misc]
    return names


def used(session: Session, name: str) -> None:
    """Its load is over, and what it holds is unknown, as after use."""
    held = tenures.current(session, name)
    assert held is not None
    tenures.release(session, name, held.generation, NOW)
    computers.return_to_service(locks.computer(session, name))


def in_turn(room: Store, rules: Rules = FEW) -> list[str]:
    with room.read() as session:
        return background_loads.in_turn(session, background_loads.due(session, ["fake-metal"]), rules)


def load(room: Store, name: str, rules: Rules = FEW, now: datetime = SOON) -> Target:
    return room.run(lambda s: background_loads.begin(s, Reload(name), VCLAB, rules, now))


def test_loads_of_one_network_at_one_time(room: Store) -> None:
    """So many and no more, whoever starts them; the next has its turn when one has ended. Twice is the same."""
    names = group(room, "a", "10.9.0", 4)
    assert due(room) == names
    assert in_turn(room) == names[:2]
    targets = [load(room, name) for name in names[:2]]
    assert [load(room, name) for name in names[:2]] == targets
    with pytest.raises(
        background_loads.NoTurn, match=r"a2 has its turn later: 2 computers whose BMCs are in 10.9.0.0/24"
    ):
        load(room, "a2")
    assert in_turn(room) == names[:2], "those whose workflow may be lost"
    room.run(lambda s: background_loads.finished(s, targets[0], FACTS, SOON))
    assert in_turn(room) == ["a1", "a2"]
    load(room, "a2")


def test_many_that_begin_at_one_moment(room: Store) -> None:
    """The limit holds over all workers."""
    names = group(room, "a", "10.9.0", 8)

    def began(name: str) -> bool:
        with suppress(background_loads.NoTurn):
            return bool(load(room, name))
        return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(began, names)) == FEW.idle.loads_per_network


def test_loads_of_one_site_at_one_time(room: Store) -> None:
    """Whatever their networks; another site has its own, even with a network of the same addresses."""
    first, second = group(room, "a", "10.9.0", 2), group(room, "bb", "", 2)
    elsewhere = group(room, "ccc", "10.9.1", 3, site="north")
    assert in_turn(room) == [*first, second[0], *elsewhere[:2]]
    for name in (*first, second[0], *elsewhere[:2]):
        load(room, name)
    with pytest.raises(background_loads.NoTurn, match="bb1 has its turn later: 3 computers of the site default"):
        load(room, "bb1")


def test_what_an_operator_wants_has_its_turn_too(room: Store) -> None:
    """Before the others; it stays written down until then."""
    names = group(room, "a", "10.9.0", 3)
    want(room, "a2", "metal")
    assert in_turn(room) == ["a2", "a0"]
    for name in names[:2]:
        load(room, name)
    asked = Reload("a2", "metal", "a1")
    with pytest.raises(background_loads.NoTurn):
        room.run(lambda s: background_loads.begin(s, asked, BY_HAND, FEW, SOON))
    assert computer(room, "a2").load_intent == "a1"


@pytest.mark.parametrize(("policy", "loaded"), [(AfterUse.ON, True), (AfterUse.OFF, True), (AfterUse.UNLOADED, False)])
def test_after_use_by_policy_of_the_group(room: Store, policy: AfterUse, loaded: bool) -> None:
    """One that is not loaded by itself can be by an operator, and a load of it that was lost is ended."""
    group(room, "a", "", 1)
    room.run(lambda s: catalog.put_endpoint(s, Endpoint("a", "fake-metal", "", "", "", "", after_use=policy)))
    assert due(room) == (["a0"] if loaded else [])
    if not loaded:
        with pytest.raises(Refused, match="a0 is loaded when somebody needs it, as its group a says"):
            load(room, "a0")
        want(room, "a0")
        assert due(room) == ["a0"]
    load(room, "a0")
    assert due(room) == ["a0"]
    load(room, "a0", now=SOON + HOUR)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("ipmi://vclab@10.9.0.11:623", "10.9.0.0/24"),
        ("redfish://root@[fd00:1:2:3::17]/redfish/v1/Systems/1", "fd00:1:2:3::/64"),
        ("wol://02-76-63-99-00-07@10.77.0.27/10.77.255.255", "10.77.0.0/24"),
        ("ipmi://vclab@bmc17.example.org", "bmc17.example.org"),
        ("none", ""),
        ("", ""),
    ],
)
def test_the_network_of_a_bmc(address: str, network: str) -> None:
    assert network_of(address) == network
