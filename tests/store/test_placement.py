"""Placing a reservation: claims, tenure and row together, or a refusal that says why."""

import dataclasses
from datetime import timedelta

import pytest
import sqlalchemy as sa

from tests.store.lab import HOUR, NOW, RULES, TURNAROUND, image, inventory, must_reserve, reserve, seed
from vclab.model.catalog import Endpoint
from vclab.model.inventory import HostFacts, Inventory
from vclab.model.plans import Facts, StepInput
from vclab.model.reservations import Placed, Refusal
from vclab.model.states import ComputerState, Ending, Purpose
from vclab.store import Store, audit, catalog, load_log, reservations, tenures
from vclab.store.models import Claim, Pool, Reservation


def refused(outcome: Placed | Refusal) -> str:
    assert isinstance(outcome, Refusal), outcome
    return outcome.text()


def test_a_place_is_claimed_held_and_recorded(lab: Store) -> None:
    placed = must_reserve(lab, hours=2)
    target = placed.target
    assert (target.host, target.storage, target.computer, target.generation) == ("esx1", "ds1", "vm01", 1)
    assert (target.image_data, target.endpoint_data) == (image("debian-12", 2048).module_data, "")
    assert (target.private_mac, target.public_mac) == ("02:76:63:00:00:01", "02:76:63:01:00:01")
    assert (target.installation, target.traits.lent, target.traits.guest) == ("test", False, True)
    assert placed.access.password_ref == "tenure/vm01/1/login"
    assert (placed.access.login, placed.access.uid, placed.access.sudo) == ("alice", 2001, True)
    assert placed.access.public_keys == ("ssh-ed25519 AAAA alice",)
    assert placed.end == NOW + 2 * HOUR
    with lab.read() as session:
        claims = session.scalars(sa.select(Claim).order_by(Claim.pool)).all()
        assert [(c.pool, c.cpus, c.memory_mb, c.disk_gb) for c in claims] == [
            ("lab-vcenter/datastore/ds1", 0, 0, 4),
            ("lab-vcenter/host/esx1", 1, 2048, 0),
        ]
        assert {(c.starts, c.ends) for c in claims} == {(NOW, placed.end + TURNAROUND)}
        computer = catalog.computer(session, "vm01")
        assert (computer.state, computer.holder, computer.generation) == (
            ComputerState.RELOADING,
            placed.reservation,
            1,
        )


def test_the_same_id_gets_the_same_place(lab: Store) -> None:
    first = must_reserve(lab)
    again = reserve(lab, id=first.reservation, now=NOW + HOUR, inventories=())
    assert again == first
    with lab.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Claim)) == 2


def test_an_id_of_somebody_else_is_refused(lab: Store) -> None:
    first = must_reserve(lab)
    assert "can't be the id of a new reservation" in refused(reserve(lab, user="bob", id=first.reservation))


@pytest.mark.parametrize("id", ["../x", "A", "-a", "a" * 40, "a/b"])
def test_ids_become_paths_and_so_are_checked(lab: Store, id: str) -> None:
    assert "can't be the id" in refused(reserve(lab, id=id))


def test_a_lead_makes_the_claim_begin_earlier(lab: Store) -> None:
    reserve(lab, rules=dataclasses.replace(RULES, lead=120.0, turnaround=7.0))
    with lab.read() as session:
        assert session.execute(sa.select(Claim.starts, Claim.ends).distinct()).all() == [
            (NOW - timedelta(seconds=120), NOW + HOUR + timedelta(seconds=7))
        ]


def test_the_usual_load_is_added_to_the_time(lab: Store) -> None:
    first = must_reserve(lab)
    for name, seconds in (("vsphere.copy_disk", 40), ("linux.post_load", 10)):
        step = StepInput(name, "…", first.target, Facts(), 1, 2)
        lab.run(lambda s, step=step: load_log.started(s, step, 1, NOW))  # type: ignore[misc]
        end = NOW + timedelta(seconds=seconds)
        lab.run(lambda s, step=step, end=end: load_log.ended(s, step, 1, load_log.DONE, "", end))  # type: ignore[misc]
    assert must_reserve(lab).end == NOW + HOUR + timedelta(seconds=50)


def test_who_and_what_must_exist(lab: Store) -> None:
    assert "mallory is not a user" in refused(reserve(lab, user="mallory"))
    assert "no image debain-12; did you mean debian-12? `vclab images`" in refused(reserve(lab, image="debain-12"))
    assert "no image plan9; `vclab images`" in refused(reserve(lab, image="plan9"))


@pytest.mark.parametrize(
    ("hours", "text"),
    [(0, "must be positive"), (-1, "must be positive"), (float("nan"), "must be positive"),
     (float("inf"), "must be positive"), (0.1, "shortest reservation is 15 min"), (5, "at most 4 h at first"),
     (1e6, "at most 730 d")],
)  # fmt: skip
def test_limits(lab: Store, hours: float, text: str) -> None:
    assert text in refused(reserve(lab, hours=hours, operator=False))


def test_operators_pass_limits_but_not_the_horizon(lab: Store) -> None:
    assert isinstance(reserve(lab, hours=24), Placed)
    assert isinstance(reserve(lab, hours=0.01), Placed)
    assert "at most 730 d" in refused(reserve(lab, hours=1e6))


def test_one_at_a_time_until_it_ends(lab: Store) -> None:
    first = reserve(lab, operator=False)
    assert isinstance(first, Placed)
    assert f"1 of at most 1 reservations at one time ({first.reservation})" in refused(reserve(lab, operator=False))
    assert isinstance(reserve(lab, user="bob", operator=False), Placed)
    lab.run(lambda s: reservations.ended(s, first.reservation, Ending.DELETED, "", NOW))
    assert isinstance(reserve(lab, operator=False), Placed)


def test_seed_003_many_small_machines_leave_room_for_the_big_one(lab: Store) -> None:
    """The mail's case: small ones first, by many users; then the image that needs a whole host."""
    hosts = {must_reserve(lab, image="debian-12").target.host for _ in range(7)}
    assert hosts == {"esx1"}
    assert must_reserve(lab, image="big").target.host == "esx2"


def test_when_there_is_really_no_room_each_host_is_named_with_all_it_lacks(lab: Store) -> None:
    must_reserve(lab, image="debian-12")
    must_reserve(lab, image="big")
    text = refused(reserve(lab, image="big", inventories=(inventory(disk_gb=9),)))
    assert "lab-vcenter/esx1: needs 16384 MiB memory, has 14336 free, datastore ds1: needs 4 GiB disk, has 1" in text
    assert "lab-vcenter/esx2: needs 16384 MiB memory, has 0 free" in text


def test_room_comes_back_when_one_ends(lab: Store) -> None:
    first, _ = must_reserve(lab, image="big"), must_reserve(lab, image="big")
    refused(reserve(lab, image="big"))
    lab.run(lambda s: reservations.ended(s, first.reservation, Ending.DELETED, "", NOW))
    assert must_reserve(lab, image="big").target.host == first.target.host


def test_a_later_reservation_finds_the_room_that_is_free_by_then(lab: Store) -> None:
    must_reserve(lab, image="big"), must_reserve(lab, image="big")
    later = NOW + HOUR + TURNAROUND
    refused(reserve(lab, image="big", now=later - timedelta(seconds=1)))
    assert isinstance(reserve(lab, image="big", now=later), Placed)


def test_identities_run_out(store: Store) -> None:
    store.run(lambda s: seed(s, identities=2))
    assert {must_reserve(store).target.computer for _ in range(2)} == {"vm01", "vm02"}
    assert "lab-vcenter/esx1: no identity (hostname and addresses) is left" in refused(reserve(store))


def test_a_held_computer_is_passed_over_whoever_holds_it(lab: Store) -> None:
    lab.run(lambda s: tenures.take(s, "vm01", "health", Purpose.LOAD, NOW + HOUR, NOW))
    assert must_reserve(lab).target.computer == "vm02"


def test_endpoints_that_do_not_answer_or_do_not_exist(lab: Store) -> None:
    down = Inventory("lab-vcenter", NOW, error="does not answer: connection refused")
    assert "(lab-vcenter: does not answer: connection refused)" in refused(reserve(lab, inventories=(down,)))
    assert "(lab-vcenter: was not asked)" in refused(reserve(lab, inventories=()))
    lab.run(lambda s: catalog.put_image(s, dataclasses.replace(image("xen", 512), module="xen")))
    assert "none has the provisioning module xen" in refused(reserve(lab, image="xen"))


def test_a_second_endpoint_takes_over(lab: Store) -> None:
    other = Endpoint(
        "b", "vsphere", "https://127.0.0.1:2", "u", "endpoint/b", "cd" * 32, site="s2", module_data='{"of": "b"}'
    )
    lab.run(lambda s: catalog.put_endpoint(s, other))
    down = Inventory("lab-vcenter", NOW, error="does not answer")
    host = HostFacts("esx9", 8, 4096, True, "", ("ds1",))
    heard = dataclasses.replace(inventory(), endpoint="b", hosts=(host,))
    placed = reserve(lab, inventories=(down, heard))
    assert isinstance(placed, Placed)
    assert (placed.target.endpoint, placed.target.endpoint_data, placed.target.site) == ("b", other.module_data, "s2")


def test_an_older_answer_of_the_endpoint_does_not_undo_a_newer_one(lab: Store) -> None:
    reserve(lab, inventories=(inventory(memory_mb=4096, taken_at=NOW),))
    reserve(lab, inventories=(inventory(memory_mb=2048, taken_at=NOW - HOUR),))
    with lab.read() as session:
        assert session.get_one(Pool, "lab-vcenter/host/esx1").memory_mb == 4096
    reserve(lab, inventories=(inventory(memory_mb=9999, taken_at=NOW + HOUR),))
    with lab.read() as session:
        assert session.get_one(Pool, "lab-vcenter/host/esx1").memory_mb == 9999


def test_a_refusal_is_in_the_audit_and_leaves_nothing_else(lab: Store) -> None:
    text = refused(reserve(lab, id="r1", image="big", inventories=(inventory(memory_mb=1024),)))
    with lab.read() as session:
        assert [(e.who, e.what, e.detail) for e in audit.events(session, "r1")] == [("alice", "refused", text)]
        assert session.scalars(sa.select(Reservation)).all() == []
        assert session.scalars(sa.select(Claim)).all() == []
        assert reservations.tenures_held(session) == []


def test_an_image_may_be_for_one_endpoint_only(lab: Store) -> None:
    lab.run(lambda s: catalog.put_image(s, dataclasses.replace(image("debian-12", 2048), endpoint="b")))
    assert "none called b has the provisioning module vsphere" in refused(reserve(lab))


def test_a_new_revision_goes_to_new_reservations_only(lab: Store) -> None:
    first = must_reserve(lab)
    lab.run(lambda s: catalog.put_image(s, image("debian-12", 1024, revision=2)))
    second = must_reserve(lab)
    assert (second.target.revision, second.target.memory_mb) == (2, 1024)
    assert reserve(lab, id=first.reservation) == first
