"""Captures of computers that are lent: another one of the group is sealed and tried; it is waited for."""

from datetime import UTC, datetime, timedelta

from tests.histories.lives.metal import free, in_use, waiting
from tests.histories.lives.sealing import ask, captured
from tests.workflows.test_load_workflow import Metal
from tests.workflows.test_load_workflow import life as life
from vclab.fake_world import Held
from vclab.model.messages import How, Resolve
from vclab.model.plans import lasting_uuid
from vclab.model.states import ComputerState
from vclab.store import captures
from vclab.store.models import Claim
from vclab.temporal.pending_activities import said_by


def claimed(life: Metal, capture: str) -> bool:
    """Whether the capture claims a computer."""
    with life.store.read() as session:
        found = session.query(Claim).filter(~Claim.released, Claim.holder == f"{capture}/throw-away").all()
        return bool(found)


async def test_it_waits_for_another_computer_and_is_sealed_there(life: Metal) -> None:
    """Meanwhile it says for what and since when, and its user goes on. What the other one holds is unknown then."""
    await in_use(life)
    before = datetime.now(UTC).replace(second=0, microsecond=0)
    capture = await ask(life)
    await waiting(life, capture)
    said = ""
    while not said:
        said = await said_by(life.client, capture)
    assert said.startswith(f"waits since {before:%Y-%m-%d} ")
    assert "no other computer of room is free (room/metal2: is held by other" in said
    with life.store.read() as session:
        assert captures.lacks_computer(session, captures.running_of(session, life.id))
    assert not claimed(life, capture)
    source = life.metal.find(lasting_uuid("vclab", "metal1"))
    free(life)
    await life.skipper.fast_forward(life.client.get_workflow_handle(capture), timedelta(seconds=61))
    made = await captured(life)
    assert made.origin.sha256 == Held("os", 1).sha256
    assert life.metal.find(lasting_uuid("vclab", "metal1")) == source
    found = life.computer("metal2")
    assert (found.state, found.image, found.holder) == (ComputerState.AVAILABLE, "", "")
    assert not claimed(life, capture)


async def test_it_is_given_up_while_it_waits(life: Metal) -> None:
    """Nothing is left of it, and its user goes on."""
    await in_use(life)
    await waiting(life, await ask(life))
    await life.operator.resolve(life.id, Resolve(How.GIVE_UP))
    await life.when(lambda: getattr(life.view(), "becomes", None) == "")
    assert life.metal.disks("room") == []
    assert getattr(life.view(), "state", "") == "inuse"
