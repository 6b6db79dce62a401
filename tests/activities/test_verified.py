"""An activity's input is a claim: whoever reaches Temporal can write one. Nothing is touched then."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.fence import TenureFence
from activities.guest import GuestActivities
from activities.reach import GuestInput, Reach
from activities.records import AcknowledgeInput
from activities.verified import VerifiedAccess
from tests.activities.test_intents import HERE, Lab
from tests.fakes import FakeGuest, World
from tests.store.lab import NOW, seed
from vclab.model.intents import Verb
from vclab.model.messages import Acknowledge
from vclab.model.plans import Facts
from vclab.store import reservations
from vclab.store.engine import open_store

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEtR"
FACTS = Facts("10.77.0.5", "203.0.113.5", host_key=KEY)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Two hosts, an image, alice."""
    store = open_store(f"sqlite:///{tmp_path}/vclab.db")
    store.migrate()
    store.run(seed)
    yield Lab(store)
    store.close()


def let_in(lab: Lab) -> GuestInput:
    """What the workflow of a reservation asks for after Connect."""
    placed = lab.placed()
    lab.store.run(lambda s: reservations.ready(s, placed.reservation, FACTS, NOW))
    asked = lab.asked(Verb.CONNECT, placed.reservation, address=HERE)
    lab.records.acknowledged(AcknowledgeInput(placed.reservation, Acknowledge(HERE, asked), (HERE,), NOW))
    access = replace(placed.access, addresses=(HERE,))
    return GuestInput(placed.target, FACTS, access)


CLAIMS: dict[str, Callable[[GuestInput], dict[str, Any]]] = {
    "the vCenter's password": lambda given: {"access": replace(given.access, password_ref="endpoint/vc1")},
    "another computer's": lambda given: {"access": replace(given.access, password_ref="tenure/vm09/1/login")},
    "another login": lambda given: {"access": replace(given.access, login="mallory")},
    "root rights": lambda given: {"access": replace(given.access, sudo=not given.access.sudo)},
    "from anywhere": lambda given: {"access": replace(given.access, addresses=("0.0.0.0/0",))},
    "another host key": lambda given: {"facts": replace(given.facts, host_key=f"{KEY}x")},
    "another endpoint": lambda given: {"target": replace(given.target, endpoint="mallory")},
    "another reservation": lambda given: {"target": replace(given.target, reservation="other")},
    "another generation": lambda given: {"target": replace(given.target, generation=given.target.generation + 1)},
}


@pytest.mark.parametrize("act", ["grant_access", "close_access", "reboot_guest"])
async def test_what_is_recorded_is_done(lab: Lab, act: str) -> None:
    world = World()
    activities = GuestActivities(Reach({"linux": FakeGuest(world)}), TenureFence(lab.store), VerifiedAccess(lab.store))
    await ActivityEnvironment().run(getattr(activities, act), let_in(lab))
    assert world.done


@pytest.mark.parametrize("act", ["grant_access", "close_access", "reboot_guest", "notify_user"])
@pytest.mark.parametrize("claim", CLAIMS)
async def test_what_is_not_recorded_is_refused(lab: Lab, act: str, claim: str) -> None:
    world, given = World(), let_in(lab)
    activities = GuestActivities(Reach({"linux": FakeGuest(world)}), TenureFence(lab.store), VerifiedAccess(lab.store))
    with pytest.raises(ApplicationError) as refused:
        await ActivityEnvironment().run(getattr(activities, act), replace(given, **CLAIMS[claim](given)))
    assert refused.value.type in ("Refused", "Fenced") and refused.value.non_retryable
    assert world.done == []
