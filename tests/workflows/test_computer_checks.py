"""The check of idle computers: what it finds, mends, and leaves to an operator."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle

from activities.reconcile import Strays
from tests.workflows.conftest import QUEUE, Life
from tests.workflows.test_load_workflow import Metal, after_use, living_on_metal
from vclab.fake_world import Failure
from vclab.model import ids, messages
from vclab.model.catalog import AfterUse, Computer
from vclab.model.computer_checks import Check
from vclab.model.messages import check_workflow
from vclab.model.plans import lasting_uuid
from vclab.model.states import ComputerState
from vclab.store import audit, locks

UUID = lasting_uuid("vclab", "metal1")


@pytest.fixture
async def life(time_client: Client, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Metal]:
    async with living_on_metal(time_client, tmp_path, {}) as life:
        await life.load(image="os", by_hand=True)
        yield life


async def begin(life: Life, computer: str = "metal1") -> WorkflowHandle[Any, str]:
    """Its check is under way."""
    return await life.client.start_workflow(
        messages.CHECK, Check(computer), id=check_workflow(computer), task_queue=QUEUE, result_type=str
    )


async def checked(life: Metal) -> Computer:
    """Check it; as it is recorded then."""
    assert (await (await begin(life)).result()).startswith("metal1: ")
    found = life.computer()
    assert found.holder == ""
    return found


def change(life: Metal, **how: object) -> None:
    """The computer is so from now on."""
    life.metal.change(UUID, **how)


def never(life: Metal, act: str) -> None:
    """That fails for good from now on."""
    life.behaves(failures={act: Failure("failed", times=1000, text="the cable is broken")})


async def test_all_well(life: Metal) -> None:
    """Nothing is changed; who comes then has the computer by the short plan."""
    found = await checked(life)
    assert (found.state, found.image, found.check_repair) == ("available", "os", "")
    assert found.check_found == "it answers, its disks and its clock are well, it holds os/1"
    await life.ready()
    assert life.steps()[0] == "fake-metal.adopt"


async def test_one_that_is_off_is_switched_on(life: Metal) -> None:
    """And waited for, so that nobody gets a computer that boots."""
    change(life, powered_on_at=0.0)
    found = await checked(life)
    assert life.is_on()
    assert (found.state, found.image, found.check_repair) == ("available", "os", "switched on")
    assert found.check_found.startswith("it is off: switched on; it answers")


async def test_one_that_may_be_off_stays_so(life: Metal) -> None:
    after_use(life, AfterUse.OFF)
    change(life, powered_on_at=0.0)
    for _ in range(2):
        found = await checked(life)
        assert not life.is_on() and found.off_since and found.check_repair == ""
    change(life, powered_on_at=1.0)
    assert (await checked(life)).off_since is None


@pytest.mark.parametrize(
    ("how", "why"),
    [({"image": "other"}, "it does not hold os/1"), ({"tainted": "somebody was there"}, "somebody was there")],
    ids=str,
)
async def test_what_holds_something_else_is_loaded(life: Metal, how: dict[str, Any], why: str) -> None:
    """By the next round. What a load does not mend, an operator looks at."""
    change(life, **how)
    found = await checked(life)
    assert (found.state, found.image, found.check_repair) == ("available", "", "reload")
    assert why in found.check_found
    await life.client.execute_workflow("Reconcile", id=ids.new_id(), task_queue=QUEUE)
    await life.loaded()
    change(life, **how)
    found = await checked(life)
    assert (found.state, found.check_repair) == (ComputerState.MAINTENANCE, "maintenance")
    assert why in found.why_out_of_service


async def test_one_that_lets_nobody_in_is_loaded(life: Metal) -> None:
    never(life, "health")
    assert (await checked(life)).check_repair == "reload"


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"clock": -900.0}, "its check: its clock is 900 s slow"),
        ({"disk_errors": ("sda: I/O error",)}, "its check: its kernel reports an error of a disk: sda: I/O error"),
    ],
    ids=str,
)
async def test_what_no_load_mends_goes_out_of_service(life: Metal, how: dict[str, Any], why: str) -> None:
    change(life, **how)
    found = await checked(life)
    assert (found.state, found.why_out_of_service, found.image) == (ComputerState.MAINTENANCE, why, "os")
    with life.store.read() as session:
        (event,) = [e for e in audit.events(session, "computer-metal1") if e.what.startswith("checked")]
    assert event.what == "checked: maintenance"


async def test_one_that_can_not_be_switched_on(life: Metal) -> None:
    """It is loaded, once: that may go by another way."""
    change(life, powered_on_at=0.0)
    never(life, "power_on")
    found = await checked(life)
    assert (found.check_repair, "the cable is broken" in found.check_found) == ("reload", True)


async def test_a_dead_one_delays_no_other(life: Metal) -> None:
    """Nobody gets the computer meanwhile; who wants it waits, and has it then."""
    life.behaves(delays={"health": 5.0})
    handle = await begin(life)
    await life.when(lambda: life.computer().holder == "check-metal1")
    await life.reserve()
    view = life.view()
    assert view is not None and view.generation == 0
    found: Strays = await life.client.execute_workflow(
        "Reconcile", id=ids.new_id(), task_queue=QUEUE, result_type=Strays
    )
    assert found.checked == ()
    life.behaves(delays={})
    await handle.result()
    await life.skip(seconds=70)
    await life.until("reserved")


async def test_a_round_checks_what_is_due(life: Metal) -> None:
    async def one_round() -> tuple[str, ...]:
        found: Strays = await life.client.execute_workflow(
            "Reconcile", id=ids.new_id(), task_queue=QUEUE, result_type=Strays
        )
        for computer in found.checked:
            await life.client.get_workflow_handle(check_workflow(computer)).result()
        return found.checked

    assert await one_round() == (), "it was loaded a moment ago"
    long_ago = datetime.now(UTC) - timedelta(hours=2)
    life.store.run(lambda s: setattr(locks.computer(s, "metal1"), "checked_at", long_ago))
    assert await one_round() == ()
    life.released(long_ago)
    assert await one_round() == ("metal1",)
    assert life.computer().check_found
    life.released(long_ago)
    assert await one_round() == (), "it was checked a moment ago"


async def test_one_that_is_not_idle(life: Metal) -> None:
    await life.ready()
    assert await (await begin(life)).result() == "metal1 is not idle"
    assert life.computer().holder == life.id


async def test_cancelled(life: Metal) -> None:
    """It is free again, and nothing follows."""
    life.behaves(delays={"health": 300.0})
    handle = await begin(life)
    await life.when(lambda: life.computer().holder == "check-metal1")
    async with asyncio.timeout(60):
        while not (await handle.describe()).raw_description.pending_activities:
            await asyncio.sleep(0.02)
    await handle.cancel()
    assert "could not be checked" in await handle.result()
    found = life.computer()
    assert (found.state, found.holder, found.image) == ("available", "", "os")
