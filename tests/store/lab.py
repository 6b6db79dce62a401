"""A small lab for the tests: two hosts with one datastore, four users, two images, and how one reserves there."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from sqlalchemy.orm import Session

from vclab.model.catalog import Endpoint, IdentityPool, Image, User
from vclab.model.ids import new_id
from vclab.model.intents import Author
from vclab.model.inventory import DatastoreFacts, HostFacts, Inventory
from vclab.model.reservations import Placed, Refusal, ReserveRequest
from vclab.model.rules import Limits, Rules
from vclab.provisioning import registry
from vclab.provisioning.vsphere.data import ImageData
from vclab.settings import LimitSettings
from vclab.store import Store, catalog, placement
from vclab.store.engine import open_store

ALICE, OLGA = Author("alice"), Author("olga", operator=True)
NOW = datetime(2026, 8, 1, 10, 0, 0, 123456, UTC)
HOUR = timedelta(hours=1)
EDGES = (  # dates that can be written, and that have no date in some zone, or nothing can be added to
    (datetime(9999, 12, 31, 23, 30, tzinfo=UTC), "later than 730 d"),
    (datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(-HOUR)), "later than 730 d"),
    (datetime(1, 1, 1, tzinfo=timezone(HOUR)), "in the past"),
)
TURNAROUND = timedelta(seconds=300)
RULES = Rules(
    "test",
    Limits(**LimitSettings().model_dump()),
    turnaround=TURNAROUND.total_seconds(),
    modules=registry.traits(),
)


def image(name: str, memory_mb: int, revision: int = 1, cpus: int = 1, disk_gb: int = 4) -> Image:
    """An image of a size."""
    return Image(
        name, name.title(), revision, "vsphere", "linux", cpus, memory_mb, disk_gb,
        module_data=ImageData(master_path=f"vclab-images/{name}/{revision}/disk.vmdk").encoded(),
    )  # fmt: skip


def seed(session: Session, identities: int = 8) -> None:
    """Lay down the lab."""
    for uid, login in enumerate(("alice", "bob", "carol", "olga"), 2001):
        catalog.put_user(session, User(login, uid, public_keys=(f"ssh-ed25519 AAAA {login}",), zone="Europe/Berlin"))
    catalog.put_image(session, image("debian-12", 2048))
    catalog.put_image(session, image("big", 16384))
    catalog.put_endpoint(
        session, Endpoint("lab-vcenter", "vsphere", "https://127.0.0.1:8989", "u", "endpoint/lab-vcenter", "ab" * 32)
    )
    catalog.put_pool(session, IdentityPool("vm", identities))


def inventory(hosts: int = 2, memory_mb: int = 16384, disk_gb: int = 200, taken_at: datetime = NOW) -> Inventory:
    """What the endpoint says."""
    return Inventory(
        "lab-vcenter",
        taken_at,
        tuple(HostFacts(f"esx{n + 1}", 16, memory_mb, True, "", ("ds1",)) for n in range(hosts)),
        (DatastoreFacts("ds1", disk_gb, disk_gb),),
    )


def reserve(
    store: Store,
    user: str = "alice",
    image: str = "debian-12",
    hours: float = 1,
    id: str = "",
    operator: bool = True,
    now: datetime = NOW,
    inventories: tuple[Inventory, ...] | None = None,
    rules: Rules = RULES,
) -> Placed | Refusal:
    """Reserve; as an operator unless said otherwise, so that only room counts."""
    request = ReserveRequest(id or new_id(), user, image, hours * 3600)
    heard = (inventory(),) if inventories is None else inventories
    return store.run(lambda session: placement.place(session, request, Author(user, operator), heard, rules, now))


def must_reserve(store: Store, user: str = "alice", image: str = "debian-12", hours: float = 1) -> Placed:
    """Reserve where there is room."""
    outcome = reserve(store, user, image, hours)
    assert isinstance(outcome, Placed), outcome
    return outcome


def filled_database(folder: Path, fill: Callable[[Session], None]) -> Path:
    """A SQLite database with what ``fill`` puts there, to be copied: migrating takes longer than most tests."""
    file = folder / "vclab.db"
    made = open_store(f"sqlite:///{file}")
    made.migrate()
    made.run(fill)
    made.close()
    return file
