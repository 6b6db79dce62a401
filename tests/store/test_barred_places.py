"""Nobody is placed on a computer that is in groups, none of which a grant lets them use."""

from tests.store.lab import NOW, inventory, reserve
from tests.store.test_access import give, make
from vclab.model.access import GroupKind, Member, ResourceKind, Role
from vclab.model.inventory import HostFacts, Inventory
from vclab.model.reservations import Placed, Refusal
from vclab.store import Store, access

LAB01, LAB02 = Member(ResourceKind.COMPUTER, "lab01"), Member(ResourceKind.COMPUTER, "lab02")
LABS, VCENTER = Member(ResourceKind.ENDPOINT, "labs"), Member(ResourceKind.ENDPOINT, "lab-vcenter")
HEARD = (inventory(), Inventory("labs", NOW, tuple(HostFacts(name, 0, 0, True, "") for name in ("lab01", "lab02"))))


def tried(store: Store, user: str, image: str = "lab-debian", operator: bool = False) -> str:
    """On which computer they are placed, or why on none."""
    outcome = reserve(store, user, image, inventories=HEARD, operator=operator)
    return outcome.target.host if isinstance(outcome, Placed) else outcome.text()


def test_a_lab_machine_in_a_group_is_for_those_who_may_use_it(lab_machines: Store) -> None:
    make(lab_machines, "room-12", GroupKind.COMPUTERS, LAB01)
    assert tried(lab_machines, "alice") == "lab02"
    refusal = tried(lab_machines, "bob")
    assert "labs/lab01: is for those who may use room-12, and bob may not" in refusal
    give(lab_machines, Role.USER, "bob", "room-12")
    assert tried(lab_machines, "bob") == "lab01"


def test_one_of_its_groups_is_enough(lab_machines: Store) -> None:
    """That of the computer or that of its endpoint."""
    make(lab_machines, "room-12", GroupKind.COMPUTERS, LAB01)
    make(lab_machines, "labs-all", GroupKind.COMPUTERS, LABS)
    assert "is for those who may use" in tried(lab_machines, "alice")
    give(lab_machines, Role.USER, "alice", "room-12")
    assert tried(lab_machines, "alice") == "lab01"
    give(lab_machines, Role.TEACHER, "bob", "labs-all")
    assert tried(lab_machines, "bob") == "lab02"


def test_an_endpoint_in_a_group_gives_its_machines_to_those_who_may_use_it(lab_machines: Store) -> None:
    make(lab_machines, "east", GroupKind.COMPUTERS, VCENTER)
    why = "lab-vcenter is for those who may use east, and alice may not"
    assert why in tried(lab_machines, "alice", "debian-12")
    id = give(lab_machines, Role.USER, "alice", "east")
    assert tried(lab_machines, "alice", "debian-12").startswith("esx")
    lab_machines.run(lambda s: access.revoke(s, id))
    assert why in tried(lab_machines, "alice", "debian-12")


def test_operators_are_placed_everywhere(lab_machines: Store) -> None:
    make(lab_machines, "east", GroupKind.COMPUTERS, VCENTER, LABS)
    assert tried(lab_machines, "olga", "debian-12", operator=True).startswith("esx")
    assert tried(lab_machines, "olga", operator=True) == "lab01"
    give(lab_machines, Role.OPERATOR, "bob")  # by a grant in the store
    assert tried(lab_machines, "bob") == "lab02"


def test_a_group_of_people_or_images_bars_no_place(lab_machines: Store) -> None:
    make(lab_machines, "class-5b", GroupKind.PEOPLE, Member(ResourceKind.USER, "alice"))
    make(lab_machines, "biology", GroupKind.IMAGES, Member(ResourceKind.IMAGE, "lab-debian"))
    assert tried(lab_machines, "alice") == "lab01"
    assert not isinstance(reserve(lab_machines, "bob", "lab-debian", inventories=HEARD), Refusal)
