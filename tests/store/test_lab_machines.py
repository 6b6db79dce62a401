"""Reservations of lab machines: a claim on the machine itself, its tenure, and reasons for each that can't be had."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from tests.store.lab import HOUR, NOW, OLGA, RULES, TURNAROUND, image, inventory, reserve
from vclab.model.catalog import ComputerKind, Endpoint, Image, LabEntry
from vclab.model.errors import Refused
from vclab.model.inventory import HostFacts, Inventory
from vclab.model.plans import Facts
from vclab.model.reservations import Placed, Refusal
from vclab.model.states import ComputerState, Ending
from vclab.store import Store, catalog, extension, reservations, tenures
from vclab.store.models import Claim, Computer

IMAGE = replace(image("lab-debian", 1024), module="standalone", module_data="", root_access=False)


@pytest.fixture
def labs(lab: Store) -> Store:
    """Two machines of one group, and one of another."""

    def fill(session: sa.orm.Session) -> None:
        for name in ("labs", "annex"):
            catalog.put_endpoint(session, Endpoint(name, "standalone", "", "", "", ""))
        catalog.put_image(session, IMAGE)
        catalog.put_image(session, replace(IMAGE, name="annex-debian", endpoint="annex"))
        for number in (1, 2):
            catalog.put_lab_computer(session, f"lab{number:02}", "", "labs", f"10.0.0.{number}", f"key{number}")
        catalog.put_lab_computer(session, "pc07", endpoint="annex", address="10.0.1.7")

    lab.run(fill)
    return lab


def heard(**why_not: str) -> tuple[Inventory, ...]:
    """What the groups say: all is well but for what is given."""
    groups = {"labs": ("lab01", "lab02"), "annex": ("pc07",)}
    facts = {
        group: tuple(HostFacts(n, 0, 0, n not in why_not, why_not.get(n, "")) for n in names)
        for group, names in groups.items()
    }
    return (inventory(), *(Inventory(group, NOW, hosts) for group, hosts in facts.items()))


def place(labs: Store, image: str = "lab-debian", **why_not: str) -> Placed | Refusal:
    return reserve(labs, image=image, inventories=heard(**why_not))


def placed(labs: Store, image: str = "lab-debian") -> Placed:
    outcome = place(labs, image)
    assert isinstance(outcome, Placed), outcome
    return outcome


def refused(outcome: Placed | Refusal) -> str:
    assert isinstance(outcome, Refusal), outcome
    return outcome.text()


def test_a_lab_machine_is_claimed_and_held_itself(labs: Store) -> None:
    found = placed(labs)
    target = found.target
    assert (target.computer, target.host, target.endpoint, target.module) == ("lab01", "lab01", "labs", "standalone")
    assert (target.storage, target.traits.lent, target.generation) == ("", True, 1)
    with labs.read() as session:
        claim = session.scalars(sa.select(Claim)).one()
        assert (claim.computer, claim.pool, claim.starts, claim.ends) == ("lab01", None, NOW, found.end + TURNAROUND)
        computer = catalog.computer(session, "lab01")
        assert (computer.state, computer.holder) == (ComputerState.RELOADING, found.reservation)
        assert (computer.private_address, computer.host_key) == ("10.0.0.1", "key1")


def test_each_machine_once_and_then_a_refusal_with_reasons(labs: Store) -> None:
    holders = {one.target.computer: one.reservation for one in (placed(labs), placed(labs), placed(labs))}
    assert sorted(holders) == ["lab01", "lab02", "pc07"]
    text = refused(place(labs))
    room = "there is room from 2026-08-01 13:06 CEST on, for 1 h"
    assert text.startswith(f"no lab machine is free at that time; {room} (annex/pc07: ")
    assert f"labs/lab01: is held by {holders['lab01']}, probably until 2026-08-01 13:05 CEST; labs/lab02: " in text


def test_a_machine_that_can_not_be_given_away_says_why(labs: Store) -> None:
    labs.run(lambda s: catalog.set_computer(s, "pc07", ComputerState.MAINTENANCE, why="its fan is broken"))
    text = refused(place(labs, lab01="somebody is logged in at it: root on tty1", lab02="it does not answer SSH"))
    assert text == (
        "no lab machine is free at that time (annex/pc07: is out of service: its fan is broken; labs/lab01: somebody "
        "is logged in at it: root on tty1; labs/lab02: it does not answer SSH)"
    )
    assert "labs/lab01: was not asked" in refused(reserve(labs, image="lab-debian", inventories=()))


def test_an_image_may_be_on_the_machines_of_one_group_only(labs: Store) -> None:
    assert placed(labs, "annex-debian").target.computer == "pc07"
    assert "labs/" not in refused(place(labs, "annex-debian"))


def test_an_overrun_keeps_the_machine_until_it_is_verified_clean(labs: Store) -> None:
    first = placed(labs)
    labs.run(lambda s: reservations.ready(s, first.reservation, Facts("10.0.0.1", "203.0.113.9", "key1"), NOW))
    labs.run(lambda s: reservations.ended(s, first.reservation, Ending.DELETED, "", NOW))
    text = refused(place(labs, lab02="off", pc07="off"))
    assert f"labs/lab01: is held by {first.reservation}, probably until" in text
    labs.run(lambda s: reservations.finished(s, first.reservation, NOW))
    again = placed(labs)
    assert (again.target.computer, again.target.generation) == ("lab01", 2)


def test_one_that_can_not_be_sanitized_goes_into_maintenance_and_keeps_its_address(labs: Store) -> None:
    first = placed(labs)
    labs.run(lambda s: reservations.finished(s, first.reservation, NOW, verified=False, detail="a file stays"))
    with labs.read() as session:
        computer = catalog.computer(session, "lab01")
    assert (computer.state, computer.why_out_of_service) == (
        ComputerState.MAINTENANCE,
        f"after {first.reservation}: a file stays",
    )
    assert (computer.private_address, computer.host_key, computer.holder) == ("10.0.0.1", "key1", "")
    assert "lab01: is out of service: after" in refused(place(labs, lab02="off", pc07="off"))


def test_it_can_be_extended_up_to_the_next_promise(labs: Store) -> None:
    first = placed(labs)
    with labs.read() as session:
        assert catalog.computer(session, "lab01").generation == 1
    later = NOW + 3 * HOUR

    def promise(session: sa.orm.Session) -> None:
        session.add(Claim(computer="lab01", holder="r9", starts=later, ends=later + HOUR))

    labs.run(promise)
    outcome = labs.run(lambda s: extension.extend(s, first.reservation, NOW + 4 * HOUR, OLGA, RULES, NOW))
    assert "another reservation has its place then" in refused(outcome)  # type: ignore[arg-type]
    fits = later - TURNAROUND
    assert labs.run(lambda s: extension.extend(s, first.reservation, fits, OLGA, RULES, NOW)) == fits


def test_a_promise_that_comes_too_soon_keeps_it_free(labs: Store) -> None:
    def promise(session: sa.orm.Session) -> None:
        session.add(Claim(computer="lab01", holder="r9", starts=NOW + timedelta(minutes=30), ends=NOW + HOUR))

    labs.run(promise)
    assert placed(labs).target.computer == "lab02"


def test_a_lab_machine_that_is_known_is_changed_but_not_its_state(labs: Store) -> None:
    labs.run(lambda s: catalog.set_computer(s, "lab01", ComputerState.MAINTENANCE, "x"))
    labs.run(lambda s: catalog.put_lab_computer(s, "lab01", address="10.0.0.99"))
    with labs.read() as session:
        computer = catalog.computer(session, "lab01")
        assert session.get_one(Computer, "lab01").kind is ComputerKind.LAB
    assert (computer.private_address, computer.host_key, computer.pool) == ("10.0.0.99", "key1", "labs")
    assert (computer.state, computer.notes) == (ComputerState.MAINTENANCE, "x")
    with pytest.raises(Refused, match="already a virtual machine's identity vm01"):
        labs.run(lambda s: catalog.put_lab_computer(s, "vm01"))


def test_many_at_once_never_get_the_same_machine(labs: Store) -> None:
    with ThreadPoolExecutor(6) as threads:
        outcomes = list(threads.map(lambda _: place(labs), range(6)))
    found = [one.target.computer for one in outcomes if isinstance(one, Placed)]
    assert sorted(found) == ["lab01", "lab02", "pc07"]
    with labs.read() as session:
        assert all(tenures.current(session, name) for name in found)


def test_what_has_no_guest_is_handed_over_by_a_word(lab: Store) -> None:
    """It needs no address and no identity; what its user is given is gone with its place."""

    def fill(session: sa.orm.Session) -> None:
        catalog.put_endpoint(session, Endpoint("texts", "text-file", "", "", "", "", module_data='{"folder": "/srv"}'))
        note = Image("note", "Note", 1, "text-file", "", 0, 0, 0, module_data='{"text": "Hello"}')
        catalog.put_image(session, note, lent=True)
        catalog.put_lab_computer(session, "note1", endpoint="texts")

    lab.run(fill)
    found = reserve(lab, image="note", inventories=(Inventory("texts", NOW, (HostFacts("note1", 0, 0),)),))
    assert isinstance(found, Placed), found
    target = found.target
    assert (target.computer, target.guest, target.traits.guest, target.traits.lent) == ("note1", "", False, True)
    assert (target.image_data, target.endpoint_data) == ('{"text": "Hello"}', '{"folder": "/srv"}')
    lab.run(lambda s: reservations.ready(s, found.reservation, Facts(handover="file:///srv/note1.txt"), NOW))
    with lab.read() as session:
        view = reservations.view(session, found.reservation, NOW)
    assert view is not None and (view.state, view.handover) == ("reserved", "file:///srv/note1.txt")


def entered(labs: Store, *entries: LabEntry) -> None:
    labs.run(lambda s: catalog.put_lab_computers(s, entries))


def test_machines_exchange_their_macs_at_once(labs: Store) -> None:
    first, second = "52:54:00:00:00:01", "52:54:00:00:00:02"
    entered(labs, LabEntry("lab01", private_mac=first, public_mac=second), LabEntry("new", "labs", module_data="{}"))
    entered(labs, LabEntry("lab01", private_mac=second, public_mac=first))
    entered(labs, LabEntry("lab01", private_mac="52:54:00:00:00:03"), LabEntry("lab02", private_mac=second))
    with labs.read() as session:
        macs = {each.name: (each.private_mac, each.public_mac, each.module_data) for each in catalog.computers(session)}
    assert macs["lab01"] == ("52:54:00:00:00:03", first, "")
    assert (macs["lab02"], macs["new"]) == ((second, "", ""), ("", "", "{}"))
    with pytest.raises(Refused, match=f"the MAC {first} belongs to lab01"):
        entered(labs, LabEntry("lab02", private_mac=first))
    with pytest.raises(Refused, match="the MAC 02:76:63:00:00:01 belongs to vm01"):
        entered(labs, LabEntry("lab02", private_mac="02:76:63:00:00:01"))


def test_the_module_of_a_machine_is_that_of_its_group(labs: Store) -> None:
    with labs.read() as session:
        modules = {each.name: each.module for each in catalog.computers(session)}
        assert catalog.group(session, "labs")[0].module == "standalone"
    assert (modules["lab01"], modules["vm01"]) == ("standalone", "")
