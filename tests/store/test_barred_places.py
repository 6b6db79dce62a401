"""Nobody is placed on a computer that is in groups, none of which a grant lets them use."""

from dataclasses import replace

import pytest
from sqlalchemy.orm import Session

from tests.store.lab import NOW, image, inventory, reserve
from tests.store.test_access import give, make
from vclab.model.access import GroupKind, Member, ResourceKind, Role
from vclab.model.catalog import Endpoint
from vclab.model.inventory import HostFacts, Inventory
from vclab.model.reservations import Placed, Refusal
from vclab.store import Store, access, catalog

LAB01, LAB02 = Member(ResourceKind.COMPUTER, "lab01"), Member(ResourceKind.COMPUTER, "lab02")
LABS, VCENTER = Member(ResourceKind.ENDPOINT, "labs"), Member(ResourceKind.ENDPOINT, "lab-vcenter")
HEARD = (inventory(), Inventory("labs", NOW, tuple(HostFacts(name, 0, 0, True, "") for name in ("lab01", "lab02"))))


@pytest.fixture
def labs(lab: Store) -> Store:
    """A group of two lab machines beside the vCenter."""

    def fill(session: Session) -> None:
        catalog.put_endpoint(session, Endpoint("labs", "standalone", "", "", "", ""))
        catalog.put_image(session, replace(image("lab-debian", 1024), module="standalone", module_data=""))
        for number in (1, 2):
            catalog.put_lab_computer(session, f"lab{number:02}", "", "labs", f"10.0.0.{number}", f"key{number}")

    lab.run(fill)
    return lab


def tried(store: Store, user: str, image: str = "lab-debian", operator: bool = False) -> str:
    """On which computer they are placed, or why on none."""
    outcome = reserve(store, user, image, inventories=HEARD, operator=operator)
    return outcome.target.host if isinstance(outcome, Placed) else outcome.text()


def test_a_lab_machine_in_a_group_is_for_those_who_may_use_it(labs: Store) -> None:
    make(labs, "room-12", GroupKind.COMPUTERS, LAB01)
    assert tried(labs, "alice") == "lab02"
    refusal = tried(labs, "bob")
    assert "labs/lab01: is for those who may use room-12, and bob may not" in refusal
    give(labs, Role.USER, "bob", "room-12")
    assert tried(labs, "bob") == "lab01"


def test_one_of_its_groups_is_enough(labs: Store) -> None:
    """That of the computer or that of its endpoint."""
    make(labs, "room-12", GroupKind.COMPUTERS, LAB01)
    make(labs, "labs-all", GroupKind.COMPUTERS, LABS)
    assert "is for those who may use" in tried(labs, "alice")
    give(labs, Role.USER, "alice", "room-12")
    assert tried(labs, "alice") == "lab01"
    give(labs, Role.TEACHER, "bob", "labs-all")
    assert tried(labs, "bob") == "lab02"


def test_an_endpoint_in_a_group_gives_its_machines_to_those_who_may_use_it(labs: Store) -> None:
    make(labs, "east", GroupKind.COMPUTERS, VCENTER)
    why = "lab-vcenter is for those who may use east, and alice may not"
    assert why in tried(labs, "alice", "debian-12")
    id = give(labs, Role.USER, "alice", "east")
    assert tried(labs, "alice", "debian-12").startswith("esx")
    labs.run(lambda s: access.revoke(s, id))
    assert why in tried(labs, "alice", "debian-12")


def test_operators_are_placed_everywhere(labs: Store) -> None:
    make(labs, "east", GroupKind.COMPUTERS, VCENTER, LABS)
    assert tried(labs, "olga", "debian-12", operator=True).startswith("esx")
    assert tried(labs, "olga", operator=True) == "lab01"
    give(labs, Role.OPERATOR, "bob")  # by a grant in the store
    assert tried(labs, "bob") == "lab02"


def test_a_group_of_people_or_images_bars_no_place(labs: Store) -> None:
    make(labs, "class-5b", GroupKind.PEOPLE, Member(ResourceKind.USER, "alice"))
    make(labs, "biology", GroupKind.IMAGES, Member(ResourceKind.IMAGE, "lab-debian"))
    assert tried(labs, "alice") == "lab01"
    assert not isinstance(reserve(labs, "bob", "lab-debian", inventories=HEARD), Refusal)
