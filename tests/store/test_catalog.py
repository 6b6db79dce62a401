"""Users, images, endpoints and identities."""

import dataclasses
from datetime import datetime, timedelta

import pytest

from tests.store.lab import HOUR, NOW, image, must_reserve
from tests.store.test_spares import a_spare
from vclab.model.catalog import Endpoint, Identity, IdentityPool, User
from vclab.model.errors import NotFound, Refused
from vclab.model.inventory import MachineFacts
from vclab.model.states import Purpose
from vclab.store import Store, catalog, orphans, reservations, tenures

ENDPOINT = Endpoint(
    "vc", "vsphere", "https://127.0.0.1:8989", "u", "endpoint/vc", "ab" * 32, module_data='{"of": "vc"}'
)


def test_what_is_put_is_read(store: Store) -> None:
    alice = User("alice", 2001, "local", ("ssh-ed25519 A", "ssh-ed25519 B"), "Europe/Berlin")
    debian = dataclasses.replace(image("debian-12", 512), root_access=False, ports=(22, 3389), endpoint="vc")
    for _ in range(2):
        store.run(lambda s: catalog.put_user(s, alice))
        store.run(lambda s: catalog.put_image(s, debian))
        store.run(lambda s: catalog.put_endpoint(s, ENDPOINT))
    with store.read() as session:
        assert catalog.user(session, "alice") == alice
        assert catalog.users(session) == [alice]
        assert catalog.image(session, "debian-12") == debian
        assert catalog.images(session) == [debian]
        assert catalog.endpoint(session, "vc") == ENDPOINT
        assert catalog.endpoints(session) == catalog.endpoints(session, "vsphere") == [ENDPOINT]
        assert catalog.endpoints(session, "xen") == []


def test_changes(store: Store) -> None:
    store.run(lambda s: catalog.put_user(s, User("alice", 2001)))
    store.run(lambda s: catalog.put_user(s, User("alice", 2007)))
    store.run(lambda s: catalog.put_endpoint(s, ENDPOINT))
    store.run(lambda s: catalog.put_endpoint(s, dataclasses.replace(ENDPOINT, fingerprint="cd")))
    with store.read() as session:
        assert catalog.user(session, "alice").uid == 2007
        assert catalog.endpoint(session, "vc").fingerprint == "cd"


def test_the_site_stays_while_something_runs(lab: Store) -> None:
    """A reservation that is placed, then a spare; all else may change, and in the end the site too."""

    def move(name: str = "lab-vcenter") -> None:
        endpoint = lab.run(lambda s: catalog.endpoint(s, name))
        lab.run(lambda s: catalog.put_endpoint(s, dataclasses.replace(endpoint, cpu_overcommit=3)))
        lab.run(lambda s: catalog.put_endpoint(s, dataclasses.replace(endpoint, site="south")))

    spare = a_spare(lab)
    with pytest.raises(Refused, match=f"while it is used by spare-{spare.target.computer}; try again when they have"):
        move()
    user = must_reserve(lab).reservation
    with pytest.raises(Refused, match=f"lab-vcenter can't move from the site default to south while .* by {user}"):
        move()
    lab.run(lambda s: reservations.finished(s, user, NOW))
    move()


def test_the_site_of_a_group_stays_while_one_of_its_computers_is_held(lab: Store) -> None:
    group = Endpoint("labs", "standalone", "", "", "", "")
    lab.run(lambda s: catalog.put_endpoint(s, group))
    lab.run(lambda s: catalog.put_lab_computer(s, "lab01", endpoint="labs"))
    generation = lab.run(lambda s: tenures.take(s, "lab01", "computer-lab01", Purpose.LOAD, NOW + HOUR, NOW))
    with pytest.raises(Refused, match="used by computer-lab01"):
        lab.run(lambda s: catalog.put_endpoint(s, dataclasses.replace(group, site="south")))
    lab.run(lambda s: tenures.release(s, "lab01", generation, NOW))
    lab.run(lambda s: catalog.put_endpoint(s, dataclasses.replace(group, site="south")))


def test_what_is_not_there(store: Store) -> None:
    with store.read() as session:
        for read in (catalog.user, catalog.image, catalog.endpoint, catalog.computer):
            with pytest.raises(NotFound, match="x"):
                read(session, "x")
        with pytest.raises(NotFound, match="no revision 3 of image x"):
            catalog.revision(session, "x", 3)


def test_a_uid_belongs_to_one_login(store: Store) -> None:
    store.run(lambda s: catalog.put_user(s, User("alice", 2001)))
    with pytest.raises(Refused, match="the uid 2001 of bob belongs to alice"):
        store.run(lambda s: catalog.put_user(s, User("bob", 2001)))


def test_the_last_revision_put_is_in_production(store: Store) -> None:
    for number in (1, 2):
        store.run(lambda s, number=number: catalog.put_image(s, image("debian-12", 512 * number, number)))  # type: ignore[misc]
    with store.read() as session:
        assert catalog.image(session, "debian-12").revision == 2
        assert catalog.revision(session, "debian-12", 1).memory_mb == 512
        assert len(catalog.images(session)) == 1
    store.run(lambda s: catalog.put_image(s, image("debian-12", 1024, 1)))
    with store.read() as session:
        assert catalog.image(session, "debian-12") == image("debian-12", 1024, 1)


def test_an_image_needs_something(store: Store) -> None:
    with pytest.raises(Refused, match="greater than zero"):
        store.run(lambda s: catalog.put_image(s, image("x", 0)))
    with pytest.raises(Refused, match="greater than zero"):
        store.run(lambda s: catalog.put_image(s, dataclasses.replace(image("x", 0), guest="")))
    store.run(lambda s: catalog.put_image(s, image("x", 0), lent=True))


def test_a_pool_makes_identities_and_may_grow(store: Store) -> None:
    for count in (2, 2, 300):
        store.run(lambda s, count=count: catalog.put_pool(s, IdentityPool("vm", count)))  # type: ignore[misc]
    with store.read() as session:
        computers = {c.name: c for c in catalog.computers(session)}
    assert len({c.private_mac for c in computers.values()} | {c.public_mac for c in computers.values()}) == 600
    assert computers["vm01"].private_mac == "02:76:63:00:00:01"
    assert computers["vm300"].public_mac == "02:76:63:01:01:2c"


def test_identities_can_be_given(store: Store) -> None:
    given = IdentityPool("lab-", 0, identities=(Identity("lab-a", "00:50:56:00:00:01", "00:50:56:00:01:01"),))
    store.run(lambda s: catalog.put_pool(s, given))
    with store.read() as session:
        assert catalog.computer(session, "lab-a").public_mac == "00:50:56:00:01:01"


@pytest.mark.parametrize("count", [0, -1, 5000])
def test_a_pool_has_a_sensible_size(store: Store, count: int) -> None:
    with pytest.raises(Refused, match="between 1 and 4096"):
        store.run(lambda s: catalog.put_pool(s, IdentityPool("vm", count)))


def test_names_and_macs_are_given_once(store: Store) -> None:
    store.run(lambda s: catalog.put_pool(s, IdentityPool("vm", 2)))
    with pytest.raises(Refused, match="the MAC 02:76:63:00:00:01 of pc01 belongs to vm01"):
        store.run(lambda s: catalog.put_pool(s, IdentityPool("pc", 2)))
    store.run(lambda s: catalog.put_lab_computer(s, "pc01"))
    with pytest.raises(Refused, match="already a computer pc01"):
        store.run(lambda s: catalog.put_pool(s, IdentityPool("pc", 2, "02:00:01")))


def test_computers_tell_their_holder(store: Store) -> None:
    store.run(lambda s: catalog.put_pool(s, IdentityPool("vm", 2)))
    for generation in (1, 2):
        store.run(lambda s: tenures.take(s, "vm02", "r1", Purpose.LOAD, NOW + HOUR, NOW))
        with store.read() as session:
            held = [(c.name, c.generation, c.holder) for c in catalog.computers(session)]
        assert held == [("vm01", 0, ""), ("vm02", generation, "r1")]
        store.run(lambda s, generation=generation: tenures.release(s, "vm02", generation, NOW))  # type: ignore[misc]
        with store.read() as session:
            assert catalog.computer(session, "vm02").holder == ""


def machine(uuid: str, computer: str, generation: int) -> MachineFacts:
    return MachineFacts("vc", f"{computer}-g{generation}", uuid, "r1", computer, generation, True)


def test_orphans_are_machines_that_nobody_holds(store: Store) -> None:
    store.run(lambda s: catalog.put_lab_computer(s, "vm1"))
    store.run(lambda s: tenures.take(s, "vm1", "r1", Purpose.LOAD, NOW + HOUR, NOW))
    held, old, other = machine("u1", "vm1", 1), machine("u2", "vm1", 0), machine("u3", "vm9", 4)

    def seen(endpoint: str, machines: list[MachineFacts], now: datetime) -> list[tuple[MachineFacts, datetime]]:
        return [(o.machine, o.since) for o in store.run(lambda s: orphans.seen(s, endpoint, machines, now, 120))]

    assert seen("vc", [held, old], NOW) == [(old, NOW)]
    assert seen("vc2", [other], NOW) == [(other, NOW)]
    assert seen("vc", [held, old, other], NOW + HOUR) == [(old, NOW), (other, NOW + HOUR)]
    assert seen("vc", [held], NOW + HOUR) == []
    assert seen("vc", [old], NOW + 2 * HOUR) == [(old, NOW + 2 * HOUR)]
    store.run(lambda s: tenures.release(s, "vm1", 1, NOW))
    assert (held, NOW + 2 * HOUR) in seen("vc", [old, held], NOW + 2 * HOUR)


def test_an_orphan_s_time_counts_by_looks_and_not_by_jumps_of_the_clock(store: Store) -> None:
    stray, minute = machine("u2", "vm1", 0), timedelta(minutes=1)
    looks = [NOW, NOW + minute, NOW + HOUR, NOW - HOUR, NOW - HOUR + minute]
    seconds = [store.run(lambda s, now=now: orphans.seen(s, "vc", [stray], now, 120))[0].seconds for now in looks]  # type: ignore[misc]
    assert seconds == [0, 60, 180, 180, 240]
